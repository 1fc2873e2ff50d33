/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_issue.c: the authority: its own certificate, and those it signs.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "crypto/openssl_objects.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CERTIFICATE_SIZE_MAX (64 << 10)
#define HOUR_MS INT64_C(3600000)
#define VALID_DAYS_MAX 36500
#define TIME_MAX_MS INT64_C(253402300799000) /* the last second of the year 9999 */

/* What a certificate will say. The authority's own has no unit and no issuer. */
struct draft {
  const char *federation, *unit, *name;
  const struct fed__serial *serial;
  int64_t not_before_ms, not_after_ms;
  EVP_PKEY *public_key;
  X509 *issuer;
};

static int set_subject(X509_NAME *subject, const struct draft *draft) {
  const struct {
    const char *kind, *text;
  } parts[] = {{"O", draft->federation}, {"OU", draft->unit}, {"CN", draft->name}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (!parts[i].text) continue;
    if (!X509_NAME_add_entry_by_txt(subject, parts[i].kind, MBSTRING_UTF8,
                                    (const unsigned char *)parts[i].text, -1, -1, 0))
      return 0;
  }
  return 1;
}

static int set_serial(X509 *certificate, const struct fed__serial *serial) {
  BIGNUM *number = BN_bin2bn(serial->bytes, sizeof serial->bytes, NULL);
  const int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  return ok;
}

static int fill_in(X509 *certificate, const struct draft *draft) {
  X509 *issuer = draft->issuer ? draft->issuer : certificate;
  return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate, draft->serial) &&
         set_subject(X509_get_subject_name(certificate), draft) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), draft->not_before_ms / 1000) &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), draft->not_after_ms / 1000) &&
         X509_set_pubkey(certificate, draft->public_key);
}

static int check_validity(const struct draft *draft) {
  int64_t issuer_not_before_ms, issuer_not_after_ms;
  if (draft->not_before_ms < 0 || draft->not_after_ms > TIME_MAX_MS ||
      draft->not_after_ms <= draft->not_before_ms)
    return FED_RAISE(FED_E_RANGE,
                     "a certificate cannot be valid from %lld to %lld: the end must come after "
                     "the start, both between the years 1970 and 9999",
                     (long long)draft->not_before_ms, (long long)draft->not_after_ms);
  if (!draft->issuer) return FED_OK;
  FED_TRY(fed__x509_validity(draft->issuer, &issuer_not_before_ms, &issuer_not_after_ms));
  if (draft->not_after_ms / 1000 <= issuer_not_after_ms / 1000) return FED_OK;
  return FED_RAISE(FED_E_RANGE,
                   "the certificate would end %lld s after its authority's own; ask for a shorter "
                   "validity or renew the authority",
                   (long long)(draft->not_after_ms - issuer_not_after_ms) / 1000);
}

static int draft_open(const struct draft *draft, X509 **certificate) {
  FED_TRY(check_validity(draft));
  *certificate = X509_new();
  if (*certificate && fill_in(*certificate, draft)) return FED_OK;
  X509_free(*certificate);
  *certificate = NULL;
  return FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot build the certificate");
}

/* `text` is OpenSSL's notation (x509v3_config(5)); always our own words, never input. */
static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *text) {
  X509V3_CTX about;
  X509V3_set_ctx(&about, issuer ? issuer : certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &about, nid, text);
  const int ok = extension && X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return ok;
}

static int add_leaf_extensions(X509 *certificate, X509 *issuer, const char *usage) {
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_ext_key_usage, usage) &&
         add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
}

