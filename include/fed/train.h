/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/train.h: load an ONNX model, train it, evaluate it, read its parameters, write it back.
 *
 *   fed_model_load → fed_trainer_new → fed_train_epochs / fed_train_step … → fed_trainer_params
 *                  → fed_model_export → fed_trainer_free → fed_model_free
 *
 * A model is immutable after loading and may be shared by threads; a trainer is one thread's.
 * Everything a step needs is planned and allocated by fed_trainer_new; a step allocates nothing,
 * except for the first one of another batch size.
 * The same model, options, examples and machine give the same bits.
 */
#ifndef FED_TRAIN_H
#define FED_TRAIN_H

#include "fed/examples.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fed_model;
struct fed_trainer;

/* Parse an ONNX file (opset 13 to 23). Everything unsupported is refused here, naming node,
 * operator and what is supported: FED_E_SYNTAX, FED_E_UNSUPPORTED, FED_E_SHAPE, FED_E_TYPE,
 * FED_E_TOO_LARGE. `*model` is the caller's to free. The file's bytes are copied. */
FED_API FED_MUST int fed_model_load(const struct fed_context *context, struct fed_slice onnx,
                                    struct fed_model **model);
FED_API void fed_model_free(struct fed_model *model);

/* The trainable parameters with their values in the file, in the order of the file's
 * initializers; float32. Owned by the model. Which initializers train: the file's metadata entry
 * "fed.trainable" (names, comma separated) if there is one; else every float initializer that
 * feeds the weight, bias, scale or table slot of an operator that has such a slot. */
FED_API const struct fed_params *fed_model_params(const struct fed_model *model);

/* What one example must look like: the graph's inputs without the batch dimension. The target's
 * shape follows from the loss and the graph's first output. */
FED_API const struct fed_example_spec *fed_model_inputs(const struct fed_model *model);

/* A table of the nodes (name, operator, output shape, parameters) for people, appended to `out`. */
FED_API FED_MUST int fed_model_describe(const struct fed_model *model, struct fed_buffer *out);

/* Append the file with these parameter values in place of its own: same graph, same names. The
 * set must match fed_model_params. */
FED_API FED_MUST int fed_model_export(const struct fed_model *model,
                                      const struct fed_params *params, struct fed_buffer *out);

enum fed_loss {
  FED_LOSS_SOFTMAX_CROSS_ENTROPY, /* target: class labels, FED_I64; the graph outputs logits */
};

enum fed_optimizer { FED_OPTIMIZER_SGD, FED_OPTIMIZER_ADAM };

enum fed_schedule {
  FED_SCHEDULE_CONSTANT,
  FED_SCHEDULE_LINEAR, /* from learning_rate to learning_rate * schedule_floor */
  FED_SCHEDULE_COSINE, /* the same along half a cosine */
  FED_SCHEDULE_STEP,   /* times schedule_factor after every schedule_every steps */
};

enum fed_precision {
  FED_PRECISION_F32, /* what people train with */
  FED_PRECISION_F64, /* the oracle: plain C in double */
};

/* Which kernels: the fastest that this machine and its packages offer, or plain C. */
enum fed_kernels { FED_KERNELS_AUTO, FED_KERNELS_REFERENCE, FED_KERNELS_ONEDNN };

struct fed_train_options {
  enum fed_loss loss;
  enum fed_optimizer optimizer;
  enum fed_schedule schedule;
  enum fed_precision precision;
  enum fed_kernels kernels;
  uint32_t batch_size; /* the largest batch a step may get */
  double learning_rate;
  double momentum; /* SGD: buf = momentum * buf + g; 0 none */
  int nesterov;
  double weight_decay;          /* added to the gradient: g + weight_decay * p */
  double beta1, beta2, epsilon; /* Adam */
  double clip_norm;             /* clip each batch's gradient to this L2 norm; 0: do not */
  double schedule_floor, schedule_factor;
  uint64_t schedule_every;
  uint64_t schedule_steps; /* the number of steps that the schedule spans */
};

/* SGD, softmax cross entropy, learning rate 0.1, batch 32, float32, Adam's usual betas. */
FED_API void fed_train_options_init(struct fed_train_options *options);

