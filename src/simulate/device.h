/* SPDX-License-Identifier: Apache-2.0
 *
 * device.h: the made-up devices: how long a task takes on the virtual clock, and whether its answer
 * ever comes. Pure functions of the job's seed: nothing is kept for a device, and none depends on
 * what happened before.
 */
#ifndef FED_SIMULATE_DEVICE_H
#define FED_SIMULATE_DEVICE_H

#include "job/job.h"

#define FED__EVALUATIONS_PER_STEP 3 /* forward alone, beside forward, backward and update */

/* A client's task, as far as time goes. */
struct fed__device_task {
  uint32_t client;
  uint64_t trained_count, evaluated_count; /* examples that go through the model */
  uint64_t down_bytes, up_bytes;
};

/* Log-normal among clients, with the mean that the settings say. */
double fed__device_speed(const struct fed__device_settings *device, uint64_t seed, uint32_t client);

/* From the server's answer with the task to the arrival of the client's: the model comes (latency,
 * bytes), the device works, the update goes (latency, bytes). At most a thousand years. */
int64_t fed__device_task_us(const struct fed__device_settings *device, uint64_t seed,
                            const struct fed__device_task *task);

int fed__device_drops_out(const struct fed__device_settings *device, uint64_t seed, uint32_t client,
                          uint64_t round, uint32_t attempt);

#endif
