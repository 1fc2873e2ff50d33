/* SPDX-License-Identifier: Apache-2.0
 *
 * model_describe.c: what there is to know of a model, for people and as JSON: its inputs, its nodes
 * with shapes for a batch of one and their work, and which initializers train, and why.
 */
#include "base/raise.h"
#include "train/flat_graph.h"
#include "train/operator.h"

#include <jansson.h>
#include <stdlib.h>

#define READERS_SHOWN 4
#define DOUBTS_BYTES_MAX ((size_t)1 << 24)

/* ---- facts ---------------------------------------------------------------------------------- */

static size_t count_parameters(const struct fed_model *model, const struct fed__node *node) {
  size_t count = 0;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const int32_t value = node->inputs[i];
    if (value != FED__NONE && model->values[value].parameter != FED__NONE)
      count += model->shapes.values[value].elements;
  }
  return count;
}

/* Two for each product: the depth is the left operand's extent that the product sums over. */
static double product_work(const struct fed_model *model, const struct fed__node *node,
                           double outputs) {
  const struct fed_shape *left = &model->shapes.values[node->inputs[0]].shape;
  int64_t transposed = 0;
  if (strcmp(node->op->type, "Gemm") == 0 &&
      fed__attribute_int(node, "transA", 0, &transposed) != FED_OK)
    return outputs;
  const uint32_t depth = left->rank - 1 - (transposed ? 1 : 0);
  return 2 * outputs * (left->rank ? (double)left->dims[depth] : 1);
}

/* Multiplications and additions of a forward pass for one example; 0 if it is computed once,
 * beforehand. */
static double find_work(const struct fed_model *model, const struct fed__node *node) {
  const struct fed__known *output = &model->shapes.values[fed__node_output(node)];
  const struct fed__inference inference = {model, node,
                                           (struct fed__shapes *)(uintptr_t)&model->shapes};
  if (output->content || node->op->view) return 0;
  if (node->op->work) return node->op->work(&inference);
  if (strcmp(node->op->type, "Gemm") == 0 || strcmp(node->op->type, "MatMul") == 0)
    return product_work(model, node, (double)output->elements);
  return (double)output->elements;
}

/* How often the value is read where it would train: more than once is a tie. */
static uint32_t count_readers(const struct fed_model *model, int32_t value,
                              const struct fed__node **readers) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < model->node_count; i++)
    for (uint32_t j = 0; j < model->nodes[i].input_count; j++) {
      if (model->nodes[i].inputs[j] != value) continue;
      if (count < READERS_SHOWN) readers[count] = &model->nodes[i];
      count++;
    }
  return count;
}

/* The symbol of an input's dimension (0: the batch), or NULL for a plain number. */
static const char *find_symbol(const struct fed_model *model, const char *input, size_t at) {
  const Onnx__GraphProto *graph = model->message->graph;
  for (size_t i = 0; i < graph->n_input; i++) {
    if (strcmp(fed__text_of(graph->input[i]->name), input) != 0) continue;
    const Onnx__TensorShapeProto *shape = graph->input[i]->type->tensor_type->shape;
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[at];
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? dim->dim_param
                                                                                   : NULL;
  }
  return NULL;
}

/* ---- text ----------------------------------------------------------------------------------- */

static int write_input(const struct fed_model *model, const struct fed_tensor *input,
                       struct fed_buffer *out) {
  const char *batch = find_symbol(model, input->name, 0);
  FED_TRY(fed_buffer_print(out, "%-32s %-8s [%s", input->name, fed_dtype_name(input->dtype),
                           batch ? batch : "batch"));
  for (uint32_t i = 0; i < input->shape.rank; i++) {
    const char *symbol = find_symbol(model, input->name, i + 1);
    FED_TRY(fed_buffer_print(out, ", %s%s%lld", symbol ? symbol : "", symbol ? "=" : "",
                             (long long)input->shape.dims[i]));
  }
  return fed_buffer_print(out, "]\n");
}

