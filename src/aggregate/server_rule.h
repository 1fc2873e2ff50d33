/* SPDX-License-Identifier: Apache-2.0
 *
 * server_rule.h: what an algorithm does at the server with the mean of a cohort's updates: the
 * server's optimiser. A rule is a pure function from (model, state, mean) to (model, state); its
 * state is a few vectors of the model's size that are stored with each version, so that a restart
 * goes on bit for bit. All is computed in double and rounded once.
 */
#ifndef FED_AGGREGATE_SERVER_RULE_H
#define FED_AGGREGATE_SERVER_RULE_H

#include "fed/error.h"

#include <stddef.h>
#include <stdint.h>

#define FED__SERVER_STATES_MAX 2

struct fed__server_rule_settings {
  double learning_rate;
  double momentum;      /* fedavg */
  double beta1, beta2;  /* fedadagrad (beta1), fedadam, fedyogi */
  double adaptivity;    /* of these: tau, what is added to the root */
  double regularizer;   /* feddyn: alpha */
  double control_scale; /* scaffold: of what clients send of their variates */
  double steps_scale;   /* fednova: of what clients send of their changes by step */
  double mixing;        /* fedasync: alpha */
};

/* One version to the next. Vectors are of `count` elements. */
struct fed__server_turn {
  const struct fed__server_rule_settings *settings;
  size_t count;
  const float *current;
  const float *base;        /* fedasync: the version that the client began with */
  const float *mean;        /* weighted, of the clients' updates */
  const float *second_mean; /* of their second vectors, if the rule's clients send them */
  double scalar_mean;       /* of their scalars, likewise */
  double weight_sum;        /* of the clients whose updates came in */
  double weight_of_all;     /* of all clients that there are */
  double discount;          /* the mean of the updates\' staleness weights; 1: none is stale */
  const float *state[FED__SERVER_STATES_MAX];
  float *next_state[FED__SERVER_STATES_MAX]; /* may be the same as `state` */
  float *next;                               /* may not overlap with `current` */
};

struct fed__server_rule {
  const char *name;
  int needs_base;
  int counts_all; /* it needs weight_of_all */
  /* Names of the state's vectors under these settings, NULL behind the last; the function is NULL:
   * there is none. */
  const char *const *(*states)(const struct fed__server_rule_settings *settings);
  /* The state before the first round, where that is not zeros; NULL: zeros. */
  void (*start)(const struct fed__server_rule_settings *settings, size_t count,
                float *const state[FED__SERVER_STATES_MAX]);
  void (*step)(const struct fed__server_turn *turn);
};

extern const struct fed__server_rule fed__server_fedavg, fed__server_fedadagrad,
    fed__server_fedadam, fed__server_fedyogi, fed__server_scaffold, fed__server_fednova,
    fed__server_feddyn, fed__server_fedbuff, fed__server_fedasync;

#endif
