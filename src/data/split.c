/* SPDX-License-Identifier: Apache-2.0
 *
 * split.c: held-out examples, and label-wise Dirichlet partitions.
 */
#include "data/split.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS_MAX 10000 /* until every client has its minimum */
#define ALPHA_MAX 1e9   /* far beyond any difference from equal shares */

static int compare_rows(const void *a, const void *b) {
  const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static size_t holdout_size(size_t count, double fraction) {
  const size_t size = (size_t)floor(fraction * (double)count + 0.5);
  if (size == 0) return fraction > 0 && count > 1;
  return size < count ? size : count - 1;
}

int fed__split_holdout(const struct fed_context *context, size_t count, double fraction,
                       uint64_t seed, struct fed__split *split) {
  struct fed_rng rng;
  if (!(fraction >= 0 && fraction < 1))
    return FED_RAISE(FED_E_RANGE, "expected a held-out fraction from 0 to below 1, found %g",
                     fraction);
  if (count == 0) return FED_RAISE(FED_E_EMPTY, "there are no examples to split");
  if (count > UINT32_MAX) return FED_RAISE(FED_E_RANGE, "%zu examples are too many", count);
  uint32_t *rows = fed__alloc(context, count * sizeof rows[0]);
  if (!rows) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) rows[i] = (uint32_t)i;
  fed__rng_init(&rng, seed, "split.holdout", 0, 0);
  fed__rng_shuffle(&rng, rows, count);
  const size_t held_out = holdout_size(count, fraction);
  *split = (struct fed__split){.context = context,
                               .train = rows,
                               .train_count = count - held_out,
                               .held_out = rows + (count - held_out),
                               .held_out_count = held_out};
  qsort(split->train, split->train_count, sizeof rows[0], compare_rows);
  qsort(split->held_out, split->held_out_count, sizeof rows[0], compare_rows);
  return FED_OK;
}

void fed__split_clear(struct fed__split *split) {
  if (split->train) fed__free(split->context, split->train);
  *split = (struct fed__split){.context = split->context};
}

struct partition {
  const struct fed__split_dirichlet *options;
  uint32_t *rows;       /* examples sorted by class, shuffled within it */
  size_t *class_starts; /* classes + 1 */
  size_t *cuts;         /* classes × clients: the class's rows before this are that client's */
  double *shares;       /* clients */
  size_t *totals;       /* clients */
};

static int check_options(const struct fed__split_dirichlet *options) {
  if (!options->clients || !options->classes ||
      !(options->alpha > 0 && options->alpha <= ALPHA_MAX))
    return FED_RAISE(FED_E_RANGE,
                     "expected clients, classes and an alpha above 0 up to 1e9, found %u, %u, %g",
                     options->clients, options->classes, options->alpha);
  if (options->count > UINT32_MAX || options->client_min > options->count / options->clients)
    return FED_RAISE(FED_E_RANGE, "%zu examples cannot give %u clients at least %zu each",
                     options->count, options->clients, options->client_min);
  for (size_t i = 0; i < options->count; i++)
    if (options->labels[i] < 0 || options->labels[i] >= (int64_t)options->classes)
      return FED_RAISE(FED_E_RANGE, "example %zu: expected a class from 0 to %u, found %lld", i,
                       options->classes - 1, (long long)options->labels[i]);
  return FED_OK;
}

static int allocate(const struct fed_context *context, struct partition *partition) {
  const struct fed__split_dirichlet *options = partition->options;
  const size_t clients = options->clients, classes = options->classes;
  if ((partition->rows = fed__zalloc(context, options->count, sizeof partition->rows[0])) &&
      (partition->class_starts = fed__zalloc(context, classes + 1, sizeof(size_t))) &&
      (partition->cuts = fed__zalloc(context, classes * clients, sizeof(size_t))) &&
      (partition->shares = fed__zalloc(context, clients, sizeof(double))) &&
      (partition->totals = fed__zalloc(context, clients, sizeof(size_t))))
    return FED_OK;
  return FED_E_MEMORY;
}

