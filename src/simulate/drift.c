/* SPDX-License-Identifier: Apache-2.0
 *
 * drift.c: distances of models; `mean` is a sum until the drift is finished.
 */
#include "simulate/drift.h"

#include <math.h>

#define LANES 8 /* independent sums, so that vectors need not change the order */

double fed__params_distance(const struct fed_params *a, const struct fed_params *b) {
  const float *left = fed_params_floats(a), *right = fed_params_floats(b);
  const size_t count = fed_params_elements(a), whole = count - count % LANES;
  double lanes[LANES] = {0}, sum = 0;
  for (size_t i = 0; i < whole; i += LANES)
    for (size_t k = 0; k < LANES; k++) {
      const double difference = (double)left[i + k] - (double)right[i + k];
      lanes[k] += difference * difference;
    }
  for (size_t i = whole; i < count; i++)
    sum += ((double)left[i] - (double)right[i]) * ((double)left[i] - (double)right[i]);
  for (size_t k = 0; k < LANES; k++) sum += lanes[k];
  return sqrt(sum);
}

void fed__drift_add(struct fed__drift *drift, double distance, double weight) {
  drift->count++;
  drift->mean += distance;
  drift->weighted_sum += weight * distance;
  drift->weight_sum += weight;
  drift->largest = fmax(drift->largest, distance);
}

void fed__drift_finish(struct fed__drift *drift, double step) {
  if (!drift->count) return;
  drift->mean /= (double)drift->count;
  drift->step = step;
  drift->agreement = drift->weighted_sum > 0 ? step * drift->weight_sum / drift->weighted_sum : 0;
}
