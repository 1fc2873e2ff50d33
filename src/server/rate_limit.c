/* SPDX-License-Identifier: Apache-2.0
 *
 * rate_limit.c: token buckets.
 */
#include "server/rate_limit.h"

int fed__bucket_take(struct fed__bucket *bucket, const struct fed__rate_limit *limit,
                     int64_t now_us) {
  const double refilled = (double)(now_us - bucket->updated_us) * 1e-6 * limit->per_s;
  bucket->used = bucket->used > refilled ? bucket->used - refilled : 0;
  bucket->updated_us = now_us;
  if (bucket->used + 1 > limit->burst) return 0;
  bucket->used++;
  return 1;
}
