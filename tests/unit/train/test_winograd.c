/* SPDX-License-Identifier: Apache-2.0
 *
 * test_winograd.c: how far convolutions by Winograd's tiles are from direct ones in float64, beside
 * what the theory of rounding allows.
 *
 * A tile's result is A'[(G g G') . (B' d B)]A, with the matrices of Cook and Toom (Lavin and Gray,
 * "Fast Algorithms for Convolutional Neural Networks", 2016): over 4 x 4 outputs for y and dx,
 * F(4 x 4, 3 x 3), over 3 x 3 for dw, F(3 x 3, 4 x 4), both of 6 points: 0, +-5/8, +-3/2 and
 * infinity, which oneDNN takes. Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and
 * Improving the Accuracy of Winograd Convolution for Deep Neural Networks" (2020), bound each
 * error by the same formula over absolute values, times the number of roundings on the way; how
 * large it is in practice is told by the textbook's steps with each result rounded to float32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/train/kernel_vectors.h"

#define POINTS 6
#define ROUNDING 0x1p-24

/* Exact; rounded to float32 after every operation; or of absolute values, exactly. */
enum mode { EXACT, ROUNDED, SIZES };

/* Tiles of outs x outs results with filters of taps x taps. */
struct form {
  enum mode mode;
  int outs, taps;
  double a[POINTS][POINTS], g[POINTS][POINTS], b[POINTS][POINTS]; /* A', G, B' */
};

static const double points[POINTS - 1] = {0, 0.625, -0.625, 1.5, -1.5};

/* The coefficients of the product of (z - point) over all points but one; -1: over all. */
static void expand(int without, double coefficients[POINTS]) {
  memset(coefficients, 0, POINTS * sizeof(double));
  coefficients[0] = 1;
  for (int i = 0, degree = 0; i < POINTS - 1; i++) {
    if (i == without) continue;
    degree++;
    for (int j = degree; j >= 0; j--)
      coefficients[j] = (j > 0 ? coefficients[j - 1] : 0) - points[i] * coefficients[j];
  }
}

static void make_row(struct form *form, int i) {
  double scale = 1;
  for (int j = 0; j < POINTS - 1; j++)
    if (j != i) scale *= points[i] - points[j];
  for (int j = 0; j < form->outs; j++) form->a[j][i] = pow(points[i], j);
  for (int j = 0; j < form->taps; j++) form->g[i][j] = pow(points[i], j) / scale;
  expand(i, form->b[i]);
}

static struct form make_form(int outs, int taps, enum mode mode) {
  struct form form = {.mode = mode, .outs = outs, .taps = taps};
  for (int i = 0; i < POINTS - 1; i++) make_row(&form, i);
  form.a[outs - 1][POINTS - 1] = form.g[POINTS - 1][taps - 1] = 1;
  expand(-1, form.b[POINTS - 1]);
  for (int i = 0; i < POINTS && mode == SIZES; i++)
    for (int j = 0; j < POINTS; j++) {
      form.a[i][j] = fabs(form.a[i][j]);
      form.g[i][j] = fabs(form.g[i][j]);
      form.b[i][j] = fabs(form.b[i][j]);
    }
  return form;
}

static double keep(const struct form *form, double value) {
  return form->mode == ROUNDED ? (double)(float)value : value;
}

/* m v m', of rows x rows numbers. */
static void transform(const struct form *form, double m[POINTS][POINTS], int rows, int inner,
                      double v[POINTS][POINTS], double result[POINTS][POINTS]) {
  double half[POINTS][POINTS] = {{0}};
  memset(result, 0, sizeof half);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < inner; j++)
      for (int k = 0; k < inner; k++)
        half[i][j] = keep(form, half[i][j] + keep(form, keep(form, m[i][k]) * v[k][j]));
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < rows; j++)
      for (int k = 0; k < inner; k++)
        result[i][j] = keep(form, result[i][j] + keep(form, half[i][k] * keep(form, m[j][k])));
}

/* Images of height x width, by number; outside they are zero. */
struct images {
  const double *values;
  int64_t height, width;
};

