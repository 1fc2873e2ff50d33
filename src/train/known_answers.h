/* SPDX-License-Identifier: Apache-2.0
 *
 * known_answers.h: train a model beside known answers and measure the differences. The answers are
 * another framework's: the first batch's output, loss and gradients, and the losses, parameters and
 * running statistics of a run with SGD and one with Adam. docs/training.md describes the files.
 */
#ifndef FED_TRAIN_KNOWN_ANSWERS_H
#define FED_TRAIN_KNOWN_ANSWERS_H

#include "fed/train.h"

/* The bytes of model.onnx, data.safetensors, expect.safetensors and spec.json. */
struct fed__known_files {
  struct fed_slice model, data, expect, spec;
};

struct fed__known_answers;

/* The parameters that have answers train, no others. FED_E_SYNTAX, FED_E_MISSING, FED_E_TYPE for
 * files that are not as described, FED_E_INPUT if one of those parameters cannot train; and what
 * fed_model_load returns. The slices are borrowed during the call. */
FED_MUST int fed__known_answers_open(const struct fed_context *context,
                                     const struct fed__known_files *files,
                                     struct fed__known_answers **answers);
void fed__known_answers_free(struct fed__known_answers *answers);

const struct fed_model *fed__known_answers_model(const struct fed__known_answers *answers);

/* One compared tensor. */
struct fed__known_check {
  const char *part; /* "first batch", "sgd" or "adam" */
  const char *kind; /* "output", "loss", "gradients", "early steps", "losses", "parameters",
                       "statistics", "evaluation" */
  const char *name; /* the answer's */
  double difference, tolerance; /* the largest absolute one; a NaN is infinitely different */
};

static inline int fed__known_check_holds(const struct fed__known_check *check) {
  return check->difference <= check->tolerance;
}

struct fed__known_setting {
  enum fed_precision precision;
  enum fed_kernels kernels;
  double factor; /* times the answers' tolerances, which are for float32; float64 can do better */
  int (*report)(void *data, const struct fed__known_check *check); /* a failure ends the checks */
  void *data;
};

/* FED_OK if all could be compared, whatever the differences. */
FED_MUST int fed__known_answers_check(const struct fed__known_answers *answers,
                                      const struct fed__known_setting *setting);

size_t fed__known_answers_steps(const struct fed__known_answers *answers);

/* A run ("sgd" or "adam") in float32 beside the same in float64 with plain C: after each of the
 * steps the largest difference of any trained parameter. Rounding that training amplifies leaps in
 * some late step; kernels that are wrong differ from the first. */
FED_MUST int fed__known_answers_trace(const struct fed__known_answers *answers, const char *run,
                                      enum fed_kernels kernels, double *differences);

#endif
