/* SPDX-License-Identifier: Apache-2.0
 *
 * constant_role.h: which slots of weights train what they are given, and what values an
 * initializer must not have to train.
 */
#ifndef FED_TRAIN_CONSTANT_ROLE_H
#define FED_TRAIN_CONSTANT_ROLE_H

#include "train/graph.h"

/* By value: is it computed from examples, from constants, from positions only? */
struct fed__reads {
  const struct fed_model *model;
  unsigned char *bits;
};

/* Clear it whatever comes back. */
FED_MUST int fed__reads_init(struct fed__reads *reads, const struct fed_model *model);
void fed__reads_clear(struct fed__reads *reads);

/* What a slot makes of an initializer; of several slots the last of this list counts. */
enum fed__slot {
  FED__SLOT_NONE,
  FED__SLOT_SINGLE,        /* a list of one number that is added: a constant, or a bias after all */
  FED__SLOT_GROUP_NORM,    /* of a group normalisation that is written out: it is 1 or 0 */
  FED__SLOT_FORMULA,       /* it meets neither examples nor other numbers */
  FED__SLOT_PREPROCESSING, /* it meets the examples as they are: does not train if others do */
  FED__SLOT_BY_VALUES,     /* trains unless its values are those of a mask or of waves */
  FED__SLOT_TRAINS,
};

/* The slot of a node, for an initializer of a shape (NULL: it comes through other operators). */
enum fed__slot fed__slot_find(const struct fed__reads *reads, const struct fed__node *node,
                              uint32_t slot, const struct fed_shape *shape);

/* FED__ROLE_MASK, FED__ROLE_WAVES or FED__ROLE_SLOT; for real numbers, at least one. */
enum fed__role fed__role_by_values(const struct fed_tensor *tensor);

/* An element of a tensor of real numbers. */
double fed__real_at(const struct fed_tensor *tensor, size_t at);

#endif
