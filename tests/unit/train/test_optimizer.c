/* SPDX-License-Identifier: Apache-2.0
 *
 * test_optimizer.c: six steps of each optimiser against torch.optim of PyTorch 2.15 in float64,
 * clipping against torch.nn.utils and its definition, and what options are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#define COUNT 4
#define STEPS 6

/* Parameters [1, -2, 0.5, 0]; gradient of step t: sin(3 i + 7 t) * [1, 0.01, 10, 0.1]. */
static const double start[COUNT] = {1, -2, 0.5, 0};

static const struct {
  const char *name;
  struct fed_train_options options;
  double expected[COUNT];
} cases[] = {
    {"sgd",
     {.optimizer = FED_OPTIMIZER_SGD, .weight_decay = 0.01},
     {0.7620713327136446, -1.9856589782369358, -1.8780644063747245, 0.02331624919557871}},
    {"sgd, momentum",
     {.optimizer = FED_OPTIMIZER_SGD, .momentum = 0.8, .weight_decay = 0.01},
     {0.2635350145534082, -1.9628449922034232, -5.700441946490755, 0.05491198897783355}},
    {"sgd, nesterov",
     {.optimizer = FED_OPTIMIZER_SGD, .momentum = 0.8, .nesterov = 1, .weight_decay = 0.01},
     {0.17470667330588965, -1.9560252387420016, -6.827052237904943, 0.06716785341737698}},
    {"adam",
     {.optimizer = FED_OPTIMIZER_ADAM, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.01},
     {0.5035441472407223, -1.4061051172087689, 0.2642283856146388, 0.18146956543335563}},
    {"adamw",
     {.optimizer = FED_OPTIMIZER_ADAMW, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.2},
     {0.5086935388965975, -1.5023653078660457, 0.2094842817294269, 0.1813592636004222}},
    {"adagrad",
     {.optimizer = FED_OPTIMIZER_ADAGRAD, .weight_decay = 0.01},
     {0.6679175652293355, -1.6352993497461992, 0.33693927147905356, 0.1539284907283376}},
    {"rmsprop",
     {.optimizer = FED_OPTIMIZER_RMSPROP, .rho = 0.9, .weight_decay = 0.01},
     {-0.051920729353331946, -0.8935378679502204, -0.03592055551054895, 0.5070138425973681}},
    {"rmsprop, momentum",
     {.optimizer = FED_OPTIMIZER_RMSPROP, .rho = 0.9, .momentum = 0.8, .weight_decay = 0.01},
     {-2.482237941086682, 0.8850523217836064, -0.780667428841906, 1.105878184954377}},
};

static const struct fed__optimizer *find(const struct fed_train_options *options) {
  const struct fed__optimizer *optimizer;
  if (fed__optimizer_find(options, &optimizer) != FED_OK) fail_msg("%s", fed_error_last()->message);
  return optimizer;
}

static double gradient_of(size_t i, size_t step) {
  static const double sizes[COUNT] = {1, 0.01, 10, 0.1};
  return sin(3.0 * (double)i + 7.0 * (double)step) * sizes[i];
}

static struct fed_train_options complete(struct fed_train_options options) {
  options.learning_rate = 0.1;
  options.epsilon = 1e-6;
  return options;
}

static void run_f64(const struct fed_train_options *options, double values[COUNT]) {
  double gradient[COUNT], states[2][COUNT] = {{0}};
  const struct fed__optimizer *optimizer = find(options);
  const size_t kept = optimizer->state_count(options);
  memcpy(values, start, sizeof start);
  for (size_t step = 0; step < STEPS; step++) {
    for (size_t i = 0; i < COUNT; i++) gradient[i] = gradient_of(i, step);
    if (options->clip_value > 0)
      fed__gradient_clamp(FED_PRECISION_F64, gradient, COUNT, options->clip_value);
    const struct fed__update update = {optimizer,
                                       options,
                                       values,
                                       gradient,
                                       {kept > 0 ? states[0] : NULL, kept > 1 ? states[1] : NULL},
                                       COUNT,
                                       0.1,
                                       1,
                                       step + 1};
    optimizer->update[FED_PRECISION_F64](&update);
  }
}

static void run_f32(const struct fed_train_options *options, float values[COUNT]) {
  float gradient[COUNT], states[2][COUNT] = {{0}};
  const struct fed__optimizer *optimizer = find(options);
  const size_t kept = optimizer->state_count(options);
  for (size_t i = 0; i < COUNT; i++) values[i] = (float)start[i];
  for (size_t step = 0; step < STEPS; step++) {
    for (size_t i = 0; i < COUNT; i++) gradient[i] = (float)gradient_of(i, step);
    const struct fed__update update = {optimizer,
                                       options,
                                       values,
                                       gradient,
                                       {kept > 0 ? states[0] : NULL, kept > 1 ? states[1] : NULL},
                                       COUNT,
                                       0.1,
                                       1,
                                       step + 1};
    optimizer->update[FED_PRECISION_F32](&update);
  }
}

