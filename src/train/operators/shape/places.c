/* SPDX-License-Identifier: Apache-2.0
 *
 * places.c: blocks of elements at places that integers tell.
 */
#ifndef REAL
#include "train/operators/shape/places.h"
#include "base/raise.h"

#include <math.h>

int fed__infer_indices(const struct fed__inference *inference, uint32_t slot, int64_t extent) {
  const struct fed__known *indices = fed__infer_input(inference, slot);
  if (indices->dtype != FED_I64)
    return FED_RAISE(FED_E_TYPE, "input %u should be indices of type int64, but is %s", slot,
                     fed_dtype_name(indices->dtype));
  const int64_t *values = indices->content;
  for (size_t i = 0; i < indices->elements && values; i++)
    if (fed__place_of(values[i], extent, 1) == FED__NONE)
      return FED_RAISE(FED_E_RANGE, "index %lld of an extent of %lld", (long long)values[i],
                       (long long)extent);
  return FED_OK;
}

int fed__infer_elements(const struct fed__inference *inference, uint32_t *axis) {
  const struct fed_shape *data = &fed__infer_input(inference, 0)->shape;
  const struct fed_shape *indices = &fed__infer_input(inference, 1)->shape;
  char expected[128], found[128];
  int64_t value;
  FED_TRY(fed__attribute_int(inference->node, "axis", 0, &value));
  FED_TRY(fed__axis_normalise(value, data->rank, axis));
  int fits = indices->rank == data->rank;
  for (uint32_t i = 0; i < data->rank && fits; i++)
    fits = i == *axis || indices->dims[i] <= data->dims[i];
  if (!fits)
    return FED_RAISE(FED_E_SHAPE, "indices of shape %s do not fit data of shape %s on axis %u",
                     fed_shape_format(indices, found, sizeof found),
                     fed_shape_format(data, expected, sizeof expected), *axis);
  return fed__infer_indices(inference, 1, data->dims[*axis]);
}

void fed__places_elements(const struct fed_shape *data, uint32_t axis,
                          const struct fed__operand *indices, int64_t *places) {
  const int64_t extent = data->dims[axis], along = fed__shape_stride(data, axis);
  const int64_t *index = indices->data;
  struct fed__move move = {0};
  for (uint32_t i = 0; i < data->rank; i++)
    fed__move_dimension(&move, indices->shape.dims[i], i == axis ? 0 : fed__shape_stride(data, i),
                        fed__shape_stride(&indices->shape, i));
  const int64_t inner = move.rank ? move.dims[move.rank - 1] : 1;
  const int64_t stride = move.rank ? move.from_stride[move.rank - 1] : 0;
  struct fed__walk walk = fed__walk_start(&move, 1);
  for (int64_t row = 0; row < walk.rows; row++, fed__walk_next(&walk, &move))
    for (int64_t i = 0; i < inner; i++) {
      const int64_t place = fed__place_of(*index++, extent, along);
      *places++ = place == FED__NONE ? FED__NONE : place + walk.from + i * stride;
    }
}

int fed__infer_rows(const struct fed__inference *inference, uint32_t batch_dims) {
  const struct fed_shape *data = &fed__infer_input(inference, 0)->shape;
  const struct fed__known *indices = fed__infer_input(inference, 1);
  if (indices->dtype != FED_I64 || indices->shape.rank == 0)
    return FED_RAISE(FED_E_TYPE, "input 1 should be rows of indices of type int64");
  const int64_t depth = indices->shape.dims[indices->shape.rank - 1];
  const int64_t *values = indices->content;
  if (depth < 1 || depth > (int64_t)data->rank - batch_dims)
    return FED_RAISE(FED_E_SHAPE, "rows of %lld indices for data with %u dimensions",
                     (long long)depth, data->rank - batch_dims);
  for (size_t i = 0; i < indices->elements && values; i++) {
    const int64_t extent = data->dims[batch_dims + i % (size_t)depth];
    if (fed__place_of(values[i], extent, 1) == FED__NONE)
      return FED_RAISE(FED_E_RANGE, "index %lld of an extent of %lld", (long long)values[i],
                       (long long)extent);
  }
  return FED_OK;
}

static int64_t place_of_row(const struct fed_shape *data, uint32_t first, const int64_t *index,
                            int64_t depth) {
  int64_t offset = 0;
  for (uint32_t i = 0; i < (uint32_t)depth; i++) {
    const int64_t place =
        fed__place_of(index[i], data->dims[first + i], fed__shape_stride(data, first + i));
    if (place == FED__NONE) return FED__NONE;
    offset += place;
  }
  return offset;
}

void fed__places_rows(const struct fed_shape *data, uint32_t batch_dims,
                      const struct fed__operand *indices, int64_t *places) {
  const struct fed_shape *shape = &indices->shape;
  const int64_t depth = shape->dims[shape->rank - 1];
  const int64_t batches = fed__shape_extent(shape, 0, batch_dims);
  const int64_t rows = fed__shape_extent(shape, batch_dims, shape->rank - 1);
  const int64_t stride = fed__shape_extent(data, batch_dims, data->rank);
  const int64_t *index = indices->data;
  for (int64_t batch = 0; batch < batches; batch++)
    for (int64_t row = 0; row < rows; row++, index += depth) {
      const int64_t place = place_of_row(data, batch_dims, index, depth);
      *places++ = place == FED__NONE ? FED__NONE : batch * stride + place;
    }
}

static void put_unknown(const struct fed__operation *operation, enum fed_dtype dtype, int64_t count,
                        void *to) {
  if (dtype == FED_BOOL) {
    memset(to, 0, (size_t)count);
    return;
  }
  for (int64_t i = 0; i < count; i++)
    if (dtype == FED_I64)
      ((int64_t *)to)[i] = INT64_MIN;
    else if (operation->kernels->precision == FED_PRECISION_F64)
      ((double *)to)[i] = (double)NAN;
    else
      ((float *)to)[i] = NAN;
}

void fed__places_spoil(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  put_unknown(operation, output->dtype, (int64_t)output->elements, output->data);
}

void fed__places_read(const struct fed__operation *operation, const struct fed__places *places) {
  const struct fed__operand *from = &operation->inputs[0], *to = &operation->outputs[0];
  const int64_t unit = (int64_t)fed__operand_unit(operation, from), bytes = places->block * unit;
  char *out = to->data;
  for (int64_t i = 0; i < places->count; i++, out += bytes)
    if (places->places[i] == FED__NONE)
      put_unknown(operation, from->dtype, places->block, out);
    else
      memcpy(out, (const char *)from->data + places->places[i] * unit, (size_t)bytes);
}

#define FED__TEMPLATE "train/operators/shape/places.c"
#include "train/typed.h"

void fed__places_read_backward(const struct fed__operation *operation,
                               const struct fed__places *places) {
  fed__gradient_zero(operation, &operation->inputs[0]);
  if (operation->kernels->precision == FED_PRECISION_F64)
    add_blocks_f64(places, operation->outputs[0].gradient, operation->inputs[0].gradient);
  else
    add_blocks_f32(places, operation->outputs[0].gradient, operation->inputs[0].gradient);
}

#else

static void TYPED(add_blocks)(const struct fed__places *places, const REAL *restrict from,
                              REAL *restrict to) {
  for (int64_t i = 0; i < places->count; i++, from += places->block) {
    if (places->places[i] == FED__NONE) continue;
    REAL *at = to + places->places[i];
    for (int64_t j = 0; j < places->block; j++) at[j] += from[j];
  }
}

#endif
