/* SPDX-License-Identifier: Apache-2.0
 *
 * array_examples.c: examples in arrays of the program that embeds the library. A batch costs one
 * copy of its rows; nothing else is copied, and the arrays may lie at any address.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/shared_examples.h"
#include "fed/examples.h"

#include <stdio.h>

struct rows {
  const uint8_t *data;
  size_t bytes; /* of one row */
};

struct array_examples {
  struct fed_examples examples;
  const struct fed_context *context;
  struct rows inputs[FED_INPUTS_MAX];
  struct rows target;
};

/* An input that the batch has no memory for is left out, as fed__dataset_open's examples do. */
static void copy_row(const struct rows *from, uint32_t row, const struct fed_tensor *to,
                     size_t at) {
  if (from->bytes && to->data)
    memcpy((uint8_t *)to->data + at * from->bytes, from->data + row * from->bytes, from->bytes);
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  const struct array_examples *self = (const struct array_examples *)examples;
  for (size_t i = 0; i < count; i++) {
    if (rows[i] >= examples->count)
      return FED_RAISE(FED_E_RANGE, "there are %zu examples, there is no row %u", examples->count,
                       rows[i]);
    for (size_t k = 0; k < examples->spec.input_count; k++)
      copy_row(&self->inputs[k], rows[i], &batch->inputs[k], i);
    copy_row(&self->target, rows[i], &batch->target, i);
  }
  return FED_OK;
}

static int share(struct fed_examples *examples, struct fed_examples **other) {
  return fed__shared_examples_new(((struct array_examples *)examples)->context, examples, other);
}

static void free_examples(struct fed_examples *examples) {
  struct array_examples *self = (struct array_examples *)examples;
  fed__free(self->context, self);
}

static int check_array(const struct fed_tensor *array, size_t count, const char *what) {
  size_t elements;
  char shape[128];
  if (array->dtype != FED_F32 && array->dtype != FED_I64)
    return FED_RAISE(FED_E_TYPE, "%s: expected an array of F32 or I64, found %s", what,
                     fed_dtype_name(array->dtype));
  if (array->shape.rank == 0 || array->shape.rank > FED_RANK_MAX ||
      array->shape.dims[0] != (int64_t)count)
    return FED_RAISE(FED_E_SHAPE,
                     "%s: expected an array of %zu rows like the first input, found shape %s", what,
                     count, fed_shape_format(&array->shape, shape, sizeof shape));
  FED_TRY(fed_shape_elements(&array->shape, &elements));
  if (elements == 0)
    return FED_RAISE(FED_E_EMPTY, "%s: there is nothing in an array of shape %s", what,
                     fed_shape_format(&array->shape, shape, sizeof shape));
  if (elements > SIZE_MAX / fed_dtype_size(array->dtype))
    return FED_RAISE(FED_E_TOO_LARGE, "%s: %zu elements", what, elements);
  return array->data ? FED_OK : FED_RAISE(FED_E_USAGE, "%s: expected an array, found NULL", what);
}

/* One array becomes rows and, in the spec, what one of them looks like. */
static int use_array(const struct fed_tensor *array, size_t count, const char *what,
                     struct rows *rows, struct fed_tensor *spec) {
  FED_TRY(check_array(array, count, what));
  *spec = (struct fed_tensor){.dtype = array->dtype, .shape = {.rank = array->shape.rank - 1}};
  for (uint32_t i = 0; i < spec->shape.rank; i++) spec->shape.dims[i] = array->shape.dims[i + 1];
  *rows = (struct rows){.data = array->data, .bytes = fed_tensor_bytes(array) / count};
  return FED_OK;
}

static int check_count(int64_t count) {
  if (count == 0) return FED_RAISE(FED_E_EMPTY, "there are no examples");
  if (count < 0 || count > UINT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "expected up to %u examples, found %lld", UINT32_MAX,
                     (long long)count);
  return FED_OK;
}

static int use_arrays(struct array_examples *self, const struct fed_tensor *inputs,
                      const struct fed_tensor *target) {
  struct fed_example_spec *spec = &self->examples.spec;
  const int64_t count = inputs[0].shape.rank ? inputs[0].shape.dims[0] : 1;
  FED_TRY(check_count(count));
  self->examples.count = (size_t)count;
  for (size_t i = 0; i < spec->input_count; i++) {
    char what[32];
    snprintf(what, sizeof what, "input %zu", i);
    FED_TRY(use_array(&inputs[i], (size_t)count, what, &self->inputs[i], &spec->inputs[i]));
  }
  if (target) return use_array(target, (size_t)count, "target", &self->target, &spec->target);
  spec->target = (struct fed_tensor){.dtype = FED_F32};
  return FED_OK;
}

int fed_examples_of_arrays(const struct fed_context *context, const struct fed_tensor *inputs,
                           size_t input_count, const struct fed_tensor *target,
                           struct fed_examples **examples) {
  *examples = NULL;
  if (input_count == 0 || input_count > FED_INPUTS_MAX)
    return FED_RAISE(FED_E_USAGE, "expected 1 to %d inputs, found %zu", FED_INPUTS_MAX,
                     input_count);
  struct array_examples *self = fed__zalloc(context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  self->context = context;
  self->examples = (struct fed_examples){.gather = gather,
                                         .free = free_examples,
                                         .share = share,
                                         .spec = {.input_count = input_count}};
  const int code = use_arrays(self, inputs, target);
  if (code != FED_OK) {
    fed__free(context, self);
    return code;
  }
  *examples = &self->examples;
  return FED_OK;
}
