/* SPDX-License-Identifier: Apache-2.0
 *
 * adapter.c: low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685). The graph is rewritten
 * before it is built: a Gemm or MatMul with output y gets another output name, and
 *
 *   y = Add(Gemm(x, W, …), Mul(MatMul(MatMul(x, A), B), alpha / rank))
 *
 * takes its place, with A and B as new initializers. Nothing else in the engine knows of adapters,
 * except that only they train, and that export adds them to the weights. Linear in the graph for
 * each pattern.
 */
#include "base/memory.h"
#include "base/pattern.h"
#include "base/raise.h"
#include "base/rng.h"
#include "train/flat_graph.h"

#include <math.h>
#include <stdio.h>

#define RANK_MAX 65536

/* A weight and everything that multiplies by it. */
struct weight {
  const Onnx__TensorProto *tensor; /* NULL: no node has it in a place for adapters */
  const char *obstacle;            /* why it cannot be adapted; NULL: it can */
  int transposed;                  /* stored [out, in] */
  double gain;                     /* of the nodes on the product: Gemm's alpha */
  int chosen;
  const char *down, *up; /* the adapters' names */
};

struct adapting {
  struct fed__flat_graph *flat;
  const struct fed_model_options *options;
  struct fed__name_index initializers; /* by name */
  struct fed__name_index transposes;   /* outputs of Transpose to the weight in front of it */
  struct weight *weights;              /* by initializer */
  int32_t *weight_of;                  /* by node: the weight it multiplies by, or FED__NONE */
  const char *scale;                   /* the name of the factor alpha / rank */
};

static int is_type(const Onnx__NodeProto *node, const char *type) {
  return strcmp(fed__text_of(node->op_type), type) == 0 && fed__domain_is_standard(node->domain);
}

/* ---- what can be adapted -------------------------------------------------------------------- */

/* Does it swap a matrix's dimensions? */
static int swaps(const Onnx__NodeProto *node) {
  const struct fed__node reader = {.message = node};
  int64_t order[2] = {1, 0};
  size_t count;
  if (!fed__attribute_find(&reader, "perm")) return 1;
  return fed__attribute_ints(&reader, "perm", order, 2, &count) == FED_OK && count == 2 &&
         order[0] == 1 && order[1] == 0;
}

static int32_t find_initializer(const struct adapting *adapting, const char *name) {
  return fed__name_index_find(&adapting->initializers, fed__text_of(name));
}

/* Another node uses the weight in its own way: the first such way is kept; they must agree. */
static void note_use(struct weight *weight, const Onnx__TensorProto *tensor, int transposed,
                     double gain) {
  if (weight->tensor && (weight->transposed != transposed || weight->gain != gain))
    weight->obstacle = "several nodes use it in different ways";
  weight->tensor = tensor;
  weight->transposed = transposed;
  weight->gain = gain;
}

static const char *check_tensor(const Onnx__TensorProto *tensor) {
  if (tensor->n_dims != 2) return "it is no matrix";
  if (tensor->dims[0] < 1 || tensor->dims[1] < 1) return "it is empty";
  enum fed_dtype dtype;
  if (fed__onnx_dtype(tensor->data_type, &dtype) != FED_OK || !fed__dtype_is_real(dtype))
    return "it holds no real numbers";
  return NULL;
}

/* The weight on the right of a product, as it is or through a Transpose. */
static int32_t find_weight(const struct adapting *adapting, const Onnx__NodeProto *node,
                           int *transposed) {
  *transposed = 0;
  if (node->n_input < 2) return FED__NONE;
  const int32_t direct = find_initializer(adapting, node->input[1]);
  if (direct != FED__NONE) return direct;
  *transposed = 1;
  return fed__name_index_find(&adapting->transposes, fed__text_of(node->input[1]));
}

static const char *read_gemm(const Onnx__NodeProto *node, int *transposed, double *gain) {
  const struct fed__node reader = {.message = node};
  int64_t left = 0, right = 0;
  if (fed__attribute_int(&reader, "transA", 0, &left) != FED_OK ||
      fed__attribute_int(&reader, "transB", 0, &right) != FED_OK ||
      fed__attribute_float(&reader, "alpha", 1, gain) != FED_OK)
    return "an attribute of its Gemm has another type than expected";
  *transposed ^= right != 0;
  if (left) return "its Gemm transposes the other operand (transA)";
  return *gain == 0 || !isfinite(*gain) ? "its Gemm multiplies by 0 (alpha)" : NULL;
}

