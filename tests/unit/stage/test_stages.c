/* SPDX-License-Identifier: Apache-2.0
 *
 * test_stages.c: each stage against NumPy's numbers and closed forms, at the edges, and chains
 * that must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stage/stage.h"
#include "vector_files.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#define N 203

static struct fed_context context;

static void read_floats(const char *name, float values[N]) {
  struct fed_buffer bytes = read_vector(&context, name);
  assert_int_equal(bytes.size, N * sizeof values[0]);
  memcpy(values, bytes.data, bytes.size);
  fed_buffer_clear(&bytes);
}

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static double norm_of(const float *values, size_t count) {
  long double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (long double)values[i] * (long double)values[i];
  return (double)sqrtl(sum);
}

/* --- against NumPy --- */

static void the_difference_is_numpys(void **state) {
  (void)state;
  float values[N], received[N], expected[N];
  const struct fed__stage_settings settings = {0};
  struct fed__update update = {
      .values = values, .received = received, .received_count = N, .element_count = N};
  read_floats("stage/trained.f32", values);
  read_floats("stage/received.f32", received);
  read_floats("stage/difference.f32", expected);
  assert_int_equal(fed__stage_run_client(&settings, &update), FED_OK);
  assert_memory_equal(values, expected, sizeof values);
}

static void clipping_is_numpys(void **state) {
  (void)state;
  float values[N], expected[N];
  const struct fed__stage_settings settings = {.clip_norm = 3};
  struct fed__update update = {.values = values, .element_count = N};
  struct fed_buffer norm = read_vector(&context, "stage/norm.f64");
  double numpy_norm;
  memcpy(&numpy_norm, norm.data, sizeof numpy_norm);
  fed_buffer_clear(&norm);
  read_floats("stage/difference.f32", values);
  read_floats("stage/clipped.f32", expected);
  assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
  assert_true(fabs(update.norm - numpy_norm) <= 1e-13 * numpy_norm);
  for (size_t i = 0; i < N; i++)
    assert_true(fabs((double)values[i] - (double)expected[i]) <= 3e-7 * fabs((double)expected[i]));
}

static void the_grid_is_numpys(void **state) {
  (void)state;
  static const char *const names[] = {"stage/grid.i8", "stage/grid.i16", "stage/grid.i32"};
  struct fed_buffer clamped = read_vector(&context, "stage/clamped.u32");
  for (uint32_t i = 0; i < 6; i++) { /* at even and odd addresses */
    const uint32_t kind = i / 2;
    const struct fed__stage_settings settings = {.grid_bits = 8u << kind, .grid_step = 0x1p-9};
    float values[N];
    uint32_t room[N + 1];
    uint8_t *grid = (uint8_t *)room + i % 2;
    uint32_t expected_clamped;
    struct fed__update update = {.values = values, .element_count = N, .grid = grid};
    struct fed_buffer expected = read_vector(&context, names[kind]);
    memcpy(&expected_clamped, clamped.data + 4 * kind, 4);
    read_floats("stage/difference.f32", values);
    assert_int_equal(fed__stage_grid_bytes(&settings, N), expected.size);
    assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
    assert_memory_equal(grid, expected.data, expected.size);
    assert_int_equal(update.clamped_count, expected_clamped);
    fed_buffer_clear(&expected);
  }
  fed_buffer_clear(&clamped);
}

static void the_mean_is_numpys(void **state) {
  (void)state;
  const struct fed__stage_settings settings = {
      .clip_norm = 3, .grid_bits = 32, .grid_step = 0x1p-9};
  struct fed_buffer sum = read_vector(&context, "stage/sum.i64");
  float expected[N], mean[N];
  read_floats("stage/mean.f32", expected);
  assert_int_equal(
      fed__stage_run_server(&settings, (const int64_t *)(const void *)sum.data, 123457, N, mean),
      FED_OK);
  assert_memory_equal(mean, expected, sizeof mean);
  assert_int_equal(
      fed__stage_run_server(&settings, (const int64_t *)(const void *)sum.data, 0, N, mean),
      FED_E_EMPTY);
  fed_buffer_clear(&sum);
}

/* --- clipping --- */

static void a_short_update_is_not_clipped(void **state) {
  (void)state;
  float values[] = {3, -4, 0, 0x1p-149f}; /* norm 5 */
  const float before[] = {3, -4, 0, 0x1p-149f};
  const struct fed__stage_settings settings = {.clip_norm = 5};
  struct fed__update update = {.values = values, .element_count = 4};
  assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
  assert_memory_equal(values, before, sizeof values);
  assert_true(update.norm == 5);
}