static int add_ca_extensions(X509 *certificate) {
  return add_extension(certificate, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add_extension(certificate, NULL, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         add_extension(certificate, NULL, NID_subject_key_identifier, "hash");
}

static int sign_and_append(X509 *certificate, const struct fed__key *key, struct fed_buffer *pem) {
  EVP_PKEY *opened;
  FED_TRY(fed__key_open(key, &opened));
  BIO *bio = BIO_new(BIO_s_mem());
  /* Ed25519 hashes by itself, hence no digest */
  const int code =
      bio && X509_sign(certificate, opened, NULL) && PEM_write_bio_X509(bio, certificate)
          ? fed__bio_append(bio, pem)
          : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot sign the certificate");
  BIO_free(bio);
  EVP_PKEY_free(opened);
  return code;
}

/* --- the authority's own certificate --- */

static int check_federation(const char *federation) {
  const size_t size = strlen(federation);
  int printable = 1;
  for (size_t i = 0; i < size; i++) printable &= federation[i] >= ' ' && federation[i] <= '~';
  if (size >= 1 && size <= FED__NAME_MAX && printable) return FED_OK;
  return FED_RAISE(FED_E_INPUT,
                   "a federation's name has 1 to %d printable ASCII characters, found %zu bytes%s",
                   FED__NAME_MAX, size, printable ? "" : ", some not printable ASCII");
}

static int issue_own(struct fed__ca *ca, const char *federation, int valid_days) {
  struct fed__serial serial;
  X509 *certificate;
  EVP_PKEY *key;
  const int64_t now_ms = ca->context->clock->wall_ms(ca->context->clock);
  FED_TRY(fed__serial_generate(ca->context, &serial));
  FED_TRY(fed__key_open(&ca->key, &key));
  const struct draft draft = {.federation = federation,
                              .name = federation,
                              .serial = &serial,
                              .not_before_ms = now_ms - HOUR_MS,
                              .not_after_ms = now_ms + valid_days * 24 * HOUR_MS,
                              .public_key = key};
  int code = draft_open(&draft, &certificate);
  EVP_PKEY_free(key);
  if (code != FED_OK) return code;
  code = add_ca_extensions(certificate)
             ? sign_and_append(certificate, &ca->key, &ca->certificate)
             : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot build the authority's certificate");
  X509_free(certificate);
  return code;
}

int fed__ca_create(const struct fed_context *context, const char *federation, int valid_days,
                   struct fed__ca *ca) {
  int code;
  *ca = (struct fed__ca){.context = context};
  fed_buffer_init(&ca->certificate, context, CERTIFICATE_SIZE_MAX);
  FED_TRY(check_federation(federation));
  if (valid_days < 1 || valid_days > VALID_DAYS_MAX)
    return FED_RAISE(FED_E_RANGE, "an authority is valid for 1 to %d days, not %d", VALID_DAYS_MAX,
                     valid_days);
  FED_TRY_GOTO(code, fail, fed__key_generate(context, &ca->key));
  FED_TRY_GOTO(code, fail, issue_own(ca, federation, valid_days));
  return FED_OK;
fail:
  fed__ca_clear(ca);
  return code;
}

static int check_authority(struct fed__ca *ca) {
  X509 *certificate;
  EVP_PKEY *key;
  FED_TRY(fed__x509_decode(fed_buffer_slice(&ca->certificate), &certificate));
  int code = fed__key_open(&ca->key, &key);
  if (code == FED_OK && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) != 1)
    code = FED_RAISE(FED_E_CERTIFICATE, "the authority's certificate belongs to another key than "
                                        "the authority's key; restore both from one backup");
  if (code == FED_OK && X509_check_ca(certificate) != 1)
    code = FED_RAISE(FED_E_CERTIFICATE, "expected the certificate of an authority, found another");
  EVP_PKEY_free(key);
  X509_free(certificate);
  return code;
}

int fed__ca_load(const struct fed_context *context, struct fed_slice key_pem,
                 struct fed_slice certificate, struct fed__ca *ca) {
  int code;
  *ca = (struct fed__ca){.context = context};
  fed_buffer_init(&ca->certificate, context, CERTIFICATE_SIZE_MAX);
  FED_TRY_GOTO(code, fail, fed__key_decode(key_pem, &ca->key));
  FED_TRY_GOTO(code, fail, fed__certificate_encode_pem(certificate, &ca->certificate));
  FED_TRY_GOTO(code, fail, check_authority(ca));
  return FED_OK;
fail:
  fed__ca_clear(ca);
  return code;
}

void fed__ca_clear(struct fed__ca *ca) {
  fed__key_clear(&ca->key);
  fed_buffer_clear(&ca->certificate);
}

/* --- leaf certificates --- */

static int add_alternative(GENERAL_NAMES *all, int kind, ASN1_STRING *value) {
  GENERAL_NAME *name = value ? GENERAL_NAME_new() : NULL;
  if (!name) {
    ASN1_STRING_free(value);
    return 0;
  }
  GENERAL_NAME_set0_value(name, kind, value);
  if (sk_GENERAL_NAME_push(all, name) > 0) return 1;
  GENERAL_NAME_free(name);
  return 0;
}

static int is_dns_name(const char *text) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  if (strncmp(text, "*.", 2) == 0) text += 2;
  const size_t size = strlen(text);
  return size >= 1 && size <= 253 && strspn(text, allowed) == size && text[0] != '.' &&
         text[0] != '-' && !strstr(text, "..");
}

