/* SPDX-License-Identifier: Apache-2.0
 *
 * inference.c: types and shapes of every value for one batch size, node by node; what can be
 * computed without any example (shapes made from shapes, constants) is computed here, once.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

#define ELEMENTS_MAX ((size_t)1 << 34) /* of one value: 64 GiB of floats */

/* What is computed beforehand, all together: masks and tables of long texts take some of it. */
#define CONTENT_BYTES_MAX ((size_t)1 << 30)
#define CONTENT_FILE_FACTOR 16 /* constants of narrow types are held in wide ones */

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

/* Is there room for so many more bytes of what is computed beforehand? */
static int check_room(const struct fed__shapes *shapes, size_t bytes) {
  if (bytes <= shapes->content_bytes_max - shapes->content_bytes) return FED_OK;
  return FED_RAISE(FED_E_TOO_LARGE,
                   "what the graph computes from constants alone would take more than %zu MiB: "
                   "make them smaller, or an input of the model",
                   shapes->content_bytes_max >> 20);
}

static void *new_content(struct fed__shapes *shapes, size_t bytes) {
  if (check_room(shapes, bytes) != FED_OK) return NULL;
  struct fed__content *content = fed__zalloc(shapes->context, sizeof *content + bytes, 1);
  if (!content) return NULL;
  content->next = shapes->contents;
  shapes->contents = content;
  shapes->content_bytes += bytes;
  return content->bytes;
}

#define WIDEN(type, wide)                                                                          \
  for (size_t i = 0; i < count; i++) ((wide *)to)[i] = (wide)((const type *)from)[i];              \
  break

static void widen_integers(enum fed_dtype dtype, const void *from, size_t count, void *to) {
  switch (dtype) {
  case FED_I8:
    WIDEN(int8_t, int64_t);
  case FED_U8:
    WIDEN(uint8_t, int64_t);
  case FED_I16:
    WIDEN(int16_t, int64_t);
  case FED_U16:
    WIDEN(uint16_t, int64_t);
  case FED_I32:
    WIDEN(int32_t, int64_t);
  case FED_U32:
    WIDEN(uint32_t, int64_t);
  case FED_U64:
    WIDEN(uint64_t, int64_t);
  default:
    break;
  }
}

/* A constant of any type as one of the three that operators work with. */
static int know_tensor(struct fed__shapes *shapes, struct fed__known *known,
                       const struct fed_tensor *tensor) {
  const enum fed_dtype dtype = fed__dtype_for_work(tensor->dtype);
  FED_TRY(set_known(known, dtype, &tensor->shape, tensor->data));
  if (known->elements == 0) known->content = ""; /* known, though the file has no bytes for it */
  if (dtype == tensor->dtype || known->elements == 0) return FED_OK;
  void *content = new_content(shapes, known->elements * fed_dtype_size(dtype));
  if (!content) return fed_error_last()->code;
  if (dtype == FED_F32)
    fed__floats_widen(tensor, known->elements, content);
  else
    widen_integers(tensor->dtype, tensor->data, known->elements, content);
  known->content = content;
  return FED_OK;
}

enum fed_dtype fed__dtype_for_work(enum fed_dtype dtype) {
  if (fed__dtype_is_real(dtype)) return FED_F32;
  return dtype == FED_BOOL ? FED_BOOL : FED_I64;
}

static struct fed_shape with_batch(const struct fed_shape *example, int64_t batch) {
  struct fed_shape shape = {.rank = example->rank + 1, .dims = {batch}};
  for (uint32_t i = 0; i < example->rank; i++) shape.dims[i + 1] = example->dims[i];
  return shape;
}

static int know_given(const struct fed_model *model, int64_t batch, struct fed__shapes *shapes) {
  struct fed__known *values = shapes->values;
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (value->initializer) {
      FED_TRY(know_tensor(shapes, &values[i], value->initializer));
      if (value->parameter != FED__NONE || value->local != FED__NONE) values[i].content = NULL;
    } else if (value->input != FED__NONE) {
      const struct fed_tensor *input = &model->spec.inputs[value->input];
      const struct fed_shape shape = with_batch(&input->shape, batch);
      FED_TRY(set_known(&values[i], input->dtype, &shape, NULL));
    }
  }
  return FED_OK;
}

static int can_fold(const struct fed__shapes *shapes, const struct fed__node *node) {
  if (node->op->varies || !node->op->forward[FED_PRECISION_F32]) return 0;
  for (uint32_t i = 0; i < node->input_count; i++)
    if (node->inputs[i] != FED__NONE && !shapes->values[node->inputs[i]].content) return 0;
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != FED__NONE && shapes->values[node->outputs[i]].content) return 0;
  return 1;
}

static struct fed__operand operand_of(const struct fed__shapes *shapes, int32_t value) {
  if (value == FED__NONE) return (struct fed__operand){0};
  const struct fed__known *known = &shapes->values[value];
  return (struct fed__operand){.shape = known->shape,
                               .elements = known->elements,
                               .dtype = known->dtype,
                               .data = (void *)(uintptr_t)known->content};
}

