/* SPDX-License-Identifier: Apache-2.0
 *
 * difference.c: the stage that turns a trained model into what the training changed. One pass
 * over the elements. The server has nothing to undo: it adds the mean difference to its model.
 */
#include "base/raise.h"
#include "stage/stage.h"

#if defined(__clang__)
#define VECTORISED
#else
#define VECTORISED __attribute__((optimize("O3"))) /* from where GCC vectorises such loops */
#endif

static int always(const struct fed__stage_settings *settings) {
  (void)settings;
  return 1;
}

static int check_nothing(const struct fed__stage_settings *settings) {
  (void)settings;
  return FED_OK;
}

VECTORISED static void subtract(float *restrict values, const float *restrict received,
                                size_t count) {
  for (size_t i = 0; i < count; i++) values[i] -= received[i];
}

static int subtract_received(const struct fed__stage_settings *settings,
                             struct fed__update *update) {
  (void)settings;
  FED_REQUIRE(update->received);
  subtract(update->values, update->received, update->received_count);
  return FED_OK;
}

const struct fed__stage_ops fed__stage_difference = {
    .name = "difference",
    .gives = FED__UPDATE_IS_DIFFERENCE,
    .active = always,
    .check = check_nothing,
    .client = subtract_received,
};