static int write_nodes(const struct fed_model *model, struct fed_buffer *out) {
  char shape[128];
  double work = 0;
  FED_TRY(fed_buffer_print(out, "\n%-32s %-22s %-20s %12s %10s\n", "node", "operator", "output",
                           "work", "parameters"));
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    const struct fed__known *output = &model->shapes.values[fed__node_output(node)];
    fed_shape_format(&output->shape, shape, sizeof shape);
    work += find_work(model, node);
    FED_TRY(fed_buffer_print(out, "%-32s %-22s %-20s %12.0f %10zu\n", node->name, node->op->type,
                             shape, find_work(model, node), count_parameters(model, node)));
  }
  FED_TRY(
      fed_buffer_print(out, "%.4g multiplications and additions forward for one example\n", work));
  if (model->left_out)
    FED_TRY(fed_buffer_print(out, "%u more nodes do not lead to the output and never run\n",
                             model->left_out));
  return FED_OK;
}

static int write_ties(const struct fed_model *model, int32_t value, struct fed_buffer *out) {
  const struct fed__node *readers[READERS_SHOWN];
  if (!fed__role_trains(model->values[value].role)) return FED_OK;
  const uint32_t count = count_readers(model, value, readers);
  if (count < 2) return FED_OK;
  for (uint32_t i = 0; i < count && i < READERS_SHOWN; i++)
    FED_TRY(fed_buffer_print(out, "%s%s", i ? ", " : "; shared by ", readers[i]->name));
  return fed_buffer_print(out, "%s: trained as one", count > READERS_SHOWN ? " and others" : "");
}

static int write_initializers(const struct fed_model *model, struct fed_buffer *out) {
  char shape[128];
  FED_TRY(
      fed_buffer_print(out, "\n%-32s %-20s %-6s %s\n", "initializer", "shape", "trains", "why"));
  for (uint32_t i = 0; i < model->initializer_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (!fed__dtype_is_real(value->initializer->dtype)) continue;
    fed_shape_format(&value->initializer->shape, shape, sizeof shape);
    FED_TRY(fed_buffer_print(out, "%-32s %-20s %-6s %s", value->name, shape,
                             fed__role_trains(value->role) ? "yes" : "no",
                             fed__role_words(value->role)));
    FED_TRY(write_ties(model, (int32_t)i, out));
    FED_TRY(fed_buffer_print(out, "\n"));
  }
  return FED_OK;
}

static size_t trained_elements(const struct fed_model *model) {
  size_t count = 0;
  for (size_t i = 0; i < model->trained_count; i++)
    count += fed_tensor_elements(&model->params.tensors[i]);
  return count;
}

static int write_doubts(const struct fed_model *model, struct fed_buffer *out) {
  struct fed_buffer doubts;
  fed_buffer_init(&doubts, model->context, DOUBTS_BYTES_MAX);
  int code = fed_model_doubts(model, NULL, &doubts);
  if (code == FED_OK && doubts.size)
    code = fed_buffer_print(out, "\n%.*s", (int)doubts.size, (const char *)doubts.data);
  fed_buffer_clear(&doubts);
  return code;
}

