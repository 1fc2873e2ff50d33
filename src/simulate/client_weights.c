/* SPDX-License-Identifier: Apache-2.0
 *
 * client_weights.c: what all clients weigh, for algorithms that count those who are in no cohort,
 * too, and the server's vector that goes to the clients, which is a mean by these weights.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/simulation.h"

/* Everybody's weight is known here, also that of those who were in no cohort yet. */
int fed__simulation_weigh(struct fed__simulation *simulation) {
  const struct fed__plan *plan = &simulation->plan;
  const uint32_t all = simulation->eligible_count;
  double weight = 0;
  if (!plan->algorithm->server->counts_all) return FED_OK;
  for (uint32_t client = 0; client < simulation->partition.client_count; client++)
    if (fed__simulation_is_eligible(simulation, client))
      weight += (double)fed__plan_weight(
          simulation->job, fed__partition_train_count(&simulation->partition, client));
  simulation->weight_of_all = fed__plan_weight_of_all(simulation->job, weight, all, all);
  if (!plan->algorithm->client->gets_vector) return FED_OK;
  simulation->vector_down = fed__alloc(simulation->context, plan->parameter_count * sizeof(float));
  return simulation->vector_down ? FED_OK : FED_E_MEMORY;
}

const float *fed__simulation_vector_down(struct fed__simulation *simulation) {
  float *vector = simulation->vector_down;
  if (vector) fed__plan_vector_down(&simulation->state, simulation->weight_of_all, vector);
  return vector;
}
