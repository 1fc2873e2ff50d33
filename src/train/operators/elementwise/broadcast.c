/* SPDX-License-Identifier: Apache-2.0
 *
 * broadcast.c: the walk over arrays that are broadcast together.
 */
#include "train/operators/elementwise/broadcast.h"

#define ARRAYS (FED__BROADCAST_INPUTS + 1) /* the inputs, then the output */
#define TILE 512                           /* elements handled at a time: they stay in the cache */
#define LANES 16

struct walk {
  uint32_t arrays, rank; /* after merging, at least 1 */
  int64_t dims[FED_RANK_MAX], index[FED_RANK_MAX];
  int64_t strides[ARRAYS][FED_RANK_MAX]; /* in bytes; 0 where the array is broadcast */
  char *at[ARRAYS];                      /* at the start of the present row */
  size_t unit[ARRAYS];
};

/* The part of a tile that one operand takes up if it does not change along the row. */
struct tile {
  _Alignas(64) char bytes[TILE * sizeof(double)];
};

struct fed__array fed__array_of(const struct fed__operation *operation,
                                const struct fed__operand *operand) {
  const int wide = operand->dtype == FED_F32 && operation->kernels->precision == FED_PRECISION_F64;
  return (struct fed__array){&operand->shape, fed_dtype_size(wide ? FED_F64 : operand->dtype),
                             operand->data};
}

struct fed__array fed__gradient_of(const struct fed__operation *operation,
                                   const struct fed__operand *operand) {
  struct fed__array array = fed__array_of(operation, operand);
  array.data = operand->gradient;
  return array;
}

static size_t count_elements(const struct fed_shape *shape) {
  size_t elements = 1;
  for (uint32_t i = 0; i < shape->rank; i++) elements *= (size_t)shape->dims[i];
  return elements;
}

/* An array's strides along the dimensions of `shape`. */
static void find_strides(const struct fed__array *array, const struct fed_shape *shape,
                         int64_t *strides) {
  int64_t stride = (int64_t)array->unit;
  for (uint32_t i = 0; i < shape->rank; i++) {
    const uint32_t rank = array->shape->rank;
    const int64_t dim = i < rank ? array->shape->dims[rank - 1 - i] : 1;
    strides[shape->rank - 1 - i] = dim == 1 ? 0 : stride;
    stride *= dim;
  }
}

static int walks_on(const struct walk *walk, const struct walk *one, uint32_t dim) {
  for (uint32_t k = 0; k < walk->arrays; k++)
    if (walk->strides[k][walk->rank - 1] != one->strides[k][dim] * one->dims[dim]) return 0;
  return 1;
}

/* Add a dimension inside the others, or make the innermost longer. */
static void add_dimension(struct walk *walk, const struct walk *one, uint32_t dim) {
  if (walk->rank && walks_on(walk, one, dim))
    walk->dims[walk->rank - 1] *= one->dims[dim];
  else
    walk->dims[walk->rank++] = one->dims[dim];
  for (uint32_t k = 0; k < walk->arrays; k++)
    walk->strides[k][walk->rank - 1] = one->strides[k][dim];
}

static void begin_walk(struct walk *walk, const struct fed_shape *shape,
                       const struct fed__array *const *arrays, uint32_t count) {
  struct walk one = {.rank = shape->rank};
  *walk = (struct walk){.arrays = count};
  for (uint32_t k = 0; k < count; k++) {
    walk->at[k] = arrays[k]->data;
    walk->unit[k] = arrays[k]->unit;
    find_strides(arrays[k], shape, one.strides[k]);
  }
  for (uint32_t i = 0; i < shape->rank; i++) one.dims[i] = shape->dims[i];
  for (uint32_t i = 0; i < shape->rank; i++)
    if (shape->dims[i] > 1) add_dimension(walk, &one, i);
  if (walk->rank) return;
  walk->rank = 1; /* a lone element */
  walk->dims[0] = 1;
  for (uint32_t k = 0; k < count; k++) walk->strides[k][0] = (int64_t)walk->unit[k];
}

/* To the next row; 0: that was the last. */
static int next_row(struct walk *walk) {
  for (uint32_t i = walk->rank - 1; i-- > 0;) {
    const int more = ++walk->index[i] < walk->dims[i];
    const int64_t steps = more ? 1 : 1 - walk->index[i];
    for (uint32_t k = 0; k < walk->arrays; k++) walk->at[k] += walk->strides[k][i] * steps;
    if (more) return 1;
    walk->index[i] = 0;
  }
  return 0;
}

