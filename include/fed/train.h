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
struct fed_train_options;

/* What becomes of BatchNormalization's running statistics. */
enum fed_statistics {
  FED_STATISTICS_AS_EXPORTED, /* nodes with training_mode 1: AVERAGE; the others: FREEZE */
  FED_STATISTICS_AVERAGE,     /* batch statistics in training; the running ones travel and are
                                 averaged as parameters are */
  FED_STATISTICS_LOCAL,       /* the same, but they stay where they were measured */
  FED_STATISTICS_FREEZE,      /* the file's are used in training, too, and do not change */
};

/* A named dimension of the graph's inputs ("sequence") other than the batch. */
struct fed_dimension {
  const char *name;
  int64_t extent;
};

/* How to read a model; zeroed: as the file says. Patterns are names in which '*' stands for any
 * run of characters. Borrowed during the call. */
struct fed_model_options {
  const char *const *trainable; /* in place of the file's list or the rule */
  size_t trainable_count;
  const char *const *frozen; /* these do not train after all */
  size_t frozen_count;
  const char *output; /* the value of the graph that is the model's output: any node's; NULL: the
                         graph's first output. Nodes that do not lead there never run */
  const struct fed_dimension *dimensions;
  size_t dimension_count;
  enum fed_statistics statistics;
  /* Low-rank adapters (LoRA, Hu et al. 2021): the Gemm and MatMul nodes whose name or weight's name
   * fits get y + alpha / rank * (x A) B with A [in, rank] random from the seed and B [rank, out]
   * zero. The weight freezes; of all parameters only the adapters train and travel. */
  const char *const *adapted;
  size_t adapted_count;
  uint32_t adapter_rank;
  double adapter_alpha; /* 0: the rank, so that the factor is 1 */
  uint64_t adapter_seed;
};

/* Parse an ONNX file (opset 13 or newer, as long as its operators have not changed since those that
 * the engine knows). Functions of the model are put in place of their calls. Everything unsupported
 * is refused here, naming node, operator and what to do: FED_E_SYNTAX, FED_E_UNSUPPORTED,
 * FED_E_SHAPE, FED_E_TYPE, FED_E_TOO_LARGE; FED_E_MISSING for a pattern that fits nothing and for a
 * named dimension without an extent. `options` NULL: zeroed. `*model` is the caller's to free. The
 * bytes are copied. */
FED_API FED_MUST int fed_model_load(const struct fed_context *context, struct fed_slice onnx,
                                    const struct fed_model_options *options,
                                    struct fed_model **model);
FED_API void fed_model_free(struct fed_model *model);

/* What travels: the trainable parameters with their values in the file, in the order of the
 * file's initializers, then the running statistics that are averaged; float32, whatever real type
 * the file has them in. Owned by the model. With adapters, "<weight>.lora_A" and "<weight>.lora_B"
 * of each weight, and no other parameter.
 *
 * Which initializers train: those that options->trainable fits; else those that the file's
 * metadata entry "fed.trainable" (names, comma separated) lists; else this rule. A float
 * initializer trains if it feeds, directly or through operators that only rearrange it, the weight,
 * bias, scale or table slot of an operator that has such a slot: both operands of Gemm and MatMul
 * (rank 2 or more), weights and bias of convolutions, recurrent and normalising operators, PRelu's
 * slope, Gather's table (rank 2 or more), both operands of Add and Mul (more than one element, or
 * the bias of a MatMul with one output). Not if
 *   - it is an operand of Add, Mul, MatMul or Gemm, and the other operand comes from positions and
 *     single numbers only (a formula);
 *   - it is a list that Add or Mul puts on the examples before anything else happens to them, and
 *     something else trains (normalised inputs);
 *   - Add, Mul or Gather has it, and its values are a mask's (one is not finite or at most -10000,
 *     or all are 0 or one other value), or those of sines and cosines (pairs whose squares add up
 *     to 1, or rotary tables, which have each number twice);
 *   - it is the ones or zeros of an InstanceNormalization behind a Reshape (group normalisation).
 * docs/models.md has it with examples; `fed model show` says which case holds. */
FED_API const struct fed_params *fed_model_params(const struct fed_model *model);

/* How many of them, from the first on, train: the rest are running statistics. */
FED_API size_t fed_model_trained_count(const struct fed_model *model);

/* The running statistics that stay (FED_STATISTICS_LOCAL), with their values in the file. */
FED_API const struct fed_params *fed_model_local_params(const struct fed_model *model);

/* What one example must look like: the graph's inputs without the batch dimension. The target's
 * shape follows from the loss and the output. */
