/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset_examples.c: check arrays against a job's schema, and gather rows of them. Elements stay
 * in the file's type and are converted row by row as they are gathered.
 */
#include "data/dataset_examples.h"
#include "base/memory.h"
#include "base/raise.h"
#include "data/shared_examples.h"

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

int fed__dataset_agree_shape(const char *name, const struct fed_shape *found,
                             const struct fed_shape *declared, struct fed_shape *shape) {
  size_t want, have;
  char want_text[96], have_text[96];
  *shape = declared->rank ? *declared : *found;
  FED_TRY(fed_shape_elements(shape, &want));
  FED_TRY(fed_shape_elements(found, &have));
  if (want == have && have > 0) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "'%s': expected examples of shape %s, found %s", name,
                   fed_shape_format(shape, want_text, sizeof want_text),
                   fed_shape_format(found, have_text, sizeof have_text));
}

int fed__dataset_check_scale(const char *name, const struct fed__input_schema *schema) {
  if (fabs(schema->scale) <= SCALE_MAX && fabs(schema->offset) <= SCALE_MAX) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "'%s': expected a scale and an offset up to %g, found %g and %g",
                   name, SCALE_MAX, schema->scale, schema->offset);
}

int fed__dataset_check_rows(const struct fed_examples *examples, const uint32_t *rows,
                            size_t count) {
  for (size_t i = 0; i < count; i++)
    if (rows[i] >= examples->count)
      return FED_RAISE(FED_E_RANGE, "there are %zu examples, there is no row %u", examples->count,
                       rows[i]);
  return FED_OK;
}

int fed__dataset_check_count(const char *name, uint64_t count) {
  if (count == 0)
    return FED_RAISE(FED_E_EMPTY, "'%s': expected at least one example, found none", name);
  if (count > UINT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "'%s' has %llu rows, at most %u can be used", name,
                     (unsigned long long)count, UINT32_MAX);
  return FED_OK;
}

/* The shape of one row, or the declared one if it has as many elements. */
static int agree_shape(const struct fed__array *array, const struct fed_shape *declared,
                       struct fed_shape *shape) {
  struct fed_shape row = {.rank = array->shape.rank - 1};
  for (uint32_t i = 0; i < row.rank; i++) row.dims[i] = array->shape.dims[i + 1];
  return fed__dataset_agree_shape(array->name, &row, declared, shape);
}

static int check_array(const struct fed__array *array, size_t rows) {
  if (!array->shape.rank)
    return FED_RAISE(FED_E_SHAPE, "'%s': expected rows of examples, found a single value",
                     array->name);
  FED_TRY(fed__dataset_check_count(array->name, fed__array_rows(array)));
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
    const size_t count = total - first < CHECK_ELEMENTS ? total - first : CHECK_ELEMENTS;
    FED_TRY(fed__array_floats(array, first, count, scale, offset, values));
    for (size_t i = 0; i < count; i++)
      if (!isfinite(values[i]))
        return FED_RAISE(FED_E_NOT_FINITE,
                         "'%s' row %zu, element %zu: expected a finite float32 number, found %g",
                         array->name, (first + i) / row, (first + i) % row, (double)values[i]);
  }
  return FED_OK;
}

/* Integers from 0 to below the limit, or `besides`; `what` they are. */
static int check_indices(const struct fed__array *array, uint32_t limit, int64_t besides,
                         const char *what) {
  const size_t row = fed__array_row_elements(array), total = fed__array_rows(array) * row;
  int64_t values[CHECK_ELEMENTS];
  for (size_t first = 0; first < total; first += CHECK_ELEMENTS) {
    const size_t count = total - first < CHECK_ELEMENTS ? total - first : CHECK_ELEMENTS;
    FED_TRY(fed__array_integers(array, first, count, values));
    for (size_t i = 0; i < count; i++)
      if ((values[i] < 0 || values[i] >= (int64_t)limit) && values[i] != besides)
        return FED_RAISE(FED_E_RANGE, "'%s' row %zu: expected a %s from 0 to %u, found %lld",
                         array->name, (first + i) / row, what, limit - 1, (long long)values[i]);
  }
  return FED_OK;
}

/* One label an example; or with a declared shape one for each place, where some may not count. */
static int check_labels(const struct fed__array *array, const struct fed__target_schema *schema) {
  if (schema->classes == 0)
    return FED_RAISE(FED_E_RANGE, "the job declares no classes for the target '%s'", array->name);
  if (fed__array_row_elements(array) != 1 && !schema->shape.rank)
    return FED_RAISE(FED_E_SHAPE,
                     "'%s': expected one class label a row, found %zu; if each place of the output "
                     "has its own, say so by data.target.shape",
                     array->name, fed__array_row_elements(array));
  if (!fed__array_is_integer(array))
    return FED_RAISE(FED_E_TYPE, "'%s': expected integers as class labels, found %s", array->name,
                     fed_dtype_name(array->dtype));
  return check_indices(array, schema->classes, schema->shape.rank ? FED__IGNORED_LABEL : 0,
                       "class");
}

