/* SPDX-License-Identifier: Apache-2.0
 *
 * test_train_memory.c: where memory goes. Arrays that live at the same time never overlap; every
 * single allocation of loading, planning, stepping and exporting may fail, and then nothing
 * leaks; a step allocates nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "fed/train.h"
#include "train/arena.h"
#include "unit/train/graph_writer.h"

#define REGIONS 200

static void test_arena(void **state) {
  (void)state;
  struct fed__region regions[REGIONS];
  uint32_t order[REGIONS];
  struct fed_rng rng;
  for (uint64_t run = 0; run < 20; run++) {
    size_t sum = 0;
    fed__rng_init(&rng, run, "regions", 0, 0);
    for (size_t i = 0; i < REGIONS; i++) {
      const uint32_t from = (uint32_t)fed__rng_below(&rng, 100);
      regions[i] = (struct fed__region){fed__rng_below(&rng, 5000), from,
                                        from + (uint32_t)fed__rng_below(&rng, 20), 0};
      sum += regions[i].bytes;
    }
    const size_t total = fed__arena_assign(regions, REGIONS, order);
    assert_true(total < sum / 2); /* a tenth of the time each: much must be shared */
    for (size_t i = 0; i < REGIONS; i++) {
      const struct fed__region *a = &regions[i];
      assert_int_equal(a->offset % FED__ARENA_ALIGNMENT, 0);
      assert_true(a->offset + a->bytes <= total);
      for (size_t j = 0; j < i; j++) {
        const struct fed__region *b = &regions[j];
        const int together = a->from <= b->to && b->from <= a->to;
        const int overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
        assert_false(together && overlap);
      }
    }
  }
}

/* An allocator that counts, and fails one allocation. */
struct failing_alloc {
  struct fed_alloc base;
  size_t count, fail_at, live;
};

static void *failing_resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct failing_alloc *alloc = (struct failing_alloc *)self;
  if (size == 0) {
    alloc->live -= pointer != NULL;
    free(pointer);
    return NULL;
  }
  if (++alloc->count == alloc->fail_at) return NULL;
  void *moved = realloc(pointer, size);
  alloc->live += moved && !pointer;
  return moved;
}

static int use_trainer(struct fed_trainer *trainer, const struct fed_model *model,
                       struct fed_buffer *out) {
  struct fed_metrics metrics = {0};
  int code = fed_train_step(trainer, &metrics);
  fed_trainer_batch(trainer)->count = 1;
  if (code == FED_OK) code = fed_train_step(trainer, &metrics);
  if (code == FED_OK) code = fed_model_export(model, fed_model_params(model), out);
  return code;
}

/* Everything once; the first failure's code. */
static int use_model(const struct fed_context *context, struct fed_slice file,
                     const struct fed_model_options *model_options, enum fed_precision precision) {
  struct fed_model *model;
  struct fed_trainer *trainer = NULL;
  struct fed_train_options options;
  struct fed_buffer out;
  fed_buffer_init(&out, context, 1 << 20);
  fed_train_options_init(&options);
  options.batch_size = 2;
  options.precision = precision;
  options.optimizer = FED_OPTIMIZER_ADAM;
  options.kernels = FED_KERNELS_REFERENCE;
  int code = fed_model_load(context, file, model_options, &model);
  if (code == FED_OK) code = fed_trainer_new(context, model, &options, &trainer);
  if (code == FED_OK) code = use_trainer(trainer, model, &out);
  fed_trainer_free(trainer);
  fed_model_free(model);
  fed_buffer_clear(&out);
  return code;
}

static void check_every_failure(struct fed_slice file, const struct fed_model_options *options,
                                enum fed_precision precision) {
  struct fed_context system, context;
  fed_context_init(&system);
  int code = FED_E_MEMORY;
  for (size_t n = 1; code != FED_OK; n++) {
    struct failing_alloc alloc = {.base = {failing_resize}, .fail_at = n};
    context = system;
    context.alloc = &alloc.base;
    code = use_model(&context, file, options, precision);
    assert_true(code == FED_E_MEMORY || (code == FED_OK && alloc.count < n));
    assert_int_equal(alloc.live, 0);
  }
}

