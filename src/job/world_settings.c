/* SPDX-License-Identifier: Apache-2.0
 *
 * world_settings.c: what simulated devices are like, and what goes wrong: settings and their rules.
 */
#include "base/raise.h"
#include "job/simulate_section.h"

#define AT(field) .offset = offsetof(struct fed__job, simulate.field)
#define DAY_S 86400
#define YEAR_S (365.0 * DAY_S)

static const char *const distributions[] = {
    [FED__DEVICE_LOG_NORMAL] = "log_normal", [FED__DEVICE_UNIFORM] = "uniform", NULL};

const struct fed__setting fed__simulate_device_settings[] = {
    {"distribution", FED__SETTING_WORD, AT(device.distribution), .initial = "log_normal",
     .words = distributions,
     .meaning = "of what has a spread. log_normal: the spread is the standard deviation of the "
                "logarithm; uniform: figures lie within mean * (1 - spread) and mean * (1 + "
                "spread)"},
    {"speed", FED__SETTING_NUMBER, AT(device.speed), .initial = "0", .maximum = 1e12,
     .unit = "examples/s",
     .meaning = "that a device trains on; evaluation is three times as fast; 0: takes no time"},
    {"speed_spread", FED__SETTING_NUMBER, AT(device.speed_spread), .initial = "0", .maximum = 10,
     .meaning = "how the speed differs among the devices; 0: not at all"},
    {"memory", FED__SETTING_SIZE, AT(device.memory), .initial = "0 B", .unit = "bytes",
     .meaning = "for training; a device with less than it takes is left out; 0: always enough"},
    {"memory_spread", FED__SETTING_NUMBER, AT(device.memory_spread), .initial = "0", .maximum = 10,
     .meaning = "how the memory differs"},
    {"bandwidth_down", FED__SETTING_SIZE, AT(device.bandwidth_down), .initial = "0 B",
     .unit = "bytes/s", .meaning = "from the server to the device; 0: takes no time"},
    {"bandwidth_up", FED__SETTING_SIZE, AT(device.bandwidth_up), .initial = "0 B",
     .unit = "bytes/s", .meaning = "from the device to the server; 0: takes no time"},
    {"bandwidth_spread", FED__SETTING_NUMBER, AT(device.bandwidth_spread), .initial = "0",
     .maximum = 10, .meaning = "how the bandwidth differs, each way by the same factor"},
    {"latency", FED__SETTING_DURATION, AT(device.latency_s), .initial = "0 s", .maximum = DAY_S,
     .unit = "s", .meaning = "of each message"},
    {"latency_spread", FED__SETTING_NUMBER, AT(device.latency_spread), .initial = "0",
     .maximum = 10, .meaning = "how the latency differs"},
    {"available", FED__SETTING_NUMBER, AT(device.available), .initial = "1", .above = 1,
     .maximum = 1, .meaning = "the part of each day in which a device is there, at a stretch"},
    {"available_at", FED__SETTING_DURATION, AT(device.available_at_s), .initial = "0 s",
     .maximum = DAY_S, .unit = "s",
     .meaning = "the middle of that stretch: a time of day; the run begins at midnight"},
    {"available_within", FED__SETTING_DURATION, AT(device.available_within_s), .initial = "24 h",
     .maximum = DAY_S, .unit = "s",
     .meaning = "the devices' middles are spread evenly over so long; 24 h: over the whole day"},
    {"drop_out", FED__SETTING_NUMBER, AT(device.drop_out), .initial = "0", .maximum = 1, .below = 1,
     .meaning = "the part of tasks from which no answer comes"},
    {"trace", FED__SETTING_TEXT, AT(device.trace), .minimum = 1,
     .meaning = "a CSV file with a row for each device, relative to the working folder"},
    {"availability", FED__SETTING_TEXT, AT(device.availability), .minimum = 1,
     .meaning = "a CSV file with the columns client, from and to, in seconds of the run: when who "
                "is there"},
    {"availability_repeats", FED__SETTING_DURATION, AT(device.availability_repeats_s),
     .initial = "0 s", .maximum = YEAR_S, .unit = "s",
     .meaning = "that file's intervals begin again after so long; 0: they do not"},
    {NULL}};