static int use_values(struct dataset_examples *self, const struct fed__input_schema *schema,
                      size_t at) {
  const struct fed__array *array = &self->arrays.inputs[at];
  struct fed_tensor *spec = &self->examples.spec.inputs[at];
  if (schema->kind == FED__INPUT_TEXT)
    return FED_RAISE(FED_E_INPUT, "'%s' is an array: there is no text in it", array->name);
  if (schema->kind == FED__INPUT_INDICES) {
    spec->dtype = FED_I64;
    if (!fed__array_is_integer(array))
      return FED_RAISE(FED_E_TYPE, "'%s': expected integers as indices, found %s", array->name,
                       fed_dtype_name(array->dtype));
    return check_indices(array, schema->limit, 0, "index");
  }
  spec->dtype = FED_F32;
  FED_TRY(fed__dataset_check_scale(array->name, schema));
  const double scale = array->dtype == FED_U8 ? BYTE_SCALE : 1;
  self->scale[at] = (float)(schema->scale != 0 ? schema->scale : scale);
  self->offset[at] = (float)schema->offset;
  return check_finite(array, self->scale[at], self->offset[at]);
}

static int use_input(struct dataset_examples *self, const struct fed__input_schema *schema,
                     size_t at) {
  const struct fed__array *array = &self->arrays.inputs[at];
  struct fed_tensor *spec = &self->examples.spec.inputs[at];
  FED_TRY(check_array(array, self->examples.count));
  self->examples.count = fed__array_rows(array);
  FED_TRY(agree_shape(array, &schema->shape, &spec->shape));
  FED_TRY(use_values(self, schema, at));
  if (schema->name && !(spec->name = fed__copy_text(self->context, schema->name)))
    return FED_E_MEMORY;
  return FED_OK;
}

static int use_target(struct dataset_examples *self, const struct fed__target_schema *schema) {
  const struct fed__array *array = &self->arrays.target;
  struct fed_tensor *spec = &self->examples.spec.target;
  FED_TRY(check_array(array, self->examples.count));
  if (schema->kind == FED__TARGET_NEXT)
    return FED_RAISE(FED_E_INPUT, "'%s' is an array: the next token is a target of jsonl only",
                     array->name);
  if (schema->kind == FED__TARGET_CLASS) {
    spec->dtype = FED_I64; /* rank 0: one label an example */
    if (schema->shape.rank) FED_TRY(agree_shape(array, &schema->shape, &spec->shape));
    return check_labels(array, schema);
  }
  spec->dtype = FED_F32;
  if (schema->shape.rank || fed__array_row_elements(array) != 1)
    FED_TRY(agree_shape(array, &schema->shape, &spec->shape));
  return check_finite(array, 1, 0);
}

/* One row of an array into the tensor's row `at`. */
static int copy_row(const struct fed__array *array, uint32_t row, float scale, float offset,
                    enum fed_dtype dtype, void *data, size_t at) {
  const size_t size = fed__array_row_elements(array);
  if (dtype == FED_I64)
    return fed__array_integers(array, row * size, size, (int64_t *)data + at * size);
  return fed__array_floats(array, row * size, size, scale, offset, (float *)data + at * size);
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct dataset_examples *self = (struct dataset_examples *)examples;
  const struct fed_example_spec *spec = &examples->spec;
  FED_TRY(fed__dataset_check_rows(examples, rows, count));
  for (size_t k = 0; k < spec->input_count; k++)
    for (size_t i = 0; i < count && batch->inputs[k].data; i++) {
      if (i + 1 < count) fed__array_fetch(&self->arrays.inputs[k], rows[i + 1]);
      FED_TRY(copy_row(&self->arrays.inputs[k], rows[i], self->scale[k], self->offset[k],
                       spec->inputs[k].dtype, batch->inputs[k].data, i));
    }
  for (size_t i = 0; i < count; i++)
    FED_TRY(
        copy_row(&self->arrays.target, rows[i], 1, 0, spec->target.dtype, batch->target.data, i));
  return FED_OK;
}

static int share(struct fed_examples *examples, struct fed_examples **other) {
  return fed__shared_examples_new(((struct dataset_examples *)examples)->context, examples, other);
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
  self->examples.share = share;
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
