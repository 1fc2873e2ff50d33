/* SPDX-License-Identifier: Apache-2.0
 *
 * test_report.c: the page says what a hand-made log says, and nothing that a hostile log wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fed/error.h"
#include "report/report.h"
#include "unit/report/page_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES_MAX ((size_t)500000)

static struct fed_context context;

static const char record[] =
    "{\"id\":\"heart-1\",\"name\":\"heart\",\"state\":\"done\",\"signer\":\"maria\","
    "\"reason\":\"all rounds\",\"version\":2,\"plan\":\"0123abcd\","
    "\"graph\":\"4567ef01\",\"created_ms\":1000000,"
    "\"finished_ms\":1200000}";

/* Two rounds of two clients. The first attempt at round 2 is interrupted after north reported an
 * accuracy that must not count. */
static const char events[] =
    "{\"number\":1,\"time_ms\":1000000,\"job\":\"heart-1\",\"type\":\"job.created\",\"body\":"
    "{\"name\":\"heart\",\"rounds\":2,\"cohort\":2,\"parameters\":12345}}\n"
    "{\"number\":2,\"time_ms\":1001000,\"job\":\"heart-1\",\"type\":\"round.started\",\"body\":"
    "{\"round\":1,\"attempt\":1,\"kind\":\"train\",\"cohort\":2}}\n"
    "{\"number\":3,\"time_ms\":1010000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":1,\"client\":\"north\",\"examples\":30000,\"evaluate\":{\"accuracy\":0.25,"
    "\"loss\":2.0,\"examples\":10},\"train_s\":4.0,\"peak_bytes\":50000000}}\n"
    "{\"number\":4,\"time_ms\":1011000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":1,\"client\":\"south\",\"examples\":100,\"evaluate\":{\"accuracy\":0.375,"
    "\"loss\":2.0,\"examples\":10},\"train_s\":2.0,\"peak_bytes\":40000000}}\n"
    "{\"number\":5,\"time_ms\":1012000,\"job\":\"heart-1\",\"type\":\"round.committed\",\"body\":"
    "{\"round\":1,\"attempt\":1,\"cohort\":2,\"reported\":2,\"train\":{\"loss\":1.5,"
    "\"accuracy\":0.4},\"evaluate\":{\"accuracy\":0.3125,\"loss\":2.0},\"seconds\":11.0,"
    "\"bytes_up\":1000000,\"bytes_down\":2000000,\"parameters\":\"aa\"}}\n"
    "{\"number\":6,\"time_ms\":1013000,\"job\":\"heart-1\",\"type\":\"model.evaluated\",\"body\":"
    "{\"version\":1,\"accuracy\":0.5,\"loss\":1.4}}\n"
    "{\"number\":7,\"time_ms\":1014000,\"job\":\"heart-1\",\"type\":\"round.started\",\"body\":"
    "{\"round\":2,\"attempt\":1,\"kind\":\"train\",\"cohort\":2}}\n"
    "{\"number\":8,\"time_ms\":1015000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":2,\"client\":\"north\",\"examples\":30000,\"evaluate\":{\"accuracy\":0.0078125}}}\n"
    "{\"number\":9,\"time_ms\":1020000,\"job\":\"heart-1\",\"type\":\"round.void\",\"body\":"
    "{\"round\":2,\"attempt\":1,\"reason\":\"the server was interrupted\"}}\n"
    "{\"number\":10,\"time_ms\":1021000,\"job\":\"heart-1\",\"type\":\"round.started\",\"body\":"
    "{\"round\":2,\"attempt\":2,\"kind\":\"train\",\"cohort\":2}}\n"
    "{\"number\":11,\"time_ms\":1030000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":2,\"client\":\"north\",\"examples\":30000,\"evaluate\":{\"accuracy\":0.5}}}\n"
    "{\"number\":12,\"time_ms\":1031000,\"job\":\"heart-1\",\"type\":\"client.failed\",\"body\":"
    "{\"round\":2,\"client\":\"south\",\"code\":\"FED_E_IO\",\"message\":\"disk full\"}}\n"
    "{\"number\":13,\"time_ms\":1040000,\"job\":\"heart-1\",\"type\":\"round.committed\",\"body\":"
    "{\"round\":2,\"attempt\":2,\"cohort\":2,\"reported\":1,\"train\":{\"loss\":0.75},"
    "\"evaluate\":{\"accuracy\":0.5,\"loss\":1.1},\"seconds\":19.0,\"bytes_up\":500000,"
    "\"bytes_down\":1500000,\"parameters\":\"bb\"}}\n"
    "{\"number\":14,\"time_ms\":1041000,\"job\":\"heart-1\",\"type\":\"model.evaluated\",\"body\":"
    "{\"version\":2,\"accuracy\":0.875,\"loss\":0.7}}\n"
    "{\"number\":15,\"time_ms\":1042000,\"job\":\"heart-1\",\"type\":\"round.started\",\"body\":"
    "{\"round\":3,\"attempt\":1,\"kind\":\"evaluate\",\"cohort\":2}}\n"
    "{\"number\":16,\"time_ms\":1043000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":3,\"client\":\"north\",\"examples\":0,\"evaluate\":{\"accuracy\":0.9375}}}\n"
    "{\"number\":17,\"time_ms\":1044000,\"job\":\"heart-1\",\"type\":\"client.reported\",\"body\":"
    "{\"round\":3,\"client\":\"south\",\"examples\":0,\"evaluate\":{\"accuracy\":0.6875}}}\n"
    "{\"number\":18,\"time_ms\":1045000,\"job\":\"heart-1\",\"type\":"
    "\"model.evaluated_by_clients\",\"body\":{\"round\":3,\"evaluate\":{\"accuracy\":0.8125,"
    "\"loss\":0.8},\"seconds\":3.0,\"bytes_up\":7,\"bytes_down\":7}}\n"
    "{\"number\":19,\"time_ms\":1046000,\"job\":\"heart-1\",\"type\":\"job.finished\",\"body\":"
    "{\"state\":\"done\",\"reason\":\"all rounds\",\"version\":2}}\n";

