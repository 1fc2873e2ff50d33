/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client_error.h: failures of an HTTP call as errors with advice. For the client only.
 */
#ifndef FED_HTTP_CLIENT_ERROR_H
#define FED_HTTP_CLIENT_ERROR_H

#include "fed/buffer.h"

#include <curl/curl.h>

struct fed__curl_failure {
  const char *url;
  const char *curl_message; /* libcurl's own words; may be empty */
  CURLcode result;
  long os_error, verify_result, proxy_status;
};
int fed__curl_raise(const struct fed__curl_failure *failure);

/* The error of an answer with this status (300 or above) and body. */
int fed__http_status_raise(const struct fed_context *context, const char *url, uint32_t status,
                           struct fed_slice body);

#endif
