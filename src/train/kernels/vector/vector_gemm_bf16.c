/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_gemm_bf16.c: matrix products whose operands are rounded to bfloat16 (to nearest, ties to
 * even) and summed in float32, with AVX-512-BF16: two products a lane and instruction.
 *
 * The instruction takes pairs along the inner dimension, so both operands are packed on the stack
 * into rows of pairs: element p of a row belongs to the products 2p and 2p + 1. The sums' order
 * depends on the shapes alone.
 */
#if defined(__x86_64__) && defined(__AVX512BF16__)
#include "train/kernels/vector/vector_gemm.h"

#include <immintrin.h>
#include <string.h>

#define PAIRS 128  /* of the inner dimension, a block */
#define WIDTH 32   /* columns of c, a panel */
#define HEIGHT 112 /* rows of c, a block */
#define ROWS 14    /* of a tile */
#define LANES 16

typedef uint32_t pair; /* two bfloat16, the first in the low half */

static __mmask16 mask_of(int64_t count) {
  return count >= LANES ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

static int64_t at_most(int64_t value, int64_t most) { return value < most ? value : most; }

/* Two vectors of floats as one of pairs: (low[i], high[i]). */
static inline __m512i make_pairs(__m512 low, __m512 high) {
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, both);
}

/* By squares of 1, 2, 4 and 8 numbers. */
static inline void transpose(__m512i *v) {
  __m512i t[16];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      v[4 * i + 2 * j] = _mm512_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
      v[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
    }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++) {
      t[8 * i + j] = _mm512_shuffle_i32x4(v[8 * i + j], v[8 * i + 4 + j], 0x88);
      t[8 * i + 4 + j] = _mm512_shuffle_i32x4(v[8 * i + j], v[8 * i + 4 + j], 0xdd);
    }
  for (int j = 0; j < 8; j++) {
    v[j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0x88);
    v[8 + j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0xdd);
  }
}

/* An operand as it lies: its element (line, depth) is data[line * stride + depth], or with
 * `across` data[depth * stride + line]. */
struct operand {
  const float *data;
  int64_t stride;
  int across;
};

static void pack_across(struct operand from, int64_t lines, int64_t depth, pair *to,
                        int64_t to_row) {
  for (int64_t p = 0; 2 * p < depth; p++)
    for (int64_t line = 0; line < to_row; line += LANES) {
      const __mmask16 mask = mask_of(lines - line);
      const float *low = from.data + 2 * p * from.stride + line;
      const __m512 a = _mm512_maskz_loadu_ps(mask, low);
      const __m512 b = _mm512_maskz_loadu_ps(2 * p + 1 < depth ? mask : 0, low + from.stride);
      _mm512_storeu_si512(to + p * to_row + line, make_pairs(a, b));
    }
}

static void pack_along(struct operand from, int64_t lines, int64_t depth, pair *to,
                       int64_t to_row) {
  for (int64_t level = 0; level < depth; level += 2 * LANES)
    for (int64_t line = 0; line < to_row; line += LANES) {
      __m512i v[LANES];
      for (int i = 0; i < LANES; i++) {
        const int there = line + i < lines;
        const float *at = from.data + (there ? (line + i) * from.stride + level : 0);
        const __m512 a = _mm512_maskz_loadu_ps(there ? mask_of(depth - level) : 0, at);
        const __m512 b =
            _mm512_maskz_loadu_ps(there ? mask_of(depth - level - LANES) : 0, at + LANES);
        v[i] = (__m512i)_mm512_cvtne2ps_pbh(b, a);
      }
      transpose(v);
      for (int i = 0; i < LANES && level + 2 * i < depth; i++)
        _mm512_storeu_si512(to + (level / 2 + i) * to_row + line, v[i]);
    }
}

/* Rows of `to_row` pairs (a multiple of LANES), zeros beyond the lines that there are. */
static void pack_block(struct operand from, int64_t lines, int64_t depth, pair *to,
                       int64_t to_row) {
  if (from.across)
    pack_across(from, lines, depth, to, to_row);
  else
    pack_along(from, lines, depth, to, to_row);
}

static struct operand part(struct operand whole, int64_t line, int64_t depth) {
  whole.data += whole.across ? depth * whole.stride + line : line * whole.stride + depth;
  return whole;
}

struct tile {
  const pair *a, *b;
  float *c;
  int64_t a_row, c_row, pairs, columns;
  float alpha, beta;
};

static inline __attribute__((always_inline)) void run_rows(const struct tile *tile,
                                                           const int rows) {
  __m512 sum[ROWS][2];
  for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  const pair *a = tile->a, *b = tile->b;
  for (int64_t p = 0; p < tile->pairs; p++, a += tile->a_row, b += WIDTH) {
    const __m512bh b0 = (__m512bh)_mm512_loadu_si512(b);
    const __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + LANES);
    _Pragma("GCC unroll 14") for (int i = 0; i < rows; i++) {
      const __m512bh factor = (__m512bh)_mm512_set1_epi32((int)a[i]);
      sum[i][0] = _mm512_dpbf16_ps(sum[i][0], factor, b0);
      sum[i][1] = _mm512_dpbf16_ps(sum[i][1], factor, b1);
    }
  }
  const __m512 alpha = _mm512_set1_ps(tile->alpha), beta = _mm512_set1_ps(tile->beta);
  _Pragma("GCC unroll 14") for (int i = 0; i < rows; i++) for (int j = 0; j < 2; j++) {
    const __mmask16 mask = mask_of(tile->columns - j * LANES);
    float *c = tile->c + i * tile->c_row + j * LANES;
    __m512 value = _mm512_mul_ps(alpha, sum[i][j]);
    if (tile->beta != 0) value = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask, c), value);
    _mm512_mask_storeu_ps(c, mask, value);
  }
}