static void check_file(const char *path, enum fed_precision precision) {
  struct fed_context context;
  struct fed_buffer file;
  fed_context_init(&context);
  fed_buffer_init(&file, &context, 1 << 20);
  assert_int_equal(fed__file_read(path, &file), FED_OK);
  check_every_failure(fed_buffer_slice(&file), NULL, precision);
  fed_buffer_clear(&file);
}

static void test_every_failure(void **state) {
  (void)state;
  check_file(FED_TESTS "/vectors/onnx/2nn/model.onnx", FED_PRECISION_F32);
  check_file(FED_TESTS "/vectors/onnx/cnn/model.onnx", FED_PRECISION_F64);
}

/* Functions in functions with a default, a packed float16 weight, a named dimension, truth values
 * as input, a list of what trains; with and without adapters. */
static void test_every_failure_of_import(void **state) {
  (void)state;
  static const uint16_t half[4] = {0x3c00, 0x3800, 0xbc00, 0x3400};
  static const char *const adapted[] = {"w"}, *const frozen[] = {"b"};
  const struct fed_dimension length = {"length", 2};
  struct fed_model_options options = {
      .dimensions = &length, .dimension_count = 1, .frozen = frozen, .frozen_count = 1};
  struct graph_writer writer;
  writer_init(&writer);
  writer_symbolic(&writer, "x", 1, "batch,length");
  writer_symbolic(&writer, "keep", 9, "batch,length");
  writer_tensor(&writer, "w", 10, 2, (const int64_t[]){2, 2}, half, sizeof half);
  writer_floats(&writer, "b", 1, (const int64_t[]){2}, (const float[]){0.5F, 1});
  writer_reference(&writer, "alpha", "slope", 1);
  writer_body(&writer, "LeakyRelu", "x", "y");
  writer_float_attribute(&writer, "slope", 0.25F);
  writer_function(&writer, "leaky", "x", "y", "");
  writer_body(&writer, "MatMul", "x,w", "product");
  writer.domain = "local";
  writer_body(&writer, "leaky", "product", "y");
  writer_function(&writer, "layer", "x,w", "y", "");
  writer_node(&writer, "layer", "x,w", "hidden");
  writer.domain = NULL;
  writer_trainable(&writer, "w,b");
  writer_node(&writer, "Where", "keep,hidden,b", "y");
  writer_output(&writer, "y");
  const struct fed_slice file = writer_finish(&writer);
  check_every_failure(file, &options, FED_PRECISION_F32);
  options.frozen_count = 0;
  options.adapted = adapted;
  options.adapted_count = 1;
  options.adapter_rank = 1;
  check_every_failure(file, &options, FED_PRECISION_F32);
  writer_clear(&writer);
}

static void test_step_allocates_nothing(void **state) {
  (void)state;
  struct failing_alloc alloc = {.base = {failing_resize}};
  struct fed_context context;
  struct fed_buffer file;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_train_options options;
  struct fed_metrics metrics = {0};
  fed_context_init(&context);
  context.alloc = &alloc.base;
  fed_buffer_init(&file, &context, 1 << 20);
  assert_int_equal(fed__file_read(FED_TESTS "/vectors/onnx/cnn/model.onnx", &file), FED_OK);
  assert_int_equal(fed_model_load(&context, fed_buffer_slice(&file), NULL, &model), FED_OK);
  fed_train_options_init(&options);
  assert_int_equal(fed_trainer_new(&context, model, &options, &trainer), FED_OK);
  const size_t before = alloc.count;
  for (int i = 0; i < 3; i++) assert_int_equal(fed_train_step(trainer, &metrics), FED_OK);
  assert_int_equal(fed_evaluate_step(trainer, &metrics), FED_OK);
  assert_int_equal(alloc.count, before);
  fed_trainer_free(trainer);
  fed_model_free(model);
  fed_buffer_clear(&file);
  assert_int_equal(alloc.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_every_failure),
      cmocka_unit_test(test_every_failure_of_import),
      cmocka_unit_test(test_step_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
