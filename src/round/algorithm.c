/* SPDX-License-Identifier: Apache-2.0
 *
 * algorithm.c: the table of algorithms, and which settings go with which.
 */
#include "round/algorithm.h"
#include "base/raise.h"

#include <math.h>

enum {
  RATE = 1 << 0,
  MOMENTUM = 1 << 1,
  PROXIMAL = 1 << 2,
  REGULARIZER = 1 << 3,
  POPULATION = 1 << 4,
  BETA1 = 1 << 5,
  BETA2 = 1 << 6,
  ADAPTIVITY = 1 << 7,
  BUFFER = 1 << 8,
  STALENESS = 1 << 9,
  MIXING = 1 << 10
};

static const struct fed__algorithm algorithms[] = {
    [FED__ALGORITHM_FEDAVG] = {&fed__rule_plain, &fed__server_fedavg, RATE | MOMENTUM},
    [FED__ALGORITHM_FEDSGD] = {&fed__rule_full_gradient, &fed__server_fedavg, RATE | MOMENTUM},
    [FED__ALGORITHM_FEDAVGM] = {&fed__rule_plain, &fed__server_fedavg, RATE | MOMENTUM},
    [FED__ALGORITHM_FEDPROX] = {&fed__rule_proximal, &fed__server_fedavg,
                                RATE | MOMENTUM | PROXIMAL},
    [FED__ALGORITHM_SCAFFOLD] = {&fed__rule_control_variates, &fed__server_scaffold,
                                 RATE | POPULATION},
    [FED__ALGORITHM_FEDNOVA] = {&fed__rule_normalized, &fed__server_fednova, RATE},
    [FED__ALGORITHM_FEDDYN] = {&fed__rule_dynamic, &fed__server_feddyn,
                               RATE | REGULARIZER | POPULATION},
    [FED__ALGORITHM_FEDADAGRAD] = {&fed__rule_plain, &fed__server_fedadagrad,
                                   RATE | BETA1 | ADAPTIVITY},
    [FED__ALGORITHM_FEDADAM] = {&fed__rule_plain, &fed__server_fedadam,
                                RATE | BETA1 | BETA2 | ADAPTIVITY},
    [FED__ALGORITHM_FEDYOGI] = {&fed__rule_plain, &fed__server_fedyogi,
                                RATE | BETA1 | BETA2 | ADAPTIVITY},
    [FED__ALGORITHM_FEDBUFF] = {&fed__rule_plain, &fed__server_fedbuff,
                                RATE | MOMENTUM | BUFFER | STALENESS},
    [FED__ALGORITHM_FEDASYNC] = {&fed__rule_plain, &fed__server_fedasync, MIXING | STALENESS},
};

const struct fed__algorithm *fed__algorithm_of(const struct fed__job *job) {
  return &algorithms[job->aggregate.algorithm];
}

/* ---- what goes with what -------------------------------------------------------------------- */

enum { NUMBER, COUNT };

#define AT(field) offsetof(struct fed__job, aggregate.field)

/* The initial values are those of job/job_settings.c. */
static const struct {
  unsigned use;
  int type;
  const char *setting, *whose;
  double initial;
  size_t offset;
} settings[] = {
    {MOMENTUM, NUMBER, "server_momentum", "fedavg, fedavgm, fedsgd, fedprox and fedbuff", 0,
     AT(server_momentum)},
    {PROXIMAL, NUMBER, "proximal", "fedprox", 0, AT(proximal)},
    {REGULARIZER, NUMBER, "regularizer", "feddyn", 0, AT(regularizer)},
    {RATE, NUMBER, "server_learning_rate", "all but fedasync", 1, AT(server_learning_rate)},
    {POPULATION, COUNT, "population", "scaffold and feddyn", 0, AT(population)},
    {BETA1, NUMBER, "beta1", "fedadagrad, fedadam and fedyogi", 0.9, AT(beta1)},
    {BETA2, NUMBER, "beta2", "fedadam and fedyogi", 0.99, AT(beta2)},
    {ADAPTIVITY, NUMBER, "adaptivity", "fedadagrad, fedadam and fedyogi", 0.001, AT(adaptivity)},
    {BUFFER, COUNT, "buffer", "fedbuff", 10, AT(buffer)},
    {STALENESS, COUNT, "staleness_max", "fedbuff and fedasync", 10, AT(staleness_max)},
    {MIXING, NUMBER, "mixing", "fedasync", 0.6, AT(mixing)},
};

static int is_set(const struct fed__job *job, size_t setting) {
  const char *at = (const char *)job + settings[setting].offset;
  const double value =
      settings[setting].type == COUNT ? *(const uint32_t *)at : *(const double *)at;
  return value != settings[setting].initial;
}

static int check_unused(const struct fed__job *job, const struct fed__algorithm *algorithm) {
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    if (is_set(job, i) && !(algorithm->uses & settings[i].use))
      return FED_RAISE(FED_E_INPUT,
                       "aggregate.algorithm '%s' does not look at aggregate.%s, which is for %s: "
                       "leave one of them out",
                       fed__job_algorithm_name(job->aggregate.algorithm), settings[i].setting,
                       settings[i].whose);
  return FED_OK;
}