static int add_server_name(GENERAL_NAMES *all, const char *text) {
  ASN1_STRING *value = a2i_IPADDRESS(text);
  const int kind = value ? GEN_IPADD : GEN_DNS;
  if (!value && !is_dns_name(text))
    return FED_RAISE(FED_E_INPUT, "'%.253s' is neither a DNS name nor an IP address", text);
  if (!value && (value = ASN1_IA5STRING_new()) && !ASN1_STRING_set(value, text, -1)) {
    ASN1_STRING_free(value);
    value = NULL;
  }
  if (add_alternative(all, kind, value)) return FED_OK;
  return FED__RAISE_OPENSSL(FED_E_MEMORY, "cannot add the server's name");
}

static int add_server_names(X509 *certificate, const char *const *names, size_t count) {
  GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
  int code = all ? FED_OK : FED__RAISE_OPENSSL(FED_E_MEMORY, "cannot add the server's names");
  for (size_t i = 0; i < count && code == FED_OK; i++) code = add_server_name(all, names[i]);
  if (code == FED_OK && X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0) != 1)
    code = FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot add the server's names");
  GENERAL_NAMES_free(all);
  return code;
}

/* Open the authority's certificate and, with its federation's name, a draft's. */
static int issue(const struct fed__ca *ca, struct draft *draft, const char *usage,
                 const char *const *names, size_t name_count, struct fed_buffer *pem) {
  char federation[FED__NAME_PART_SIZE];
  X509 *certificate = NULL;
  int code;
  FED_TRY(fed__x509_decode(fed_buffer_slice(&ca->certificate), &draft->issuer));
  FED_TRY_GOTO(
      code, done,
      fed__x509_name_part(X509_get_subject_name(draft->issuer), NID_organizationName, federation));
  draft->federation = federation;
  FED_TRY_GOTO(code, done, draft_open(draft, &certificate));
  if (!add_leaf_extensions(certificate, draft->issuer, usage)) {
    code = FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot build the certificate");
    goto done;
  }
  if (name_count) FED_TRY_GOTO(code, done, add_server_names(certificate, names, name_count));
  code = sign_and_append(certificate, &ca->key, pem);
done:
  X509_free(certificate);
  X509_free(draft->issuer);
  draft->issuer = NULL;
  draft->federation = NULL;
  return code;
}

int fed__certificate_issue_server(const struct fed__ca *ca,
                                  const struct fed__public_key *public_key,
                                  const char *const *names, size_t name_count,
                                  int64_t not_before_ms, int64_t not_after_ms,
                                  struct fed_buffer *pem) {
  struct fed__serial serial;
  EVP_PKEY *key;
  if (name_count == 0)
    return FED_RAISE(FED_E_INPUT, "a server needs at least one DNS name or IP address");
  FED_TRY(fed__serial_generate(ca->context, &serial));
  FED_TRY(fed__public_key_open(public_key, &key));
  struct draft draft = {.unit = "server",
                        .name = "server",
                        .serial = &serial,
                        .not_before_ms = not_before_ms,
                        .not_after_ms = not_after_ms,
                        .public_key = key};
  const int code = issue(ca, &draft, "serverAuth", names, name_count, pem);
  EVP_PKEY_free(key);
  return code;
}

static int check_request(X509_REQ *request) {
  EVP_PKEY *key = X509_REQ_get0_pubkey(request);
  if (!key) return FED__RAISE_OPENSSL(FED_E_SYNTAX, "the request holds no usable public key");
  if (!EVP_PKEY_is_a(key, "ED25519"))
    return FED_RAISE(FED_E_UNSUPPORTED, "expected a request for an Ed25519 key, found %s",
                     EVP_PKEY_get0_type_name(key));
  if (X509_REQ_verify(request, key) == 1) return FED_OK;
  return FED__RAISE_OPENSSL(FED_E_SIGNATURE, "the certificate request is not signed by the key "
                                             "that it holds");
}

int fed__certificate_issue_client(const struct fed__ca *ca, struct fed_slice request,
                                  const struct fed__grant *grant, struct fed_buffer *pem) {
  X509_REQ *opened;
  FED_TRY(fed__name_check(grant->name));
  FED_TRY(fed__x509_request_decode(request, &opened));
  int code = check_request(opened);
  if (code == FED_OK) {
    struct draft draft = {.unit = fed__role_name(grant->role),
                          .name = grant->name,
                          .serial = &grant->serial,
                          .not_before_ms = grant->not_before_ms,
                          .not_after_ms = grant->not_after_ms,
                          .public_key = X509_REQ_get0_pubkey(opened)};
    code = issue(ca, &draft, "clientAuth", NULL, 0, pem);
  }
  X509_REQ_free(opened);
  return code;
}
