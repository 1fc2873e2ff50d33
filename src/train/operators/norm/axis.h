/* SPDX-License-Identifier: Apache-2.0
 *
 * axis.h: operators along one axis of a value, which is then [outer, size, inner].
 */
#ifndef FED_TRAIN_AXIS_H
#define FED_TRAIN_AXIS_H

#include "train/operator.h"

struct fed__axis {
  int64_t outer, size, inner;
};

/* By the attribute axis, -1 if it is absent; FED_E_RANGE. A scalar is taken as [1]. Of an empty
 * value only those of the three that are zero mean something. */
FED_MUST int fed__axis_read(const struct fed__node *node, const struct fed_shape *shape,
                            struct fed__axis *axis);
/* For infer of an operator that gives as many real numbers as it takes, with that attribute. */
FED_MUST int fed__axis_infer(const struct fed__inference *inference);
/* Prepare; the state begins with a struct fed__axis. */
FED_MUST int fed__axis_prepare(struct fed__operation *operation);

#endif