FED_API const struct fed_example_spec *fed_model_inputs(const struct fed_model *model);

/* Tables of the inputs, nodes and initializers with what of them trains and why, appended to `out`
 * for people, or as JSON. */
FED_API FED_MUST int fed_model_describe(const struct fed_model *model, struct fed_buffer *out);
FED_API FED_MUST int fed_model_describe_json(const struct fed_model *model, struct fed_buffer *out);

/* What is allowed but is hardly meant, a sentence a line, appended to `out` for people: nothing if
 * all is well. The graph ends in a Softmax or Sigmoid that the loss of `options` applies itself
 * (NULL: any loss); a single number that may be a bias does not train. */
FED_API FED_MUST int fed_model_doubts(const struct fed_model *model,
                                      const struct fed_train_options *options,
                                      struct fed_buffer *out);

/* The supported operators with their opsets, a line each, or as JSON. */
FED_API FED_MUST int fed_operators_describe(int as_json, struct fed_buffer *out);

/* Append the file with these parameter values in place of its own: same graph, same names, same
 * types (float16 and the like are rounded to); everything else as it was. Adapters are added to the
 * weights that they adapt. The set must match fed_model_params. */
FED_API FED_MUST int fed_model_export(const struct fed_model *model,
                                      const struct fed_params *params, struct fed_buffer *out);

/* The mean over all labels (elements, where the target is numbers) of the batch. Softmax and
 * sigmoid belong to the loss: the graph outputs logits. */
enum fed_loss {
  FED_LOSS_SOFTMAX_CROSS_ENTROPY, /* target: class labels, FED_I64, for each position of the output
                                     besides class_axis */
  FED_LOSS_SOFT_CROSS_ENTROPY,    /* target: class probabilities, FED_F32, of the output's shape */
  FED_LOSS_BINARY_CROSS_ENTROPY,  /* target: 0 to 1, FED_F32, of the output's shape */
  FED_LOSS_MEAN_SQUARED_ERROR,    /* target: FED_F32, of the output's shape */
  FED_LOSS_HUBER,  /* d^2 / 2 up to huber_delta, then huber_delta (|d| - delta / 2) */
  FED_LOSS_OUTPUT, /* the graph's output is the loss (its mean); no target is looked
                      at: FED_F32 of rank 0 */
};

enum fed_optimizer {
  FED_OPTIMIZER_SGD,
  FED_OPTIMIZER_ADAM,
  FED_OPTIMIZER_ADAMW,   /* decoupled weight decay: p -= rate * decay * p (Loshchilov & Hutter) */
  FED_OPTIMIZER_ADAGRAD, /* sum += g^2; p -= rate * g / (sqrt(sum) + epsilon) */
  FED_OPTIMIZER_RMSPROP, /* s = rho s + (1 - rho) g^2; p -= rate * g / (sqrt(s) + epsilon), with
                            momentum: buf = momentum buf + g / (…); p -= rate * buf */
};

enum fed_schedule {
  FED_SCHEDULE_CONSTANT,
  FED_SCHEDULE_LINEAR, /* from learning_rate to learning_rate * schedule_floor */
  FED_SCHEDULE_COSINE, /* the same along half a cosine */
  FED_SCHEDULE_STEP,   /* times schedule_factor after every schedule_every steps */
};

enum fed_precision {
  FED_PRECISION_F32,  /* what people train with */
  FED_PRECISION_F64,  /* the oracle: plain C in double */
  FED_PRECISION_BF16, /* float32, but matrix products and convolutions round their operands to
                         bfloat16 and sum in float32; master weights stay float32 */
};

/* Which kernels: the fastest that this machine and its packages offer; plain C; oneDNN's alone; or
 * the fastest without Winograd's tiles for convolutions of 3 x 3, whose rounding errors are 3 (32
 * channels) to 7 times (256) those of direct sums with AVX-512. */
enum fed_kernels {
  FED_KERNELS_AUTO,
  FED_KERNELS_REFERENCE,
  FED_KERNELS_ONEDNN,
  FED_KERNELS_DIRECT
};

