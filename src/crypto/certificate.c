/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate.c: names, roles and serial numbers; certificates converted and described.
 */
#include "crypto/certificate.h"
#include "base/log.h"
#include "base/raise.h"
#include "crypto/openssl_objects.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <string.h>

static const char *const role_names[] = {
#define FED__ROLE_ENTRY(name, text) text,
    FED__ROLE_LIST(FED__ROLE_ENTRY)
#undef FED__ROLE_ENTRY
};

const char *fed__role_name(enum fed__role role) { return role_names[role]; }

int fed__role_parse(const char *word, enum fed__role *role) {
  for (size_t i = 0; i < sizeof role_names / sizeof role_names[0]; i++)
    if (strcmp(word, role_names[i]) == 0) {
      *role = (enum fed__role)i;
      return FED_OK;
    }
  return FED_RAISE(FED_E_INPUT, "expected the role agent or operator, found '%.64s'", word);
}

static int is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int fed__name_check(const char *name) {
  const size_t size = strnlen(name, FED__NAME_MAX + 1);
  int fine = size >= 1 && size <= FED__NAME_MAX && is_letter_or_digit(name[0]);
  for (size_t i = 0; fine && i < size; i++)
    fine = is_letter_or_digit(name[i]) || strchr("._-", name[i]);
  if (fine) return FED_OK;
  return FED_RAISE(FED_E_INPUT,
                   "a name has 1 to %d of the characters A-Z a-z 0-9 . _ - and starts with a "
                   "letter or digit; found '%.64s'",
                   FED__NAME_MAX, name);
}

int fed__serial_generate(const struct fed_context *context, struct fed__serial *serial) {
  return context->entropy->fill(context->entropy, serial->bytes, sizeof serial->bytes);
}

void fed__serial_encode(const struct fed__serial *serial, char hex[FED__SERIAL_HEX_SIZE]) {
  sodium_bin2hex(hex, FED__SERIAL_HEX_SIZE, serial->bytes, sizeof serial->bytes);
}

static int append_encoded(X509 *certificate, int (*write)(BIO *, const X509 *),
                          struct fed_buffer *out) {
  BIO *bio = BIO_new(BIO_s_mem());
  const int code = bio && write(bio, certificate)
                       ? fed__bio_append(bio, out)
                       : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot encode the certificate");
  BIO_free(bio);
  return code;
}

static int convert(struct fed_slice certificate, int (*write)(BIO *, const X509 *),
                   struct fed_buffer *out) {
  X509 *opened;
  FED_TRY(fed__x509_decode(certificate, &opened));
  const int code = append_encoded(opened, write, out);
  X509_free(opened);
  return code;
}

int fed__certificate_encode_der(struct fed_slice certificate, struct fed_buffer *der) {
  return convert(certificate, i2d_X509_bio, der);
}

int fed__certificate_encode_pem(struct fed_slice certificate, struct fed_buffer *pem) {
  return convert(certificate, PEM_write_bio_X509, pem);
}

_Static_assert(FED__NAME_PART_SIZE == FED__NAME_MAX + 1, "a name's part is a name");

int fed__certificate_federation(struct fed_slice ca, char name[FED__NAME_MAX + 1]) {
  X509 *opened;
  FED_TRY(fed__x509_decode(ca, &opened));
  const int code = fed__x509_name_part(X509_get_subject_name(opened), NID_organizationName, name);
  X509_free(opened);
  return code;
}

static const char *describe_use(X509 *certificate) {
  const uint32_t use = X509_get_extended_key_usage(certificate);
  if (X509_check_ca(certificate)) return "certificate authority";
  if (!(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE)) return "not restricted";
  if (use & XKU_SSL_CLIENT) return "TLS client";
  return use & XKU_SSL_SERVER ? "TLS server" : "other";
}

static int describe(X509 *certificate, struct fed_buffer *text) {
  char subject[FED__NAME_LINE_SIZE], issuer[FED__NAME_LINE_SIZE], start[32], end[32];
  char serial[FED__SERIAL_HEX_SIZE], fingerprint[FED__DIGEST_HEX_SIZE];
  struct fed__digest digest;
  int64_t not_before_ms, not_after_ms;
  FED_TRY(fed__x509_serial(certificate, serial));
  FED_TRY(fed__x509_validity(certificate, &not_before_ms, &not_after_ms));
  FED_TRY(fed__x509_fingerprint(certificate, &digest));
  fed__digest_encode(&digest, fingerprint);
  fed__format_time(not_before_ms, start);
  fed__format_time(not_after_ms, end);
  return fed_buffer_print(text,
                          "subject      %s\nissuer       %s\nuse          %s\n"
                          "serial       %s\nvalid from   %s\nvalid until  %s\nSHA-256      %s\n",
                          fed__x509_name_line(X509_get_subject_name(certificate), subject),
                          fed__x509_name_line(X509_get_issuer_name(certificate), issuer),
                          describe_use(certificate), serial, start, end, fingerprint);
}

int fed__certificate_describe(struct fed_slice certificate, struct fed_buffer *text) {
  X509 *opened;
  FED_TRY(fed__x509_decode(certificate, &opened));
  const int code = describe(opened, text);
  X509_free(opened);
  return code;
}
