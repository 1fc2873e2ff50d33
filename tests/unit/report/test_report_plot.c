/* SPDX-License-Identifier: Apache-2.0
 *
 * test_report_plot.c: ticks that people would choose, and numbers as people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/report_plot.h"

#include <math.h>
#include <stdlib.h>

#define NBSP "\xc2\xa0"
#define THIN "\xe2\x80\xaf"
#define DASH "\xe2\x80\x93"

static struct fed_context context;

static void chooses_ticks(void **state) {
  static const struct {
    double low, high;
    int ticks;
    double step_min, axis_low, axis_high, step;
  } cases[] = {
      {0, 9.3, 5, 1e-9, 0, 10, 2},
      {0, 10, 5, 1e-9, 0, 10, 2},
      {0.1, 0.88, 6, 0.001, 0, 1, 0.2},
      {0, 12, 9, 1, 0, 12, 2},
      {0, 1, 9, 1, 0, 1, 1},
      {0, 1000, 9, 1, 0, 1000, 200},
      {-1.8e6, 1e6, 6, 1, -2e6, 1e6, 5e5},
      {0.851, 0.853, 4, 0.001, 0.851, 0.853, 0.001},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct fed__axis axis =
        fed__axis_fit(cases[i].low, cases[i].high, cases[i].ticks, cases[i].step_min);
    assert_true(fabs(axis.step - cases[i].step) < 1e-9 * cases[i].step);
    assert_true(fabs(axis.low - cases[i].axis_low) < 1e-6 * cases[i].step);
    assert_true(fabs(axis.high - cases[i].axis_high) < 1e-6 * cases[i].step);
  }
}

/* One value only: still an axis with a length. */
static void makes_room_for_one_value(void **state) {
  static const double values[] = {0, 1, 0.873, 1e-9, 1e12};
  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    const struct fed__axis axis = fed__axis_fit(values[i], values[i], 5, 1e-12);
    assert_true(isfinite(axis.step) && axis.step > 0);
    assert_true(axis.low <= values[i] && axis.high >= values[i] && axis.high > axis.low);
  }
}

typedef const char *number_text(double value, struct fed__number_text *text);

static void writes_numbers(void **state) {
  static const struct {
    number_text *write;
    double value;
    const char *text;
  } cases[] = {
      {fed__percent, 0.8786, "87.9" NBSP "%"},
      {fed__percent, 1, "100.0" NBSP "%"},
      {fed__bytes, 0, "0" NBSP "B"},
      {fed__bytes, 999, "999" NBSP "B"},
      {fed__bytes, 24100000, "24.1" NBSP "MB"},
      {fed__bytes, 999999, "1.0" NBSP "MB"},
      {fed__bytes, 290e6, "290" NBSP "MB"},
      {fed__bytes, 1e15, "1.0" NBSP "PB"},
      {fed__duration, 0.25, "0.25" NBSP "s"},
      {fed__duration, 15.34, "15.3" NBSP "s"},
      {fed__duration, 59.96, "1" NBSP "min" NBSP "00" NBSP "s"},
      {fed__duration, 200, "3" NBSP "min" NBSP "20" NBSP "s"},
      {fed__duration, 3599.9, "1" NBSP "h" NBSP "00" NBSP "min"},
      {fed__duration, 7500, "2" NBSP "h" NBSP "05" NBSP "min"},
      {fed__count, 0, "0"},
      {fed__count, 4132, "4132"},
      {fed__count, 12345, "12" THIN "345"},
      {fed__count, 1234567, "1" THIN "234" THIN "567"},
      {fed__decimal, 0.4, "0.400"},
      {fed__decimal, 12.34, "12.3"},
      {fed__decimal, 0.00012, "1.20e-04"},
      {fed__tick, 0.5, "0.5"},
  };
  struct fed__number_text text;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(cases[i].write(cases[i].value, &text), cases[i].text);
}

static void writes_a_dash_for_what_is_not_known(void **state) {
  static number_text *const writers[] = {fed__percent, fed__bytes,   fed__duration,
                                         fed__count,   fed__decimal, fed__tick};
  struct fed__number_text text;
  (void)state;
  for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
    assert_string_equal(writers[i](NAN, &text), DASH);
    assert_string_equal(writers[i](INFINITY, &text), DASH);
  }
}

static void shortens_by_characters(void **state) {
  struct fed_buffer out;
  struct fed__markup markup = {&out, FED_OK};
  (void)state;
  fed_buffer_init(&out, &context, 1000);
  fed__markup_short(&markup, "h\xc3\xa9llo", 5);
  fed__markup_print(&markup, "|");
  fed__markup_short(&markup, "h\xc3\xa9llo<", 5);
  fed__markup_print(&markup, "|");
  fed__markup_text(&markup, "\xff\xc3(\xed\xa0\x80");
  assert_int_equal(markup.code, FED_OK);
  assert_string_equal(fed_buffer_text(&out),
                      "h\xc3\xa9llo|h\xc3\xa9ll\xe2\x80\xa6|\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd");
  fed_buffer_clear(&out);
}

/* Of 10 000 points, one of them far out: the line keeps it and stays short. */
static void thinning_keeps_the_peak(void **state) {
  enum { COUNT = 10000 };
  struct fed__point *points = calloc(COUNT, sizeof *points);
  struct fed_buffer out;
  struct fed__markup markup = {&out, FED_OK};
  struct fed__plot plot = {.markup = &markup, .height = 100, .width = 10000};
  (void)state;
  plot.x = (struct fed__axis){0, COUNT, 1};
  plot.y = (struct fed__axis){0, 1, 1};
  assert_non_null(points);
  for (int i = 0; i < COUNT; i++) points[i] = (struct fed__point){i, 0.5};
  points[4321].y = 1;
  points[8765].y = 0;
  fed_buffer_init(&out, &context, 10000);
  fed__plot_line(&plot, "a", points, COUNT);
  assert_int_equal(markup.code, FED_OK);
  const char *text = fed_buffer_text(&out);
  assert_non_null(strstr(text, "M0.0 50.0"));
  assert_non_null(strstr(text, "L4321.0 0.0"));
  assert_non_null(strstr(text, "L8765.0 100.0"));
  assert_non_null(strstr(text, "L9999.0 50.0\""));
  fed_buffer_clear(&out);
  free(points);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chooses_ticks),
      cmocka_unit_test(makes_room_for_one_value),
      cmocka_unit_test(writes_numbers),
      cmocka_unit_test(writes_a_dash_for_what_is_not_known),
      cmocka_unit_test(shortens_by_characters),
      cmocka_unit_test(thinning_keeps_the_peak),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
