/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c: sum[i] += weight * grid[i], the loop that the server spends its time in. Limited by
 * memory for models larger than the cache.
 */
#include "aggregate/aggregate.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "grids are little-endian");

/* Integers as they lie in a message: at any address. */
typedef int8_t grid8 __attribute__((may_alias));
typedef int16_t grid16 __attribute__((aligned(1), may_alias));
typedef int32_t grid32 __attribute__((aligned(1), may_alias));

#if defined(__clang__)
#define VECTORISED
#else
#define VECTORISED __attribute__((optimize("O3"))) /* from where GCC vectorises such loops */
#endif

#define DEFINE_LOOP(name, bits, factor, target)                                                    \
  VECTORISED target static void name##bits(int64_t *restrict sum, const grid##bits *restrict grid, \
                                           size_t count, factor weight) {                          \
    for (size_t i = 0; i < count; i++) sum[i] += (int64_t)weight * grid[i];                        \
  }

#define DEFINE_FOLD(name, factor, target)                                                          \
  DEFINE_LOOP(name, 8, factor, target)                                                             \
  DEFINE_LOOP(name, 16, factor, target)                                                            \
  DEFINE_LOOP(name, 32, factor, target)                                                            \
  static void name(int64_t *sum, const void *grid, uint32_t grid_bits, size_t count,               \
                   factor weight) {                                                                \
    if (grid_bits == 8) name##8(sum, grid, count, weight);                                         \
    if (grid_bits == 16) name##16(sum, grid, count, weight);                                       \
    if (grid_bits == 32) name##32(sum, grid, count, weight);                                       \
  }

DEFINE_FOLD(fold_anywhere, int64_t, )

#if defined(__x86_64__)

/* Five times as fast in the cache (10,000 elements: 0.07 and 0.41 ns each, AMD EPYC 9005), 1.3
 * times out of it (bench/bench_fold.c): there is an instruction for products of 32-bit numbers, and
 * none for those of 64. AVX-512 is no faster out of it. Chosen by hand: what target_clones
 * generates crashes under the thread sanitizer. */
DEFINE_FOLD(fold_avx2, int32_t, __attribute__((target("avx2"))))

void fed__fold(int64_t *sum, const void *grid, uint32_t grid_bits, size_t count, int64_t weight) {
  if (weight >= INT32_MIN && weight <= INT32_MAX && __builtin_cpu_supports("avx2"))
    fold_avx2(sum, grid, grid_bits, count, (int32_t)weight);
  else
    fold_anywhere(sum, grid, grid_bits, count, weight);
}

#else

void fed__fold(int64_t *sum, const void *grid, uint32_t grid_bits, size_t count, int64_t weight) {
  fold_anywhere(sum, grid, grid_bits, count, weight);
}

#endif
