/* SPDX-License-Identifier: Apache-2.0
 *
 * openssl_objects.h: OpenSSL's objects to and from bytes, and its errors as ours. For this folder
 * only. OpenSSL allocates with its own allocator, not the context's; when that fails the caller
 * gets FED_E_MEMORY all the same.
 */
#ifndef FED_CRYPTO_OPENSSL_OBJECTS_H
#define FED_CRYPTO_OPENSSL_OBJECTS_H

#include "crypto/certificate.h"

#include <openssl/x509.h>

/* Raise `code`, or FED_E_MEMORY if that is why OpenSSL failed, with `what` and OpenSSL's reason;
 * empties OpenSSL's list of errors. */
#define FED__RAISE_OPENSSL(code, what) fed__raise_openssl(__FILE__, __LINE__, (code), (what))
int fed__raise_openssl(const char *file, int line, int code, const char *what);

/* The key pair, or the public key, for OpenSSL; free with EVP_PKEY_free. */
FED_MUST int fed__key_open(const struct fed__key *key, EVP_PKEY **opened);
FED_MUST int fed__public_key_open(const struct fed__public_key *key, EVP_PKEY **opened);

/* Given to OpenSSL's PEM readers, which would ask for a password on the terminal; sets the int
 * `asked` (may be NULL) to 1. */
int fed__refuse_password(char *password, int size, int writing, void *asked);

/* Read one certificate or one request, PEM or DER, at most 64 KiB. DER must fill the slice.
 * FED_E_CERTIFICATE or, for a request, FED_E_SYNTAX. Free with X509_free, X509_REQ_free. */
FED_MUST int fed__x509_decode(struct fed_slice bytes, X509 **certificate);
FED_MUST int fed__x509_request_decode(struct fed_slice bytes, X509_REQ **request);

/* Append all that was written to `bio` to `out`. */
FED_MUST int fed__bio_append(BIO *bio, struct fed_buffer *out);

#define FED__NAME_PART_SIZE 65

/* The one entry of this kind (NID_commonName …) as text. FED_E_CERTIFICATE when there is none or
 * more than one, when it is longer than 64 bytes or holds control characters. */
FED_MUST int fed__x509_name_part(const X509_NAME *name, int nid, char text[FED__NAME_PART_SIZE]);

/* Validity in milliseconds since 1970; both ends belong to it (RFC 5280, 4.1.2.5). */
FED_MUST int fed__x509_validity(const X509 *certificate, int64_t *not_before_ms,
                                int64_t *not_after_ms);

/* The serial number in lower-case hex, at least 32 digits. FED_E_CERTIFICATE when it is negative
 * or has more than 20 bytes. */
FED_MUST int fed__x509_serial(const X509 *certificate, char hex[FED__SERIAL_HEX_SIZE]);

/* SHA-256 of the DER. */
FED_MUST int fed__x509_fingerprint(const X509 *certificate, struct fed__digest *fingerprint);

/* A certificate's or authority's name for messages, with anything unprintable escaped. */
#define FED__NAME_LINE_SIZE 256
const char *fed__x509_name_line(const X509_NAME *name, char line[FED__NAME_LINE_SIZE]);

#endif
