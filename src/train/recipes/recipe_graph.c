/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_graph.c: the graph as protobuf messages, one block of memory a node and one a tensor.
 *
 * Each parameter draws from a stream named after it, so that a change elsewhere in the graph does
 * not change its values.
 */
#include "train/recipes/recipe_graph.h"

#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include "onnx.pb-c.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME_SIZE 64
#define GRAPH_INPUTS_MAX 2
#define NODE_INPUTS_MAX (FED_RECIPE_CATEGORIES_MAX + 1)
#define ATTRIBUTES_MAX 6
#define INTS_MAX 4
#define FIRST_OPSET 17
#define METADATA_BYTES_MAX ((size_t)1 << 20)

struct node {
  struct node *next;
  Onnx__NodeProto message;
  char name[NAME_SIZE];
  char output_name[NAME_SIZE];
  char *inputs[NODE_INPUTS_MAX];
  char *outputs[2];
  Onnx__AttributeProto attributes[ATTRIBUTES_MAX];
  Onnx__AttributeProto *attribute_pointers[ATTRIBUTES_MAX];
  int64_t ints[ATTRIBUTES_MAX][INTS_MAX];
};

/* An initializer: a parameter, or a constant. */
struct tensor {
  struct tensor *next;
  Onnx__TensorProto message;
  char name[NAME_SIZE];
  struct fed_shape shape;
  int trains;
  void *values;
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
  int measures;
  struct fed__recipe_value end;
  char scope[NAME_SIZE];
  char layer[NAME_SIZE];     /* the one that was begun last */
  struct node *nodes, *node; /* the first and the last */
  size_t node_count;
  struct tensor *tensors, *tensor;
  size_t tensor_count;
  size_t tensor_bytes;
  int64_t opset;
  struct fed_recipe_cost cost;
  struct port inputs[GRAPH_INPUTS_MAX], output;
  size_t input_count;
};

/* protobuf-c wants text that it does not change without const. */
static char *constant(const char *text) { return (char *)(uintptr_t)text; }

