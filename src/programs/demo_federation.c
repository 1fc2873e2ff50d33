/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_federation.c: makes the demo's federation: CA, server, ten tokens, ten policies, the job.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "programs/demo.h"
#include "server/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A port that is free now; nobody else on this machine is likely to take it in the next second. */
static int find_free_port(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
               getsockname(fd, (struct sockaddr *)&address, &size) != 0;
  if (fd >= 0) close(fd);
  *port = ntohs(address.sin_port);
  return failed ? FED_RAISE(FED_E_NETWORK, "no free port on 127.0.0.1") : FED_OK;
}

static int create_server(struct fed__demo *demo) {
  struct fed__federation federation = {
      .name = "fashion", .host = "127.0.0.1", .address = "127.0.0.1"};
  char folder[FED__PATH_MAX];
  FED_TRY(find_free_port(&federation.port));
  return fed__federation_create(demo->context, fed__demo_path(demo, folder, "federation"),
                                &federation);
}

static int write_text(const char *path, const char *text) {
  return fed__file_write_quick(path, fed_slice_of_text(text), FED__FILE_PRIVATE);
}

static int invite(struct fed__demo *demo, int index) {
  static const char policy[] = "# What this client allows: jobs called fashion-*, with at least "
                               "five clients in a round.\n"
                               "allow: {jobs: [\"fashion-*\"]}\n"
                               "data: {name: fashion, folder: data}\n"
                               "demand: {cohort_min: 5}\n"
                               "share: {metrics: true}\n"
                               "limits: {memory: 1 GiB, train: 2 min}\n";
  char folder[FED__PATH_MAX], path[FED__PATH_MAX], name[32];
  struct fed_buffer token;
  snprintf(name, sizeof name, "client-%d", index + 1);
  FED_TRY(fed__folder_make(fed__demo_path(demo, folder, "agents/%s", name)));
  fed_buffer_init(&token, demo->context, 1 << 16);
  int code = fed__federation_add_token(demo->context, fed__demo_path(demo, folder, "federation"),
                                       name, FED__ROLE_AGENT, 3600, &token);
  fed__demo_path(demo, path, "agents/%s/token", name);
  if (code == FED_OK)
    code = fed__file_write_quick(path, fed_buffer_slice(&token), FED__FILE_PRIVATE);
  fed__demo_path(demo, path, "agents/%s/policy.yaml", name);
  if (code == FED_OK) code = write_text(path, policy);
  fed_buffer_clear(&token);
  return code;
}

/* ---- the job -------------------------------------------------------------------------------- */

/* Where the example lies: beside the build, or where it was installed. */
static int read_example(const struct fed__demo *demo, struct fed_buffer *text) {
  static const char *const places[] = {"../../../examples/fashion/job.yaml",
                                       "../../../../examples/fashion/job.yaml",
                                       "../share/fed/examples/fashion/job.yaml"};
  char path[FED__PATH_MAX];
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    FED_TRY(fed__path_join(path, sizeof path, demo->programs, places[i]));
    if (fed__file_exists(path)) return fed__file_read(path, text);
  }
  return FED_RAISE(FED_E_NOT_FOUND, "examples/fashion/job.yaml is neither beside the build nor "
                                    "installed");
}

/* The quick demo is the same job with fewer rounds. */
static int shorten(const struct fed__demo *demo, struct fed_buffer *text) {
  static const char before[] = "  count: ", after[] = "  count: 4 #";
  struct fed_buffer shorter;
  const char *content = fed_buffer_text(text);
  const char *at = content ? strstr(content, before) : NULL;
  if (!at) return FED_RAISE(FED_E_INTERNAL, "the example has no round count");
  fed_buffer_init(&shorter, demo->context, FED__JOB_BYTES_MAX);
  int code = fed_buffer_append(&shorter, content, (size_t)(at - content));
  if (code == FED_OK) code = fed_buffer_print(&shorter, "%s%s", after, at + sizeof before - 1);
  fed_buffer_clear(text);
  *text = shorter;
  return code;
}

static int write_job(struct fed__demo *demo) {
  const struct fed_recipe_options recipe = {
      .recipe = "cnn", .input = {3, {1, 28, 28}}, .classes = FED__DEMO_CLASSES, .seed = demo->seed};
  char path[FED__PATH_MAX];
  struct fed_buffer text;
  fed_buffer_init(&text, demo->context, FED__JOB_BYTES_MAX);
  fed_buffer_init(&demo->onnx, demo->context, (size_t)64 << 20);
  int code = read_example(demo, &text);
  if (code == FED_OK && demo->quick) code = shorten(demo, &text);
  if (code == FED_OK)
    code = fed__job_parse(demo->context, "job.yaml", fed_buffer_slice(&text), &demo->job);
  fed__demo_path(demo, path, "job/job.yaml");
  if (code == FED_OK) code = fed__file_write_quick(path, fed_buffer_slice(&text), FED__FILE_SHARED);
  if (code == FED_OK) code = fed_recipe_write(demo->context, &recipe, &demo->onnx);
  fed__demo_path(demo, path, "job/cnn.onnx");
  if (code == FED_OK)
    code = fed__file_write_quick(path, fed_buffer_slice(&demo->onnx), FED__FILE_SHARED);
  fed_buffer_clear(&text);
  return code;
}

int fed__demo_create(struct fed__demo *demo) {
  static const char *const folders[] = {"logs", "job"};
  char path[FED__PATH_MAX];
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
    FED_TRY(fed__folder_make(fed__demo_path(demo, path, "%s", folders[i])));
  FED_TRY(write_job(demo));
  FED_TRY(create_server(demo));
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) FED_TRY(invite(demo, i));
  return FED_OK;
}
