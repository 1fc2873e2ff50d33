/* SPDX-License-Identifier: Apache-2.0
 *
 * federation_client.h: the calls of the fed protocol (docs/protocol.md) as functions: what an
 * agent or an operator's command line says to a server. Each either succeeds or leaves things so
 * that calling again continues: downloads by Range, uploads by offset.
 */
#ifndef FED_FEDERATION_CLIENT_H
#define FED_FEDERATION_CLIENT_H

#include "crypto/hash.h"
#include "crypto/keys.h"
#include "crypto/token.h"
#include "net/http_client.h"
#include "wire/wire.h"

/* Trade a token's secret and a certificate request for a certificate. `reply` is the caller's to
 * free with fed__wire_free. */
FED_MUST int fed__federation_enrol(struct fed__http_client *client,
                                   const struct fed_context *context, struct fed_slice secret,
                                   struct fed_slice request_der, Fed__EnrolReply **reply);

/* The whole of it from a token: connect to its server, trusting its authority only, and ask for a
 * certificate for `key`. `proxy` NULL: from the environment. */
FED_MUST int fed__federation_enrol_by_token(const struct fed_context *context,
                                            const struct fed__token *token,
                                            const struct fed__key *key, const char *proxy,
                                            Fed__EnrolReply **reply);

FED_MUST int fed__federation_check_in(struct fed__http_client *client,
                                      const struct fed_context *context, const Fed__CheckIn *hello,
                                      int (*interrupt)(void *), void *interrupt_data,
                                      Fed__CheckInReply **reply);

/* Append the object named by its hash to `out` (which may hold the first part already: then only
 * the rest is asked for), and check the hash: FED_E_CORRUPT empties `out`. */
FED_MUST int fed__federation_download(struct fed__http_client *client,
                                      const struct fed_context *context,
                                      const struct fed__digest *hash, struct fed_buffer *out);

/* Upload an update's bytes for a task, from where the server says it is. Resumes after network
 * failures up to `tries` times. */
FED_MUST int fed__federation_upload(struct fed__http_client *client,
                                    const struct fed_context *context, const Fed__Task *task,
                                    struct fed_slice update, uint32_t tries,
                                    Fed__Receipt **receipt);

FED_MUST int fed__federation_report_failure(struct fed__http_client *client,
                                            const struct fed_context *context,
                                            const Fed__TaskFailure *failure);

/* An operator's calls. Answers are JSON texts appended to `out`. */
FED_MUST int fed__federation_submit(struct fed__http_client *client,
                                    const struct fed_context *context,
                                    const Fed__JobSubmission *submission, Fed__JobAccepted **reply);
FED_MUST int fed__federation_get(struct fed__http_client *client, const char *path,
                                 int64_t timeout_ms, struct fed_buffer *out);
FED_MUST int fed__federation_post(struct fed__http_client *client, const char *path,
                                  struct fed_slice json, struct fed_buffer *out);

#endif
