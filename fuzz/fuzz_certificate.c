/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_certificate.c: any bytes (DER or PEM) as a certificate, as an authority's and as a key. What
 * is read as a certificate has one DER form; only the stored authority's own clients pass, with a
 * proper name; a key that is read writes and reads itself.
 */
#include "fuzz_target.h"

#include "crypto/certificate.h"
#include "crypto/secret.h"

#define IN_2030_MS INT64_C(1893456000000) /* within the life of the stored certificates */

/* DER of PEM of DER is the DER. */
static void check_forms(const struct fed_context *context, struct fed_slice certificate) {
  struct fed_buffer der, pem, again, text;
  struct fed_buffer *all[] = {&der, &pem, &again, &text};
  for (size_t i = 0; i < 4; i++) fed_buffer_init(all[i], context, SIZE_MAX);
  if (fed__certificate_encode_der(certificate, &der) == FED_OK) {
    HOLDS(fed__certificate_encode_pem(fed_buffer_slice(&der), &pem) == FED_OK);
    HOLDS(fed__certificate_encode_der(fed_buffer_slice(&pem), &again) == FED_OK);
    HOLDS(fuzz_equal(fed_buffer_slice(&der), fed_buffer_slice(&again)));
    HOLDS((fed__certificate_describe(certificate, &text) == FED_OK) == (text.size > 0));
  }
  for (size_t i = 0; i < 4; i++) fed_buffer_clear(all[i]);
}

static void check_verdict(struct fed_slice ca, struct fed_slice peer) {
  struct fed__identity identity;
  if (fed__certificate_verify(ca, peer, IN_2030_MS, &identity) != FED_OK) return;
  HOLDS(fed__name_check(identity.name) == FED_OK);
  HOLDS(strlen(identity.serial) >= 32 && identity.not_after_ms >= IN_2030_MS);
  HOLDS(strlen(fed__role_name(identity.role)) > 0);
}

static void check_key(const struct fed_context *context, struct fed_slice pem) {
  struct fed_buffer text;
  struct fed__key key, again;
  if (fed__key_decode(pem, &key) != FED_OK) return;
  fed_buffer_init(&text, context, SIZE_MAX);
  HOLDS(fed__key_encode(&key, &text) == FED_OK);
  HOLDS(fed__key_decode(fed_buffer_slice(&text), &again) == FED_OK);
  HOLDS(fed__secret_equal(key.seed, again.seed, sizeof key.seed));
  fed__secret_buffer_clear(&text);
}

/* The stored authority and a client of it. */
static struct fed_buffer authority, client;

static void read_stored(void) {
  static struct fuzz_memory forever;
  if (authority.size) return;
  fuzz_memory_begin(&forever, 1 << 20);
  fuzz_read_vector(&forever.context, "crypto/ca.pem", &authority);
  fuzz_read_vector(&forever.context, "crypto/client.der", &client);
}

int fuzz_one(const uint8_t *data, size_t size) {
  const struct fed_slice bytes = fed_slice_of(data, size);
  struct fuzz_memory memory;
  HOLDS(fed__crypto_init() == FED_OK);
  read_stored();
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 64 * size);
  check_forms(&memory.context, bytes);
  check_verdict(fed_buffer_slice(&authority), bytes);
  check_verdict(bytes, fed_buffer_slice(&client));
  check_key(&memory.context, bytes);
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
