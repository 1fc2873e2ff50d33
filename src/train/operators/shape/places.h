/* SPDX-License-Identifier: Apache-2.0
 *
 * places.h: blocks of elements at places that integers tell, as all Gather and Scatter operators
 * have them. An operator finds its places in each step (the offset of every block in the data, in
 * elements) and keeps them for the way back; the rest is the same for all.
 *
 * An index out of range that depends on examples is only seen in a step. It reads nothing: in its
 * place come NaN, which the trainer reports, for integers the most negative one, for truth values
 * 0. The same goes for the whole result of a scatter.
 *
 * Cost: linear in the elements. Sums go in the order of the indices: deterministic.
 */
#ifndef FED_TRAIN_PLACES_H
#define FED_TRAIN_PLACES_H

#include "train/operators/shape/move.h"

struct fed__places {
  int64_t count, block;  /* elements a block */
  const int64_t *places; /* FED__NONE: out of range */
};

/* The offset of `index` counted in `stride`, from the back if negative; FED__NONE if out of
 * range. */
static inline int64_t fed__place_of(int64_t index, int64_t extent, int64_t stride) {
  index += index < 0 ? extent : 0;
  return index < 0 || index >= extent ? FED__NONE : index * stride;
}

/* For infer: the input is int64, and those indices that are known are in range. */
FED_MUST int fed__infer_indices(const struct fed__inference *inference, uint32_t slot,
                                int64_t extent);

/* Where element after element of the indices points: into the data along `axis`, at its own
 * coordinates otherwise (GatherElements, ScatterElements). */
void fed__places_elements(const struct fed_shape *data, uint32_t axis,
                          const struct fed__operand *indices, int64_t *places);
/* The extents that this needs. */
FED_MUST int fed__infer_elements(const struct fed__inference *inference, uint32_t *axis);
/* Depth and, where they are known, ranges of the indices of GatherND and ScatterND. */
FED_MUST int fed__infer_rows(const struct fed__inference *inference, uint32_t batch_dims);
/* Where row after row of the indices points; the first batch_dims dimensions are the row's own
 * (GatherND, ScatterND). */
void fed__places_rows(const struct fed_shape *data, uint32_t batch_dims,
                      const struct fed__operand *indices, int64_t *places);

/* The whole of output 0 is unknown. */
void fed__places_spoil(const struct fed__operation *operation);

/* to[block i] = from[place i], and its gradient: to[place i] += from[block i], from 0. */
void fed__places_read(const struct fed__operation *operation, const struct fed__places *places);
void fed__places_read_backward(const struct fed__operation *operation,
                               const struct fed__places *places);

#endif
