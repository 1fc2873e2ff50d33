/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_kinds.c: the ways to divide examples among clients. Each says for every example whose
 * it is; from that the rows of each client are sorted out in one pass.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "data/split.h"
#include "job/simulate_section.h"
#include "simulate/partition_rows.h"

#include <math.h>

/* ---- the same for all kinds ----------------------------------------------------------------- */

struct division {
  const struct fed_context *context;
  const struct fed__partition_settings *settings;
  const struct fed__partition_source *source;
  uint32_t client_count;
  uint64_t seed;
  uint32_t *client_of; /* by example */
};

/* 0, 1, 2 … shuffled; NULL when out of memory. */
static uint32_t *shuffled(const struct division *division, const char *stream, size_t count) {
  struct fed_rng rng;
  uint32_t *items = fed__alloc(division->context, count * sizeof *items);
  if (!items) return NULL;
  for (size_t i = 0; i < count; i++) items[i] = (uint32_t)i;
  fed__rng_init(&rng, division->seed, stream, 0, 0);
  fed__rng_shuffle(&rng, items, count);
  return items;
}

/* Examples sorted by class, in their order within one; starts[k]: where class k begins. */
static int sort_by_class(const struct division *division, uint32_t **sorted, size_t **starts) {
  const struct fed__partition_source *source = division->source;
  *starts = fed__zalloc(division->context, (size_t)source->classes + 2, sizeof(size_t));
  *sorted = fed__alloc(division->context, source->example_count * sizeof(uint32_t));
  if (!*starts || !*sorted) return FED_E_MEMORY;
  size_t *next = *starts + 1; /* becomes the start of the class behind */
  for (size_t i = 0; i < source->example_count; i++) next[source->labels[i] + 1]++;
  for (uint32_t k = 0; k < source->classes; k++) next[k + 1] += next[k];
  for (size_t i = 0; i < source->example_count; i++)
    (*sorted)[next[source->labels[i]]++] = (uint32_t)i;
  return FED_OK;
}

/* ---- the kinds ------------------------------------------------------------------------------ */

static int divide_iid(const struct division *division) {
  const size_t count = division->source->example_count;
  uint32_t *order = shuffled(division, "partition.iid", count);
  if (!order) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++)
    division->client_of[order[i]] = (uint32_t)(i % division->client_count);
  fed__free(division->context, order);
  return FED_OK;
}

static int divide_dirichlet(const struct division *division) {
  const struct fed__split_dirichlet options = {.labels = division->source->labels,
                                               .count = division->source->example_count,
                                               .classes = division->source->classes,
                                               .clients = division->client_count,
                                               .alpha = division->settings->alpha,
                                               .client_min = division->settings->minimum,
                                               .seed = division->seed};
  return fed__split_dirichlet(division->context, &options, division->client_of);
}

static int divide_shards(const struct division *division) {
  const size_t count = division->source->example_count;
  const uint32_t each = division->settings->shards;
  const size_t shards = (size_t)division->client_count * each;
  uint32_t *sorted = NULL, *order = NULL;
  size_t *starts = NULL;
  if (shards > count)
    return FED_RAISE(FED_E_RANGE, "%zu examples cannot be cut into %zu shards", count, shards);
  int code = sort_by_class(division, &sorted, &starts);
  if (code == FED_OK && !(order = shuffled(division, "partition.shards", shards)))
    code = FED_E_MEMORY;
  for (size_t j = 0; j < shards && code == FED_OK; j++)
    for (size_t i = order[j] * count / shards; i < (order[j] + (size_t)1) * count / shards; i++)
      division->client_of[sorted[i]] = (uint32_t)(j / each);
  fed__free(division->context, sorted);
  fed__free(division->context, starts);
  fed__free(division->context, order);
  return code;
}

/* Which classes a client has: its own number's (so that each class is somebody's), and others. */
static void draw_labels(const struct division *division, uint32_t client, uint32_t *labels) {
  const uint32_t classes = division->source->classes, wanted = division->settings->labels;
  struct fed_rng rng;
  fed__rng_init(&rng, division->seed, "partition.labels", client, 0);
  labels[0] = client % classes;
  for (uint32_t count = 1; count < wanted;) {
    const uint32_t drawn = (uint32_t)fed__rng_below(&rng, classes);
    uint32_t i = 0;
    while (i < count && labels[i] != drawn) i++;
    if (i == count) labels[count++] = drawn;
  }
}

/* Each class in equal parts to the clients that have it. `labels` is by client; `owners` is made
 * into the clients sorted by class, `owner_starts` into where a class's begin. */
