/* SPDX-License-Identifier: Apache-2.0
 *
 * difference.c: the stage that turns a trained model into what the training changed. One pass
 * over the elements. The server has nothing to undo: it adds the mean difference to its model.
 */
#include "base/raise.h"
#include "stage/stage.h"

static int always(const struct fed__stage_settings *settings) {
  (void)settings;
  return 1;
}

static int check_nothing(const struct fed__stage_settings *settings) {
  (void)settings;
  return FED_OK;
}

static int subtract_received(const struct fed__stage_settings *settings,
                             struct fed__update *update) {
  (void)settings;
  FED_REQUIRE(update->received);
  for (size_t i = 0; i < update->element_count; i++) update->values[i] -= update->received[i];
  return FED_OK;
}

const struct fed__stage_ops fed__stage_difference = {
    .name = "difference",
    .gives = FED__UPDATE_IS_DIFFERENCE,
    .active = always,
    .check = check_nothing,
    .client = subtract_received,
};
