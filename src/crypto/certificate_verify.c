/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_verify.c: is this peer one of ours, and who is it? OpenSSL checks the signature
 * and the chain; times, use and subject are checked here, against the caller's clock.
 */
#include "base/log.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "crypto/openssl_objects.h"

#include <openssl/x509v3.h>
#include <string.h>

static int raise_not_ours(X509 *ca, X509 *peer, X509_STORE_CTX *checker) {
  char expected[FED__NAME_LINE_SIZE], found[FED__NAME_LINE_SIZE];
  const int reason = X509_STORE_CTX_get_error(checker);
  if (reason == X509_V_ERR_OUT_OF_MEM)
    return FED__RAISE_OPENSSL(FED_E_MEMORY, "cannot check a certificate");
  return FED_RAISE(FED_E_CERTIFICATE,
                   "expected a certificate signed by the authority '%s', found one that names "
                   "'%s' as its issuer: %s. Enrol again with this federation",
                   fed__x509_name_line(X509_get_subject_name(ca), expected),
                   fed__x509_name_line(X509_get_issuer_name(peer), found),
                   X509_verify_cert_error_string(reason));
}

static int check_chain(X509 *ca, X509 *peer) {
  X509_STORE *trusted = X509_STORE_new();
  X509_STORE_CTX *checker = X509_STORE_CTX_new();
  int code;
  if (!trusted || !checker || !X509_STORE_add_cert(trusted, ca) ||
      !X509_STORE_CTX_init(checker, trusted, peer, NULL)) {
    code = FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot check a certificate");
  } else {
    X509_STORE_CTX_set_flags(checker, X509_V_FLAG_NO_CHECK_TIME);
    code = X509_verify_cert(checker) == 1 ? FED_OK : raise_not_ours(ca, peer, checker);
  }
  X509_STORE_CTX_free(checker);
  X509_STORE_free(trusted);
  return code;
}

static int check_use(X509 *peer) {
  const uint32_t flags = X509_get_extension_flags(peer);
  const uint32_t use = X509_get_extended_key_usage(peer);
  if (flags & EXFLAG_INVALID)
    return FED_RAISE(FED_E_CERTIFICATE, "the certificate's extensions are not well-formed");
  if (!(flags & EXFLAG_BCONS) || (flags & EXFLAG_CA))
    return FED_RAISE(FED_E_CERTIFICATE,
                     "expected a client's certificate (basic constraints CA:FALSE), found %s",
                     flags & EXFLAG_CA ? "an authority's (CA:TRUE)" : "no basic constraints");
  if (!(flags & EXFLAG_XKUSAGE) || !(use & XKU_SSL_CLIENT))
    return FED_RAISE(FED_E_CERTIFICATE,
                     "expected a client's certificate (extended key usage clientAuth), found %s",
                     !(flags & EXFLAG_XKUSAGE) ? "no extended key usage"
                     : use & XKU_SSL_SERVER    ? "a server's (serverAuth)"
                                               : "another usage");
  if (X509_get_key_usage(peer) & X509v3_KU_DIGITAL_SIGNATURE) return FED_OK;
  return FED_RAISE(FED_E_CERTIFICATE, "expected a certificate whose key may sign (key usage "
                                      "digitalSignature), found one that may not");
}

static int check_time(X509 *certificate, const char *whose, int64_t wall_ms,
                      int64_t *not_after_ms) {
  int64_t not_before_ms;
  char start[32], end[32], now[32];
  FED_TRY(fed__x509_validity(certificate, &not_before_ms, not_after_ms));
  if (wall_ms >= not_before_ms && wall_ms <= *not_after_ms) return FED_OK;
  fed__format_time(not_before_ms, start);
  fed__format_time(*not_after_ms, end);
  fed__format_time(wall_ms, now);
  return FED_RAISE(FED_E_EXPIRED, "%s certificate is valid from %s to %s and %s at %s; %s", whose,
                   start, end, wall_ms < not_before_ms ? "not yet valid" : "expired", now,
                   wall_ms < not_before_ms ? "compare the clocks of both machines" : "renew it");
}

static int read_subject(X509 *peer, struct fed__identity *identity) {
  const X509_NAME *subject = X509_get_subject_name(peer);
  char role[FED__NAME_PART_SIZE];
  FED_TRY(fed__x509_name_part(subject, NID_commonName, identity->name));
  FED_TRY(fed__x509_name_part(subject, NID_organizationalUnitName, role));
  if (fed__name_check(identity->name) != FED_OK)
    return FED_RAISE(FED_E_CERTIFICATE,
                     "expected a client's name (A-Z a-z 0-9 . _ -) in the certificate, found '%s'",
                     identity->name);
  if (fed__role_parse(role, &identity->role) != FED_OK)
    return FED_RAISE(FED_E_CERTIFICATE,
                     "expected the role agent or operator in the certificate, found '%s'", role);
  return FED_OK;
}

static int read_key(X509 *peer, struct fed__public_key *key) {
  EVP_PKEY *opened = X509_get0_pubkey(peer);
  size_t size = sizeof key->bytes;
  if (!opened || !EVP_PKEY_is_a(opened, "ED25519"))
    return FED_RAISE(FED_E_CERTIFICATE, "expected a certificate for an Ed25519 key, found %s",
                     opened ? EVP_PKEY_get0_type_name(opened) : "a key that cannot be read");
  if (EVP_PKEY_get_raw_public_key(opened, key->bytes, &size)) return FED_OK;
  return FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot read the certificate's key");
}

static int verify(X509 *ca, X509 *peer, int64_t wall_ms, struct fed__identity *identity) {
  int64_t ca_not_after_ms;
  FED_TRY(check_chain(ca, peer));
  FED_TRY(check_use(peer));
  FED_TRY(check_time(peer, "the client's", wall_ms, &identity->not_after_ms));
  FED_TRY(check_time(ca, "the authority's", wall_ms, &ca_not_after_ms));
  FED_TRY(read_subject(peer, identity));
  FED_TRY(read_key(peer, &identity->key));
  FED_TRY(fed__x509_serial(peer, identity->serial));
  return fed__x509_fingerprint(peer, &identity->fingerprint);
}

int fed__certificate_verify(struct fed_slice ca, struct fed_slice peer, int64_t wall_ms,
                            struct fed__identity *identity) {
  X509 *ca_opened = NULL, *peer_opened = NULL;
  struct fed__identity found = {0};
  int code = fed__x509_decode(ca, &ca_opened);
  if (code != FED_OK) return FED_WRAP("the authority's own certificate");
  code = fed__x509_decode(peer, &peer_opened);
  if (code == FED_OK) code = verify(ca_opened, peer_opened, wall_ms, &found);
  if (code == FED_OK) *identity = found;
  X509_free(peer_opened);
  X509_free(ca_opened);
  return code;
}
