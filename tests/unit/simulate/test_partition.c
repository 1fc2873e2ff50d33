/* SPDX-License-Identifier: Apache-2.0
 *
 * test_partition.c: each kind of partition against its definition: who gets how many, of which
 * classes, with which variance; the file; held-out rows as an agent holds them out; refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fed/safetensors.h"
#include "job/job_examples.h"
#include "simulate/partition.h"
#include "simulate/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CLASSES 10
#define COUNT 6000 /* 600 of each class */

static struct fed_context context;
static int64_t labels[COUNT];

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  for (int i = 0; i < COUNT; i++) labels[i] = i * 7 % CLASSES;
  return 0;
}

static struct fed__partition make(const struct fed__partition_settings *settings, uint32_t clients,
                                  uint64_t seed) {
  const struct fed__partition_source source = {COUNT, labels, CLASSES};
  struct fed__partition partition;
  assert_int_equal(fed__partition_make(&context, settings, &source, clients, seed, &partition),
                   FED_OK);
  assert_int_equal(partition.client_count, clients);
  return partition;
}

static size_t size_of(const struct fed__partition *partition, uint32_t client) {
  return fed__partition_train_count(partition, client) +
         fed__partition_held_out_count(partition, client);
}

/* Every example is at most one client's; how many are somebody's. */
static size_t count_divided(const struct fed__partition *partition) {
  static uint8_t seen[COUNT];
  size_t divided = 0;
  memset(seen, 0, sizeof seen);
  for (uint32_t c = 0; c < partition->client_count; c++) {
    const struct fed__client_rows rows = fed__partition_rows(partition, c, NULL);
    for (size_t i = 0; i < rows.train_count; i++) {
      assert_true(rows.train[i] < COUNT && !seen[rows.train[i]]);
      assert_true(i == 0 || rows.train[i] > rows.train[i - 1]);
      seen[rows.train[i]] = 1;
      divided++;
    }
  }
  return divided;
}

static uint32_t count_labels(const struct fed__partition *partition, uint32_t client,
                             size_t counts[CLASSES]) {
  const struct fed__client_rows rows = fed__partition_rows(partition, client, NULL);
  uint32_t found = 0;
  memset(counts, 0, CLASSES * sizeof counts[0]);
  for (size_t i = 0; i < rows.train_count; i++) found += !counts[labels[rows.train[i]]]++;
  return found;
}

static void iid_gives_equal_sizes_and_mixtures(void **state) {
  (void)state;
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_IID};
  size_t counts[CLASSES];
  double chi_square = 0;
  struct fed__partition partition = make(&settings, 70, 1);
  assert_int_equal(count_divided(&partition), COUNT);
  for (uint32_t c = 0; c < 70; c++) {
    assert_in_range(size_of(&partition, c), COUNT / 70, COUNT / 70 + 1);
    count_labels(&partition, c, counts);
    const double expected = (double)size_of(&partition, c) / CLASSES;
    for (int k = 0; k < CLASSES; k++) chi_square += pow((double)counts[k] - expected, 2) / expected;
  }
  /* 69 * 9 degrees of freedom: mean 621, standard deviation 35 */
  assert_true(chi_square > 621 - 5 * 35 && chi_square < 621 + 5 * 35);
  fed__partition_clear(&partition);
}

static void shards_give_each_client_few_classes(void **state) {
  (void)state; /* McMahan et al. 2017: 100 clients, two shards of one class each */
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_SHARDS, .shards = 2};
  size_t counts[CLASSES];
  uint32_t with_two = 0;
  struct fed__partition partition = make(&settings, 100, 1);
  assert_int_equal(count_divided(&partition), COUNT);
  for (uint32_t c = 0; c < 100; c++) {
    assert_int_equal(size_of(&partition, c), COUNT / 100);
    const uint32_t found = count_labels(&partition, c, counts);
    assert_in_range(found, 1, 2);
    with_two += found == 2;
    for (int k = 0; k < CLASSES; k++) assert_int_equal(counts[k] % 30, 0);
  }
  assert_in_range(with_two, 75, 100); /* 180 of 199 pairs of shards: 90.5, deviation 2.8 */
  fed__partition_clear(&partition);
}

