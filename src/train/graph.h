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

#define FED__NODES_MAX 16384
#define FED__NONE (-1)

struct fed__value {
  const char *name;
  int32_t producer;                     /* the node that computes it, or FED__NONE */
  int32_t input;                        /* index among the graph's inputs, or FED__NONE */
  int32_t parameter;                    /* index in params (from trained_count on: statistics), or
                                           FED__NONE */
  int32_t local;                        /* index in local_params, or FED__NONE */
  const struct fed_tensor *initializer; /* its content in the file, or NULL */
};

struct fed__node {
  const char *name; /* its own, or that of its first output */
  const Onnx__NodeProto *message;
  const struct fed__operator *op;
  const int32_t *inputs; /* values; FED__NONE where an optional one is left out */
  const int32_t *outputs;
  uint32_t input_count, output_count;
  int needed; /* leads to the graph's first output */
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
  struct fed__content *contents; /* what inference computed itself, a list */
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
  int64_t opset;

  struct fed_tensor *initializers; /* views of the message's, in its order */
  struct fed__value *values;
  struct fed__node *nodes;
  int32_t *edges; /* the nodes' inputs and outputs */
  uint32_t value_count, node_count;
  int32_t output; /* the graph's first output */

  struct fed_params params, local_params;
  size_t trained_count; /* params from here on are statistics */
  enum fed_statistics statistics;
  struct fed_example_spec spec;
  struct fed__shapes shapes; /* for batch size 1 */
};

/* Refuse bytes that would make the protobuf decoder recurse deeply or work quadratically:
 * FED_E_SYNTAX, FED_E_TRUNCATED, FED_E_TOO_LARGE. Linear; no allocation. */
FED_MUST int fed__onnx_scan(struct fed_slice bytes);

/* A view of an ONNX tensor's content after checking type, shape and length; `name` for errors. */
FED_MUST int fed__onnx_tensor(const Onnx__TensorProto *message, const char *name,
                              struct fed_tensor *tensor);

/* Decode the bytes into model->message. */
FED_MUST int fed__onnx_decode(struct fed_model *model, struct fed_slice onnx);

/* Values and nodes from model->message; everything that cannot be trained is refused. `given`: the
 * graph's inputs where their contents are known; then no batch is looked for and all nodes are
 * needed. NULL: the inputs are examples. */
FED_MUST int fed__graph_build(struct fed_model *model, const struct fed_tensor *given,
                              size_t given_count);

/* The first output that is not left out; FED__NONE if all are. */
int32_t fed__node_output(const struct fed__node *node);

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
