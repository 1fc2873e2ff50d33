/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_kernels.c: the time of each kernel, per table, at the shapes of the small image models that
 * people start with (the CNN recipe on 28 × 28 images, the 200-200 network), and the resident
 * memory that a table costs. Best of many repetitions on one thread.
 *
 *   bench_kernels [batch]        default 32
 */
#include "base/memory.h"
#include "train/kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fed_context context;

/* Aligned, as a trainer's are. */
static float *new_floats(int64_t count) {
  float *floats = aligned_alloc(64, ((size_t)count * sizeof *floats + 63) / 64 * 64);
  if (!floats) exit(FED_CLASS_RESOURCE);
  for (int64_t i = 0; i < count; i++) floats[i] = (float)(i * 7919 % 101) / 101 - 0.5f;
  return floats;
}

static long resident_kib(void) {
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, "VmRSS:", 6) == 0) kib = strtol(line + 6, NULL, 10);
  if (status) fclose(status);
  return kib;
}

/* What is timed: `run` on `self`. */
struct task {
  const struct fed_kernel_table *table;
  struct fed_kernel_instance *instance;
  struct fed_gemm gemm;
  float *a, *b, *c, *d, *e, *f;
  int32_t *index;
};

static int64_t now_us(void) { return context.clock->monotonic_us(context.clock); }

/* Repetitions are grouped so that each measurement takes at least 200 µs. */
static double best_us(void (*run)(struct task *), struct task *task) {
  double best = 1e12;
  int64_t group = 1, taken = 0;
  for (run(task); taken < 200; group *= 2) {
    const int64_t start = now_us();
    for (int64_t i = 0; i < group; i++) run(task);
    taken = now_us() - start;
  }
  for (int repetition = 0; repetition < 30; repetition++) {
    const int64_t start = now_us();
    for (int64_t i = 0; i < group; i++) run(task);
    const double us = (double)(now_us() - start) / (double)group;
    if (us < best) best = us;
  }
  return best;
}

static void report(const char *name, void (*run)(struct task *), struct task *task, double flops) {
  const double us = best_us(run, task);
  if (flops > 0)
    printf("  %-28s %9.1f us %7.1f Gflop/s\n", name, us, flops / us / 1e3);
  else
    printf("  %-28s %9.1f us\n", name, us);
}

static void run_gemm(struct task *t) { t->table->gemm(&t->gemm, t->a, t->b, t->c); }
static void run_forward(struct task *t) {
  t->table->conv_forward(t->instance, t->a, t->b, t->c, t->d);
}
static void run_backward(struct task *t) {
  t->table->conv_backward(t->instance, t->a, t->b, t->d, t->e, t->f, t->c);
}
static void run_weights(struct task *t) {
  t->table->conv_backward(t->instance, t->a, t->b, t->d, NULL, t->f, t->c);
}
static void run_pool(struct task *t) {
  t->table->max_pool_forward(t->instance, t->a, t->b, t->index);
}
static void run_pool_back(struct task *t) {
  t->table->max_pool_backward(t->instance, t->b, t->index, t->a);
}

static void free_task(struct task *t) {
  float *all[] = {t->a, t->b, t->c, t->d, t->e, t->f};
  for (int i = 0; i < 6; i++) free(all[i]);
  fed__free(&context, t->index);
  if (t->instance) t->table->instance_free(t->instance);
}

static void bench_gemm(const struct fed_kernel_table *table, const char *name, int ta, int tb,
                       int64_t m, int64_t n, int64_t k) {
  struct task task = {.table = table,
                      .gemm = {ta, tb, m, n, k, ta ? m : k, tb ? k : n, n, 1, 0},
                      .a = new_floats(m * k),
                      .b = new_floats(n * k),
                      .c = new_floats(m * n)};
  report(name, run_gemm, &task, 2.0 * (double)(m * n * k));
  free_task(&task);
}

static void bench_dense(const struct fed_kernel_table *table, const char *name, int64_t batch,
                        int64_t in, int64_t out) {
  char text[64];
  snprintf(text, sizeof text, "%s forward", name);
  bench_gemm(table, text, 0, 1, batch, out, in);
  snprintf(text, sizeof text, "%s data gradient", name);
  bench_gemm(table, text, 0, 0, batch, in, out);
  snprintf(text, sizeof text, "%s weight gradient", name);
  bench_gemm(table, text, 1, 0, out, in, batch);
}

