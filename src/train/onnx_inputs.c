/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_inputs.c: what the graph says of its inputs, turned into what an example must look like:
 * the first dimension is the batch, other symbolic ones take their extents from the options.
 */
#include "base/raise.h"
#include "train/flat_graph.h"

#define DIMENSION(kind) ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_##kind
#define EXTENT_MAX ((int64_t)1 << 40)

static const char *name_of(const Onnx__TensorShapeProto__Dimension *dim) {
  return dim->value_case == DIMENSION(PARAM) ? fed__text_of(dim->dim_param) : "";
}

/* Another dimension that is the batch, by its name, or since the first one is fixed. */
static int check_batch_is_first(struct fed_model *model, const char *input,
                                const Onnx__TensorShapeProto *shape) {
  const char *first = name_of(shape->dim[0]);
  const int fixed = shape->dim[0]->value_case == DIMENSION(VALUE) && shape->dim[0]->dim_value > 1;
  if (*first && !model->batch_name) model->batch_name = first;
  for (size_t i = 1; i < shape->n_dim; i++) {
    const char *name = name_of(shape->dim[i]);
    const int same = *name && model->batch_name && strcmp(name, model->batch_name) == 0;
    if (same || strcmp(name, "batch") == 0 || strcmp(name, "batch_size") == 0)
      return FED_RAISE(
          FED_E_UNSUPPORTED,
          "input '%s': dimension %zu ('%s') seems to be the batch%s, which must be the "
          "first: export the model with batch_first, or with a Transpose in front",
          input, i, name, fixed ? " (the first is a fixed number)" : "");
  }
  return FED_OK;
}

static int note_symbol(struct fed_model *model, const char *name, int64_t extent) {
  for (size_t i = 0; i < model->symbol_count; i++)
    if (strcmp(model->symbols[i].name, name) == 0) return FED_OK;
  FED_REQUIRE(model->symbol_count < sizeof model->symbols / sizeof model->symbols[0]);
  model->symbols[model->symbol_count++] = (struct fed__symbol){name, extent};
  return FED_OK;
}

static int find_extent(struct fed_model *model, const struct fed_model_options *options,
                       const char *input, size_t at, const char *name, int64_t *extent) {
  for (size_t i = 0; options && i < options->dimension_count; i++) {
    if (strcmp(options->dimensions[i].name, name) != 0) continue;
    *extent = options->dimensions[i].extent;
    if (*extent < 1 || *extent > EXTENT_MAX)
      return FED_RAISE(FED_E_RANGE, "dimension '%s' should have an extent of at least 1, not %lld",
                       name, (long long)*extent);
    return note_symbol(model, name, *extent);
  }
  return FED_RAISE(FED_E_MISSING,
                   "input '%s': dimension %zu ('%s') has no extent; say it: `fed model show "
                   "--dimension %s=80`, in a job model.dimensions",
                   input, at, name, name);
}

static int read_extent(struct fed_model *model, const struct fed_model_options *options,
                       const char *input, size_t at, const Onnx__TensorShapeProto__Dimension *dim,
                       int64_t *extent) {
  const char *name = name_of(dim);
  if (*name) return find_extent(model, options, input, at, name, extent);
  *extent = dim->value_case == DIMENSION(VALUE) ? dim->dim_value : 0;
  if (*extent < 1)
    return FED_RAISE(FED_E_SHAPE,
                     "input '%s': dimension %zu must be a fixed positive number or have a name; "
                     "only the first (the batch) may be left open: export the model with names "
                     "for its dynamic axes",
                     input, at);
  return FED_OK;
}

/* The shape of one example: everything behind the batch dimension. */
static int read_example_shape(struct fed_model *model, const struct fed_model_options *options,
                              const char *name, const Onnx__TensorShapeProto *shape,
                              struct fed_shape *out) {
  if (!shape || shape->n_dim == 0)
    return FED_RAISE(FED_E_SHAPE, "input '%s' needs a shape with the batch as first dimension",
                     name);
  if (shape->n_dim > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "input '%s' has %zu dimensions, at most %d are supported", name,
                     shape->n_dim, FED_RANK_MAX);
  FED_TRY(check_batch_is_first(model, name, shape));
  out->rank = (uint32_t)shape->n_dim - 1;
  for (size_t i = 1; i < shape->n_dim; i++)
    FED_TRY(read_extent(model, options, name, i, shape->dim[i], &out->dims[i - 1]));
  return FED_OK;
}

int fed__onnx_input(struct fed_model *model, const struct fed_model_options *options,
                    const Onnx__ValueInfoProto *message, struct fed_tensor *input, int *truth) {
  const char *name = fed__text_of(message->name);
  enum fed_dtype dtype;
  if (!message->type || message->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return FED_RAISE(FED_E_TYPE, "input '%s' is not a tensor", name);
  const Onnx__TypeProto__Tensor *type = message->type->tensor_type;
  if (fed__onnx_dtype(type->elem_type, &dtype) != FED_OK) return FED_WRAP("input '%s'", name);
  *truth = dtype == FED_BOOL;
  *input =
      (struct fed_tensor){.name = name, .dtype = fed__dtype_is_real(dtype) ? FED_F32 : FED_I64};
  return read_example_shape(model, options, name, type->shape, &input->shape);
}