static void cut(const struct form *form, const struct images *images, int64_t number, int64_t top,
                int64_t left, int size, double tile[POINTS][POINTS]) {
  for (int64_t i = 0; i < size; i++)
    for (int64_t j = 0; j < size; j++) {
      const int64_t y = top + i, x = left + j;
      const int inside = y >= 0 && y < images->height && x >= 0 && x < images->width;
      const double value =
          inside ? images->values[(number * images->height + y) * images->width + x] : 0;
      tile[i][j] = form->mode == SIZES ? fabs(value) : value;
    }
}

static void add_product(const struct form *form, double d[POINTS][POINTS], double g[POINTS][POINTS],
                        double sum[POINTS][POINTS]) {
  double u[POINTS][POINTS], v[POINTS][POINTS];
  transform(form, (double(*)[POINTS])(uintptr_t)form->g, POINTS, form->taps, g, u);
  transform(form, (double(*)[POINTS])(uintptr_t)form->b, POINTS, POINTS, d, v);
  for (int i = 0; i < POINTS; i++)
    for (int j = 0; j < POINTS; j++)
      sum[i][j] = keep(form, sum[i][j] + keep(form, u[i][j] * v[i][j]));
}

/* ---- the three passes ----------------------------------------------------------------------- */

/* batch images of ins channels, to outs channels; padded by pad before. */
struct shape {
  int64_t batch, ins, outs, height, width, pad;
};

static int64_t out_extent(int64_t extent, int64_t pad) { return extent + 2 * pad - 2; }

/* y[n, k] = sum over c of x[n, c] with w[k, c]. */
static void correlate(const struct form *form, const struct shape *shape, const double *x,
                      const double *w, double *y) {
  const struct images images = {x, shape->height, shape->width}, filters = {w, 3, 3};
  const int64_t height = out_extent(shape->height, shape->pad);
  const int64_t width = out_extent(shape->width, shape->pad);
  for (int64_t number = 0; number < shape->batch * shape->outs; number++)
    for (int64_t top = 0; top < height; top += form->outs)
      for (int64_t left = 0; left < width; left += form->outs) {
        double d[POINTS][POINTS], g[POINTS][POINTS], sum[POINTS][POINTS] = {{0}};
        for (int64_t c = 0; c < shape->ins; c++) {
          const int64_t from = number / shape->outs * shape->ins + c;
          cut(form, &images, from, top - shape->pad, left - shape->pad, POINTS, d);
          cut(form, &filters, number % shape->outs * shape->ins + c, 0, 0, 3, g);
          add_product(form, d, g, sum);
        }
        transform(form, (double(*)[POINTS])(uintptr_t)form->a, form->outs, POINTS, sum, d);
        for (int64_t i = 0; i < form->outs && top + i < height; i++)
          for (int64_t j = 0; j < form->outs && left + j < width; j++)
            y[(number * height + top + i) * width + left + j] = d[i][j];
      }
}

/* dw[k, c] = sum over n of x[n, c] with dy[n, k], in tiles of dy. */
static void correlate_for_weights(const struct form *form, const struct shape *shape,
                                  const double *x, const double *dy, double *dw) {
  const int64_t height = out_extent(shape->height, shape->pad);
  const int64_t width = out_extent(shape->width, shape->pad);
  const struct images images = {x, shape->height, shape->width}, slopes = {dy, height, width};
  for (int64_t number = 0; number < shape->outs * shape->ins; number++) {
    const int64_t k = number / shape->ins, c = number % shape->ins;
    double d[POINTS][POINTS], g[POINTS][POINTS], sum[POINTS][POINTS] = {{0}};
    for (int64_t n = 0; n < shape->batch; n++)
      for (int64_t top = 0; top < height; top += form->taps)
        for (int64_t left = 0; left < width; left += form->taps) {
          cut(form, &images, n * shape->ins + c, top - shape->pad, left - shape->pad, POINTS, d);
          cut(form, &slopes, n * shape->outs + k, top, left, form->taps, g);
          add_product(form, d, g, sum);
        }
    transform(form, (double(*)[POINTS])(uintptr_t)form->a, form->outs, POINTS, sum, d);
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) dw[number * 9 + i * 3 + j] = d[i][j];
  }
}