static void labels_are_dealt_out_evenly(void **state) {
  (void)state;
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_LABELS, .labels = 3};
  size_t counts[CLASSES], least[CLASSES], most[CLASSES] = {0};
  struct fed__partition partition = make(&settings, 37, 5);
  assert_int_equal(count_divided(&partition), COUNT);
  for (int k = 0; k < CLASSES; k++) least[k] = SIZE_MAX;
  for (uint32_t c = 0; c < 37; c++) {
    assert_int_equal(count_labels(&partition, c, counts), 3);
    assert_true(counts[c % CLASSES] > 0);
    for (int k = 0; k < CLASSES; k++) {
      if (counts[k] && counts[k] < least[k]) least[k] = counts[k];
      if (counts[k] > most[k]) most[k] = counts[k];
    }
  }
  for (int k = 0; k < CLASSES; k++) assert_in_range(most[k] - least[k], 0, 1);
  fed__partition_clear(&partition);
}

static void labels_that_nobody_has_are_left_out(void **state) {
  (void)state;
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_LABELS, .labels = 1};
  struct fed__partition partition = make(&settings, 4, 1); /* classes 0 to 3 */
  assert_int_equal(count_divided(&partition), 4 * COUNT / CLASSES);
  for (uint32_t c = 0; c < 4; c++) assert_int_equal(size_of(&partition, c), COUNT / CLASSES);
  fed__partition_clear(&partition);
}

/* A share of Dirichlet(a, …, a) over n has mean 1/n and variance (1/n)(1 - 1/n)/(n a + 1). */
static void dirichlet_has_its_variance(void **state) {
  (void)state;
  enum { CLIENTS = 8, DRAWS = 60 };
  const double alphas[] = {0.3, 2};
  size_t counts[CLASSES];
  for (int a = 0; a < 2; a++) {
    const struct fed__partition_settings settings = {.kind = FED__PARTITION_DIRICHLET,
                                                     .alpha = alphas[a]};
    double squares = 0;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
      struct fed__partition partition = make(&settings, CLIENTS, seed);
      assert_int_equal(count_divided(&partition), COUNT);
      for (uint32_t c = 0; c < CLIENTS; c++) {
        count_labels(&partition, c, counts);
        for (int k = 0; k < CLASSES; k++)
          squares += pow((double)counts[k] / (COUNT / CLASSES) - 1.0 / CLIENTS, 2);
      }
      fed__partition_clear(&partition);
    }
    const double expected = 1.0 / CLIENTS * (1 - 1.0 / CLIENTS) / (CLIENTS * alphas[a] + 1);
    const double found = squares / (DRAWS * CLIENTS * CLASSES);
    assert_true(fabs(found / expected - 1) < 0.15);
  }
}

static int compare_sizes(const void *a, const void *b) {
  const size_t left = *(const size_t *)a, right = *(const size_t *)b;
  return (left < right) - (left > right);
}

static void power_law_sizes_fall_as_declared(void **state) {
  (void)state;
  enum { CLIENTS = 50 };
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_POWER_LAW,
                                                   .exponent = 1.5};
  size_t sizes[CLIENTS];
  double sum = 0;
  struct fed__partition partition = make(&settings, CLIENTS, 3);
  assert_int_equal(count_divided(&partition), COUNT);
  for (uint32_t c = 0; c < CLIENTS; c++) sizes[c] = size_of(&partition, c);
  assert_true(sizes[0] != COUNT && sizes[0] >= 1);
  qsort(sizes, CLIENTS, sizeof sizes[0], compare_sizes);
  for (int n = 1; n <= CLIENTS; n++) sum += pow(n, -1.5);
  for (int n = 1; n <= CLIENTS; n++) { /* one for everybody, the rest by the law */
    const double expected = 1 + (COUNT - CLIENTS) * pow(n, -1.5) / sum;
    assert_true(fabs((double)sizes[n - 1] - expected) <= 1.01);
  }
  fed__partition_clear(&partition);
}

