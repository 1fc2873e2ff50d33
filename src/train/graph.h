/* SPDX-License-Identifier: Apache-2.0
 *
 * graph.h: a loaded model as the rest of the engine sees it: values (the edges), nodes in the
 * file's order, which is topological, and what is known of each value for one batch size.
 *
 * Names and constant contents point into the ONNX message, which the model keeps.
 */
#ifndef FED_TRAIN_GRAPH_H
#define FED_TRAIN_GRAPH_H

#include "fed/train.h"
#include "onnx.pb-c.h"
#include "train/name_index.h"

#define FED__NODES_MAX 16384

/* Whether an initializer trains, and why: X(name, trains, in words). */
#define FED__ROLE_LIST(X)                                                                          \
  X(UNREAD, 0, "nothing that leads to the output reads it")                                        \
  X(OTHER_TYPE, 0, "no real numbers")                                                              \
  X(NARROW, 0, "of a type below 16 bits")                                                          \
  X(CONSTANT, 0, "in no slot that trains: a constant of a formula")                                \
  X(SINGLE, 0, "one number, as constants are; if it is a bias, list it under model.trainable")     \
  X(MASK, 0, "by its values a mask")                                                               \
  X(WAVES, 0, "by its values a table of sines and cosines")                                        \
  X(FORMULA, 0, "meets nothing but positions and constants")                                       \
  X(PREPROCESSING, 0, "shifts or scales the examples before anything trains")                      \
  X(GROUP_NORM, 0, "ones or zeros of a group normalisation that is written out")                   \
  X(UNLISTED, 0, "not in the list of what trains")                                                 \
  X(FROZEN, 0, "frozen by the options")                                                            \
  X(ADAPTED, 0, "frozen: adapters train in its place")                                             \
  X(STATISTIC_FROZEN, 0, "running statistic, as in the file")                                      \
  X(STATISTIC_LOCAL, 0, "running statistic, measured, stays where it is")                          \
  X(STATISTIC_AVERAGED, 0, "running statistic, measured, averaged")                                \
  X(SLOT, 1, "in a slot that trains")                                                              \
  X(LISTED, 1, "in the file's list fed.trainable")                                                 \
  X(CHOSEN, 1, "by the options")                                                                   \
  X(ADAPTER, 1, "adapter")

enum fed__role {
#define FED__ROLE_ENUM(name, trains, words) FED__ROLE_##name,
  FED__ROLE_LIST(FED__ROLE_ENUM)
#undef FED__ROLE_ENUM
};

struct fed__value {
  const char *name;
  int32_t producer;                     /* the node that computes it, or FED__NONE */
  int32_t input;                        /* index among the graph's inputs, or FED__NONE */
  int32_t parameter;                    /* index in params (from trained_count on: statistics), or
                                           FED__NONE */
  int32_t local;                        /* index in local_params, or FED__NONE */
  const struct fed_tensor *initializer; /* its content in the file, or NULL */
  enum fed__role role;                  /* of an initializer */
};

/* A low-rank adapter: in export the weight becomes weight + gain * down * up. Indices of model's
 * initializers. */
struct fed__adapter {
  int32_t weight, down, up;
  int transposed; /* the weight is stored [out, in] */
  double gain;
};

/* A symbolic dimension of an input, with the extent that the options give it. */
struct fed__symbol {
  const char *name;
  int64_t extent;
};

/* A default of an attribute of a function, decoded; the message is the model's to free. */
struct fed__function_default {
  struct fed__function_default *next;
  const Onnx__FunctionProto *function;
  Onnx__AttributeProto *attribute;
};

struct fed__node {
  const char *name; /* its own, or that of its first output */
  const Onnx__NodeProto *message;
  const struct fed__operator *op;
  const int32_t *inputs; /* values; FED__NONE where an optional one is left out */
  const int32_t *outputs;
  uint32_t input_count, output_count;
};

/* What is known of a value once the batch size is. */
struct fed__known {
  enum fed_dtype dtype; /* FED_F32 for real numbers, whatever the trainer's precision; FED_I64 for
                           integers, FED_BOOL */
  struct fed_shape shape;
  size_t elements;
  const void *content; /* known before any step runs, of `dtype`; NULL: computed in the step */
};

struct fed__shapes {
  const struct fed_context *context;
  struct fed__known *values;
  struct fed__content *contents; /* what inference computed itself, a list … */
  size_t content_bytes;          /* … of so many bytes … */
  size_t content_bytes_max;      /* … and no more */
};

struct fed__message_memory {
  ProtobufCAllocator allocator;
  const struct fed_context *context;
  int exhausted;
};

struct fed_model {
  const struct fed_context *context;
  struct fed__message_memory memory;
  Onnx__ModelProto *message;
  size_t file_bytes;
  struct fed__function_default *defaults;
  struct fed__made *made; /* what loading made besides the message, a list */
  int64_t opset;

  struct fed_tensor *initializers; /* views of the message's, in its order; then the adapters' */
  size_t initializer_count;
  struct fed__adapter *adapters;
  size_t adapter_count;
  struct fed__symbol symbols[FED_INPUTS_MAX * FED_RANK_MAX]; /* each once, in the inputs' order */
  size_t symbol_count;
  const char *batch_name; /* of the inputs' first dimension; NULL if it has none */
  struct fed__value *values;
  struct fed__node *nodes;
  int32_t *edges; /* the nodes' inputs and outputs */
  uint32_t value_count, node_count;
  uint32_t left_out; /* so many more nodes do not lead to the output */
  int32_t output;    /* the value that the options name, else the graph's first output */