struct fed_train_options {
  enum fed_loss loss;
  enum fed_optimizer optimizer;
  enum fed_schedule schedule;
  enum fed_precision precision;
  enum fed_kernels kernels;
  uint32_t batch_size; /* the largest batch a step may get */
  double learning_rate;
  double momentum; /* SGD: buf = momentum * buf + g; RMSprop; 0: none */
  int nesterov;
  double weight_decay;          /* added to the gradient: g + weight_decay * p (not AdamW) */
  double beta1, beta2, epsilon; /* Adam, AdamW; epsilon: Adagrad, RMSprop, too */
  double rho;                   /* RMSprop */
  double clip_norm;             /* clip each batch's gradient to this L2 norm; 0: do not */
  double clip_value;            /* before that, each element to [-clip_value, clip_value]; 0: not */
  double schedule_floor, schedule_factor;
  uint64_t schedule_every;
  uint64_t schedule_steps; /* the number of steps that the schedule spans */
  uint64_t warmup_steps;   /* first: step s (from 0) of so many has (s + 1) / warmup_steps of the
                              rate; then the schedule begins */
  uint64_t seed;           /* of dropout, together with that of struct fed_epochs */
  /* Of losses. Class weights: the weighted sum is divided by the sum of the labels' weights, as
   * PyTorch does. Borrowed until the trainer is freed. */
  uint32_t class_axis;         /* of the output, from 1 on; 0: 1. Softmax, soft cross entropy */
  const double *class_weights; /* by class; NULL: all 1. Binary: by the output's last dimension,
                                  what positive targets weigh */
  size_t class_weight_count;
  int has_ignored_label;
  int64_t ignored_label;  /* labels that do not count; softmax. A batch without any other label
                             has loss 0 and gradient 0 */
  double label_smoothing; /* softmax, soft: this much of the target is spread over all classes */
  double huber_delta;
  /* Memory. */
  int checkpoint;            /* recompute activations in backward, where that saves memory */
  uint64_t memory_bytes_max; /* FED_E_TOO_LARGE with the figure if the plan needs more; 0: any */
};

/* SGD, softmax cross entropy, learning rate 0.1, batch 32, float32, Adam's usual betas. */
FED_API void fed_train_options_init(struct fed_train_options *options);

/* Sums over examples, so that they add up across batches and clients: loss_sum / example_count is
 * the mean loss. A model with several labels for one example (an output [N, classes, positions…])
 * counts each label as an example, and one whose target is numbers each number. */
struct fed_metrics {
  uint64_t example_count;
  uint64_t correct_count; /* argmax equals the label (or the likeliest class); binary: the same
                             side of one half; of other losses 0 */
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

/* The same in parts. No order of the same operations can do with fewer activation bytes than
 * `activations_bound`: the most that is alive at one time. */
struct fed_memory {
  size_t parameters, gradients, optimizer, batch, kernels;
  size_t activations, activations_bound;
};
FED_API void fed_trainer_memory(const struct fed_trainer *trainer, struct fed_memory *memory);

/* The name of the kernels in use: "reference" or "onednn". */
FED_API const char *fed_trainer_kernels(const struct fed_trainer *trainer);

/* Replace the parameters (must match fed_model_params) and forget optimiser state and step count.
 */
FED_API FED_MUST int fed_trainer_reset(struct fed_trainer *trainer,
                                       const struct fed_params *params);

/* Bend the gradient of all steps until the next reset: of a parameter p it becomes
 * g + pull * p + offset, before it is clipped. `offset` matches fed_model_params (its statistics
 * are not looked at) and is copied; NULL: zeros. With pull = m and offset = -m * a, training is
 * drawn towards a. FED_E_MEMORY. */
FED_API FED_MUST int fed_trainer_bend(struct fed_trainer *trainer, double pull,
                                      const struct fed_params *offset);

/* The steps since the last reset, and how far they carried: how much they would have moved a
 * parameter whose gradient is always 1. That is the sum of their learning rates, but for SGD with
 * momentum m, where step k moves it by its rate times 1 + m + … + m^(k-1) (with Nesterov's, up to
 * m^k). Weight decay is part of the gradient. */
FED_API uint64_t fed_trainer_steps(const struct fed_trainer *trainer, double *reach);

/* Copy the current parameters into a set that matches fed_model_params (float32; values are
 * rounded from float64 under FED_PRECISION_F64). */
FED_API FED_MUST int fed_trainer_params(const struct fed_trainer *trainer,
                                        struct fed_params *params);

/* The running statistics that stay, read and written like parameters (fed_model_local_params). */
FED_API FED_MUST int fed_trainer_local_params(const struct fed_trainer *trainer,
                                              struct fed_params *params);
FED_API FED_MUST int fed_trainer_set_local_params(struct fed_trainer *trainer,
                                                  const struct fed_params *params);

/* What a training step needs besides parameters to go on exactly where it was: the optimiser's
 * state and the number of steps; names are "state0.<parameter>", float32. In float64 also all
 * values that float32 would round: "value.<parameter>", "local.<statistic>". `*state` is the
 * caller's to clear. Restore after fed_trainer_reset; FED_E_SHAPE, FED_E_TYPE, FED_E_MISSING for
 * the state of another training. */
FED_API FED_MUST int fed_trainer_state(const struct fed_trainer *trainer, struct fed_params *state,
                                       uint64_t *step);
FED_API FED_MUST int fed_trainer_restore(struct fed_trainer *trainer,
                                         const struct fed_params *state, uint64_t step);

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
  const double *row_weights; /* by position in `rows`: an epoch draws as many rows with
                                replacement, each as likely as its weight; NULL: each once */
};
FED_API FED_MUST int fed_train_epochs(struct fed_trainer *trainer, struct fed_examples *examples,
                                      const struct fed_epochs *epochs, struct fed_metrics *metrics);

