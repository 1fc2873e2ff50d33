/* SPDX-License-Identifier: Apache-2.0
 *
 * test_comparison.c: runs of hand-made figures on one page: who is in a group, means and standard
 * deviations found by hand, differences, and what is odd or missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "report/report.h"
#include "report/report_compare.h"
#include "unit/report/page_checks.h"

#include <math.h>

#define PAGE_BYTES_MAX ((size_t)500000)
#define PLUS_MINUS NBSP "\xc2\xb1" NBSP

static struct fed_context context;

struct made_run {
  char metrics[1024], summary[1024];
};

/* Two rounds to this accuracy. */
static struct fed__run_input make_run(struct made_run *made, const char *name, int seed,
                                      double rate, double accuracy) {
  snprintf(made->metrics, sizeof made->metrics,
           "{\"round\":1,\"kind\":\"train\",\"tested\":{\"loss\":1.0,\"accuracy\":%g},"
           "\"virtual_s\":30,\"seconds\":1,\"down_bytes\":600,\"up_bytes\":400}\n"
           "{\"round\":2,\"kind\":\"train\",\"tested\":{\"loss\":0.5,\"accuracy\":%g},"
           "\"virtual_s\":60,\"seconds\":1,\"down_bytes\":600,\"up_bytes\":400}\n",
           accuracy / 2, accuracy);
  snprintf(made->summary, sizeof made->summary,
           "{\"job\":\"x\",\"data\":\"d\",\"seed\":%d,\"tested\":{\"accuracy\":%g,\"loss\":0.5},"
           "\"rounds\":2,\"virtual_s\":60,\"seconds\":2,\"down_bytes\":1200,\"up_bytes\":800,"
           "\"settings\":{\"seed\":%d,\"train.learning_rate\":%g,\"rounds.count\":2}}",
           seed, accuracy, seed, rate);
  return (struct fed__run_input){.name = name,
                                 .metrics = fed_slice_of_text(made->metrics),
                                 .summary = fed_slice_of_text(made->summary)};
}

static const char *page_of(const struct fed__run_input *runs, size_t count,
                           struct fed_buffer *html) {
  fed_buffer_init(html, &context, PAGE_BYTES_MAX);
  assert_int_equal(fed__comparison_write(&context, runs, count, html), FED_OK);
  const char *page = fed_buffer_text(html);
  assert_non_null(page);
  assert_fine(page);
  return page;
}

/* 0.5, 0.6, 0.7: mean 0.6, deviation 0.1 (divided by n - 1); the fourth run is 0.25 above. */
static void seeds_are_a_group(void **state) {
  (void)state;
  struct made_run made[4];
  struct fed_buffer html;
  const struct fed__run_input runs[] = {
      make_run(&made[0], "out/rate-0.1-seed1", 1, 0.1, 0.5),
      make_run(&made[1], "out/rate-0.1-seed2", 2, 0.1, 0.6),
      make_run(&made[2], "out/rate-0.5-seed1", 1, 0.5, 0.85),
      make_run(&made[3], "out/rate-0.1-seed3", 3, 0.1, 0.7),
  };
  const char *page = page_of(runs, 4, &html);
  assert_says(page, "<h1>4 simulations in 2 groups</h1>");
  assert_says(page, "rate-0.1 (3 seeds)");
  assert_says(page, "<tr><th class=\"x\">rate-0.1</th><td>3</td><td>60.0" NBSP "%" PLUS_MINUS
                    "10.0</td><td>0.500" PLUS_MINUS "0</td>");
  assert_says(page, "<tr><th class=\"x\">rate-0.5-seed1</th><td>1</td><td>85.0" NBSP
                    "%<small>+25.0 points</small></td>");
  assert_says(page, "<td>2<small>\xc3\x97 1</small></td>");
  assert_says(page, ">train.learning_rate</th><td>0.1</td><td>0.5</td>");
  assert_lacks(page, ">rounds.count<");
  assert_says(page, "Test accuracy over rounds");
  assert_says(page, "Test accuracy over virtual time");
  assert_says(page, "Test accuracy over bytes");
  assert_says(page, ">rate-0.1-seed2</th><td>2</td><td>60.0");
  fed_buffer_clear(&html);
}

