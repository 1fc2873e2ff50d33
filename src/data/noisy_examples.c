/* SPDX-License-Identifier: Apache-2.0
 *
 * noisy_examples.c: the wrapper. Memory: its own struct. Time: a normal number for each value of
 * rows that have noise.
 */
#include "data/noisy_examples.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

struct noisy {
  struct fed_examples examples;
  const struct fed_context *context;
  struct fed_examples *plain;
  const float *deviations;
  uint64_t seed;
};

static void add_noise(const struct noisy *self, uint32_t row, size_t input, size_t count,
                      float *values) {
  const float deviation = self->deviations[row];
  struct fed_rng rng;
  if (deviation <= 0) return;
  fed__rng_init(&rng, self->seed, "partition.noise", row, input);
  for (size_t i = 0; i < count; i++) values[i] += deviation * (float)fed__rng_normal(&rng);
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  const struct noisy *self = (const struct noisy *)examples;
  FED_TRY(self->plain->gather(self->plain, rows, count, batch));
  for (size_t k = 0; k < examples->spec.input_count; k++) {
    float *values = batch->inputs[k].data;
    if (!values || examples->spec.inputs[k].dtype != FED_F32) continue;
    const size_t elements = fed_tensor_elements(&examples->spec.inputs[k]);
    for (size_t i = 0; i < count; i++) add_noise(self, rows[i], k, elements, values + i * elements);
  }
  return FED_OK;
}

static void begin_pass(struct fed_examples *examples, uint64_t seed) {
  struct fed_examples *plain = ((struct noisy *)examples)->plain;
  if (plain->begin_pass) plain->begin_pass(plain, seed);
}

static void end_pass(struct fed_examples *examples) {
  struct fed_examples *plain = ((struct noisy *)examples)->plain;
  if (plain->end_pass) plain->end_pass(plain);
}

static void free_noisy(struct fed_examples *examples) {
  struct noisy *self = (struct noisy *)examples;
  fed_examples_free(self->plain);
  fed__free(self->context, self);
}

int fed__noisy_examples_new(const struct fed_context *context, struct fed_examples *plain,
                            const float *deviations, uint64_t seed,
                            struct fed_examples **examples) {
  size_t numbers = 0;
  for (size_t k = 0; k < plain->spec.input_count; k++)
    numbers += plain->spec.inputs[k].dtype == FED_F32;
  if (!numbers)
    return FED_RAISE(FED_E_INPUT, "noise is for inputs of numbers, and these examples have none");
  struct noisy *self = fed__zalloc(context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  *self = (struct noisy){{.gather = gather,
                          .begin_pass = begin_pass,
                          .end_pass = end_pass,
                          .free = free_noisy,
                          .count = plain->count,
                          .spec = plain->spec},
                         context,
                         plain,
                         deviations,
                         seed};
  *examples = &self->examples;
  return FED_OK;
}
