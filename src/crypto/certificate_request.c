/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_request.c: the client's side: a request for its own key.
 */
#include "base/raise.h"
#include "crypto/certificate.h"
#include "crypto/openssl_objects.h"

#include <openssl/pem.h>

static int fill_in(X509_REQ *request, const char *name, EVP_PKEY *key) {
  return X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
         X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8,
                                    (const unsigned char *)name, -1, -1, 0) &&
         X509_REQ_set_pubkey(request, key) && X509_REQ_sign(request, key, NULL);
}

int fed__request_create(const struct fed__key *key, const char *name, struct fed_buffer *pem) {
  EVP_PKEY *opened;
  FED_TRY(fed__name_check(name));
  FED_TRY(fed__key_open(key, &opened));
  X509_REQ *request = X509_REQ_new();
  BIO *bio = BIO_new(BIO_s_mem());
  const int code =
      request && bio && fill_in(request, name, opened) && PEM_write_bio_X509_REQ(bio, request)
          ? fed__bio_append(bio, pem)
          : FED__RAISE_OPENSSL(FED_E_CRYPTO, "cannot make the certificate request");
  BIO_free(bio);
  X509_REQ_free(request);
  EVP_PKEY_free(opened);
  return code;
}
