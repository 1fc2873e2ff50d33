/* SPDX-License-Identifier: Apache-2.0
 *
 * spread.h: how a figure differs among the clients.
 */
#ifndef FED_SIMULATE_SPREAD_H
#define FED_SIMULATE_SPREAD_H

#include <stddef.h>

struct fed__spread {
  size_t count;
  double mean, deviation; /* the standard deviation, divided by the count */
  double lowest, p5, p25, median, p75, p95, highest;
  /* percentiles: between the two nearest of the sorted figures on a straight line, the p-th at
   * position p / 100 * (count - 1) from 0 (type 7 of Hyndman and Fan 1996; NumPy's and R's own) */
  double lowest_tenth, highest_tenth; /* the mean of the tenth of the clients (rounded up) that
                                         have the lowest (highest) figures */
  double jain;                        /* (sum x)^2 / (n sum x^2): 1 where all are equal, 1/n where
                                         one has everything (Jain, Chiu, Hawe 1984) */
};

/* Sorts the values. Zeros for a count of 0. */
void fed__spread_of(double *values, size_t count, struct fed__spread *spread);

#endif
