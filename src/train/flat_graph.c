/* SPDX-License-Identifier: Apache-2.0
 *
 * flat_graph.c: calls of functions become the functions' nodes, with names of their own, and
 * packed tensors become plain ones. Linear in the size of the result, which is bounded by the
 * file's, whatever calls what how often.
 */
#include "train/flat_graph.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/narrow_type.h"

#include <stdio.h>

#define FUNCTIONS_MAX 1024
#define DEPTH_MAX 32
#define EDGES_MAX ((size_t)1 << 22)
/* What functions grow to: so many times the file's bytes, beyond a megabyte. */
#define GROWTH_FACTOR 64
#define GROWTH_BYTES ((size_t)1 << 20)

/* A call that is being replaced. */
struct call {
  const struct call *outer; /* NULL: the call is the graph's own */
  const Onnx__FunctionProto *function;
  const Onnx__NodeProto *node;  /* with the names and attributes of the outer call's place */
  struct fed__name_index index; /* the function's inputs and outputs … */
  const char **actual;          /* … and what they are for the caller */
  size_t number;                /* of this call, from 1 on */
  unsigned depth;
};

struct inliner {
  struct fed__flat_graph *flat;
  size_t calls, growth, growth_max;
};

const char *fed__message_name(const Onnx__NodeProto *node) {
  if (node->name && *node->name) return node->name;
  for (size_t i = 0; i < node->n_output; i++)
    if (node->output[i] && *node->output[i]) return node->output[i];
  return "";
}

