/* SPDX-License-Identifier: Apache-2.0
 *
 * rng.c: xoshiro256++ streams and the distributions that fed draws from.
 */
#include "base/rng.h"

#include <math.h>

static uint64_t splitmix64(uint64_t *state) {
  const uint64_t number = fed__rng_at(*state, 0);
  *state += 0x9e3779b97f4a7c15u;
  return number;
}

static uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

uint64_t fed__name_number(const char *text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *text; text++) hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
  return hash;
}

void fed__rng_init(struct fed_rng *rng, uint64_t seed, const char *stream, uint64_t first,
                   uint64_t second) {
  const uint64_t parts[4] = {seed, fed__name_number(stream), first, second};
  uint64_t state = 0;
  for (int i = 0; i < 4; i++) {
    state ^= parts[i];
    state = splitmix64(&state);
  }
  for (int i = 0; i < 4; i++) rng->state[i] = splitmix64(&state);
}

uint64_t fed__rng_key(uint64_t seed, const char *stream, uint64_t first, uint64_t second) {
  struct fed_rng rng;
  fed__rng_init(&rng, seed, stream, first, second);
  return rng.state[0];
}

uint64_t fed__rng_next(struct fed_rng *rng) {
  uint64_t *s = rng->state;
  const uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

uint64_t fed__rng_below(struct fed_rng *rng, uint64_t bound) {
  if (bound == 0) return 0;
  const uint64_t reject_below = (0 - bound) % bound;
  uint64_t draw;
  do draw = fed__rng_next(rng);
  while (draw < reject_below);
  return draw % bound;
}

double fed__rng_unit(struct fed_rng *rng) { return (double)(fed__rng_next(rng) >> 11) * 0x1p-53; }

double fed__rng_normal(struct fed_rng *rng) { /* polar method, Marsaglia and Bray 1964 */
  double u, v, s;
  do {
    u = 2 * fed__rng_unit(rng) - 1;
    v = 2 * fed__rng_unit(rng) - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  return u * sqrt(-2 * log(s) / s);
}

double fed__rng_gamma(struct fed_rng *rng, double shape) { /* Marsaglia and Tsang 2000 */
  if (shape < 1) return fed__rng_gamma(rng, shape + 1) * pow(fed__rng_unit(rng), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    const double x = fed__rng_normal(rng), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root, u = fed__rng_unit(rng);
    if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
  }
}

void fed__rng_shuffle(struct fed_rng *rng, uint32_t *items, size_t count) {
  for (size_t i = count; i > 1; i--) {
    const size_t j = (size_t)fed__rng_below(rng, i);
    const uint32_t kept = items[i - 1];
    items[i - 1] = items[j];
    items[j] = kept;
  }
}

void fed__rng_sample(struct fed_rng *rng, uint32_t *items, size_t count, size_t wanted) {
  for (size_t i = 0; i < wanted && i < count; i++) {
    const size_t j = i + (size_t)fed__rng_below(rng, count - i);
    const uint32_t kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
}

/* What lies at a place after so many swaps: moved[k] went to places[k] with the k-th. */
static uint32_t item_at(uint32_t place, const uint32_t *places, const uint32_t *moved,
                        size_t swaps) {
  while (swaps-- > 0)
    if (places[swaps] == place) return moved[swaps];
  return place;
}

void fed__rng_sample_ranks(struct fed_rng *rng, size_t count, size_t wanted, uint32_t *ranks) {
  uint32_t places[FED__RNG_RANKS_MAX], moved[FED__RNG_RANKS_MAX];
  for (size_t i = 0; i < wanted && i < count && i < FED__RNG_RANKS_MAX; i++) {
    places[i] = (uint32_t)(i + (size_t)fed__rng_below(rng, count - i));
    ranks[i] = item_at(places[i], places, moved, i);
    moved[i] = item_at((uint32_t)i, places, moved, i);
  }
}
