/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_control_variates.c: SCAFFOLD's client: its gradients are corrected by how the server's
 * control variate c differs from its own, c_i.
 *
 *   y <- y - eta * (grad f(y) - c_i + c)        for each of K steps
 *   c_i+ = c_i - c + (x - y) / (K * eta)        option II; send y - x and c_i+ - c_i
 *
 * Karimireddy, Kale, Mohri, Reddi, Stich, Suresh: SCAFFOLD: Stochastic controlled averaging for
 * federated learning (ICML 2020), algorithm 1. Where the learning rate is scheduled or there is
 * momentum, K * eta is how far the steps carry (fed_trainer_steps): then (x - y) / (K * eta) is
 * still a mean of gradients. With K * eta itself, momentum m would make variates 1 / (1 - m) times
 * as large, and carry them as much further: training diverges. Both variates begin at zero. What is
 * sent of the variate is scaled so that it fits the grid of the update; the server takes the scale
 * off. The client keeps c_i changed by what it sent, so that c stays the mean of the c_i.
 */
#include "base/raise.h"
#include "train/rules/client_rule.h"

static int correct_drift(const struct fed__client_turn *turn) {
  float *offset = fed_params_floats(turn->work);
  const size_t count = fed_params_elements(turn->received);
  for (size_t i = 0; i < count; i++)
    offset[i] = (float)(fed__rule_at(turn->from_server, i) - fed__rule_at(turn->kept, i));
  return fed_trainer_bend(turn->trainer, 0, turn->work);
}

static int renew_variate(const struct fed__client_turn *turn, float *difference, float *second,
                         double *scalar) {
  const size_t count = fed_params_elements(turn->received);
  const double scale = turn->settings->control_scale;
  double reach;
  (void)scalar;
  if (fed_trainer_steps(turn->trainer, &reach) == 0 || reach <= 0)
    return FED_RAISE(FED_E_RANGE, "SCAFFOLD: the client took no training step");
  for (size_t i = 0; i < count; i++) {
    const double change = -(double)difference[i] / reach - fed__rule_at(turn->from_server, i);
    second[i] = (float)(change * scale);
  }
  return FED_OK;
}

static void keep_variate(const struct fed__client_turn *turn, const float *difference,
                         const float *second) {
  const size_t count = fed_params_elements(turn->received);
  (void)difference;
  for (size_t i = 0; i < count; i++)
    turn->to_keep[i] =
        (float)(fed__rule_at(turn->kept, i) + (double)second[i] / turn->settings->control_scale);
}

const struct fed__client_rule fed__rule_control_variates = {.name = "control_variates",
                                                            .kept_name = "control",
                                                            .gets_vector = 1,
                                                            .sends_vector = 1,
                                                            .bends = 1,
                                                            .begin = correct_drift,
                                                            .end = renew_variate,
                                                            .keep = keep_variate};