/* ---- a page, and looking at it -------------------------------------------------------------- */

static int write_page(const char *job, struct fed_slice log, const char *summary,
                      struct fed_buffer *html) {
  const struct fed__report_input input = {fed_slice_of_text(job), log, fed_slice_of_text(summary)};
  fed_buffer_init(html, &context, PAGE_BYTES_MAX);
  return fed__report_write(&context, &input, html);
}

static const char *page_of(const char *log, const char *summary, struct fed_buffer *html) {
  assert_int_equal(write_page(record, fed_slice_of_text(log), summary, html), FED_OK);
  const char *text = fed_buffer_text(html);
  assert_non_null(text);
  assert_int_equal(strlen(text), html->size);
  return text;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void shows_the_numbers(void **state) {
  struct fed_buffer html;
  const char *page = page_of(events, "", &html);
  (void)state;
  assert_fine(page);
  assert_says(page, "<h1>heart-1</h1>");
  assert_says(page, ">signed by</th><td class=\"x\">maria</td>");
  assert_says(page, "Finished after 2 of 2 rounds and 3" NBSP "min" NBSP "20" NBSP "s.");
  assert_says(page, "Test accuracy reached 87.5" NBSP "% after 2 rounds");
  assert_says(page, "Training loss fell from 1.500 to 0.750");
  assert_says(page, "Clients range from 68.8" NBSP "% (south) to 93.8" NBSP "% (north)");
  assert_says(page, "their mean is 81.2" NBSP "%"); /* (0.9375 + 0.6875) / 2 = 0.8125 */
  assert_says(page, "Half of the rounds took less than 15.0" NBSP "s");
  assert_says(page, "A round moved about 750" NBSP "kB to the server and 1.8" NBSP "MB from it");
  assert_says(page, "<b>1.5" NBSP "MB</b>"); /* up, both rounds */
  assert_says(page, "<b>3.5" NBSP "MB</b>"); /* down */
  assert_says(page, "1.5 in a round, on average");
  assert_says(page, "2 incidents: 1 interruption of the server, 1 client failure");
  assert_says(page, "disk full");
  assert_says(page, "30\xe2\x80\xaf"
                    "000");
  assert_says(page, "12\xe2\x80\xaf"
                    "345");
  assert_says(page, "0123abcd");
  assert_says(page, "4567ef01");
  assert_lacks(page, "could not be understood");
  fed_buffer_clear(&html);
}

/* Version 1 was measured again by north alone: 50.0 %, not the 0.8 % of the void attempt. */
static void void_attempts_do_not_count(void **state) {
  struct fed_buffer html;
  const char *page = page_of(events, "", &html);
  (void)state;
  assert_lacks(page, ">0.8" NBSP "%");
  assert_says(page, "<tr><th>1</th><td>2 of 2</td><td>0</td><td>1</td><td>1.500</td>"
                    "<td>50.0" NBSP "%</td><td>50.0" NBSP "%</td><td>50.0" NBSP "%</td>");
  assert_says(page, "<tr><th>2</th><td>1 of 2</td><td class=\"w\">1</td><td class=\"w\">2</td>"
                    "<td>0.750</td><td>87.5" NBSP "%</td><td>81.2" NBSP "%</td>"
                    "<td>68.8" NBSP "%</td><td>19.0" NBSP "s</td>");
  fed_buffer_clear(&html);
}

static void tells_a_peak_from_the_end(void **state) {
  struct fed_buffer html;
  const char *page =
      page_of("{\"number\":1,\"time_ms\":1,\"type\":\"model.evaluated\",\"body\":{\"version\":1,"
              "\"accuracy\":0.9,\"loss\":1}}\n"
              "{\"number\":2,\"time_ms\":2,\"type\":\"model.evaluated\",\"body\":{\"version\":2,"
              "\"accuracy\":0.6,\"loss\":1}}\n",
              "", &html);
  (void)state;
  assert_fine(page);
  assert_says(page,
              "Test accuracy peaked at 90.0" NBSP "% after round 1 and ended at 60.0" NBSP "%");
  fed_buffer_clear(&html);
}

static void names_reduced_precision(void **state) {
  struct fed_buffer html;
  const char *page =
      page_of("{\"number\":1,\"time_ms\":1,\"type\":\"job.created\",\"body\":{\"rounds\":1,"
              "\"precision\":\"bf16\"}}\n"
              "{\"number\":2,\"time_ms\":2,\"type\":\"model.evaluated\",\"body\":{\"version\":1,"
              "\"accuracy\":0.9,\"loss\":1}}\n"
              "{\"number\":3,\"time_ms\":2,\"type\":\"model.evaluated_reduced\",\"body\":"
              "{\"version\":1,\"precision\":\"bf16\",\"accuracy\":0.875,\"loss\":1}}\n",
              "", &html);
  (void)state;
  assert_fine(page);
  assert_says(page, "bf16: products of bfloat16, sums and weights in float32");
  assert_says(page, "87.50 % computed in bf16, 90.00 % in float32");
  fed_buffer_clear(&html);
}

static void shows_a_job_without_events(void **state) {
  struct fed_buffer html;
  (void)state;
  assert_int_equal(
      write_page("{\"id\":\"new-1\",\"state\":\"running\"}", fed_slice_of("", 0), "", &html),
      FED_OK);
  const char *page = fed_buffer_text(&html);
  assert_fine(page);
  assert_says(page, "Still running after 0 rounds");
  assert_lacks(page, "<svg");
  fed_buffer_clear(&html);
}

static void says_why_a_job_failed(void **state) {
  struct fed_buffer html;
  (void)state;
  assert_int_equal(write_page("{\"id\":\"x\",\"state\":\"failed\",\"reason\":\"5 < 6 rounds\"}",
                              fed_slice_of("", 0), "", &html),
                   FED_OK);
  const char *page = fed_buffer_text(&html);
  assert_fine(page);
  assert_says(page, "Failed after 0 rounds");
  assert_says(page, ": 5 &lt; 6 rounds.");
  fed_buffer_clear(&html);
}

/* ---- the summary ---------------------------------------------------------------------------- */

static void shows_the_summary(void **state) {
  struct fed_buffer html;
  const char *page = page_of(
      events,
      "{\"title\":\"Hearts & minds\",\"machine\":\"2 cores\","
      "\"baselines\":[{\"name\":\"federated\",\"accuracy\":0.875},"
      "{\"name\":\"centralised on pooled data\",\"accuracy\":0.9},"
      "{\"name\":\"local only, mean\",\"accuracy\":0.7},{\"name\":\"bad\",\"accuracy\":\"x\"}],"
      "\"clients\":[{\"name\":\"north\",\"labels\":[90,10],\"local_accuracy\":0.8},"
      "{\"name\":\"south\",\"labels\":[30,70]}],"
      "\"processes\":[{\"name\":\"server\",\"peak_bytes\":123000000}]}",
      &html);
  (void)state;
  assert_fine(page);
  assert_says(page, "<h1>Hearts &amp; minds</h1>");
  assert_says(page,
              "Federated: 17.5 points above training alone, 2.5 points below pooling the data");
  /* (90 % + 70 %) / 2 of the clients' own; 120 of 200 rows have label 0 */
  assert_says(page, "a client's commonest label makes up 80.0" NBSP "% of its rows");
  assert_says(page, "the commonest label makes up 60.0" NBSP "%");
  assert_says(page, "<td>80.0" NBSP "%</td>");
  assert_says(page, "123" NBSP "MB");
  assert_says(page, "Machine: 2 cores");
  fed_buffer_clear(&html);
}

static void refuses_what_is_not_json(void **state) {
  static const char *const bad[] = {"", "[1]", "{\"id\":", "nonsense"};
  struct fed_buffer html;
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(write_page(bad[i], fed_slice_of_text(events), "", &html), FED_E_INPUT);
    assert_non_null(strstr(fed_error_last()->message, "record"));
    assert_int_equal(html.size, 0);
  }
  for (size_t i = 1; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(write_page(record, fed_slice_of_text(events), bad[i], &html), FED_E_INPUT);
    assert_non_null(strstr(fed_error_last()->message, "summary"));
  }
}