#define REPEAT(type)                                                                               \
  do {                                                                                             \
    type *to = (type *)tile->bytes, value;                                                         \
    memcpy(&value, element, sizeof value);                                                         \
    for (size_t i = 0; i < count; i++) to[i] = value;                                              \
  } while (0)

static void repeat(struct tile *tile, const void *element, size_t unit, size_t count) {
  if (unit == 8)
    REPEAT(uint64_t);
  else if (unit == 4)
    REPEAT(uint32_t);
  else
    memset(tile->bytes, *(const unsigned char *)element, count);
}

/* Add results to one element (step 0) or as many (step 1). The order of additions depends on the
 * count alone; the lanes are there so that the compiler may use vectors. */
#define ADD_TO(type, name)                                                                         \
  static void name(size_t count, const type *restrict from, type *restrict to, int step) {         \
    if (step) {                                                                                    \
      for (size_t i = 0; i < count; i++) to[i] += from[i];                                         \
      return;                                                                                      \
    }                                                                                              \
    type lanes[LANES] = {0}, sum = 0;                                                              \
    size_t i = 0;                                                                                  \
    for (; i + LANES <= count; i += LANES)                                                         \
      for (size_t j = 0; j < LANES; j++) lanes[j] += from[i + j];                                  \
    for (; i < count; i++) sum += from[i];                                                         \
    for (size_t j = 0; j < LANES; j++) sum += lanes[j];                                            \
    *to += sum;                                                                                    \
  }
ADD_TO(float, add_floats)
ADD_TO(double, add_doubles)

/* One row: `inner` elements, a tile at a time. */
static void run_row(const struct walk *walk, struct tile *tiles, int sums, fed__row *row) {
  const uint32_t last = walk->rank - 1, out = walk->arrays - 1;
  const size_t inner = (size_t)walk->dims[last];
  const size_t first = inner < TILE ? inner : TILE;
  const int out_moves = walk->strides[out][last] != 0;
  const void *in[FED__BROADCAST_INPUTS] = {0};
  for (uint32_t k = 0; k < out; k++)
    if (walk->strides[k][last] == 0) repeat(&tiles[k], walk->at[k], walk->unit[k], first);
  for (size_t i = 0; i < inner; i += TILE) {
    const size_t count = inner - i < TILE ? inner - i : TILE;
    for (uint32_t k = 0; k < out; k++)
      in[k] = walk->strides[k][last] ? walk->at[k] + i * walk->unit[k] : tiles[k].bytes;
    char *to = walk->at[out] + (out_moves ? i * walk->unit[out] : 0);
    row(count, in, sums ? tiles[out].bytes : to);
    if (!sums) continue;
    if (walk->unit[out] == sizeof(float))
      add_floats(count, (const float *)tiles[out].bytes, (float *)(void *)to, out_moves);
    else
      add_doubles(count, (const double *)tiles[out].bytes, (double *)(void *)to, out_moves);
  }
}

void fed__broadcast(const struct fed_shape *shape, const struct fed__array *out,
                    const struct fed__array *in, uint32_t count, fed__row *row) {
  const size_t elements = count_elements(out->shape);
  const int sums = elements < count_elements(shape);
  const struct fed__array *arrays[ARRAYS];
  struct tile tiles[ARRAYS];
  struct walk walk;
  if (sums) memset(out->data, 0, elements * out->unit);
  if (count_elements(shape) == 0) return;
  for (uint32_t k = 0; k < count; k++) arrays[k] = &in[k];
  arrays[count] = out;
  begin_walk(&walk, shape, arrays, count + 1);
  do run_row(&walk, tiles, sums, row);
  while (next_row(&walk));
}

void fed__broadcast_forward(const struct fed__operation *operation, fed__row *row) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array out = fed__array_of(operation, output);
  const struct fed__array in[] = {fed__array_of(operation, &operation->inputs[0]),
                                  fed__array_of(operation, &operation->inputs[1])};
  fed__broadcast(&output->shape, &out, in, 2, row);
}

void fed__broadcast_backward(const struct fed__operation *operation, uint32_t slot, fed__row *row) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array out = fed__gradient_of(operation, &operation->inputs[slot]);
  const struct fed__array in[] = {fed__array_of(operation, &operation->inputs[0]),
                                  fed__array_of(operation, &operation->inputs[1]),
                                  fed__gradient_of(operation, output)};
  if (out.data) fed__broadcast(&output->shape, &out, in, 3, row);
}
