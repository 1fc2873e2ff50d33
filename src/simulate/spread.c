/* SPDX-License-Identifier: Apache-2.0
 *
 * spread.c: mean, deviation, percentiles, tenths and Jain's index, from one sort.
 */
#include "simulate/spread.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double mean_of(const double *values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return sum / (double)count;
}

static double percentile(const double *values, size_t count, double share) {
  const double position = share * (double)(count - 1);
  const size_t below = (size_t)position;
  if (below + 1 >= count) return values[count - 1];
  return values[below] + (position - (double)below) * (values[below + 1] - values[below]);
}

void fed__spread_of(double *values, size_t count, struct fed__spread *spread) {
  double squares = 0, distances = 0;
  *spread = (struct fed__spread){.count = count};
  if (count == 0) return;
  qsort(values, count, sizeof values[0], compare);
  const size_t tenth = (count + 9) / 10;
  spread->mean = mean_of(values, count);
  for (size_t i = 0; i < count; i++) {
    squares += values[i] * values[i];
    distances += (values[i] - spread->mean) * (values[i] - spread->mean);
  }
  spread->deviation = sqrt(distances / (double)count);
  spread->lowest = values[0];
  spread->p5 = percentile(values, count, 0.05);
  spread->p25 = percentile(values, count, 0.25);
  spread->median = percentile(values, count, 0.5);
  spread->p75 = percentile(values, count, 0.75);
  spread->p95 = percentile(values, count, 0.95);
  spread->highest = values[count - 1];
  spread->lowest_tenth = mean_of(values, tenth);
  spread->highest_tenth = mean_of(values + count - tenth, tenth);
  spread->jain = squares > 0 ? spread->mean * spread->mean * (double)count / squares : 1;
}
