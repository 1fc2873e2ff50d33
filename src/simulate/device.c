/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c: times and drop-outs from named streams of the seed.
 */
#include "simulate/device.h"
#include "base/rng.h"

#include <math.h>

#define TASK_S_MAX 3.2e10

double fed__device_speed(const struct fed__device_settings *device, uint64_t seed,
                         uint32_t client) {
  const double spread = device->speed_spread;
  struct fed_rng rng;
  if (spread == 0) return device->speed;
  fed__rng_init(&rng, seed, "device.speed", client, 0);
  return device->speed * exp(spread * fed__rng_normal(&rng) - spread * spread / 2);
}

int64_t fed__device_task_us(const struct fed__device_settings *device, uint64_t seed,
                            const struct fed__device_task *task) {
  double seconds = 2 * device->latency_s;
  if (device->bandwidth)
    seconds += (double)(task->down_bytes + task->up_bytes) / (double)device->bandwidth;
  if (device->speed > 0)
    seconds +=
        ((double)task->trained_count + (double)task->evaluated_count / FED__EVALUATIONS_PER_STEP) /
        fed__device_speed(device, seed, task->client);
  return (int64_t)(fmin(seconds, TASK_S_MAX) * 1e6);
}

int fed__device_drops_out(const struct fed__device_settings *device, uint64_t seed, uint32_t client,
                          uint64_t round, uint32_t attempt) {
  if (device->drop_out == 0) return 0;
  const uint64_t drawn = fed__rng_at(fed__rng_key(seed, "device.drop_out", round, attempt), client);
  return (double)(drawn >> 11) * 0x1p-53 < device->drop_out;
}