static void log_normal_sizes_have_their_deviation(void **state) {
  (void)state;
  enum { CLIENTS = 12, DRAWS = 100 };
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_LOG_NORMAL, .sigma = 0.5};
  static double logs[CLIENTS];
  double variance = 0;
  for (uint64_t seed = 0; seed < DRAWS; seed++) {
    struct fed__partition partition = make(&settings, CLIENTS, seed);
    struct fed__spread spread;
    assert_int_equal(count_divided(&partition), COUNT);
    for (uint32_t c = 0; c < CLIENTS; c++) logs[c] = log((double)size_of(&partition, c));
    fed__spread_of(logs, CLIENTS, &spread);
    variance += spread.deviation * spread.deviation * CLIENTS / (CLIENTS - 1) / DRAWS;
    fed__partition_clear(&partition);
  }
  assert_true(fabs(sqrt(variance) / 0.5 - 1) < 0.1);
}

static void drawn_rows_cost_no_memory_and_are_uniform(void **state) {
  (void)state;
  enum { CLIENTS = 1000000, EACH = 20, BINS = 60 };
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_DRAWN, .examples = EACH};
  uint32_t scratch[EACH], again[EACH];
  size_t bins[BINS] = {0};
  double chi_square = 0;
  struct fed__partition partition = make(&settings, CLIENTS, 3);
  assert_null(partition.rows);
  for (uint32_t c = 0; c < CLIENTS; c += 100) {
    const struct fed__client_rows rows = fed__partition_rows(&partition, c, scratch);
    assert_int_equal(rows.train_count, EACH);
    for (int i = 0; i < EACH; i++) bins[rows.train[i] / (COUNT / BINS)]++;
  }
  const double expected = CLIENTS / 100.0 * EACH / BINS;
  for (int i = 0; i < BINS; i++) chi_square += pow((double)bins[i] - expected, 2) / expected;
  assert_true(chi_square > 59 - 50 && chi_square < 59 + 55); /* deviation 10.9 */
  fed__partition_rows(&partition, CLIENTS - 100, again);
  assert_memory_equal(again, scratch, sizeof again);
  fed__partition_clear(&partition);
}

static void the_seed_decides(void **state) {
  (void)state;
  static const enum fed__partition_kind kinds[] = {
      FED__PARTITION_IID,    FED__PARTITION_DIRICHLET, FED__PARTITION_SHARDS,
      FED__PARTITION_LABELS, FED__PARTITION_POWER_LAW, FED__PARTITION_LOG_NORMAL};
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    const struct fed__partition_settings settings = {
        .kind = kinds[k], .alpha = 1, .shards = 2, .labels = 2, .exponent = 1, .sigma = 1};
    struct fed__partition one = make(&settings, 20, 4), same = make(&settings, 20, 4),
                          other = make(&settings, 20, 5);
    assert_memory_equal(one.rows, same.rows, COUNT * sizeof one.rows[0]);
    assert_memory_equal(one.starts, same.starts, 21 * sizeof one.starts[0]);
    assert_true(memcmp(one.rows, other.rows, COUNT * sizeof one.rows[0]) != 0);
    fed__partition_clear(&one);
    fed__partition_clear(&same);
    fed__partition_clear(&other);
  }
}

