/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/context.h: everything from outside that the library uses comes in through one context:
 * memory, time, randomness and the log. A simulation gives it a virtual clock, a test an
 * allocator that fails; fed_context_init fills in the system's own.
 *
 * A callback is a struct whose first field is the function; the function gets the struct back
 * as `self`, so that an owner can put its own data behind it.
 *
 * Threads: a context is read-only after it is set up and may be shared; its callbacks must then
 * be safe to call from every thread that uses it (the system's own are).
 */
#ifndef FED_CONTEXT_H
#define FED_CONTEXT_H

#include "fed/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory. resize(self, NULL, n) allocates n bytes, resize(self, p, 0) frees p and returns NULL,
 * resize(self, p, n) moves p to n bytes. Returns NULL on failure and then leaves p as it was. */
struct fed_alloc {
  void *(*resize)(struct fed_alloc *self, void *pointer, size_t size);
};

/* Time: milliseconds since 1970-01-01 UTC, and microseconds that never run backwards. */
struct fed_clock {
  int64_t (*wall_ms)(struct fed_clock *self);
  int64_t (*monotonic_us)(struct fed_clock *self);
};

/* Unpredictable bytes, for secrets. Seeded, repeatable randomness is not this one. */
struct fed_entropy {
  int (*fill)(struct fed_entropy *self, void *bytes, size_t size);
};

enum fed_log_level { FED_LOG_DEBUG, FED_LOG_INFO, FED_LOG_WARNING, FED_LOG_ERROR };

/* The log: one finished line at a time, without the newline. */
struct fed_log_sink {
  void (*write)(struct fed_log_sink *self, enum fed_log_level level, const char *line);
  enum fed_log_level level_min; /* lines below this level are not even formatted */
  int json;                     /* 1: lines are JSON objects; 0: text */
};

struct fed_context {
  struct fed_alloc *alloc;
  struct fed_clock *clock;
  struct fed_entropy *entropy;
  struct fed_log_sink *log; /* NULL: no log */
};

/* Fill in malloc, the system clock, the system's random generator, and no log. */
FED_API void fed_context_init(struct fed_context *context);

#ifdef __cplusplus
}
#endif
#endif