/* From [k, c] to [c, k], turned by half a circle: with these dy gives dx. */
static void turn_filters(const struct shape *shape, const double *w, double *turned) {
  for (int64_t k = 0; k < shape->outs; k++)
    for (int64_t c = 0; c < shape->ins; c++)
      for (int64_t i = 0; i < 9; i++)
        turned[(c * shape->outs + k) * 9 + 8 - i] = w[(k * shape->ins + c) * 9 + i];
}

/* ---- comparing ------------------------------------------------------------------------------ */

struct arrays {
  struct vector x, w, turned, dy, y, dx, dw;
};

static size_t volume(int64_t a, int64_t b, int64_t c, int64_t d) { return (size_t)(a * b * c * d); }

static struct arrays new_arrays(const struct shape *s) {
  const size_t x = volume(s->batch, s->ins, s->height, s->width), w = volume(s->ins, s->outs, 3, 3);
  const size_t y =
      volume(s->batch, s->outs, out_extent(s->height, s->pad), out_extent(s->width, s->pad));
  struct arrays arrays = {new_random(x, 1), new_random(w, 2), new_vector(w), new_random(y, 3),
                          new_result(y),    new_result(x),    new_result(w)};
  turn_filters(s, arrays.w.wide, arrays.turned.wide);
  return arrays;
}

static void free_arrays(struct arrays *a) {
  struct vector *all[] = {&a->x, &a->w, &a->turned, &a->dy, &a->y, &a->dx, &a->dw};
  for (size_t i = 0; i < COUNT(all); i++) free_vector(all[i]);
}

static void run_tiles(const struct shape *shape, enum mode mode, struct arrays *a) {
  const struct form form = make_form(4, 3, mode), for_weights = make_form(3, 4, mode);
  const struct shape back = {shape->batch,
                             shape->outs,
                             shape->ins,
                             out_extent(shape->height, shape->pad),
                             out_extent(shape->width, shape->pad),
                             2 - shape->pad};
  correlate(&form, shape, a->x.wide, a->w.wide, a->y.wide);
  correlate(&form, &back, a->dy.wide, a->turned.wide, a->dx.wide);
  correlate_for_weights(&for_weights, shape, a->x.wide, a->dy.wide, a->dw.wide);
}

static struct fed_conv conv_of(const struct shape *s) {
  const int64_t height = out_extent(s->height, s->pad), width = out_extent(s->width, s->pad);
  return (struct fed_conv){.batch = s->batch,
                           .in_channels = s->ins,
                           .out_channels = s->outs,
                           .groups = 1,
                           .window = {.in = {1, s->height, s->width},
                                      .out = {1, height, width},
                                      .kernel = {1, 3, 3},
                                      .stride = {1, 1, 1},
                                      .dilation = {1, 1, 1},
                                      .pad_before = {0, s->pad, s->pad},
                                      .pad_after = {0, s->pad, s->pad}}};
}

static void run_oracle(const struct shape *shape, struct arrays *a) {
  const struct fed_conv conv = conv_of(shape);
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(oracle->conv_new(&context, &conv, &instance), FED_OK);
  oracle->conv_forward(instance, a->x.wide, a->w.wide, NULL, a->y.wide);
  oracle->conv_backward(instance, a->x.wide, a->w.wide, a->dy.wide, a->dx.wide, a->dw.wide, NULL);
  oracle->instance_free(instance);
}

static void run_kernels(enum fed_kernels kernels, const struct shape *shape, struct arrays *a) {
  const struct fed_kernel_table *table = NULL;
  const struct fed_conv conv = conv_of(shape);
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(fed__kernels_choose(kernels, FED_PRECISION_F32, &table), FED_OK);
  assert_int_equal(table->conv_new(&context, &conv, &instance), FED_OK);
  table->conv_forward(instance, a->x.narrow, a->w.narrow, NULL, a->y.narrow);
  table->conv_backward(instance, a->x.narrow, a->w.narrow, a->dy.narrow, a->dx.narrow, a->dw.narrow,
                       NULL);
  table->instance_free(instance);
}

