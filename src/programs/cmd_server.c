/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_server.c: fed server, fed server create.
 */
#include "base/raise.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"
#include "server/server.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static int create(struct fed__invocation *invocation) {
  struct fed__federation federation = {0};
  double port = 8443;
  const char *folder = fed__option_text(invocation, "dir");
  FED_TRY(fed__option_number(invocation, "port", 1, 65535, &port));
  snprintf(federation.name, sizeof federation.name, "%s", fed__option_text(invocation, "name"));
  snprintf(federation.host, sizeof federation.host, "%s", fed__option_text(invocation, "host"));
  snprintf(federation.address, sizeof federation.address, "%s",
           fed__option_text(invocation, "address"));
  federation.port = (uint16_t)port;
  FED_TRY(fed__federation_create(invocation->context, folder, &federation));
  if (!invocation->quiet)
    printf("made federation '%s' in %s\nnext: fed enroll token NAME --dir %s, then fed server "
           "--dir %s\n",
           federation.name, folder, folder, folder);
  return FED_OK;
}

/* A connection is a file descriptor: take as many as the system lets us. */
static void allow_many_connections(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

static int serve(struct fed__invocation *invocation) {
  struct fed__server *server = NULL;
  const struct fed__server_options options = {.folder = fed__option_text(invocation, "dir"),
                                              .data_folder = fed__option_text(invocation, "data"),
                                              .address = fed__option_text(invocation, "address")};
  sigset_t signals;
  int number;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL); /* for every thread to come */
  signal(SIGPIPE, SIG_IGN);
  allow_many_connections();
  FED_TRY(fed__server_open(invocation->context, &options, &server));
  if (!invocation->quiet) {
    printf("serving %s\n", fed__server_url(server));
    fflush(stdout);
  }
  sigwait(&signals, &number);
  fed__server_close(server);
  return FED_OK;
}

static const struct fed__option create_options[] = {
    FED__DIR_OPTION,
    {"name", "NAME", "what the federation is called", "federation"},
    {"host", "HOST", "the name or address under which agents reach the server", "localhost"},
    {"address", "ADDRESS", "the address to listen on", "127.0.0.1"},
    {"port", "PORT", "the port to listen on", "8443"},
    {0}};
static const struct fed__option serve_options[] = {
    FED__DIR_OPTION,
    {"data", "FOLDER", "where jobs' test sets lie; else the federation's folder", NULL},
    {"address", "ADDRESS", "listen here instead of where federation.json says", NULL},
    {0}};
static const char *const create_examples[] = {
    "fed server create --dir federation --name hearts --host fed.example.org --address 0.0.0.0",
    "make the certificate authority, the server's identity and an operator's", NULL};
static const char *const serve_examples[] = {
    "fed server --dir federation --log-level info",
    "serve; after a crash, the same command goes on where it was", NULL};

const struct fed__command fed__server_commands[2] = {
    {"server create", "", "make a new federation", NULL, create_options, create_examples, 0, 0,
     create},
    {"server", "", "run a federation's server until SIGTERM or SIGINT",
     "Everything the server must not forget is in its folder. It may be killed at any moment: "
     "started again, it goes on, and an interrupted round runs again with the same cohort.",
     serve_options, serve_examples, 0, 0, serve},
};
