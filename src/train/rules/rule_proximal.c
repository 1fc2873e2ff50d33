/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_proximal.c: FedProx's client: training is drawn towards the received model x.
 *
 *   minimise f(y) + mu / 2 * |y - x|^2, so each gradient becomes grad f(y) + mu * (y - x)
 *
 * Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith: Federated optimization in heterogeneous networks
 * (MLSys 2020), algorithm 2. The server's half is FedAvg's.
 */
#include "base/raise.h"
#include "train/rules/client_rule.h"

static int draw_to_received(const struct fed__client_turn *turn) {
  const double mu = turn->settings->proximal;
  const float *received = fed_params_floats(turn->received);
  float *offset = fed_params_floats(turn->work);
  const size_t count = fed_params_elements(turn->received);
  for (size_t i = 0; i < count; i++) offset[i] = (float)(-mu * (double)received[i]);
  return fed_trainer_bend(turn->trainer, mu, turn->work);
}

const struct fed__client_rule fed__rule_proximal = {.name = "proximal", .begin = draw_to_received};
