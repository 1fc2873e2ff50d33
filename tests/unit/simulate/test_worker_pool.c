/* SPDX-License-Identifier: Apache-2.0
 *
 * test_worker_pool.c: how often the data is opened: once where threads can share it, else once a
 * thread; and what a failure to open leaves behind.
 */
#include "made_up_job.h"

#include "base/raise.h"

#include <stdatomic.h>

static atomic_int opened;
static int sharable, fails_at; /* the n-th opening, from 1; 0: none */
static struct made_up made;

static int open_counted(struct fed__simulation_source *self, struct fed_examples **training,
                        struct fed_examples **test) {
  const int number = atomic_fetch_add(&opened, 1) + 1;
  if (number == fails_at) return FED_RAISE(FED_E_IO, "opening number %d", number);
  FED_TRY(open_made_up(self, training, test));
  if (!sharable) (*training)->share = NULL;
  return FED_OK;
}

static int run_with(uint32_t threads, struct fed__simulation *simulation) {
  struct fed__simulation_setting setting = setting_of(&made, threads);
  made.source.open = open_counted;
  made.round_count = 0;
  atomic_store(&opened, 0);
  int code = fed__simulation_init(simulation, &setting);
  if (code != FED_OK) return code;
  code = fed__simulation_divide(simulation);
  return code == FED_OK ? fed__simulation_run(simulation) : code;
}

static int prepare(void **state) {
  (void)state;
  make_up(&made, "epochs: 1", "count: 2, cohort: 8, minimum: 4", "simulate: {clients: 10}\n");
  made.has_test = 1;
  return 0;
}

static int clean_up(void **state) {
  (void)state;
  take_down(&made);
  return 0;
}

static void data_is_opened_once_where_it_can_be_shared(void **state) {
  (void)state;
  struct fed__simulation simulation;
  float models[2][256];
  for (sharable = 0; sharable < 2; sharable++) {
    assert_int_equal(run_with(4, &simulation), FED_OK);
    assert_int_equal(atomic_load(&opened), sharable ? 1 : 4);
    const size_t elements = fed_params_elements(&simulation.current);
    assert_true(elements <= 256);
    memcpy(models[sharable], fed_params_floats(&simulation.current), elements * sizeof(float));
    if (sharable) assert_memory_equal(models[0], models[1], elements * sizeof(float));
    fed__simulation_clear(&simulation);
  }
}

static void what_cannot_be_opened_ends_it(void **state) {
  (void)state;
  struct fed__simulation simulation;
  sharable = 0;
  for (fails_at = 1; fails_at <= 3; fails_at += 2) {
    assert_int_equal(run_with(3, &simulation), FED_E_IO);
    assert_null(simulation.context);
  }
  fails_at = 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(data_is_opened_once_where_it_can_be_shared),
      cmocka_unit_test(what_cannot_be_opened_ends_it),
  };
  return cmocka_run_group_tests(tests, prepare, clean_up);
}
