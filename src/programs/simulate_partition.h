/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_partition.h: fed simulate --show-partition: who would have what, without training.
 */
#ifndef FED_SIMULATE_PARTITION_SHOW_H
#define FED_SIMULATE_PARTITION_SHOW_H

#include "programs/command.h"
#include "programs/simulate_data.h"

/* Print it as tables, or as JSON, and write FOLDER/partition.html. `examples` are those that the
 * partition divides. */
FED_MUST int fed__simulate_partition_show(const struct fed__invocation *invocation,
                                          const struct fed__job *job,
                                          const struct fed__partition *partition,
                                          struct fed_examples *examples);

#endif
