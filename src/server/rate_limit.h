/* SPDX-License-Identifier: Apache-2.0
 *
 * rate_limit.h: how often a client may ask: a bucket of tokens that fills at a steady rate, one
 * token a request. Generous enough that no well-behaved agent meets it; it bounds what a broken
 * or hostile one can cost.
 */
#ifndef FED_RATE_LIMIT_H
#define FED_RATE_LIMIT_H

#include <stdint.h>

struct fed__rate_limit {
  double per_s, burst;
};

struct fed__bucket {
  double used; /* tokens taken and not yet refilled: 0 is a full bucket */
  int64_t updated_us;
};

/* Take a token at a time of the monotonic clock. 0: there is none left. */
int fed__bucket_take(struct fed__bucket *bucket, const struct fed__rate_limit *limit,
                     int64_t now_us);

#endif