/* Sort by class (counting), then shuffle each class. */
static void sort_rows(struct partition *partition) {
  const struct fed__split_dirichlet *options = partition->options;
  size_t *starts = partition->class_starts;
  struct fed_rng rng;
  for (size_t i = 0; i < options->count; i++) starts[options->labels[i] + 1]++;
  for (uint32_t k = 0; k < options->classes; k++) starts[k + 1] += starts[k];
  for (size_t i = options->count; i-- > 0;)
    partition->rows[--starts[options->labels[i] + 1]] = (uint32_t)i;
  memmove(starts, starts + 1, options->classes * sizeof starts[0]);
  starts[options->classes] = options->count;
  for (uint32_t k = 0; k < options->classes; k++) {
    fed__rng_init(&rng, options->seed, "split.dirichlet.order", k, 0);
    fed__rng_shuffle(&rng, partition->rows + starts[k], starts[k + 1] - starts[k]);
  }
}

/* Dirichlet(alpha, …): gamma variates over their sum. When all underflow (tiny alpha), one client
 * has the whole class, which is the distribution's limit. */
static double draw_shares(const struct fed__split_dirichlet *options, struct fed_rng *rng,
                          double *shares) {
  double sum = 0;
  for (uint32_t c = 0; c < options->clients; c++)
    sum += shares[c] = fed__rng_gamma(rng, options->alpha);
  if (sum > 0) return sum;
  shares[fed__rng_below(rng, options->clients)] = 1;
  return 1;
}

static void draw_cuts(struct partition *partition, struct fed_rng *rng) {
  const struct fed__split_dirichlet *options = partition->options;
  memset(partition->totals, 0, options->clients * sizeof partition->totals[0]);
  for (uint32_t k = 0; k < options->classes; k++) {
    size_t *cuts = partition->cuts + (size_t)k * options->clients, before = 0;
    const size_t size = partition->class_starts[k + 1] - partition->class_starts[k];
    const double sum = draw_shares(options, rng, partition->shares);
    double share = 0;
    for (uint32_t c = 0; c < options->clients; c++) {
      share += partition->shares[c] / sum;
      cuts[c] = c + 1 == options->clients ? size : (size_t)floor(share * (double)size + 0.5);
      if (cuts[c] > size) cuts[c] = size;
      partition->totals[c] += cuts[c] - before;
      before = cuts[c];
    }
  }
}

static int has_minimum(const struct partition *partition) {
  for (uint32_t c = 0; c < partition->options->clients; c++)
    if (partition->totals[c] < partition->options->client_min) return 0;
  return 1;
}

static void assign_clients(const struct partition *partition, uint32_t *client_of) {
  const struct fed__split_dirichlet *options = partition->options;
  for (uint32_t k = 0; k < options->classes; k++) {
    const size_t *cuts = partition->cuts + (size_t)k * options->clients;
    const size_t start = partition->class_starts[k];
    uint32_t client = 0;
    for (size_t i = 0; i < partition->class_starts[k + 1] - start; i++) {
      while (i >= cuts[client]) client++;
      client_of[partition->rows[start + i]] = client;
    }
  }
}

static int draw_partition(struct partition *partition, uint32_t *client_of) {
  const struct fed__split_dirichlet *options = partition->options;
  struct fed_rng rng;
  sort_rows(partition);
  fed__rng_init(&rng, options->seed, "split.dirichlet.shares", 0, 0);
  for (int draw = 0; draw < DRAWS_MAX; draw++) {
    draw_cuts(partition, &rng);
    if (!has_minimum(partition)) continue;
    assign_clients(partition, client_of);
    return FED_OK;
  }
  return FED_RAISE(FED_E_RANGE,
                   "no draw of %d gave each of %u clients %zu examples: raise alpha (%g) or lower "
                   "the minimum",
                   DRAWS_MAX, options->clients, options->client_min, options->alpha);
}

int fed__split_dirichlet(const struct fed_context *context,
                         const struct fed__split_dirichlet *options, uint32_t *client_of) {
  struct partition partition = {.options = options};
  FED_TRY(check_options(options));
  int code = allocate(context, &partition);
  if (code == FED_OK) code = draw_partition(&partition, client_of);
  fed__free(context, partition.rows);
  fed__free(context, partition.class_starts);
  fed__free(context, partition.cuts);
  fed__free(context, partition.shares);
  fed__free(context, partition.totals);
  return code;
}
