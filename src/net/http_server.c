/* SPDX-License-Identifier: Apache-2.0
 *
 * http_server.c: opens and closes the server: socket, TLS, libmicrohttpd's threads and limits.
 */
#include "net/http_server.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "net/http_exchange.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_MAX 64
#define CONNECTIONS_MAX 8192
#define CONNECTIONS_PER_ADDRESS_MAX 1024
#define IDLE_TIMEOUT_S 120
/* Of libmicrohttpd, for head and the piece of a body being read. An idle TLS connection takes 44 kB
 * with this, 76 kB with 64 KiB, which is no faster. */
#define CONNECTION_MEMORY ((size_t)32 << 10)
#define CLOSE_PATIENCE_S 2

/* SECURE128 and not SECURE256: the latter leaves out Ed25519, which all our certificates use. */
static const char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3";

static void log_line(void *data, const char *format, va_list arguments) {
  const struct fed__http_server *server = data;
  char line[512];
  vsnprintf(line, sizeof line, format, arguments);
  line[strcspn(line, "\r\n")] = '\0';
  for (char *c = line; *c; c++)
    if (!isprint((unsigned char)*c)) *c = '?';
  fed__log(server->context, FED_LOG_DEBUG, "http.library", "s:s", "message", line);
}

static void *as_data(const char *text) { return (void *)(uintptr_t)text; }

static uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

static uint32_t thread_count(uint32_t wanted) {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (wanted) return wanted < THREADS_MAX ? wanted : THREADS_MAX;
  return cores < 1 ? 1 : cores > 4 ? 4 : (uint32_t)cores;
}

/* libmicrohttpd closes the listener, also when it fails. */
static int start_daemon(struct fed__http_server *server,
                        const struct fed__http_server_options *options, struct fed_slice ca_pem,
                        int listener) {
  const uint32_t threads = thread_count(options->threads);
  const intptr_t connections_max = or_default(options->connections_max, CONNECTIONS_MAX);
  const intptr_t per_address_max =
      or_default(options->connections_per_address_max, CONNECTIONS_PER_ADDRESS_MAX);
  const intptr_t idle_timeout_s = or_default(options->idle_timeout_s, IDLE_TIMEOUT_S);
  const struct MHD_OptionItem items[] = {
      {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_line, server},
      {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
      {MHD_OPTION_HTTPS_MEM_CERT, 0, as_data(options->certificate_pem)},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, as_data(options->key_pem)},
      {MHD_OPTION_HTTPS_MEM_TRUST, 0, as_data((const char *)ca_pem.data)},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, as_data(tls_priorities)},
      {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)fed__http_peer_changed, server},
      {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)fed__http_exchange_begin, server},
      {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)fed__http_exchange_end, server},
      {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
      {MHD_OPTION_CONNECTION_LIMIT, connections_max, NULL},
      {MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address_max, NULL},
      {MHD_OPTION_CONNECTION_TIMEOUT, idle_timeout_s, NULL},
      {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
      {MHD_OPTION_END, 0, NULL},
  };
  server->daemon = MHD_start_daemon(
      MHD_USE_TLS | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
      NULL, NULL, fed__http_exchange_continue, server, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
  if (server->daemon) return FED_OK;
  return FED_RAISE(FED_E_INTERNAL, "the HTTP server does not start; the log at level debug says "
                                   "why (event http.library)");
}

static int start_listening(struct fed__http_server *server,
                           const struct fed__http_server_options *options) {
  struct fed_buffer ca_pem;
  int listener = -1;
  fed_buffer_init(&ca_pem, server->context, 1 << 16);
  int code = fed__certificate_encode_pem(fed_buffer_slice(&server->ca_der), &ca_pem);
  if (code == FED_OK && !fed_buffer_text(&ca_pem)) code = FED_E_MEMORY;
  if (code == FED_OK)
    code = fed__http_listen(options->address, options->port, &listener, &server->port);
  if (code == FED_OK) code = start_daemon(server, options, fed_buffer_slice(&ca_pem), listener);
  fed_buffer_clear(&ca_pem);
  return code;
}

static void free_server(struct fed__http_server *server) {
  gnutls_free(server->ticket_key.data);
  fed_buffer_clear(&server->ca_der);
  pthread_cond_destroy(&server->over);
  pthread_mutex_destroy(&server->lock);
  fed__free(server->context, server);
}

static void init_lock(struct fed__http_server *server) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&server->lock, NULL);
  pthread_cond_init(&server->over, &attributes);
  pthread_condattr_destroy(&attributes);
}

int fed__http_server_open(const struct fed_context *context,
                          const struct fed__http_server_options *options,
                          struct fed__http_server **server) {
  *server = NULL;
  FED_TRY(fed__http_check_credentials(options->certificate_pem, options->key_pem));
  struct fed__http_server *opened = fed__zalloc(context, 1, sizeof *opened);
  if (!opened) return FED_E_MEMORY;
  opened->context = context;
  opened->handler = options->handler;
  fed_buffer_init(&opened->ca_der, context, 1 << 16);
  init_lock(opened);
  int code = fed_buffer_append(&opened->ca_der, options->ca_der.data, options->ca_der.size);
  if (code == FED_OK && gnutls_session_ticket_key_generate(&opened->ticket_key) < 0)
    code = FED_RAISE(FED_E_CRYPTO, "no key for TLS session tickets could be made");
  if (code == FED_OK) code = start_listening(opened, options);
  if (code == FED_OK)
    *server = opened;
  else
    free_server(opened);
  return code;
}

uint16_t fed__http_server_port(const struct fed__http_server *server) { return server->port; }

static bool has_answers_under_way(const struct fed__http_server *server) {
  const struct fed__http_exchange *exchange = server->exchanges;
  while (exchange && !exchange->is_answered) exchange = exchange->next;
  return exchange != NULL;
}

/* Give the last answers a moment to leave: stopping libmicrohttpd breaks connections off. */
static void wait_for_answers(struct fed__http_server *server) {
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += CLOSE_PATIENCE_S;
  pthread_mutex_lock(&server->lock);
  while (has_answers_under_way(server) &&
         pthread_cond_timedwait(&server->over, &server->lock, &deadline) == 0) {
  }
  pthread_mutex_unlock(&server->lock);
}

void fed__http_server_close(struct fed__http_server *server) {
  if (!server) return;
  pthread_mutex_lock(&server->lock);
  server->stopping = true;
  pthread_mutex_unlock(&server->lock);
  fed__http_answer_waiting(server);
  wait_for_answers(server);
  MHD_stop_daemon(server->daemon);
  free_server(server);
}

void fed__http_server_counters(const struct fed__http_server *server,
                               struct fed__http_counters *counters) {
  pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&server->lock;
  pthread_mutex_lock(lock);
  *counters = server->counters;
  pthread_mutex_unlock(lock);
}
