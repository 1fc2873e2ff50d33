/* SPDX-License-Identifier: Apache-2.0
 *
 * augment.h: examples that change at random in training, and classes as probabilities: a wrapper
 * around any source of examples. Outside of a pass (evaluation) the inputs are as they are.
 *
 * The n-th example that a pass gathers draws from a stream of its own, named by the pass's seed and
 * n: the same seed gives the same bits, whatever the sizes of the batches.
 */
#ifndef FED_DATA_AUGMENT_H
#define FED_DATA_AUGMENT_H

#include "data/dataset.h"

/* Does a schema ask for the wrapper? */
int fed__augment_is_wanted(const struct fed__dataset_schema *schema);

/* Wrap `inner`, which belongs to the wrapper after a success. FED_E_INPUT, FED_E_SHAPE for what the
 * examples do not allow. */
FED_MUST int fed__augment_new(const struct fed_context *context,
                              const struct fed__dataset_schema *schema, struct fed_examples *inner,
                              struct fed_examples **examples);

/* One plane of an image. */
struct fed__plane {
  size_t height, width;
};

/* out[y][x] = in[y + down][x + right], 0 from outside; with `flip`, right and left change places
 * then. */
void fed__augment_shift(const struct fed__plane *plane, const float *in, int64_t down,
                        int64_t right, int flip, float *out);

/* Turn anticlockwise about the middle; bilinear between the four neighbours, 0 from outside. */
void fed__augment_rotate(const struct fed__plane *plane, const float *in, double radians,
                         float *out);

#endif