static void bench_conv(const struct fed_kernel_table *table, const char *name, int64_t batch,
                       int64_t in, int64_t out, int64_t size, int64_t kernel) {
  const int64_t pad = kernel / 2, plane = size * size;
  const struct fed_conv conv = {batch,
                                in,
                                out,
                                1,
                                {{1, size, size},
                                 {1, size, size},
                                 {1, kernel, kernel},
                                 {1, 1, 1},
                                 {1, 1, 1},
                                 {0, pad, pad},
                                 {0, pad, pad}},
                                1};
  struct task task = {.table = table,
                      .a = new_floats(batch * in * plane),
                      .b = new_floats(out * in * kernel * kernel),
                      .c = new_floats(out),
                      .d = new_floats(batch * out * plane),
                      .e = new_floats(batch * in * plane),
                      .f = new_floats(out * in * kernel * kernel)};
  const double flops = 2.0 * (double)(batch * in * out * plane * kernel * kernel);
  const int64_t start = now_us();
  if (table->conv_new(&context, &conv, &task.instance) != FED_OK) exit(FED_CLASS_INTERNAL);
  printf("  %-28s %9.1f us, %zu KiB\n", name, (double)(now_us() - start),
         table->instance_bytes(task.instance) / 1024);
  report("  forward", run_forward, &task, flops);
  report("  weight gradient", run_weights, &task, flops);
  report("  both gradients", run_backward, &task, 2 * flops);
  free_task(&task);
}

static void bench_pool(const struct fed_kernel_table *table, const char *name, int64_t batch,
                       int64_t channels, int64_t size) {
  const int64_t half = size / 2, outs = batch * channels * half * half;
  const struct fed_pool pool = {
      .batch = batch,
      .channels = channels,
      .window = {{1, size, size}, {1, half, half}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0}, {0}}};
  struct task task = {.table = table,
                      .a = new_floats(batch * channels * size * size),
                      .b = new_floats(outs),
                      .index = fed__zalloc(&context, (size_t)outs, sizeof(int32_t))};
  if (!task.index || table->pool_new(&context, &pool, &task.instance) != FED_OK)
    exit(FED_CLASS_INTERNAL);
  printf("  %s\n", name);
  report("  forward", run_pool, &task, 0);
  report("  backward", run_pool_back, &task, 0);
  free_task(&task);
}

static void bench_table(enum fed_kernels kernels, int64_t batch) {
  const struct fed_kernel_table *table;
  const long before = resident_kib();
  if (fed__kernels_choose(kernels, FED_PRECISION_F32, &table) != FED_OK) {
    printf("%s\n", fed_error_last()->message);
    return;
  }
  printf("%s, batch %lld; resident %ld KiB, after loading %ld KiB\n", table->name, (long long)batch,
         before, resident_kib());
  bench_conv(table, "conv 1 → 6, 28, 5 × 5", batch, 1, 6, 28, 5);
  bench_conv(table, "conv 6 → 16, 12, 5 × 5", batch, 6, 16, 12, 5);
  bench_conv(table, "conv 3 → 16, 32, 3 × 3", batch, 3, 16, 32, 3);
  bench_conv(table, "conv 16 → 16, 32, 3 × 3", batch, 16, 16, 32, 3);
  bench_conv(table, "conv 1 → 32, 28, 5 × 5", batch, 1, 32, 28, 5);
  bench_conv(table, "conv 1 → 16, 28, 5 × 5", batch, 1, 16, 28, 5);
  bench_pool(table, "pool 16, 28", batch, 16, 28);
  bench_conv(table, "conv 16 → 32, 14, 5 × 5", batch, 16, 32, 14, 5);
  bench_pool(table, "pool 32, 14", batch, 32, 14);
  bench_dense(table, "dense 1568 → 128", batch, 1568, 128);
  bench_dense(table, "dense 128 → 10", batch, 128, 10);
  bench_dense(table, "dense 784 → 200", batch, 784, 200);
  bench_dense(table, "dense 200 → 200", batch, 200, 200);
  printf("  resident %ld KiB\n", resident_kib());
}

int main(int count, char **arguments) {
  const int64_t batch = count > 1 ? strtol(arguments[1], NULL, 10) : 32;
  fed_context_init(&context);
  bench_table(FED_KERNELS_AUTO, batch > 0 ? batch : 32);
  bench_table(FED_KERNELS_ONEDNN, batch > 0 ? batch : 32);
  bench_table(FED_KERNELS_REFERENCE, batch > 0 ? batch : 32);
  return 0;
}
