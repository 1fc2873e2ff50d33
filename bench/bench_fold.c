/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_fold.c: how fast fed__fold adds an update to a sum, beside what this machine's memory can
 * do for one thread in the same run.
 *
 *   bench_fold [million elements of the large sum, 50] [repeats, 11]
 *
 * Memory bandwidth is the better of two STREAM-like loops over arrays far larger than the cache:
 * a = b + s*c (24 bytes an element; the line that is read to be overwritten is not counted, as in
 * STREAM) and a = a + s*b (24 bytes, all of them counted). A fold's traffic is the payload read,
 * the sum read and the sum written. All loops take turns; medians are reported. Takes about
 * 900 MB and ten seconds.
 */
#include "aggregate/aggregate.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

#define REPEATS_MAX 101
#define MILLION 1000000

#if defined(__clang__)
#define OPTIMIZED
#else
#define OPTIMIZED __attribute__((optimize("O3"))) /* vector instructions, as in the fold */
#endif

struct arrays {
  int64_t *sum;
  double *other, *third; /* the same bytes serve as payload */
};

enum loop { TRIAD, UPDATE, FOLD_8, FOLD_16, FOLD_32, LOOP_COUNT };
static const char *const loop_names[] = {"a = b + s*c", "a = a + s*b", "fold 8 bits",
                                         "fold 16 bits", "fold 32 bits"};
static const double loop_bytes[] = {24, 24, 17, 18, 20};

OPTIMIZED static void run_triad(double *restrict a, const double *restrict b,
                                const double *restrict c, size_t count) {
  for (size_t i = 0; i < count; i++) a[i] = b[i] + 3.0 * c[i];
}

OPTIMIZED static void run_update(double *restrict a, const double *restrict b, size_t count) {
  for (size_t i = 0; i < count; i++) a[i] += 3.0 * b[i];
}

static void run_once(enum loop loop, const struct arrays *arrays, size_t count) {
  switch (loop) {
  case TRIAD:
    run_triad((double *)arrays->sum, arrays->other, arrays->third, count);
    break;
  case UPDATE:
    run_update((double *)arrays->sum, arrays->other, count);
    break;
  case FOLD_8:
    fed__fold(arrays->sum, arrays->other, 8, count, 37);
    break;
  case FOLD_16:
    fed__fold(arrays->sum, arrays->other, 16, count, 37);
    break;
  default:
    fed__fold(arrays->sum, arrays->other, 32, count, 37);
    break;
  }
}

static double seconds_of(const struct fed_context *context, enum loop loop,
                         const struct arrays *arrays, size_t count, size_t passes) {
  const int64_t start_us = context->clock->monotonic_us(context->clock);
  for (size_t i = 0; i < passes; i++) run_once(loop, arrays, count);
  return (double)(context->clock->monotonic_us(context->clock) - start_us) * 1e-6 / (double)passes;
}

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median of interleaved repeats, as GB/s of each loop. */
static void measure(const struct fed_context *context, const struct arrays *arrays, size_t count,
                    size_t repeats, enum loop first, double rates[LOOP_COUNT]) {
  static double seconds[LOOP_COUNT][REPEATS_MAX];
  const size_t passes = count < MILLION * 4 ? MILLION * 4 / count : 1;
  memset(arrays->sum, 0, count * sizeof *arrays->sum);
  for (size_t r = 0; r < repeats; r++)
    for (enum loop loop = first; loop < LOOP_COUNT; loop++)
      seconds[loop][r] = seconds_of(context, loop, arrays, count, passes);
  for (enum loop loop = first; loop < LOOP_COUNT; loop++) {
    qsort(seconds[loop], repeats, sizeof seconds[loop][0], compare_doubles);
    rates[loop] = loop_bytes[loop] * (double)count / seconds[loop][repeats / 2] * 1e-9;
  }
}

static void print_machine(void) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, "model name", 10) == 0) {
      printf("machine:%s", strchr(line, ':') + 1);
      break;
    }
  if (file) fclose(file);
  printf("compiler: %s, one thread\n", __VERSION__);
}

static void print_small(const struct fed_context *context, const struct arrays *arrays,
                        size_t repeats) {
  static const size_t counts[] = {10000, 100000, MILLION};
  double rates[LOOP_COUNT];
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    measure(context, arrays, counts[i], repeats, FOLD_8, rates);
    for (enum loop loop = FOLD_8; loop < LOOP_COUNT; loop++)
      printf("%-13s %9zu elements %7.1f GB/s %6.2f elements/ns\n", loop_names[loop], counts[i],
             rates[loop], rates[loop] / loop_bytes[loop]);
  }
}

static void print_large(const struct fed_context *context, const struct arrays *arrays,
                        size_t count, size_t repeats) {
  double rates[LOOP_COUNT];
  measure(context, arrays, count, repeats, TRIAD, rates);
  const double memory = rates[TRIAD] > rates[UPDATE] ? rates[TRIAD] : rates[UPDATE];
  for (enum loop loop = TRIAD; loop < LOOP_COUNT; loop++)
    printf("%-13s %9zu elements %7.1f GB/s %5.0f %% of memory\n", loop_names[loop], count,
           rates[loop], 100 * rates[loop] / memory);
}

int main(int argc, char **argv) {
  const size_t count = (argc > 1 ? strtoul(argv[1], NULL, 10) : 50) * MILLION;
  const size_t repeats = argc > 2 ? strtoul(argv[2], NULL, 10) : 11;
  struct fed_context context;
  if (count < MILLION || repeats < 1 || repeats > REPEATS_MAX) {
    fprintf(stderr, "bench_fold [million elements, from 1] [repeats, 1 to %d]\n", REPEATS_MAX);
    return 2;
  }
  fed_context_init(&context);
  const struct arrays arrays = {fed__zalloc(&context, count, 8), fed__alloc(&context, count * 8),
                                fed__alloc(&context, count * 8)};
  if (!arrays.sum || !arrays.other || !arrays.third) {
    fprintf(stderr, "bench_fold: %s\n", fed_error_last()->message);
    return 8;
  }
  for (size_t i = 0; i < count; i++) arrays.other[i] = arrays.third[i] = (double)i * 1e-7;
  print_machine();
  print_small(&context, &arrays, repeats);
  print_large(&context, &arrays, count, repeats);
  fed__free(&context, arrays.sum);
  fed__free(&context, arrays.other);
  fed__free(&context, arrays.third);
  return 0;
}
