/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_requests.c: what a request to a running `fed server` costs an operator: the first one of
 * a connection (TCP, TLS with both certificates, HTTP), and the next ones on the same connection.
 *
 *   bench_requests URL FEDERATION-FOLDER [connections, 50] [requests, 3000]
 *
 * The request is GET /healthz, which does nothing. A server lets one client ask 4000 times before
 * it slows it down to 2000 a second, so ask for fewer.
 */
#include "base/file.h"
#include "crypto/certificate.h"
#include "net/http_client.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT_MAX 100000

struct bench {
  struct fed_context context;
  struct fed_buffer ca_pem, ca_der, certificate, key;
  struct fed__http_client_options options;
};

static int64_t now_us(const struct bench *bench) {
  return bench->context.clock->monotonic_us(bench->context.clock);
}

static int read_in(struct bench *bench, const char *folder, const char *name,
                   struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  fed_buffer_init(out, &bench->context, 1 << 16);
  const int code = fed__path_join(path, sizeof path, folder, name);
  return code == FED_OK ? fed__file_read(path, out) : code;
}

static int set_up(struct bench *bench, const char *url, const char *folder) {
  int code = read_in(bench, folder, "ca.pem", &bench->ca_pem);
  if (code == FED_OK) code = read_in(bench, folder, "operator.pem", &bench->certificate);
  if (code == FED_OK) code = read_in(bench, folder, "operator.key", &bench->key);
  fed_buffer_init(&bench->ca_der, &bench->context, 1 << 16);
  if (code == FED_OK)
    code = fed__certificate_encode_der(fed_buffer_slice(&bench->ca_pem), &bench->ca_der);
  if (code != FED_OK) return code;
  bench->options =
      (struct fed__http_client_options){.url = url,
                                        .ca_der = fed_buffer_slice(&bench->ca_der),
                                        .certificate_pem = fed_buffer_text(&bench->certificate),
                                        .key_pem = fed_buffer_text(&bench->key),
                                        .connect_timeout_ms = 10000,
                                        .stall_timeout_ms = 10000};
  return FED_OK;
}

static int ask(struct bench *bench, struct fed__http_client *client, int64_t *us) {
  static const struct fed__http_request request = {
      .method = "GET", .path = "/healthz", .answer_bytes_max = 4096};
  struct fed__http_reply reply;
  struct fed_buffer body;
  fed_buffer_init(&body, &bench->context, 4096);
  const int64_t start_us = now_us(bench);
  const int code = fed__http_call(client, &request, &reply, &body);
  *us = now_us(bench) - start_us;
  fed_buffer_clear(&body);
  return code;
}

static int compare_numbers(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void print(const char *name, int64_t *us, size_t count) {
  double sum_us = 0;
  for (size_t i = 0; i < count; i++) sum_us += (double)us[i];
  qsort(us, count, sizeof us[0], compare_numbers);
  printf("%s: %zu, median %.3f ms, 99 %% %.3f ms, %.0f per second\n", name, count,
         (double)us[count / 2] / 1000, (double)us[count * 99 / 100] / 1000,
         (double)count * 1e6 / sum_us);
}

static int measure(struct bench *bench, size_t connection_count, size_t request_count) {
  static int64_t first_us[COUNT_MAX], next_us[COUNT_MAX];
  struct fed__http_client *client = NULL;
  int code = FED_OK;
  for (size_t i = 0; code == FED_OK && i < connection_count; i++) {
    fed__http_client_free(client);
    code = fed__http_client_new(&bench->context, &bench->options, &client);
    if (code == FED_OK) code = ask(bench, client, &first_us[i]);
  }
  for (size_t i = 0; code == FED_OK && i < request_count; i++)
    code = ask(bench, client, &next_us[i]);
  fed__http_client_free(client);
  if (code != FED_OK) return code;
  print("first requests of connections", first_us, connection_count);
  print("requests on one connection", next_us, request_count);
  return FED_OK;
}

int main(int argc, char **argv) {
  static struct bench bench;
  const size_t connection_count = argc > 3 ? strtoul(argv[3], NULL, 10) : 50;
  const size_t request_count = argc > 4 ? strtoul(argv[4], NULL, 10) : 3000;
  if (argc < 3 || !connection_count || !request_count || connection_count > COUNT_MAX ||
      request_count > COUNT_MAX) {
    fprintf(stderr, "bench_requests URL FEDERATION-FOLDER [connections, 50] [requests, 3000]\n");
    return 2;
  }
  fed_context_init(&bench.context);
  int code = set_up(&bench, argv[1], argv[2]);
  if (code == FED_OK) code = measure(&bench, connection_count, request_count);
  if (code != FED_OK) fprintf(stderr, "bench_requests: %s\n", fed_error_last()->message);
  fed_buffer_clear(&bench.ca_pem);
  fed_buffer_clear(&bench.ca_der);
  fed_buffer_clear(&bench.certificate);
  fed_buffer_clear(&bench.key);
  return (int)fed_error_class(code);
}
