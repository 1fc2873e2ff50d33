/* SPDX-License-Identifier: Apache-2.0
 *
 * test_winograd.c: how far convolutions by Winograd's tiles are from direct ones in float64, beside
 * what the theory of rounding allows.
 *
 * A tile of 4 x 4 results is A'[(G g G') . (B' d B)]A, with the matrices of Cook and Toom (Lavin
 * and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016), of 6 points: 0, +-5/8,
 * +-3/2 and infinity, which oneDNN takes. Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis
 * and Improving the Accuracy of Winograd Convolution for Deep Neural Networks" (2020), bound each
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
#define OUTS 4
#define TAPS 3
#define ROUNDING 0x1p-24

/* Exact; rounded to float32 after every operation; or of absolute values, exactly. */
enum mode { EXACT, ROUNDED, SIZES };

struct form {
  enum mode mode;
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
  for (int j = 0; j < OUTS; j++) form->a[j][i] = pow(points[i], j);
  for (int j = 0; j < TAPS; j++) form->g[i][j] = pow(points[i], j) / scale;
  expand(i, form->b[i]);
}

static struct form make_form(enum mode mode) {
  struct form form = {.mode = mode};
  for (int i = 0; i < POINTS - 1; i++) make_row(&form, i);
  form.a[OUTS - 1][POINTS - 1] = form.g[POINTS - 1][TAPS - 1] = 1;
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
  transform(form, (double(*)[POINTS])(uintptr_t)form->g, POINTS, TAPS, g, u);
  transform(form, (double(*)[POINTS])(uintptr_t)form->b, POINTS, POINTS, d, v);
  for (int i = 0; i < POINTS; i++)
    for (int j = 0; j < POINTS; j++)
      sum[i][j] = keep(form, sum[i][j] + keep(form, u[i][j] * v[i][j]));
}

/* ---- the passes ----------------------------------------------------------------------------- */

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
    for (int64_t top = 0; top < height; top += OUTS)
      for (int64_t left = 0; left < width; left += OUTS) {
        double d[POINTS][POINTS], g[POINTS][POINTS], sum[POINTS][POINTS] = {{0}};
        for (int64_t c = 0; c < shape->ins; c++) {
          const int64_t from = number / shape->outs * shape->ins + c;
          cut(form, &images, from, top - shape->pad, left - shape->pad, POINTS, d);
          cut(form, &filters, number % shape->outs * shape->ins + c, 0, 0, 3, g);
          add_product(form, d, g, sum);
        }
        transform(form, (double(*)[POINTS])(uintptr_t)form->a, OUTS, POINTS, sum, d);
        for (int64_t i = 0; i < OUTS && top + i < height; i++)
          for (int64_t j = 0; j < OUTS && left + j < width; j++)
            y[(number * height + top + i) * width + left + j] = d[i][j];
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
  const struct form form = make_form(mode);
  const struct shape back = {shape->batch,
                             shape->outs,
                             shape->ins,
                             out_extent(shape->height, shape->pad),
                             out_extent(shape->width, shape->pad),
                             2 - shape->pad};
  correlate(&form, shape, a->x.wide, a->w.wide, a->y.wide);
  correlate(&form, &back, a->dy.wide, a->turned.wide, a->dx.wide);
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
static void check_errors(const char *what, const struct vector *exact,
                         const struct vector *textbook, const struct vector *sizes,
                         double roundings) {
  double squares = 0, expected = 0;
  for (size_t i = 0; i < exact->size; i++) {
    const double error = (double)exact->narrow[i] - exact->wide[i];
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
    {2, 32, 32, 16, 16, 1}, {1, 32, 48, 17, 15, 1}, {1, 48, 32, 14, 19, 0},
    {1, 64, 64, 8, 8, 1},   {1, 128, 32, 8, 8, 1},  {1, 32, 128, 12, 12, 1},
};

static void tiles_without_rounding_are_convolutions(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(shapes); i++) {
    struct arrays exact = new_arrays(&shapes[i]), tiles = new_arrays(&shapes[i]);
    run_oracle(&shapes[i], &exact);
    run_tiles(&shapes[i], EXACT, &tiles);
    assert_same_doubles(exact.y.wide, tiles.y.wide, exact.y.size);
    assert_same_doubles(exact.dx.wide, tiles.dx.wide, exact.dx.size);
    free_arrays(&exact), free_arrays(&tiles);
  }
}

/* The transforms of one dimension: sums of POINTS terms (A', B') and of TAPS (G, whose coefficients
 * are rounded, too); in two dimensions twice; and the sum of the products. */
static double count_roundings(int64_t products) {
  return 2 * (POINTS + POINTS + TAPS + 1) + 1 + (double)products;
}

static void check_shape(const struct shape *shape) {
  struct arrays exact = new_arrays(shape), textbook = new_arrays(shape), sizes = new_arrays(shape);
  run_oracle(shape, &exact);
  run_tiles(shape, ROUNDED, &textbook);
  run_tiles(shape, SIZES, &sizes);
  run_kernels(FED_KERNELS_AUTO, shape, &exact);
  check_errors("y", &exact.y, &textbook.y, &sizes.y, count_roundings(shape->ins));
  check_errors("dx", &exact.dx, &textbook.dx, &sizes.dx, count_roundings(shape->outs));
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

/* A weight whose gradient is zero does not move. Tiles would give it what rounding leaves of its
 * neighbours', and Adam, which divides by it, would make a step of that. */
static void gradients_of_zero_are_zero(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(shapes); i++) {
    if (shapes[i].pad != 1) continue;
    struct arrays a = new_arrays(&shapes[i]);
    const size_t plane = (size_t)(shapes[i].height * shapes[i].width);
    for (size_t j = 0; j < a.x.size; j++)
      if (j % plane != 0) a.x.narrow[j] = 0; /* the corner alone is not: no window's end sees it */
    run_kernels(FED_KERNELS_AUTO, &shapes[i], &a);
    for (size_t j = 0; j < a.dw.size; j++) {
      const int unseen = j % 3 == 2 || j % 9 / 3 == 2;
      assert_true(unseen ? a.dw.narrow[j] == 0 : a.dw.narrow[j] != 0);
    }
    free_arrays(&a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_without_rounding_are_convolutions),
      cmocka_unit_test(errors_are_those_of_the_algorithm),
      cmocka_unit_test(gradients_of_zero_are_zero),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
