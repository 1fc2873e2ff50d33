/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_dynamic.c: FedDyn's client: its loss gets a regulariser that changes from round to round,
 * so that what is best for it comes to be what is best for all.
 *
 *   minimise f(y) - <g_i, y> + alpha / 2 * |y - x|^2,
 *   so each gradient becomes grad f(y) - g_i + alpha * (y - x)
 *   g_i+ = g_i - alpha * (y - x); send y - x
 *
 * Acar, Zhao, Matas Navarro, Mattina, Whatmough, Saligrama: Federated learning based on dynamic
 * regularization (ICLR 2021), algorithm 1. g_i, the gradient of f at the client's last model,
 * begins at zero; its y - x is what was sent, clipped and on the grid, so that the server's h stays
 * the mean of the g_i.
 */
#include "train/rules/client_rule.h"

static int regularise(const struct fed__client_turn *turn) {
  const double alpha = turn->settings->regularizer;
  const float *received = fed_params_floats(turn->received);
  float *offset = fed_params_floats(turn->work);
  const size_t count = fed_params_elements(turn->received);
  for (size_t i = 0; i < count; i++)
    offset[i] = (float)(-fed__rule_at(turn->kept, i) - alpha * (double)received[i]);
  return fed_trainer_bend(turn->trainer, alpha, turn->work);
}

static void keep_gradient(const struct fed__client_turn *turn, const float *difference,
                          const float *second) {
  const double alpha = turn->settings->regularizer;
  const size_t count = fed_params_elements(turn->received);
  (void)second;
  for (size_t i = 0; i < count; i++)
    turn->to_keep[i] = (float)(fed__rule_at(turn->kept, i) - alpha * (double)difference[i]);
}

const struct fed__client_rule fed__rule_dynamic = {.name = "dynamic",
                                                   .kept_name = "gradient",
                                                   .bends = 1,
                                                   .begin = regularise,
                                                   .keep = keep_gradient};
