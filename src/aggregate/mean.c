/* SPDX-License-Identifier: Apache-2.0
 *
 * mean.c: the weighted mean, as an integer sum and a sum of weights. Holds 8 bytes an element
 * whatever the number of clients, and no single update. Sums cannot overflow: a shape for which
 * they might is refused.
 *
 * Threads: an aggregate belongs to one thread at a time.
 */
#include "aggregate/aggregate.h"
#include "base/memory.h"
#include "base/raise.h"

#define SUM_ALIGNMENT 64 /* a cache line: whole-line stores are a tenth faster */
#define NEEDS_ON_GRID (1u << 2)

struct fed__aggregate {
  const struct fed_context *context;
  struct fed__aggregate_shape shape;
  int64_t *sum; /* aligned, inside `allocation`; behind it are the two totals */
  void *allocation;
  uint64_t *totals;
};

enum { WEIGHTS, CLIENTS, TOTAL_COUNT };

/* |grid| <= 2^(bits - 1), so the largest sum is below 2^63 as long as
 * weight_max * clients_max <= 2^(64 - bits). */
static int check_mean(const struct fed__aggregate_shape *shape) {
  const uint32_t bits = shape->grid_bits;
  uint64_t product;
  if (bits != 8 && bits != 16 && bits != 32)
    return FED_RAISE(FED_E_RANGE, "grid_bits: expected 8, 16 or 32, found %u", bits);
  if (shape->element_count == 0 || shape->element_count > SIZE_MAX / 16)
    return FED_RAISE(FED_E_RANGE, "an update of %zu elements cannot be summed",
                     shape->element_count);
  if (shape->weight_max == 0 || shape->clients_max == 0)
    return FED_RAISE(FED_E_RANGE,
                     "expected a largest weight and a number of clients of at least 1, found "
                     "%llu and %llu",
                     (unsigned long long)shape->weight_max, (unsigned long long)shape->clients_max);
  if (__builtin_mul_overflow(shape->weight_max, shape->clients_max, &product) ||
      product > (uint64_t)1 << (64 - bits))
    return FED_RAISE(FED_E_RANGE,
                     "%llu clients of weight up to %llu with %u-bit elements can overflow a 64-bit "
                     "sum: clients * weight must be at most 2^%u; lower weight_max, the cohort or "
                     "grid_bits",
                     (unsigned long long)shape->clients_max, (unsigned long long)shape->weight_max,
                     bits, 64 - bits);
  return FED_OK;
}

static size_t mean_bytes(const struct fed__aggregate_shape *shape) {
  return sizeof(struct fed__aggregate) + SUM_ALIGNMENT +
         (shape->element_count + TOTAL_COUNT) * sizeof(int64_t);
}

static void free_mean(struct fed__aggregate *mean) {
  if (!mean) return;
  fed__free(mean->context, mean->allocation);
  fed__free(mean->context, mean);
}

static void begin_mean(struct fed__aggregate *mean) {
  memset(mean->sum, 0, (mean->shape.element_count + TOTAL_COUNT) * sizeof *mean->sum);
}

static int init_mean(const struct fed_context *context, const struct fed__aggregate_shape *shape,
                     struct fed__aggregate **aggregate) {
  *aggregate = NULL;
  FED_TRY(check_mean(shape));
  struct fed__aggregate *mean = fed__zalloc(context, 1, sizeof *mean);
  if (!mean) return FED_E_MEMORY;
  mean->context = context;
  mean->shape = *shape;
  mean->allocation = fed__alloc(context, mean_bytes(shape) - sizeof *mean);
  if (!mean->allocation) {
    free_mean(mean);
    return FED_E_MEMORY;
  }
  const uintptr_t start = (uintptr_t)mean->allocation + SUM_ALIGNMENT - 1;
  mean->sum = (int64_t *)(start - start % SUM_ALIGNMENT);
  mean->totals = (uint64_t *)mean->sum + shape->element_count;
  begin_mean(mean);
  *aggregate = mean;
  return FED_OK;
}

static int add_to_mean(struct fed__aggregate *mean, struct fed_slice grid, uint64_t weight) {
  const struct fed__aggregate_shape *shape = &mean->shape;
  const size_t expected = shape->element_count * (shape->grid_bits / 8);
  if (grid.size != expected)
    return FED_RAISE(FED_E_SHAPE,
                     "an update of %zu bytes, expected %zu: %zu elements of %u bits; the client "
                     "trains another model or another plan",
                     grid.size, expected, shape->element_count, shape->grid_bits);
  if (weight < 1 || weight > shape->weight_max)
    return FED_RAISE(FED_E_RANGE, "an update of weight %llu, expected 1 to %llu",
                     (unsigned long long)weight, (unsigned long long)shape->weight_max);
  if (mean->totals[CLIENTS] >= shape->clients_max)
    return FED_RAISE(FED_E_LIMIT, "%llu updates are in the sum already, the most it was made for",
                     (unsigned long long)mean->totals[CLIENTS]);
  fed__fold(mean->sum, grid.data, shape->grid_bits, shape->element_count, (int64_t)weight);
  mean->totals[WEIGHTS] += weight;
  mean->totals[CLIENTS]++;
  return FED_OK;
}

static int merge_means(struct fed__aggregate *mean, const struct fed__aggregate *other) {
  const uint64_t clients = mean->totals[CLIENTS] + other->totals[CLIENTS];
  if (clients > mean->shape.clients_max)
    return FED_RAISE(FED_E_LIMIT, "%llu updates are more than the %llu that the sum was made for",
                     (unsigned long long)clients, (unsigned long long)mean->shape.clients_max);
  for (size_t i = 0; i < mean->shape.element_count; i++) mean->sum[i] += other->sum[i];
  mean->totals[WEIGHTS] += other->totals[WEIGHTS];
  mean->totals[CLIENTS] = clients;
  return FED_OK;
}

static int64_t *words_of_mean(struct fed__aggregate *mean, size_t *count) {
  *count = mean->shape.element_count + TOTAL_COUNT;
  return mean->sum;
}

static int finish_mean(struct fed__aggregate *mean, const int64_t **sum, uint64_t *weight_sum) {
  if (mean->totals[CLIENTS] == 0)
    return FED_RAISE(FED_E_EMPTY, "no update was added: there is no mean of nothing");
  *sum = mean->sum;
  *weight_sum = mean->totals[WEIGHTS];
  return FED_OK;
}

const struct fed__aggregate_ops fed__aggregate_mean = {
    .name = "mean",
    .needs = NEEDS_ON_GRID,
    .gives_sum = 1,
    .check = check_mean,
    .bytes = mean_bytes,
    .init = init_mean,
    .free = free_mean,
    .begin = begin_mean,
    .add = add_to_mean,
    .merge = merge_means,
    .words = words_of_mean,
    .finish = finish_mean,
};