static void deal_out(const struct division *division, const uint32_t *labels, uint32_t *owners,
                     size_t *owner_starts, uint32_t *sorted, const size_t *starts) {
  const size_t pairs = (size_t)division->client_count * division->settings->labels;
  size_t *next = owner_starts + 1;
  struct fed_rng rng;
  for (size_t i = 0; i < pairs; i++) next[labels[i] + 1]++;
  for (uint32_t k = 0; k < division->source->classes; k++) next[k + 1] += next[k];
  for (size_t i = 0; i < pairs; i++)
    owners[next[labels[i]]++] = (uint32_t)(i / division->settings->labels);
  for (uint32_t k = 0; k < division->source->classes; k++) {
    const size_t owner_count = owner_starts[k + 1] - owner_starts[k];
    uint32_t *rows = sorted + starts[k];
    fed__rng_init(&rng, division->seed, "partition.labels.order", k, 0);
    fed__rng_shuffle(&rng, rows, starts[k + 1] - starts[k]);
    for (size_t i = 0; i < starts[k + 1] - starts[k]; i++)
      division->client_of[rows[i]] =
          owner_count ? owners[owner_starts[k] + i % owner_count] : FED__PARTITION_NOBODY;
  }
}

static int divide_labels(const struct division *division) {
  const struct fed_context *context = division->context;
  const uint32_t classes = division->source->classes, each = division->settings->labels;
  const size_t pairs = (size_t)division->client_count * each;
  uint32_t *sorted = NULL;
  size_t *starts = NULL;
  if (each > classes)
    return FED_RAISE(FED_E_RANGE, "%u classes for each client, but there are only %u", each,
                     classes);
  uint32_t *labels = fed__alloc(context, pairs * sizeof *labels);
  uint32_t *owners = fed__alloc(context, pairs * sizeof *owners);
  size_t *owner_starts = fed__zalloc(context, (size_t)classes + 2, sizeof *owner_starts);
  int code =
      labels && owners && owner_starts ? sort_by_class(division, &sorted, &starts) : FED_E_MEMORY;
  for (uint32_t c = 0; c < division->client_count && code == FED_OK; c++)
    draw_labels(division, c, labels + (size_t)c * each);
  if (code == FED_OK) deal_out(division, labels, owners, owner_starts, sorted, starts);
  fed__free(context, labels);
  fed__free(context, owners);
  fed__free(context, owner_starts);
  fed__free(context, sorted);
  fed__free(context, starts);
  return code;
}

/* Everybody gets one example, the others go by the shares; which ones is left to chance. */
static int divide_by_shares(const struct division *division, const double *shares) {
  const size_t count = division->source->example_count, rest = count - division->client_count;
  uint32_t *order = shuffled(division, "partition.sizes.order", count);
  double sum = 0, share = 0;
  size_t at = 0;
  if (!order) return FED_E_MEMORY;
  for (uint32_t c = 0; c < division->client_count; c++) sum += shares[c];
  for (uint32_t c = 0; c < division->client_count; c++) {
    share += shares[c] / sum;
    size_t end = c + 1 + (size_t)floor(share * (double)rest + 0.5);
    if (end > count || c + 1 == division->client_count) end = count;
    while (at < end) division->client_of[order[at++]] = c;
  }
  fed__free(division->context, order);
  return FED_OK;
}

static int divide_power_law(const struct division *division) {
  uint32_t *ranks = shuffled(division, "partition.power_law", division->client_count);
  double *shares = fed__alloc(division->context, division->client_count * sizeof *shares);
  int code = ranks && shares ? FED_OK : FED_E_MEMORY;
  for (uint32_t c = 0; c < division->client_count && code == FED_OK; c++)
    shares[c] = pow(ranks[c] + 1.0, -division->settings->exponent);
  if (code == FED_OK) code = divide_by_shares(division, shares);
  fed__free(division->context, ranks);
  fed__free(division->context, shares);
  return code;
}

static int divide_log_normal(const struct division *division) {
  struct fed_rng rng;
  double *shares = fed__alloc(division->context, division->client_count * sizeof *shares);
  if (!shares) return FED_E_MEMORY;
  fed__rng_init(&rng, division->seed, "partition.log_normal", 0, 0);
  for (uint32_t c = 0; c < division->client_count; c++)
    shares[c] = exp(division->settings->sigma * fed__rng_normal(&rng));
  const int code = divide_by_shares(division, shares);
  fed__free(division->context, shares);
  return code;
}

/* ---- making --------------------------------------------------------------------------------- */

