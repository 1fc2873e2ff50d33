/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_rows.h: what the files of a partition share.
 */
#ifndef FED_SIMULATE_PARTITION_ROWS_H
#define FED_SIMULATE_PARTITION_ROWS_H

#include "simulate/partition.h"

#define FED__PARTITION_NOBODY UINT32_MAX /* in place of an example's client */

/* Room for so many rows; client_count is set. */
FED_MUST int fed__partition_allocate(struct fed__partition *partition, size_t row_count);

/* From each example's client to each client's examples, in ascending order. */
FED_MUST int fed__partition_collect(struct fed__partition *partition, const uint32_t *client_of);

#endif
