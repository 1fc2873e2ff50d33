/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client.h: HTTP over mutual TLS from the client's side (libcurl): one connection kept
 * alive, proxies from the environment or the options, limits on time and size. A client belongs
 * to one thread.
 */
#ifndef FED_HTTP_CLIENT_H
#define FED_HTTP_CLIENT_H

#include "fed/buffer.h"

struct fed__http_client;

struct fed__http_client_options {
  const char *url;                       /* https://host:port, no path */
  struct fed_slice ca_der;               /* trust this CA and no other */
  const char *certificate_pem, *key_pem; /* NULL: anonymous, for enrolment */
  const char *proxy;                     /* NULL: from the environment (https_proxy, no_proxy) */
  uint32_t connect_timeout_ms, stall_timeout_ms; /* give up when nothing moves for so long */
  uint64_t bytes_per_s_max;                      /* 0: no limit, each way */
};

/* FED_E_INPUT for a URL that is not https://host[:port], FED_E_CERTIFICATE, FED_E_MEMORY. Nothing
 * is sent yet. The options are copied. */
FED_MUST int fed__http_client_new(const struct fed_context *context,
                                  const struct fed__http_client_options *options,
                                  struct fed__http_client **client);
void fed__http_client_free(struct fed__http_client *client);

struct fed__http_request {
  const char *method, *path;
  const char *const *fields; /* "Name: value", NULL-terminated; NULL: none */
  struct fed_slice body;
  int64_t timeout_ms; /* of the whole call; 0: only the stall timeout, which else does not count */
  size_t answer_bytes_max;
  /* Called at least four times a second while the call runs; non-zero breaks it off with
   * FED_E_BUSY. May be NULL. */
  int (*interrupt)(void *data);
  void *interrupt_data;
};

/* The answer: status, the two header fields that the protocol uses, and the body, appended to
 * `body` as it comes (what came before a break stays there). */
struct fed__http_reply {
  uint32_t status;
  int64_t upload_offset; /* -1: not given */
  int64_t retry_after_s; /* -1: not given */
};

/* One call. FED_E_NETWORK, FED_E_TIMEOUT, FED_E_CERTIFICATE or FED_E_EXPIRED (the server's was
 * refused), FED_E_TOO_LARGE. A status of 400 or above becomes the error that the Failure body
 * names, with its message, or without such a body one that follows from the status; `reply` is
 * filled then too. Redirects are not followed: FED_E_PROTOCOL. */
FED_MUST int fed__http_call(struct fed__http_client *client,
                            const struct fed__http_request *request, struct fed__http_reply *reply,
                            struct fed_buffer *body);

uint64_t fed__http_client_bytes_sent(const struct fed__http_client *client);
uint64_t fed__http_client_bytes_received(const struct fed__http_client *client);

#endif
