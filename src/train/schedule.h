/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h: the learning rate of a step.
 */
#ifndef FED_TRAIN_SCHEDULE_H
#define FED_TRAIN_SCHEDULE_H

#include "fed/train.h"

/* FED_E_USAGE for a number that is no schedule, FED_E_RANGE for options that do not fit it. */
FED_MUST int fed__schedule_check(const struct fed_train_options *options);

/* `step` counts from 0. The warm-up comes first: its step s has (s + 1) / warmup_steps of the
 * learning rate; then the schedule begins. Beyond schedule_steps the last rate holds. */
double fed__schedule_rate(const struct fed_train_options *options, uint64_t step);

#endif