static const struct {
  int (*divide)(const struct division *division);
  int wants_labels;
} kinds[] = {
    [FED__PARTITION_IID] = {divide_iid, 0},
    [FED__PARTITION_DIRICHLET] = {divide_dirichlet, 1},
    [FED__PARTITION_SHARDS] = {divide_shards, 1},
    [FED__PARTITION_LABELS] = {divide_labels, 1},
    [FED__PARTITION_POWER_LAW] = {divide_power_law, 0},
    [FED__PARTITION_LOG_NORMAL] = {divide_log_normal, 0},
    [FED__PARTITION_DRAWN] = {NULL, 0},
    [FED__PARTITION_FEATURE] = {divide_iid, 0}, /* and noise: worker_pool.c */
    [FED__PARTITION_SORTED] = {NULL, 0},
    [FED__PARTITION_COLUMN] = {NULL, 0},
    [FED__PARTITION_FOLDERS] = {NULL, 0},
    [FED__PARTITION_FILE] = {NULL, 0},
};

static int check_source(const struct division *division) {
  const struct fed__partition_source *source = division->source;
  const char *name = fed__partition_kind_name(division->settings->kind);
  if (source->example_count == 0 || source->example_count > UINT32_MAX)
    return FED_RAISE(FED_E_RANGE, "%zu examples cannot be divided", source->example_count);
  if (kinds[division->settings->kind].wants_labels && !source->labels)
    return FED_RAISE(FED_E_INPUT,
                     "the partition '%s' goes by classes, but the job's target is no class", name);
  if (division->settings->kind == FED__PARTITION_DRAWN && division->settings->noise > 0)
    return FED_RAISE(FED_E_INPUT, "simulate.partition.noise: the partition 'drawn' lets clients "
                                  "share examples, so that these cannot have one client's noise");
  if (division->settings->kind != FED__PARTITION_DRAWN &&
      source->example_count < division->client_count)
    return FED_RAISE(FED_E_RANGE,
                     "%zu examples are not enough for %u clients; the partition 'drawn' lets "
                     "clients share examples",
                     source->example_count, division->client_count);
  return FED_OK;
}

static int divide(struct division *division, struct fed__partition *partition) {
  const size_t count = division->source->example_count;
  division->client_of = fed__alloc(division->context, count * sizeof(uint32_t));
  if (!division->client_of) return FED_E_MEMORY;
  int code = kinds[division->settings->kind].divide(division);
  if (code == FED_OK) code = fed__partition_collect(partition, division->client_of);
  fed__free(division->context, division->client_of);
  return code;
}

static int make_of_labels(const struct fed__job *job, struct fed_examples *examples,
                          struct fed__partition_source *source, int64_t *labels,
                          struct fed__partition *partition) {
  if (labels)
    FED_TRY(fed__dataset_labels(job->context, &job->data.schema, examples, NULL,
                                source->example_count, labels));
  source->labels = labels;
  return fed__partition_make(job->context, &job->simulate.partition, source, job->simulate.clients,
                             job->seed, partition);
}

int fed__partition_of_examples(const struct fed__job *job, struct fed_examples *examples,
                               struct fed__partition *partition) {
  const struct fed__target_schema *target = &job->data.schema.target;
  struct fed__partition_source source = {.example_count = examples->count,
                                         .classes = target->classes};
  int64_t *labels = NULL;
  if (kinds[job->simulate.partition.kind].wants_labels && target->kind == FED__TARGET_CLASS) {
    labels = fed__alloc(job->context, source.example_count * sizeof *labels);
    if (!labels) return FED_E_MEMORY;
  }
  const int code = make_of_labels(job, examples, &source, labels, partition);
  fed__free(job->context, labels);
  return code;
}

int fed__partition_make(const struct fed_context *context,
                        const struct fed__partition_settings *settings,
                        const struct fed__partition_source *source, uint32_t client_count,
                        uint64_t seed, struct fed__partition *partition) {
  struct division division = {context, settings, source, client_count, seed, NULL};
  *partition = (struct fed__partition){.context = context,
                                       .client_count = client_count,
                                       .example_count = source->example_count,
                                       .seed = seed};
  FED_TRY(check_source(&division));
  if (settings->kind == FED__PARTITION_DRAWN) {
    partition->drawn_count = partition->drawn_train_count = settings->examples;
    return FED_OK;
  }
  FED_REQUIRE(kinds[settings->kind].divide);
  const int code = divide(&division, partition);
  if (code != FED_OK) fed__partition_clear(partition);
  return code;
}
