/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c: figures from named streams of the seed, or from the client's row of the trace.
 */
#include "simulate/device.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "simulate/device_trace.h"

#include <math.h>

#define SECONDS_MAX 3.2e10

/* ---- what a device is like ------------------------------------------------------------------ */

/* By what the mean is multiplied; 1 on average. */
static double factor(const struct fed__devices *devices, const char *stream, uint32_t client,
                     double spread) {
  struct fed_rng rng;
  if (spread == 0) return 1;
  fed__rng_init(&rng, devices->seed, stream, client, 0);
  if (devices->settings->distribution == FED__DEVICE_UNIFORM)
    return 1 + spread * (2 * fed__rng_unit(&rng) - 1);
  return exp(spread * fed__rng_normal(&rng) - spread * spread / 2);
}

static double draw(const struct fed__devices *devices, const char *stream, uint32_t client,
                   double mean, double spread) {
  return mean > 0 ? mean * factor(devices, stream, client, spread) : 0;
}

static double draw_memory(const struct fed__devices *devices, uint32_t client) {
  const struct fed__device_settings *settings = devices->settings;
  return draw(devices, "device.memory", client, (double)settings->memory, settings->memory_spread);
}

static struct fed__device draw_device(const struct fed__devices *devices, uint32_t client) {
  const struct fed__device_settings *settings = devices->settings;
  const double wide = factor(devices, "device.bandwidth", client, settings->bandwidth_spread);
  return (struct fed__device){
      .speed = draw(devices, "device.speed", client, settings->speed, settings->speed_spread),
      .memory =
          draw(devices, "device.memory", client, (double)settings->memory, settings->memory_spread),
      .bandwidth_down = (double)settings->bandwidth_down * wide,
      .bandwidth_up = (double)settings->bandwidth_up * wide,
      .latency_s =
          draw(devices, "device.latency", client, settings->latency_s, settings->latency_spread),
      .drop_out = settings->drop_out};
}

static void replace(double *figure, double traced) {
  if (traced >= 0) *figure = traced;
}

struct fed__device fed__device_of(const struct fed__devices *devices, uint32_t client) {
  struct fed__device device = draw_device(devices, client);
  if (devices->rows) {
    const struct fed__device *row = &devices->rows[devices->row_of[client]].device;
    replace(&device.speed, row->speed);
    replace(&device.memory, row->memory);
    replace(&device.bandwidth_down, row->bandwidth_down);
    replace(&device.bandwidth_up, row->bandwidth_up);
    replace(&device.latency_s, row->latency_s);
    replace(&device.drop_out, row->drop_out);
  }
  return device;
}

double fed__device_memory(const struct fed__devices *devices, uint32_t client) {
  const double traced = devices->rows ? devices->rows[devices->row_of[client]].device.memory : -1;
  return traced >= 0 ? traced : draw_memory(devices, client);
}

/* ---- what it takes -------------------------------------------------------------------------- */

static int64_t to_us(double seconds) { return (int64_t)(fmin(seconds, SECONDS_MAX) * 1e6); }

int64_t fed__device_work_us(const struct fed__device *device, uint64_t trained_count,
                            uint64_t evaluated_count) {
  const double steps = (double)trained_count + (double)evaluated_count / FED__EVALUATIONS_PER_STEP;
  return device->speed > 0 ? to_us(steps / device->speed) : 0;
}

static int64_t message_us(const struct fed__device *device, uint64_t bytes, double bandwidth) {
  return to_us(device->latency_s + (bandwidth > 0 ? (double)bytes / bandwidth : 0));
}

int64_t fed__device_down_us(const struct fed__device *device, uint64_t bytes) {
  return message_us(device, bytes, device->bandwidth_down);
}

int64_t fed__device_up_us(const struct fed__device *device, uint64_t bytes) {
  return message_us(device, bytes, device->bandwidth_up);
}

int fed__device_drops_out(const struct fed__devices *devices, const struct fed__device *device,
                          uint32_t client, uint64_t round, uint32_t attempt) {
  if (device->drop_out == 0) return 0;
  const uint64_t drawn =
      fed__rng_at(fed__rng_key(devices->seed, "device.drop_out", round, attempt), client);
  return (double)(drawn >> 11) * 0x1p-53 < device->drop_out;
}

/* ---- when it is there ----------------------------------------------------------------------- */

static struct fed__presence presence_of_row(const struct fed__device_row *row, int64_t time_us) {
  const double length_s = row->to_s - row->from_s;
  const int64_t length_us = (int64_t)llround((length_s > 0 ? length_s : length_s + 86400) * 1e6);
  return fed__presence_daily((int64_t)llround(row->from_s * 1e6), length_us, time_us);
}

struct fed__presence fed__device_presence(const struct fed__devices *devices, uint32_t client,
                                          int64_t time_us) {
  const struct fed__device_settings *settings = devices->settings;
  if (devices->availability.items) return fed__presence_in(&devices->availability, client, time_us);
  if (devices->rows && devices->rows[devices->row_of[client]].from_s >= 0)
    return presence_of_row(&devices->rows[devices->row_of[client]], time_us);
  if (settings->available == 1) return (struct fed__presence){1, INT64_MAX};
  const uint64_t drawn = fed__rng_at(fed__rng_key(devices->seed, "device.available", 0, 0), client);
  const double middle_s = settings->available_at_s +
                          ((double)(drawn >> 11) * 0x1p-53 - 0.5) * settings->available_within_s;
  const double length_s = settings->available * 86400;
  return fed__presence_daily((int64_t)llround((middle_s - length_s / 2) * 1e6),
                             (int64_t)llround(length_s * 1e6), time_us);
}

int64_t fed__devices_period_us(const struct fed__devices *devices) {
  if (devices->availability.items)
    return devices->availability.repeats_us ? devices->availability.repeats_us : INT64_MAX;
  return devices->rows || devices->settings->available < 1 ? FED__DAY_US : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int check_availability(const struct fed__devices *devices) {
  for (size_t i = 0; i < devices->row_count; i++)
    if (devices->rows[i].from_s >= 0)
      return FED_RAISE(FED_E_INPUT,
                       "'%s' (available_from, available_to) and '%s' both say when devices are "
                       "there: leave one out",
                       devices->settings->trace, devices->settings->availability);
  return FED_OK;
}

int fed__devices_init(struct fed__devices *devices, const struct fed_context *context,
                      const struct fed__job *job, const struct fed__partition *clients) {
  *devices = (struct fed__devices){
      .context = context, .settings = &job->simulate.device, .seed = job->seed};
  int code = FED_OK;
  if (job->simulate.device.trace) code = fed__device_trace_read(devices, clients);
  if (code == FED_OK && job->simulate.device.availability) {
    code = check_availability(devices);
    if (code == FED_OK) code = fed__availability_trace_read(devices, clients);
  }
  if (code != FED_OK) fed__devices_clear(devices);
  return code;
}

void fed__devices_clear(struct fed__devices *devices) {
  if (!devices->context) return;
  fed__free(devices->context, devices->rows);
  fed__free(devices->context, devices->row_of);
  fed__intervals_clear(devices->context, &devices->availability);
  *devices = (struct fed__devices){0};
}
