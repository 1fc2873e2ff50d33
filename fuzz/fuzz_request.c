/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_request.c: any bytes (DER or PEM) as a client's request for a certificate. What the
 * authority issues verifies, and says what was granted, whatever the request asked for.
 */
#include "fuzz_target.h"

#include "crypto/certificate.h"
#include "crypto/secret.h"

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

static struct fed__ca ca;

static void found_authority(void) {
  static struct fuzz_memory forever;
  if (ca.context) return;
  fuzz_memory_begin(&forever, 1 << 20);
  HOLDS(fed__ca_create(&forever.context, "fuzz", 3650, &ca) == FED_OK);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  struct fed_buffer pem;
  struct fed__identity identity;
  HOLDS(fed__crypto_init() == FED_OK);
  found_authority();
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 64 * size);
  const int64_t now_ms = memory.context.clock->wall_ms(memory.context.clock);
  struct fed__grant grant = {.name = "hospital-a",
                             .role = FED__ROLE_AGENT,
                             .not_before_ms = now_ms - 1000,
                             .not_after_ms = now_ms + YEAR_MS};
  HOLDS(fed__serial_generate(&memory.context, &grant.serial) == FED_OK);
  fed_buffer_init(&pem, &memory.context, SIZE_MAX);
  if (fed__certificate_issue_client(&ca, fed_slice_of(data, size), &grant, &pem) == FED_OK) {
    HOLDS(fed__certificate_verify(fed_buffer_slice(&ca.certificate), fed_buffer_slice(&pem), now_ms,
                                  &identity) == FED_OK);
    HOLDS(strcmp(identity.name, grant.name) == 0 && identity.role == grant.role);
    HOLDS(identity.not_after_ms == grant.not_after_ms);
  } else {
    HOLDS(pem.size == 0);
  }
  fed_buffer_clear(&pem);
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
