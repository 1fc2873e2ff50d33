/* SPDX-License-Identifier: Apache-2.0
 *
 * constant_role.c: what keeps an initializer from training although it is in a slot of weights.
 * Exporters store masks, positional tables, rotary embeddings and the examples' normalisation as
 * float initializers of Add, Mul and Gather, just as they store biases, scales and tables that
 * train. What they meet and what values they have tells them apart (docs/models.md has the rule in
 * words). Linear in the size of the graph and of the tensors concerned.
 */
#include "train/constant_role.h"
#include "base/memory.h"
#include "train/operator.h"

#include <math.h>

#define HUGE_NEGATIVE (-10000.0) /* what masks add where nothing may pass; often much more */
#define WAVE_TOLERANCE 2e-3      /* of sin^2 + cos^2 in float16 */

/* ---- what a value is computed from ---------------------------------------------------------- */

#define READS_EXAMPLES 1
#define READS_NUMBERS 2 /* a float initializer of more than one element */
#define IS_RAW 4        /* the examples, moved or shifted and scaled by constants at most */

static int is_type(const struct fed__node *node, const char *const *types) {
  for (; *types; types++)
    if (strcmp(node->op->type, *types) == 0) return 1;
  return 0;
}

static unsigned char reads_of(const struct fed__reads *reads, const struct fed__node *node,
                              uint32_t slot) {
  if (slot >= node->input_count || node->inputs[slot] == FED__NONE) return 0;
  return reads->bits[node->inputs[slot]];
}

/* Examples that were only moved, converted, or met a constant. */
static int stays_raw(const struct fed__reads *reads, const struct fed__node *node) {
  static const char *const arithmetic[] = {"Add", "Sub", "Mul", "Div", NULL};
  const unsigned char first = reads_of(reads, node, 0), second = reads_of(reads, node, 1);
  if (is_type(node, arithmetic))
    return ((first & IS_RAW) && !(second & READS_EXAMPLES)) ||
           ((second & IS_RAW) && !(first & READS_EXAMPLES));
  return (node->op->passes & 1 || node->op->view) && (first & IS_RAW) && !(second & READS_EXAMPLES);
}

static unsigned char initial_reads(const struct fed__value *value) {
  if (value->input != FED__NONE) return READS_EXAMPLES | IS_RAW;
  if (!value->initializer || !fed__dtype_is_real(value->initializer->dtype)) return 0;
  return fed_tensor_elements(value->initializer) > 1 ? READS_NUMBERS : 0;
}

int fed__reads_init(struct fed__reads *reads, const struct fed_model *model) {
  static const char *const shapes[] = {"Shape", "Size", NULL};
  *reads = (struct fed__reads){model, fed__zalloc(model->context, model->value_count, 1)};
  if (!reads->bits) return FED_E_MEMORY;
  for (uint32_t i = 0; i < model->value_count; i++)
    reads->bits[i] = initial_reads(&model->values[i]);
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    unsigned char bits = 0;
    for (uint32_t j = 0; j < node->input_count; j++) bits |= reads_of(reads, node, j);
    if (is_type(node, shapes)) bits = 0;
    if (!stays_raw(reads, node)) bits &= (unsigned char)~IS_RAW;
    for (uint32_t j = 0; j < node->output_count; j++)
      if (node->outputs[j] != FED__NONE) reads->bits[node->outputs[j]] = bits;
  }
  return FED_OK;
}

void fed__reads_clear(struct fed__reads *reads) {
  if (reads->bits) fed__free(reads->model->context, reads->bits);
  reads->bits = NULL;
}

/* ---- what an initializer meets -------------------------------------------------------------- */

static int is_all(const struct fed_model *model, int32_t value, float number) {
  const struct fed_tensor *tensor = value == FED__NONE ? NULL : model->values[value].initializer;
  if (!tensor || !fed__dtype_is_real(tensor->dtype)) return 0;
  const size_t count = fed_tensor_elements(tensor);
  for (size_t i = 0; i < count; i++)
    if (fed__real_at(tensor, i) != (double)number) return 0;
  return 1;
}

/* Reshape, InstanceNormalization with 1 and 0, Reshape, Mul, Add: only the last two train. */
static int is_group_norm(const struct fed_model *model, const struct fed__node *node) {
  const int32_t producer = model->values[node->inputs[0]].producer;
  return strcmp(node->op->type, "InstanceNormalization") == 0 && producer != FED__NONE &&
         strcmp(model->nodes[producer].op->type, "Reshape") == 0 &&
         is_all(model, node->inputs[1], 1) && is_all(model, node->inputs[2], 0);
}

/* The bias of a layer with one output: one element, of a list and no lone number, that Add puts on
 * the product with a weight [in, 1], which may come through a Transpose of [1, in]. */
static int is_single_bias(const struct fed_model *model, const struct fed__node *node,
                          uint32_t slot, const struct fed_shape *shape) {
  if (!shape || shape->rank == 0 || slot > 1 || strcmp(node->op->type, "Add") != 0) return 0;
  const int32_t sum = node->inputs[1 - slot];
  const int32_t producer = sum == FED__NONE ? FED__NONE : model->values[sum].producer;
  if (producer == FED__NONE || strcmp(model->nodes[producer].op->type, "MatMul") != 0) return 0;
  const struct fed__value *weight = &model->values[model->nodes[producer].inputs[1]];
  const int swapped = weight->producer != FED__NONE &&
                      strcmp(model->nodes[weight->producer].op->type, "Transpose") == 0;
  if (swapped) weight = &model->values[model->nodes[weight->producer].inputs[0]];
  const struct fed_tensor *tensor = weight->initializer;
  return tensor && tensor->shape.rank == 2 && tensor->shape.dims[!swapped] == 1;
}

