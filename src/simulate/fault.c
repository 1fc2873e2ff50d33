/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c: draws, and names.
 */
#include "simulate/fault.h"
#include "base/rng.h"

static const char *const streams[][2] = {
    [FED__FAULT_LOST] = {"fault.lost", "fault.lost.part"},
    [FED__FAULT_DUPLICATED] = {"fault.duplicated", "fault.duplicated.part"},
    [FED__FAULT_DELAYED] = {"fault.delayed", "fault.delayed.part"},
    [FED__FAULT_REORDERED] = {"fault.reordered", "fault.reordered.part"},
    [FED__FAULT_CLIENT_CRASH] = {"fault.client_crash", "fault.client_crash.part"}};

static double probability(const struct fed__fault_settings *settings, enum fed__fault fault) {
  switch (fault) {
  case FED__FAULT_LOST:
    return settings->lost;
  case FED__FAULT_DUPLICATED:
    return settings->duplicated;
  case FED__FAULT_DELAYED:
    return settings->delayed;
  case FED__FAULT_REORDERED:
    return settings->reordered;
  case FED__FAULT_CLIENT_CRASH:
    return settings->client_crash;
  case FED__FAULT_COUNT:
    break;
  }
  return 0;
}

static double unit(uint64_t seed, const char *stream, uint64_t index) {
  return (double)(fed__rng_at(fed__rng_key(seed, stream, 0, 0), index) >> 11) * 0x1p-53;
}

int fed__fault_strikes(struct fed__faults *faults, enum fed__fault fault) {
  const double part = probability(faults->settings, fault);
  return part > 0 && unit(faults->seed, streams[fault][0], faults->drawn[fault]++) < part;
}

double fed__fault_part(struct fed__faults *faults, enum fed__fault fault) {
  return unit(faults->seed, streams[fault][1], faults->drawn[fault]);
}

uint32_t fed__fault_server_crash(const struct fed__faults *faults, uint64_t round, uint32_t attempt,
                                 uint32_t wanted) {
  struct fed_rng rng;
  if (faults->settings->server_crash == 0) return UINT32_MAX;
  fed__rng_init(&rng, faults->seed, "fault.server_crash", round, attempt);
  if (fed__rng_unit(&rng) >= faults->settings->server_crash) return UINT32_MAX;
  return (uint32_t)fed__rng_below(&rng, (uint64_t)wanted + 1);
}

const char *fed__trouble_name(enum fed__trouble trouble) {
  static const char *const names[] = {[FED__TROUBLE_LATE] = "late",
                                      [FED__TROUBLE_REPEATED] = "repeated",
                                      [FED__TROUBLE_LOST] = "lost",
                                      [FED__TROUBLE_DELAYED] = "delayed",
                                      [FED__TROUBLE_REORDERED] = "reordered",
                                      [FED__TROUBLE_DROPPED_OUT] = "dropped_out",
                                      [FED__TROUBLE_WENT_AWAY] = "went_away",
                                      [FED__TROUBLE_CLIENT_CRASH] = "client_crashes",
                                      [FED__TROUBLE_SERVER_CRASH] = "server_crashes"};
  return names[trouble];
}