/* Each error within the bound, and all together what those of the textbook's steps are. */
static void check_errors(const char *what, const struct vector *exact, const struct vector *narrow,
                         const struct vector *textbook, const struct vector *sizes,
                         double roundings) {
  double squares = 0, expected = 0;
  for (size_t i = 0; i < exact->size; i++) {
    const double error = (double)narrow->narrow[i] - exact->wide[i];
    if (!(fabs(error) <= roundings * ROUNDING * sizes->wide[i]))
      fail_msg("%s[%zu] is %g off %g; the bound is %g", what, i, error, exact->wide[i],
               roundings * ROUNDING * sizes->wide[i]);
    squares += error * error;
    expected += (textbook->wide[i] - exact->wide[i]) * (textbook->wide[i] - exact->wide[i]);
  }
  if (!(squares <= 1.5 * 1.5 * expected))
    fail_msg("%s: the errors are %g times the textbook's", what, sqrt(squares / expected));
}

static const struct shape shapes[] = {
    {2, 16, 16, 16, 16, 1}, {2, 32, 48, 17, 15, 1}, {3, 16, 32, 30, 19, 0},
    {1, 64, 64, 8, 8, 1},   {1, 128, 16, 8, 8, 1},  {1, 16, 128, 16, 16, 1},
};

static void tiles_without_rounding_are_convolutions(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(shapes); i++) {
    struct arrays exact = new_arrays(&shapes[i]), tiles = new_arrays(&shapes[i]);
    run_oracle(&shapes[i], &exact);
    run_tiles(&shapes[i], EXACT, &tiles);
    assert_same_doubles(exact.y.wide, tiles.y.wide, exact.y.size);
    assert_same_doubles(exact.dx.wide, tiles.dx.wide, exact.dx.size);
    assert_same_doubles(exact.dw.wide, tiles.dw.wide, exact.dw.size);
    free_arrays(&exact), free_arrays(&tiles);
  }
}

/* The transforms of one dimension: sums of POINTS terms (A', B') and of the taps (G, whose
 * coefficients are rounded, too); in two dimensions twice; and the sum of the products. */
static double count_roundings(int taps, int64_t products) {
  return 2 * (POINTS + POINTS + taps + 1) + 1 + (double)products;
}

static void check_shape(const struct shape *shape) {
  struct arrays exact = new_arrays(shape), textbook = new_arrays(shape), sizes = new_arrays(shape);
  const int64_t tiles = (out_extent(shape->height, shape->pad) + 3) / 4 *
                        ((out_extent(shape->width, shape->pad) + 3) / 4) * shape->batch;
  run_oracle(shape, &exact);
  run_tiles(shape, ROUNDED, &textbook);
  run_tiles(shape, SIZES, &sizes);
  run_kernels(FED_KERNELS_AUTO, shape, &exact);
  check_errors("y", &exact.y, &exact.y, &textbook.y, &sizes.y, count_roundings(3, shape->ins));
  check_errors("dx", &exact.dx, &exact.dx, &textbook.dx, &sizes.dx,
               count_roundings(3, shape->outs));
  check_errors("dw", &exact.dw, &exact.dw, &textbook.dw, &sizes.dw, count_roundings(4, tiles));
  free_arrays(&exact), free_arrays(&textbook), free_arrays(&sizes);
}

/* Where processor or library have no tiles for the shape the kernels are the direct ones. */
static int has_tiles(const struct shape *shape) {
  struct arrays direct = new_arrays(shape), fastest = new_arrays(shape);
  run_kernels(FED_KERNELS_DIRECT, shape, &direct);
  run_kernels(FED_KERNELS_AUTO, shape, &fastest);
  const int differ = memcmp(direct.y.narrow, fastest.y.narrow, direct.y.size * sizeof(float)) != 0;
  free_arrays(&direct), free_arrays(&fastest);
  return differ;
}

static void errors_are_those_of_the_algorithm(void **state) {
  (void)state;
  size_t checked = 0;
  for (size_t i = 0; i < COUNT(shapes); i++) {
    if (!has_tiles(&shapes[i])) continue;
    check_shape(&shapes[i]);
    checked++;
  }
  if (!checked) skip();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_without_rounding_are_convolutions),
      cmocka_unit_test(errors_are_those_of_the_algorithm),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