/* Settings whose zero makes the algorithm another one. */
static int check_needed(const struct fed__job *job) {
  static const struct {
    enum fed__job_algorithm algorithm;
    size_t setting; /* of the table above */
    const char *advice;
  } needed[] = {{FED__ALGORITHM_FEDAVGM, 0, "0.9 is usual; without it this is fedavg"},
                {FED__ALGORITHM_FEDPROX, 1, "0.001 to 1 is usual; without it this is fedavg"},
                {FED__ALGORITHM_FEDDYN, 2, "0.001 to 0.1 is usual"}};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
    if (needed[i].algorithm == job->aggregate.algorithm && !is_set(job, needed[i].setting))
      return FED_RAISE(FED_E_INPUT, "aggregate.algorithm '%s' needs aggregate.%s above 0: %s",
                       fed__job_algorithm_name(job->aggregate.algorithm),
                       settings[needed[i].setting].setting, needed[i].advice);
  return FED_OK;
}

static int check_training(const struct fed__job *job, const struct fed__client_rule *rule) {
  const char *name = fed__job_algorithm_name(job->aggregate.algorithm);
  if (rule == &fed__rule_plain) return FED_OK;
  if (strcmp(job->train.trainer, "native") != 0)
    return FED_RAISE(
        FED_E_INPUT,
        "aggregate.algorithm '%s' changes how clients train, which the external "
        "trainer '%s' would not know of: use train.trainer 'native', or one of fedavg, "
        "fedavgm, fedadagrad, fedadam and fedyogi",
        name, job->train.trainer);
  if (job->train.epochs == 0)
    return FED_RAISE(FED_E_INPUT, "aggregate.algorithm '%s' needs train.epochs of at least 1",
                     name);
  if (rule->bends && job->train.options.optimizer != FED_OPTIMIZER_SGD)
    return FED_RAISE(FED_E_INPUT, "aggregate.algorithm '%s' is defined for train.optimizer 'sgd'",
                     name);
  return FED_OK;
}

static int check_full_gradient(const struct fed__job *job) {
  const struct fed_train_options *options = &job->train.options;
  if (job->aggregate.algorithm != FED__ALGORITHM_FEDSGD) return FED_OK;
  if (job->train.epochs != 1 || job->train.steps_max)
    return FED_RAISE(FED_E_INPUT, "aggregate.algorithm 'fedsgd' takes one step along the gradient "
                                  "of all examples: train.epochs must be 1, train.steps_max 0");
  if (options->momentum != 0 || options->weight_decay != 0 || options->clip_norm != 0 ||
      options->clip_value != 0)
    return FED_RAISE(FED_E_INPUT,
                     "aggregate.algorithm 'fedsgd' takes a single plain step: train.momentum, "
                     "train.weight_decay and gradient clipping must be 0");
  return FED_OK;
}

static int check_asynchronous(const struct fed__job *job) {
  const uint32_t buffer = fed__job_buffer(job);
  const char *name = fed__job_algorithm_name(job->aggregate.algorithm);
  if (!buffer) return FED_OK;
  if (job->rounds.minimum > buffer)
    return FED_RAISE(
        FED_E_INPUT,
        "aggregate.algorithm '%s' makes a version of %u updates, but rounds.minimum is "
        "%u: lower it, or use a larger aggregate.buffer with fedbuff",
        name, buffer, job->rounds.minimum);
  if (job->rounds.over_selection != 1 || job->rounds.selection.kind == FED__SELECTION_POISSON)
    return FED_RAISE(
        FED_E_INPUT,
        "aggregate.algorithm '%s' has no cohorts: rounds.cohort is how many clients "
        "train at a time; rounds.over_selection must be 1, rounds.selection not poisson",
        name);
  return FED_OK;
}

int fed__algorithm_check(const struct fed__job *job) {
  const struct fed__algorithm *algorithm = fed__algorithm_of(job);
  FED_TRY(check_unused(job, algorithm));
  FED_TRY(check_needed(job));
  FED_TRY(check_training(job, algorithm->client));
  FED_TRY(check_asynchronous(job));
  return check_full_gradient(job);
}

/* ---- the rules' settings -------------------------------------------------------------------- */

/* How far a typical client's steps carry a constant gradient, over the learning rate; 8 steps are
 * taken for an epoch. A variate is a mean gradient, an update so much times the learning rate as
 * large: so scaled, what clients send fits one grid. */
static double typical_steps(const struct fed__job *job) {
  const double steps = 8.0 * (job->train.epochs ? job->train.epochs : 1);
  const double limit = job->train.steps_max ? job->train.steps_max : steps;
  return fmin(steps, limit) / (1 - job->train.options.momentum);
}

void fed__algorithm_settings(const struct fed__job *job, struct fed__client_rule_settings *client,
                             struct fed__server_rule_settings *server) {
  const struct fed_train_options *options = &job->train.options;
  const double steps = typical_steps(job);
  *client = (struct fed__client_rule_settings){.proximal = job->aggregate.proximal,
                                               .regularizer = job->aggregate.regularizer,
                                               .control_scale = steps * options->learning_rate,
                                               .steps_scale = steps,
                                               .learning_rate = options->learning_rate};
  *server = (struct fed__server_rule_settings){.learning_rate = job->aggregate.server_learning_rate,
                                               .momentum = job->aggregate.server_momentum,
                                               .beta1 = job->aggregate.beta1,
                                               .beta2 = job->aggregate.beta2,
                                               .adaptivity = job->aggregate.adaptivity,
                                               .regularizer = job->aggregate.regularizer,
                                               .control_scale = steps * options->learning_rate,
                                               .steps_scale = steps,
                                               .mixing = job->aggregate.mixing};
}
