/* SPDX-License-Identifier: Apache-2.0
 *
 * device_trace.h: devices as they were observed, from CSV files: docs/simulate.md says what stands
 * in them. FED_E_NOT_FOUND, FED_E_IO; messages about the contents name file, line and column:
 * FED_E_MISSING, FED_E_INPUT (with the nearest name), FED_E_TYPE, FED_E_RANGE, FED_E_DUPLICATE,
 * FED_E_EMPTY, and what csv.h refuses.
 */
#ifndef FED_SIMULATE_DEVICE_TRACE_H
#define FED_SIMULATE_DEVICE_TRACE_H

#include "simulate/device.h"
#include "simulate/partition.h"

/* A row a device: `rows` and `row_of`. With a column `client` each client must have a row; without
 * one the rows are dealt by the seed, as evenly as it goes. Memory: 64 bytes a row, 4 a client. */
FED_MUST int fed__device_trace_read(struct fed__devices *devices,
                                    const struct fed__partition *clients);

/* When clients are there: `availability`. Names that are no client's are passed over. */
FED_MUST int fed__availability_trace_read(struct fed__devices *devices,
                                          const struct fed__partition *clients);

#endif
