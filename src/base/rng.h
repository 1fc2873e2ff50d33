/* SPDX-License-Identifier: Apache-2.0
 *
 * rng.h: seeded, repeatable randomness in named streams. Not for secrets: those come from the
 * context's entropy.
 *
 * A stream is named by what it is for and by up to two numbers (round, client …); streams with
 * different names or numbers are independent, so a new use of randomness never shifts another.
 * xoshiro256++ seeded by SplitMix64 (Blackman and Vigna, https://prng.di.unimi.it).
 */
#ifndef FED_BASE_RNG_H
#define FED_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct fed_rng {
  uint64_t state[4];
};

void fed__rng_init(struct fed_rng *rng, uint64_t seed, const char *stream, uint64_t first,
                   uint64_t second);
uint64_t fed__rng_next(struct fed_rng *rng);
uint64_t fed__rng_below(struct fed_rng *rng, uint64_t bound); /* uniform in [0, bound), unbiased */
double fed__rng_unit(struct fed_rng *rng);                    /* uniform in [0, 1) */
double fed__rng_normal(struct fed_rng *rng);                  /* mean 0, variance 1 */
double fed__rng_gamma(struct fed_rng *rng, double shape);     /* scale 1; shape > 0 */
/* Bring `wanted` of the items, drawn without replacement, to the front; the others stay behind. */
void fed__rng_sample(struct fed_rng *rng, uint32_t *items, size_t count, size_t wanted);
/* The same of the items 0 … count-1, which are nowhere: those drawn into `ranks`. At most
 * FED__RNG_RANKS_MAX of them; O(wanted^2). */
#define FED__RNG_RANKS_MAX 64
void fed__rng_sample_ranks(struct fed_rng *rng, size_t count, size_t wanted, uint32_t *ranks);
void fed__rng_shuffle(struct fed_rng *rng, uint32_t *items, size_t count);

/* Random numbers by index, without a state: the `index`-th of the stream with this key (the outputs
 * of SplitMix64 that starts from the key). For what has to be drawn again, or in any order. */
uint64_t fed__rng_key(uint64_t seed, const char *stream, uint64_t first, uint64_t second);

static inline uint64_t fed__rng_at(uint64_t key, uint64_t index) {
  uint64_t z = key + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* A 64-bit hash of text (FNV-1a), to turn a name into a number of a stream. Not for secrets. */
uint64_t fed__name_number(const char *text);

#endif