static void other_settings_are_other_groups(void **state) {
  (void)state;
  struct made_run made[2];
  struct fed_buffer html;
  const struct fed__run_input runs[] = {make_run(&made[0], "one", 1, 0.1, 0.5),
                                        make_run(&made[1], "two", 1, 0.2, 0.5)};
  const char *page = page_of(runs, 2, &html);
  assert_says(page, "<h1>2 simulations</h1>");
  assert_says(page, ">one</li>");
  assert_lacks(page, ">Runs<");
  assert_lacks(page, "class=\"band");
  fed_buffer_clear(&html);
}

static void figures_of_a_group_by_hand(void **state) {
  (void)state;
  const double values[] = {2, NAN, 4, 9}, one[] = {3};
  const struct fed__group_figure figure = fed__group_figure_of(values, 4);
  assert_int_equal(figure.count, 3);
  assert_float_equal(figure.mean, 5, 1e-15);
  assert_float_equal(figure.deviation, sqrt((9. + 1 + 16) / 2), 1e-15);
  assert_true(fed__group_figure_of(one, 1).deviation == 0);
  assert_true(isnan(fed__group_figure_of(values + 1, 1).mean));
}

static void odd_runs_are_refused_or_left_out(void **state) {
  (void)state;
  struct made_run made;
  struct fed_buffer html;
  struct fed__run_input runs[] = {make_run(&made, "<one>", 1, 0.1, 0.5),
                                  {.name = "two",
                                   .metrics = fed_slice_of_text("x\n{}\n"),
                                   .summary = fed_slice_of_text("{\"settings\":3}")}};
  const char *page = page_of(runs, 2, &html);
  assert_says(page, "&lt;one&gt;");
  fed_buffer_clear(&html);
  assert_int_equal(fed__comparison_write(&context, runs, 1, &html), FED_E_USAGE);
  runs[1].summary = fed_slice_of_text("[");
  assert_int_equal(fed__comparison_write(&context, runs, 2, &html), FED_E_INPUT);
  assert_non_null(strstr(fed_error_last()->message, "two"));
}

/* More groups than colours. */
static void many_groups_are_listed(void **state) {
  (void)state;
  static struct made_run made[12];
  struct fed__run_input runs[12];
  struct fed_buffer html;
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
  for (int i = 0; i < 12; i++)
    runs[i] = make_run(&made[i], names[i], 1, 0.1 * (i + 1), 0.05 * (i + 1));
  const char *page = page_of(runs, 12, &html);
  assert_says(page, "The first 8 of 12 groups are drawn.");
  assert_says(page, ">l</th>");
  fed_buffer_clear(&html);
}

static void survives_lack_of_memory(void **state) {
  (void)state;
  struct made_run made[2];
  const struct fed__run_input runs[] = {make_run(&made[0], "a", 1, 0.1, 0.5),
                                        make_run(&made[1], "b", 2, 0.1, 0.5)};
  int code = FED_E_MEMORY;
  for (long allowed = 0; code != FED_OK; allowed++) {
    struct failing_alloc failing;
    struct fed_context poor;
    struct fed_buffer html;
    failing_alloc_init(&failing, &poor, allowed);
    fed_buffer_init(&html, &poor, PAGE_BYTES_MAX);
    code = fed__comparison_write(&poor, runs, 2, &html);
    fed_buffer_clear(&html);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
    assert_true(allowed < 1000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(seeds_are_a_group),
      cmocka_unit_test(other_settings_are_other_groups),
      cmocka_unit_test(figures_of_a_group_by_hand),
      cmocka_unit_test(odd_runs_are_refused_or_left_out),
      cmocka_unit_test(many_groups_are_listed),
      cmocka_unit_test(survives_lack_of_memory),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