int fed__recipe_graph_new(const struct fed_context *context, uint64_t seed, int measures,
                          struct fed__recipe_graph **graph) {
  struct fed__recipe_graph *made = fed__zalloc(context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->context = context;
  made->seed = seed;
  made->measures = measures;
  made->opset = FIRST_OPSET;
  *graph = made;
  return FED_OK;
}

void fed__recipe_graph_free(struct fed__recipe_graph *graph) {
  if (!graph) return;
  for (struct node *node = graph->nodes, *next; node; node = next) {
    next = node->next;
    fed__free(graph->context, node);
  }
  for (struct tensor *tensor = graph->tensors, *next; tensor; tensor = next) {
    next = tensor->next;
    fed__free(graph->context, tensor->values);
    fed__free(graph->context, tensor);
  }
  fed__free(graph->context, graph);
}

/* ---- input and output ---- */

static void set_port(struct port *port, char *name, enum fed_dtype dtype,
                     const struct fed_shape *shape) {
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
  port->tensor.elem_type = dtype == FED_I64 ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64
                                            : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  port->tensor.shape = &port->shape;
  port->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  port->type.tensor_type = &port->tensor;
  port->message.name = name;
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

int fed__recipe_input(struct fed__recipe_graph *graph, const char *name, enum fed_dtype dtype,
                      const struct fed_shape *shape) {
  FED_TRY(check_input(shape));
  FED_REQUIRE(graph->input_count < GRAPH_INPUTS_MAX);
  graph->end = (struct fed__recipe_value){constant(name), *shape};
  set_port(&graph->inputs[graph->input_count++], graph->end.name, dtype, shape);
  return FED_OK;
}

struct fed__recipe_value fed__recipe_end(const struct fed__recipe_graph *graph) {
  return graph->end;
}

void fed__recipe_go(struct fed__recipe_graph *graph, struct fed__recipe_value value) {
  graph->end = value;
}

void fed__recipe_set_shape(struct fed__recipe_graph *graph, struct fed_shape shape) {
  graph->end.shape = shape;
}

/* ---- nodes ---- */

void fed__recipe_scope(struct fed__recipe_graph *graph, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(graph->scope, sizeof graph->scope, format, arguments);
  va_end(arguments);
}

/* How many nodes are called `prefix` and a number. */
static size_t count_named(const struct fed__recipe_graph *graph, const char *prefix) {
  const size_t length = strlen(prefix);
  size_t count = 0;
  for (const struct node *node = graph->nodes; node; node = node->next)
    if (strncmp(node->name, prefix, length) == 0) {
      const char *rest = node->name + length;
      count += *rest && rest[strspn(rest, "0123456789")] == 0;
    }
  return count;
}

static void name_layer(struct fed__recipe_graph *graph, const char *name) {
  char prefix[2 * NAME_SIZE];
  snprintf(prefix, sizeof prefix, "%.60s%.60s", graph->scope, name);
  char *mark = strchr(prefix, '#');
  if (mark) {
    *mark = 0;
    snprintf(mark, sizeof prefix - (size_t)(mark - prefix), "%zu", count_named(graph, prefix) + 1);
  }
  memcpy(graph->layer, prefix, sizeof graph->layer - 1);
}

/* A node called like the layer, or "<layer>.<role>". */
static int add_node(struct fed__recipe_graph *graph, const char *operator_name, const char *role) {
  struct node *node = fed__zalloc(graph->context, 1, sizeof *node);
  if (!node) return FED_E_MEMORY;
  onnx__node_proto__init(&node->message);
  snprintf(node->name, sizeof node->name, "%.40s%s%.20s", graph->layer, *role ? "." : "", role);
  snprintf(node->output_name, sizeof node->output_name, "%.59s.out", node->name);
  node->outputs[0] = node->output_name;
  node->message.name = node->name;
  node->message.op_type = constant(operator_name);
  node->message.input = node->inputs;
  node->message.output = node->outputs;
  node->message.n_output = 1;
  node->message.attribute = node->attribute_pointers;
  *(graph->node ? &graph->node->next : &graph->nodes) = node;
  graph->node = node;
  graph->node_count++;
  graph->end.name = node->output_name;
  return FED_OK;
}

int fed__recipe_begin(struct fed__recipe_graph *graph, const char *operator_name,
                      const char *name) {
  name_layer(graph, name);
  return add_node(graph, operator_name, "");
}

int fed__recipe_follow(struct fed__recipe_graph *graph, const char *operator_name,
                       const char *role) {
  return add_node(graph, operator_name, role);
}

int fed__recipe_take(struct fed__recipe_graph *graph, char *name) {
  FED_REQUIRE(graph->node->message.n_input < NODE_INPUTS_MAX);
  graph->node->inputs[graph->node->message.n_input++] = name;
  return FED_OK;
}

void fed__recipe_give_second(struct fed__recipe_graph *graph) {
  struct node *node = graph->node;
  node->outputs[0] = constant("");
  node->outputs[1] = node->output_name;
  node->message.n_output = 2;
}

void fed__recipe_need_opset(struct fed__recipe_graph *graph, int64_t version) {
  if (graph->opset < version) graph->opset = version;
}

void fed__recipe_add_cost(struct fed__recipe_graph *graph, double multiply_adds) {
  graph->cost.multiply_adds += multiply_adds;
}

struct fed_recipe_cost fed__recipe_graph_cost(const struct fed__recipe_graph *graph) {
  return graph->cost;
}

/* ---- attributes ---- */

static Onnx__AttributeProto *add_attribute(struct node *node, const char *name) {
  Onnx__AttributeProto *attribute = &node->attributes[node->message.n_attribute];
  onnx__attribute_proto__init(attribute);
  attribute->name = constant(name);
  attribute->has_type = 1;
  node->attribute_pointers[node->message.n_attribute++] = attribute;
  return attribute;
}

void fed__recipe_set_int(struct fed__recipe_graph *graph, const char *name, int64_t value) {
  Onnx__AttributeProto *attribute = add_attribute(graph->node, name);
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
  attribute->has_i = 1;
  attribute->i = value;
}

void fed__recipe_set_float(struct fed__recipe_graph *graph, const char *name, float value) {
  Onnx__AttributeProto *attribute = add_attribute(graph->node, name);
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
  attribute->has_f = 1;
  attribute->f = value;
}

void fed__recipe_set_ints(struct fed__recipe_graph *graph, const char *name, const int64_t *values,
                          size_t count) {
  int64_t *ints = graph->node->ints[graph->node->message.n_attribute];
  Onnx__AttributeProto *attribute = add_attribute(graph->node, name);
  memcpy(ints, values, count * sizeof *ints);
  attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
  attribute->ints = ints;
  attribute->n_ints = count;
}

/* ---- parameters and constants ---- */

static void draw_values(const struct tensor *tensor, uint64_t seed, size_t count,
                        struct fed__recipe_law law) {
  struct fed_rng rng;
  float *values = tensor->values;
  fed__rng_init(&rng, seed, "recipe", fed__name_number(tensor->name), 0);
  for (size_t i = 0; i < count; i++)
    values[i] = (float)(law.uniform > 0  ? (2 * fed__rng_unit(&rng) - 1) * law.uniform
                        : law.normal > 0 ? fed__rng_normal(&rng) * law.normal
                                         : law.constant);
}

static int allocate_values(struct fed__recipe_graph *graph, struct tensor *tensor, size_t size,
                           size_t *count) {
  char text[128];
  FED_TRY(fed_shape_elements(&tensor->shape, count));
  const size_t room = (size_t)INT32_MAX - graph->tensor_bytes;
  if (*count > room / size)
    return FED_RAISE(FED_E_TOO_LARGE,
                     "%s of shape %s makes the model larger than 2 GiB, where ONNX files end; "
                     "choose fewer channels or smaller widths",
                     tensor->name, fed_shape_format(&tensor->shape, text, sizeof text));
  graph->tensor_bytes += *count * size;
  if (graph->measures) return FED_OK;
  tensor->values = fed__alloc(graph->context, *count * size);
  return tensor->values ? FED_OK : FED_E_MEMORY;
}

static void describe_tensor(struct tensor *tensor, enum fed_dtype dtype, size_t bytes) {
  Onnx__TensorProto *message = &tensor->message;
  onnx__tensor_proto__init(message);
  message->name = tensor->name;
  message->n_dims = tensor->shape.rank;
  message->dims = tensor->shape.dims;
  message->has_data_type = 1;
  message->data_type = dtype == FED_I64 ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64
                                        : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  message->has_raw_data = 1;
  message->raw_data = (ProtobufCBinaryData){bytes, tensor->values};
}

/* The next tensor of the layer, an input of the last node; its values are not set. */
static int add_tensor(struct fed__recipe_graph *graph, const char *role, enum fed_dtype dtype,
                      struct fed_shape shape, size_t *count) {
  const size_t size = dtype == FED_I64 ? sizeof(int64_t) : sizeof(float);
  struct tensor *tensor = fed__zalloc(graph->context, 1, sizeof *tensor);
  if (!tensor) return FED_E_MEMORY;
  *(graph->tensor ? &graph->tensor->next : &graph->tensors) = tensor;
  graph->tensor = tensor;
  graph->tensor_count++;
  tensor->shape = shape;
  snprintf(tensor->name, sizeof tensor->name, "%.40s.%.20s", graph->layer, role);
  FED_TRY(allocate_values(graph, tensor, size, count));
  describe_tensor(tensor, dtype, *count * size);
  return fed__recipe_take(graph, tensor->name);
}

int fed__recipe_parameter(struct fed__recipe_graph *graph, const char *role, struct fed_shape shape,
                          struct fed__recipe_law law) {
  size_t count;
  FED_TRY(add_tensor(graph, role, FED_F32, shape, &count));
  graph->tensor->trains = 1;
  graph->cost.parameters += count;
  if (!graph->measures) draw_values(graph->tensor, graph->seed, count, law);
  return FED_OK;
}

int fed__recipe_integers(struct fed__recipe_graph *graph, const char *role, struct fed_shape shape,
                         const int64_t *values) {
  size_t count;
  FED_TRY(add_tensor(graph, role, FED_I64, shape, &count));
  if (!graph->measures) memcpy(graph->tensor->values, values, count * sizeof *values);
  return FED_OK;
}

int fed__recipe_floats(struct fed__recipe_graph *graph, const char *role, struct fed_shape shape,
                       float **values) {
  size_t count;
  FED_TRY(add_tensor(graph, role, FED_F32, shape, &count));
  *values = graph->tensor->values;
  return FED_OK;
}

char *fed__recipe_last_tensor(const struct fed__recipe_graph *graph) { return graph->tensor->name; }

/* ---- the file ---- */

/* What the graph's lists look like to protobuf-c, and the names of what trains. */
struct file {
  Onnx__NodeProto **nodes;
  Onnx__TensorProto **tensors;
  Onnx__ValueInfoProto *inputs[GRAPH_INPUTS_MAX];
  struct fed_buffer trainable;
};

static int list_messages(struct fed__recipe_graph *graph, struct file *file) {
  const struct fed_context *context = graph->context;
  size_t count = 0;
  fed_buffer_init(&file->trainable, context, METADATA_BYTES_MAX);
  file->nodes = fed__zalloc(context, graph->node_count, sizeof *file->nodes);
  file->tensors = fed__zalloc(context, graph->tensor_count, sizeof *file->tensors);
  if (!file->nodes || !file->tensors) return FED_E_MEMORY;
  for (struct node *node = graph->nodes; node; node = node->next)
    file->nodes[count++] = &node->message;
  count = 0;
  for (struct tensor *tensor = graph->tensors; tensor; tensor = tensor->next) {
    file->tensors[count++] = &tensor->message;
    if (tensor->trains)
      FED_TRY(fed_buffer_print(&file->trainable, "%s%s", file->trainable.size ? "," : "",
                               tensor->name));
  }
  for (size_t i = 0; i < graph->input_count; i++) file->inputs[i] = &graph->inputs[i].message;
  return fed_buffer_text(&file->trainable) ? FED_OK : FED_E_MEMORY;
}

/* The version of the file format that came with the operators. */
static int64_t ir_version(int64_t opset) { return opset >= 21 ? 10 : opset >= 19 ? 9 : 8; }

static int pack(const Onnx__ModelProto *message, struct fed_buffer *out) {
  const size_t size = onnx__model_proto__get_packed_size(message);
  FED_TRY(fed_buffer_reserve(out, size));
  out->size += onnx__model_proto__pack(message, out->data + out->size);
  return FED_OK;
}

static int write_file(struct fed__recipe_graph *graph, struct file *file, struct fed_buffer *out) {
  Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
  Onnx__GraphProto message = ONNX__GRAPH_PROTO__INIT;
  Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
  Onnx__StringStringEntryProto trainable = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
  message.name = constant("main");
  message.node = file->nodes, message.n_node = graph->node_count;
  message.initializer = file->tensors, message.n_initializer = graph->tensor_count;
  message.input = file->inputs, message.n_input = graph->input_count;
  message.output = &(Onnx__ValueInfoProto *){&graph->output.message}, message.n_output = 1;
  opset.domain = constant(""), opset.has_version = 1, opset.version = graph->opset;
  trainable.key = constant("fed.trainable"), trainable.value = (char *)file->trainable.data;
  model.has_ir_version = 1, model.ir_version = ir_version(graph->opset);
  model.producer_name = constant("fed");
  model.graph = &message;
  model.opset_import = &(Onnx__OperatorSetIdProto *){&opset}, model.n_opset_import = 1;
  model.metadata_props = &(Onnx__StringStringEntryProto *){&trainable}, model.n_metadata_props = 1;
  return pack(&model, out);
}

int fed__recipe_graph_write(struct fed__recipe_graph *graph, struct fed_buffer *out) {
  struct file file = {0};
  graph->node->outputs[0] = constant("logits");
  set_port(&graph->output, graph->node->outputs[0], FED_F32, &graph->end.shape);
  int code = list_messages(graph, &file);
  if (code == FED_OK) code = write_file(graph, &file, out);
  fed_buffer_clear(&file.trainable);
  fed__free(graph->context, file.nodes);
  fed__free(graph->context, file.tensors);
  return code;
}
