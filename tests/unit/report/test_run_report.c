/* SPDX-License-Identifier: Apache-2.0
 *
 * test_run_report.c: the page about a simulation says what hand-made files say, whatever is missing
 * or broken in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fed/error.h"
#include "report/report.h"
#include "unit/report/page_checks.h"

#define PAGE_BYTES_MAX ((size_t)500000)

static struct fed_context context;

/* Three rounds; the first attempt at the second fails. */
static const char metrics[] =
    "{\"round\":1,\"attempt\":1,\"kind\":\"train\",\"cohort\":3,\"reported\":2,\"diverged\":0,"
    "\"trained\":{\"examples\":90,\"loss\":1.5,\"accuracy\":0.4},\"evaluated\":{\"examples\":10,"
    "\"loss\":2.0,\"accuracy\":0.25},\"tested\":{\"examples\":40,\"loss\":1.25,\"accuracy\":0.5},"
    "\"clients\":{\"version\":0,\"accuracy\":{\"clients\":2,\"lowest\":0.125,\"p5\":0.13,"
    "\"p25\":0.2,\"median\":0.25,\"p75\":0.3,\"p95\":0.36,\"highest\":0.375},\"loss\":null},"
    "\"drift\":{\"clients\":2,\"mean\":0.5,\"largest\":0.75,\"step\":0.25,\"agreement\":0.5},"
    "\"down_bytes\":3000,\"up_bytes\":1000,\"virtual_s\":60.0,\"seconds\":0.5}\n"
    "{\"round\":2,\"attempt\":1,\"kind\":\"train\",\"cohort\":3,\"reported\":0,\"down_bytes\":3000,"
    "\"up_bytes\":0,\"virtual_s\":120.0,\"seconds\":0.1,\"failure\":\"too few\"}\n"
    "{\"round\":2,\"attempt\":2,\"kind\":\"train\",\"cohort\":3,\"reported\":3,\"diverged\":1,"
    "\"trained\":{\"examples\":90,\"loss\":0.75,\"accuracy\":0.8},\"evaluated\":{\"examples\":10,"
    "\"loss\":1.1,\"accuracy\":0.5},\"tested\":{\"examples\":40,\"loss\":0.7,\"accuracy\":0.875},"
    "\"clients\":{\"version\":1,\"accuracy\":{\"clients\":3,\"lowest\":0.25,\"p5\":0.3,\"p25\":0.4,"
    "\"median\":0.5,\"p75\":0.625,\"p95\":0.75,\"highest\":0.8}},"
    "\"drift\":{\"clients\":2,\"mean\":0.25,\"largest\":0.5,\"step\":0.2,\"agreement\":0.8},"
    "\"down_bytes\":3000,\"up_bytes\":1500,\"virtual_s\":200.0,\"seconds\":0.25}\n"
    "{\"round\":3,\"attempt\":1,\"kind\":\"evaluate\",\"cohort\":3,\"reported\":3,\"trained\":null,"
    "\"evaluated\":{\"examples\":10,\"loss\":0.8,\"accuracy\":0.75},\"tested\":null,"
    "\"clients\":null,\"drift\":null,\"down_bytes\":3000,\"up_bytes\":0,\"virtual_s\":210.0,"
    "\"seconds\":0.1}\n";

static const char summary[] =
    "{\"job\":\"heart\",\"seed\":5,\"clients\":12000,\"partition\":\"dirichlet\",\"rounds\":2,"
    "\"end\":\"all rounds done\",\"tested\":{\"examples\":40,\"loss\":0.7,\"accuracy\":0.875},"
    "\"client_accuracy\":{\"clients\":3,\"mean\":0.625,\"lowest_tenth\":0.5,\"jain\":0.9375},"
    "\"test_classes\":{\"examples\":40,\"accuracy\":0.875,\"mean\":{\"recall\":0.7,"
    "\"precision\":0.75,\"f1\":0.72,\"auc\":0.8125,\"average_precision\":0.3125},\"classes\":["
    "{\"class\":\"healthy\",\"examples\":30,\"recall\":0.9,\"precision\":0.9,\"f1\":0.9,"
    "\"auc\":0.8125,\"average_precision\":0.95},"
    "{\"class\":\"ill\",\"examples\":10,\"recall\":0.8,\"precision\":null,\"f1\":0.5,"
    "\"auc\":0.8125,\"average_precision\":0.3125}]},\"down_bytes\":12000,\"up_bytes\":2500,"
    "\"virtual_s\":210.0,\"seconds\":0.95,\"visits\":8,"
    "\"trouble\":{\"lost\":17,\"server_crashes\":1},"
    "\"baselines\":[{\"name\":\"federated\",\"accuracy\":0.875},{\"name\":\"centralised\","
    "\"accuracy\":0.9}],\"settings\":{\"train.epochs\":2,\"aggregate.rule\":\"mean\","
    "\"data.inputs[0].shape\":[28,27]}}";

