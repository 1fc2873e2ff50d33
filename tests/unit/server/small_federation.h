/* SPDX-License-Identifier: Apache-2.0
 *
 * small_federation.h: a real server in this process and a few clients that talk to it, for tests
 * of what the server makes of what it is sent. The job moves parameters without data, so that a
 * test chooses every update itself.
 */
#ifndef SMALL_FEDERATION_H
#define SMALL_FEDERATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "fed/safetensors.h"
#include "fed/train.h"
#include "net/federation_client.h"
#include "round/approval.h"
#include "server/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS 3
#define ELEMENTS 10 /* of a logistic regression from 4 values to 2 classes */

struct small_client {
  struct fed_buffer key, certificate;
  struct fed__http_client *http;
};

struct small_federation {
  struct fed_context context;
  char folder[64];
  struct fed__server *server;
  struct fed_buffer ca_der;
  struct small_client agents[AGENTS], operator_;
  char job[65];
};

static inline void read_pem(struct small_federation *f, const char *name, struct fed_buffer *out) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", f->folder, name);
  fed_buffer_init(out, &f->context, 1 << 16);
  assert_int_equal(fed__file_read(path, out), FED_OK);
}

static inline void connect_client(struct small_federation *f, struct small_client *client) {
  const int known = client->certificate.size > 0;
  const struct fed__http_client_options options = {
      .url = fed__server_url(f->server),
      .ca_der = fed_buffer_slice(&f->ca_der),
      .certificate_pem = known ? fed_buffer_text(&client->certificate) : NULL,
      .key_pem = known ? fed_buffer_text(&client->key) : NULL,
      .proxy = "",
      .connect_timeout_ms = 5000,
      .stall_timeout_ms = 30000};
  fed__http_client_free(client->http);
  assert_int_equal(fed__http_client_new(&f->context, &options, &client->http), FED_OK);
}

/* Token, key, request, certificate. */
static inline void enrol_as(struct small_federation *f, struct small_client *client,
                            const char *name, enum fed__role role) {
  struct fed_buffer text, request;
  struct fed__token token;
  struct fed__key key;
  Fed__EnrolReply *reply = NULL;
  fed_buffer_init(&text, &f->context, FED__TOKEN_TEXT_MAX);
  fed_buffer_init(&request, &f->context, 1 << 16);
  fed_buffer_init(&client->key, &f->context, 1 << 16);
  fed_buffer_init(&client->certificate, &f->context, 1 << 16);
  assert_int_equal(fed__federation_add_token(&f->context, f->folder, name, role, 60, &text),
                   FED_OK);
  assert_int_equal(fed__token_decode(&f->context, fed_buffer_slice(&text), &token), FED_OK);
  assert_int_equal(fed__key_generate(&f->context, &key), FED_OK);
  assert_int_equal(fed__key_encode(&key, &client->key), FED_OK);
  assert_int_equal(fed__request_create(&key, name, &request), FED_OK);
  connect_client(f, client);
  assert_int_equal(fed__federation_enrol(client->http, &f->context,
                                         fed_slice_of(token.secret, sizeof token.secret),
                                         fed_buffer_slice(&request), &reply),
                   FED_OK);
  assert_string_equal(reply->name, name);
  assert_int_equal(
      fed_buffer_append(&client->certificate, reply->certificate, strlen(reply->certificate)),
      FED_OK);
  connect_client(f, client);
  fed__wire_free(&f->context, reply);
  fed__key_clear(&key);
  fed__token_clear(&token);
  fed_buffer_clear(&request);
  fed__secret_buffer_clear(&text);
}

/* The operator's approval of these two files. */
static inline void approve(struct small_federation *f, struct fed_slice plan,
                           struct fed_slice graph, struct fed_buffer *approval) {
  const struct fed__approved_job job = {fed__sha256_of(plan), fed__sha256_of(graph)};
  struct fed__key key;
  fed_buffer_init(approval, &f->context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__key_decode(fed_buffer_slice(&f->operator_.key), &key), FED_OK);
  assert_int_equal(fed__approval_make(&f->context, fed_buffer_slice(&f->ca_der),
                                      fed_buffer_slice(&f->operator_.certificate), &key, &job,
                                      approval),
                   FED_OK);
  fed__key_clear(&key);
}

