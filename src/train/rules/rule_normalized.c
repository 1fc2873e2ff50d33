/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_normalized.c: FedNova's client: its change is divided by how far its steps carry, so that
 * clients that take more steps do not pull the model their way.
 *
 *   send d = (y - x) / |a|_1 and tau_i = |a|_1, where
 *   |a|_1 = tau                                                 for tau steps of plain SGD
 *         = (tau - m * (1 - m^tau) / (1 - m)) / (1 - m)         with momentum m
 *
 * Wang, Liu, Liang, Joshi, Poor: Tackling the objective inconsistency problem in heterogeneous
 * federated optimization (NeurIPS 2020), section 4 and its examples for SGD and momentum; the
 * momentum is local and begins at zero in each round. In general |a|_1 is how far the steps carry
 * (fed_trainer_steps) over the learning rate: schedules and Nesterov's momentum count, too. d is
 * sent times how far a typical client's steps carry, about as large as y - x is, so that it fits
 * the grid of the update; the server takes the scale off.
 */
#include "base/raise.h"
#include "train/rules/client_rule.h"

#define SCALAR_MAX 65535.0

static int normalise(const struct fed__client_turn *turn, float *difference, float *second,
                     double *scalar) {
  const size_t count = fed_params_elements(turn->received);
  double reach;
  const double steps = (double)fed_trainer_steps(turn->trainer, &reach);
  (void)second;
  *scalar = reach / turn->settings->learning_rate;
  if (!(steps > 0 && *scalar <= SCALAR_MAX))
    return FED_RAISE(FED_E_RANGE,
                     "FedNova: a client took %.0f steps, which carry it as far as "
                     "%.0f; expected 1 to %.0f; fewer epochs or larger batches do",
                     steps, *scalar, SCALAR_MAX);
  const double factor = turn->settings->steps_scale / *scalar;
  for (size_t i = 0; i < count; i++) difference[i] = (float)((double)difference[i] * factor);
  return FED_OK;
}

const struct fed__client_rule fed__rule_normalized = {
    .name = "normalized", .sends_scalar = 1, .bends = 1, .end = normalise};
