/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_train.c: the engine's side of `bench-train`, which runs it beside PyTorch, in turns.
 *
 *   bench_train MODEL.onnx BATCH RANGE [bf16]
 *
 * makes a trainer (SGD, learning rate 0.01, one thread) on random examples (tokens and labels below
 * RANGE or the classes), says "ready KERNELS BYTES", and then for each line "N" on its input trains
 * N steps and answers with the seconds that each took. `bench_train peak` prints this machine's own
 * limits: FLOP/s of one core and bytes a second that it reads.
 */
#include "base/file.h"
#include "base/memory.h"
#include "fed/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 10000

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- the machine's limits ------------------------------------------------------------------- */

#define SUMS 24 /* more than the units' latency times their number */

typedef float lanes __attribute__((vector_size(64)));

#if defined(__x86_64__) && !defined(__clang__)
__attribute__((target("avx512f,fma"), optimize("fp-contract=fast")))
#endif
static double
run_sums_wide(long count, float seed) {
  lanes sums[SUMS], factor;
  for (int i = 0; i < 16; i++) factor[i] = seed;
  for (int j = 0; j < SUMS; j++) sums[j] = factor;
  for (long i = 0; i < count; i++) {
    _Pragma("GCC unroll 24") for (int j = 0; j < SUMS; j++) sums[j] = sums[j] * factor + factor;
  }
  double total = 0;
  for (int j = 0; j < SUMS; j++) total += (double)sums[j][0];
  return total;
}

static double peak_flops(void) {
  const long count = 2000000;
  double best = 0;
  for (int i = 0; i < 10; i++) {
    const double start = now_s();
    volatile double keep = run_sums_wide(count, 0.5f);
    (void)keep;
    const double rate = (double)count * SUMS * 16 * 2 / (now_s() - start);
    if (rate > best) best = rate;
  }
  return best;
}

static double peak_bandwidth(void) {
  const size_t count = (size_t)64 << 20; /* 512 MiB: no cache holds it */
  double best = 0;
  uint64_t *numbers = calloc(count, sizeof *numbers);
  if (!numbers) return 0;
  for (size_t i = 0; i < count; i++) numbers[i] = i;
  for (int pass = 0; pass < 5; pass++) {
    uint64_t sums[8] = {0};
    const double start = now_s();
    for (size_t i = 0; i < count; i += 8)
      for (size_t j = 0; j < 8; j++) sums[j] += numbers[i + j];
    volatile uint64_t keep = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6];
    (void)keep;
    const double rate = (double)(count * sizeof *numbers) / (now_s() - start);
    if (rate > best) best = rate;
  }
  free(numbers);
  return best;
}

/* ---- training ------------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static double random_number(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return (double)(random_state >> 8) / (double)(1 << 24);
}

static void fill_tensor(struct fed_tensor *tensor, uint32_t range) {
  const size_t count = fed_tensor_elements(tensor);
  for (size_t i = 0; i < count; i++)
    if (tensor->dtype == FED_F32)
      ((float *)tensor->data)[i] = (float)random_number() - 0.5f;
    else
      ((int64_t *)tensor->data)[i] = (int64_t)(random_number() * range);
}

static int serve(struct fed_trainer *trainer) {
  static double seconds[STEPS_MAX];
  char line[64];
  printf("ready %s %zu\n", fed_trainer_kernels(trainer), fed_trainer_bytes(trainer));
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    const long count = strtol(line, NULL, 10);
    struct fed_metrics metrics = {0};
    for (long i = 0; i < count && i < STEPS_MAX; i++) {
      const double start = now_s();
      const int code = fed_train_step(trainer, &metrics);
      if (code != FED_OK) return code;
      seconds[i] = now_s() - start;
    }
    for (long i = 0; i < count && i < STEPS_MAX; i++) printf("%.9f ", seconds[i]);
    printf("\n");
    fflush(stdout);
  }
  return FED_OK;
}

static int run(const struct fed_context *context, char **argv, int argc) {
  struct fed_train_options options;
  struct fed_model *model = NULL;
  struct fed_trainer *trainer = NULL;
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, context, (size_t)1 << 30);
  fed_train_options_init(&options);
  options.batch_size = (uint32_t)strtoul(argv[2], NULL, 10);
  options.learning_rate = 0.01;
  if (argc > 4 && strcmp(argv[4], "bf16") == 0) options.precision = FED_PRECISION_BF16;
  const uint32_t range = (uint32_t)strtoul(argv[3], NULL, 10);
  int code = fed__file_read(argv[1], &onnx);
  if (code == FED_OK) code = fed_model_load(context, fed_buffer_slice(&onnx), NULL, &model);
  if (code == FED_OK) code = fed_trainer_new(context, model, &options, &trainer);
  if (code == FED_OK) {
    struct fed_batch *batch = fed_trainer_batch(trainer);
    batch->count = options.batch_size;
    for (size_t i = 0; i < FED_INPUTS_MAX && batch->inputs[i].data; i++)
      fill_tensor(&batch->inputs[i], range);
    fill_tensor(&batch->target, 10);
    code = serve(trainer);
  }
  fed_trainer_free(trainer);
  fed_model_free(model);
  fed_buffer_clear(&onnx);
  return code;
}

int main(int argc, char **argv) {
  struct fed_context context;
  if (argc == 2 && strcmp(argv[1], "peak") == 0) {
    printf("%.4g %.4g\n", peak_flops(), peak_bandwidth());
    return 0;
  }
  if (argc < 4) {
    fprintf(stderr, "bench_train MODEL.onnx BATCH RANGE [bf16], or: bench_train peak\n");
    return 2;
  }
  fed_context_init(&context);
  const int code = run(&context, argv, argc);
  if (code != FED_OK) fprintf(stderr, "bench_train: %s\n", fed_error_last()->message);
  return (int)fed_error_class(code);
}