static void note_product(struct adapting *adapting, size_t at) {
  const Onnx__NodeProto *node = adapting->flat->nodes[at];
  int transposed;
  double gain = 1;
  const char *obstacle = NULL;
  const int32_t found = find_weight(adapting, node, &transposed);
  adapting->weight_of[at] = found;
  if (found == FED__NONE) return;
  struct weight *weight = &adapting->weights[found];
  const Onnx__TensorProto *tensor = adapting->flat->initializers[found];
  if (is_type(node, "Gemm")) obstacle = read_gemm(node, &transposed, &gain);
  note_use(weight, tensor, transposed, gain);
  if (!obstacle) obstacle = check_tensor(tensor);
  if (fed__initializer_is_narrow(adapting->flat->model, (size_t)found))
    obstacle = "it is of a type below 16 bits, which could not hold what the adapter adds";
  if (obstacle) weight->obstacle = obstacle;
}

/* Every read of an initializer that is no product from the right is in the way. */
static void note_other_reads(struct adapting *adapting, size_t at) {
  const Onnx__NodeProto *node = adapting->flat->nodes[at];
  const int is_product = adapting->weight_of[at] != FED__NONE;
  const int swaps_weight =
      node->n_output == 1 &&
      fed__name_index_find(&adapting->transposes, node->output[0]) != FED__NONE;
  for (size_t i = 0; i < node->n_input; i++) {
    const int32_t direct = find_initializer(adapting, node->input[i]);
    const int32_t swapped =
        fed__name_index_find(&adapting->transposes, fed__text_of(node->input[i]));
    const int32_t read = direct != FED__NONE ? direct : swapped;
    if (read == FED__NONE || (is_product && i == 1) || (swaps_weight && i == 0)) continue;
    adapting->weights[read].obstacle =
        is_type(node, "MatMul") || is_type(node, "Gemm")
            ? "it is not the right operand of every product that it is in"
            : "an operator other than Gemm and MatMul reads it, too";
  }
}

static void find_weights(struct adapting *adapting) {
  const struct fed__flat_graph *flat = adapting->flat;
  for (size_t i = 0; i < flat->node_count; i++) {
    const Onnx__NodeProto *node = flat->nodes[i];
    if (!is_type(node, "Transpose") || node->n_input != 1 || node->n_output != 1) continue;
    const int32_t weight = find_initializer(adapting, node->input[0]);
    if (weight != FED__NONE && swaps(node))
      fed__name_index_add(&adapting->transposes, fed__text_of(node->output[0]), weight);
  }
  for (size_t i = 0; i < flat->node_count; i++) {
    adapting->weight_of[i] = FED__NONE;
    if (is_type(flat->nodes[i], "Gemm") || is_type(flat->nodes[i], "MatMul"))
      note_product(adapting, i);
  }
  for (size_t i = 0; i < flat->node_count; i++) note_other_reads(adapting, i);
}

/* ---- what the options choose ---------------------------------------------------------------- */

static int refuse_pattern(const char *pattern, const char *name, const char *obstacle) {
  if (!name)
    return FED_RAISE(FED_E_MISSING,
                     "adapters: '%.200s' fits no Gemm or MatMul and no weight of one; `fed model "
                     "show` lists them",
                     pattern);
  return FED_RAISE(FED_E_UNSUPPORTED, "adapters: '%.200s' fits '%.200s', but %s", pattern, name,
                   obstacle);
}

/* By the node's name or the weight's; what cannot be adapted is passed over if something else that
 * fits can. */
static int apply_pattern(struct adapting *adapting, const char *pattern) {
  const struct fed__flat_graph *flat = adapting->flat;
  const char *name = NULL, *obstacle = NULL;
  size_t chosen = 0;
  for (size_t i = 0; i < flat->node_count; i++) {
    const Onnx__NodeProto *node = flat->nodes[i];
    struct weight *weight =
        adapting->weight_of[i] == FED__NONE ? NULL : &adapting->weights[adapting->weight_of[i]];
    const char *weight_name = weight ? fed__text_of(weight->tensor->name) : "";
    const char *node_name = fed__message_name(node);
    if (!fed__pattern_matches(pattern, node_name) &&
        (!weight || !fed__pattern_matches(pattern, weight_name)))
      continue;
    if (weight && !weight->obstacle) {
      weight->chosen = 1;
      chosen++;
    } else if (!name) {
      name = weight ? weight_name : node_name;
      obstacle =
          weight ? weight->obstacle : "that node is no Gemm or MatMul with a weight on the right";
    }
  }
  return chosen ? FED_OK : refuse_pattern(pattern, name, obstacle);
}

