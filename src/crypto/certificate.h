/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate.h: the federation's own small certificate authority (X.509, RFC 5280, Ed25519).
 *
 * One self-signed authority issues leaf certificates only: for servers (found by DNS name or
 * address) and for clients, whose subject says who they are: CN the name, OU the role, O the
 * federation. A client makes its own key and sends a request (PKCS#10); the authority decides
 * what the certificate says. There are no intermediates. Revocation is not here: whoever keeps
 * the list of enrolments looks up the serial number.
 *
 * Where a certificate or request is taken, PEM and DER both do. All times are milliseconds since
 * 1970 and come from the caller or the context's clock, never from the system; certificates
 * keep whole seconds. Output is appended to a buffer. Nothing here is secret but the keys.
 *
 * Any function may also give FED_E_MEMORY or, if OpenSSL fails otherwise, FED_E_CRYPTO.
 */
#ifndef FED_CRYPTO_CERTIFICATE_H
#define FED_CRYPTO_CERTIFICATE_H

#include "crypto/hash.h"
#include "crypto/keys.h"

/* X(name, text): what a client may be. The text is the certificate's OU. */
#define FED__ROLE_LIST(X) X(AGENT, "agent") X(OPERATOR, "operator")

enum fed__role {
#define FED__ROLE_ENUM(name, text) FED__ROLE_##name,
  FED__ROLE_LIST(FED__ROLE_ENUM)
#undef FED__ROLE_ENUM
};

const char *fed__role_name(enum fed__role role);

/* FED_E_INPUT for another word. */
FED_MUST int fed__role_parse(const char *word, enum fed__role *role);

#define FED__NAME_MAX 64

/* The name of a client: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit. FED_E_INPUT. */
FED_MUST int fed__name_check(const char *name);

struct fed__serial {
  uint8_t bytes[16];
};

#define FED__SERIAL_HEX_SIZE 41 /* others' serial numbers have up to 20 bytes */

/* 128 random bits from the context's entropy. */
FED_MUST int fed__serial_generate(const struct fed_context *context, struct fed__serial *serial);

/* 32 lower-case hexadecimal digits, as in fed__identity. */
void fed__serial_encode(const struct fed__serial *serial, char hex[FED__SERIAL_HEX_SIZE]);

/* --- the authority --- */

struct fed__ca {
  const struct fed_context *context;
  struct fed__key key;
  struct fed_buffer certificate; /* PEM */
};

/* A new authority, valid from an hour ago (clocks differ) for `valid_days` by the context's
 * clock. The federation's name is 1 to 64 printable ASCII characters. FED_E_INPUT, FED_E_RANGE.
 * After a failure there is nothing to clear. */
FED_MUST int fed__ca_create(const struct fed_context *context, const char *federation,
                            int valid_days, struct fed__ca *ca);

/* An authority from its files. FED_E_CERTIFICATE when the certificate is no authority's or
 * belongs to another key; errors of fed__key_decode. */
FED_MUST int fed__ca_load(const struct fed_context *context, struct fed_slice key_pem,
                          struct fed_slice certificate, struct fed__ca *ca);

/* Wipe the key, free the certificate. Accepts a zeroed authority. */
void fed__ca_clear(struct fed__ca *ca);

/* A certificate for a server that is reached under these DNS names and IP addresses (at least
 * one). FED_E_INPUT for what is neither, FED_E_RANGE for a validity that is empty or ends after
 * the authority's own. */
FED_MUST int fed__certificate_issue_server(const struct fed__ca *ca,
                                           const struct fed__public_key *public_key,
                                           const char *const *names, size_t name_count,
                                           int64_t not_before_ms, int64_t not_after_ms,
                                           struct fed_buffer *pem);

/* What the authority grants to a client. */
struct fed__grant {
  const char *name;
  enum fed__role role;
  struct fed__serial serial;
  int64_t not_before_ms, not_after_ms;
};

/* A certificate for the key in the request; everything else comes from the grant. FED_E_SYNTAX
 * for a malformed request, FED_E_SIGNATURE when it is not signed by the key it holds,
 * FED_E_UNSUPPORTED for a key that is not Ed25519, FED_E_INPUT for the name, FED_E_RANGE as
 * above. */
FED_MUST int fed__certificate_issue_client(const struct fed__ca *ca, struct fed_slice request,
                                           const struct fed__grant *grant, struct fed_buffer *pem);

/* --- the client --- */

/* A request (PEM) for the key, that asks for a name. The authority need not follow. */
FED_MUST int fed__request_create(const struct fed__key *key, const char *name,
                                 struct fed_buffer *pem);

/* --- both --- */

/* Who a verified client is. */
struct fed__identity {
  char name[FED__NAME_MAX + 1];
  enum fed__role role;
  char serial[FED__SERIAL_HEX_SIZE]; /* lower-case hex, at least 32 digits */
  struct fed__digest fingerprint;    /* SHA-256 of the DER */
  struct fed__public_key key;
  int64_t not_after_ms;
};

/* Check a client's certificate against the authority's at the time `wall_ms` (both ends of the
 * validity included). FED_E_CERTIFICATE: malformed, issued by another authority, altered, not for
 * TLS clients, itself an authority, its key is not Ed25519, or its subject is not a name and a
 * role. FED_E_EXPIRED: it or the authority is expired or not yet valid. `identity` is unchanged on
 * failure. */
FED_MUST int fed__certificate_verify(struct fed_slice ca, struct fed_slice peer, int64_t wall_ms,
                                     struct fed__identity *identity);

/* The federation's name, from its authority's certificate. FED_E_CERTIFICATE. */
FED_MUST int fed__certificate_federation(struct fed_slice ca, char name[FED__NAME_MAX + 1]);

/* Lines for people: subject, use, serial, validity, fingerprint. Verifies nothing. */
FED_MUST int fed__certificate_describe(struct fed_slice certificate, struct fed_buffer *text);

/* The same certificate as DER or as PEM; FED_E_CERTIFICATE if malformed. */
FED_MUST int fed__certificate_encode_der(struct fed_slice certificate, struct fed_buffer *der);
FED_MUST int fed__certificate_encode_pem(struct fed_slice certificate, struct fed_buffer *pem);

#endif
