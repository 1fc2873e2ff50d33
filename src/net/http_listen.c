/* SPDX-License-Identifier: Apache-2.0
 *
 * http_listen.c: the socket that a server listens on, with errors that say what to do. Made here
 * and not by libmicrohttpd, which only says that it failed; TCP_NODELAY set here is inherited by
 * every accepted connection.
 */
#include "base/raise.h"
#include "net/http_exchange.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

static int raise_listen(int error, const char *address, uint16_t port) {
  switch (error) {
  case EADDRINUSE:
    return FED_RAISE(FED_E_ADDRESS_IN_USE,
                     "port %u on %s is in use: stop the program that listens there, or choose "
                     "another port",
                     port, address);
  case EACCES:
    return FED_RAISE(FED_E_PERMISSION,
                     "port %u on %s: the system does not allow it; ports below 1024 need "
                     "privileges, choose a higher one",
                     port, address);
  case EADDRNOTAVAIL:
    return FED_RAISE(FED_E_INPUT,
                     "this machine has no address %s: give one of its own, or 0.0.0.0 for all",
                     address);
  default:
    return FED_RAISE(FED_E_NETWORK, "listening on port %u of %s: %s", port, address,
                     strerror(error));
  }
}

static int open_listener(const struct addrinfo *where) {
  const int on = 1;
  const int listener = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return -1;
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
      bind(listener, where->ai_addr, where->ai_addrlen) == 0 && listen(listener, BACKLOG) == 0)
    return listener;
  const int error = errno;
  close(listener);
  errno = error;
  return -1;
}

static uint16_t bound_port(int listener) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } bound;
  socklen_t size = sizeof bound;
  memset(&bound, 0, sizeof bound);
  if (getsockname(listener, &bound.any, &size) != 0) return 0;
  return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

int fed__http_listen(const char *address, uint16_t port, int *listener, uint16_t *port_chosen) {
  char service[8];
  const struct addrinfo wanted = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                  .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  snprintf(service, sizeof service, "%u", port);
  if (getaddrinfo(address, service, &wanted, &found) != 0 || !found)
    return FED_RAISE(FED_E_INPUT,
                     "'%s': expected an IP address to listen on, as 127.0.0.1, ::1 "
                     "or 0.0.0.0",
                     address);
  *listener = open_listener(found);
  const int error = errno;
  freeaddrinfo(found);
  if (*listener < 0) return raise_listen(error, address, port);
  *port_chosen = bound_port(*listener);
  return FED_OK;
}