const struct fed__setting fed__simulate_fault_settings[] = {
    {"lost", FED__SETTING_NUMBER, AT(faults.lost), .initial = "0", .maximum = 1, .below = 1,
     .meaning = "the part of messages that do not arrive; the client sends or asks again"},
    {"resend", FED__SETTING_DURATION, AT(faults.resend_s), .initial = "10 s", .minimum = 0.001,
     .maximum = DAY_S, .unit = "s", .meaning = "the wait before that"},
    {"duplicated", FED__SETTING_NUMBER, AT(faults.duplicated), .initial = "0", .maximum = 1,
     .meaning = "the part of answers that arrive twice, the second time up to `delay` later"},
    {"delayed", FED__SETTING_NUMBER, AT(faults.delayed), .initial = "0", .maximum = 1,
     .meaning = "the part of messages that take up to `delay` longer"},
    {"reordered", FED__SETTING_NUMBER, AT(faults.reordered), .initial = "0", .maximum = 1,
     .meaning = "the part of answers that let the next one pass, if it is at most `delay` behind"},
    {"delay", FED__SETTING_DURATION, AT(faults.delay_s), .initial = "1 s", .maximum = DAY_S,
     .unit = "s", .meaning = "the longest; each is drawn uniformly"},
    {"client_crash", FED__SETTING_NUMBER, AT(faults.client_crash), .initial = "0", .maximum = 1,
     .below = 1, .meaning = "the part of tasks in whose middle the client crashes"},
    {"client_restart", FED__SETTING_DURATION, AT(faults.client_restart_s), .initial = "1 min",
     .minimum = 0.001, .maximum = DAY_S, .unit = "s", .meaning = "until it is back"},
    {"server_crash", FED__SETTING_NUMBER, AT(faults.server_crash), .initial = "0", .maximum = 1,
     .below = 1, .meaning = "the part of attempts at a round in which the server crashes"},
    {"server_crash_waiting", FED__SETTING_NUMBER, AT(faults.server_crash_waiting), .initial = "0",
     .maximum = 1, .below = 1,
     .meaning = "the part of waits without an open round in which the server crashes"},
    {"server_restart", FED__SETTING_DURATION, AT(faults.server_restart_s), .initial = "1 min",
     .maximum = DAY_S, .unit = "s", .meaning = "until it is back"},
    {NULL}};

static int check_spread(const struct fed__yaml *yaml, const char *path, double spread) {
  if (spread < 1) return FED_OK;
  return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, path), FED_E_RANGE,
                         "'%s': with 'distribution: uniform' a spread is below 1, found %g", path,
                         spread);
}

static int check_spreads(const struct fed__device_settings *device, const struct fed__yaml *yaml) {
  if (device->distribution != FED__DEVICE_UNIFORM) return FED_OK;
  FED_TRY(check_spread(yaml, "simulate.device.speed_spread", device->speed_spread));
  FED_TRY(check_spread(yaml, "simulate.device.memory_spread", device->memory_spread));
  FED_TRY(check_spread(yaml, "simulate.device.bandwidth_spread", device->bandwidth_spread));
  return check_spread(yaml, "simulate.device.latency_spread", device->latency_spread);
}

/* A spread of what is 0 would do nothing. A trace may say it in its place. */
static int check_mean(const struct fed__yaml *yaml, const char *spread_path, double spread,
                      const char *path, double mean) {
  if (spread == 0 || mean > 0) return FED_OK;
  return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, spread_path), FED_E_INPUT,
                         "'%s' spreads '%s', which is 0: set that, or leave the spread out",
                         spread_path, path);
}

static int check_means(const struct fed__device_settings *device, const struct fed__yaml *yaml) {
  if (device->trace) return FED_OK;
  FED_TRY(check_mean(yaml, "simulate.device.speed_spread", device->speed_spread,
                     "simulate.device.speed", device->speed));
  FED_TRY(check_mean(yaml, "simulate.device.memory_spread", device->memory_spread,
                     "simulate.device.memory", (double)device->memory));
  FED_TRY(check_mean(yaml, "simulate.device.bandwidth_spread", device->bandwidth_spread,
                     "simulate.device.bandwidth_up",
                     (double)device->bandwidth_up + (double)device->bandwidth_down));
  return check_mean(yaml, "simulate.device.latency_spread", device->latency_spread,
                    "simulate.device.latency", device->latency_s);
}

int fed__simulate_world_check(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__device_settings *device = &job->simulate.device;
  FED_TRY(check_spreads(device, yaml));
  FED_TRY(check_means(device, yaml));
  if (device->availability_repeats_s > 0 && !device->availability)
    return FED__YAML_RAISE(
        yaml, fed__yaml_nearest(yaml, "simulate.device.availability_repeats"), FED_E_INPUT,
        "'%s' repeats '%s', which is missing: the file that says when devices are there",
        "simulate.device.availability_repeats", "simulate.device.availability");
  if (device->availability && device->available < 1)
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.device.available"), FED_E_INPUT,
                           "'%s' and '%s' both say when devices are there: leave one out",
                           "simulate.device.available", "simulate.device.availability");
  return FED_OK;
}
