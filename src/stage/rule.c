/* SPDX-License-Identifier: Apache-2.0
 *
 * rule.c: the stage where a client's rule makes of its difference what its algorithm sends: divides
 * it by the steps taken, or fills the update's second vector. Nothing for plain averaging. The
 * server's half is the rule of aggregate/ that the algorithm pairs it with.
 */
#include "stage/stage.h"

static int always(const struct fed__stage_settings *settings) {
  (void)settings;
  return 1;
}

static int check_nothing(const struct fed__stage_settings *settings) {
  (void)settings;
  return FED_OK;
}

static int apply(const struct fed__stage_settings *settings, struct fed__update *update) {
  (void)settings;
  return update->rule ? update->rule->apply(update->rule, update) : FED_OK;
}

const struct fed__stage_ops fed__stage_rule = {
    .name = "rule",
    .needs = FED__UPDATE_IS_DIFFERENCE,
    .active = always,
    .check = check_nothing,
    .client = apply,
};
