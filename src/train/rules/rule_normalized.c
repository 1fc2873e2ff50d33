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
 * momentum is local and begins at zero in each round.
 */
#include "base/raise.h"
#include "train/rules/client_rule.h"

#include <math.h>

#define SCALAR_MAX 65535.0

/* |a|_1 is the sum over steps s = 1 … tau of (1 - m^(tau - s + 1)) / (1 - m). */
static double reach_of(double steps, double momentum) {
  if (momentum == 0) return steps;
  return (steps - momentum * (1 - pow(momentum, steps)) / (1 - momentum)) / (1 - momentum);
}

static int normalise(const struct fed__client_turn *turn, float *difference, float *second,
                     double *scalar) {
  const size_t count = fed_params_elements(turn->received);
  double rate_sum;
  const double steps = (double)fed_trainer_steps(turn->trainer, &rate_sum);
  (void)second;
  *scalar = reach_of(steps, turn->settings->momentum);
  if (!(steps > 0 && *scalar <= SCALAR_MAX))
    return FED_RAISE(FED_E_RANGE,
                     "FedNova: a client took %.0f steps, which carry it as far as "
                     "%.0f; expected 1 to %.0f; fewer epochs or larger batches do",
                     steps, *scalar, SCALAR_MAX);
  for (size_t i = 0; i < count; i++) difference[i] = (float)((double)difference[i] / *scalar);
  return FED_OK;
}

const struct fed__client_rule fed__rule_normalized = {
    .name = "normalized", .sends_scalar = 1, .bends = 1, .end = normalise};
