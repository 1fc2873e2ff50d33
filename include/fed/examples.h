/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/examples.h: where training examples come from. A source of examples knows how many it has
 * and what one looks like, and gathers any rows of them into a batch; readers of files implement
 * it, and so can a program that embeds the library.
 */
#ifndef FED_EXAMPLES_H
#define FED_EXAMPLES_H

#include "fed/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FED_INPUTS_MAX 8

/* What one example looks like: the shape of each input without the batch dimension. Inputs are
 * gathered as FED_F32 or FED_I64 (indices), targets as FED_I64 (class labels) or FED_F32. */
struct fed_example_spec {
  size_t input_count;
  struct fed_tensor inputs[FED_INPUTS_MAX]; /* data NULL; name may be NULL */
  struct fed_tensor target;                 /* rank 0 for one label per example */
};

/* A batch: the spec's tensors with a leading dimension `count`. The memory belongs to whoever
 * made the batch; gather fills it. */
struct fed_batch {
  size_t count;
  struct fed_tensor inputs[FED_INPUTS_MAX];
  struct fed_tensor target;
};

struct fed_examples {
  /* Copy rows[0..count) into the batch's memory, which has room for them, and set nothing else.
   * FED_E_RANGE for a row that does not exist; FED_E_IO from a streaming reader. */
  FED_MUST int (*gather)(struct fed_examples *self, const uint32_t *rows, size_t count,
                         struct fed_batch *batch);
  /* Training goes through the rows for another time: what follows is random (augmentation) is
   * drawn from this seed. NULL: nothing is. Evaluation does not call it and must see the examples
   * as they are until `seed` is given, and again after end_pass. */
  void (*begin_pass)(struct fed_examples *self, uint64_t seed);
  void (*end_pass)(struct fed_examples *self);
  void (*free)(struct fed_examples *self);
  /* The same examples for another thread, which may gather at the same time as this one: what lies
   * in memory is shared and must outlive them. NULL: this source cannot; open it once more. */
  FED_MUST int (*share)(struct fed_examples *self, struct fed_examples **other);
  size_t count;
  struct fed_example_spec spec;
};

static inline void fed_examples_free(struct fed_examples *examples) {
  if (examples) examples->free(examples);
}

/* Examples in memory: the first dimension of each array goes through the examples, FED_F32 or
 * FED_I64. Nothing is copied: the arrays, which are only read, must last as long as the examples
 * (the structs and names need not). `target` NULL: the model's output is the loss. Several of these
 * may share arrays, each with a trainer of its own thread. FED_E_SHAPE if the arrays do not have
 * the same number of rows, FED_E_TYPE, FED_E_EMPTY, FED_E_TOO_LARGE, FED_E_USAGE, FED_E_MEMORY.
 * `*examples` is the caller's to free. */
FED_API FED_MUST int fed_examples_of_arrays(const struct fed_context *context,
                                            const struct fed_tensor *inputs, size_t input_count,
                                            const struct fed_tensor *target,
                                            struct fed_examples **examples);

#ifdef __cplusplus
}
#endif
#endif
