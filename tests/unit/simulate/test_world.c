/* SPDX-License-Identifier: Apache-2.0
 *
 * test_world.c: the made-up world's small parts: events come in the order of their time, and the
 * spread of known figures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "failing_alloc.h"
#include "simulate/event_queue.h"
#include "simulate/spread.h"

#include <math.h>

/* ---- the queue ------------------------------------------------------------------------------ */

static void events_come_by_time_then_by_turn(void **state) {
  (void)state;
  enum { EVENTS = 5000 };
  struct fed_context context;
  struct fed__event_queue queue;
  struct fed_rng rng;
  fed_context_init(&context);
  fed__event_queue_init(&queue, &context);
  fed__rng_init(&rng, 1, "test_world", 0, 0);
  assert_true(fed__event_queue_next_us(&queue) == INT64_MAX);
  int64_t last_us = -1;
  uint32_t last_client = 0;
  for (uint32_t i = 0; i < EVENTS; i++) { /* only 50 different times: many ties */
    const struct fed__queued_event event = {.time_us = (int64_t)fed__rng_below(&rng, 50),
                                            .client = i};
    assert_int_equal(fed__event_queue_put(&queue, &event), FED_OK);
  }
  for (uint32_t i = 0; i < EVENTS; i++) {
    const int64_t next_us = fed__event_queue_next_us(&queue);
    const struct fed__queued_event event = fed__event_queue_take(&queue);
    assert_int_equal(event.time_us, next_us);
    assert_true(event.time_us > last_us ||
                (event.time_us == last_us && event.client > last_client));
    last_us = event.time_us;
    last_client = event.client;
  }
  assert_int_equal(queue.count, 0);
  fed__event_queue_clear(&queue);
}

static void a_full_queue_stays_as_it_is(void **state) {
  (void)state;
  struct failing_alloc memory;
  struct fed_context context;
  struct fed__event_queue queue;
  size_t put = 0;
  failing_alloc_init(&memory, &context, 1);
  fed__event_queue_init(&queue, &context);
  while (fed__event_queue_put(&queue, &(struct fed__queued_event){.time_us = 5}) == FED_OK) put++;
  assert_true(put > 0 && queue.count == put);
  while (put-- > 0) assert_int_equal(fed__event_queue_take(&queue).time_us, 5);
  fed__event_queue_clear(&queue);
  assert_int_equal(memory.living, 0);
}

/* ---- spread --------------------------------------------------------------------------------- */

static void the_spread_of_known_figures(void **state) {
  (void)state;
  double ramp[20], equal[] = {3, 3, 3, 3}, one[] = {0, 0, 8, 0, 0};
  struct fed__spread spread;
  for (int i = 0; i < 20; i++) ramp[i] = 20 - i; /* 20 … 1 */
  fed__spread_of(ramp, 20, &spread);
  assert_float_equal(spread.mean, 10.5, 1e-12);
  assert_float_equal(spread.deviation, sqrt((400.0 - 1) / 12), 1e-12);
  assert_true(spread.lowest == 1 && spread.median == 10.5 && spread.highest == 20);
  /* numpy.percentile(range(1, 21), [5, 25, 75, 95]) */
  assert_float_equal(spread.p5, 1.95, 1e-12);
  assert_float_equal(spread.p25, 5.75, 1e-12);
  assert_float_equal(spread.p75, 15.25, 1e-12);
  assert_float_equal(spread.p95, 19.05, 1e-12);
  assert_true(spread.lowest_tenth == 1.5 && spread.highest_tenth == 19.5);
  assert_float_equal(spread.jain, 210.0 * 210 / (20 * 2870), 1e-12);
  fed__spread_of(equal, 4, &spread);
  assert_true(spread.jain == 1 && spread.deviation == 0 && spread.lowest_tenth == 3);
  fed__spread_of(one, 5, &spread);
  assert_float_equal(spread.jain, 1.0 / 5, 1e-12);
  fed__spread_of(NULL, 0, &spread);
  assert_true(spread.count == 0 && spread.mean == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(events_come_by_time_then_by_turn),
      cmocka_unit_test(a_full_queue_stays_as_it_is),
      cmocka_unit_test(the_spread_of_known_figures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