int fed__flat_graph_add(struct fed__flat_graph *flat, const Onnx__NodeProto *node) {
  if (flat->node_count == FED__NODES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the graph has more than %d nodes", FED__NODES_MAX);
  flat->edge_count += node->n_input + node->n_output;
  if (flat->edge_count > EDGES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the nodes have more than %zu inputs and outputs", EDGES_MAX);
  if (flat->node_count == flat->node_capacity) {
    const size_t capacity = flat->node_capacity ? 2 * flat->node_capacity : 64;
    const Onnx__NodeProto **nodes =
        fed__resize(flat->model->context, flat->nodes, capacity, sizeof *nodes);
    if (!nodes) return FED_E_MEMORY;
    flat->nodes = nodes;
    flat->node_capacity = capacity;
  }
  flat->nodes[flat->node_count++] = node;
  return FED_OK;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static void unpack_integers(const Onnx__TensorProto *message, size_t count, void *to) {
  const size_t unit = fed__onnx_unit(message->data_type);
  for (size_t i = 0; i < count; i++) {
    const uint64_t value =
        message->n_int32_data ? (uint64_t)message->int32_data[i] : message->uint64_data[i];
    if (unit == 1)
      ((uint8_t *)to)[i] = (uint8_t)value;
    else if (unit == 2)
      ((uint16_t *)to)[i] = (uint16_t)value;
    else
      ((uint32_t *)to)[i] = (uint32_t)value;
  }
}

/* Small types that are stored as wide integers: the same tensor with raw bytes. */
static int unpack_tensor(struct fed_model *model, const Onnx__TensorProto **tensor) {
  const struct fed__narrow_type *type = fed__narrow_type_find((*tensor)->data_type);
  if (type && type->bits <= 8) return fed__onnx_decode_narrow(model, type, tensor);
  const Onnx__TensorProto *packed = *tensor;
  const size_t unit = fed__onnx_unit(packed->data_type);
  const size_t count = packed->n_int32_data ? packed->n_int32_data : packed->n_uint64_data;
  const int wide = packed->n_int32_data
                       ? packed->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32
                       : packed->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT64;
  if (packed->has_raw_data || count == 0 || wide || unit == 0 || unit > 4) return FED_OK;
  Onnx__TensorProto *plain = fed__model_alloc(model, 1, sizeof *plain);
  uint8_t *bytes = fed__model_alloc(model, count, unit);
  if (!plain || !bytes) return FED_E_MEMORY;
  unpack_integers(packed, count, bytes);
  *plain = *packed;
  plain->has_raw_data = 1;
  plain->raw_data = (ProtobufCBinaryData){count * unit, bytes};
  plain->n_int32_data = plain->n_uint64_data = 0;
  *tensor = plain;
  return FED_OK;
}

static int copy_initializers(struct fed__flat_graph *flat) {
  const Onnx__GraphProto *graph = flat->model->message->graph;
  flat->initializers =
      fed__zalloc(flat->model->context, graph->n_initializer, sizeof *flat->initializers);
  if (!flat->initializers) return FED_E_MEMORY;
  for (size_t i = 0; i < graph->n_initializer; i++) {
    flat->initializers[i] = graph->initializer[i];
    FED_TRY(unpack_tensor(flat->model, &flat->initializers[i]));
  }
  flat->initializer_count = graph->n_initializer;
  return FED_OK;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void *grow(struct inliner *inliner, size_t count, size_t size) {
  inliner->growth += count * size + sizeof(void *);
  if (count > inliner->growth_max || inliner->growth > inliner->growth_max) {
    FED_RAISE(FED_E_TOO_LARGE,
              "the model's functions grow to more than %zu bytes when they are "
              "put in place of their calls",
              inliner->growth_max);
    return NULL;
  }
  return fed__model_alloc(inliner->flat->model, count, size);
}

/* A name of the call's own: the caller's, the call's number, the function's. */
static char *own_name(struct inliner *inliner, const struct call *call, const char *name) {
  const char *caller = fed__message_name(call->node);
  const size_t size = strlen(caller) + strlen(name) + 24;
  char *text = grow(inliner, size, 1);
  if (text) snprintf(text, size, "%s#%zu/%s", caller, call->number, name);
  return text;
}

/* What a name inside the function is outside. */
static char *outer_name(struct inliner *inliner, const struct call *call, const char *name) {
  if (!*name) return (char *)(uintptr_t)name;
  const int32_t formal = fed__name_index_find(&call->index, name);
  if (formal != FED__NONE) return (char *)(uintptr_t)call->actual[formal];
  return own_name(inliner, call, name);
}

static int rename_list(struct inliner *inliner, const struct call *call, size_t count,
                       char ***names) {
  char **renamed = grow(inliner, count, sizeof *renamed);
  if (!renamed) return fed_error_last()->code;
  for (size_t i = 0; i < count; i++) {
    renamed[i] = outer_name(inliner, call, fed__text_of((*names)[i]));
    if (!renamed[i]) return fed_error_last()->code;
  }
  *names = renamed;
  return FED_OK;
}

/* ---- attributes ----------------------------------------------------------------------------- */

static const Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *node, const char *name) {
  for (size_t i = 0; i < node->n_attribute; i++)
    if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
      return node->attribute[i];
  return NULL;
}

/* An attribute that stands for one of the call's: that one under its own name; NULL if neither the
 * call nor the function says anything. */
static int resolve_attribute(struct inliner *inliner, const struct call *call,
                             Onnx__AttributeProto **attribute) {
  const char *reference = (*attribute)->ref_attr_name;
  if (!reference || !*reference) return FED_OK;
  const Onnx__AttributeProto *value = find_attribute(call->node, reference);
  if (!value) value = fed__function_default(inliner->flat->model, call->function, reference);
  char *name = (*attribute)->name;
  *attribute = NULL;
  if (!value) return FED_OK;
  Onnx__AttributeProto *copy = grow(inliner, 1, sizeof *copy);
  if (!copy) return fed_error_last()->code;
  *copy = *value;
  copy->name = name;
  *attribute = copy;
  return FED_OK;
}

static int resolve_attributes(struct inliner *inliner, const struct call *call,
                              Onnx__NodeProto *node) {
  Onnx__AttributeProto **resolved = grow(inliner, node->n_attribute, sizeof *resolved);
  size_t count = 0;
  if (!resolved) return fed_error_last()->code;
  for (size_t i = 0; i < node->n_attribute; i++) {
    Onnx__AttributeProto *attribute = node->attribute[i];
    FED_TRY(resolve_attribute(inliner, call, &attribute));
    if (attribute) resolved[count++] = attribute;
  }
  node->attribute = resolved;
  node->n_attribute = count;
  return FED_OK;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

/* A node of a function as the call's place sees it. */
static int place_node(struct inliner *inliner, const struct call *call,
                      const Onnx__NodeProto **node) {
  Onnx__NodeProto *copy = grow(inliner, 1, sizeof *copy);
  if (!copy) return fed_error_last()->code;
  *copy = **node;
  copy->name = own_name(inliner, call, fed__message_name(*node));
  if (!copy->name) return fed_error_last()->code;
  FED_TRY(rename_list(inliner, call, copy->n_input, &copy->input));
  FED_TRY(rename_list(inliner, call, copy->n_output, &copy->output));
  FED_TRY(resolve_attributes(inliner, call, copy));
  *node = copy;
  return FED_OK;
}

/* A plain node; its attribute's tensor may have to be unpacked, in a copy. */
static int add_plain(struct fed__flat_graph *flat, const Onnx__NodeProto *node) {
  for (size_t i = 0; i < node->n_attribute; i++) {
    const Onnx__TensorProto *tensor = node->attribute[i]->t;
    if (!tensor) continue;
    FED_TRY(unpack_tensor(flat->model, &tensor));
    if (tensor == node->attribute[i]->t) continue;
    Onnx__NodeProto *copy = fed__model_alloc(flat->model, 1, sizeof *copy);
    Onnx__AttributeProto *attribute = fed__model_alloc(flat->model, 1, sizeof *attribute);
    Onnx__AttributeProto **list = fed__model_alloc(flat->model, node->n_attribute, sizeof *list);
    if (!copy || !attribute || !list) return FED_E_MEMORY;
    memcpy(list, node->attribute, node->n_attribute * sizeof *list);
    *attribute = *list[i];
    attribute->t = (Onnx__TensorProto *)(uintptr_t)tensor;
    list[i] = attribute;
    *copy = *node;
    copy->attribute = list;
    node = copy;
  }
  return fed__flat_graph_add(flat, node);
}

static const Onnx__FunctionProto *find_function(const Onnx__ModelProto *model,
                                                const Onnx__NodeProto *node) {
  for (size_t i = 0; i < model->n_functions; i++) {
    const Onnx__FunctionProto *function = model->functions[i];
    if (strcmp(fed__text_of(function->name), fed__text_of(node->op_type)) == 0 &&
        strcmp(fed__text_of(function->domain), fed__text_of(node->domain)) == 0)
      return function;
  }
  return NULL;
}

static int check_call(const struct call *call) {
  const char *name = fed__text_of(call->function->name);
  for (const struct call *outer = call->outer; outer; outer = outer->outer)
    if (outer->function == call->function)
      return FED_RAISE(FED_E_UNSUPPORTED, "function '%.100s' calls itself", name);
  if (call->depth > DEPTH_MAX)
    return FED_RAISE(FED_E_UNSUPPORTED, "functions call each other more than %d deep", DEPTH_MAX);
  if (call->node->n_input > call->function->n_input ||
      call->node->n_output > call->function->n_output)
    return FED_RAISE(FED_E_SHAPE,
                     "node '%.100s' calls function '%.100s' with %zu inputs and %zu outputs; it "
                     "has %zu and %zu",
                     fed__message_name(call->node), name, call->node->n_input, call->node->n_output,
                     call->function->n_input, call->function->n_output);
  return FED_OK;
}

/* An output that is one of the function's inputs, or an earlier output, has no node. */
static int pass_through(struct inliner *inliner, const char *from, const char *to) {
  static char identity[] = "Identity";
  Onnx__NodeProto *node = grow(inliner, 1, sizeof *node);
  char **names = grow(inliner, 2, sizeof *names);
  if (!node || !names) return fed_error_last()->code;
  onnx__node_proto__init(node);
  names[0] = (char *)(uintptr_t)from;
  names[1] = (char *)(uintptr_t)to;
  node->op_type = identity;
  node->n_input = node->n_output = 1;
  node->input = names;
  node->output = names + 1;
  return fed__flat_graph_add(inliner->flat, node);
}

static void bind_inputs(struct call *call) {
  const Onnx__FunctionProto *function = call->function;
  for (size_t i = 0; i < function->n_input; i++) {
    call->actual[i] = i < call->node->n_input ? fed__text_of(call->node->input[i]) : "";
    fed__name_index_add(&call->index, fed__text_of(function->input[i]), (int32_t)i);
  }
}

static int bind_outputs(struct inliner *inliner, struct call *call) {
  const Onnx__FunctionProto *function = call->function;
  for (size_t i = 0; i < function->n_output; i++) {
    const size_t at = function->n_input + i;
    const char *name = fed__text_of(function->output[i]);
    call->actual[at] = i < call->node->n_output ? fed__text_of(call->node->output[i]) : "";
    if (!*call->actual[at]) call->actual[at] = own_name(inliner, call, name);
    if (!call->actual[at]) return fed_error_last()->code;
    if (fed__name_index_find(&call->index, name) == FED__NONE)
      fed__name_index_add(&call->index, name, (int32_t)at);
  }
  return FED_OK;
}

static int pass_outputs(struct inliner *inliner, const struct call *call) {
  const Onnx__FunctionProto *function = call->function;
  for (size_t i = 0; i < function->n_output; i++) {
    const size_t at = function->n_input + i;
    const int32_t bound = fed__name_index_find(&call->index, fed__text_of(function->output[i]));
    if ((size_t)bound != at) FED_TRY(pass_through(inliner, call->actual[bound], call->actual[at]));
  }
  return FED_OK;
}

static int add_node(struct inliner *inliner, const struct call *call, const Onnx__NodeProto *node);

static int add_body(struct inliner *inliner, struct call *call) {
  bind_inputs(call);
  FED_TRY(bind_outputs(inliner, call));
  for (size_t i = 0; i < call->function->n_node; i++)
    FED_TRY(add_node(inliner, call, call->function->node[i]));
  return pass_outputs(inliner, call);
}

static int add_call(struct inliner *inliner, const struct call *outer,
                    const Onnx__FunctionProto *function, const Onnx__NodeProto *node) {
  const struct fed_context *context = inliner->flat->model->context;
  struct call call = {.outer = outer,
                      .function = function,
                      .node = node,
                      .number = ++inliner->calls,
                      .depth = outer ? outer->depth + 1 : 1};
  FED_TRY(check_call(&call));
  const size_t names = function->n_input + function->n_output;
  if (inliner->calls > FED__NODES_MAX || names > EDGES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "functions are called more than %d times", FED__NODES_MAX);
  int code = fed__name_index_init(&call.index, context, names);
  if (code == FED_OK) {
    call.actual = fed__zalloc(context, names + 1, sizeof *call.actual);
    code = call.actual ? add_body(inliner, &call) : FED_E_MEMORY;
  }
  fed__name_index_clear(&call.index);
  fed__free(context, call.actual);
  return code;
}

static int add_node(struct inliner *inliner, const struct call *call, const Onnx__NodeProto *node) {
  if (call) FED_TRY(place_node(inliner, call, &node));
  const Onnx__FunctionProto *function = find_function(inliner->flat->model->message, node);
  if (!function) return add_plain(inliner->flat, node);
  const int code = add_call(inliner, call, function, node);
  return code == FED_OK || call ? code : FED_WRAP("node '%.100s'", fed__message_name(node));
}

/* A function's operators are those of the model's opset. */
static int check_functions(struct fed_model *model) {
  if (model->message->n_functions > FUNCTIONS_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the model has %zu functions, at most %d are supported",
                     model->message->n_functions, FUNCTIONS_MAX);
  for (size_t i = 0; i < model->message->n_functions; i++) {
    const Onnx__FunctionProto *function = model->message->functions[i];
    for (size_t j = 0; j < function->n_opset_import; j++) {
      const Onnx__OperatorSetIdProto *set = function->opset_import[j];
      if (fed__domain_is_standard(set->domain) && set->version != model->opset)
        return FED_RAISE(FED_E_UNSUPPORTED,
                         "function '%.100s' is written for opset %lld, the model for %lld: export "
                         "both with the same, or with functions inlined",
                         fed__text_of(function->name), (long long)set->version,
                         (long long)model->opset);
    }
    FED_TRY(fed__function_defaults_decode(model, function));
  }
  return FED_OK;
}

int fed__flat_graph_init(struct fed__flat_graph *flat, struct fed_model *model) {
  const Onnx__GraphProto *graph = model->message->graph;
  struct inliner inliner = {flat, 0, 0, GROWTH_BYTES + GROWTH_FACTOR * model->file_bytes};
  *flat = (struct fed__flat_graph){.model = model};
  FED_TRY(check_functions(model));
  FED_TRY(copy_initializers(flat));
  for (size_t i = 0; i < graph->n_node; i++) FED_TRY(add_node(&inliner, NULL, graph->node[i]));
  return FED_OK;
}

void fed__flat_graph_clear(struct fed__flat_graph *flat) {
  fed__free(flat->model->context, flat->nodes);
  fed__free(flat->model->context, flat->initializers);
  if (flat->wanted.slots) fed__name_index_clear(&flat->wanted);
  *flat = (struct fed__flat_graph){0};
}
