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

/* One copy of the loop a generation of processors, chosen when the program starts: 2 to 4 times as
 * fast as the plain copy in the cache, 1.1 to 1.3 times out of it (bench/bench_fold.c, AMD EPYC 9005).
 * GCC vectorises such loops only from -O3. */
#if !defined(__x86_64__)
#define FOR_EACH_CPU
#elif defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif

#define DEFINE_FOLD(bits)                                                                          \
  FOR_EACH_CPU static void fold##bits(int64_t *restrict sum, const grid##bits *restrict grid,      \
                                      size_t count, int64_t weight) {                              \
    for (size_t i = 0; i < count; i++) sum[i] += weight * grid[i];                                 \
  }
DEFINE_FOLD(8)
DEFINE_FOLD(16)
DEFINE_FOLD(32)

void fed__fold(int64_t *sum, const void *grid, uint32_t grid_bits, size_t count, int64_t weight) {
  if (grid_bits == 8) fold8(sum, grid, count, weight);
  if (grid_bits == 16) fold16(sum, grid, count, weight);
  if (grid_bits == 32) fold32(sum, grid, count, weight);
}
