/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_import.c: from a decoded ONNX message to values and nodes. Checks what makes the graph a
 * graph: every name defined once and before its use (so there are no cycles), only operators that
 * there are, in the versions that they have in the file's opset. Linear in the size of the graph.
 */
#include "base/memory.h"
#include "base/raise.h"

#include "train/flat_graph.h"
#include "train/operator.h"
#include <stdio.h>

struct graph_builder {
  struct fed_model *model;
  const Onnx__GraphProto *graph;
  const struct fed_model_options *options;
  struct fed__flat_graph flat;
  struct fed__name_index index;
  const char *output;             /* its name */
  const struct fed_tensor *given; /* the graph's inputs, where they are known; else NULL */
  size_t given_count;
  const Onnx__NodeProto *casts[FED_INPUTS_MAX]; /* of inputs that are truth values */
  size_t cast_count;
  int32_t *edges; /* where the next node's begin */
};

static const struct fed__value no_value = {
    .producer = FED__NONE, .input = FED__NONE, .parameter = FED__NONE, .local = FED__NONE};

static int add_value(struct graph_builder *builder, const struct fed__value *value) {
  if (!*value->name) return FED_RAISE(FED_E_SYNTAX, "a value of the graph has no name");
  if (fed__name_index_find(&builder->index, value->name) != FED__NONE)
    return FED_RAISE(FED_E_DUPLICATE, "the graph defines '%s' twice", value->name);
  fed__name_index_add(&builder->index, value->name, (int32_t)builder->model->value_count);
  builder->model->values[builder->model->value_count++] = *value;
  return FED_OK;
}

static int add_known(struct graph_builder *builder, const struct fed_tensor *tensor) {
  struct fed__value value = no_value;
  value.name = tensor->name;
  value.initializer = tensor;
  return add_value(builder, &value);
}

static int add_initializers(struct graph_builder *builder) {
  struct fed_model *model = builder->model;
  for (size_t i = 0; i < builder->flat.initializer_count; i++) {
    const Onnx__TensorProto *message = builder->flat.initializers[i];
    const char *name = fed__text_of(message->name);
    const int code = fed__onnx_tensor(message, name, &model->initializers[i]);
    if (code == FED_E_UNSUPPORTED && !fed__flat_graph_wants(&builder->flat, name))
      model->initializers[i] = (struct fed_tensor){name, FED_I64, {1, {0}}, NULL};
    else if (code != FED_OK)
      return code;
    FED_TRY(add_known(builder, &model->initializers[i]));
  }
  model->initializer_count = builder->flat.initializer_count;
  return FED_OK;
}

/* Inputs that are known are values like initializers. */
static int add_given(struct graph_builder *builder) {
  for (size_t i = 0; i < builder->given_count; i++) FED_TRY(add_known(builder, &builder->given[i]));
  return FED_OK;
}

/* Examples are numbers: truth values come as integers under a name of their own, and a Cast makes
 * the input of them. */
static int add_truth_cast(struct graph_builder *builder, const char *name, const char **source) {
  static char cast[] = "Cast", to[] = "to";
  struct fed_model *model = builder->model;
  const size_t size = strlen(name) + sizeof "#examples";
  Onnx__NodeProto *node = fed__model_alloc(model, 1, sizeof *node);
  Onnx__AttributeProto *attribute = fed__model_alloc(model, 1, sizeof *attribute);
  void **lists = fed__model_alloc(model, 3, sizeof *lists);
  char *text = fed__model_alloc(model, size, 1);
  if (!node || !attribute || !lists || !text) return FED_E_MEMORY;
  snprintf(text, size, "%s#examples", name);
  onnx__attribute_proto__init(attribute);
  attribute->name = to;
  attribute->has_type = attribute->has_i = 1;
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
  attribute->i = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
  onnx__node_proto__init(node);
  node->op_type = cast;
  node->n_input = node->n_output = node->n_attribute = 1;
  lists[0] = text;
  lists[1] = (char *)(uintptr_t)name;
  lists[2] = attribute;
  node->input = (char **)lists;
  node->output = (char **)lists + 1;
  node->attribute = (Onnx__AttributeProto **)lists + 2;
  *source = text;
  builder->casts[builder->cast_count++] = node;
  return FED_OK;
}