/* A list of one number that Add puts on what comes from the examples. */
static int may_be_bias(const struct fed__reads *reads, const struct fed__node *node, uint32_t slot,
                       const struct fed_shape *shape) {
  if (!shape || shape->rank == 0 || slot > 1 || strcmp(node->op->type, "Add") != 0) return 0;
  for (uint32_t i = 0; i < shape->rank; i++)
    if (shape->dims[i] != 1) return 0;
  const unsigned char other = reads_of(reads, node, 1 - slot);
  return (other & READS_EXAMPLES) && (other & READS_NUMBERS) && !(other & IS_RAW);
}

/* One number for each channel: all extents but one are 1. NULL: not known. */
static int is_list(const struct fed_shape *shape) {
  uint32_t wide = 0;
  for (uint32_t i = 0; shape && i < shape->rank; i++) wide += shape->dims[i] > 1;
  return wide <= 1;
}

enum fed__slot fed__slot_find(const struct fed__reads *reads, const struct fed__node *node,
                              uint32_t slot, const struct fed_shape *shape) {
  static const char *const sums[] = {"Add", "Mul", NULL}, *const tables[] = {"Gather", NULL};
  static const char *const products[] = {"Add", "Mul", "MatMul", "Gemm", NULL};
  if (is_single_bias(reads->model, node, slot, shape)) return FED__SLOT_TRAINS;
  if (may_be_bias(reads, node, slot, shape)) return FED__SLOT_SINGLE;
  if (!node->op->trains || !node->op->trains(slot, shape)) return FED__SLOT_NONE;
  if (is_group_norm(reads->model, node)) return FED__SLOT_GROUP_NORM;
  if (slot <= 1 && is_type(node, products) && reads_of(reads, node, 1 - slot) == 0)
    return FED__SLOT_FORMULA;
  if (is_type(node, tables)) return FED__SLOT_BY_VALUES;
  if (!is_type(node, sums)) return FED__SLOT_TRAINS;
  return (reads_of(reads, node, 1 - slot) & IS_RAW) && is_list(shape) ? FED__SLOT_PREPROCESSING
                                                                      : FED__SLOT_BY_VALUES;
}

/* ---- what values it has --------------------------------------------------------------------- */

double fed__real_at(const struct fed_tensor *tensor, size_t at) {
  float value;
  struct fed_tensor element = *tensor;
  element.data = (char *)tensor->data + at * fed_dtype_size(tensor->dtype);
  fed__floats_widen(&element, 1, &value);
  return (double)value;
}

/* Hugely negative or no number anywhere; or zero and one other value, both there. */
static int is_mask(const struct fed_tensor *tensor, size_t count) {
  double other = 0;
  int has_zero = 0, two_valued = 1;
  for (size_t i = 0; i < count; i++) {
    const double value = fed__real_at(tensor, i);
    if (!isfinite(value) || value <= HUGE_NEGATIVE) return 1;
    if (value == 0)
      has_zero = 1;
    else if (other == 0)
      other = value;
    else if (value != other)
      two_valued = 0;
  }
  return two_valued && has_zero && other != 0 && count > 2;
}

/* Are all numbers in [-1, 1], and is each pair a sine and a cosine of one angle? `step` between the
 * two of a pair; pairs begin at every other place, or at every place of the first half. */
static int all_pairs(const struct fed_tensor *tensor, size_t count, size_t width, size_t step,
                     int equal) {
  for (size_t i = 0; i < count / 2; i++) {
    const size_t row = i / (width / 2), pair = i % (width / 2);
    const size_t at = row * width + (step == 1 ? 2 * pair : pair);
    const double a = fed__real_at(tensor, at), b = fed__real_at(tensor, at + step);
    if (equal ? a != b || fabs(a) > 1 : !(fabs(a * a + b * b - 1) < WAVE_TOLERANCE)) return 0;
  }
  return 1;
}

/* sin and cos side by side or half by half; or only one of them, each number twice (rotary). */
static int is_waves(const struct fed_tensor *tensor, size_t count) {
  const struct fed_shape *shape = &tensor->shape;
  const size_t width = shape->rank ? (size_t)shape->dims[shape->rank - 1] : 1;
  if (width < 4 || width % 2 || count / width < 2) return 0;
  if (all_pairs(tensor, count, width, 1, 0) || all_pairs(tensor, count, width, width / 2, 0))
    return 1;
  const float first = (float)fed__real_at(tensor, 0);
  for (size_t i = 1; i < count; i++)
    if (fed__real_at(tensor, i) != (double)first)
      return all_pairs(tensor, count, width, 1, 1) || all_pairs(tensor, count, width, width / 2, 1);
  return 0;
}

enum fed__role fed__role_by_values(const struct fed_tensor *tensor) {
  const size_t count = fed_tensor_elements(tensor);
  if (is_mask(tensor, count)) return FED__ROLE_MASK;
  return is_waves(tensor, count) ? FED__ROLE_WAVES : FED__ROLE_SLOT;
}
