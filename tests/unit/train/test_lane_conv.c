/* SPDX-License-Identifier: Apache-2.0
 *
 * test_lane_conv.c: convolution with images side by side, of each instruction set that the
 * processor has, against the double reference; and which convolutions are done so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/train/conv_harness.h"

#include "train/kernels/instance.h"
#include "train/kernels/vector/lane_conv.h"

/* The instruction set of the table below, and how many convolutions it did. */
static const struct fed__lane_conv *lane_code;
static int lane_count;

static int new_lane_conv(const struct fed_context *own, const struct fed_conv *shape,
                         struct fed_kernel_instance **instance) {
  if (!fed__lane_conv_fits(shape)) return fed__conv_instance_new(own, shape, instance);
  lane_count++;
  return fed__lane_conv_new(own, shape, lane_code, instance);
}

static void lane_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                         const void *bias, void *y) {
  if (fed__lane_conv_made(instance))
    fed__lane_conv_forward(instance, x, w, bias, y);
  else
    fed__kernels_reference_f32.conv_forward(instance, x, w, bias, y);
}

static void lane_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                          const void *dy, void *dx, void *dw, void *dbias) {
  if (fed__lane_conv_made(instance))
    fed__lane_conv_backward(instance, x, w, dy, dx, dw, dbias);
  else
    fed__kernels_reference_f32.conv_backward(instance, x, w, dy, dx, dw, dbias);
}

static void check_lanes(const struct fed__lane_conv *code) {
  struct fed_kernel_table table = fed__kernels_reference_f32;
  table.conv_new = new_lane_conv;
  table.conv_forward = lane_forward;
  table.conv_backward = lane_backward;
  lane_code = code;
  lane_count = 0;
  check_table(&table);
  assert_true(lane_count >= 16);
  check_allocation_failures(&table);
}

/* What this processor takes, and AVX2, where it is not that but there. */
static void lanes_convolve(void **state) {
  (void)state;
  const struct fed__lane_conv *found = fed__lane_conv_find();
  if (!found) skip();
  check_lanes(found);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    check_lanes(&fed__lane_conv_avx2);
#endif
}

/* What networks for small images have, and what is left to others. */
static void few_channels_go_side_by_side(void **state) {
  (void)state;
  const struct fed__lane_conv code = {.lanes = 16};
  static const struct {
    int64_t batch, in, out, size;
    int pays;
  } shapes[] = {{64, 1, 6, 28, 1},  {64, 6, 16, 12, 1}, {10, 6, 16, 12, 1}, {7, 6, 16, 12, 0},
                {18, 1, 6, 28, 1},  {16, 1, 32, 28, 0}, {64, 3, 16, 32, 0}, {64, 32, 64, 14, 0},
                {16, 3, 8, 224, 0}, {64, 8, 64, 8, 0}};
  for (size_t i = 0; i < COUNT(shapes); i++) {
    const struct conv_case c = {.batch = shapes[i].batch,
                                .in = shapes[i].in,
                                .out = shapes[i].out,
                                .groups = 1,
                                .size = {1, shapes[i].size, shapes[i].size},
                                .kernel = {1, 5, 5},
                                .stride = ONES,
                                .dilation = ONES};
    const struct fed_conv conv = conv_of(&c);
    assert_int_equal(fed__lane_conv_pays(&conv, &code), shapes[i].pays);
  }
}

/* The tables that are chosen automatically have both kinds. */
static void automatic_tables_take_the_faster(void **state) {
  (void)state;
  static const enum fed_kernels wanted[] = {FED_KERNELS_AUTO, FED_KERNELS_DIRECT};
  for (size_t i = 0; i < 2 * COUNT(wanted); i++) {
    const struct conv_case c = {.batch = 64,
                                .in = 1,
                                .out = i % 2 ? 6 : 32,
                                .groups = 1,
                                .size = {1, 28, 28},
                                .kernel = {1, 5, 5},
                                .stride = ONES,
                                .dilation = ONES};
    const struct fed_conv conv = conv_of(&c);
    const struct fed_kernel_table *table = oracle;
    assert_int_equal(fed__kernels_choose(wanted[i / 2], FED_PRECISION_F32, &table), FED_OK);
    struct fed_kernel_instance *instance = new_conv(table, &conv);
    assert_int_equal(fed__lane_conv_made(instance), i % 2 && fed__lane_conv_find());
    table->instance_free(instance);
    check_conv(table, &conv, "automatic");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lanes_convolve),
      cmocka_unit_test(few_channels_go_side_by_side),
      cmocka_unit_test(automatic_tables_take_the_faster),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
