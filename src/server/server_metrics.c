/* SPDX-License-Identifier: Apache-2.0
 *
 * server_metrics.c: counters in the Prometheus text format.
 */
#include "base/raise.h"
#include "server/server_state.h"

static int print_metric(struct fed_buffer *out, const char *name, const char *type,
                        const char *help, uint64_t value) {
  return fed_buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type,
                          name, (unsigned long long)value);
}

static uint32_t count_parked(const struct fed__server *server) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < server->roster.count; i++)
    count += server->roster.clients[i]->parked != NULL;
  return count;
}

static int print_metrics(struct fed__server *server, struct fed_buffer *out) {
  struct fed__http_counters http;
  fed__http_server_counters(server->http, &http);
  const struct {
    const char *name, *type, *help;
    uint64_t value;
  } metrics[] = {
      {"fed_connections_total", "counter", "TLS connections accepted", http.connections},
      {"fed_requests_total", "counter", "HTTP requests", http.requests},
      {"fed_received_bytes_total", "counter", "Bytes of request bodies", http.bytes_in},
      {"fed_sent_bytes_total", "counter", "Bytes of answer bodies", http.bytes_out},
      {"fed_refused_certificates_total", "counter", "Client certificates that did not verify",
       http.refused_certificates},
      {"fed_refused_lengths_total", "counter", "Requests over a limit", http.refused_lengths},
      {"fed_malformed_total", "counter", "Requests that were not well-formed", http.malformed},
      {"fed_updates_counted_total", "counter", "Updates in a sum", server->updates_counted},
      {"fed_updates_dismissed_total", "counter", "Updates that came too late",
       server->updates_dismissed},
      {"fed_updates_refused_total", "counter", "Updates that failed a check",
       server->updates_refused},
      {"fed_rate_limited_total", "counter", "Requests over a client's rate", server->rate_limited},
      {"fed_rounds_committed_total", "counter", "Model versions made", server->rounds_committed},
      {"fed_rounds_failed_total", "counter", "Rounds that failed", server->rounds_failed},
      {"fed_clients", "gauge", "Clients known, operators included", server->roster.count},
      {"fed_agents_waiting", "gauge", "Agents waiting for a task", count_parked(server)},
      {"fed_upload_bytes", "gauge", "Memory reserved for updates on their way in",
       server->upload_bytes},
  };
  for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
    FED_TRY(print_metric(out, metrics[i].name, metrics[i].type, metrics[i].help, metrics[i].value));
  return FED_OK;
}

void fed__handle_metrics(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed_buffer text;
  fed_buffer_init(&text, server->context, 1 << 16);
  if (print_metrics(server, &text) == FED_OK)
    fed__http_answer(exchange,
                     &(struct fed__http_answer){.status = 200,
                                                .content_type = "text/plain; version=0.0.4",
                                                .body = fed_buffer_slice(&text)});
  else
    fed__http_answer_failure(exchange, 0);
  fed_buffer_clear(&text);
}
