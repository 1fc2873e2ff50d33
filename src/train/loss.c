/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c: the table of losses, and which options go with which.
 */
#include "train/loss.h"
#include "base/raise.h"

#include <math.h>

static const struct fed__loss *const losses[] = {
    [FED_LOSS_SOFTMAX_CROSS_ENTROPY] = &fed__loss_softmax_cross_entropy,
    [FED_LOSS_SOFT_CROSS_ENTROPY] = &fed__loss_soft_cross_entropy,
    [FED_LOSS_BINARY_CROSS_ENTROPY] = &fed__loss_binary_cross_entropy,
    [FED_LOSS_MEAN_SQUARED_ERROR] = &fed__loss_mean_squared_error,
    [FED_LOSS_HUBER] = &fed__loss_huber,
    [FED_LOSS_OUTPUT] = &fed__loss_output,
};

static int refuse_option(const struct fed__loss *loss, const char *option) {
  return FED_RAISE(FED_E_RANGE, "%s does not go with the loss %s; leave it out", option,
                   loss->name);
}

static int check_weight_values(const struct fed_train_options *options) {
  double sum = 0;
  for (size_t i = 0; i < options->class_weight_count; i++) {
    const double weight = options->class_weights[i];
    if (!(weight >= 0 && weight < HUGE_VAL))
      return FED_RAISE(FED_E_RANGE, "class_weights[%zu] is %g, expected 0 or more", i, weight);
    sum += weight;
  }
  return sum > 0 ? FED_OK : FED_RAISE(FED_E_RANGE, "class_weights are all 0");
}

int fed__loss_find(const struct fed_train_options *options, const struct fed__loss **found) {
  if ((size_t)options->loss >= sizeof losses / sizeof losses[0])
    return FED_RAISE(FED_E_USAGE, "loss %d does not exist", (int)options->loss);
  const struct fed__loss *loss = losses[options->loss];
  if (options->class_weights && !loss->has_weights) return refuse_option(loss, "class_weights");
  if (options->has_ignored_label && !loss->has_ignored) return refuse_option(loss, "ignored_label");
  if (options->label_smoothing != 0 && !loss->has_smoothing)
    return refuse_option(loss, "label_smoothing");
  if (!(options->label_smoothing >= 0 && options->label_smoothing < 1))
    return FED_RAISE(FED_E_RANGE, "label_smoothing is %g, expected 0 or more and less than 1",
                     options->label_smoothing);
  if (options->loss == FED_LOSS_HUBER &&
      !(options->huber_delta > 0 && options->huber_delta < HUGE_VAL))
    return FED_RAISE(FED_E_RANGE, "huber_delta is %g, expected more than 0", options->huber_delta);
  if (options->class_weights) FED_TRY(check_weight_values(options));
  *found = loss;
  return FED_OK;
}

int fed__loss_check_weights(const struct fed_train_options *options, int64_t count) {
  if (!options->class_weights || (uint64_t)count == options->class_weight_count) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "there are %zu class_weights, but the model's output has %lld",
                   options->class_weight_count, (long long)count);
}
