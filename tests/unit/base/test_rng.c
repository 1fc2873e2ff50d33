/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rng.c: the generator against published outputs and an independent implementation of the
 * seeding (Python); the distributions against their moments and exact probabilities.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#include <math.h>
#include <string.h>

#define DRAWS 200000

/* From state 1, 2, 3, 4: the reference implementation's first outputs, as also published with the
 * Rust crate rand_xoshiro. */
static void outputs_are_the_published_ones(void **state) {
  (void)state;
  static const uint64_t expected[] = {UINT64_C(41943041),
                                      UINT64_C(58720359),
                                      UINT64_C(3588806011781223),
                                      UINT64_C(3591011842654386),
                                      UINT64_C(9228616714210784205),
                                      UINT64_C(9973669472204895162),
                                      UINT64_C(14011001112246962877),
                                      UINT64_C(12406186145184390807),
                                      UINT64_C(15849039046786891736),
                                      UINT64_C(10450023813501588000)};
  struct fed_rng rng = {{1, 2, 3, 4}};
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
    assert_true(fed__rng_next(&rng) == expected[i]);
}

/* The reference implementation's first outputs for seed 1234567, as published with it and with many
 * ports of it. */
static void numbers_by_index_are_the_published_ones(void **state) {
  (void)state;
  static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
  for (size_t i = sizeof expected / sizeof expected[0]; i-- > 0;)
    assert_true(fed__rng_at(1234567, i) == expected[i]);
}

/* FNV-1a: the test suite of its authors (draft-eastlake-fnv). */
static void names_hash_as_published(void **state) {
  (void)state;
  assert_true(fed__name_number("") == UINT64_C(0xcbf29ce484222325));
  assert_true(fed__name_number("a") == UINT64_C(0xaf63dc4c8601ec8c));
  assert_true(fed__name_number("foobar") == UINT64_C(0x85944171f73967e8));
}

/* Made in Python with a SplitMix64 that gives the published outputs for seed 1234567. */
static void seeding_is_as_declared(void **state) {
  (void)state;
  static const struct {
    uint64_t seed;
    const char *stream;
    uint64_t first, second, expected[4];
  } cases[] = {
      {0,
       "",
       0,
       0,
       {UINT64_C(0x7b44af42054b4f88), UINT64_C(0x9d4dae4390c27661), UINT64_C(0xde7f8c5ad3329789),
        UINT64_C(0xf79bb39fab7573ff)}},
      {42,
       "sampling",
       3,
       7,
       {UINT64_C(0xcd164adab8277ea2), UINT64_C(0x4ad1e12736ad6262), UINT64_C(0x6befba13a241184b),
        UINT64_C(0x04bd8e65d4ffb1cb)}},
      {UINT64_MAX,
       "noise",
       UINT64_MAX,
       1,
       {UINT64_C(0xbd8ca4a2a414771e), UINT64_C(0x23e94ae8cf17b9e7), UINT64_C(0xb366e799948b1408),
        UINT64_C(0xc1e301ee7ed1dd72)}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed_rng rng;
    fed__rng_init(&rng, cases[i].seed, cases[i].stream, cases[i].first, cases[i].second);
    assert_memory_equal(rng.state, cases[i].expected, sizeof rng.state);
  }
}

static struct fed_rng stream_of(const char *name) {
  struct fed_rng rng;
  fed__rng_init(&rng, 2024, name, 0, 0);
  return rng;
}

/* All six faces, against the 99.999 % quantile of chi-squared with 5 degrees: 30.86. */
static void below_is_uniform(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("below");
  double counts[6] = {0}, chi_squared = 0;
  for (int i = 0; i < DRAWS; i++) {
    const uint64_t face = fed__rng_below(&rng, 6);
    assert_true(face < 6);
    counts[face]++;
  }
  for (int f = 0; f < 6; f++) chi_squared += pow(counts[f] - DRAWS / 6.0, 2) / (DRAWS / 6.0);
  assert_true(chi_squared < 30.86);
}

/* With a bound of 3 * 2^62, taking the remainder alone would give the lowest third twice as often
 * as it should. */
static void below_rejects_the_biased_rest(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("bias");
  const uint64_t third = (uint64_t)1 << 62;
  double lowest = 0;
  for (int i = 0; i < DRAWS; i++) lowest += fed__rng_below(&rng, 3 * third) < third;
  assert_true(fabs(lowest / DRAWS - 1.0 / 3) < 0.006);
}

static void below_small_and_huge_bounds(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("bounds");
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(fed__rng_below(&rng, 0), 0);
    assert_int_equal(fed__rng_below(&rng, 1), 0);
    assert_true(fed__rng_below(&rng, UINT64_MAX) < UINT64_MAX);
  }
}

static void unit_is_in_its_range_and_uniform(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("unit");
  double sum = 0, squares = 0, lowest = 1, highest = 0;
  for (int i = 0; i < DRAWS; i++) {
    const double x = fed__rng_unit(&rng);
    assert_true(x >= 0 && x < 1);
    sum += x;
    squares += x * x;
    lowest = fmin(lowest, x);
    highest = fmax(highest, x);
  }
  assert_true(fabs(sum / DRAWS - 0.5) < 0.004);
  assert_true(fabs(squares / DRAWS - 1.0 / 3) < 0.004);
  assert_true(lowest < 1e-3 && highest > 1 - 1e-3);
  /* All ones make the largest: state with s0 + s3 rotated so that the output is 2^64 - 1. */
  struct fed_rng ones = {{UINT64_MAX, 0, 0, 1}};
  assert_true(fed__rng_next(&(struct fed_rng){{UINT64_MAX, 0, 0, 1}}) == UINT64_MAX);
  assert_true(fed__rng_unit(&ones) == 1 - 0x1p-53);
}

