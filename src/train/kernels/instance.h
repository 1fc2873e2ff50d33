/* SPDX-License-Identifier: Apache-2.0
 *
 * instance.h: what every table's instances have in common, so that one free and one size function
 * serve them all and a table may mix its own kernels with those of the reference.
 */
#ifndef FED_TRAIN_INSTANCE_H
#define FED_TRAIN_INSTANCE_H

#include "train/kernels/kernels.h"

struct fed_kernel_instance {
  const struct fed_context *context;
  struct fed_conv conv; /* whichever of the two it was made for */
  struct fed_pool pool;
  int32_t *counts; /* by output in the plane: what to divide by; NULL: nothing */
  void *state;     /* the kernel's own, with the function that frees it; NULL for the reference */
  void (*state_free)(struct fed_kernel_instance *instance);
  size_t bytes; /* of this struct and of everything behind `state` */
};

/* A checked instance without state. FED_E_SHAPE for a shape that contradicts itself, FED_E_RANGE
 * for a plane or kernel that int32_t indices cannot address. */
FED_MUST int fed__conv_instance_new(const struct fed_context *context, const struct fed_conv *shape,
                                    struct fed_kernel_instance **instance);
FED_MUST int fed__pool_instance_new(const struct fed_context *context, const struct fed_pool *shape,
                                    struct fed_kernel_instance **instance);
void fed__kernel_instance_free(struct fed_kernel_instance *instance);
size_t fed__kernel_instance_bytes(const struct fed_kernel_instance *instance);

#endif
