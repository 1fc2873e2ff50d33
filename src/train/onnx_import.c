/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_import.c: from a decoded ONNX message to values and nodes. Checks what makes the graph a
 * graph: every name defined once and before its use (so there are no cycles), only operators that
 * there are, one batch dimension in front of every input. Linear in the size of the graph.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "train/operator.h"

#define OPSET_MIN 13
#define OPSET_MAX 23

/* Names to values while the graph is built: open addressing, at most half full. */
struct name_index {
  int32_t *slots;
  size_t mask;
};

struct graph_builder {
  struct fed_model *model;
  const Onnx__GraphProto *graph;
  struct name_index index;
  const struct fed_tensor *given; /* the graph's inputs, where they are known; else NULL */
  size_t given_count;
};

static const char *text_of(const char *text) { return text ? text : ""; }

static int32_t *find_slot(const struct graph_builder *builder, const char *name) {
  size_t at = (size_t)fed__name_number(name) & builder->index.mask;
  while (builder->index.slots[at] != FED__NONE &&
         strcmp(builder->model->values[builder->index.slots[at]].name, name) != 0)
    at = (at + 1) & builder->index.mask;
  return &builder->index.slots[at];
}

static int add_value(struct graph_builder *builder, const struct fed__value *value) {
  if (!*value->name) return FED_RAISE(FED_E_SYNTAX, "a value of the graph has no name");
  int32_t *slot = find_slot(builder, value->name);
  if (*slot != FED__NONE)
    return FED_RAISE(FED_E_DUPLICATE, "the graph defines '%s' twice", value->name);
  *slot = (int32_t)builder->model->value_count;
  builder->model->values[builder->model->value_count++] = *value;
  return FED_OK;
}

static int add_initializers(struct graph_builder *builder) {
  struct fed_model *model = builder->model;
  for (size_t i = 0; i < builder->graph->n_initializer; i++) {
    const Onnx__TensorProto *message = builder->graph->initializer[i];
    struct fed_tensor *tensor = &model->initializers[i];
    FED_TRY(fed__onnx_tensor(message, text_of(message->name), tensor));
    FED_TRY(add_value(builder, &(struct fed__value){tensor->name, FED__NONE, FED__NONE, FED__NONE,
                                                    FED__NONE, tensor}));
  }
  return FED_OK;
}

/* The shape of one example: everything behind the batch dimension must be a number. */
static int read_example_shape(const char *name, const Onnx__TensorShapeProto *shape,
                              struct fed_shape *out) {
  if (!shape || shape->n_dim == 0)
    return FED_RAISE(FED_E_SHAPE, "input '%s' needs a shape with the batch as first dimension",
                     name);
  if (shape->n_dim > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "input '%s' has %zu dimensions, at most %d are supported", name,
                     shape->n_dim, FED_RANK_MAX);
  out->rank = (uint32_t)shape->n_dim - 1;
  for (uint32_t i = 0; i < out->rank; i++) {
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i + 1];
    if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ||
        dim->dim_value < 1)
      return FED_RAISE(FED_E_SHAPE,
                       "input '%s': dimension %u must be a fixed positive number; only "
                       "the first (the batch) may be symbolic",
                       name, i + 1);
    out->dims[i] = dim->dim_value;
  }
  return FED_OK;
}

