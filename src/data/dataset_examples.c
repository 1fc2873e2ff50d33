/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset_examples.c: check arrays against a job's schema, and gather rows of them. Elements stay
 * in the file's type and are converted row by row as they are gathered.
 */
#include "data/dataset_examples.h"
#include "base/memory.h"
#include "base/raise.h"

#include <math.h>

#define CHECK_ELEMENTS 1024    /* converted at once when all elements are looked at */
#define SCALE_MAX 1e18         /* keeps every scaled integer finite in float32 */
#define BYTE_SCALE (1.0 / 255) /* pixels to [0, 1] */

struct dataset_examples {
  struct fed_examples examples;
  const struct fed_context *context;
  struct fed__dataset_arrays arrays;
  float scale[FED_INPUTS_MAX], offset[FED_INPUTS_MAX];
};

void fed__dataset_arrays_clear(struct fed__dataset_arrays *arrays) {
  for (size_t i = 0; i < FED_INPUTS_MAX; i++) fed__array_clear(&arrays->inputs[i]);
  fed__array_clear(&arrays->target);
}

/* The shape of one row, or the declared one if it has as many elements. */
static int agree_shape(const struct fed__array *array, const struct fed_shape *declared,
                       struct fed_shape *shape) {
  size_t expected, found;
  struct fed_shape row = {.rank = array->shape.rank - 1};
  for (uint32_t i = 0; i < row.rank; i++) row.dims[i] = array->shape.dims[i + 1];
  *shape = declared->rank ? *declared : row;
  FED_TRY(fed_shape_elements(shape, &expected));
  FED_TRY(fed_shape_elements(&row, &found));
  if (expected == found && found > 0) return FED_OK;
  char want[96], have[96];
  return FED_RAISE(FED_E_SHAPE, "'%s': expected examples of shape %s, found %s", array->name,
                   fed_shape_format(shape, want, sizeof want),
                   fed_shape_format(&row, have, sizeof have));
}

static int check_array(const struct fed__array *array, size_t rows) {
  if (!array->shape.rank)
    return FED_RAISE(FED_E_SHAPE, "'%s': expected rows of examples, found a single value",
                     array->name);
  if (fed__array_rows(array) == 0)
    return FED_RAISE(FED_E_EMPTY, "'%s': expected at least one example, found none", array->name);
  if (fed__array_rows(array) > UINT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "'%s' has %zu rows, at most %u can be used", array->name,
                     fed__array_rows(array), UINT32_MAX);
  if (rows && fed__array_rows(array) != rows)
    return FED_RAISE(FED_E_SHAPE,
                     "'%s': expected %zu rows like the first input, found %zu rows of examples",
                     array->name, rows, fed__array_rows(array));
  if (!fed__array_is_numeric(array))
    return FED_RAISE(FED_E_UNSUPPORTED, "'%s': expected integers, F32 or F64, found %s",
                     array->name, fed_dtype_name(array->dtype));
  return FED_OK;
}

static int check_finite(const struct fed__array *array, float scale, float offset) {
  if (fed__array_is_integer(array)) return FED_OK;
  const size_t row = fed__array_row_elements(array), total = fed__array_rows(array) * row;
  float values[CHECK_ELEMENTS];
  for (size_t first = 0; first < total; first += CHECK_ELEMENTS) {
    size_t count = total - first < CHECK_ELEMENTS ? total - first : CHECK_ELEMENTS;
    fed__array_floats(array, first, count, scale, offset, values);
    for (size_t i = 0; i < count; i++)
      if (!isfinite(values[i]))
        return FED_RAISE(FED_E_NOT_FINITE,
                         "'%s' row %zu, element %zu: expected a finite float32 number, found %g",
                         array->name, (first + i) / row, (first + i) % row, (double)values[i]);
  }
  return FED_OK;
}

static int check_labels(const struct fed__array *array, uint32_t classes) {
  if (classes == 0)
    return FED_RAISE(FED_E_RANGE, "the job declares no classes for the target '%s'", array->name);
  if (fed__array_row_elements(array) != 1)
    return FED_RAISE(FED_E_SHAPE, "'%s': expected one class label a row, found %zu", array->name,
                     fed__array_row_elements(array));
  if (!fed__array_is_integer(array))
    return FED_RAISE(FED_E_TYPE, "'%s': expected integers as class labels, found %s", array->name,
                     fed_dtype_name(array->dtype));
  for (size_t i = 0; i < fed__array_rows(array); i++) {
    int64_t label;
    fed__array_integers(array, i, 1, &label);
    if (label < 0 || label >= (int64_t)classes)
      return FED_RAISE(FED_E_RANGE, "'%s' row %zu: expected a class from 0 to %u, found %lld",
                       array->name, i, classes - 1, (long long)label);
  }
  return FED_OK;
}

