/* SPDX-License-Identifier: Apache-2.0
 *
 * fedasync.c: the server's half of FedAsync: each client's model is mixed into the server's as it
 * comes in, the less of it the staler it is.
 *
 *   a = alpha * s(t - t_i);  x+ = (1 - a) * x + a * y,  y = the client's model = base + its change
 *
 * Xie, Koyejo, Gupta: Asynchronous federated optimization (2019), algorithm 1, with the polynomial
 * staleness function s(t) = (1 + t)^-1/2 (its "Poly" with a = 0.5). Two things are not as there:
 * the clients' loss has no proximal term (its rho is 0), and an update to the newest version counts
 * as 0 versions stale.
 */
#include "aggregate/server_rule.h"

static void step(const struct fed__server_turn *turn) {
  const double mixing = turn->settings->mixing * turn->discount;
  for (size_t i = 0; i < turn->count; i++) {
    const double model = (double)turn->base[i] + (double)turn->mean[i];
    turn->next[i] = (float)((1 - mixing) * (double)turn->current[i] + mixing * model);
  }
}

const struct fed__server_rule fed__server_fedasync = {
    .name = "fedasync", .needs_base = 1, .step = step};
