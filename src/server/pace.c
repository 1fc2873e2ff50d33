/* SPDX-License-Identifier: Apache-2.0
 *
 * pace.c: pace steering: the server spreads or bunches check-ins (Bonawitz et al., "Towards
 * federated learning at scale", MLSys 2019, §2.3). A small federation waits in long polls and
 * comes back at once, so that rounds start immediately; a large one is spread so that about
 * check_ins_per_s come each second, with half of the interval as jitter.
 */
#include "server/server_state.h"

#define CHECK_INS_PER_S 200.0
#define IDLE_STRETCH 4.0 /* nothing to do: come this much more rarely */

uint32_t fed__pace_come_back_ms(uint32_t client_count, uint32_t parked_count, int job_running,
                                double draw) {
  if (client_count < FED__PARKED_MAX && parked_count < FED__PARKED_MAX)
    return (uint32_t)(draw * (job_running ? 20 : 1000));
  double interval_ms = 1000.0 * client_count / CHECK_INS_PER_S;
  if (!job_running) interval_ms *= IDLE_STRETCH;
  return (uint32_t)(interval_ms * (0.75 + 0.5 * draw));
}