static int add_input(struct graph_builder *builder, const Onnx__ValueInfoProto *message) {
  struct fed_example_spec *spec = &builder->model->spec;
  struct fed__value value = no_value;
  int truth;
  if (spec->input_count == FED_INPUTS_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the graph has more than %d inputs", FED_INPUTS_MAX);
  struct fed_tensor *input = &spec->inputs[spec->input_count];
  FED_TRY(fed__onnx_input(builder->model, builder->options, message, input, &truth));
  value.name = input->name;
  value.input = (int32_t)spec->input_count++;
  if (truth && fed__flat_graph_wants(&builder->flat, input->name))
    FED_TRY(add_truth_cast(builder, input->name, &value.name));
  return add_value(builder, &value);
}

/* Old exporters list the initializers among the inputs, too: those are skipped. */
static int add_inputs(struct graph_builder *builder) {
  for (size_t i = 0; i < builder->graph->n_input; i++) {
    const Onnx__ValueInfoProto *message = builder->graph->input[i];
    const int32_t known = fed__name_index_find(&builder->index, fed__text_of(message->name));
    if (known == FED__NONE || !builder->model->values[known].initializer)
      FED_TRY(add_input(builder, message));
  }
  if (builder->model->spec.input_count == 0)
    return FED_RAISE(FED_E_MISSING, "the graph has no inputs");
  return FED_OK;
}

static int refuse_subgraphs(const Onnx__NodeProto *message, const char *name) {
  for (size_t i = 0; i < message->n_attribute; i++) {
    const Onnx__AttributeProto *attribute = message->attribute[i];
    if (attribute->g || attribute->n_graphs || attribute->sparse_tensor ||
        attribute->n_sparse_tensors || (attribute->ref_attr_name && *attribute->ref_attr_name))
      return FED_RAISE(FED_E_UNSUPPORTED,
                       "node '%s' (%s): attribute '%s' holds a subgraph, a sparse "
                       "tensor or a reference outside of a function; these are not supported",
                       name, fed__text_of(message->op_type), fed__text_of(attribute->name));
  }
  return FED_OK;
}

static int connect_inputs(struct graph_builder *builder, struct fed__node *node, int32_t *edges) {
  for (uint32_t i = 0; i < node->input_count; i++) {
    const char *name = fed__text_of(node->message->input[i]);
    edges[i] = *name ? fed__name_index_find(&builder->index, name) : FED__NONE;
    if (*name && edges[i] == FED__NONE)
      return FED_RAISE(FED_E_MISSING,
                       "node '%s' (%s) reads '%s', which no input, initializer or "
                       "earlier node defines: the nodes must be in topological order, without "
                       "cycles",
                       node->name, fed__text_of(node->message->op_type), name);
  }
  return FED_OK;
}

static int connect_outputs(struct graph_builder *builder, struct fed__node *node, int32_t *edges) {
  struct fed__value value = no_value;
  value.producer = (int32_t)(node - builder->model->nodes);
  for (uint32_t i = 0; i < node->output_count; i++) {
    value.name = fed__text_of(node->message->output[i]);
    edges[i] = *value.name ? (int32_t)builder->model->value_count : FED__NONE;
    if (*value.name) FED_TRY(add_value(builder, &value));
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

static int add_node(struct graph_builder *builder, const Onnx__NodeProto *message) {
  struct fed_model *model = builder->model;
  struct fed__node *node = &model->nodes[model->node_count];
  *node = (struct fed__node){
      .name = fed__message_name(message),
      .message = message,
      .inputs = builder->edges,
      .outputs = builder->edges + message->n_input,
      .input_count = (uint32_t)message->n_input,
      .output_count = (uint32_t)message->n_output,
  };
  node->op = fed__operator_find(node, model->opset);
  if (!node->op) return FED_E_UNSUPPORTED;
  FED_TRY(refuse_subgraphs(message, node->name));
  FED_TRY(connect_inputs(builder, node, builder->edges));
  FED_TRY(connect_outputs(builder, node, builder->edges + message->n_input));
  FED_TRY(check_arity(node));
  builder->edges += message->n_input + message->n_output;
  model->node_count++;
  return FED_OK;
}

static int find_output(struct graph_builder *builder) {
  if (!builder->output) return FED_RAISE(FED_E_MISSING, "the graph has no outputs");
  builder->model->output = fed__name_index_find(&builder->index, builder->output);
  if (builder->model->output != FED__NONE) return FED_OK;
  if (builder->options && builder->options->output)
    return FED_RAISE(FED_E_MISSING, "output: no node of the graph computes '%.200s'",
                     builder->output);
  return FED_RAISE(FED_E_MISSING, "nothing computes the graph's output '%s'", builder->output);
}

int32_t fed__node_output(const struct fed__node *node) {
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != FED__NONE) return node->outputs[i];
  return FED__NONE;
}

int fed__domain_is_standard(const char *domain) {
  return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static int find_opset(struct fed_model *model) {
  for (size_t i = 0; i < model->message->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *set = model->message->opset_import[i];
    if (fed__domain_is_standard(set->domain)) model->opset = set->version;
  }
  return model->opset > 0 ? FED_OK
                          : FED_RAISE(FED_E_UNSUPPORTED, "the file does not say which opset of "
                                                         "ONNX's operators it uses");
}

static int check_message(const Onnx__ModelProto *message) {
  if (!message->graph) return FED_RAISE(FED_E_MISSING, "the ONNX file has no graph");
  if (message->graph->n_sparse_initializer)
    return FED_RAISE(FED_E_UNSUPPORTED, "sparse initializers are not supported");
  return FED_OK;
}

/* With room for a Cast behind each input. */
static int allocate_graph(struct graph_builder *builder) {
  struct fed_model *model = builder->model;
  const struct fed_context *context = model->context;
  const struct fed__flat_graph *flat = &builder->flat;
  const size_t edges = flat->edge_count + (size_t)2 * FED_INPUTS_MAX;
  size_t outputs = FED_INPUTS_MAX;
  for (size_t i = 0; i < flat->node_count; i++) outputs += flat->nodes[i]->n_output;
  const size_t values =
      flat->initializer_count + builder->graph->n_input + builder->given_count + outputs;
  if (values > INT32_MAX / 4) return FED_RAISE(FED_E_TOO_LARGE, "the graph has %zu values", values);
  model->initializers = fed__zalloc(context, flat->initializer_count, sizeof *model->initializers);
  model->values = fed__zalloc(context, values, sizeof *model->values);
  model->nodes = fed__zalloc(context, flat->node_count + FED_INPUTS_MAX, sizeof *model->nodes);
  model->edges = fed__zalloc(context, edges, sizeof *model->edges);
  builder->edges = model->edges;
  if (!model->initializers || !model->values || !model->nodes || !model->edges) return FED_E_MEMORY;
  return fed__name_index_init(&builder->index, context, values);
}

static int fill_graph(struct graph_builder *builder) {
  FED_TRY(allocate_graph(builder));
  FED_TRY(add_initializers(builder));
  FED_TRY(builder->given ? add_given(builder) : add_inputs(builder));
  for (size_t i = 0; i < builder->cast_count; i++) FED_TRY(add_node(builder, builder->casts[i]));
  for (size_t i = 0; i < builder->flat.node_count; i++)
    FED_TRY(add_node(builder, builder->flat.nodes[i]));
  return find_output(builder);
}

/* Where the inputs are known, all outputs are wanted. */
static int choose_output(struct graph_builder *builder) {
  const Onnx__GraphProto *graph = builder->graph;
  const char *chosen = builder->options ? builder->options->output : NULL;
  const char *first = graph->n_output ? fed__text_of(graph->output[0]->name) : NULL;
  builder->output = chosen ? chosen : first;
  if (builder->given || !builder->output) return FED_OK;
  return fed__flat_graph_prune(&builder->flat, builder->output);
}

int fed__graph_build(struct fed_model *model, const struct fed_model_options *options,
                     const struct fed_tensor *given, size_t given_count) {
  FED_TRY(find_opset(model));
  FED_TRY(check_message(model->message));
  struct graph_builder builder = {.model = model,
                                  .graph = model->message->graph,
                                  .options = options,
                                  .given = given,
                                  .given_count = given_count};
  int code = fed__flat_graph_init(&builder.flat, model);
  if (code == FED_OK) code = choose_output(&builder);
  if (code == FED_OK && options) code = fed__adapters_add(&builder.flat, options);
  if (code == FED_OK) code = fill_graph(&builder);
  fed__name_index_clear(&builder.index);
  fed__flat_graph_clear(&builder.flat);
  return code;
}
