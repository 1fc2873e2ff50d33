/* SPDX-License-Identifier: Apache-2.0
 *
 * move.h: moving a block of elements between two arrays, each of which is walked with strides of
 * its own. Transpose, Slice, Expand, Tile and the like are one such move each; backward, it runs
 * the other way round.
 *
 * Cost: linear in the elements moved. Dimensions that both sides walk as one are merged; where the
 * innermost dimensions change places, squares that fit into the cache are moved one by one.
 */
#ifndef FED_TRAIN_MOVE_H
#define FED_TRAIN_MOVE_H

#include "train/operator.h"

#define FED__MOVE_RANK (2 * FED_RANK_MAX)

struct fed__move {
  uint32_t rank; /* after merging */
  int64_t dims[FED__MOVE_RANK], from_stride[FED__MOVE_RANK], to_stride[FED__MOVE_RANK];
  int64_t from, to; /* where it begins; all in elements */
};

/* The product of dims[first … last - 1]. Wraps only for shapes without elements, of which nothing
 * is ever read. */
static inline int64_t fed__shape_extent(const struct fed_shape *shape, uint32_t first,
                                        uint32_t last) {
  uint64_t product = 1;
  for (uint32_t i = first; i < last; i++) product *= (uint64_t)shape->dims[i];
  return (int64_t)product;
}

static inline int64_t fed__shape_stride(const struct fed_shape *shape, uint32_t axis) {
  return fed__shape_extent(shape, axis + 1, shape->rank);
}

/* Bytes of an element of an operand in this plan. */
static inline size_t fed__operand_unit(const struct fed__operation *operation,
                                       const struct fed__operand *operand) {
  if (operand->dtype == FED_F32 && operation->kernels->precision == FED_PRECISION_F64)
    return sizeof(double);
  return fed_dtype_size(operand->dtype);
}

/* Gradients are zero until somebody adds to them. */
static inline void fed__gradient_zero(const struct fed__operation *operation,
                                      const struct fed__operand *operand) {
  memset(operand->gradient, 0, operand->elements * fed__operand_unit(operation, operand));
}

/* Append an inner dimension. */
void fed__move_dimension(struct fed__move *move, int64_t dim, int64_t from_stride,
                         int64_t to_stride);
struct fed__move fed__move_reversed(const struct fed__move *move);

/* Copy; no element of `to` may be reached twice. */
void fed__move_copy(const struct fed__move *move, size_t unit, const void *from, void *to);
/* Add real numbers; where several reach one element, their sum. */
void fed__move_sum(const struct fed__move *move, enum fed_precision precision, const void *from,
                   void *to);

/* A walk over the outer dimensions of a move; the `inner` last ones are the caller's. */
struct fed__walk {
  uint32_t outer;
  int64_t rows, from, to, index[FED__MOVE_RANK];
};
struct fed__walk fed__walk_start(const struct fed__move *move, uint32_t inner);
void fed__walk_next(struct fed__walk *walk, const struct fed__move *move);

/* For operators whose state is the move from input 0 to output 0. */
void fed__move_forward(const struct fed__operation *operation);
void fed__move_backward(const struct fed__operation *operation);

#endif
