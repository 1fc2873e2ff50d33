/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_full_gradient.c: FedSGD's client: one step along the gradient over all its examples.
 *
 *   send -eta * grad F_k(x)
 *
 * The server's mean of that, weighted by examples, is a step of gradient descent on the whole
 * federation's loss. McMahan et al. 2017, section 2 (FederatedSGD: E = 1, B = infinity). Examples
 * go through in batches of train.batch_size; their number does not matter but for rounding.
 */
#include "base/raise.h"
#include "train/rules/client_rule.h"

static int step_along_gradient(const struct fed__client_turn *turn, struct fed_metrics *metrics) {
  FED_TRY(fed_train_gradient(turn->trainer, turn->examples, turn->epochs, turn->work, metrics));
  float *values = fed_params_floats(turn->work);
  const float *received = fed_params_floats(turn->received);
  const float rate = (float)turn->settings->learning_rate;
  const size_t count = fed_params_elements(turn->received);
  for (size_t i = 0; i < count; i++) values[i] = received[i] - rate * values[i];
  return FED_OK;
}

const struct fed__client_rule fed__rule_full_gradient = {
    .name = "full_gradient", .bends = 1, .train = step_along_gradient};
