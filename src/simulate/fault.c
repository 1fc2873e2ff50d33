/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c: draws, and names.
 */
#include "simulate/fault.h"
#include "base/rng.h"

#include <stddef.h>
#include <string.h>

#define KIND(field)                                                                                \
  { offsetof(struct fed__fault_settings, field), "fault." #field, "fault." #field ".part" }

static const struct {
  size_t offset; /* of its probability */
  const char *stream, *part_stream;
} kinds[] = {[FED__FAULT_LOST] = KIND(lost),
             [FED__FAULT_DUPLICATED] = KIND(duplicated),
             [FED__FAULT_DELAYED] = KIND(delayed),
             [FED__FAULT_REORDERED] = KIND(reordered),
             [FED__FAULT_CLIENT_CRASH] = KIND(client_crash),
             [FED__FAULT_SERVER_CRASH] = KIND(server_crash),
             [FED__FAULT_SERVER_CRASH_WAITING] = KIND(server_crash_waiting)};

static double probability(const struct fed__fault_settings *settings, enum fed__fault fault) {
  double part;
  memcpy(&part, (const char *)settings + kinds[fault].offset, sizeof part);
  return part;
}

static double unit(uint64_t seed, const char *stream, uint64_t index) {
  return (double)(fed__rng_at(fed__rng_key(seed, stream, 0, 0), index) >> 11) * 0x1p-53;
}

int fed__fault_strikes(struct fed__faults *faults, enum fed__fault fault) {
  const double part = probability(faults->settings, fault);
  return part > 0 && unit(faults->seed, kinds[fault].stream, faults->drawn[fault]++) < part;
}

double fed__fault_part(struct fed__faults *faults, enum fed__fault fault) {
  return unit(faults->seed, kinds[fault].part_stream, faults->drawn[fault]);
}

uint32_t fed__fault_server_crash(struct fed__faults *faults, uint32_t wanted) {
  if (!fed__fault_strikes(faults, FED__FAULT_SERVER_CRASH)) return UINT32_MAX;
  return (uint32_t)(fed__fault_part(faults, FED__FAULT_SERVER_CRASH) * ((double)wanted + 1));
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
