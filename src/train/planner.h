/* SPDX-License-Identifier: Apache-2.0
 *
 * planner.h: what the planner's parts share while they make a plan.
 *
 *   planner.c      which nodes run, which values need a gradient, what is prepared
 *   plan_times.c   in which order: forward, loss, backward, and what is computed again on the way
 *   plan_layout.c  when each array lives, where it lies, and the operations' pointers to it
 *
 * Values that only differ in shape are one group, named by its first value (the root), with one
 * data and one gradient array. With checkpoints the operations are cut into segments; a value that
 * is produced and read in one of them (not the last) is dropped after its last reader and computed
 * again, into a second array, before the segment's backward.
 */
#ifndef FED_TRAIN_PLANNER_H
#define FED_TRAIN_PLANNER_H

#include "train/arena.h"
#include "train/training_plan.h"

#define FED__NO_REGION UINT32_MAX
#define FED__ADDS (UINT32_MAX - 1) /* instead of an operand's region: backward adds */
#define FED__NO_TIME UINT32_MAX

enum { FED__FIRST, FED__SECOND }; /* a value's arrays: in forward, and computed again */

/* What is decided about a value; the arrays are the root's. */
struct fed__place {
  int32_t root;
  int has_gradient;      /* depends on a parameter, and the output depends on it */
  int written;           /* while backward is laid out: somebody wrote the gradient already */
  int inner;             /* produced and read within a segment that is computed again */
  int wanted;            /* inner, and backward reads it or what is computed from it */
  void *data, *gradient; /* outside the arena, or NULL */
  uint32_t data_regions[2], gradient_region;
};

/* When an operation runs. */
struct fed__times {
  uint32_t segment;
  uint32_t again, backward;  /* FED__NO_TIME: not at all; forward is the operation's number */
  uint32_t saved_regions[2]; /* the second where it is computed again */
};

struct fed__planner {
  const struct fed__plan_setting *setting;
  struct fed__plan *plan;
  struct fed__place *places;
  struct fed__times *times;
  struct fed__region *regions;
  uint32_t *operand_regions; /* by operand: its temporary gradient */
  int32_t *operand_values;   /* by operand */
  uint32_t *order;
  uint32_t region_count, region_room, operand_count, scratch_region;
  uint32_t segment_count, time_of_end;
  uint32_t input_regions[FED_INPUTS_MAX];
};

static inline struct fed__place *fed__root(const struct fed__planner *planner, int32_t value) {
  return &planner->places[planner->places[value].root];
}

static inline size_t fed__value_bytes(const struct fed__planner *planner, int32_t value) {
  const struct fed__known *known = &planner->plan->shapes.values[value];
  const size_t unit =
      known->dtype == FED_F32 && planner->plan->kernels->precision == FED_PRECISION_F64
          ? sizeof(double)
          : fed_dtype_size(known->dtype);
  return known->elements * unit;
}

static inline int fed__bit(uint32_t bits, uint32_t index) {
  return index < 32 && (bits >> index & 1);
}

/* Cut the operations into so many segments (1: nothing is computed again) of about equal memory and
 * give everything its time; fills plan->schedule. */
void fed__plan_set_times(struct fed__planner *planner, uint32_t segment_count);

/* Lay everything out for these times; the arena's size in plan->arena_bytes. */
void fed__plan_lay_out(struct fed__planner *planner);

/* The most bytes that are alive at one time: no layout can do with less. FED_E_MEMORY. */
FED_MUST int fed__plan_find_bound(struct fed__planner *planner);

/* Pointers into the arena, for all operations. */
void fed__plan_connect(struct fed__planner *planner);

#endif
