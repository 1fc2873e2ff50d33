/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.c: the stage that bounds an update's L2 norm (McMahan et al. 2018, section 3): an update
 * longer than clip_norm is scaled down to it, a shorter one is left as it is. Two passes over the
 * elements. The clipped norm is never above clip_norm, not even by a rounding error.
 *
 * The norm is summed in double in a fixed order, so it is the same in every build.
 */
#include "base/raise.h"
#include "stage/stage.h"

#include <math.h>

#define LANES 8

static int is_active(const struct fed__stage_settings *settings) {
  return settings->clip_norm != 0;
}

static int check_norm(const struct fed__stage_settings *settings) {
  if (isfinite(settings->clip_norm) && settings->clip_norm > 0) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "clip_norm: expected a positive number, or 0 to not clip; found %g",
                   settings->clip_norm);
}

/* Independent lanes let the compiler use vectors without changing the order. */
static double sum_squares(const float *values, size_t count) {
  double lanes[LANES] = {0}, sum = 0;
  const size_t whole = count - count % LANES;
  for (size_t i = 0; i < whole; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] += (double)values[i + k] * (double)values[i + k];
  for (size_t i = whole; i < count; i++) sum += (double)values[i] * (double)values[i];
  for (size_t k = 0; k < LANES; k++) sum += lanes[k];
  return sum;
}

static int raise_not_finite(const struct fed__update *update) {
  size_t i = 0;
  while (i + 1 < update->element_count && isfinite(update->values[i])) i++;
  return FED_RAISE(FED_E_NOT_FINITE,
                   "element %zu of the update: expected a finite number, found %g; the training "
                   "diverged: lower the learning rate or look at the data",
                   i, (double)update->values[i]);
}

static int clip_update(const struct fed__stage_settings *settings, struct fed__update *update) {
  update->norm = sqrt(sum_squares(update->values, update->element_count));
  if (!isfinite(update->norm)) return raise_not_finite(update);
  if (update->norm <= settings->clip_norm) return FED_OK;
  /* A product's rounding to float can lengthen it by 2^-24 of itself: leave room for that. */
  const double scale = settings->clip_norm / update->norm * (1 - 0x1p-23);
  for (size_t i = 0; i < update->element_count; i++)
    update->values[i] = (float)((double)update->values[i] * scale);
  return FED_OK;
}

const struct fed__stage_ops fed__stage_clip = {
    .name = "clip",
    .needs = FED__UPDATE_IS_DIFFERENCE,
    .gives = FED__UPDATE_NORM_BOUNDED,
    .active = is_active,
    .check = check_norm,
    .client = clip_update,
};