static void test_against_torch(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct fed_train_options options = complete(cases[i].options);
    double values[COUNT];
    float narrow[COUNT];
    run_f64(&options, values);
    run_f32(&options, narrow);
    for (size_t j = 0; j < COUNT; j++) {
      const double expected = cases[i].expected[j];
      if (!(fabs(values[j] - expected) <= 1e-14))
        fail_msg("%s [%zu]: expected %.17g, found %.17g", cases[i].name, j, expected, values[j]);
      if (!(fabs((double)narrow[j] - expected) <= 2e-5))
        fail_msg("%s [%zu]: expected %.9g, found %.9g", cases[i].name, j, expected,
                 (double)narrow[j]);
    }
  }
}

/* torch.nn.utils.clip_grad_value_ before each step of plain SGD. */
static void test_clip_value(void **state) {
  (void)state;
  static const double expected[COUNT] = {0.865727688118828, -1.9976224539766703, 0.4,
                                         0.023358730679429274};
  const struct fed_train_options options =
      complete((struct fed_train_options){.optimizer = FED_OPTIMIZER_SGD, .clip_value = 0.5});
  double values[COUNT];
  run_f64(&options, values);
  for (size_t i = 0; i < COUNT; i++) assert_true(fabs(values[i] - expected[i]) <= 1e-15);
}

/* The clamp must not hide that a gradient went wrong. */
static void test_clamp_keeps_nan(void **state) {
  (void)state;
  float narrow[4] = {NAN, INFINITY, -INFINITY, 0.25f};
  double wide[4] = {NAN, INFINITY, -INFINITY, 0.25};
  fed__gradient_clamp(FED_PRECISION_F32, narrow, 4, 2);
  fed__gradient_clamp(FED_PRECISION_F64, wide, 4, 2);
  assert_true(isnan(narrow[0]) && isnan(wide[0]));
  assert_true(narrow[1] == 2 && wide[1] == 2 && narrow[2] == -2 && wide[2] == -2);
  assert_true(narrow[3] == 0.25f && wide[3] == 0.25);
}

static void check_refused(struct fed_train_options options, int code, const char *part) {
  const struct fed__optimizer *optimizer;
  assert_int_equal(fed__optimizer_find(&options, &optimizer), code);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
}

static void test_refusals(void **state) {
  (void)state;
  check_refused((struct fed_train_options){.optimizer = (enum fed_optimizer)5}, FED_E_USAGE, "5");
  check_refused((struct fed_train_options){.learning_rate = -1}, FED_E_RANGE, "learning_rate");
  check_refused((struct fed_train_options){.momentum = 1}, FED_E_RANGE, "momentum");
  check_refused((struct fed_train_options){.weight_decay = -1}, FED_E_RANGE, "weight_decay");
  check_refused((struct fed_train_options){.clip_value = NAN}, FED_E_RANGE, "clip_value");
  check_refused((struct fed_train_options){.clip_norm = -1}, FED_E_RANGE, "clip_norm");
  check_refused((struct fed_train_options){.nesterov = 1}, FED_E_RANGE, "nesterov");
  static const enum fed_optimizer without[] = {FED_OPTIMIZER_ADAM, FED_OPTIMIZER_ADAMW,
                                               FED_OPTIMIZER_ADAGRAD};
  for (size_t i = 0; i < 3; i++)
    check_refused((struct fed_train_options){.optimizer = without[i], .momentum = 0.5}, FED_E_RANGE,
                  "momentum");
  check_refused((struct fed_train_options){.optimizer = FED_OPTIMIZER_RMSPROP,
                                           .momentum = 0.5,
                                           .nesterov = 1},
                FED_E_RANGE, "nesterov");
  check_refused((struct fed_train_options){.optimizer = FED_OPTIMIZER_RMSPROP, .rho = 1},
                FED_E_RANGE, "rho");
  check_refused((struct fed_train_options){.optimizer = FED_OPTIMIZER_ADAMW, .beta1 = 1},
                FED_E_RANGE, "beta1");
  check_refused((struct fed_train_options){.optimizer = FED_OPTIMIZER_ADAM, .beta2 = -1},
                FED_E_RANGE, "beta2");
  check_refused((struct fed_train_options){.optimizer = FED_OPTIMIZER_ADAGRAD, .epsilon = NAN},
                FED_E_RANGE, "epsilon");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_torch),
      cmocka_unit_test(test_clip_value),
      cmocka_unit_test(test_clamp_keeps_nan),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