static int read_input(const Onnx__ValueInfoProto *message, struct fed_tensor *input) {
  const char *name = text_of(message->name);
  if (!message->type || message->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return FED_RAISE(FED_E_TYPE, "input '%s' is not a tensor", name);
  const Onnx__TypeProto__Tensor *type = message->type->tensor_type;
  *input = (struct fed_tensor){.name = name};
  if (type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
    input->dtype = FED_F32;
  else if (type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64)
    input->dtype = FED_I64;
  else
    return FED_RAISE(FED_E_TYPE,
                     "input '%s' has ONNX data type %d; supported are float32 and int64", name,
                     (int)type->elem_type);
  return read_example_shape(name, type->shape, &input->shape);
}

/* Inputs that are known are values like initializers. */
static int add_given(struct graph_builder *builder) {
  for (size_t i = 0; i < builder->given_count; i++) {
    const struct fed_tensor *tensor = &builder->given[i];
    FED_TRY(add_value(builder, &(struct fed__value){tensor->name, FED__NONE, FED__NONE, FED__NONE,
                                                    FED__NONE, tensor}));
  }
  return FED_OK;
}

/* Old exporters list the initializers among the inputs, too: those are skipped. */
static int add_inputs(struct graph_builder *builder) {
  struct fed_example_spec *spec = &builder->model->spec;
  for (size_t i = 0; i < builder->graph->n_input; i++) {
    const Onnx__ValueInfoProto *message = builder->graph->input[i];
    const int32_t known = *find_slot(builder, text_of(message->name));
    if (known != FED__NONE && builder->model->values[known].initializer) continue;
    if (spec->input_count == FED_INPUTS_MAX)
      return FED_RAISE(FED_E_TOO_LARGE, "the graph has more than %d inputs", FED_INPUTS_MAX);
    struct fed_tensor *input = &spec->inputs[spec->input_count];
    FED_TRY(read_input(message, input));
    FED_TRY(
        add_value(builder, &(struct fed__value){input->name, FED__NONE, (int32_t)spec->input_count,
                                                FED__NONE, FED__NONE, NULL}));
    spec->input_count++;
  }
  return spec->input_count ? FED_OK : FED_RAISE(FED_E_MISSING, "the graph has no inputs");
}

static int refuse_subgraphs(const Onnx__NodeProto *message, const char *name) {
  for (size_t i = 0; i < message->n_attribute; i++) {
    const Onnx__AttributeProto *attribute = message->attribute[i];
    if (attribute->g || attribute->n_graphs || attribute->sparse_tensor ||
        attribute->n_sparse_tensors || attribute->ref_attr_name)
      return FED_RAISE(FED_E_UNSUPPORTED,
                       "node '%s' (%s): attribute '%s' holds a subgraph, a sparse "
                       "tensor or a reference; these are not supported",
                       name, text_of(message->op_type), text_of(attribute->name));
  }
  return FED_OK;
}

static int connect_inputs(struct graph_builder *builder, struct fed__node *node, int32_t *edges) {
  for (uint32_t i = 0; i < node->input_count; i++) {
    const char *name = text_of(node->message->input[i]);
    edges[i] = *name ? *find_slot(builder, name) : FED__NONE;
    if (*name && edges[i] == FED__NONE)
      return FED_RAISE(FED_E_MISSING,
                       "node '%s' (%s) reads '%s', which no input, initializer or "
                       "earlier node defines: the nodes must be in topological order, without "
                       "cycles",
                       node->name, text_of(node->message->op_type), name);
  }
  return FED_OK;
}

static int connect_outputs(struct graph_builder *builder, struct fed__node *node, int32_t *edges) {
  for (uint32_t i = 0; i < node->output_count; i++) {
    const char *name = text_of(node->message->output[i]);
    edges[i] = *name ? (int32_t)builder->model->value_count : FED__NONE;
    if (*name)
      FED_TRY(add_value(builder, &(struct fed__value){name, (int32_t)(node - builder->model->nodes),
                                                      FED__NONE, FED__NONE, FED__NONE, NULL}));
  }
  return FED_OK;
}

static int check_arity(const struct fed__node *node) {
  const struct fed__operator *op = node->op;
  if (node->input_count < op->inputs_min || node->input_count > op->inputs_max)
    return FED_RAISE(FED_E_SHAPE, "node '%s' (%s) has %u inputs, expected %u to %u", node->name,
                     op->type, node->input_count, op->inputs_min, op->inputs_max);
  for (uint32_t i = 0; i < op->inputs_min; i++)
    if (node->inputs[i] == FED__NONE)
      return FED_RAISE(FED_E_MISSING, "node '%s' (%s): input %u is left out", node->name, op->type,
                       i);
  if (fed__node_output(node) == FED__NONE || node->output_count > op->outputs_max)
    return FED_RAISE(FED_E_UNSUPPORTED, "node '%s' (%s) has %u outputs, supported are 1 to %u",
                     node->name, op->type, node->output_count, op->outputs_max);
  return FED_OK;
}

static int add_node(struct graph_builder *builder, const Onnx__NodeProto *message,
                    int32_t **edges) {
  struct fed_model *model = builder->model;
  struct fed__node *node = &model->nodes[model->node_count];
  const char *first_output = "";
  for (size_t i = 0; i < message->n_output && !*first_output; i++)
    first_output = text_of(message->output[i]);
  *node = (struct fed__node){
      .name = message->name && *message->name ? message->name : first_output,
      .message = message,
      .inputs = *edges,
      .outputs = *edges + message->n_input,
      .input_count = (uint32_t)message->n_input,
      .output_count = (uint32_t)message->n_output,
  };
  node->op = fed__operator_find(node, model->opset);
  if (!node->op) return FED_E_UNSUPPORTED;
  FED_TRY(refuse_subgraphs(message, node->name));
  FED_TRY(connect_inputs(builder, node, *edges));
  FED_TRY(connect_outputs(builder, node, *edges + message->n_input));
  FED_TRY(check_arity(node));
  *edges += message->n_input + message->n_output;
  model->node_count++;
  return FED_OK;
}

static int find_output(struct graph_builder *builder) {
  const Onnx__GraphProto *graph = builder->graph;
  if (graph->n_output == 0) return FED_RAISE(FED_E_MISSING, "the graph has no outputs");
  const char *name = text_of(graph->output[0]->name);
  builder->model->output = *find_slot(builder, name);
  if (builder->model->output == FED__NONE)
    return FED_RAISE(FED_E_MISSING, "nothing computes the graph's output '%s'", name);
  return FED_OK;
}

/* Which nodes lead to the first output. The rest is kept in the file and never run. */
static void mark_needed(struct fed_model *model, char *needed) {
  needed[model->output] = 1;
  for (uint32_t i = model->node_count; i-- > 0;) {
    struct fed__node *node = &model->nodes[i];
    for (uint32_t j = 0; j < node->output_count; j++)
      if (node->outputs[j] != FED__NONE && needed[node->outputs[j]]) node->needed = 1;
    for (uint32_t j = 0; j < node->input_count && node->needed; j++)
      if (node->inputs[j] != FED__NONE) needed[node->inputs[j]] = 1;
  }
}

int32_t fed__node_output(const struct fed__node *node) {
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != FED__NONE) return node->outputs[i];
  return FED__NONE;
}

static int check_opset(struct fed_model *model) {
  model->opset = 0;
  for (size_t i = 0; i < model->message->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *set = model->message->opset_import[i];
    const char *domain = text_of(set->domain);
    if (!*domain || strcmp(domain, "ai.onnx") == 0) model->opset = set->version;
  }
  if (model->opset < OPSET_MIN || model->opset > OPSET_MAX)
    return FED_RAISE(FED_E_UNSUPPORTED, "the model uses ONNX opset %lld; supported are %d to %d",
                     (long long)model->opset, OPSET_MIN, OPSET_MAX);
  return FED_OK;
}

static int check_message(const Onnx__ModelProto *message) {
  if (!message->graph) return FED_RAISE(FED_E_MISSING, "the ONNX file has no graph");
  if (message->graph->n_sparse_initializer)
    return FED_RAISE(FED_E_UNSUPPORTED, "sparse initializers are not supported");
  if (message->n_functions)
    return FED_RAISE(FED_E_UNSUPPORTED, "model-local functions are not supported: export with "
                                        "functions inlined");
  if (message->graph->n_node > FED__NODES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the graph has %zu nodes, at most %d are supported",
                     message->graph->n_node, FED__NODES_MAX);
  return FED_OK;
}

static int allocate_graph(struct graph_builder *builder) {
  const Onnx__GraphProto *graph = builder->graph;
  struct fed_model *model = builder->model;
  size_t edges = 0, values = graph->n_initializer + graph->n_input + builder->given_count;
  for (size_t i = 0; i < graph->n_node; i++) {
    edges += graph->node[i]->n_input + graph->node[i]->n_output;
    values += graph->node[i]->n_output;
  }
  builder->index.mask = 1;
  while (builder->index.mask < 2 * values) builder->index.mask = 2 * builder->index.mask + 1;
  if (values > INT32_MAX / 4) return FED_RAISE(FED_E_TOO_LARGE, "the graph has %zu values", values);

  const struct fed_context *context = model->context;
  model->initializers = fed__zalloc(context, graph->n_initializer, sizeof *model->initializers);
  model->values = fed__zalloc(context, values, sizeof *model->values);
  model->nodes = fed__zalloc(context, graph->n_node, sizeof *model->nodes);
  model->edges = fed__zalloc(context, edges, sizeof *model->edges);
  builder->index.slots =
      fed__zalloc(context, builder->index.mask + 1, sizeof *builder->index.slots);
  if (!model->initializers || !model->values || !model->nodes || !model->edges ||
      !builder->index.slots)
    return FED_E_MEMORY;
  memset(builder->index.slots, 0xff, (builder->index.mask + 1) * sizeof *builder->index.slots);
  return FED_OK;
}

static int fill_graph(struct graph_builder *builder) {
  int32_t *edges = builder->model->edges;
  FED_TRY(add_initializers(builder));
  FED_TRY(builder->given ? add_given(builder) : add_inputs(builder));
  for (size_t i = 0; i < builder->graph->n_node; i++)
    FED_TRY(add_node(builder, builder->graph->node[i], &edges));
  FED_TRY(find_output(builder));
  char *needed = fed__zalloc(builder->model->context, builder->model->value_count, 1);
  if (!needed) return FED_E_MEMORY;
  mark_needed(builder->model, needed);
  for (uint32_t i = 0; i < builder->model->node_count && builder->given; i++)
    builder->model->nodes[i].needed = 1;
  fed__free(builder->model->context, needed);
  return FED_OK;
}

int fed__graph_build(struct fed_model *model, const struct fed_tensor *given, size_t given_count) {
  FED_TRY(check_opset(model));
  FED_TRY(check_message(model->message));
  struct graph_builder builder = {
      .model = model, .graph = model->message->graph, .given = given, .given_count = given_count};
  int code = allocate_graph(&builder);
  if (code == FED_OK) code = fill_graph(&builder);
  fed__free(model->context, builder.index.slots);
  return code;
}
