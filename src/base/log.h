/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h: structured log lines. A line is an event name ("round.started") and fields, given in
 * jansson's pack notation without the braces: fed__log(context, FED_LOG_INFO, "round.started",
 * "s:s, s:I", "job", id, "round", (json_int_t)round). Text lines read
 * `2026-11-21T05:49:00.123Z info round.started job=… round=3`; JSON lines carry the same keys.
 *
 * Losing a line for want of memory is not an error. Threads: safe if the sink is.
 */
#ifndef FED_BASE_LOG_H
#define FED_BASE_LOG_H

#include "fed/context.h"

#include <jansson.h>
#include <stdio.h>

void fed__log(const struct fed_context *context, enum fed_log_level level, const char *event,
              const char *fields, ...);

/* The last failure of this thread as a log line: code, message, and what was being done. */
void fed__log_failure(const struct fed_context *context, enum fed_log_level level,
                      const char *event);

/* A sink that writes lines to a stdio stream (not closed by it). */
struct fed__stream_sink {
  struct fed_log_sink sink;
  FILE *stream;
};
void fed__stream_sink_init(struct fed__stream_sink *sink, FILE *stream,
                           enum fed_log_level level_min, int json);

/* "debug" … "error"; FED_E_INPUT for another word. */
FED_MUST int fed__log_level_parse(const char *word, enum fed_log_level *level);

/* `2026-11-21T05:49:00.123Z`; needs 25 bytes. */
void fed__format_time(int64_t wall_ms, char text[32]);

#endif