/* Sums over examples, so that they add up across batches and clients. A model with several labels
 * for one example (an output [N, classes, positions…]) counts each label as an example. */
struct fed_metrics {
  uint64_t example_count;
  uint64_t correct_count; /* argmax equals the label */
  double loss_sum;
};

/* Plan and allocate. FED_E_UNSUPPORTED if the kernels cannot be had, FED_E_SHAPE if loss and
 * graph do not fit, FED_E_MEMORY. The model must outlive the trainer. */
FED_API FED_MUST int fed_trainer_new(const struct fed_context *context,
                                     const struct fed_model *model,
                                     const struct fed_train_options *options,
                                     struct fed_trainer **trainer);
FED_API void fed_trainer_free(struct fed_trainer *trainer);

/* The bytes that planning allocated: parameters, activations, gradients, optimiser state. */
FED_API size_t fed_trainer_bytes(const struct fed_trainer *trainer);

/* The name of the kernels in use: "reference" or "onednn". */
FED_API const char *fed_trainer_kernels(const struct fed_trainer *trainer);

/* Replace the parameters (must match fed_model_params) and forget optimiser state and step count.
 */
FED_API FED_MUST int fed_trainer_reset(struct fed_trainer *trainer,
                                       const struct fed_params *params);

/* Copy the current parameters into a set that matches fed_model_params (float32; values are
 * rounded from float64 under FED_PRECISION_F64). */
FED_API FED_MUST int fed_trainer_params(const struct fed_trainer *trainer,
                                        struct fed_params *params);

/* The trainer's own batch memory: fill it (at most batch_size examples, set `count`) before a
 * step. Valid as long as the trainer. The first batch of a smaller size makes a plan for that size
 * (it allocates, and may fail with FED_E_MEMORY); the last three of these are kept. */
FED_API struct fed_batch *fed_trainer_batch(struct fed_trainer *trainer);

/* One optimiser step on the batch. Adds to `metrics` (values before the update).
 * FED_E_RANGE for a label outside the classes, FED_E_NOT_FINITE if the loss (or, with clip_norm,
 * the gradient) is not finite; then parameters and metrics are those before the step. */
FED_API FED_MUST int fed_train_step(struct fed_trainer *trainer, struct fed_metrics *metrics);

/* Forward only, on the batch; adds to `metrics`. The same errors. */
FED_API FED_MUST int fed_evaluate_step(struct fed_trainer *trainer, struct fed_metrics *metrics);

/* Go through the rows of `examples` for `epochs` epochs, in an order drawn from `seed`, the last
 * batch of an epoch being smaller; stop after steps_max steps (0: no limit). `rows` NULL: all. */
struct fed_epochs {
  const uint32_t *rows;
  size_t row_count;
  uint32_t epochs;
  uint64_t steps_max;
  uint64_t seed;
};
FED_API FED_MUST int fed_train_epochs(struct fed_trainer *trainer, struct fed_examples *examples,
                                      const struct fed_epochs *epochs, struct fed_metrics *metrics);

/* Evaluate on the given rows (NULL: all) in order. */
FED_API FED_MUST int fed_evaluate(struct fed_trainer *trainer, struct fed_examples *examples,
                                  const uint32_t *rows, size_t row_count,
                                  struct fed_metrics *metrics);

/* Write an ONNX file for a built-in model, initialised as the usual frameworks do (uniform in
 * ±1/sqrt(fan_in)) from `seed`. */
struct fed_recipe_options {
  const char *recipe;     /* "logreg", "mlp", "2nn", "cnn" */
  struct fed_shape input; /* without the batch dimension, e.g. [1, 28, 28] or [13] */
  uint32_t classes;
  uint32_t hidden[8];  /* mlp, 2nn: widths; cnn: channels of each convolution, then width */
  size_t hidden_count; /* 0: the recipe's own */
  uint64_t seed;
};
FED_API FED_MUST int fed_recipe_write(const struct fed_context *context,
                                      const struct fed_recipe_options *options,
                                      struct fed_buffer *onnx);

/* One line each, NULL-terminated: "cnn: two convolutions with pooling, one hidden layer …". */
FED_API const char *const *fed_recipe_list(void);

#ifdef __cplusplus
}
#endif
#endif
