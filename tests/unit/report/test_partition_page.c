/* SPDX-License-Identifier: Apache-2.0
 *
 * test_partition_page.c: the page has a row and the right shares for each client, escapes names
 * from outside, fetches nothing, and leaves out what a target without classes has not; noise has
 * its drawing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/partition_page.h"

#include <string.h>

static struct fed_context context;

static size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  for (; (text = strstr(text, part)); text++) count++;
  return count;
}

static const uint64_t ann[] = {3, 1}, bob[] = {0, 4}, totals[] = {3, 5};
static const double sizes[] = {4, 4}, distances[] = {0.375, 0.375};
static const struct fed__partition_row rows[] = {{"Ann & <Co>", 4, 0.375, ann},
                                                 {"Bob", 4, 0.375, bob}};

static struct fed__partition_page page_of(size_t classes) {
  return (struct fed__partition_page){.title = "cards",
                                      .partition = "column:bank",
                                      .client_count = 2,
                                      .example_count = 9,
                                      .divided_count = 8,
                                      .classes = classes,
                                      .mean_distance = 0.375,
                                      .worst_distance = 0.375,
                                      .rows = rows,
                                      .row_count = 2,
                                      .totals = totals,
                                      .sizes = sizes,
                                      .distances = distances,
                                      .distance_count = classes ? 2 : 0};
}

static void writes(size_t classes, struct fed_buffer *html) {
  const struct fed__partition_page page = page_of(classes);
  fed_buffer_init(html, &context, 1 << 20);
  assert_int_equal(fed__partition_page_write(&context, &page, html), FED_OK);
}

static void draws_what_each_client_has(void **state) {
  (void)state;
  struct fed_buffer html;
  writes(2, &html);
  const char *text = fed_buffer_text(&html);
  assert_int_equal(count_of(text, "class=\"cell\""), 5); /* Bob has nothing of class 0 */
  assert_non_null(strstr(text, "<title>class 0: 3</title>"));
  assert_non_null(strstr(text, ">75</text>"));
  assert_non_null(strstr(text, ">100</text>"));
  assert_non_null(strstr(text, ">38</text>")); /* 3 of 8 */
  assert_non_null(strstr(text, "Divided by column:bank."));
  assert_non_null(strstr(text, "37.5\xc2\xa0%"));
  assert_int_equal(count_of(text, "<svg"), 3);
  assert_int_equal(count_of(text, "</svg>"), 3);
  fed_buffer_clear(&html);
}

static void escapes_and_fetches_nothing(void **state) {
  (void)state;
  struct fed_buffer html;
  writes(2, &html);
  const char *text = fed_buffer_text(&html);
  assert_non_null(strstr(text, "Ann &amp; &lt;Co&gt;"));
  assert_null(strstr(text, "<Co>"));
  assert_null(strstr(text, "http"));
  assert_null(strstr(text, "<script"));
  fed_buffer_clear(&html);
}

static void without_classes_only_sizes(void **state) {
  (void)state;
  struct fed_buffer html;
  writes(0, &html);
  const char *text = fed_buffer_text(&html);
  assert_int_equal(count_of(text, "<svg"), 1);
  assert_null(strstr(text, "mixture"));
  fed_buffer_clear(&html);
}

static void noise_has_a_drawing_of_its_own(void **state) {
  (void)state;
  struct fed__partition_page page = page_of(2);
  struct fed_buffer html;
  page.noise = 0.3;
  fed_buffer_init(&html, &context, 1 << 20);
  assert_int_equal(fed__partition_page_write(&context, &page, &html), FED_OK);
  assert_int_equal(count_of(fed_buffer_text(&html), "<svg"), 4);
  assert_non_null(strstr(fed_buffer_text(&html), "noise with deviations up to 0.3"));
  fed_buffer_clear(&html);
}

static void a_page_that_does_not_fit(void **state) {
  (void)state;
  const struct fed__partition_page page = page_of(2);
  struct fed_buffer html;
  fed_buffer_init(&html, &context, 5000);
  assert_int_equal(fed__partition_page_write(&context, &page, &html), FED_E_TOO_LARGE);
  fed_buffer_clear(&html);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(draws_what_each_client_has),
      cmocka_unit_test(escapes_and_fetches_nothing),
      cmocka_unit_test(without_classes_only_sizes),
      cmocka_unit_test(noise_has_a_drawing_of_its_own),
      cmocka_unit_test(a_page_that_does_not_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