static int check_options(const struct fed_model_options *options) {
  if (options->adapter_rank < 1 || options->adapter_rank > RANK_MAX)
    return FED_RAISE(FED_E_RANGE, "adapters need a rank from 1 to %d, not %u", RANK_MAX,
                     options->adapter_rank);
  if (!isfinite(options->adapter_alpha) || options->adapter_alpha < 0)
    return FED_RAISE(FED_E_RANGE, "the adapters' alpha should be a positive number, not %g",
                     options->adapter_alpha);
  return FED_OK;
}

/* ---- the new initializers and nodes --------------------------------------------------------- */

static char *join(struct fed_model *model, const char *name, const char *end) {
  const size_t size = strlen(name) + strlen(end) + 1;
  char *text = fed__model_alloc(model, size, 1);
  if (text) snprintf(text, size, "%s%s", name, end);
  return text;
}

/* A float initializer of rank 2, or 0 if `rows` is 0, zero; `*values` are its. */
static int add_initializer(struct adapting *adapting, const char *name, int64_t rows,
                           int64_t columns, float **values) {
  struct fed__flat_graph *flat = adapting->flat;
  size_t count = 1;
  Onnx__TensorProto *tensor = fed__model_alloc(flat->model, 1, sizeof *tensor);
  int64_t *dims = fed__model_alloc(flat->model, 2, sizeof *dims);
  if (!name || !tensor || !dims) return FED_E_MEMORY;
  if (rows && __builtin_mul_overflow((size_t)rows, (size_t)columns, &count))
    return FED_RAISE(FED_E_TOO_LARGE, "adapter '%.200s' is too large", name);
  *values = fed__model_alloc(flat->model, count, sizeof **values);
  if (!*values) return FED_E_MEMORY;
  dims[0] = rows;
  dims[1] = columns;
  onnx__tensor_proto__init(tensor);
  tensor->name = (char *)(uintptr_t)name;
  tensor->has_data_type = tensor->has_raw_data = 1;
  tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor->n_dims = rows ? 2 : 0;
  tensor->dims = dims;
  tensor->raw_data = (ProtobufCBinaryData){count * sizeof **values, (uint8_t *)*values};
  flat->initializers[flat->initializer_count++] = tensor;
  return FED_OK;
}

/* Uniform in ±1/sqrt(in), as PyTorch initialises what a linear layer starts with. */
static void fill_down(const struct adapting *adapting, const char *name, int64_t in, size_t count,
                      float *values) {
  struct fed_rng rng;
  const double bound = 1 / sqrt((double)in);
  fed__rng_init(&rng, adapting->options->adapter_seed, "adapter", fed__name_number(name), 0);
  for (size_t i = 0; i < count; i++) values[i] = (float)((2 * fed__rng_unit(&rng) - 1) * bound);
}

static int add_adapter(struct adapting *adapting, size_t at) {
  struct fed_model *model = adapting->flat->model;
  struct weight *weight = &adapting->weights[at];
  const char *name = fed__text_of(weight->tensor->name);
  const int64_t rank = (int64_t)adapting->options->adapter_rank;
  const int64_t in = weight->tensor->dims[weight->transposed];
  const int64_t out = weight->tensor->dims[!weight->transposed];
  const double alpha = adapting->options->adapter_alpha;
  const double factor = alpha > 0 ? alpha / (double)rank : 1;
  float *down, *up;
  weight->down = join(model, name, ".lora_A");
  weight->up = join(model, name, ".lora_B");
  const int32_t first = (int32_t)adapting->flat->initializer_count;
  model->adapters[model->adapter_count++] = (struct fed__adapter){
      (int32_t)at, first, first + 1, weight->transposed, (double)(float)factor / weight->gain};
  FED_TRY(add_initializer(adapting, weight->down, in, rank, &down));
  FED_TRY(add_initializer(adapting, weight->up, rank, out, &up));
  fill_down(adapting, name, in, (size_t)in * (size_t)rank, down);
  return FED_OK;
}

/* A node with one output; inputs and output stay where they are. */
static int add_node(struct fed__flat_graph *flat, const char *type, const char *first,
                    const char *second, const char *output) {
  Onnx__NodeProto *node = fed__model_alloc(flat->model, 1, sizeof *node);
  const char **names = fed__model_alloc(flat->model, 3, sizeof *names);
  if (!node || !names || !first || !second || !output) return FED_E_MEMORY;
  names[0] = first;
  names[1] = second;
  names[2] = output;
  onnx__node_proto__init(node);
  node->op_type = (char *)(uintptr_t)type;
  node->name = (char *)(uintptr_t)output;
  node->n_input = 2;
  node->n_output = 1;
  node->input = (char **)(void *)names;
  node->output = node->input + 2;
  return fed__flat_graph_add(flat, node);
}

