/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/error.h: every error that the library can return.
 *
 * A function that can fail returns an int: 0 (FED_OK) or one of the codes below. The code's
 * class says what a caller can do about it (mend the call, mend the input, try again later, ...)
 * without knowing the code; a program's exit status is the class. The text of the last failure
 * on this thread, with the place it happened, is at fed_error_last().
 *
 * The list is append-only: a code never changes its number.
 */
#ifndef FED_ERROR_H
#define FED_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(FED_BUILD)
#define FED_API __attribute__((visibility("default")))
#else
#define FED_API
#endif

/* A result that must be looked at. */
#define FED_MUST __attribute__((warn_unused_result))
#define FED_PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* What a caller can do about an error. The number is also the exit status of the programs. */
enum fed_error_class {
  FED_CLASS_OK = 0,
  FED_CLASS_USAGE = 2,     /* the call or the command line is wrong: mend it */
  FED_CLASS_INPUT = 3,     /* a file or message is wrong: mend it */
  FED_CLASS_PROTOCOL = 4,  /* the peer broke the protocol, or speaks another version */
  FED_CLASS_CRYPTO = 5,    /* a certificate, token or signature was refused */
  FED_CLASS_IO = 6,        /* disk, network or database failed: trying again may help */
  FED_CLASS_BUSY = 7,      /* come back later */
  FED_CLASS_RESOURCE = 8,  /* memory, disk or a declared limit is exhausted */
  FED_CLASS_DENIED = 9,    /* a policy or a role forbids it */
  FED_CLASS_INTERNAL = 10, /* a defect of fed: report it */
};

/* X(name, class, number within the class, text) */
#define FED_ERROR_LIST(X)                                                                          \
  X(USAGE, USAGE, 0, "wrong use")                                                                  \
  X(INPUT, INPUT, 0, "invalid input")                                                              \
  X(SYNTAX, INPUT, 1, "not well-formed")                                                           \
  X(SHAPE, INPUT, 2, "wrong shape")                                                                \
  X(TYPE, INPUT, 3, "wrong type")                                                                  \
  X(RANGE, INPUT, 4, "out of range")                                                               \
  X(NOT_FINITE, INPUT, 5, "not a finite number")                                                   \
  X(DUPLICATE, INPUT, 6, "given twice")                                                            \
  X(MISSING, INPUT, 7, "missing")                                                                  \
  X(UNSUPPORTED, INPUT, 8, "not supported")                                                        \
  X(TOO_LARGE, INPUT, 9, "too large")                                                              \
  X(TRUNCATED, INPUT, 10, "ends too early")                                                        \
  X(CORRUPT, INPUT, 11, "does not match its hash or checksum")                                     \
  X(EMPTY, INPUT, 12, "empty")                                                                     \
  X(PROTOCOL, PROTOCOL, 0, "protocol violation")                                                   \
  X(VERSION, PROTOCOL, 1, "unknown protocol version")                                              \
  X(STALE, PROTOCOL, 2, "belongs to a round that is over")                                         \
  X(REPLAY, PROTOCOL, 3, "seen before")                                                            \
  X(ORDER, PROTOCOL, 4, "not expected in this state")                                              \
  X(OFFSET, PROTOCOL, 5, "upload offset does not match")                                           \
  X(CRYPTO, CRYPTO, 0, "cryptographic operation failed")                                           \
  X(CERTIFICATE, CRYPTO, 1, "certificate refused")                                                 \
  X(EXPIRED, CRYPTO, 2, "expired")                                                                 \
  X(REVOKED, CRYPTO, 3, "revoked")                                                                 \
  X(TOKEN, CRYPTO, 4, "enrolment token refused")                                                   \
  X(SIGNATURE, CRYPTO, 5, "signature refused")                                                     \
  X(IO, IO, 0, "input or output failed")                                                           \
  X(NOT_FOUND, IO, 1, "not found")                                                                 \
  X(EXISTS, IO, 2, "exists already")                                                               \
  X(NETWORK, IO, 3, "network failed")                                                              \
  X(ADDRESS_IN_USE, IO, 4, "address in use")                                                       \
  X(STORE, IO, 5, "store failed")                                                                  \
  X(TIMEOUT, IO, 6, "timed out")                                                                   \
  X(PERMISSION, IO, 7, "permission denied by the system")                                          \
  X(BUSY, BUSY, 0, "busy")                                                                         \
  X(MEMORY, RESOURCE, 0, "out of memory")                                                          \
  X(LIMIT, RESOURCE, 1, "over a limit")                                                            \
  X(DISK, RESOURCE, 2, "disk full")                                                                \
  X(DENIED, DENIED, 0, "forbidden by policy")                                                      \
  X(ROLE, DENIED, 1, "not allowed for this role")                                                  \
  X(INTERNAL, INTERNAL, 0, "internal error")

enum fed_error_code {
  FED_OK = 0,
#define FED_ERROR_ENUM(name, class_, number, text)                                                 \
  FED_E_##name = (FED_CLASS_##class_ << 8) | (number),
  FED_ERROR_LIST(FED_ERROR_ENUM)
#undef FED_ERROR_ENUM
};

/* The last failure on this thread. `message` says what was expected, what came and what to do. */
struct fed_error {
  int code;
  int line;
  const char *file;
  char message[2048];
};

/* The class of a code; FED_CLASS_INTERNAL for a number not in the list. */
FED_API enum fed_error_class fed_error_class(int code);

/* The name ("SHAPE") and the short text ("wrong shape") of a code. Never NULL; static storage. */
FED_API const char *fed_error_name(int code);
FED_API const char *fed_error_text(int code);

/* The last failure on this thread; never NULL, code 0 when there was none. The memory belongs to
 * the thread and is overwritten by its next failure. */
FED_API const struct fed_error *fed_error_last(void);

/* Forget the last failure of this thread. */
FED_API void fed_error_clear(void);

#ifdef __cplusplus
}
#endif
#endif
