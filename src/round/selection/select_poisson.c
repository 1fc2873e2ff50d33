/* SPDX-License-Identifier: Apache-2.0
 *
 * select_poisson.c: each client takes part with probability q = cohort / N, independently of all
 * others; N is the job's pool, or the number of those that are there. The cohort's size is random,
 * with mean n q and variance n q (1 - q) for n clients. This is the sampling that privacy
 * amplification by subsampling is proved for (Abadi et al. 2016, "Deep learning with differential
 * privacy"; Mironov et al. 2019, "Rényi differential privacy of the sampled Gaussian mechanism"): a
 * client's presence changes nothing about who else is drawn. With a pool q is the same in each
 * round and known before the run; without one it follows from how many wait, which is not a secret.
 *
 * Looks at no facts. O(clients).
 */
#include "round/selection/selection.h"

static uint32_t draw_poisson(const struct fed__draw *draw) {
  const uint64_t key = fed__rng_key(draw->seed, "cohort_poisson", draw->round, draw->attempt);
  const uint32_t among = draw->settings->pool ? draw->settings->pool : draw->count;
  const double probability = (double)draw->wanted / (double)among;
  uint32_t drawn = 0;
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint32_t client = draw->clients[i];
    const double uniform = (double)(fed__rng_at(key, client) >> 11) * 0x1p-53;
    if (uniform < probability) draw->clients[drawn++] = client;
  }
  return drawn;
}

const struct fed__selection_rule fed__select_poisson = {
    .name = "poisson", .any_size = 1, .draw = draw_poisson};
