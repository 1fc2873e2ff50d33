/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.c: Ed25519 private keys and their PEM (PKCS#8, RFC 8410) over OpenSSL.
 */
#include "crypto/keys.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/openssl_objects.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>

#define PEM_SIZE_MAX 4096

int fed__key_generate(const struct fed_context *context, struct fed__key *key) {
  return context->entropy->fill(context->entropy, key->seed, sizeof key->seed);
}

void fed__key_clear(struct fed__key *key) { fed__wipe(key, sizeof *key); }

int fed__key_public(const struct fed__key *key, struct fed__public_key *public_key) {
  EVP_PKEY *opened;
  size_t size = sizeof public_key->bytes;
  FED_TRY(fed__key_open(key, &opened));
  const int ok = EVP_PKEY_get_raw_public_key(opened, public_key->bytes, &size);
  EVP_PKEY_free(opened);
  return ok ? FED_OK : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot derive the public key");
}

void fed__public_key_encode(const struct fed__public_key *key, char hex[FED__PUBLIC_KEY_HEX_SIZE]) {
  sodium_bin2hex(hex, FED__PUBLIC_KEY_HEX_SIZE, key->bytes, sizeof key->bytes);
}

int fed__key_encode(const struct fed__key *key, struct fed_buffer *pem) {
  EVP_PKEY *opened;
  FED_TRY(fed__key_open(key, &opened));
  BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
  int code = bio && PEM_write_bio_PKCS8PrivateKey(bio, opened, NULL, NULL, 0, NULL, NULL)
                 ? fed__bio_append(bio, pem)
                 : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot encode the private key");
  BIO_free(bio);
  EVP_PKEY_free(opened);
  return code;
}

static int read_seed(EVP_PKEY *opened, struct fed__key *key) {
  struct fed__key read;
  size_t size = sizeof read.seed;
  if (!EVP_PKEY_is_a(opened, "ED25519"))
    return FED_RAISE(FED_E_UNSUPPORTED, "expected an Ed25519 private key, found %s",
                     EVP_PKEY_get0_type_name(opened));
  if (!EVP_PKEY_get_raw_private_key(opened, read.seed, &size))
    return FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot read the private key");
  *key = read;
  fed__key_clear(&read);
  return FED_OK;
}

int fed__key_decode(struct fed_slice pem, struct fed__key *key) {
  int encrypted = 0;
  if (pem.size == 0 || pem.size > PEM_SIZE_MAX)
    return FED_RAISE(FED_E_SYNTAX, "a private key in PEM has 1 to %d bytes, found %zu",
                     PEM_SIZE_MAX, pem.size);
  BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
  if (!bio) return FED__RAISE_OPENSSL(FED_E_MEMORY, "out of memory");
  EVP_PKEY *opened = PEM_read_bio_PrivateKey(bio, NULL, fed__refuse_password, &encrypted);
  BIO_free(bio);
  if (!opened && encrypted) {
    ERR_clear_error();
    return FED_RAISE(FED_E_SYNTAX, "the private key is encrypted with a password; expected it "
                                   "unencrypted in a file that only its owner can read");
  }
  if (!opened)
    return FED__RAISE_OPENSSL(FED_E_SYNTAX, "expected a private key in PEM (-----BEGIN PRIVATE "
                                            "KEY-----)");
  const int code = read_seed(opened, key);
  EVP_PKEY_free(opened);
  return code;
}