/* Moments within five standard errors, and the share beyond 1.96. */
static void normal_has_the_moments_of_the_normal(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("normal");
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, beyond = 0;
  for (int i = 0; i < DRAWS; i++) {
    const double x = fed__rng_normal(&rng);
    m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
    beyond += fabs(x) > 1.959963984540054;
  }
  const double n = DRAWS;
  assert_true(fabs(m1 / n) < 5 / sqrt(n));
  assert_true(fabs(m2 / n - 1) < 5 * sqrt(2 / n));
  assert_true(fabs(m3 / n) < 5 * sqrt(15 / n));
  assert_true(fabs(m4 / n - 3) < 5 * sqrt(96 / n));
  assert_true(fabs(beyond / n - 0.05) < 5 * sqrt(0.05 * 0.95 / n));
}

static void gamma_has_mean_and_variance_of_its_shape(void **state) {
  (void)state;
  static const double shapes[] = {0.1, 0.5, 1, 2.5, 50};
  for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
    struct fed_rng rng;
    const double a = shapes[k], n = DRAWS;
    double m1 = 0, m2 = 0;
    fed__rng_init(&rng, 5, "gamma", k, 0);
    for (int i = 0; i < DRAWS; i++) {
      const double x = fed__rng_gamma(&rng, a);
      assert_true(x >= 0 && isfinite(x));
      m1 += x;
      m2 += (x - a) * (x - a);
    }
    /* The fourth central moment of a gamma is 3 a^2 + 6 a. */
    assert_true(fabs(m1 / n - a) < 5 * sqrt(a / n));
    assert_true(fabs(m2 / n - a) < 5 * sqrt((2 * a * a + 6 * a) / n));
  }
}

/* All six orders of three, as often. */
static void shuffles_are_uniform(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("shuffle");
  double counts[27] = {0};
  const int repeats = 60000;
  for (int i = 0; i < repeats; i++) {
    uint32_t items[] = {0, 1, 2};
    fed__rng_shuffle(&rng, items, 3);
    counts[items[0] * 9 + items[1] * 3 + items[2]]++;
  }
  static const int orders[] = {0 * 9 + 1 * 3 + 2, 0 * 9 + 2 * 3 + 1, 1 * 9 + 0 * 3 + 2,
                               1 * 9 + 2 * 3 + 0, 2 * 9 + 0 * 3 + 1, 2 * 9 + 1 * 3 + 0};
  double found = 0;
  for (int k = 0; k < 6; k++) {
    assert_true(fabs(counts[orders[k]] - repeats / 6.0) < 500);
    found += counts[orders[k]];
  }
  assert_true(found == repeats);
  fed__rng_shuffle(&rng, NULL, 0);
}

/* All ten pairs of five, as often, and nothing lost. */
static void samples_are_uniform(void **state) {
  (void)state;
  struct fed_rng rng = stream_of("sample");
  double counts[25] = {0};
  const int repeats = 60000;
  for (int i = 0; i < repeats; i++) {
    uint32_t items[] = {0, 1, 2, 3, 4}, seen = 0;
    fed__rng_sample(&rng, items, 5, 2);
    for (int k = 0; k < 5; k++) seen |= 1u << items[k];
    assert_int_equal(seen, 31);
    counts[items[0] < items[1] ? items[0] * 5 + items[1] : items[1] * 5 + items[0]]++;
  }
  for (uint32_t a = 0; a < 5; a++)
    for (uint32_t b = a + 1; b < 5; b++)
      assert_true(fabs(counts[a * 5 + b] - repeats / 10.0) < 370); /* five deviations */
  uint32_t all[] = {7, 8};
  fed__rng_sample(&rng, all, 2, 9);
  assert_int_equal(all[0] + all[1], 15);
}

/* Ranks are what a sample of 0, 1, 2 … brings to the front, of any number of them. */
static void ranks_are_a_sample_without_items(void **state) {
  (void)state;
  struct fed_rng chance = stream_of("ranks");
  for (int i = 0; i < 3000; i++) {
    uint32_t items[300], ranks[FED__RNG_RANKS_MAX];
    const size_t count = 1 + fed__rng_below(&chance, i % 2 ? 300 : 70);
    const size_t wanted = 1 + fed__rng_below(&chance, FED__RNG_RANKS_MAX);
    struct fed_rng one = {{1, 2, 3, (uint64_t)i}}, other = one;
    for (uint32_t k = 0; k < count; k++) items[k] = k;
    fed__rng_sample(&one, items, count, wanted);
    fed__rng_sample_ranks(&other, count, wanted, ranks);
    assert_memory_equal(items, ranks, (wanted < count ? wanted : count) * sizeof *ranks);
    assert_true(fed__rng_next(&one) == fed__rng_next(&other));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outputs_are_the_published_ones),
      cmocka_unit_test(numbers_by_index_are_the_published_ones),
      cmocka_unit_test(names_hash_as_published),
      cmocka_unit_test(seeding_is_as_declared),
      cmocka_unit_test(below_is_uniform),
      cmocka_unit_test(below_rejects_the_biased_rest),
      cmocka_unit_test(below_small_and_huge_bounds),
      cmocka_unit_test(unit_is_in_its_range_and_uniform),
      cmocka_unit_test(normal_has_the_moments_of_the_normal),
      cmocka_unit_test(gamma_has_mean_and_variance_of_its_shape),
      cmocka_unit_test(shuffles_are_uniform),
      cmocka_unit_test(samples_are_uniform),
      cmocka_unit_test(ranks_are_a_sample_without_items),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
