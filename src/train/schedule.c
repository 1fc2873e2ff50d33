/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.c: constant, linear, cosine and stepwise learning rates, as factors of the first one,
 * after a linear rise.
 */
#include "train/schedule.h"
#include "base/raise.h"

#include <math.h>

static double progress(const struct fed_train_options *options, uint64_t step) {
  return step < options->schedule_steps ? (double)step / (double)options->schedule_steps : 1;
}

static double constant_factor(const struct fed_train_options *options, uint64_t step) {
  (void)options, (void)step;
  return 1;
}

static double linear_factor(const struct fed_train_options *options, uint64_t step) {
  return 1 + (options->schedule_floor - 1) * progress(options, step);
}

static double cosine_factor(const struct fed_train_options *options, uint64_t step) {
  const double floor = options->schedule_floor;
  return floor + (1 - floor) * (1 + cos(M_PI * progress(options, step))) / 2;
}

static double step_factor(const struct fed_train_options *options, uint64_t step) {
  const uint64_t times = step / options->schedule_every;
  return pow(options->schedule_factor, (double)times);
}

static const struct {
  double (*factor)(const struct fed_train_options *options, uint64_t step);
  int needs_steps, needs_every;
} schedules[] = {
    [FED_SCHEDULE_CONSTANT] = {constant_factor, 0, 0},
    [FED_SCHEDULE_LINEAR] = {linear_factor, 1, 0},
    [FED_SCHEDULE_COSINE] = {cosine_factor, 1, 0},
    [FED_SCHEDULE_STEP] = {step_factor, 0, 1},
};

int fed__schedule_check(const struct fed_train_options *options) {
  if ((size_t)options->schedule >= sizeof schedules / sizeof schedules[0])
    return FED_RAISE(FED_E_USAGE, "schedule %d does not exist", (int)options->schedule);
  if (schedules[options->schedule].needs_steps &&
      (options->schedule_steps == 0 ||
       !(options->schedule_floor >= 0 && options->schedule_floor <= 1)))
    return FED_RAISE(FED_E_RANGE, "this schedule needs schedule_steps above 0 and schedule_floor "
                                  "from 0 to 1");
  if (schedules[options->schedule].needs_every &&
      (options->schedule_every == 0 ||
       !(options->schedule_factor > 0 && options->schedule_factor <= 1)))
    return FED_RAISE(FED_E_RANGE, "this schedule needs schedule_every above 0 and schedule_factor "
                                  "above 0, at most 1");
  return FED_OK;
}

double fed__schedule_rate(const struct fed_train_options *options, uint64_t step) {
  if (step < options->warmup_steps)
    return options->learning_rate * ((double)(step + 1) / (double)options->warmup_steps);
  step -= options->warmup_steps;
  return options->learning_rate * schedules[options->schedule].factor(options, step);
}