/* The node itself with its output renamed, and the four that follow it. */
static int add_adapted(struct fed__flat_graph *flat, const Onnx__NodeProto *node,
                       const struct weight *weight, const char *scale) {
  struct fed_model *model = flat->model;
  const char *output = fed__text_of(node->output[0]);
  const char *base = join(model, output, "/base"), *low = join(model, output, "/lora_low");
  const char *full = join(model, output, "/lora_full"), *delta = join(model, output, "/lora");
  Onnx__NodeProto *copy = fed__model_alloc(model, 1, sizeof *copy);
  char **outputs = fed__model_alloc(model, 1, sizeof *outputs);
  if (!copy || !outputs || !base) return FED_E_MEMORY;
  *copy = *node;
  outputs[0] = (char *)(uintptr_t)base;
  copy->output = outputs;
  FED_TRY(fed__flat_graph_add(flat, copy));
  FED_TRY(add_node(flat, "MatMul", fed__text_of(node->input[0]), weight->down, low));
  FED_TRY(add_node(flat, "MatMul", low, weight->up, full));
  FED_TRY(add_node(flat, "Mul", full, scale, delta));
  return add_node(flat, "Add", base, delta, output);
}

static int rewrite_nodes(struct adapting *adapting) {
  struct fed__flat_graph *flat = adapting->flat;
  const Onnx__NodeProto **nodes = flat->nodes;
  const size_t count = flat->node_count;
  int code = FED_OK;
  flat->nodes = NULL;
  flat->node_count = flat->node_capacity = flat->edge_count = 0;
  for (size_t i = 0; i < count && code == FED_OK; i++) {
    const int32_t found = adapting->weight_of[i];
    code = found != FED__NONE && adapting->weights[found].chosen && nodes[i]->n_output == 1
               ? add_adapted(flat, nodes[i], &adapting->weights[found], adapting->scale)
               : fed__flat_graph_add(flat, nodes[i]);
  }
  fed__free(flat->model->context, nodes);
  return code;
}

static int add_adapters(struct adapting *adapting) {
  struct fed__flat_graph *flat = adapting->flat;
  const size_t weight_count = flat->initializer_count;
  size_t chosen = 0;
  float *scale;
  for (size_t i = 0; i < weight_count; i++) chosen += adapting->weights[i].chosen != 0;
  const Onnx__TensorProto **initializers =
      fed__resize(flat->model->context, flat->initializers, weight_count + 2 * chosen + 1,
                  sizeof *initializers);
  if (!initializers) return FED_E_MEMORY;
  flat->initializers = initializers;
  flat->model->adapters = fed__model_alloc(flat->model, chosen, sizeof *flat->model->adapters);
  if (!flat->model->adapters) return FED_E_MEMORY;
  for (size_t i = 0; i < weight_count; i++)
    if (adapting->weights[i].chosen) FED_TRY(add_adapter(adapting, i));
  const double alpha = adapting->options->adapter_alpha;
  adapting->scale = "lora.scale";
  FED_TRY(add_initializer(adapting, adapting->scale, 0, 0, &scale));
  *scale = alpha > 0 ? (float)(alpha / adapting->options->adapter_rank) : 1;
  return rewrite_nodes(adapting);
}

static int adapt(struct adapting *adapting) {
  const struct fed__flat_graph *flat = adapting->flat;
  const struct fed_context *context = flat->model->context;
  FED_TRY(check_options(adapting->options));
  FED_TRY(fed__name_index_init(&adapting->initializers, context, flat->initializer_count));
  FED_TRY(fed__name_index_init(&adapting->transposes, context, flat->node_count));
  adapting->weights = fed__zalloc(context, flat->initializer_count, sizeof *adapting->weights);
  adapting->weight_of = fed__zalloc(context, flat->node_count, sizeof *adapting->weight_of);
  if (!adapting->weights || !adapting->weight_of) return FED_E_MEMORY;
  for (size_t i = 0; i < flat->initializer_count; i++)
    fed__name_index_add(&adapting->initializers, fed__text_of(flat->initializers[i]->name),
                        (int32_t)i);
  find_weights(adapting);
  for (size_t i = 0; i < adapting->options->adapted_count; i++)
    FED_TRY(apply_pattern(adapting, adapting->options->adapted[i]));
  return add_adapters(adapting);
}

int fed__adapters_add(struct fed__flat_graph *flat, const struct fed_model_options *options) {
  struct adapting adapting = {.flat = flat, .options = options};
  if (!options->adapted_count) return FED_OK;
  const int code = adapt(&adapting);
  fed__name_index_clear(&adapting.initializers);
  fed__name_index_clear(&adapting.transposes);
  fed__free(flat->model->context, adapting.weights);
  fed__free(flat->model->context, adapting.weight_of);
  return code;
}