/* A summary may be odd in any of its parts. */
static void leaves_out_odd_parts_of_a_summary(void **state) {
  static const char *const odd[] = {
      "{\"clients\":7,\"baselines\":{},\"processes\":\"x\",\"title\":3}",
      "{\"clients\":[1,null,{\"name\":5},{\"name\":\"a\",\"labels\":[-1,\"x\",1e300]}]}",
      "{\"clients\":[{\"name\":\"a\",\"labels\":[0,0]},{\"name\":\"a\",\"labels\":[1]}]}",
      "{\"baselines\":[{\"name\":\"a\",\"accuracy\":2},{\"accuracy\":1},7]}",
      "{\"processes\":[1,{\"name\":7,\"peak_bytes\":-4}],\"machine\":[]}"};
  (void)state;
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    struct fed_buffer html;
    assert_fine(page_of(events, odd[i], &html));
    fed_buffer_clear(&html);
  }
}

/* ---- hostile logs --------------------------------------------------------------------------- */

static void escapes_what_comes_from_outside(void **state) {
  struct fed_buffer html;
  const char *page = page_of(
      "{\"number\":1,\"time_ms\":1,\"type\":\"client.reported\",\"body\":{\"round\":1,\"client\":"
      "\"<script>alert('x')</script>\",\"evaluate\":{\"accuracy\":0.5}}}\n"
      "{\"number\":2,\"time_ms\":2,\"type\":\"client.failed\",\"body\":{\"round\":1,\"client\":"
      "\"a\\\" onload=\\\"b\\u0001\\u202e&amp;\",\"code\":\"c\",\"message\":\"</td><b>bold\"}}\n"
      "{\"number\":3,\"time_ms\":3,\"type\":\"round.failed\",\"body\":{\"round\":1,\"reason\":"
      "\"<svg onload=1>\\uffff\"}}\n",
      "{\"title\":\"</title><h1>\",\"machine\":\"<i>\",\"processes\":[{\"name\":\"<i>\"}],"
      "\"baselines\":[{\"name\":\"<u>\",\"accuracy\":0.1}]}",
      &html);
  (void)state;
  assert_well_formed(page);
  assert_lacks(page, "<script");
  assert_lacks(page, "<b>bold");
  assert_lacks(page, "<svg onload");
  assert_lacks(page, "\" onload");
  assert_lacks(page, "<i>");
  assert_lacks(page, "<u>");
  assert_lacks(page, "\xe2\x80\xae");
  assert_lacks(page, "\xef\xbf\xbf");
  assert_says(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  assert_says(page, "a&quot; onload=&quot;b\xef\xbf\xbd\xef\xbf\xbd&amp;amp;");
  assert_says(page, "&lt;/td&gt;&lt;b&gt;bold");
  assert_says(page, "&lt;/title&gt;&lt;h1&gt;");
  fed_buffer_clear(&html);
}

static void counts_lines_that_it_leaves_out(void **state) {
  static const char *const lines[] = {
      "nonsense",
      "{\"number\":20,\"time_ms\":",
      "[]",
      "{}",
      "{\"number\":20,\"time_ms\":5}",
      "{\"number\":20,\"time_ms\":-5,\"type\":\"round.void\",\"body\":{\"round\":1}}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"round.void\",\"body\":[]}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"round.void\",\"body\":{\"round\":0}}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"round.started\",\"body\":{\"round\":1e18}}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"client.reported\",\"body\":{\"round\":1}}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"client.failed\",\"body\":{\"client\":\"x\"}}",
      "{\"number\":20,\"time_ms\":5,\"type\":\"model.evaluated\",\"body\":{\"version\":-1}}",
      "{\"number\":3,\"time_ms\":5,\"type\":\"round.void\",\"body\":{\"round\":1}}" /* again */};
  const size_t count = sizeof lines / sizeof lines[0];
  struct fed_buffer html, log;
  char said[64];
  (void)state;
  fed_buffer_init(&log, &context, 1 << 20);
  assert_int_equal(fed_buffer_print(&log, "%s", events), FED_OK);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(fed_buffer_print(&log, "%s\n\n", lines[i]), FED_OK);
  const char *page = page_of(fed_buffer_text(&log), "", &html);
  snprintf(said, sizeof said, "%zu lines of the event log could not be understood", count);
  assert_fine(page);
  assert_says(page, said);
  assert_says(page, "Test accuracy reached 87.5" NBSP "% after 2 rounds");
  assert_says(page, "2 incidents:");
  fed_buffer_clear(&html);
  fed_buffer_clear(&log);
}

/* The log may end, or be damaged, anywhere. */
static void survives_any_truncation(void **state) {
  (void)state;
  for (size_t size = 0; size < sizeof events; size += 7) {
    struct fed_buffer html;
    assert_int_equal(write_page(record, fed_slice_of(events, size), "", &html), FED_OK);
    assert_fine(fed_buffer_text(&html));
    fed_buffer_clear(&html);
  }
}

static void leaves_out_impossible_numbers(void **state) {
  struct fed_buffer html;
  const char *page =
      page_of("{\"number\":1,\"time_ms\":1,\"type\":\"round.committed\",\"body\":{\"round\":1,"
              "\"seconds\":-1,\"bytes_up\":1e300,\"bytes_down\":\"x\",\"cohort\":-5,"
              "\"train\":{\"loss\":1e308},\"evaluate\":{\"accuracy\":7,\"loss\":-2}}}\n"
              "{\"number\":2,\"time_ms\":2,\"type\":\"model.evaluated\",\"body\":{\"version\":1,"
              "\"accuracy\":1.5,\"loss\":null}}\n",
              "", &html);
  (void)state;
  assert_fine(page);
  assert_lacks(page, "<svg");
  assert_says(page, "<td>\xe2\x80\x93</td>");
  fed_buffer_clear(&html);
}

/* ---- size ----------------------------------------------------------------------------------- */

static int add_round(struct fed_buffer *log, int round, int clients, long long *number) {
  for (int i = 0; i < clients; i++)
    if (fed_buffer_print(log,
                         "{\"number\":%lld,\"time_ms\":%lld,\"type\":\"client.reported\","
                         "\"body\":{\"round\":%d,\"client\":\"client-with-a-long-name-%d\","
                         "\"examples\":100,\"evaluate\":{\"accuracy\":0.%03d}}}\n"
                         "{\"number\":%lld,\"time_ms\":%lld,\"type\":\"client.failed\",\"body\":"
                         "{\"round\":%d,\"client\":\"client-%d\",\"code\":\"E\",\"message\":"
                         "\"%0300d\"}}\n",
                         *number, *number, round, i, (i * 7 + round) % 1000, *number + 1,
                         *number + 1, round, i, i) != FED_OK)
      return FED_E_MEMORY;
    else
      *number += 2;
  ++*number;
  return fed_buffer_print(log,
                          "{\"number\":%lld,\"time_ms\":%lld,\"type\":\"round.committed\","
                          "\"body\":{\"round\":%d,\"train\":{\"loss\":1.5},\"seconds\":%d,"
                          "\"bytes_up\":5,\"bytes_down\":7,\"evaluate\":{\"accuracy\":0.5}}}\n",
                          *number, *number, round, round % 13);
}

static void stays_small(void **state) {
  struct fed_buffer log, html;
  long long number = 1;
  (void)state;
  fed_buffer_init(&log, &context, (size_t)256 << 20);
  for (int round = 1; round <= 1000; round++)
    assert_int_equal(add_round(&log, round, 100, &number), FED_OK);
  const char *page = page_of(fed_buffer_text(&log), "", &html); /* PAGE_BYTES_MAX bounds it */
  assert_fine(page);
  assert_says(page, "<b>1000</b>");
  assert_says(page, "100000 client failures");
  assert_says(page, "One round in 6 is listed");
  fed_buffer_clear(&html);
  fed_buffer_clear(&log);
}

/* ---- memory --------------------------------------------------------------------------------- */

struct scarce {
  struct fed_alloc alloc;
  long left;
};

static void *scarce_resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct scarce *scarce = (struct scarce *)self;
  if (size && scarce->left-- <= 0) return NULL;
  return context.alloc->resize(context.alloc, pointer, size);
}

