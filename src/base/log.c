/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c: formats structured log lines as text or JSON and hands them to the sink.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void fed__format_time(int64_t wall_ms, char text[32]) {
  const time_t seconds = (time_t)(wall_ms / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  const size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text + length, 32 - length, ".%03dZ", (int)(wall_ms % 1000));
}

int fed__log_level_parse(const char *word, enum fed_log_level *level) {
  for (int i = 0; i < 4; i++)
    if (strcmp(word, level_names[i]) == 0) {
      *level = (enum fed_log_level)i;
      return FED_OK;
    }
  return FED_RAISE(FED_E_INPUT, "log level '%s': expected debug, info, warning or error", word);
}

/* Whether a text can stand without quotes: anything a terminal could obey is quoted and escaped. */
static int is_plain(const char *text) {
  if (!*text) return 0;
  for (; *text; text++)
    if (*text <= ' ' || *text > '~' || strchr("\"=\\", *text)) return 0;
  return 1;
}

static int append_text_value(struct fed_buffer *line, const json_t *value) {
  const char *text = json_string_value(value);
  if (text && is_plain(text)) return fed_buffer_print(line, "%s", text);
  char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII |
                                       JSON_REAL_PRECISION(9));
  const int code = dumped ? fed_buffer_print(line, "%s", dumped) : FED_E_MEMORY;
  free(dumped); /* jansson's */
  return code;
}

static int format_text(struct fed_buffer *line, enum fed_log_level level, const char *time_text,
                       const char *event, json_t *fields) {
  const char *key;
  json_t *value;
  FED_TRY(fed_buffer_print(line, "%s %s %s", time_text, level_names[level], event));
  json_object_foreach(fields, key, value) {
    FED_TRY(fed_buffer_print(line, " %s=", key));
    FED_TRY(append_text_value(line, value));
  }
  return FED_OK;
}

static int format_json(struct fed_buffer *line, enum fed_log_level level, const char *time_text,
                       const char *event, json_t *fields) {
  json_t *whole =
      json_pack("{s:s, s:s, s:s}", "time", time_text, "level", level_names[level], "event", event);
  if (whole) json_object_update(whole, fields);
  char *dumped = whole ? json_dumps(whole, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  const int code = dumped ? fed_buffer_print(line, "%s", dumped) : FED_E_MEMORY;
  free(dumped); /* jansson's */
  json_decref(whole);
  return code;
}

static void write_line(const struct fed_context *context, enum fed_log_level level,
                       const char *event, json_t *fields) {
  char time_text[32];
  struct fed_buffer line;
  fed__format_time(context->clock->wall_ms(context->clock), time_text);
  fed_buffer_init(&line, context, 1 << 16);
  const int code = context->log->json ? format_json(&line, level, time_text, event, fields)
                                      : format_text(&line, level, time_text, event, fields);
  const char *text = code == FED_OK ? fed_buffer_text(&line) : NULL;
  if (text) context->log->write(context->log, level, text);
  fed_buffer_clear(&line);
}

void fed__log(const struct fed_context *context, enum fed_log_level level, const char *event,
              const char *fields, ...) {
  if (!context->log || level < context->log->level_min) return;
  char format[512];
  snprintf(format, sizeof format, "{%s}", fields);
  va_list arguments;
  va_start(arguments, fields);
  json_t *object = json_vpack_ex(NULL, 0, format, arguments);
  va_end(arguments);
  if (!object) object = json_pack("{s:s}", "fields", "lost: not UTF-8, or no memory");
  if (object) write_line(context, level, event, object);
  json_decref(object);
}

void fed__log_failure(const struct fed_context *context, enum fed_log_level level,
                      const char *event) {
  const struct fed_error *error = fed_error_last();
  fed__log(context, level, event, "s:s, s:s", "code", fed_error_name(error->code), "message",
           error->message);
}

static void write_stream(struct fed_log_sink *self, enum fed_log_level level, const char *line) {
  struct fed__stream_sink *sink = (struct fed__stream_sink *)self;
  (void)level;
  fprintf(sink->stream, "%s\n", line);
  fflush(sink->stream);
}

void fed__stream_sink_init(struct fed__stream_sink *sink, FILE *stream,
                           enum fed_log_level level_min, int json) {
  sink->sink = (struct fed_log_sink){write_stream, level_min, json};
  sink->stream = stream;
}