static void nothing_and_zeros_have_norm_zero(void **state) {
  (void)state;
  float zeros[11] = {0};
  const struct fed__stage_settings settings = {.clip_norm = 1};
  struct fed__update update = {.values = zeros, .element_count = 11, .norm = 7};
  assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
  assert_true(update.norm == 0 && zeros[0] == 0);
  update = (struct fed__update){.values = zeros, .element_count = 0, .norm = 7};
  assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
  assert_true(update.norm == 0);
}

/* Many lengths and sizes: never above the bound, and never needlessly below it. */
static void the_clipped_norm_is_just_not_above_the_bound(void **state) {
  (void)state;
  float values[300];
  uint32_t seed = 12345;
  for (size_t count = 1; count <= 300; count++) {
    const double bound = ldexp(1 + (double)count / 300, (int)(count % 60) - 30);
    const struct fed__stage_settings settings = {.clip_norm = bound};
    struct fed__update update = {.values = values, .element_count = count};
    for (size_t i = 0; i < count; i++) {
      seed = seed * 1664525u + 1013904223u;
      values[i] = (float)(((double)seed / 0x1p32 - 0.5) * bound * 1000 + bound * 1.1);
    }
    const double before = norm_of(values, count);
    assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
    if (before <= bound) continue;
    assert_true(norm_of(values, count) <= bound);
    assert_true(norm_of(values, count) >= bound * (1 - 3e-7));
  }
}

static void the_largest_floats_are_clipped(void **state) {
  (void)state;
  float values[16];
  const struct fed__stage_settings settings = {.clip_norm = 1};
  struct fed__update update = {.values = values, .element_count = 16};
  for (size_t i = 0; i < 16; i++) values[i] = i % 2 ? -FLT_MAX : FLT_MAX;
  assert_int_equal(fed__stage_clip.client(&settings, &update), FED_OK);
  assert_true(fabs(update.norm / (4 * (double)FLT_MAX) - 1) < 1e-15);
  for (size_t i = 0; i < 16; i++)
    assert_true(fabs((double)values[i] * (i % 2 ? -4 : 4) - 1) < 3e-7);
}

static void what_is_not_finite_is_refused_by_name(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  const struct fed__stage_settings clip = {.clip_norm = 1}, grid = {.grid_bits = 8, .grid_step = 1};
  for (size_t b = 0; b < 3; b++)
    for (size_t at = 0; at < 19; at++) {
      float values[19] = {0};
      uint8_t bytes[19];
      char part[32];
      struct fed__update update = {.values = values, .element_count = 19, .grid = bytes};
      values[at] = bad[b];
      snprintf(part, sizeof part, "element %zu ", at);
      assert_int_equal(fed__stage_clip.client(&clip, &update), FED_E_NOT_FINITE);
      assert_message_has(part);
      assert_int_equal(fed__stage_grid.client(&grid, &update), FED_E_NOT_FINITE);
      assert_message_has(part);
    }
}

static void a_diverged_model_is_refused_by_the_chain(void **state) {
  (void)state;
  float values[] = {1, FLT_MAX, 2}, received[] = {1, -FLT_MAX, 2}; /* finite, but the difference */
  int8_t grid[3];
  const struct fed__stage_settings settings = {.grid_bits = 8, .grid_step = 1};
  struct fed__update update = {.values = values,
                               .received = received,
                               .received_count = 3,
                               .element_count = 3,
                               .grid = grid};
  assert_int_equal(fed__stage_run_client(&settings, &update), FED_E_NOT_FINITE);
  assert_message_has("stage 'grid'");
  assert_message_has("element 1 ");
}

/* --- the grid --- */

static void ties_go_to_the_even_multiple_and_the_ends_clamp(void **state) {
  (void)state;
  float values[] = {0.25f,  0.75f,  -0.25f,  -0.75f,  1.25f, 63.5f,    63.74f, 63.75f,
                    -64.0f, -64.2f, -64.25f, -64.26f, 1e30f, -FLT_MAX, -0.0f,  0x1p-149f};
  static const int8_t expected[] = {0,    2,    0,    -2,   2,   127,  127, 127,
                                    -128, -128, -128, -128, 127, -128, 0,   0};
  int8_t grid[16];
  const struct fed__stage_settings settings = {.grid_bits = 8, .grid_step = 0.5};
  struct fed__update update = {.values = values, .element_count = 16, .grid = grid};
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  assert_memory_equal(grid, expected, sizeof expected);
  assert_int_equal(update.clamped_count, 4); /* 63.75 and 1e30; -64.26 and -FLT_MAX */
}

static int64_t integer_at(const int32_t *grid, uint32_t bits, size_t i) {
  if (bits == 8) return ((const int8_t *)grid)[i];
  if (bits == 16) return ((const int16_t *)grid)[i];
  return grid[i];
}