static void holds_out_what_an_agent_would(void **state) {
  (void)state;
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_POWER_LAW, .exponent = 1};
  const struct fed__job job = {.context = &context, .seed = 9, .data = {.holdout = 0.2}};
  struct fed__partition whole = make(&settings, 30, 2), held = make(&settings, 30, 2);
  char name[FED__CLIENT_NAME_BYTES];
  assert_int_equal(fed__partition_hold_out(&held, &job), FED_OK);
  for (uint32_t c = 0; c < 30; c++) {
    const struct fed__client_rows all = fed__partition_rows(&whole, c, NULL),
                                  rows = fed__partition_rows(&held, c, NULL);
    struct fed__split split; /* of the agent's own file, whose rows are those of `all` in order */
    snprintf(name, sizeof name, "client-%04u", c);
    assert_string_equal(fed__partition_name(&held, c, name), name);
    assert_int_equal(fed__job_hold_out(&job, name, all.train_count, &split), FED_OK);
    assert_int_equal(rows.train_count, split.train_count);
    assert_int_equal(rows.held_out_count, split.held_out_count);
    for (size_t i = 0; i < split.train_count; i++)
      assert_int_equal(rows.train[i], all.train[split.train[i]]);
    for (size_t i = 0; i < split.held_out_count; i++)
      assert_int_equal(rows.held_out[i], all.train[split.held_out[i]]);
    fed__split_clear(&split);
  }
  fed__partition_clear(&whole);
  fed__partition_clear(&held);
}

static void a_file_gives_it_back(void **state) {
  (void)state;
  static const struct fed__partition_settings settings[] = {
      {.kind = FED__PARTITION_SHARDS, .shards = 3}, {.kind = FED__PARTITION_DRAWN, .examples = 7}};
  for (int i = 0; i < 2; i++) {
    struct fed__partition partition = make(&settings[i], 25, 6), read;
    uint32_t scratch[7];
    struct fed_buffer file;
    fed_buffer_init(&file, &context, 1 << 20);
    assert_int_equal(fed__partition_encode(&partition, &file), FED_OK);
    assert_int_equal(fed__partition_decode(&context, fed_buffer_slice(&file), COUNT, &read),
                     FED_OK);
    assert_int_equal(read.client_count, 25);
    for (uint32_t c = 0; c < 25; c++) {
      const struct fed__client_rows wanted = fed__partition_rows(&partition, c, scratch),
                                    found = fed__partition_rows(&read, c, NULL);
      size_t sum = 0, found_sum = 0;
      assert_int_equal(found.train_count, wanted.train_count);
      for (size_t k = 0; k < wanted.train_count; k++) {
        sum += wanted.train[k];
        found_sum += found.train[k];
        assert_true(k == 0 || found.train[k] >= found.train[k - 1]);
      }
      assert_int_equal(found_sum, sum);
    }
    fed__partition_clear(&read);
    assert_int_equal(fed__partition_decode(&context, fed_buffer_slice(&file), 10, &read),
                     FED_E_RANGE); /* rows that are not there */
    fed_buffer_clear(&file);
    fed__partition_clear(&partition);
  }
}

static int decodes(enum fed_dtype rows_type, enum fed_dtype starts_type, const uint64_t starts[3]) {
  const struct fed_tensor like[] = {{"rows", rows_type, {1, {4}}, NULL},
                                    {"starts", starts_type, {1, {3}}, NULL}};
  struct fed__partition partition;
  struct fed_params params;
  struct fed_buffer file;
  fed_buffer_init(&file, &context, 1 << 20);
  assert_int_equal(fed_params_init(&params, &context, like, 2), FED_OK);
  if (starts_type == FED_U64) memcpy(params.tensors[1].data, starts, 3 * sizeof starts[0]);
  assert_int_equal(fed_safetensors_encode(&params, NULL, 0, &file), FED_OK);
  const int code = fed__partition_decode(&context, fed_buffer_slice(&file), 10, &partition);
  if (code == FED_OK) fed__partition_clear(&partition);
  fed_params_clear(&params);
  fed_buffer_clear(&file);
  return code;
}

