/* SPDX-License-Identifier: Apache-2.0
 *
 * stage.h: the steps between a trained model and the bytes that leave a client, each with a
 * client step and a server step behind one interface:
 *
 *   client:  difference → rule → clip → grid → upload      server:  sum → grid → … → mean update
 *
 * A stage declares what it needs of the update and what it gives; a chain in which a need is not
 * met is refused when the job is created. Server steps see only the sum over the cohort, in
 * reverse order, because that is all that secure aggregation will ever give them.
 */
#ifndef FED_STAGE_H
#define FED_STAGE_H

#include "fed/tensor.h"

/* What is known about an update at a point of the chain. */
enum fed__update_trait {
  FED__UPDATE_IS_DIFFERENCE = 1 << 0, /* trained minus received, not a whole model */
  FED__UPDATE_NORM_BOUNDED = 1 << 1,  /* its L2 norm has a declared bound */
  FED__UPDATE_ON_GRID = 1 << 2,       /* whole numbers: sums are exact in any order */
};

/* The settings of all stages of a job. */
struct fed__stage_settings {
  double clip_norm;   /* 0: no clipping */
  uint32_t grid_bits; /* 8, 16 or 32 */
  double grid_step;
};

struct fed__update;

/* What a client's algorithm makes of the difference. */
struct fed__update_rule {
  FED_MUST int (*apply)(struct fed__update_rule *self, struct fed__update *update);
};

/* One update on its way out. `values` is changed in place; `grid` is filled by the grid stage. */
struct fed__update {
  float *values;                 /* the trained model; behind it, room for what the rule adds */
  const float *received;         /* the model that the client got */
  size_t received_count;         /* its elements */
  size_t element_count;          /* of all values */
  struct fed__update_rule *rule; /* NULL: none */
  void *grid;                    /* caller's memory of fed__stage_grid_bytes: element_count signed
                                    integers of grid_bits, little-endian, any alignment */
  double norm;                   /* L2 norm before clipping, by the clip stage; 0 without */
  uint64_t clamped_count;        /* elements that the grid could not represent and clamped */
};

struct fed__stage_ops {
  const char *name;
  unsigned needs; /* traits that must hold before */
  unsigned gives; /* traits that hold after, in addition */
  int (*active)(const struct fed__stage_settings *settings); /* is it part of this job's chain? */
  FED_MUST int (*check)(const struct fed__stage_settings *settings);
  FED_MUST int (*client)(const struct fed__stage_settings *settings, struct fed__update *update);
  /* From the sum over the cohort (in `sum`, exact integers) towards the mean update in `mean`;
   * NULL where there is nothing to undo. */
  FED_MUST int (*server)(const struct fed__stage_settings *settings, const int64_t *sum,
                         uint64_t weight_sum, size_t element_count, float *mean);
};

extern const struct fed__stage_ops fed__stage_difference, fed__stage_rule, fed__stage_clip,
    fed__stage_grid;

/* All stages, in the order of the client; NULL-terminated. */
extern const struct fed__stage_ops *const fed__stage_table[];

/* Check the settings and that every need is met; `wanted` are the traits that the aggregation
 * rule needs at the end. FED_E_INPUT naming the stage and what it misses; FED_E_RANGE for a
 * setting. */
FED_MUST int fed__stage_check_chain(const struct fed__stage_settings *settings, unsigned wanted);

/* The same for another list of stages than the table, NULL-terminated. */
FED_MUST int fed__stage_check_list(const struct fed__stage_ops *const *stages,
                                   const struct fed__stage_settings *settings, unsigned wanted);

/* Run the client's or the server's side of the chain. FED_E_NOT_FINITE for NaN or infinity, naming
 * the element; FED_E_EMPTY for a weight_sum of 0. */
FED_MUST int fed__stage_run_client(const struct fed__stage_settings *settings,
                                   struct fed__update *update);
FED_MUST int fed__stage_run_server(const struct fed__stage_settings *settings, const int64_t *sum,
                                   uint64_t weight_sum, size_t element_count, float *mean);

/* What the grid holds of an update, as numbers: what the server will add. */
void fed__stage_grid_values(const struct fed__stage_settings *settings, const void *grid,
                            size_t element_count, float *values);

/* Bytes of an update of so many elements on the grid. */
size_t fed__stage_grid_bytes(const struct fed__stage_settings *settings, size_t element_count);

#endif