/* The gradient of the mean loss over the given rows (NULL: all) at the current parameters, as a set
 * that matches fed_model_params; 0 for statistics, which stay as they are. In training mode (with
 * dropout, by the seed that a training with `seed` would use), in order, without a step. The mean
 * is over batches, weighted by their examples. */
FED_API FED_MUST int fed_train_gradient(struct fed_trainer *trainer, struct fed_examples *examples,
                                        const struct fed_epochs *rows, struct fed_params *gradient,
                                        struct fed_metrics *metrics);

/* Evaluate on the given rows (NULL: all) in order. */
FED_API FED_MUST int fed_evaluate(struct fed_trainer *trainer, struct fed_examples *examples,
                                  const uint32_t *rows, size_t row_count,
                                  struct fed_metrics *metrics);

/* What the graph's first output is for one example: its shape without the batch. Logits, where the
 * loss has the softmax or the sigmoid. */
FED_API void fed_trainer_output(const struct fed_trainer *trainer, struct fed_shape *shape);

/* That output for the batch: forward only, as in evaluation; no loss is computed and the target is
 * not looked at. `outputs` is the caller's and gets batch.count times that shape in row-major order
 * (rounded from float64 under FED_PRECISION_F64). FED_E_RANGE for the batch's size,
 * FED_E_UNSUPPORTED under FED_LOSS_OUTPUT. */
FED_API FED_MUST int fed_predict_step(struct fed_trainer *trainer, float *outputs);

/* That output for the given rows (NULL: all), in their order, row_count (all: examples->count)
 * times that shape. */
FED_API FED_MUST int fed_predict(struct fed_trainer *trainer, struct fed_examples *examples,
                                 const uint32_t *rows, size_t row_count, float *outputs);

#define FED_RECIPE_SIZES_MAX 8
#define FED_RECIPE_CATEGORIES_MAX 64

/* A built-in model to be written as an ONNX file, for those who have none to export. Zeroed: the
 * recipe's own. docs/recipes.md describes them all. */
struct fed_recipe_options {
  const char *recipe;     /* "cnn" */
  struct fed_shape input; /* of an example: an image [1, 28, 28], a table's row [13], tokens
                             [length], a series [length, channels] */
  uint32_t classes;       /* of models of text: how many tokens there are */
  uint32_t hidden[FED_RECIPE_SIZES_MAX]; /* what struct fed_recipe says of sizes */
  size_t hidden_count;
  uint32_t categories[FED_RECIPE_CATEGORIES_MAX]; /* tabular: the values of each such column */
  size_t category_count;
  uint64_t seed; /* of the parameters' start values */
};

/* Append the file. FED_E_INPUT for an unknown recipe, FED_E_RANGE, FED_E_SHAPE for numbers that it
 * does not take, FED_E_TOO_LARGE, FED_E_MEMORY. The same options give the same bytes. */
FED_API FED_MUST int fed_recipe_write(const struct fed_context *context,
                                      const struct fed_recipe_options *options,
                                      struct fed_buffer *onnx);

/* What that model would have and do, without writing it. */
struct fed_recipe_cost {
  uint64_t parameters;
  double multiply_adds; /* of products with weights and in attention; forward, for one example */
};
FED_API FED_MUST int fed_recipe_measure(const struct fed_context *context,
                                        const struct fed_recipe_options *options,
                                        struct fed_recipe_cost *cost);

struct fed_recipe {
  const char *summary;
  const char *sizes; /* what the numbers of hidden mean */
  struct fed_recipe_options own;
};
/* The recipes in turn; NULL behind the last. */
FED_API const struct fed_recipe *fed_recipe_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
