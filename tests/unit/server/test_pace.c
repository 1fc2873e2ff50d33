/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pace.c: when an agent without a task should come again, and the roster that numbers
 * clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "server/server_state.h"

static void a_small_federation_comes_back_at_once(void **state) {
  (void)state;
  for (double draw = 0; draw < 1; draw += 0.125) {
    assert_true(fed__pace_come_back_ms(10, 10, 1, draw) <= 20);
    assert_true(fed__pace_come_back_ms(10, 10, 0, draw) <= 1000);
  }
}

/* A million clients at 200 a second: 5000 s apart, give or take a quarter; idle, four times so. */
static void a_large_federation_is_spread(void **state) {
  (void)state;
  static const uint32_t million = 1000000;
  assert_int_equal(fed__pace_come_back_ms(million, 0, 1, 0), 3750000);
  assert_int_equal(fed__pace_come_back_ms(million, 0, 1, 0.5), 5000000);
  assert_int_equal(fed__pace_come_back_ms(million, 0, 0, 0.5), 20000000);
  uint32_t before = 0;
  for (double draw = 0; draw < 1; draw += 0.125) {
    const uint32_t wait_ms = fed__pace_come_back_ms(million, 0, 1, draw);
    assert_true(wait_ms > before && wait_ms < 6250000);
    before = wait_ms;
  }
}

static void names_have_numbers_in_the_order_they_came(void **state) {
  (void)state;
  struct fed_context context;
  struct fed__roster roster;
  char name[32];
  fed_context_init(&context);
  fed__roster_init(&roster, &context);
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t i = 0; i < 5000; i++) {
      uint32_t number;
      snprintf(name, sizeof name, "client-%u", i);
      assert_int_equal(fed__roster_number(&roster, name, &number), FED_OK);
      assert_int_equal(number, i);
      assert_string_equal(roster.clients[number]->name, name);
    }
  assert_int_equal(roster.count, 5000);
  fed__roster_clear(&roster);
  fed__roster_clear(&roster);
}

static void a_roster_without_memory_stays_whole(void **state) {
  (void)state;
  struct failing_alloc memory;
  struct fed_context context;
  for (long allowed = 0; allowed < 210; allowed++) {
    struct fed__roster roster;
    char name[32];
    failing_alloc_init(&memory, &context, allowed);
    fed__roster_init(&roster, &context);
    for (uint32_t i = 0; i < 200; i++) {
      uint32_t number;
      snprintf(name, sizeof name, "client-%u", i);
      const int code = fed__roster_number(&roster, name, &number);
      if (code != FED_OK) {
        assert_int_equal(code, FED_E_MEMORY);
        memory.allowed = LONG_MAX; /* there is memory again: the same call works */
        assert_int_equal(fed__roster_number(&roster, name, &number), FED_OK);
      }
      assert_int_equal(number, i);
    }
    fed__roster_clear(&roster);
    assert_int_equal(memory.living, 0);
  }
}

static void eligible_is_who_has_the_data(void **state) {
  (void)state;
  const struct fed__roster_client client = {.datasets = {{"hearts", 150}, {"new", 0}},
                                            .dataset_count = 2};
  assert_true(fed__roster_has(&client, NULL, 1));
  assert_true(fed__roster_has(&client, "hearts", 150));
  assert_false(fed__roster_has(&client, "hearts", 151));
  assert_true(fed__roster_has(&client, "new", 1000)); /* not opened yet: unknown */
  assert_false(fed__roster_has(&client, "lungs", 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_federation_comes_back_at_once),
      cmocka_unit_test(a_large_federation_is_spread),
      cmocka_unit_test(names_have_numbers_in_the_order_they_came),
      cmocka_unit_test(a_roster_without_memory_stays_whole),
      cmocka_unit_test(eligible_is_who_has_the_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