static void bad_files_are_refused(void **state) {
  (void)state;
  struct fed__partition partition;
  assert_int_equal(decodes(FED_U32, FED_U64, (uint64_t[]){0, 2, 4}), FED_OK);
  assert_int_equal(decodes(FED_U32, FED_U64, (uint64_t[]){1, 2, 4}), FED_E_RANGE);
  assert_int_equal(decodes(FED_U32, FED_U64, (uint64_t[]){0, 2, 5}), FED_E_RANGE);
  assert_int_equal(decodes(FED_U32, FED_U64, (uint64_t[]){0, 9, 4}), FED_E_RANGE);
  assert_int_equal(decodes(FED_I32, FED_U64, (uint64_t[]){0, 2, 4}), FED_E_TYPE);
  assert_int_equal(decodes(FED_U32, FED_F32, (uint64_t[]){0, 2, 4}), FED_E_TYPE);
  assert_int_equal(fed__partition_decode(&context, fed_slice_of_text("no"), 10, &partition),
                   FED_E_TRUNCATED);
}

static void impossible_partitions_are_refused(void **state) {
  (void)state;
  static const struct {
    struct fed__partition_settings settings;
    struct fed__partition_source source;
    uint32_t clients;
    int code;
    const char *message;
  } cases[] = {
      {{.kind = FED__PARTITION_IID}, {9, NULL, 0}, 10, FED_E_RANGE, "9 examples are not enough"},
      {{.kind = FED__PARTITION_IID}, {0, NULL, 0}, 1, FED_E_RANGE, "0 examples"},
      {{.kind = FED__PARTITION_SHARDS, .shards = 2}, {50, NULL, 0}, 2, FED_E_INPUT, "no class"},
      {{.kind = FED__PARTITION_SHARDS, .shards = 3},
       {50, labels, CLASSES},
       20,
       FED_E_RANGE,
       "cut into 60 shards"},
      {{.kind = FED__PARTITION_LABELS, .labels = 11},
       {50, labels, CLASSES},
       2,
       FED_E_RANGE,
       "there are only 10"},
      {{.kind = FED__PARTITION_DIRICHLET, .alpha = 1, .minimum = 30},
       {50, labels, CLASSES},
       2,
       FED_E_RANGE,
       "at least 30 each"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__partition partition;
    assert_int_equal(fed__partition_make(&context, &cases[i].settings, &cases[i].source,
                                         cases[i].clients, 1, &partition),
                     cases[i].code);
    if (!strstr(fed_error_last()->message, cases[i].message))
      fail_msg("'%s' is not in: %s", cases[i].message, fed_error_last()->message);
  }
}

/* Memory fails at every allocation in turn: the failure is passed on, and nothing leaks. */
static void memory_may_fail(void **state) {
  (void)state;
  for (int kind = FED__PARTITION_IID; kind <= FED__PARTITION_LOG_NORMAL; kind++) {
    const struct fed__partition_settings settings = {.kind = (enum fed__partition_kind)kind,
                                                     .alpha = 1,
                                                     .shards = 2,
                                                     .labels = 2,
                                                     .exponent = 1,
                                                     .sigma = 1};
    const struct fed__partition_source source = {COUNT, labels, CLASSES};
    int code = FED_E_MEMORY;
    for (long allowed = 0; code != FED_OK; allowed++) {
      struct failing_alloc memory;
      struct fed_context failing;
      struct fed__partition partition;
      failing_alloc_init(&memory, &failing, allowed);
      code = fed__partition_make(&failing, &settings, &source, 10, 1, &partition);
      if (code == FED_OK) fed__partition_clear(&partition);
      assert_true(code == FED_OK || code == FED_E_MEMORY);
      assert_int_equal(memory.living, 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(iid_gives_equal_sizes_and_mixtures),
      cmocka_unit_test(shards_give_each_client_few_classes),
      cmocka_unit_test(labels_are_dealt_out_evenly),
      cmocka_unit_test(labels_that_nobody_has_are_left_out),
      cmocka_unit_test(dirichlet_has_its_variance),
      cmocka_unit_test(power_law_sizes_fall_as_declared),
      cmocka_unit_test(log_normal_sizes_have_their_deviation),
      cmocka_unit_test(drawn_rows_cost_no_memory_and_are_uniform),
      cmocka_unit_test(the_seed_decides),
      cmocka_unit_test(holds_out_what_an_agent_would),
      cmocka_unit_test(a_file_gives_it_back),
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(impossible_partitions_are_refused),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
