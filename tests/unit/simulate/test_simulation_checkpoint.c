/* SPDX-License-Identifier: Apache-2.0
 *
 * test_simulation_checkpoint.c: what one list of calls writes it reads again; what does not fit is
 * refused, and running out of memory leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fed/safetensors.h"
#include "simulate/checkpoint.h"

#define MANY 5000 /* bytes: more than is copied */

struct state {
  int64_t clock;
  uint8_t members[MANY];
  struct fed_params model;
};

static int carry(struct state *state, struct fed__checkpoint *checkpoint) {
  int code = fed__checkpoint_array(checkpoint, "clock", FED_I64, &state->clock, 1);
  if (code == FED_OK)
    code = fed__checkpoint_bytes(checkpoint, "members", state->members, sizeof state->members);
  if (code == FED_OK) code = fed__checkpoint_bytes(checkpoint, "nobody", NULL, 0);
  if (code == FED_OK) code = fed__checkpoint_params(checkpoint, "model.", &state->model);
  return code;
}

static int save(const struct fed_context *context, struct state *state, struct fed_buffer *file) {
  struct fed__checkpoint checkpoint;
  fed__checkpoint_begin(&checkpoint, context);
  int code = carry(state, &checkpoint);
  if (code == FED_OK) code = fed__checkpoint_encode(&checkpoint, file);
  fed__checkpoint_clear(&checkpoint);
  return code;
}

static int load(const struct fed_context *context, struct fed_slice file, struct state *state) {
  struct fed__checkpoint checkpoint;
  int code = fed__checkpoint_decode(&checkpoint, context, file);
  if (code != FED_OK) return code;
  code = carry(state, &checkpoint);
  fed__checkpoint_clear(&checkpoint);
  return code;
}

static const struct fed_tensor like[2] = {{"w", FED_F32, {2, {2, 3}}, NULL},
                                          {"b", FED_F32, {1, {3}}, NULL}};

static void make(const struct fed_context *context, struct state *state) {
  *state = (struct state){0};
  assert_int_equal(fed_params_init(&state->model, context, like, 2), FED_OK);
}

static void fill(struct state *state) {
  state->clock = -123456789012345;
  for (int i = 0; i < MANY; i++) state->members[i] = (uint8_t)(i * 7);
  for (int i = 0; i < 9; i++) fed_params_floats(&state->model)[i] = 1.0f / (float)(i + 3);
}

static void what_is_written_is_read(void **unused) {
  (void)unused;
  struct fed_context context;
  struct state written, read;
  struct fed_buffer file;
  struct fed_params tensors;
  fed_context_init(&context);
  fed_buffer_init(&file, &context, SIZE_MAX);
  make(&context, &written);
  make(&context, &read);
  fill(&written);
  assert_int_equal(save(&context, &written, &file), FED_OK);
  assert_int_equal(load(&context, fed_buffer_slice(&file), &read), FED_OK);
  assert_true(read.clock == -123456789012345);
  assert_memory_equal(read.members, written.members, MANY);
  for (int i = 0; i < 9; i++)
    assert_true(fed_params_floats(&read.model)[i] == 1.0f / (float)(i + 3));
  assert_int_equal(fed_safetensors_decode(fed_buffer_slice(&file), &context, &tensors), FED_OK);
  assert_non_null(fed_params_find(&tensors, "model.w")); /* for other readers, too */
  fed_params_clear(&tensors);
  fed_params_clear(&written.model);
  fed_params_clear(&read.model);
  fed_buffer_clear(&file);
}

static void small_values_are_copied(void **unused) {
  (void)unused;
  struct fed_context context;
  struct fed__checkpoint checkpoint;
  struct fed_buffer file;
  int64_t number = 5, read = 0;
  fed_context_init(&context);
  fed_buffer_init(&file, &context, SIZE_MAX);
  fed__checkpoint_begin(&checkpoint, &context);
  assert_int_equal(fed__checkpoint_array(&checkpoint, "n", FED_I64, &number, 1), FED_OK);
  number = 6;
  assert_int_equal(fed__checkpoint_encode(&checkpoint, &file), FED_OK);
  fed__checkpoint_clear(&checkpoint);
  assert_int_equal(fed__checkpoint_decode(&checkpoint, &context, fed_buffer_slice(&file)), FED_OK);
  assert_int_equal(fed__checkpoint_array(&checkpoint, "n", FED_I64, &read, 1), FED_OK);
  assert_int_equal(read, 5);
  fed__checkpoint_clear(&checkpoint);
  fed_buffer_clear(&file);
}

static void what_does_not_fit_is_refused(void **unused) {
  (void)unused;
  struct fed_context context;
  struct fed__checkpoint checkpoint;
  struct state state;
  struct fed_buffer file;
  int64_t numbers[2];
  fed_context_init(&context);
  fed_buffer_init(&file, &context, SIZE_MAX);
  make(&context, &state);
  assert_int_equal(save(&context, &state, &file), FED_OK);
  const struct fed_slice half = fed_slice_of(file.data, file.size / 2);
  assert_int_equal(fed_error_class(load(&context, half, &state)), FED_CLASS_INPUT);
  assert_int_equal(fed__checkpoint_decode(&checkpoint, &context, fed_buffer_slice(&file)), FED_OK);
  assert_int_equal(fed__checkpoint_array(&checkpoint, "clocks", FED_I64, numbers, 1), FED_E_INPUT);
  assert_int_equal(fed__checkpoint_array(&checkpoint, "clock", FED_I64, numbers, 2), FED_E_INPUT);
  assert_int_equal(fed__checkpoint_array(&checkpoint, "clock", FED_F64, numbers, 1), FED_E_INPUT);
  fed__checkpoint_clear(&checkpoint);
  fed_params_clear(&state.model);
  fed_buffer_clear(&file);
}

static void memory_may_run_out(void **unused) {
  (void)unused;
  struct fed_context context;
  struct state state;
  fed_context_init(&context);
  make(&context, &state);
  fill(&state);
  int code = FED_E_MEMORY;
  for (long allowed = 0; code == FED_E_MEMORY; allowed++) {
    struct failing_alloc alloc;
    struct fed_context limited;
    struct fed_buffer file;
    failing_alloc_init(&alloc, &limited, allowed);
    fed_buffer_init(&file, &limited, SIZE_MAX);
    code = save(&limited, &state, &file);
    if (code == FED_OK) code = load(&limited, fed_buffer_slice(&file), &state);
    fed_buffer_clear(&file);
    assert_int_equal(alloc.living, 0);
    assert_true(allowed < 1000);
  }
  assert_int_equal(code, FED_OK);
  fed_params_clear(&state.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(small_values_are_copied),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
