/* SPDX-License-Identifier: Apache-2.0
 *
 * test_log.c: lines as text and as JSON, with what a peer may put into them; levels; times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/raise.h"

#include <string.h>

struct test_sink {
  struct fed_log_sink sink;
  char line[4096];
  enum fed_log_level level;
  int lines;
};

static struct fed_context context;
static struct fed_clock fixed_clock;
static struct test_sink sink;

static int64_t fixed_wall_ms(struct fed_clock *self) {
  (void)self;
  return INT64_C(1795240140123);
}

static void keep_line(struct fed_log_sink *self, enum fed_log_level level, const char *line) {
  struct test_sink *kept = (struct test_sink *)self;
  kept->level = level;
  kept->lines++;
  snprintf(kept->line, sizeof kept->line, "%s", line);
}

static int start(void **state) {
  (void)state;
  fed_context_init(&context);
  fixed_clock = (struct fed_clock){fixed_wall_ms, NULL};
  sink = (struct test_sink){.sink = {keep_line, FED_LOG_INFO, 0}};
  context.clock = &fixed_clock;
  context.log = &sink.sink;
  return 0;
}

/* Expected texts are those of `date -u -d @SECONDS`. */
static void times_are_iso_8601(void **state) {
  (void)state;
  static const struct {
    int64_t ms;
    const char *text;
  } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
               {INT64_C(951827696007), "2000-02-29T12:34:56.007Z"},
               {INT64_C(1795240140123), "2026-11-21T05:49:00.123Z"},
               {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"}};
  char text[32];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fed__format_time(cases[i].ms, text);
    assert_string_equal(text, cases[i].text);
  }
  fed__format_time(INT64_MAX, text); /* fits, whatever it says */
  assert_true(strlen(text) < sizeof text);
}

static void text_lines_are_readable(void **state) {
  (void)state;
  fed__log(&context, FED_LOG_INFO, "round.started", "s:s, s:I, s:f, s:b, s:n", "job", "digits",
           "round", (json_int_t)3, "loss", 0.25, "last", 0, "next");
  assert_string_equal(sink.line, "2026-11-21T05:49:00.123Z info round.started job=digits round=3 "
                                 "loss=0.25 last=false next=null");
  assert_int_equal(sink.level, FED_LOG_INFO);
  fed__log(&context, FED_LOG_WARNING, "bare", "");
  assert_string_equal(sink.line, "2026-11-21T05:49:00.123Z warning bare");
}

/* A peer's text must not forge a line or a field. */
static void texts_cannot_break_out(void **state) {
  (void)state;
  static const char evil[] = "x\n2026 error forged a=\"b\" \\ \x1b[31m\r\t\x7f";
  fed__log(&context, FED_LOG_INFO, "e", "s:s, s:s, s:s", "name", evil, "empty", "", "equal", "a=b");
  assert_null(strpbrk(sink.line, "\n\r\t\x1b"));
  assert_non_null(strstr(sink.line, "name=\"x\\n2026 error forged a=\\\"b\\\" \\\\ \\u001B[31m"));
  assert_non_null(strstr(sink.line, " empty=\"\" equal=\"a=b\""));
  fed__log(&context, FED_LOG_INFO, "e", "s:s", "name", "\x1b[2J"); /* no other special character */
  assert_null(strchr(sink.line, '\x1b'));
  fed__log(&context, FED_LOG_INFO, "e", "s:s", "name",
           "\xc2\x9b"
           "2J"); /* the same in one character */
  assert_non_null(strstr(sink.line, "name=\"\\u009B2J\""));
}

static void json_lines_are_json(void **state) {
  (void)state;
  static const char evil[] = "\"}\n{\"x\":1, \\ \x01 \xc3\xa9";
  sink.sink.json = 1;
  fed__log(&context, FED_LOG_ERROR, "round.failed", "s:s, s:i", "why", evil, "n", -7);
  assert_null(strchr(sink.line, '\n'));
  json_t *line = json_loads(sink.line, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(line);
  assert_int_equal(json_object_size(line), 5);
  assert_string_equal(json_string_value(json_object_get(line, "time")), "2026-11-21T05:49:00.123Z");
  assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
  assert_string_equal(json_string_value(json_object_get(line, "event")), "round.failed");
  assert_string_equal(json_string_value(json_object_get(line, "why")), evil);
  assert_int_equal(json_integer_value(json_object_get(line, "n")), -7);
  json_decref(line);
}

static void what_is_not_utf8_does_not_hide_the_event(void **state) {
  (void)state;
  fed__log(&context, FED_LOG_WARNING, "client.refused", "s:s", "name", "\xff\xfe");
  assert_int_equal(sink.lines, 1);
  assert_non_null(strstr(sink.line, "warning client.refused fields=\"lost"));
}

static void lines_below_the_level_are_left_out(void **state) {
  (void)state;
  fed__log(&context, FED_LOG_DEBUG, "e", "");
  assert_int_equal(sink.lines, 0);
  fed__log(&context, FED_LOG_INFO, "e", "");
  assert_int_equal(sink.lines, 1);
  sink.sink.level_min = FED_LOG_ERROR;
  fed__log(&context, FED_LOG_WARNING, "e", "");
  assert_int_equal(sink.lines, 1);
  context.log = NULL;
  fed__log(&context, FED_LOG_ERROR, "e", "");
  assert_int_equal(sink.lines, 1);
}

static void a_failure_is_logged_with_its_code(void **state) {
  (void)state;
  FED_RAISE(FED_E_DISK, "no room");
  fed__log_failure(&context, FED_LOG_ERROR, "store.failed");
  assert_string_equal(sink.line, "2026-11-21T05:49:00.123Z error store.failed code=DISK "
                                 "message=\"no room\"");
}

static void levels_are_parsed(void **state) {
  (void)state;
  static const char *const words[] = {"debug", "info", "warning", "error"};
  enum fed_log_level level;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(fed__log_level_parse(words[i], &level), FED_OK);
    assert_int_equal(level, i);
  }
  assert_int_equal(fed__log_level_parse("Info", &level), FED_E_INPUT);
  assert_int_equal(fed__log_level_parse("", &level), FED_E_INPUT);
}

static void a_stream_gets_one_line_an_event(void **state) {
  (void)state;
  char text[256] = "";
  FILE *stream = fmemopen(text, sizeof text, "w");
  struct fed__stream_sink file;
  assert_non_null(stream);
  fed__stream_sink_init(&file, stream, FED_LOG_WARNING, 0);
  context.log = &file.sink;
  fed__log(&context, FED_LOG_INFO, "a", "");
  fed__log(&context, FED_LOG_ERROR, "b", "");
  fed__log(&context, FED_LOG_ERROR, "c", "");
  fclose(stream);
  assert_string_equal(text, "2026-11-21T05:49:00.123Z error b\n2026-11-21T05:49:00.123Z error c\n");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup(function, start)
  const struct CMUnitTest tests[] = {
      TEST(times_are_iso_8601),
      TEST(text_lines_are_readable),
      TEST(texts_cannot_break_out),
      TEST(json_lines_are_json),
      TEST(what_is_not_utf8_does_not_hide_the_event),
      TEST(lines_below_the_level_are_left_out),
      TEST(a_failure_is_logged_with_its_code),
      TEST(levels_are_parsed),
      TEST(a_stream_gets_one_line_an_event),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