#define ROW_CASE(count)                                                                            \
  case count:                                                                                      \
    run_rows(&tile, count);                                                                        \
    break;

static void run_panel(struct tile tile, int64_t rows) {
  while (rows > 0) {
    const int64_t tiles = (rows + ROWS - 1) / ROWS, height = (rows + tiles - 1) / tiles;
    switch (height) {
      ROW_CASE(1)
      ROW_CASE(2)
      ROW_CASE(3)
      ROW_CASE(4)
      ROW_CASE(5)
      ROW_CASE(6)
      ROW_CASE(7)
      ROW_CASE(8)
      ROW_CASE(9)
      ROW_CASE(10)
      ROW_CASE(11)
      ROW_CASE(12)
      ROW_CASE(13)
      ROW_CASE(14)
    }
    tile.a += height;
    tile.c += height * tile.c_row;
    rows -= height;
  }
}

static struct operand operand_a(const struct fed_gemm *shape, const void *a) {
  return (struct operand){a, shape->lda, shape->transpose_a};
}

static struct operand operand_b(const struct fed_gemm *shape, const void *b) {
  return (struct operand){b, shape->ldb, !shape->transpose_b};
}

static void scale_only(const struct fed_gemm *shape, float *c) {
  for (int64_t i = 0; i < shape->m; i++)
    for (int64_t j = 0; j < shape->n; j++)
      c[i * shape->ldc + j] = shape->beta == 0 ? 0 : (float)shape->beta * c[i * shape->ldc + j];
}

/* One block of a's rows and of depth; b from its own memory, or packed by panels of all its depth.
 */
static void run_block(const struct fed_gemm *shape, const void *a, const void *b,
                      const pair *packed, float *c, int64_t row, int64_t level) {
  _Alignas(64) pair a_block[PAIRS * HEIGHT], b_panel[PAIRS * WIDTH];
  const int64_t rows = at_most(shape->m - row, HEIGHT);
  const int64_t depth = at_most(shape->k - level, 2 * PAIRS);
  const int64_t a_row = (rows + LANES - 1) / LANES * LANES, all_pairs = (shape->k + 1) / 2;
  pack_block(part(operand_a(shape, a), row, level), rows, depth, a_block, a_row);
  for (int64_t column = 0; column < shape->n; column += WIDTH) {
    struct tile tile = {.a = a_block,
                        .b = b_panel,
                        .c = c + row * shape->ldc + column,
                        .a_row = a_row,
                        .c_row = shape->ldc,
                        .pairs = (depth + 1) / 2,
                        .columns = at_most(shape->n - column, WIDTH),
                        .alpha = (float)shape->alpha,
                        .beta = level ? 1 : (float)shape->beta};
    if (packed)
      tile.b = packed + column * all_pairs + level / 2 * WIDTH;
    else
      pack_block(part(operand_b(shape, b), column, level), tile.columns, depth, b_panel, WIDTH);
    run_panel(tile, rows);
  }
}

static void run_all(const struct fed_gemm *shape, const void *a, const void *b, const pair *packed,
                    float *c) {
  if (shape->k == 0) scale_only(shape, c);
  for (int64_t level = 0; level < shape->k; level += 2 * PAIRS)
    for (int64_t row = 0; row < shape->m; row += HEIGHT)
      run_block(shape, a, b, packed, c, row, level);
}

static void gemm(const struct fed_gemm *shape, const void *a, const void *b, void *c) {
  run_all(shape, a, b, NULL, c);
}

static size_t packed_bytes(const struct fed_gemm *shape) {
  const size_t panels = ((size_t)shape->n + WIDTH - 1) / WIDTH;
  return panels * WIDTH * (((size_t)shape->k + 1) / 2) * sizeof(pair);
}

static void pack(const struct fed_gemm *shape, const void *b, void *packed) {
  for (int64_t column = 0; column < shape->n; column += WIDTH)
    pack_block(part(operand_b(shape, b), column, 0), at_most(shape->n - column, WIDTH), shape->k,
               (pair *)packed + column * ((shape->k + 1) / 2), WIDTH);
}

static void gemm_packed(const struct fed_gemm *shape, const void *a, const void *packed, void *c) {
  run_all(shape, a, NULL, packed, c);
}

const struct fed__vector_gemm fed__vector_gemm_bf16 = {
    .name = "avx512bf16",
    .gemm = gemm,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .gemm_packed = gemm_packed,
};
#else
typedef int fed__vector_gemm_bf16_is_not_for_this_processor;
#endif
