/* SPDX-License-Identifier: Apache-2.0
 *
 * drift.h: how far the clients' models move from the one that they all received, and how much of
 * that is left when they are put together.
 *
 * Karimireddy et al. (SCAFFOLD, ICML 2020, section 3.1) call it client drift that local steps lead
 * each client towards its own optimum, and bound the mean of |y_i - x|^2, y_i client i's local
 * model and x the one that all began with (their lemma 8). Here that is measured at the end of the
 * local work, as a length: `mean` and `largest` are over |y_i - x|.
 *
 * `agreement` is the length of the model's own step over the clients' mean length, each weighted as
 * in the aggregate: for plain averaging |sum of p_i (y_i - x)| / sum of p_i |y_i - x|, which is 1
 * where all clients move alike and 0 where they cancel; 1/sqrt(n) where n of them, weighted alike,
 * go different ways altogether. Its inverse squared is what Li et al. (FedProx, MLSys 2020,
 * definition 3) call dissimilarity B^2, but for taking the mean before the square. A server
 * optimiser's rate and momentum are in the step, and so in it.
 */
#ifndef FED_SIMULATE_DRIFT_H
#define FED_SIMULATE_DRIFT_H

#include "fed/tensor.h"

struct fed__drift {
  size_t count;                    /* clients; 0: not measured */
  double mean, largest;            /* L2 distances of their models from the received one */
  double step;                     /* L2 distance of the new model from the one before */
  double agreement;                /* 0 where nothing moves */
  double weighted_sum, weight_sum; /* of distances */
};

/* The L2 norm of a - b, sets that match; summed in double, in one order on every machine. */
double fed__params_distance(const struct fed_params *a, const struct fed_params *b);

/* One client more; then the step, once. */
void fed__drift_add(struct fed__drift *drift, double distance, double weight);
void fed__drift_finish(struct fed__drift *drift, double step);

#endif
