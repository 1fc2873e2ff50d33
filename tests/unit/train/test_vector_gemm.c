/* SPDX-License-Identifier: Apache-2.0
 *
 * test_vector_gemm.c: matrix products of each instruction set that this processor has against sums
 * in double, term by term, for shapes around every edge of the tiles; and that nothing outside of
 * c is touched. For bfloat16 the terms are those of the rounded operands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/kernels/vector/vector_gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 1e30f
#define GAP 3 /* columns beyond c's own, which must stay */

static uint32_t random_state = 1;

static float random_number(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return (float)(random_state >> 8) / (float)(1 << 23) - 1;
}

static float *random_matrix(size_t count) {
  float *numbers = malloc((count + 1) * sizeof *numbers);
  assert_non_null(numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = random_number();
  return numbers;
}

static int rounds; /* the operands, to bfloat16 */

/* To nearest, ties to even: 16 bits go. */
static double operand(float value) {
  uint32_t bits;
  if (!rounds) return (double)value;
  memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

static double expected(const struct fed_gemm *s, const float *a, const float *b, int64_t i,
                       int64_t j) {
  double sum = 0;
  for (int64_t l = 0; l < s->k; l++)
    sum += operand(s->transpose_a ? a[l * s->lda + i] : a[i * s->lda + l]) *
           operand(s->transpose_b ? b[j * s->ldb + l] : b[l * s->ldb + j]);
  return s->alpha * sum;
}

/* The old c is 0.5 everywhere. A beta of 0 must not look at it: then it is NaN. */
static void check(const struct fed__vector_gemm *kernel, const struct fed_gemm *s, const float *a,
                  const float *b, const void *packed) {
  float *c = malloc((size_t)(s->m * s->ldc) * sizeof *c);
  assert_non_null(c);
  for (int64_t i = 0; i < s->m; i++)
    for (int64_t j = 0; j < s->ldc; j++)
      c[i * s->ldc + j] = j >= s->n ? GUARD : s->beta == 0 ? NAN : 0.5f;
  if (packed)
    kernel->gemm_packed(s, a, packed, c);
  else
    kernel->gemm(s, a, b, c);
  for (int64_t i = 0; i < s->m; i++)
    for (int64_t j = 0; j < s->ldc; j++) {
      const double want =
          j >= s->n ? (double)GUARD : expected(s, a, b, i, j) + (s->beta == 0 ? 0 : s->beta * 0.5);
      const double difference = fabs((double)c[i * s->ldc + j] - want);
      if (!(difference <= 2e-6 * (1 + (double)s->k)))
        fail_msg("%s, %c%c %ld x %ld x %ld at %ld, %ld: %g, expected %g", kernel->name,
                 s->transpose_a ? 'T' : 'N', s->transpose_b ? 'T' : 'N', (long)s->m, (long)s->n,
                 (long)s->k, (long)i, (long)j, (double)c[i * s->ldc + j], want);
    }
  free(c);
}

static void check_shape(const struct fed__vector_gemm *kernel, int64_t m, int64_t n, int64_t k) {
  static const double alphas[] = {1, -0.75, -0.75}, betas[] = {0, 2, 1};
  for (int kind = 0; kind < 12; kind++) {
    struct fed_gemm s = {.transpose_a = kind & 1,
                         .transpose_b = kind >> 1 & 1,
                         .m = m,
                         .n = n,
                         .k = k,
                         .alpha = alphas[kind / 4],
                         .beta = betas[kind / 4]};
    s.lda = (s.transpose_a ? m : k) + 1, s.ldb = (s.transpose_b ? k : n) + 2, s.ldc = n + GAP;
    float *a = random_matrix((size_t)((s.transpose_a ? k : m) * s.lda));
    float *b = random_matrix((size_t)((s.transpose_b ? n : k) * s.ldb));
    void *packed = malloc(kernel->packed_bytes(&s) + 1);
    assert_non_null(packed);
    check(kernel, &s, a, b, NULL);
    kernel->pack(&s, b, packed);
    check(kernel, &s, a, b, packed);
    free(packed);
    free(b);
    free(a);
  }
}

static void check_kernel(const struct fed__vector_gemm *kernel) {
  static const int64_t edges[] = {1, 2, 5, 7, 15, 16, 17, 31, 32, 33};
  for (size_t i = 0; i < 10; i++)
    for (size_t j = 0; j < 10; j++)
      for (size_t l = 0; l < 10; l++) check_shape(kernel, edges[i], edges[j], edges[l]);
  check_shape(kernel, 10, 20, 100);
  check_shape(kernel, 24, 7, 2100);
  check_shape(kernel, 25, 40, 600);
  check_shape(kernel, 128, 10, 65);
  check_shape(kernel, 3, 5, 0);
  check_shape(kernel, 29, 70, 10); /* a is scaled before */
  check_shape(kernel, 600, 64, 20);
  check_shape(kernel, 70, 8, 1000); /* few columns, deep */
  check_shape(kernel, 45, 6, 301);
  check_shape(kernel, 9, 12, 800);
  check_shape(kernel, 10, 1030, 300); /* b beyond the caches */
  check_shape(kernel, 5, 300, 1030);
}

static void avx512(void **state) {
  (void)state;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    check_kernel(&fed__vector_gemm_avx512);
    return;
  }
#endif
  skip();
}

static void avx2(void **state) {
  (void)state;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    check_kernel(&fed__vector_gemm_avx2);
    return;
  }
#endif
  skip();
}

static void bfloat16(void **state) {
  (void)state;
  const struct fed__vector_gemm *kernel = fed__vector_gemm_find_bf16();
  if (!kernel) skip();
  rounds = 1;
  check_kernel(kernel);
  check_shape(kernel, 113, 70, 515);
  rounds = 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(avx512), cmocka_unit_test(avx2),
                                     cmocka_unit_test(bfloat16)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
