/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h: places for arrays whose lifetimes are known beforehand in one block of memory; arrays
 * that never live at the same time share it.
 */
#ifndef FED_TRAIN_ARENA_H
#define FED_TRAIN_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define FED__ARENA_ALIGNMENT 64

/* An array that lives from time `from` to time `to`, both included. */
struct fed__region {
  size_t bytes;
  uint32_t from, to;
  size_t offset; /* the result, a multiple of FED__ARENA_ALIGNMENT */
};

/* Give every region its offset: largest first, each at the lowest free place. `order` is room for
 * `count` numbers. Returns the size of the block. At most quadratic in `count`. */
size_t fed__arena_assign(struct fed__region *regions, uint32_t count, uint32_t *order);

#endif
