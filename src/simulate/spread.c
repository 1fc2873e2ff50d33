/* SPDX-License-Identifier: Apache-2.0
 *
 * spread.c: mean, deviation, tenths and Jain's index, from one sort.
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
  spread->median = (values[(count - 1) / 2] + values[count / 2]) / 2;
  spread->highest = values[count - 1];
  spread->lowest_tenth = mean_of(values, tenth);
  spread->highest_tenth = mean_of(values + count - tenth, tenth);
  spread->jain = squares > 0 ? spread->mean * spread->mean * (double)count / squares : 1;
}