static int make_contents(struct fed__shapes *shapes, const struct fed__node *node) {
  for (uint32_t i = 0; i < node->output_count; i++) {
    if (node->outputs[i] == FED__NONE) continue;
    struct fed__known *known = &shapes->values[node->outputs[i]];
    known->content = new_content(shapes, known->elements * fed_dtype_size(known->dtype));
    if (!known->content) return fed_error_last()->code;
  }
  return FED_OK;
}

static int fold_operation(struct fed__operation *operation, const struct fed__shapes *shapes) {
  const struct fed_context *context = operation->context;
  operation->state = fed__zalloc(context, operation->op->state_size + 1, 1);
  if (!operation->state) return FED_E_MEMORY;
  int code = operation->op->prepare ? operation->op->prepare(operation) : FED_OK;
  if (code == FED_OK) code = check_room(shapes, operation->saved_bytes);
  if (code == FED_OK) code = check_room(shapes, operation->scratch_bytes);
  if (code == FED_OK) {
    operation->saved = fed__alloc(context, operation->saved_bytes + 1);
    operation->scratch = fed__alloc(context, operation->scratch_bytes + 1);
    code = operation->saved && operation->scratch ? FED_OK : FED_E_MEMORY;
  }
  if (code == FED_OK) operation->op->forward[FED_PRECISION_F32](operation);
  if (operation->op->release) operation->op->release(operation);
  fed__free(context, operation->state);
  fed__free(context, operation->saved);
  fed__free(context, operation->scratch);
  return code;
}

/* Compute the node's outputs now; its inputs do not depend on any example. */
static int fold(const struct fed_model *model, const struct fed__node *node,
                struct fed__shapes *shapes) {
  const struct fed__step step = {.training = 1};
  struct fed__operation operation = {
      .context = model->context,
      .model = model,
      .op = node->op,
      .node = node,
      .kernels = &fed__kernels_reference_f32,
      .step = &step,
      .input_count = node->input_count,
      .output_count = node->output_count,
  };
  FED_TRY(make_contents(shapes, node));
  struct fed__operand *operands =
      fed__zalloc(model->context, (size_t)node->input_count + node->output_count, sizeof *operands);
  if (!operands) return FED_E_MEMORY;
  operation.inputs = operands;
  operation.outputs = operands + node->input_count;
  for (uint32_t i = 0; i < node->input_count; i++)
    operation.inputs[i] = operand_of(shapes, node->inputs[i]);
  for (uint32_t i = 0; i < node->output_count; i++)
    operation.outputs[i] = operand_of(shapes, node->outputs[i]);
  int code = fold_operation(&operation, shapes);
  fed__free(model->context, operands);
  return code;
}

static int refuse_empty(const struct fed__shapes *shapes, const struct fed__node *node) {
  for (uint32_t i = 0; i < node->output_count; i++) {
    if (node->outputs[i] == FED__NONE) continue;
    const struct fed__known *known = &shapes->values[node->outputs[i]];
    if (known->elements == 0 && !known->content)
      return FED_RAISE(FED_E_SHAPE, "output %u would be empty", i);
  }
  return FED_OK;
}

static int infer_node(const struct fed_model *model, const struct fed__node *node,
                      struct fed__shapes *shapes) {
  const struct fed__inference inference = {model, node, shapes};
  FED_TRY(node->op->infer(&inference));
  if (can_fold(shapes, node)) FED_TRY(fold(model, node, shapes));
  return refuse_empty(shapes, node);
}

int fed__shapes_infer(const struct fed_model *model, int64_t batch, struct fed__shapes *shapes) {
  *shapes = (struct fed__shapes){.context = model->context};
  shapes->content_bytes_max = CONTENT_BYTES_MAX + CONTENT_FILE_FACTOR * model->file_bytes;
  shapes->values = fed__zalloc(model->context, model->value_count, sizeof *shapes->values);
  int code = shapes->values ? know_given(model, batch, shapes) : FED_E_MEMORY;
  for (uint32_t i = 0; code == FED_OK && i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    code = infer_node(model, node, shapes);
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

int fed__infer_reals(const struct fed__inference *inference, uint32_t slot, const float **values,
                     size_t *count) {
  const struct fed__known *input = fed__infer_input(inference, slot);
  if (!input) return FED_RAISE(FED_E_MISSING, "input %u is missing", slot);
  FED_TRY(fed__infer_real(inference, slot));
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
  return set_known(known, dtype, shape, content);
}

int fed__infer_constant(const struct fed__inference *inference, uint32_t slot,
                        const struct fed_tensor *tensor) {
  const int32_t value = inference->node->outputs[slot];
  return know_tensor(inference->shapes, &inference->shapes->values[value], tensor);
}

void *fed__infer_content(const struct fed__inference *inference, size_t bytes) {
  return new_content(inference->shapes, bytes);
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
