/* SPDX-License-Identifier: Apache-2.0
 *
 * device.h: the made-up devices: what each is like, how long its work and its messages take on the
 * virtual clock, whether its answer ever comes. Pure functions of the job's seed, or of a trace:
 * none depends on what happened before.
 *
 * Memory: nothing for a device without a trace; with one, see device_trace.h and availability.h.
 */
#ifndef FED_SIMULATE_DEVICE_H
#define FED_SIMULATE_DEVICE_H

#include "simulate/availability.h"

#define FED__EVALUATIONS_PER_STEP 3 /* forward alone, beside forward, backward and update */

/* What a device is like. 0: no limit, takes no time. */
struct fed__device {
  double speed;                        /* examples a second */
  double memory;                       /* bytes */
  double bandwidth_down, bandwidth_up; /* bytes a second */
  double latency_s;
  double drop_out;
};

/* A row of a trace; what it does not say is negative. */
struct fed__device_row {
  struct fed__device device;
  double from_s, to_s; /* of each day; from after to: over midnight */
};

struct fed__devices {
  const struct fed_context *context;
  const struct fed__device_settings *settings;
  uint64_t seed;
  struct fed__device_row *rows; /* NULL: no trace */
  size_t row_count;
  uint32_t *row_of;                   /* by client */
  struct fed__intervals availability; /* `items` NULL: no such file */
};

struct fed__partition;

/* Reads the files that the settings name. The errors of device_trace.h; nothing to clear then. */
FED_MUST int fed__devices_init(struct fed__devices *devices, const struct fed_context *context,
                               const struct fed__job *job, const struct fed__partition *clients);
void fed__devices_clear(struct fed__devices *devices);

struct fed__device fed__device_of(const struct fed__devices *devices, uint32_t client);

/* Its memory alone, which is asked of everybody. */
double fed__device_memory(const struct fed__devices *devices, uint32_t client);

/* At most a thousand years each. */
int64_t fed__device_work_us(const struct fed__device *device, uint64_t trained_count,
                            uint64_t evaluated_count);
int64_t fed__device_down_us(const struct fed__device *device, uint64_t bytes);
int64_t fed__device_up_us(const struct fed__device *device, uint64_t bytes);

int fed__device_drops_out(const struct fed__devices *devices, const struct fed__device *device,
                          uint32_t client, uint64_t round, uint32_t attempt);

/* Is the client there at this time, and until when does it stay so? */
struct fed__presence fed__device_presence(const struct fed__devices *devices, uint32_t client,
                                          int64_t time_us);

/* In so long everybody who is ever there has been; 0: nobody ever leaves; INT64_MAX: it does not
 * repeat. */
int64_t fed__devices_period_us(const struct fed__devices *devices);

#endif
