/* SPDX-License-Identifier: Apache-2.0
 *
 * inference.c: types and shapes of every value for one batch size, node by node; what can be
 * computed without any example (shapes made from shapes, constants) is computed here, once.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

#define ELEMENTS_MAX ((size_t)1 << 34) /* of one value: 64 GiB of floats */

struct fed__content {
  struct fed__content *next;
  _Alignas(16) unsigned char bytes[];
};

static int set_known(struct fed__known *known, enum fed_dtype dtype, const struct fed_shape *shape,
                     const void *content) {
  *known = (struct fed__known){.dtype = dtype, .shape = *shape, .content = content};
  FED_TRY(fed_shape_elements(shape, &known->elements));
  if (known->elements > ELEMENTS_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "a value of %zu elements is too large", known->elements);
  return FED_OK;
}

static struct fed_shape with_batch(const struct fed_shape *example, int64_t batch) {
  struct fed_shape shape = {.rank = example->rank + 1, .dims = {batch}};
  for (uint32_t i = 0; i < example->rank; i++) shape.dims[i + 1] = example->dims[i];
  return shape;
}

static int know_given(const struct fed_model *model, int64_t batch, struct fed__known *values) {
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (value->initializer) {
      const struct fed_tensor *tensor = value->initializer;
      FED_TRY(set_known(&values[i], tensor->dtype, &tensor->shape,
                        value->parameter == FED__NONE ? tensor->data : NULL));
    } else if (value->input != FED__NONE) {
      const struct fed_tensor *input = &model->spec.inputs[value->input];
      const struct fed_shape shape = with_batch(&input->shape, batch);
      FED_TRY(set_known(&values[i], input->dtype, &shape, NULL));
    }
  }
  return FED_OK;
}

int fed__shapes_infer(const struct fed_model *model, int64_t batch, struct fed__shapes *shapes) {
  *shapes = (struct fed__shapes){.context = model->context};
  shapes->values = fed__zalloc(model->context, model->value_count, sizeof *shapes->values);
  int code = shapes->values ? know_given(model, batch, shapes->values) : FED_E_MEMORY;
  for (uint32_t i = 0; code == FED_OK && i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    const struct fed__inference inference = {model, node, shapes};
    if (!node->needed) continue;
    code = node->op->infer(&inference);
    if (code != FED_OK) code = FED_WRAP("node '%s' (%s)", node->name, node->op->type);
  }
  if (code != FED_OK) fed__shapes_clear(shapes);
  return code;
}

void fed__shapes_clear(struct fed__shapes *shapes) {
  while (shapes->contents) {
    struct fed__content *content = shapes->contents;
    shapes->contents = content->next;
    fed__free(shapes->context, content);
  }
  if (shapes->values) fed__free(shapes->context, shapes->values);
  *shapes = (struct fed__shapes){0};
}

const struct fed__known *fed__infer_input(const struct fed__inference *inference, uint32_t slot) {
  const struct fed__node *node = inference->node;
  if (slot >= node->input_count || node->inputs[slot] == FED__NONE) return NULL;
  return &inference->shapes->values[node->inputs[slot]];
}

int fed__infer_real(const struct fed__inference *inference, uint32_t slot) {
  const struct fed__known *input = fed__infer_input(inference, slot);
  if (input && input->dtype != FED_F32)
    return FED_RAISE(FED_E_TYPE, "input %u should be float32, but is %s", slot,
                     fed_dtype_name(input->dtype));
  return FED_OK;
}

int fed__infer_integers(const struct fed__inference *inference, uint32_t slot,
                        const int64_t **values, size_t *count) {
  const struct fed__known *input = fed__infer_input(inference, slot);
  if (!input) return FED_RAISE(FED_E_MISSING, "input %u is missing", slot);
  if (input->dtype != FED_I64 || input->shape.rank > 1)
    return FED_RAISE(FED_E_TYPE, "input %u should be a list of int64", slot);
  if (!input->content && input->elements)
    return FED_RAISE(FED_E_UNSUPPORTED, "input %u must be a constant, not depend on the examples",
                     slot);
  *values = input->content;
  *count = input->elements;
  return FED_OK;
}

int fed__infer_output(const struct fed__inference *inference, uint32_t slot, enum fed_dtype dtype,
                      const struct fed_shape *shape, const void *content) {
  const struct fed__node *node = inference->node;
  if (slot >= node->output_count || node->outputs[slot] == FED__NONE) return FED_OK;
  struct fed__known *known = &inference->shapes->values[node->outputs[slot]];
  FED_TRY(set_known(known, dtype, shape, content));
  if (known->elements == 0 && !content) return FED_RAISE(FED_E_SHAPE, "the output would be empty");
  return FED_OK;
}

void *fed__infer_content(const struct fed__inference *inference, size_t bytes) {
  struct fed__content *content =
      fed__zalloc(inference->shapes->context, sizeof *content + bytes, 1);
  if (!content) return NULL;
  content->next = inference->shapes->contents;
  inference->shapes->contents = content;
  return content->bytes;
}

static int64_t dim_from_end(const struct fed_shape *shape, uint32_t from_end) {
  return from_end < shape->rank ? shape->dims[shape->rank - 1 - from_end] : 1;
}

int fed__shape_broadcast(const struct fed_shape *a, const struct fed_shape *b,
                         struct fed_shape *result) {
  char left[128], right[128];
  struct fed_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};
  for (uint32_t i = 0; i < shape.rank; i++) {
    const int64_t x = dim_from_end(a, i), y = dim_from_end(b, i);
    if (x != y && x != 1 && y != 1)
      return FED_RAISE(FED_E_SHAPE, "shapes %s and %s cannot be broadcast together",
                       fed_shape_format(a, left, sizeof left),
                       fed_shape_format(b, right, sizeof right));
    shape.dims[shape.rank - 1 - i] = x == 1 ? y : x;
  }
  *result = shape;
  return FED_OK;
}

int fed__axis_normalise(int64_t axis, uint32_t rank, uint32_t *normal) {
  const int64_t counted = axis < 0 ? axis + (int64_t)rank : axis;
  if (counted < 0 || counted >= (int64_t)rank)
    return FED_RAISE(FED_E_RANGE, "axis %lld of a value with %u dimensions", (long long)axis, rank);
  *normal = (uint32_t)counted;
  return FED_OK;
}