/* Fail each allocation in turn: always an error, never a crash, never a leak (seen by the
 * sanitizer). */
static void survives_lack_of_memory(void **state) {
  static const char summary[] = "{\"clients\":[{\"name\":\"north\",\"labels\":[1,2]}]}";
  struct scarce scarce = {{scarce_resize}, 0};
  struct fed_context poor = context;
  int code = FED_E_MEMORY;
  long granted = 0;
  (void)state;
  poor.alloc = &scarce.alloc;
  for (; code != FED_OK && granted < 1000; granted++) {
    struct fed_buffer html;
    const struct fed__report_input input = {fed_slice_of_text(record), fed_slice_of_text(events),
                                            fed_slice_of_text(summary)};
    fed_buffer_init(&html, &poor, PAGE_BYTES_MAX);
    scarce.left = granted;
    code = fed__report_write(&poor, &input, &html);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    fed_buffer_clear(&html);
  }
  assert_int_equal(code, FED_OK);
  assert_true(granted > 20);
}

static void says_when_the_page_does_not_fit(void **state) {
  struct fed_buffer html;
  const struct fed__report_input input = {fed_slice_of_text(record), fed_slice_of_text(events),
                                          fed_slice_of("", 0)};
  (void)state;
  fed_buffer_init(&html, &context, 10000);
  assert_int_equal(fed__report_write(&context, &input, &html), FED_E_TOO_LARGE);
  fed_buffer_clear(&html);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shows_the_numbers),
      cmocka_unit_test(void_attempts_do_not_count),
      cmocka_unit_test(tells_a_peak_from_the_end),
      cmocka_unit_test(names_reduced_precision),
      cmocka_unit_test(shows_a_job_without_events),
      cmocka_unit_test(says_why_a_job_failed),
      cmocka_unit_test(shows_the_summary),
      cmocka_unit_test(refuses_what_is_not_json),
      cmocka_unit_test(leaves_out_odd_parts_of_a_summary),
      cmocka_unit_test(escapes_what_comes_from_outside),
      cmocka_unit_test(counts_lines_that_it_leaves_out),
      cmocka_unit_test(survives_any_truncation),
      cmocka_unit_test(leaves_out_impossible_numbers),
      cmocka_unit_test(stays_small),
      cmocka_unit_test(survives_lack_of_memory),
      cmocka_unit_test(says_when_the_page_does_not_fit),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
