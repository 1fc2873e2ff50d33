/* SPDX-License-Identifier: Apache-2.0
 *
 * local_statistics.h: running statistics that stay with their client (model.statistics: local). A
 * thread's trainer has those of one client at a time; between visits they lie in the client's
 * vector (client_memory.h), behind what its rule keeps.
 *
 * A client that has none yet begins with the file's, and so does everything that is no client's:
 * the server's test set, a baseline's training. Cost: a copy of them.
 */
#ifndef FED_SIMULATE_LOCAL_STATISTICS_H
#define FED_SIMULATE_LOCAL_STATISTICS_H

#include "round/plan.h"

/* For a model without such statistics all of these do nothing. */
struct fed__local_statistics {
  const struct fed_params *initial; /* the file's: fed_model_local_params */
  struct fed_params scratch;        /* like them */
};

FED_MUST int fed__local_statistics_init(struct fed__local_statistics *statistics,
                                        const struct fed_context *context,
                                        const struct fed_model *model);
void fed__local_statistics_clear(struct fed__local_statistics *statistics);

/* Into the trainer; `values` NULL: the file's. */
FED_MUST int fed__local_statistics_put(struct fed__local_statistics *statistics,
                                       struct fed_trainer *trainer, const float *values);

/* Out of it, into their place in what the client keeps. Where they are not finite all of that
 * begins anew, as an agent finds out when it next reads it. */
FED_MUST int fed__local_statistics_keep(struct fed__local_statistics *statistics,
                                        const struct fed_trainer *trainer,
                                        const struct fed__plan *plan, float *to_keep);

/* From one trainer into another. */
FED_MUST int fed__local_statistics_move(struct fed__local_statistics *statistics,
                                        const struct fed_trainer *from, struct fed_trainer *to);

/* How many numbers a client keeps: its rule's, and with the statistics behind them. */
size_t fed__kept_by_rule(const struct fed__plan *plan);
size_t fed__kept_in_all(const struct fed__plan *plan, const struct fed_model *model);

/* Where in what a client keeps they are; NULL of NULL. */
const float *fed__kept_statistics(const struct fed__plan *plan, const float *kept);

#endif