/* Elements that fit are rounded many at a time; they come to what the C library's function says,
 * also beside one that does not fit, in blocks of any length. Every fourth is a tie. */
static void blocks_are_rounded_as_the_c_library_does(void **state) {
  enum { COUNT = 1100 };
  static float values[COUNT];
  static int32_t grid[COUNT];
  (void)state;
  for (uint32_t bits = 8; bits <= 32; bits *= 2)
    for (size_t misfit = 0; misfit <= COUNT; misfit += 100) { /* COUNT: there is none */
      const struct fed__stage_settings settings = {.grid_bits = bits, .grid_step = 0x1p-3};
      struct fed__update update = {.values = values, .element_count = COUNT - 7, .grid = grid};
      const double highest = ldexp(1, (int)bits - 1) - 1;
      for (size_t i = 0; i < COUNT; i++) {
        const double whole = fmod((double)i * 40503.0, highest) * (i & 1 ? -1 : 1);
        values[i] = (float)((i & 3 ? whole + (double)i * 0x1p-11 : whole + 0.5) * 0x1p-3);
      }
      if (misfit < COUNT) values[misfit] = (float)(highest * 0x1p-3 * -3);
      assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
      assert_int_equal(update.clamped_count, misfit < COUNT - 7);
      for (size_t i = 0; i < COUNT - 7; i++)
        assert_int_equal(integer_at(grid, bits, i),
                         i == misfit ? -highest - 1 : nearbyint((double)values[i] * 8));
    }
}

static void extreme_steps_are_exact(void **state) {
  (void)state;
  float values[] = {0x1p-126f, 0x3p-127f, 0x1p-149f, FLT_MAX};
  int32_t grid[4];
  struct fed__stage_settings settings = {.grid_bits = 32, .grid_step = 0x1p-126};
  struct fed__update update = {.values = values, .element_count = 4, .grid = grid};
  assert_int_equal(fed__stage_grid.check(&settings), FED_OK);
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  assert_int_equal(grid[0], 1);
  assert_int_equal(grid[1], 2); /* 1.5, a tie */
  assert_int_equal(grid[2], 0);
  assert_int_equal(grid[3], INT32_MAX);
  assert_int_equal(update.clamped_count, 1);
  settings.grid_step = 0x1p126;
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  assert_int_equal(grid[3], 4); /* FLT_MAX is just below 2^128 */
}

/* Products with 1 / step that a float cannot hold are beyond the ends anyway. */
static void extreme_steps_are_exact_in_narrow_grids(void **state) {
  (void)state;
  float values[] = {0x1p-126f, 0x3p-127f, 0x1p-149f, FLT_MAX, -1, -0x5p-127f};
  static const int16_t expected[] = {1, 2, 0, INT16_MAX, INT16_MIN, -2};
  int16_t grid[6];
  struct fed__stage_settings settings = {.grid_bits = 16, .grid_step = 0x1p-126};
  struct fed__update update = {.values = values, .element_count = 6, .grid = grid};
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  assert_memory_equal(grid, expected, sizeof expected);
  assert_int_equal(update.clamped_count, 2);
  settings.grid_step = 0x1p126;
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  for (size_t i = 0; i < 6; i++) assert_int_equal(grid[i], i == 3 ? 4 : 0);
}

/* Of 16 bits, every half step from end to end and a little beyond: the C library rounds to even. */
static void every_half_step_is_rounded_as_by_the_c_library(void **state) {
  (void)state;
  enum { COUNT = 4 * 32768 + 16 };
  static float values[COUNT];
  static int16_t grid[COUNT];
  const struct fed__stage_settings settings = {.grid_bits = 16, .grid_step = 0x1p-9};
  struct fed__update update = {.values = values, .element_count = COUNT, .grid = grid};
  for (int i = 0; i < COUNT; i++) values[i] = (float)(i - COUNT / 2) * 0x1p-10f;
  assert_int_equal(fed__stage_grid.client(&settings, &update), FED_OK);
  for (int i = 0; i < COUNT; i++) {
    const double whole = nearbyint((double)values[i] * 512);
    assert_int_equal(grid[i], whole < -32768 ? -32768 : whole > 32767 ? 32767 : (int)whole);
  }
}

/* --- settings and chains --- */