static const char details[] =
    "{\"test\":[[27,3],[2,8]],\"held_out\":null,\"clients\":["
    "{\"client\":\"north\",\"train_examples\":1234,\"held_out_examples\":12,\"rounds\":2,"
    "\"loss\":0.5,\"accuracy\":0.75},"
    "{\"client\":\"south\",\"train_examples\":10,\"held_out_examples\":3,\"rounds\":1,"
    "\"loss\":0.9,\"accuracy\":0.5},"
    "{\"client\":\"west\",\"train_examples\":0,\"held_out_examples\":0,\"rounds\":0,"
    "\"loss\":null,\"accuracy\":null}]}";

static int write_page(struct fed_slice lines, const char *sums, const char *more,
                      struct fed_buffer *html) {
  const struct fed__run_input run = {"heart", lines, fed_slice_of_text(sums),
                                     fed_slice_of_text(more)};
  fed_buffer_init(html, &context, PAGE_BYTES_MAX);
  return fed__run_report_write(&context, &run, html);
}

static const char *page_of(const char *lines, const char *sums, const char *more,
                           struct fed_buffer *html) {
  assert_int_equal(write_page(fed_slice_of_text(lines), sums, more, html), FED_OK);
  const char *page = fed_buffer_text(html);
  assert_non_null(page);
  assert_fine(page);
  return page;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void shows_the_numbers(void **state) {
  (void)state;
  struct fed_buffer html;
  const char *page = page_of(metrics, summary, details, &html);
  assert_says(page, "Simulation: all rounds done after 2 rounds; 12\xe2\x80\xaf"
                    "000 clients, data divided by dirichlet.");
  assert_says(page, "Test accuracy reached 87.5" NBSP "% after 2 rounds");
  assert_says(page, "Test accuracy reached 87.5" NBSP "% after 3" NBSP "min" NBSP "20" NBSP "s");
  assert_says(page, "virtual time, seconds");
  assert_says(page, "Training loss fell from 1.500 to 0.750");
  assert_says(page, "Half of the clients are between 40.0" NBSP "% and 62.5" NBSP "%");
  assert_says(page, "Clients range from 50.0" NBSP "% (south) to 75.0" NBSP "% (north)");
  assert_says(page, "Clients move 0.375 away"); /* the median of 0.5 and 0.25 */
  assert_says(page, "Of the clients' steps, 65.0" NBSP "% is left");
  assert_says(page, "Class ill is found least often: 80.0" NBSP "% of its rows");
  assert_says(page, "worst tenth 50.0" NBSP "%; Jain\xe2\x80\x99s index 0.938");
  assert_says(page, "average precision, class ill</span><b>0.312</b><small>AUC 0.812; test set");
  assert_says(page, "2.5 clients in each");
  assert_says(page, "1 attempt failed");
  assert_says(page, "attempts that failed: too few</th><td class=\"x\">1</td>");
  assert_says(page, "<b>14.5" NBSP "kB</b>");
  assert_says(page, "<td>10</td><td>80.0" NBSP "%</td><td>\xe2\x80\x93</td><td>50.0" NBSP
                    "%</td><td>0.812</td><td>0.312</td>");
  assert_says(page, ">lost</th><td class=\"x\">17</td>");
  assert_says(page, ">train.epochs</th><td class=\"x\">2</td>");
  assert_says(page, ">data.inputs[0].shape</th><td class=\"x\">[28, 27]</td>");
  assert_says(page, "trained in different ways, measured on the test set.");
  assert_says(page, ">virtual time</th>");
  assert_says(page, "below pooling the data");
  assert_lacks(page, "server's network connections");
  assert_lacks(page, "fed job watch");
  fed_buffer_clear(&html);
}

/* A loss of numbers: no accuracy anywhere, and losses in its place; some are below zero. */
static void losses_stand_in_for_accuracies(void **state) {
  (void)state;
  struct fed_buffer html;
  const char *page = page_of(
      "{\"round\":1,\"attempt\":1,\"kind\":\"train\",\"cohort\":2,\"reported\":2,\"trained\":{"
      "\"examples\":9,\"loss\":4.0},\"clients\":{\"version\":0,\"accuracy\":null,\"loss\":{"
      "\"clients\":2,\"p5\":-3.0,\"p25\":-2.0,\"median\":3.0,\"p75\":4.0,\"p95\":5.0}},"
      "\"virtual_s\":0.0,\"seconds\":0.1,\"down_bytes\":1,\"up_bytes\":1}\n",
      "{\"tested\":{\"examples\":7,\"loss\":2.5},\"client_accuracy\":null,\"client_loss\":{"
      "\"mean\":3.0,\"highest_tenth\":5.0,\"jain\":0.5},\"baselines\":["
      "{\"name\":\"federated\",\"loss\":2.5},{\"name\":\"centralised\",\"loss\":-2.25}]}",
      "{\"clients\":[{\"client\":\"a\",\"loss\":3.5},{\"client\":\"b\",\"loss\":4.5},"
      "{\"client\":\"c\",\"loss\":-0.5}]}",
      &html);
  assert_says(page, "loss, test set</span><b>2.500");
  assert_says(page, "loss, mean of the clients</span><b>3.000");
  assert_says(page, "Half of the 2 clients measured last are between -2.000 and 4.000");
  assert_says(page, "Loss: federated 2.500, pooled -2.250");
  const char *a = strstr(page, "<td>3.500</td>"), *b = strstr(page, "<td>4.500</td>");
  assert_true(a && b && b < a && a < strstr(page, "<td>-0.500</td>")); /* the worst first */
  assert_lacks(page, "accuracy reached");
  assert_lacks(page, "virtual time, ");
  fed_buffer_clear(&html);
}

static void many_clients_are_a_histogram(void **state) {
  (void)state;
  struct fed_buffer html, list;
  fed_buffer_init(&list, &context, 1 << 20);
  assert_int_equal(fed_buffer_print(&list, "{\"clients\":["), FED_OK);
  for (int i = 0; i < 300; i++)
    assert_int_equal(fed_buffer_print(&list, "%s{\"client\":\"c%d\",\"accuracy\":%g}", i ? "," : "",
                                      i, i < 150 ? 0.5 : 0.5 + 0.001 * i),
                     FED_OK);
  assert_int_equal(fed_buffer_print(&list, "]}"), FED_OK);
  const char *page = page_of(metrics, summary, fed_buffer_text(&list), &html);
  assert_says(page, "Accuracy of 300 clients");
  assert_says(page, "200 of 300 are listed");
  fed_buffer_clear(&html);
  fed_buffer_clear(&list);
}

/* ---- what is missing or broken -------------------------------------------------------------- */

static void refuses_what_is_not_json(void **state) {
  (void)state;
  struct fed_buffer html;
  assert_int_equal(write_page(fed_slice_of_text(""), "", "", &html), FED_E_INPUT);
  assert_int_equal(write_page(fed_slice_of_text(""), "[]", "", &html), FED_E_INPUT);
  assert_int_equal(write_page(fed_slice_of_text(""), "{}", "{", &html), FED_E_INPUT);
  page_of("", "{}", "", &html);
  fed_buffer_clear(&html);
}

static void leaves_out_odd_parts(void **state) {
  (void)state;
  struct fed_buffer html;
  const char *page =
      page_of("nonsense\n{\"round\":0,\"kind\":\"train\"}\n{\"round\":1}\n"
              "{\"round\":1e9,\"kind\":\"train\"}\n"
              "{\"round\":1,\"kind\":\"train\",\"clients\":{\"version\":-3},\"tested\":{"
              "\"accuracy\":7},\"drift\":[],\"up_bytes\":\"x\"}\n",
              "{\"client_accuracy\":{\"mean\":\"x\"},\"test_classes\":{\"classes\":[1,null]},"
              "\"end\":\"<b>\",\"settings\":{\"a\":[1,2],\"b\":{},\"<\":null}}",
              "{\"clients\":[1,{\"client\":\"<script>\",\"accuracy\":-2}],"
              "\"test\":[[1,2],[3]],\"held_out\":[[1,\"x\"],[2,3]]}",
              &html);
  assert_says(page, "4 lines of metrics.jsonl could not be understood");
  assert_lacks(page, "is found least often");
  assert_says(page, "&lt;script&gt;");
  fed_buffer_clear(&html);
}

static void survives_any_truncation(void **state) {
  (void)state;
  for (size_t size = 0; size < sizeof metrics; size += 7) {
    struct fed_buffer html;
    assert_int_equal(write_page(fed_slice_of(metrics, size), summary, details, &html), FED_OK);
    assert_fine(fed_buffer_text(&html));
    fed_buffer_clear(&html);
  }
}

static void survives_lack_of_memory(void **state) {
  (void)state;
  const struct fed__run_input run = {"heart", fed_slice_of_text(metrics),
                                     fed_slice_of_text(summary), fed_slice_of_text(details)};
  int code = FED_E_MEMORY;
  for (long allowed = 0; code != FED_OK; allowed++) {
    struct failing_alloc failing;
    struct fed_context poor;
    struct fed_buffer html;
    failing_alloc_init(&failing, &poor, allowed);
    fed_buffer_init(&html, &poor, PAGE_BYTES_MAX);
    code = fed__run_report_write(&poor, &run, &html);
    fed_buffer_clear(&html);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
    assert_true(allowed < 1000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shows_the_numbers),
      cmocka_unit_test(losses_stand_in_for_accuracies),
      cmocka_unit_test(many_clients_are_a_histogram),
      cmocka_unit_test(refuses_what_is_not_json),
      cmocka_unit_test(leaves_out_odd_parts),
      cmocka_unit_test(survives_any_truncation),
      cmocka_unit_test(survives_lack_of_memory),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
