/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_graph.c: the chain of layers as protobuf messages. They all live in one block with room
 * for the longest recipe, so only that block and the parameters' values are allocated.
 *
 * Initial values are uniform in ±1/sqrt(fan_in), weights and biases alike: PyTorch's default for
 * Linear and Conv2d (kaiming_uniform with a = sqrt(5), He et al.,
 * https://arxiv.org/abs/1502.01852). Each parameter draws from a stream named after it.
 */
#include "train/recipe_graph.h"

#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include "onnx.pb-c.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define NODES_MAX 32
#define PARAMETERS_MAX 18
#define ATTRIBUTES_MAX 3
#define INTS_MAX 4

#define IR_VERSION 8
#define OPSET_VERSION 17

struct node {
  Onnx__NodeProto message;
  char name[24];
  char output_name[32];
  char *inputs[3];
  char *output;
  Onnx__AttributeProto attributes[ATTRIBUTES_MAX];
  Onnx__AttributeProto *attribute_pointers[ATTRIBUTES_MAX];
  int64_t ints[ATTRIBUTES_MAX][INTS_MAX];
};

struct parameter {
  Onnx__TensorProto message;
  char name[32];
  struct fed_shape shape;
  float *values;
};

/* The description of the graph's input or output. */
struct port {
  Onnx__ValueInfoProto message;
  Onnx__TypeProto type;
  Onnx__TypeProto__Tensor tensor;
  Onnx__TensorShapeProto shape;
  Onnx__TensorShapeProto__Dimension dims[FED_RANK_MAX];
  Onnx__TensorShapeProto__Dimension *dim_pointers[FED_RANK_MAX];
};

struct fed__recipe_graph {
  const struct fed_context *context;
  uint64_t seed;
  struct fed_shape shape; /* of the chain's end, without the batch dimension */
  char *end;              /* its name */
  struct node nodes[NODES_MAX];
  Onnx__NodeProto *node_pointers[NODES_MAX];
  size_t node_count;
  struct parameter parameters[PARAMETERS_MAX];
  Onnx__TensorProto *parameter_pointers[PARAMETERS_MAX];
  size_t parameter_count;
  size_t parameter_bytes;
  struct port input, output;
  char trainable[PARAMETERS_MAX * 32];
};

/* protobuf-c wants text that it does not change without const. */
static char *constant(const char *text) { return (char *)(uintptr_t)text; }

/* ---- input and output ---- */

static void set_port(struct port *port, const char *name, const struct fed_shape *shape) {
  onnx__value_info_proto__init(&port->message);
  onnx__type_proto__init(&port->type);
  onnx__type_proto__tensor__init(&port->tensor);
  onnx__tensor_shape_proto__init(&port->shape);
  for (uint32_t i = 0; i <= shape->rank; i++) {
    onnx__tensor_shape_proto__dimension__init(&port->dims[i]);
    port->dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (i) port->dims[i].dim_value = shape->dims[i - 1];
    port->dim_pointers[i] = &port->dims[i];
  }
  port->dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
  port->dims[0].dim_param = constant("batch");
  port->shape.n_dim = shape->rank + 1;
  port->shape.dim = port->dim_pointers;
  port->tensor.has_elem_type = 1;
  port->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  port->tensor.shape = &port->shape;
  port->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  port->type.tensor_type = &port->tensor;
  port->message.name = constant(name);
  port->message.type = &port->type;
}

static int check_input(const struct fed_shape *shape) {
  char text[128];
  size_t elements = 0;
  if (shape->rank < 1 || shape->rank > FED_RANK_MAX - 1)
    return FED_RAISE(FED_E_SHAPE, "expected an input of 1 to %d dimensions, found %" PRIu32,
                     FED_RANK_MAX - 1, shape->rank);
  FED_TRY(fed_shape_elements(shape, &elements));
  if (elements == 0)
    return FED_RAISE(FED_E_SHAPE, "expected an input with elements, found the shape %s",
                     fed_shape_format(shape, text, sizeof text));
  return FED_OK;
}

int fed__recipe_graph_new(const struct fed_context *context,
                          const struct fed_recipe_options *options,
                          struct fed__recipe_graph **graph) {
  FED_TRY(check_input(&options->input));
  struct fed__recipe_graph *made = fed__zalloc(context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->context = context;
  made->seed = options->seed;
  made->shape = options->input;
  made->end = constant("x");
  set_port(&made->input, made->end, &made->shape);
  *graph = made;
  return FED_OK;
}

void fed__recipe_graph_free(struct fed__recipe_graph *graph) {
  if (!graph) return;
  for (size_t i = 0; i < graph->parameter_count; i++)
    fed__free(graph->context, graph->parameters[i].values);
  fed__free(graph->context, graph);
}

const struct fed_shape *fed__recipe_graph_shape(const struct fed__recipe_graph *graph) {
  return &graph->shape;
}

/* ---- nodes ---- */

static size_t count_operator(const struct fed__recipe_graph *graph, const char *operator_name) {
  size_t count = 0;
  for (size_t i = 0; i < graph->node_count; i++)
    count += strcmp(graph->nodes[i].message.op_type, operator_name) == 0;
  return count;
}

/* A node at the chain's end, called `prefix` and its number among those of its operator. */
static int add_node(struct fed__recipe_graph *graph, const char *operator_name, const char *prefix,
                    struct node **added) {
  FED_REQUIRE(graph->node_count < NODES_MAX);
  struct node *node = &graph->nodes[graph->node_count];
  const size_t number = count_operator(graph, operator_name) + 1;
  onnx__node_proto__init(&node->message);
  snprintf(node->name, sizeof node->name, "%s%zu", prefix, number);
  snprintf(node->output_name, sizeof node->output_name, "%s%zu.out", prefix, number);
  node->inputs[0] = graph->end;
  node->output = node->output_name;
  node->message.name = node->name;
  node->message.op_type = constant(operator_name);
  node->message.input = node->inputs;
  node->message.n_input = 1;
  node->message.output = &node->output;
  node->message.n_output = 1;
  node->message.attribute = node->attribute_pointers;
  graph->node_pointers[graph->node_count++] = &node->message;
  graph->end = node->output_name;
  *added = node;
  return FED_OK;
}

static Onnx__AttributeProto *add_attribute(struct node *node, const char *name) {
  Onnx__AttributeProto *attribute = &node->attributes[node->message.n_attribute];
  onnx__attribute_proto__init(attribute);
  attribute->name = constant(name);
  attribute->has_type = 1;
  node->attribute_pointers[node->message.n_attribute++] = attribute;
  return attribute;
}

static void add_int(struct node *node, const char *name, int64_t value) {
  Onnx__AttributeProto *attribute = add_attribute(node, name);
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
  attribute->has_i = 1;
  attribute->i = value;
}

/* The same number `count` times, as for square kernels. */
static void add_ints(struct node *node, const char *name, int64_t value, size_t count) {
  int64_t *ints = node->ints[node->message.n_attribute];
  Onnx__AttributeProto *attribute = add_attribute(node, name);
  for (size_t i = 0; i < count; i++) ints[i] = value;
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
  attribute->ints = ints;
  attribute->n_ints = count;
}

/* ---- parameters ---- */

static void draw_values(const struct parameter *parameter, uint64_t seed, size_t count,
                        double bound) {
  struct fed_rng rng;
  fed__rng_init(&rng, seed, "recipe", fed__name_number(parameter->name), 0);
  for (size_t i = 0; i < count; i++)
    parameter->values[i] = (float)((2 * fed__rng_unit(&rng) - 1) * bound);
}

static int allocate_values(struct fed__recipe_graph *graph, struct parameter *parameter,
                           size_t *count) {
  char text[128];
  FED_TRY(fed_shape_elements(&parameter->shape, count));
  const size_t room = (size_t)INT32_MAX - graph->parameter_bytes;
  if (*count > room / sizeof(float))
    return FED_RAISE(FED_E_TOO_LARGE,
                     "%s of shape %s makes the model larger than 2 GiB, where ONNX files end; "
                     "choose fewer channels or smaller widths",
                     parameter->name, fed_shape_format(&parameter->shape, text, sizeof text));
  parameter->values = fed__alloc(graph->context, *count * sizeof(float));
  if (!parameter->values) return FED_E_MEMORY;
  graph->parameter_bytes += *count * sizeof(float);
  return FED_OK;
}

static void describe_parameter(struct fed__recipe_graph *graph, struct parameter *parameter,
                               size_t count) {
  Onnx__TensorProto *message = &parameter->message;
  onnx__tensor_proto__init(message);
  message->name = parameter->name;
  message->n_dims = parameter->shape.rank;
  message->dims = parameter->shape.dims;
  message->has_data_type = 1;
  message->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  message->has_raw_data = 1;
  message->raw_data = (ProtobufCBinaryData){count * sizeof(float), (uint8_t *)parameter->values};
  const size_t length = strlen(graph->trainable);
  snprintf(graph->trainable + length, sizeof graph->trainable - length, "%s%s", length ? "," : "",
           parameter->name);
}

static int add_parameter(struct fed__recipe_graph *graph, struct node *node, const char *role,
                         struct fed_shape shape, double fan_in) {
  FED_REQUIRE(graph->parameter_count < PARAMETERS_MAX);
  struct parameter *parameter = &graph->parameters[graph->parameter_count];
  size_t count = 0;
  parameter->shape = shape;
  snprintf(parameter->name, sizeof parameter->name, "%s.%s", node->name, role);
  FED_TRY(allocate_values(graph, parameter, &count));
  graph->parameter_pointers[graph->parameter_count++] = &parameter->message;
  describe_parameter(graph, parameter, count);
  draw_values(parameter, graph->seed, count, 1 / sqrt(fan_in));
  node->inputs[node->message.n_input++] = parameter->name;
  return FED_OK;
}

/* ---- layers ---- */

int fed__recipe_flatten(struct fed__recipe_graph *graph) {
  struct node *node;
  size_t elements;
  if (graph->shape.rank == 1) return FED_OK;
  FED_TRY(add_node(graph, "Flatten", "flatten", &node));
  add_int(node, "axis", 1);
  FED_TRY(fed_shape_elements(&graph->shape, &elements));
  graph->shape = (struct fed_shape){1, {(int64_t)elements}};
  return FED_OK;
}

int fed__recipe_dense(struct fed__recipe_graph *graph, int64_t width) {
  struct node *node;
  const int64_t in = graph->shape.dims[0];
  FED_TRY(add_node(graph, "Gemm", "fc", &node));
  add_int(node, "transB", 1);
  FED_TRY(add_parameter(graph, node, "weight", (struct fed_shape){2, {width, in}}, (double)in));
  FED_TRY(add_parameter(graph, node, "bias", (struct fed_shape){1, {width}}, (double)in));
  graph->shape = (struct fed_shape){1, {width}};
  return FED_OK;
}

int fed__recipe_relu(struct fed__recipe_graph *graph) {
  struct node *node;
  return add_node(graph, "Relu", "relu", &node);
}

int fed__recipe_conv(struct fed__recipe_graph *graph, int64_t channels, int64_t kernel) {
  struct node *node;
  const int64_t in = graph->shape.dims[0];
  const double fan_in = (double)in * (double)(kernel * kernel);
  const struct fed_shape weight = {4, {channels, in, kernel, kernel}};
  FED_TRY(add_node(graph, "Conv", "conv", &node));
  add_ints(node, "kernel_shape", kernel, 2);
  add_ints(node, "pads", kernel / 2, 4);
  FED_TRY(add_parameter(graph, node, "weight", weight, fan_in));
  FED_TRY(add_parameter(graph, node, "bias", (struct fed_shape){1, {channels}}, fan_in));
  graph->shape.dims[0] = channels;
  return FED_OK;
}

int fed__recipe_max_pool(struct fed__recipe_graph *graph) {
  struct node *node;
  FED_TRY(add_node(graph, "MaxPool", "pool", &node));
  add_ints(node, "kernel_shape", 2, 2);
  add_ints(node, "strides", 2, 2);
  graph->shape.dims[1] /= 2;
  graph->shape.dims[2] /= 2;
  return FED_OK;
}

/* ---- the file ---- */

static int pack(const Onnx__ModelProto *message, struct fed_buffer *out) {
  const size_t size = onnx__model_proto__get_packed_size(message);
  FED_TRY(fed_buffer_reserve(out, size));
  out->size += onnx__model_proto__pack(message, out->data + out->size);
  return FED_OK;
}

int fed__recipe_graph_write(struct fed__recipe_graph *graph, struct fed_buffer *out) {
  Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
  Onnx__GraphProto message = ONNX__GRAPH_PROTO__INIT;
  Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
  Onnx__StringStringEntryProto trainable = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
  graph->nodes[graph->node_count - 1].output = constant("logits");
  set_port(&graph->output, "logits", &graph->shape);
  message.name = constant("main");
  message.node = graph->node_pointers, message.n_node = graph->node_count;
  message.initializer = graph->parameter_pointers, message.n_initializer = graph->parameter_count;
  message.input = &(Onnx__ValueInfoProto *){&graph->input.message}, message.n_input = 1;
  message.output = &(Onnx__ValueInfoProto *){&graph->output.message}, message.n_output = 1;
  opset.domain = constant(""), opset.has_version = 1, opset.version = OPSET_VERSION;
  trainable.key = constant("fed.trainable"), trainable.value = graph->trainable;
  model.has_ir_version = 1, model.ir_version = IR_VERSION;
  model.producer_name = constant("fed");
  model.graph = &message;
  model.opset_import = &(Onnx__OperatorSetIdProto *){&opset}, model.n_opset_import = 1;
  model.metadata_props = &(Onnx__StringStringEntryProto *){&trainable}, model.n_metadata_props = 1;
  return pack(&model, out);
}
