/* SPDX-License-Identifier: Apache-2.0
 *
 * params.c: named sets of tensors in one block of memory. Finding by name is linear: models have
 * tens to hundreds of tensors, and nothing looks names up inside a training step.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "fed/tensor.h"

#include <math.h>

#define STORAGE_ALIGNMENT 64

static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

/* Places every tensor in the block: data becomes its offset. */
static int lay_out(struct fed_params *params, size_t *bytes) {
  size_t offset = 0;
  for (size_t i = 0; i < params->count; i++) {
    struct fed_tensor *tensor = &params->tensors[i];
    const size_t unit = fed_dtype_size(tensor->dtype);
    size_t elements, size;
    FED_TRY(fed_shape_elements(&tensor->shape, &elements));
    offset = round_up(offset, unit);
    tensor->data = (void *)(uintptr_t)offset;
    if (__builtin_mul_overflow(elements, unit, &size) ||
        __builtin_add_overflow(offset, size, &offset) || offset > SIZE_MAX / 2)
      return FED_RAISE(FED_E_TOO_LARGE, "tensor '%s' does not fit in memory", tensor->name);
  }
  *bytes = offset;
  return FED_OK;
}

static int copy_names(struct fed_params *params, const struct fed_tensor *like, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (fed_params_find(params, like[i].name))
      return FED_RAISE(FED_E_DUPLICATE, "tensor '%s' is named twice", like[i].name);
    params->tensors[i] = like[i];
    params->tensors[i].name = fed__copy_text(params->context, like[i].name);
    if (!params->tensors[i].name) return FED_E_MEMORY;
    params->count++;
  }
  return FED_OK;
}

static int place(struct fed_params *params) {
  FED_TRY(lay_out(params, &params->storage_bytes));
  params->allocation = fed__zalloc(params->context, params->storage_bytes + STORAGE_ALIGNMENT, 1);
  if (!params->allocation) return FED_E_MEMORY;
  params->storage = (void *)round_up((uintptr_t)params->allocation, STORAGE_ALIGNMENT);
  for (size_t i = 0; i < params->count; i++)
    params->tensors[i].data = (char *)params->storage + (uintptr_t)params->tensors[i].data;
  return FED_OK;
}

int fed_params_init(struct fed_params *params, const struct fed_context *context,
                    const struct fed_tensor *like, size_t count) {
  *params = (struct fed_params){.context = context};
  params->tensors = fed__zalloc(context, count, sizeof *params->tensors);
  if (!params->tensors) {
    *params = (struct fed_params){0};
    return FED_E_MEMORY;
  }
  int code = copy_names(params, like, count);
  if (code == FED_OK) code = place(params);
  if (code != FED_OK) fed_params_clear(params);
  return code;
}

int fed_params_copy(struct fed_params *params, const struct fed_context *context,
                    const struct fed_params *from) {
  FED_TRY(fed_params_init(params, context, from->tensors, from->count));
  if (from->storage_bytes) memcpy(params->storage, from->storage, from->storage_bytes);
  return FED_OK;
}

void fed_params_clear(struct fed_params *params) {
  if (!params->context) return;
  for (size_t i = 0; i < params->count; i++) fed__free(params->context, params->tensors[i].name);
  fed__free(params->context, params->tensors);
  fed__free(params->context, params->allocation);
  *params = (struct fed_params){0};
}

struct fed_tensor *fed_params_find(const struct fed_params *params, const char *name) {
  for (size_t i = 0; i < params->count; i++)
    if (strcmp(params->tensors[i].name, name) == 0) return &params->tensors[i];
  return NULL;
}

static int match_tensor(const struct fed_tensor *expected, const struct fed_tensor *found) {
  char want[128], got[128];
  if (strcmp(expected->name, found->name) != 0)
    return FED_RAISE(FED_E_MISSING, "expected tensor '%s', found '%s'", expected->name,
                     found->name);
  if (expected->dtype != found->dtype)
    return FED_RAISE(FED_E_TYPE, "tensor '%s': expected %s, found %s", expected->name,
                     fed_dtype_name(expected->dtype), fed_dtype_name(found->dtype));
  if (!fed_shape_equal(&expected->shape, &found->shape))
    return FED_RAISE(FED_E_SHAPE, "tensor '%s': expected shape %s, found %s", expected->name,
                     fed_shape_format(&expected->shape, want, sizeof want),
                     fed_shape_format(&found->shape, got, sizeof got));
  return FED_OK;
}

int fed_params_match(const struct fed_params *expected, const struct fed_params *found) {
  if (expected->count != found->count)
    return FED_RAISE(FED_E_MISSING, "expected %zu tensors, found %zu", expected->count,
                     found->count);
  for (size_t i = 0; i < expected->count; i++)
    FED_TRY(match_tensor(&expected->tensors[i], &found->tensors[i]));
  return FED_OK;
}

float *fed_params_floats(const struct fed_params *params) { return params->storage; }

size_t fed_params_elements(const struct fed_params *params) {
  size_t sum = 0;
  for (size_t i = 0; i < params->count; i++) sum += fed_tensor_elements(&params->tensors[i]);
  return sum;
}

static int check_tensor_finite(const struct fed_tensor *tensor) {
  const size_t elements = fed_tensor_elements(tensor);
  for (size_t i = 0; i < elements; i++) {
    const double value = tensor->dtype == FED_F32   ? (double)((const float *)tensor->data)[i]
                         : tensor->dtype == FED_F64 ? ((const double *)tensor->data)[i]
                                                    : 0;
    if (!isfinite(value))
      return FED_RAISE(FED_E_NOT_FINITE,
                       "tensor '%s', element %zu: expected a finite number, "
                       "found %f",
                       tensor->name, i, value);
  }
  return FED_OK;
}

int fed_params_check_finite(const struct fed_params *params) {
  for (size_t i = 0; i < params->count; i++) FED_TRY(check_tensor_finite(&params->tensors[i]));
  return FED_OK;
}
