/* SPDX-License-Identifier: Apache-2.0
 *
 * move.c: moving a block of elements between two arrays with strides of their own.
 */
#ifndef REAL
#include "train/operators/shape/move.h"

#define BLOCK 32 /* two squares of 32 x 32 doubles fit into the first cache */

static int64_t times(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

void fed__move_dimension(struct fed__move *move, int64_t dim, int64_t from_stride,
                         int64_t to_stride) {
  const uint32_t last = move->rank - 1;
  if (dim == 1) return;
  if (move->rank && move->from_stride[last] == times(from_stride, dim) &&
      move->to_stride[last] == times(to_stride, dim)) {
    move->dims[last] = times(move->dims[last], dim);
    move->from_stride[last] = from_stride;
    move->to_stride[last] = to_stride;
    return;
  }
  move->dims[move->rank] = dim;
  move->from_stride[move->rank] = from_stride;
  move->to_stride[move->rank++] = to_stride;
}

struct fed__move fed__move_reversed(const struct fed__move *move) {
  struct fed__move reversed = *move;
  memcpy(reversed.from_stride, move->to_stride, sizeof reversed.from_stride);
  memcpy(reversed.to_stride, move->from_stride, sizeof reversed.to_stride);
  reversed.from = move->to;
  reversed.to = move->from;
  return reversed;
}

struct fed__walk fed__walk_start(const struct fed__move *move, uint32_t inner) {
  struct fed__walk walk = {.rows = 1, .from = move->from, .to = move->to};
  walk.outer = move->rank > inner ? move->rank - inner : 0;
  for (uint32_t i = 0; i < move->rank; i++)
    if (move->dims[i] == 0) walk.rows = 0;
  for (uint32_t i = 0; i < walk.outer && walk.rows; i++) walk.rows *= move->dims[i];
  return walk;
}

void fed__walk_next(struct fed__walk *walk, const struct fed__move *move) {
  for (uint32_t i = walk->outer; i-- > 0;) {
    walk->from += move->from_stride[i], walk->to += move->to_stride[i];
    if (++walk->index[i] < move->dims[i]) return;
    walk->from -= move->from_stride[i] * walk->index[i];
    walk->to -= move->to_stride[i] * walk->index[i];
    walk->index[i] = 0;
  }
}

/* The two innermost dimensions, strides in bytes. */
struct plane {
  int64_t rows, columns, from_row, from_column, to_row, to_column;
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* A whole square that changes rows for columns goes through a tile of its own, so that both sides
 * are walked along their neighbours. */
#define PLANE(unit)                                                                                \
  static void turn_square_##unit(const struct plane *plane, const char *restrict from,             \
                                 char *restrict to) {                                              \
    char tile[BLOCK][(BLOCK + 1) * unit];                                                          \
    for (int j = 0; j < BLOCK; j++)                                                                \
      memcpy(tile[j], from + j * plane->from_column, (size_t)BLOCK * unit);                        \
    for (int i = 0; i < BLOCK; i++)                                                                \
      for (int j = 0; j < BLOCK; j++)                                                              \
        memcpy(to + i * plane->to_row + j * unit, tile[j] + i * unit, unit);                       \
  }                                                                                                \
  static void copy_square_##unit(const struct plane *plane, int64_t rows, int64_t columns,         \
                                 const char *restrict from, char *restrict to) {                   \
    for (int64_t i = 0; i < rows; i++)                                                             \
      for (int64_t j = 0; j < columns; j++)                                                        \
        memcpy(to + i * plane->to_row + j * plane->to_column,                                      \
               from + i * plane->from_row + j * plane->from_column, unit);                         \
  }                                                                                                \
  static void copy_plane_##unit(const struct plane *plane, const char *from, char *to) {           \
    const int turns = plane->from_row == unit && plane->to_column == unit;                         \
    for (int64_t i = 0; i < plane->rows; i += BLOCK)                                               \
      for (int64_t j = 0; j < plane->columns; j += BLOCK) {                                        \
        const int64_t rows = smaller(BLOCK, plane->rows - i);                                      \
        const int64_t columns = smaller(BLOCK, plane->columns - j);                                \
        const char *x = from + i * plane->from_row + j * plane->from_column;                       \
        char *y = to + i * plane->to_row + j * plane->to_column;                                   \
        if (turns && rows == BLOCK && columns == BLOCK)                                            \
          turn_square_##unit(plane, x, y);                                                         \
        else                                                                                       \
          copy_square_##unit(plane, rows, columns, x, y);                                          \
      }                                                                                            \
  }

PLANE(1)
PLANE(4)
PLANE(8)