int fed_model_describe(const struct fed_model *model, struct fed_buffer *out) {
  FED_TRY(fed_buffer_print(out, "%-32s %-8s %s\n", "input", "type", "shape"));
  for (size_t i = 0; i < model->spec.input_count; i++)
    FED_TRY(write_input(model, &model->spec.inputs[i], out));
  FED_TRY(write_nodes(model, out));
  FED_TRY(write_initializers(model, out));
  FED_TRY(fed_buffer_print(out, "\n%zu parameters in %zu tensors train", trained_elements(model),
                           model->trained_count));
  if (model->params.count > model->trained_count)
    FED_TRY(fed_buffer_print(out, "; %zu running statistics are averaged",
                             model->params.count - model->trained_count));
  if (model->local_params.count)
    FED_TRY(fed_buffer_print(out, "; %zu running statistics stay", model->local_params.count));
  FED_TRY(fed_buffer_print(out, " (opset %lld)\n", (long long)model->opset));
  return write_doubts(model, out);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* jansson returns NULL for want of memory and passes NULL on; only the whole has to be looked at.
 */
static json_t *shape_json(const struct fed_shape *shape) {
  json_t *dims = json_array();
  for (uint32_t i = 0; i < shape->rank; i++)
    json_array_append_new(dims, json_integer(shape->dims[i]));
  return dims;
}

static json_t *input_json(const struct fed_model *model, const struct fed_tensor *input) {
  json_t *symbols = json_object();
  for (uint32_t i = 0; i < input->shape.rank; i++) {
    const char *symbol = find_symbol(model, input->name, i + 1);
    if (symbol) json_object_set_new(symbols, symbol, json_integer(input->shape.dims[i]));
  }
  return json_pack("{s:s, s:s, s:o, s:o}", "name", input->name, "type",
                   fed_dtype_name(input->dtype), "shape", shape_json(&input->shape), "dimensions",
                   symbols);
}

static json_t *node_json(const struct fed_model *model, const struct fed__node *node) {
  const struct fed__known *output = &model->shapes.values[fed__node_output(node)];
  return json_pack("{s:s, s:s, s:o, s:f, s:I}", "name", node->name, "operator", node->op->type,
                   "output", shape_json(&output->shape), "work", find_work(model, node),
                   "parameters", (json_int_t)count_parameters(model, node));
}

static json_t *initializer_json(const struct fed_model *model, uint32_t at) {
  const struct fed__value *value = &model->values[at];
  const struct fed__node *readers[READERS_SHOWN];
  return json_pack("{s:s, s:o, s:I, s:b, s:s, s:i}", "name", value->name, "shape",
                   shape_json(&value->initializer->shape), "elements",
                   (json_int_t)fed_tensor_elements(value->initializer), "trains",
                   fed__role_trains(value->role), "why", fed__role_words(value->role), "readers",
                   (int)count_readers(model, (int32_t)at, readers));
}

/* A list of lines; NULL: out of memory. */
static json_t *doubts_json(const struct fed_model *model) {
  json_t *list = json_array();
  struct fed_buffer doubts;
  fed_buffer_init(&doubts, model->context, DOUBTS_BYTES_MAX);
  const int code = fed_model_doubts(model, NULL, &doubts);
  const char *line = (const char *)doubts.data, *end = line + doubts.size;
  for (const char *next; code == FED_OK && line < end; line = next + 1) {
    next = memchr(line, '\n', (size_t)(end - line));
    json_array_append_new(list, json_stringn(line, (size_t)(next - line)));
  }
  fed_buffer_clear(&doubts);
  if (code == FED_OK) return list;
  json_decref(list);
  return NULL;
}

static json_t *model_json(const struct fed_model *model) {
  json_t *inputs = json_array(), *nodes = json_array(), *initializers = json_array();
  for (size_t i = 0; i < model->spec.input_count; i++)
    json_array_append_new(inputs, input_json(model, &model->spec.inputs[i]));
  for (uint32_t i = 0; i < model->node_count; i++)
    json_array_append_new(nodes, node_json(model, &model->nodes[i]));
  for (uint32_t i = 0; i < model->initializer_count; i++)
    if (fed__dtype_is_real(model->values[i].initializer->dtype))
      json_array_append_new(initializers, initializer_json(model, i));
  return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "opset", (json_int_t)model->opset,
                   "parameters", (json_int_t)trained_elements(model), "statistics_averaged",
                   (json_int_t)(model->params.count - model->trained_count), "statistics_local",
                   (json_int_t)model->local_params.count, "inputs", inputs, "nodes", nodes,
                   "initializers", initializers, "doubts", doubts_json(model));
}

int fed_model_describe_json(const struct fed_model *model, struct fed_buffer *out) {
  json_t *json = model_json(model);
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  json_decref(json);
  if (!text)
    return FED_RAISE(FED_E_INPUT, "the model's names are no UTF-8, so that JSON cannot hold them");
  const int code = fed_buffer_print(out, "%s\n", text);
  free(text); /* jansson's */
  return code;
}

int fed_operators_describe(int as_json, struct fed_buffer *out) {
  const struct fed__operator *op;
  if (as_json) FED_TRY(fed_buffer_print(out, "[\n"));
  for (size_t i = 0; (op = fed__operator_at(i)); i++) {
    const int trains = op->backward[FED_PRECISION_F32] || op->view;
    if (as_json)
      FED_TRY(fed_buffer_print(out,
                               "%s  {\"operator\": \"%s\", \"opset_min\": %d, \"opset_max\": %d, "
                               "\"gradient\": %s}",
                               i ? ",\n" : "", op->type, fed__operator_first_opset(op),
                               op->opset_max, trains ? "true" : "false"));
    else
      FED_TRY(fed_buffer_print(out, "%-28s %d to %d%s\n", op->type, fed__operator_first_opset(op),
                               op->opset_max, trains ? "" : "   no gradient"));
  }
  return as_json ? fed_buffer_print(out, "\n]\n") : FED_OK;
}