static inline void submit_job(struct small_federation *f, const char *rounds) {
  static const struct fed_recipe_options recipe = {
      .recipe = "logreg", .input = {1, {4}}, .classes = 2, .seed = 1};
  Fed__JobSubmission submission = FED__JOB_SUBMISSION__INIT;
  Fed__JobAccepted *accepted = NULL;
  struct fed_buffer onnx, approval;
  char plan[512];
  snprintf(plan, sizeof plan,
           "version: 1\nname: test\nmodel: {file: model.onnx}\ntrain: {epochs: 0}\n"
           "evaluate: {every: 0}\nupdate: {grid_bits: 16, grid_step: 2^-4}\nrounds: {%s}\n",
           rounds);
  fed_buffer_init(&onnx, &f->context, 1 << 20);
  assert_int_equal(fed_recipe_write(&f->context, &recipe, &onnx), FED_OK);
  submission.protocol = FED__PROTOCOL_VERSION;
  submission.plan = (ProtobufCBinaryData){strlen(plan), (uint8_t *)plan};
  submission.graph = (ProtobufCBinaryData){onnx.size, onnx.data};
  approve(f, fed_slice_of_text(plan), fed_buffer_slice(&onnx), &approval);
  submission.approval = (ProtobufCBinaryData){approval.size, approval.data};
  const int code = fed__federation_submit(f->operator_.http, &f->context, &submission, &accepted);
  if (code != FED_OK) fail_msg("submission refused: %s", fed_error_last()->message);
  snprintf(f->job, sizeof f->job, "%s", accepted->job);
  fed__wire_free(&f->context, accepted);
  fed_buffer_clear(&onnx);
  fed_buffer_clear(&approval);
}

static inline int open_small_federation(void **state) {
  static const char *const names[AGENTS] = {"a", "b", "c"};
  struct small_federation *f = test_calloc(1, sizeof *f);
  struct fed_buffer ca;
  const struct fed__federation federation = {
      .name = "small", .host = "127.0.0.1", .address = "127.0.0.1", .port = 0};
  fed_context_init(&f->context);
  snprintf(f->folder, sizeof f->folder, "/tmp/fed-test-server-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  assert_int_equal(fed__federation_create(&f->context, f->folder, &federation), FED_OK);
  const struct fed__server_options options = {.folder = f->folder, .threads = 2};
  assert_int_equal(fed__server_open(&f->context, &options, &f->server), FED_OK);
  read_pem(f, "ca.pem", &ca);
  fed_buffer_init(&f->ca_der, &f->context, 1 << 16);
  assert_int_equal(fed__certificate_encode_der(fed_buffer_slice(&ca), &f->ca_der), FED_OK);
  fed_buffer_clear(&ca);
  read_pem(f, "operator.pem", &f->operator_.certificate);
  read_pem(f, "operator.key", &f->operator_.key);
  connect_client(f, &f->operator_);
  for (int i = 0; i < AGENTS; i++) enrol_as(f, &f->agents[i], names[i], FED__ROLE_AGENT);
  *state = f;
  return 0;
}

static inline void clear_client(struct small_client *client) {
  fed__http_client_free(client->http);
  fed_buffer_clear(&client->certificate);
  fed__secret_buffer_clear(&client->key);
}

static inline int close_small_federation(void **state) {
  struct small_federation *f = *state;
  for (int i = 0; i < AGENTS; i++) clear_client(&f->agents[i]);
  clear_client(&f->operator_);
  fed__server_close(f->server);
  fed_buffer_clear(&f->ca_der);
  assert_int_equal(fed__folder_remove(f->folder), FED_OK);
  test_free(f);
  return 0;
}

struct waiting_agent {
  struct small_federation *federation;
  int number, code;
  Fed__CheckInReply *reply;
};

static inline void *wait_for_task(void *data) {
  struct waiting_agent *agent = data;
  struct small_federation *f = agent->federation;
  Fed__CheckIn hello = FED__CHECK_IN__INIT;
  hello.protocol = FED__PROTOCOL_VERSION;
  hello.wait_ms = 20000;
  agent->code = fed__federation_check_in(f->agents[agent->number].http, &f->context, &hello, NULL,
                                         NULL, &agent->reply);
  return NULL;
}

/* Agents 0 … count - 1 check in at the same time and get tasks; free_tasks when done. */
static inline void get_tasks(struct small_federation *f, int count, struct waiting_agent *agents) {
  pthread_t threads[AGENTS];
  for (int i = 0; i < count; i++) {
    agents[i] = (struct waiting_agent){f, i, FED_OK, NULL};
    assert_int_equal(pthread_create(&threads[i], NULL, wait_for_task, &agents[i]), 0);
  }
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < count; i++) {
    assert_int_equal(agents[i].code, FED_OK);
    assert_non_null(agents[i].reply->task);
  }
}

static inline void free_tasks(struct small_federation *f, int count, struct waiting_agent *agents) {
  for (int i = 0; i < count; i++) fed__wire_free(&f->context, agents[i].reply);
}

#endif
