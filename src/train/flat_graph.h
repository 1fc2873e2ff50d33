/* SPDX-License-Identifier: Apache-2.0
 *
 * flat_graph.h: the graph as the engine reads it, made from the file's before any value exists:
 * calls of the model's own functions are replaced by what the functions do, tensors in forms
 * that cannot be looked at in place are unpacked, adapters are added. The file's message stays as
 * it is, so that export writes it back; what is new belongs to the model.
 */
#ifndef FED_TRAIN_FLAT_GRAPH_H
#define FED_TRAIN_FLAT_GRAPH_H

#include "train/graph.h"

struct fed__flat_graph {
  struct fed_model *model;
  const Onnx__NodeProto **nodes;
  size_t node_count, node_capacity;
  size_t edge_count;                      /* inputs and outputs of all nodes */
  const Onnx__TensorProto **initializers; /* the file's, in its order, then the adapters' */
  size_t initializer_count;
  struct fed__name_index wanted; /* what leads to the output; without slots: all */
};

/* The file's graph, flat; FED_E_UNSUPPORTED for functions that call themselves or nest too deeply,
 * FED_E_TOO_LARGE for those that grow beyond all measure. Clear it whatever comes back. */
FED_MUST int fed__flat_graph_init(struct fed__flat_graph *flat, struct fed_model *model);
void fed__flat_graph_clear(struct fed__flat_graph *flat);

/* Drop the nodes that do not lead to this value, and count them in the model. */
FED_MUST int fed__flat_graph_prune(struct fed__flat_graph *flat, const char *output);
/* Does a value of this name lead to the output? */
int fed__flat_graph_wants(const struct fed__flat_graph *flat, const char *name);

/* Append a node, which must stay where it is; FED_E_TOO_LARGE. */
FED_MUST int fed__flat_graph_add(struct fed__flat_graph *flat, const Onnx__NodeProto *node);

/* Put adapters beside the Gemm and MatMul nodes that the options name, and note in the model how
 * they merge (adapter.h). */
FED_MUST int fed__adapters_add(struct fed__flat_graph *flat,
                               const struct fed_model_options *options);

/* The defaults of a function's attributes, which the schema of ONNX 1.12 does not know yet: decoded
 * into the model from the fields that the decoder left alone; looked up, NULL if there is none. */
FED_MUST int fed__function_defaults_decode(struct fed_model *model,
                                           const Onnx__FunctionProto *function);
const Onnx__AttributeProto *fed__function_default(const struct fed_model *model,
                                                  const Onnx__FunctionProto *function,
                                                  const char *name);

/* The first output's name if the node has none itself. */
const char *fed__message_name(const Onnx__NodeProto *node);

static inline const char *fed__text_of(const char *text) { return text ? text : ""; }

#endif