static int use_input(struct dataset_examples *self, const struct fed__input_schema *schema,
                     size_t at) {
  const struct fed__array *array = &self->arrays.inputs[at];
  struct fed_tensor *spec = &self->examples.spec.inputs[at];
  FED_TRY(check_array(array, self->examples.count));
  self->examples.count = fed__array_rows(array);
  spec->dtype = FED_F32;
  FED_TRY(agree_shape(array, &schema->shape, &spec->shape));
  if (!(fabs(schema->scale) <= SCALE_MAX && fabs(schema->offset) <= SCALE_MAX))
    return FED_RAISE(FED_E_RANGE, "the scale and offset of '%s' must lie within ±%g, found %g, %g",
                     array->name, SCALE_MAX, schema->scale, schema->offset);
  const double scale = array->dtype == FED_U8 ? BYTE_SCALE : 1;
  self->scale[at] = (float)(schema->scale != 0 ? schema->scale : scale);
  self->offset[at] = (float)schema->offset;
  FED_TRY(check_finite(array, self->scale[at], self->offset[at]));
  if (schema->name && !(spec->name = fed__copy_text(self->context, schema->name)))
    return FED_E_MEMORY;
  return FED_OK;
}

static int use_target(struct dataset_examples *self, const struct fed__target_schema *schema) {
  const struct fed__array *array = &self->arrays.target;
  struct fed_tensor *spec = &self->examples.spec.target;
  FED_TRY(check_array(array, self->examples.count));
  if (schema->kind == FED__TARGET_CLASS) {
    spec->dtype = FED_I64; /* rank 0: one label an example */
    return check_labels(array, schema->classes);
  }
  spec->dtype = FED_F32;
  if (schema->shape.rank || fed__array_row_elements(array) != 1)
    FED_TRY(agree_shape(array, &schema->shape, &spec->shape));
  return check_finite(array, 1, 0);
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  const struct dataset_examples *self = (const struct dataset_examples *)examples;
  const struct fed__array *target = &self->arrays.target;
  const size_t target_size = fed__array_row_elements(target);
  for (size_t i = 0; i < count; i++) {
    if (rows[i] >= examples->count)
      return FED_RAISE(FED_E_RANGE, "there are %zu examples, there is no row %u", examples->count,
                       rows[i]);
    for (size_t k = 0; k < examples->spec.input_count; k++) {
      const struct fed__array *input = &self->arrays.inputs[k];
      const size_t size = fed__array_row_elements(input);
      fed__array_floats(input, rows[i] * size, size, self->scale[k], self->offset[k],
                        (float *)batch->inputs[k].data + i * size);
    }
    if (examples->spec.target.dtype == FED_I64)
      fed__array_integers(target, rows[i], 1, (int64_t *)batch->target.data + i);
    else
      fed__array_floats(target, rows[i] * target_size, target_size, 1, 0,
                        (float *)batch->target.data + i * target_size);
  }
  return FED_OK;
}

static void free_names(struct dataset_examples *self) {
  for (size_t i = 0; i < FED_INPUTS_MAX; i++)
    fed__free(self->context, self->examples.spec.inputs[i].name);
}

static void free_examples(struct fed_examples *examples) {
  struct dataset_examples *self = (struct dataset_examples *)examples;
  free_names(self);
  fed__dataset_arrays_clear(&self->arrays);
  fed__free(self->context, self);
}

static int use_arrays(struct dataset_examples *self, const struct fed__dataset_schema *schema) {
  self->examples.spec.input_count = schema->input_count;
  for (size_t i = 0; i < schema->input_count; i++) FED_TRY(use_input(self, &schema->inputs[i], i));
  return use_target(self, &schema->target);
}

int fed__dataset_examples_new(const struct fed_context *context,
                              const struct fed__dataset_schema *schema,
                              struct fed__dataset_arrays *arrays, struct fed_examples **examples) {
  struct dataset_examples *self = fed__zalloc(context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  self->examples.gather = gather;
  self->examples.free = free_examples;
  self->context = context;
  self->arrays = *arrays;
  int code = use_arrays(self, schema);
  if (code != FED_OK) {
    free_names(self);
    fed__free(context, self);
    return code;
  }
  *arrays = (struct fed__dataset_arrays){0};
  *examples = &self->examples;
  return FED_OK;
}
