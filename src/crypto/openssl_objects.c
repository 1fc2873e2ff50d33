/* SPDX-License-Identifier: Apache-2.0
 *
 * openssl_objects.c: OpenSSL's objects to and from bytes, and its errors as ours.
 */
#include "crypto/openssl_objects.h"
#include "base/raise.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define ENCODED_SIZE_MAX (64 << 10)

int fed__raise_openssl(const char *file, int line, int code, const char *what) {
  unsigned long error, last = 0;
  char reason[256] = "no reason given";
  while ((error = ERR_get_error()) != 0) {
    last = error;
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) code = FED_E_MEMORY;
  }
  if (last) ERR_error_string_n(last, reason, sizeof reason);
  return fed__raise(file, line, code, "%s: %s", what, reason);
}

int fed__key_open(const struct fed__key *key, EVP_PKEY **opened) {
  *opened = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->seed, sizeof key->seed);
  return *opened ? FED_OK : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot use an Ed25519 key");
}

int fed__public_key_open(const struct fed__public_key *key, EVP_PKEY **opened) {
  *opened = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, sizeof key->bytes);
  return *opened ? FED_OK : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot use an Ed25519 public key");
}

int fed__refuse_password(char *password, int size, int writing, void *asked) {
  (void)password, (void)size, (void)writing;
  if (asked) *(int *)asked = 1;
  return -1;
}

static int is_pem(struct fed_slice bytes) {
  static const char begin[] = "-----BEGIN ";
  return bytes.size && memmem(bytes.data, bytes.size, begin, sizeof begin - 1) != NULL;
}

/* A DER object starts with a SEQUENCE; PEM is text, so never with this byte. */
static int is_der(struct fed_slice bytes) { return bytes.size && bytes.data[0] == 0x30; }

static int open_input(struct fed_slice bytes, int code, const char *what, BIO **bio) {
  if (bytes.size > ENCODED_SIZE_MAX)
    return FED_RAISE(code, "%s has %zu bytes, at most %d are accepted", what, bytes.size,
                     ENCODED_SIZE_MAX);
  if (!is_der(bytes) && !is_pem(bytes))
    return FED_RAISE(code, "%s is neither PEM nor DER (%zu bytes)", what, bytes.size);
  *bio = BIO_new_mem_buf(bytes.data, (int)bytes.size);
  return *bio ? FED_OK : FED__RAISE_OPENSSL(FED_E_MEMORY, "out of memory");
}

static int raise_trailing(int code, const char *what, size_t count) {
  return FED_RAISE(code, "%s is followed by %zu bytes that do not belong to it", what, count);
}

int fed__x509_decode(struct fed_slice bytes, X509 **certificate) {
  BIO *bio;
  FED_TRY(open_input(bytes, FED_E_CERTIFICATE, "the certificate", &bio));
  *certificate = is_der(bytes) ? d2i_X509_bio(bio, NULL)
                               : PEM_read_bio_X509(bio, NULL, fed__refuse_password, NULL);
  const size_t left = BIO_ctrl_pending(bio);
  BIO_free(bio);
  if (!*certificate)
    return FED__RAISE_OPENSSL(FED_E_CERTIFICATE, "the certificate is not well-formed or cut short");
  if (!is_der(bytes) || left == 0) return FED_OK;
  X509_free(*certificate);
  *certificate = NULL;
  return raise_trailing(FED_E_CERTIFICATE, "the certificate", left);
}

int fed__x509_request_decode(struct fed_slice bytes, X509_REQ **request) {
  BIO *bio;
  FED_TRY(open_input(bytes, FED_E_SYNTAX, "the certificate request", &bio));
  *request = is_der(bytes) ? d2i_X509_REQ_bio(bio, NULL)
                           : PEM_read_bio_X509_REQ(bio, NULL, fed__refuse_password, NULL);
  const size_t left = BIO_ctrl_pending(bio);
  BIO_free(bio);
  if (!*request)
    return FED__RAISE_OPENSSL(FED_E_SYNTAX,
                              "the certificate request is not well-formed or cut short");
  if (!is_der(bytes) || left == 0) return FED_OK;
  X509_REQ_free(*request);
  *request = NULL;
  return raise_trailing(FED_E_SYNTAX, "the certificate request", left);
}