static void copy_plane(const struct plane *plane, size_t unit, const char *from, char *to) {
  if (plane->from_column == (int64_t)unit && plane->to_column == (int64_t)unit) {
    for (int64_t i = 0; i < plane->rows; i++)
      memcpy(to + i * plane->to_row, from + i * plane->from_row, (size_t)plane->columns * unit);
  } else if (unit == 1) {
    copy_plane_1(plane, from, to);
  } else if (unit == 4) {
    copy_plane_4(plane, from, to);
  } else {
    copy_plane_8(plane, from, to);
  }
}

static void swap(int64_t *values, uint32_t a, uint32_t b) {
  const int64_t value = values[a];
  values[a] = values[b];
  values[b] = value;
}

/* Beside the last dimension comes the one whose elements are neighbours in `from`. */
static void pair_dimensions(struct fed__move *move) {
  if (move->rank < 3 || move->from_stride[move->rank - 1] == 1) return;
  for (uint32_t i = 0; i + 2 < move->rank; i++) {
    if (move->from_stride[i] != 1) continue;
    swap(move->dims, i, move->rank - 2);
    swap(move->from_stride, i, move->rank - 2);
    swap(move->to_stride, i, move->rank - 2);
    return;
  }
}

void fed__move_copy(const struct fed__move *move, size_t unit, const void *from, void *to) {
  struct fed__move own = *move;
  const int64_t bytes = (int64_t)unit;
  pair_dimensions(&own);
  struct plane plane = {1, 1, 0, bytes, 0, bytes};
  if (own.rank > 0)
    plane = (struct plane){1, own.dims[own.rank - 1],
                           0, times(own.from_stride[own.rank - 1], bytes),
                           0, times(own.to_stride[own.rank - 1], bytes)};
  if (own.rank > 1) {
    plane.rows = own.dims[own.rank - 2];
    plane.from_row = times(own.from_stride[own.rank - 2], bytes);
    plane.to_row = times(own.to_stride[own.rank - 2], bytes);
  }
  struct fed__walk walk = fed__walk_start(&own, 2);
  for (int64_t i = 0; i < walk.rows; i++, fed__walk_next(&walk, &own))
    copy_plane(&plane, unit, (const char *)from + walk.from * bytes, (char *)to + walk.to * bytes);
}

#define FED__TEMPLATE "train/operators/shape/move.c"
#include "train/typed.h"

void fed__move_sum(const struct fed__move *move, enum fed_precision precision, const void *from,
                   void *to) {
  if (precision == FED_PRECISION_F64)
    move_sum_f64(move, from, to);
  else
    move_sum_f32(move, from, to);
}

void fed__move_forward(const struct fed__operation *operation) {
  fed__move_copy(operation->state, fed__operand_unit(operation, &operation->inputs[0]),
                 operation->inputs[0].data, operation->outputs[0].data);
}

static int repeats(const struct fed__move *move) {
  for (uint32_t i = 0; i < move->rank; i++)
    if (move->from_stride[i] == 0) return 1;
  return 0;
}

/* What is read once gets a copy of its gradient, what is read several times their sum, what is
 * not read zero; or all of it is added. */
void fed__move_backward(const struct fed__operation *operation) {
  const struct fed__move *move = operation->state, reversed = fed__move_reversed(move);
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const int sums = input->adds || repeats(move);
  if (!input->adds && (sums || output->elements != input->elements))
    fed__gradient_zero(operation, input);
  if (sums)
    fed__move_sum(&reversed, operation->kernels->precision, output->gradient, input->gradient);
  else
    fed__move_copy(&reversed, fed__operand_unit(operation, input), output->gradient,
                   input->gradient);
}

#else

static void TYPED(move_sum)(const struct fed__move *move, const REAL *from, REAL *to) {
  const uint32_t last = move->rank - 1;
  const int64_t inner = move->rank ? move->dims[last] : 1;
  const int64_t from_stride = move->rank ? move->from_stride[last] : 0;
  const int64_t to_stride = move->rank ? move->to_stride[last] : 0;
  struct fed__walk walk = fed__walk_start(move, 1);
  for (int64_t row = 0; row < walk.rows; row++, fed__walk_next(&walk, move)) {
    const REAL *restrict x = from + walk.from;
    REAL *restrict y = to + walk.to;
    if (to_stride == 1 && from_stride == 1)
      for (int64_t i = 0; i < inner; i++) y[i] += x[i];
    else
      for (int64_t i = 0; i < inner; i++) y[i * to_stride] += x[i * from_stride];
  }
}

#endif
