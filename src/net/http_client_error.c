/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client_error.c: what a failed HTTP call means and what to do about it.
 */
#include "net/http_client_error.h"
#include "base/raise.h"
#include "wire/wire.h"

/* Results of certificate verification, as in OpenSSL's x509_vfy.h. */
enum { NOT_YET_VALID = 9, HAS_EXPIRED = 10, NO_ISSUER_FIRST = 18, NO_ISSUER_LAST = 21 };

static int raise_verification(const struct fed__curl_failure *failure) {
  const long result = failure->verify_result;
  if (result == HAS_EXPIRED)
    return FED_RAISE(FED_E_EXPIRED,
                     "%s: the server's certificate has expired (if not, this machine's clock is "
                     "wrong): the server's operator must renew it",
                     failure->url);
  if (result == NOT_YET_VALID)
    return FED_RAISE(FED_E_EXPIRED,
                     "%s: the server's certificate is not yet valid: check the clocks of this "
                     "machine and of the server",
                     failure->url);
  if (result >= NO_ISSUER_FIRST && result <= NO_ISSUER_LAST)
    return FED_RAISE(FED_E_CERTIFICATE,
                     "%s: the server's certificate was not issued by this federation's authority: "
                     "the address is another server's, or the federation was set up anew",
                     failure->url);
  return FED_RAISE(FED_E_CERTIFICATE, "%s: the server's certificate was refused: %s", failure->url,
                   failure->curl_message);
}

static int raise_unreachable(const struct fed__curl_failure *failure) {
  if (failure->os_error == 0)
    return FED_RAISE(FED_E_NETWORK, "cannot reach %s: %s", failure->url, failure->curl_message);
  return FED_RAISE(FED_E_NETWORK, "cannot reach %s: %s; is the server running?", failure->url,
                   strerror((int)failure->os_error));
}

int fed__curl_raise(const struct fed__curl_failure *failure) {
  const char *message =
      *failure->curl_message ? failure->curl_message : curl_easy_strerror(failure->result);
  switch (failure->result) {
  case CURLE_PEER_FAILED_VERIFICATION:
    return raise_verification(failure);
  case CURLE_SSL_CERTPROBLEM:
    return FED_RAISE(FED_E_CERTIFICATE, "the own certificate and key cannot be used: %s", message);
  case CURLE_COULDNT_CONNECT:
    return raise_unreachable(failure);
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    return FED_RAISE(FED_E_NETWORK, "cannot reach %s: %s; is the name spelt right?", failure->url,
                     message);
  case CURLE_OPERATION_TIMEDOUT:
    return FED_RAISE(FED_E_TIMEOUT, "%s: %s", failure->url, message);
  case CURLE_OUT_OF_MEMORY:
    return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
  default:
    if (failure->proxy_status >= 300)
      return FED_RAISE(FED_E_NETWORK, "cannot reach %s: the proxy answers with status %ld",
                       failure->url, failure->proxy_status);
    return FED_RAISE(FED_E_NETWORK, "%s: %s", failure->url, message);
  }
}

static int status_code(uint32_t status) {
  switch (status) {
  case 403:
    return FED_E_DENIED;
  case 404:
    return FED_E_NOT_FOUND;
  case 410:
    return FED_E_STALE;
  case 413:
    return FED_E_TOO_LARGE;
  case 416:
    return FED_E_RANGE;
  case 426:
    return FED_E_VERSION;
  case 429:
  case 503:
    return FED_E_BUSY;
  default:
    return status >= 500 ? FED_E_NETWORK : FED_E_PROTOCOL;
  }
}

int fed__http_status_raise(const struct fed_context *context, const char *url, uint32_t status,
                           struct fed_slice body) {
  ProtobufCMessage *message = NULL;
  int code = FED_OK;
  if (body.size > 0 &&
      fed__wire_decode(context, &fed__failure__descriptor, body, &message) == FED_OK) {
    const Fed__Failure *failure = (const Fed__Failure *)message;
    if (failure->code != FED_OK && strcmp(fed_error_name((int)failure->code), "UNKNOWN") != 0)
      code = FED_RAISE((int)failure->code, "%s", failure->message);
  }
  fed__wire_free(context, message);
  if (code != FED_OK) return code;
  return FED_RAISE(status_code(status), "%s answers with status %u and does not say why", url,
                   status);
}