int fed__bio_append(BIO *bio, struct fed_buffer *out) {
  char *data;
  const long size = BIO_get_mem_data(bio, &data);
  if (size < 0) return FED__RAISE_OPENSSL(FED_E_CRYPTO, "nothing was encoded");
  return fed_buffer_append(out, data, (size_t)size);
}

int fed__x509_name_part(const X509_NAME *name, int nid, char text[FED__NAME_PART_SIZE]) {
  const char *kind = OBJ_nid2sn(nid);
  const int index = X509_NAME_get_index_by_NID(name, nid, -1);
  if (index < 0) return FED_RAISE(FED_E_CERTIFICATE, "the certificate's subject has no %s", kind);
  if (X509_NAME_get_index_by_NID(name, nid, index) >= 0)
    return FED_RAISE(FED_E_CERTIFICATE, "the certificate's subject has more than one %s", kind);
  unsigned char *found = NULL;
  const int size =
      ASN1_STRING_to_UTF8(&found, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) return FED__RAISE_OPENSSL(FED_E_CERTIFICATE, "the subject is not text");
  int fits = size > 0 && size < FED__NAME_PART_SIZE;
  for (int i = 0; fits && i < size; i++) fits = found[i] >= ' ' && found[i] != 0x7f;
  if (fits) {
    memcpy(text, found, (size_t)size);
    text[size] = '\0';
  }
  OPENSSL_free(found);
  if (fits) return FED_OK;
  return FED_RAISE(FED_E_CERTIFICATE,
                   "the %s in the certificate's subject must be 1 to 64 printable bytes, found %d "
                   "bytes%s",
                   kind, size, size > 0 && size < FED__NAME_PART_SIZE ? ", some unprintable" : "");
}

static int read_time(const ASN1_TIME *from, int64_t *ms) {
  struct tm calendar;
  if (!ASN1_TIME_to_tm(from, &calendar))
    return FED__RAISE_OPENSSL(FED_E_CERTIFICATE, "the certificate's validity is not a time");
  *ms = (int64_t)timegm(&calendar) * 1000;
  return FED_OK;
}

int fed__x509_validity(const X509 *certificate, int64_t *not_before_ms, int64_t *not_after_ms) {
  FED_TRY(read_time(X509_get0_notBefore(certificate), not_before_ms));
  return read_time(X509_get0_notAfter(certificate), not_after_ms);
}

int fed__x509_serial(const X509 *certificate, char hex[FED__SERIAL_HEX_SIZE]) {
  const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
  uint8_t bytes[20] = {0};
  const int size = ASN1_STRING_length(serial);
  const int used = size < 16 ? 16 : size; /* pad to what this project issues */
  if (size < 0 || size > (int)sizeof bytes || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
    return FED_RAISE(FED_E_CERTIFICATE,
                     "the serial number has %d bytes%s; expected a positive "
                     "number of at most 20 bytes",
                     size, size > (int)sizeof bytes ? "" : " and is negative");
  memcpy(bytes + used - size, ASN1_STRING_get0_data(serial), (size_t)size);
  sodium_bin2hex(hex, FED__SERIAL_HEX_SIZE, bytes, (size_t)used);
  return FED_OK;
}

int fed__x509_fingerprint(const X509 *certificate, struct fed__digest *fingerprint) {
  unsigned char *der = NULL;
  const int size = i2d_X509(certificate, &der);
  if (size < 0) return FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot encode the certificate");
  *fingerprint = fed__sha256_of(fed_slice_of(der, (size_t)size));
  OPENSSL_free(der);
  return FED_OK;
}

const char *fed__x509_name_line(const X509_NAME *name, char line[FED__NAME_LINE_SIZE]) {
  return X509_NAME_oneline(name, line, FED__NAME_LINE_SIZE) ? line : "(unreadable name)";
}
