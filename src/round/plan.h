/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.h: a job with everything that follows from it worked out: which stages run with which
 * settings, which algorithm, which aggregation rule with which shape. Made once, when the job is
 * created; that is where a combination that cannot work, or whose promise would not hold, is
 * refused.
 */
#ifndef FED_ROUND_PLAN_H
#define FED_ROUND_PLAN_H

#include "aggregate/aggregate.h"
#include "round/algorithm.h"
#include "stage/stage.h"

struct fed__plan {
  struct fed__stage_settings stages;
  const struct fed__algorithm *algorithm;
  struct fed__client_rule_settings client;
  struct fed__server_rule_settings server;
  const struct fed__aggregate_ops *rule;
  struct fed__aggregate_shape shape; /* of a whole update: values, then the scalar's digits */
  size_t parameter_count;            /* elements of the model */
  size_t value_count;                /* of an update, for the stages: one vector, or two */
  uint32_t exchange_count;
};

/* `element_count`: of the model's parameters that travel. */
FED_MUST int fed__plan_make(const struct fed__job *job, size_t element_count,
                            struct fed__plan *plan);

/* The job's data must be what the model takes (as many inputs, of the same shapes; a CSV's columns
 * make one input of as many values), loss and target must fit its output, and training must be
 * possible: tried out on one made-up example. FED_E_SHAPE, FED_E_RANGE, FED_E_UNSUPPORTED. */
FED_MUST int fed__plan_check_training(const struct fed_context *context, const struct fed__job *job,
                                      const struct fed_model *model);

/* The weight of an update that was made from so many examples. */
uint64_t fed__plan_weight(const struct fed__job *job, uint64_t example_count);

/* The weight of all clients, those that have not been heard of included: of the job's `population`,
 * else of `clients`. `known` of them weigh `known_weight`, and each other one is taken to weigh as
 * much as these on average. Above 0. */
double fed__plan_weight_of_all(const struct fed__job *job, double known_weight, uint64_t known,
                               uint64_t clients);

/* The same, if so many versions were made since the client began: times 256 / sqrt(1 + staleness),
 * rounded. Of rounds in step it is fed__plan_weight. */
uint64_t fed__plan_stale_weight(const struct fed__job *job, uint64_t example_count,
                                uint64_t staleness);

/* What stands for the round in the seed of a client's training: in asynchronous training a client
 * may have several tasks in a round, which `attempt` numbers. */
uint64_t fed__plan_training_number(const struct fed__job *job, uint64_t round, uint32_t attempt);

/* The seed of a client's training in a round: from the job's seed, the round and the client's
 * name, so that a round that is run again trains the same. */
uint64_t fed__plan_train_seed(const struct fed__job *job, uint64_t round, const char *client);

/* What the server keeps beside the model, before the first round: `state` is initialised, the
 * caller's to clear; without tensors where the algorithm keeps nothing. */
FED_MUST int fed__plan_start_state(const struct fed_context *context, const struct fed__plan *plan,
                                   struct fed_params *state);

/* The vector of the server's state that goes to the clients, for algorithms that send one: its mean
 * over all clients, so that nobody learns what the others weigh. Of the model's elements. */
void fed__plan_vector_down(const struct fed_params *state, double weight_of_all, float *vector);

/* A version, and the round that makes the next of it. */
struct fed__plan_version {
  const struct fed_params *model, *state;
  double weight_of_all;          /* fed__plan_weight_of_all, where the algorithm asks for it */
  const struct fed_params *base; /* asynchronous: the version that the (last) client began with */
  uint64_t fresh_weight; /* asynchronous: the sum of fed__plan_stale_weight for staleness 0 of
                            those that are in the aggregate; 0: rounds in step */
};

/* The next model: the mean of what was folded into `aggregate`, then the server's rule. `next` and
 * `next_state` are initialised, the caller's to clear. FED_E_EMPTY, FED_E_MEMORY: nothing to
 * clear. */
FED_MUST int fed__plan_next_model(const struct fed__plan *plan, struct fed__aggregate *aggregate,
                                  const struct fed__plan_version *version, struct fed_params *next,
                                  struct fed_params *next_state);

/* The bytes of an update. */
size_t fed__plan_update_bytes(const struct fed__plan *plan);

/* Does a task of this round ask for an evaluation of the received model on held-out rows? */
int fed__plan_evaluates(const struct fed__job *job, uint64_t round, int final_evaluation);

#endif