  struct fed_params params, local_params;
  size_t trained_count; /* params from here on are statistics */
  enum fed_statistics statistics;
  struct fed_example_spec spec;
  struct fed__shapes shapes; /* for batch size 1 */
};

/* Refuse bytes that would make the protobuf decoder recurse deeply or work quadratically:
 * FED_E_SYNTAX, FED_E_TRUNCATED, FED_E_TOO_LARGE. Linear; no allocation. */
FED_MUST int fed__onnx_scan(const ProtobufCMessageDescriptor *type, struct fed_slice bytes);

/* A view of an ONNX tensor's content after checking type, shape and length; `name` for errors. */
FED_MUST int fed__onnx_tensor(const Onnx__TensorProto *message, const char *name,
                              struct fed_tensor *tensor);

/* In place of a tensor of a type below 16 bits one of float32, int8 or uint8, which is the model's.
 */
struct fed__narrow_type;
FED_MUST int fed__onnx_decode_narrow(struct fed_model *model, const struct fed__narrow_type *type,
                                     const Onnx__TensorProto **tensor);

/* Does the file hold an initializer in such a type? It is read, but never trains: what training
 * gives could not be written back. */
int fed__initializer_is_narrow(const struct fed_model *model, size_t at);

/* The type for one of ONNX's, and its bytes an element: FED_E_UNSUPPORTED and 0 for one that is
 * not supported. */
FED_MUST int fed__onnx_dtype(int32_t onnx_type, enum fed_dtype *dtype);
size_t fed__onnx_unit(int32_t onnx_type);

/* Real numbers of any type as float32, and back, to the nearest. */
void fed__floats_widen(const struct fed_tensor *from, size_t count, float *to);
void fed__floats_narrow(const float *from, size_t count, enum fed_dtype dtype, void *to);
int fed__dtype_is_real(enum fed_dtype dtype);

/* Decode the bytes into model->message. */
FED_MUST int fed__onnx_decode(struct fed_model *model, struct fed_slice onnx);
void fed__function_defaults_clear(struct fed_model *model);

/* Zeroed memory that lives as long as the model; NULL: out of memory. Only while loading. */
void *fed__model_alloc(struct fed_model *model, size_t count, size_t size);

/* Values and nodes from model->message; everything that cannot be trained is refused. `given`: the
 * graph's inputs where their contents are known; then no batch is looked for and no node is
 * left out. NULL: the inputs are examples. `options` NULL: none. */
FED_MUST int fed__graph_build(struct fed_model *model, const struct fed_model_options *options,
                              const struct fed_tensor *given, size_t given_count);

/* What examples must hold for one of the graph's inputs; `truth`: it comes as integers and goes on
 * as truth values. */
FED_MUST int fed__onnx_input(struct fed_model *model, const struct fed_model_options *options,
                             const Onnx__ValueInfoProto *message, struct fed_tensor *input,
                             int *truth);

/* ONNX's own operators: the domain is left out or "ai.onnx". */
int fed__domain_is_standard(const char *domain);

/* The first output that is not left out; FED__NONE if all are. */
int32_t fed__node_output(const struct fed__node *node);

/* In words why an initializer trains or does not, and whether it does. */
const char *fed__role_words(enum fed__role role);
int fed__role_trains(enum fed__role role);

/* Choose the trainable initializers and the statistics, and move their content into model->params
 * and model->local_params. */
FED_MUST int fed__trainable_choose(struct fed_model *model,
                                   const struct fed_model_options *options);

/* Does the node (with state inputs) measure statistics in training? By the options, or its
 * attribute training_mode. */
int fed__node_measures(const struct fed_model *model, const struct fed__node *node);

/* Types and shapes of all values for a batch size. */
FED_MUST int fed__shapes_infer(const struct fed_model *model, int64_t batch,
                               struct fed__shapes *shapes);
void fed__shapes_clear(struct fed__shapes *shapes);

/* Attributes of a node: the value, or `absent`; FED_E_TYPE if it is of another type. */
FED_MUST int fed__attribute_int(const struct fed__node *node, const char *name, int64_t absent,
                                int64_t *value);
FED_MUST int fed__attribute_float(const struct fed__node *node, const char *name, double absent,
                                  double *value);
/* `*count` values, 0 if absent; FED_E_TOO_LARGE for more than `size`. */
FED_MUST int fed__attribute_ints(const struct fed__node *node, const char *name, int64_t *values,
                                 size_t size, size_t *count);
FED_MUST int fed__attribute_floats(const struct fed__node *node, const char *name, float *values,
                                   size_t size, size_t *count);
FED_MUST int fed__attribute_text(const struct fed__node *node, const char *name, const char *absent,
                                 struct fed_slice *value);
/* Which of the choices, a list of words that ends with NULL, the text is; the first if it is
 * absent. FED_E_UNSUPPORTED, listing them. */
FED_MUST int fed__attribute_choice(const struct fed__node *node, const char *name,
                                   const char *const *choices, size_t *choice);
const Onnx__AttributeProto *fed__attribute_find(const struct fed__node *node, const char *name);

#endif