static void wrong_settings_are_refused(void **state) {
  (void)state;
  static const struct fed__stage_settings wrong[] = {
      {.clip_norm = -1},
      {.clip_norm = (double)NAN},
      {.clip_norm = (double)INFINITY},
      {.grid_bits = 7, .grid_step = 1},
      {.grid_bits = 64, .grid_step = 1},
      {.grid_bits = 8, .grid_step = 0},
      {.grid_bits = 8, .grid_step = -1},
      {.grid_bits = 8, .grid_step = 0.3},
      {.grid_bits = 8, .grid_step = (double)NAN},
      {.grid_bits = 8, .grid_step = (double)INFINITY},
      {.grid_bits = 8, .grid_step = 0x1p127},
      {.grid_bits = 8, .grid_step = 0x1p-127}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(fed__stage_check_chain(&wrong[i], 0), FED_E_RANGE);
    assert_message_has(i < 3 ? "clip_norm" : i < 5 ? "grid_bits" : "grid_step");
  }
}

static void needs_of_the_rule_are_checked(void **state) {
  (void)state;
  struct fed__stage_settings settings = {0};
  assert_int_equal(fed__stage_check_chain(&settings, FED__UPDATE_IS_DIFFERENCE), FED_OK);
  assert_int_equal(fed__stage_check_chain(&settings, FED__UPDATE_ON_GRID), FED_E_INPUT);
  assert_message_has("grid_bits");
  settings.grid_bits = 16;
  settings.grid_step = 0.25;
  assert_int_equal(fed__stage_check_chain(&settings, FED__UPDATE_ON_GRID), FED_OK);
  assert_int_equal(
      fed__stage_check_chain(&settings, FED__UPDATE_ON_GRID | FED__UPDATE_NORM_BOUNDED),
      FED_E_INPUT);
  assert_message_has("clip_norm");
  settings.clip_norm = 1;
  assert_int_equal(
      fed__stage_check_chain(&settings, FED__UPDATE_ON_GRID | FED__UPDATE_NORM_BOUNDED), FED_OK);
}

static void needs_between_stages_are_checked(void **state) {
  (void)state;
  const struct fed__stage_settings settings = {.clip_norm = 1, .grid_bits = 8, .grid_step = 1};
  const struct fed__stage_ops *const clip_first[] = {&fed__stage_clip, &fed__stage_difference,
                                                     NULL},
                                     *const grid_alone[] = {&fed__stage_grid, NULL};
  assert_int_equal(fed__stage_check_list(clip_first, &settings, 0), FED_E_INPUT);
  assert_message_has("stage 'clip'");
  assert_message_has("difference");
  assert_int_equal(fed__stage_check_list(grid_alone, &settings, 0), FED_E_INPUT);
  assert_message_has("stage 'grid'");
}

static void the_whole_chain_runs_in_order(void **state) {
  (void)state;
  float values[] = {13, -6, 1}, received[] = {10, -2, 1}; /* difference 3, -4, 0: norm 5 */
  int16_t grid[3];
  float mean[3];
  const struct fed__stage_settings settings = {
      .clip_norm = 2.5, .grid_bits = 16, .grid_step = 0x1p-4};
  struct fed__update update = {.values = values,
                               .received = received,
                               .received_count = 3,
                               .element_count = 3,
                               .grid = grid};
  assert_int_equal(fed__stage_run_client(&settings, &update), FED_OK);
  assert_true(update.norm == 5);
  assert_int_equal(grid[0], 24); /* 1.5 * 16 */
  assert_int_equal(grid[1], -32);
  assert_int_equal(grid[2], 0);
  const int64_t sum[] = {24 * 3 + 8, -32 * 3, 0};
  assert_int_equal(fed__stage_run_server(&settings, sum, 4, 3, mean), FED_OK);
  assert_true(mean[0] == 1.25f && mean[1] == -1.5f && mean[2] == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_difference_is_numpys),
      cmocka_unit_test(clipping_is_numpys),
      cmocka_unit_test(the_grid_is_numpys),
      cmocka_unit_test(the_mean_is_numpys),
      cmocka_unit_test(a_short_update_is_not_clipped),
      cmocka_unit_test(nothing_and_zeros_have_norm_zero),
      cmocka_unit_test(the_clipped_norm_is_just_not_above_the_bound),
      cmocka_unit_test(the_largest_floats_are_clipped),
      cmocka_unit_test(what_is_not_finite_is_refused_by_name),
      cmocka_unit_test(a_diverged_model_is_refused_by_the_chain),
      cmocka_unit_test(ties_go_to_the_even_multiple_and_the_ends_clamp),
      cmocka_unit_test(blocks_are_rounded_as_the_c_library_does),
      cmocka_unit_test(extreme_steps_are_exact),
      cmocka_unit_test(extreme_steps_are_exact_in_narrow_grids),
      cmocka_unit_test(every_half_step_is_rounded_as_by_the_c_library),
      cmocka_unit_test(wrong_settings_are_refused),
      cmocka_unit_test(needs_of_the_rule_are_checked),
      cmocka_unit_test(needs_between_stages_are_checked),
      cmocka_unit_test(the_whole_chain_runs_in_order),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
