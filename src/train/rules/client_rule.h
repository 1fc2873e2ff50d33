/* SPDX-License-Identifier: Apache-2.0
 *
 * client_rule.h: what an algorithm does at a client, around or in place of its plain training: how
 * it bends the gradients, what it makes of the trained model, and what the client keeps until its
 * next round. Each rule is the client's half of an algorithm; the server's half is in aggregate/.
 *
 * All vectors are in the order of fed_params_floats, of as many elements as the model's parameters.
 * Threads: a turn belongs to one; rules keep nothing of their own.
 */
#ifndef FED_TRAIN_CLIENT_RULE_H
#define FED_TRAIN_CLIENT_RULE_H

#include "fed/train.h"

struct fed__client_rule_settings {
  double proximal;      /* FedProx: mu */
  double regularizer;   /* FedDyn: alpha */
  double control_scale; /* SCAFFOLD: of what is sent of the control variate */
  double steps_scale;   /* FedNova: of what is sent of the change by step */
  double learning_rate;
};

/* A client's part of a round. */
struct fed__client_turn {
  const struct fed__client_rule_settings *settings;
  struct fed_trainer *trainer; /* holds the received model */
  struct fed_examples *examples;
  const struct fed_epochs *epochs;
  const struct fed_params *received;
  const float *from_server; /* the vector that came with the model; NULL: zeros, or none is sent */
  const float *kept;        /* from the client's last round; NULL: zeros, or none is kept */
  float *to_keep;           /* the same after this one; NULL: the rule keeps none */
  struct fed_params *work;  /* like `received`, to work in */
};

struct fed__client_rule {
  const char *name;
  const char *kept_name; /* of the vector that the client keeps; NULL: none */
  int gets_vector;       /* the server's state comes with the model */
  int sends_vector;      /* a second vector goes with the update */
  int sends_scalar;      /* and a number from 0 to below 2^16, on a grid of 2^-16 */
  int bends;             /* needs plain SGD's gradient: optimiser sgd */
  /* Before the training; NULL: nothing to do. */
  FED_MUST int (*begin)(const struct fed__client_turn *turn);
  /* In place of fed_train_epochs; leaves the result in turn->work. NULL: train. */
  FED_MUST int (*train)(const struct fed__client_turn *turn, struct fed_metrics *metrics);
  /* After it: make of `difference`, trained minus received, what goes to the server; fill `second`
   * and `scalar` if the rule sends them. NULL: nothing to do. */
  FED_MUST int (*end)(const struct fed__client_turn *turn, float *difference, float *second,
                      double *scalar);
  /* Fill turn->to_keep from what the server will add, clipped and on the grid: what clients keep
   * and what the server adds up must not drift apart. NULL: the rule keeps nothing. */
  void (*keep)(const struct fed__client_turn *turn, const float *difference, const float *second);
};

/* An element of a vector that may be NULL, which stands for zeros. */
static inline double fed__rule_at(const float *vector, size_t i) {
  return vector ? (double)vector[i] : 0;
}

extern const struct fed__client_rule fed__rule_plain, fed__rule_full_gradient, fed__rule_proximal,
    fed__rule_control_variates, fed__rule_normalized, fed__rule_dynamic;

#endif
