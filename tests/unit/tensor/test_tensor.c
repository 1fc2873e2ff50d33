/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tensor.c: element types, shapes, and sets of parameters: layout, matching, bad numbers, and
 * every allocation failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fed/tensor.h"

#include <math.h>

static struct fed_context context;

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

/* --- types and shapes --- */

static void types_have_the_sizes_of_the_format(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t size;
  } types[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I8", 1},  {"U8", 1},  {"I16", 2},
               {"U16", 2}, {"I32", 4}, {"U32", 4}, {"I64", 8},  {"U64", 8}, {"BOOL", 1}};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    enum fed_dtype dtype;
    assert_int_equal(fed_dtype_parse(fed_slice_of_text(types[i].name), &dtype), FED_OK);
    assert_string_equal(fed_dtype_name(dtype), types[i].name);
    assert_int_equal(fed_dtype_size(dtype), types[i].size);
  }
}

static void other_types_are_unsupported(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "f32", "F3", "F322", "F8_E4M3", "C64"};
  enum fed_dtype dtype;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(fed_dtype_parse(fed_slice_of_text(wrong[i]), &dtype), FED_E_UNSUPPORTED);
  assert_message_has("C64");
  assert_int_equal(fed_dtype_parse(fed_slice_of("F32\0x", 5), &dtype), FED_E_UNSUPPORTED);
}

static void shapes_are_counted_and_shown(void **state) {
  (void)state;
  const struct fed_shape scalar = {0}, cube = {3, {3, 28, 28}}, empty = {2, {0, 7}};
  char text[64];
  size_t elements;
  assert_int_equal(fed_shape_elements(&scalar, &elements), FED_OK);
  assert_int_equal(elements, 1);
  assert_int_equal(fed_shape_elements(&cube, &elements), FED_OK);
  assert_int_equal(elements, 2352);
  assert_int_equal(fed_shape_elements(&empty, &elements), FED_OK);
  assert_int_equal(elements, 0);
  assert_string_equal(fed_shape_format(&scalar, text, sizeof text), "[]");
  assert_string_equal(fed_shape_format(&cube, text, sizeof text), "[3, 28, 28]");
  for (size_t size = 1; size <= 12; size++) { /* always terminated, a prefix of the whole */
    fed_shape_format(&cube, text, size);
    assert_int_equal(strlen(text), size - 1);
    assert_memory_equal(text, "[3, 28, 28]", size - 1);
  }
  assert_true(fed_shape_equal(&cube, &cube));
  assert_false(fed_shape_equal(&cube, &(struct fed_shape){3, {3, 28, 27}}));
  assert_false(fed_shape_equal(&cube, &(struct fed_shape){2, {3, 28}}));
  assert_true(fed_shape_equal(&scalar, &(struct fed_shape){0, {5}})); /* unused extents */
}

static void impossible_shapes_are_refused(void **state) {
  (void)state;
  size_t elements;
  assert_int_equal(fed_shape_elements(&(struct fed_shape){2, {3, -1}}, &elements), FED_E_RANGE);
  assert_message_has("dimension 1 is -1");
  assert_int_equal(fed_shape_elements(&(struct fed_shape){2, {INT64_MAX, 3}}, &elements),
                   FED_E_TOO_LARGE);
  assert_int_equal(
      fed_shape_elements(&(struct fed_shape){3, {1 << 30, 1 << 30, 1 << 30}}, &elements),
      FED_E_TOO_LARGE);
  assert_int_equal(fed_shape_elements(&(struct fed_shape){9, {1}}, &elements), FED_E_SHAPE);
}

/* --- sets --- */

static const struct fed_tensor three[] = {{"w", FED_F32, {2, {3, 5}}, NULL},
                                          {"b", FED_F32, {1, {5}}, NULL},
                                          {"scale", FED_F32, {0}, NULL}};

static void floats_lie_side_by_side(void **state) {
  (void)state;
  struct fed_params params, copy;
  assert_int_equal(fed_params_init(&params, &context, three, 3), FED_OK);
  float *floats = fed_params_floats(&params);
  assert_int_equal(fed_params_elements(&params), 21);
  assert_int_equal(params.storage_bytes, 21 * 4);
  assert_int_equal((uintptr_t)params.storage % 64, 0);
  assert_ptr_equal(fed_params_find(&params, "w")->data, floats);
  assert_ptr_equal(fed_params_find(&params, "b")->data, floats + 15);
  assert_ptr_equal(fed_params_find(&params, "scale")->data, floats + 20);
  assert_null(fed_params_find(&params, "W"));
  assert_ptr_not_equal(params.tensors[0].name, three[0].name);
  for (int i = 0; i < 21; i++) {
    assert_true(floats[i] == 0);
    floats[i] = (float)i;
  }
  assert_int_equal(fed_params_copy(&copy, &context, &params), FED_OK);
  fed_params_clear(&params);
  assert_int_equal(fed_params_match(&copy, &copy), FED_OK);
  for (int i = 0; i < 21; i++) assert_true(fed_params_floats(&copy)[i] == (float)i);
  fed_params_clear(&copy);
  fed_params_clear(&copy);
}

static void mixed_types_are_aligned(void **state) {
  (void)state;
  static const struct fed_tensor mixed[] = {{"a", FED_I8, {1, {3}}, NULL},
                                            {"none", FED_F64, {1, {0}}, NULL},
                                            {"b", FED_F64, {1, {2}}, NULL},
                                            {"c", FED_BOOL, {1, {1}}, NULL},
                                            {"d", FED_I16, {1, {4}}, NULL}};
  struct fed_params params;
  assert_int_equal(fed_params_init(&params, &context, mixed, 5), FED_OK);
  for (size_t i = 0; i < 5; i++) {
    const struct fed_tensor *tensor = &params.tensors[i];
    assert_int_equal((uintptr_t)tensor->data % fed_dtype_size(tensor->dtype), 0);
    memset(tensor->data, (int)i + 1, fed_tensor_bytes(tensor));
  }
  for (size_t i = 0; i < 5; i++) /* none overwrote another */
    for (size_t k = 0; k < fed_tensor_bytes(&params.tensors[i]); k++)
      assert_int_equal(((const uint8_t *)params.tensors[i].data)[k], i + 1);
  fed_params_clear(&params);
}

static void sets_that_cannot_be_are_refused(void **state) {
  (void)state;
  const struct fed_tensor twice[] = {three[0], three[1], three[0]};
  const struct fed_tensor negative[] = {three[0], {"x", FED_F32, {1, {-5}}, NULL}};
  const struct fed_tensor huge[] = {{"x", FED_F64, {1, {INT64_MAX / 4}}, NULL}};
  const struct fed_tensor sum[] = {{"x", FED_I8, {1, {INT64_MAX - 5}}, NULL},
                                   {"y", FED_I8, {1, {INT64_MAX - 5}}, NULL}};
  const struct fed_tensor deep[] = {{"x", FED_F32, {9, {1}}, NULL}};
  struct fed_params params;
  assert_int_equal(fed_params_init(&params, &context, twice, 3), FED_E_DUPLICATE);
  assert_message_has("'w'");
  assert_int_equal(fed_params_init(&params, &context, negative, 2), FED_E_RANGE);
  assert_int_equal(fed_params_init(&params, &context, huge, 1), FED_E_TOO_LARGE);
  assert_int_equal(fed_params_init(&params, &context, sum, 2), FED_E_TOO_LARGE);
  assert_int_equal(fed_params_init(&params, &context, deep, 1), FED_E_SHAPE);
  assert_null(params.tensors);
  fed_params_clear(&params);
}

static void a_set_can_be_empty(void **state) {
  (void)state;
  struct fed_params params, copy;
  assert_int_equal(fed_params_init(&params, &context, NULL, 0), FED_OK);
  assert_int_equal(fed_params_elements(&params), 0);
  assert_null(fed_params_find(&params, ""));
  assert_int_equal(fed_params_copy(&copy, &context, &params), FED_OK);
  assert_int_equal(fed_params_match(&params, &copy), FED_OK);
  fed_params_clear(&params);
  fed_params_clear(&copy);
}

static void differences_are_named(void **state) {
  (void)state;
  struct fed_tensor other[3];
  struct fed_params expected, found;
  assert_int_equal(fed_params_init(&expected, &context, three, 3), FED_OK);
  assert_int_equal(fed_params_init(&found, &context, three, 2), FED_OK);
  assert_int_equal(fed_params_match(&expected, &found), FED_E_MISSING);
  assert_message_has("3 tensors, found 2");
  fed_params_clear(&found);

  memcpy(other, three, sizeof other);
  other[1].name = "bias";
  assert_int_equal(fed_params_init(&found, &context, other, 3), FED_OK);
  assert_int_equal(fed_params_match(&expected, &found), FED_E_MISSING);
  assert_message_has("'b', found 'bias'");
  fed_params_clear(&found);

  memcpy(other, three, sizeof other);
  other[1].dtype = FED_F64;
  assert_int_equal(fed_params_init(&found, &context, other, 3), FED_OK);
  assert_int_equal(fed_params_match(&expected, &found), FED_E_TYPE);
  assert_message_has("'b': expected F32, found F64");
  fed_params_clear(&found);

  memcpy(other, three, sizeof other);
  other[0].shape.dims[0] = 5;
  other[0].shape.dims[1] = 3;
  assert_int_equal(fed_params_init(&found, &context, other, 3), FED_OK);
  assert_int_equal(fed_params_match(&expected, &found), FED_E_SHAPE);
  assert_message_has("'w': expected shape [3, 5], found [5, 3]");
  fed_params_clear(&found);
  fed_params_clear(&expected);
}

static void numbers_that_are_not_finite_are_named(void **state) {
  (void)state;
  static const struct fed_tensor mixed[] = {{"i", FED_I32, {1, {4}}, NULL},
                                            {"f", FED_F32, {1, {4}}, NULL},
                                            {"d", FED_F64, {1, {4}}, NULL}};
  struct fed_params params;
  assert_int_equal(fed_params_init(&params, &context, mixed, 3), FED_OK);
  float *f = params.tensors[1].data;
  double *d = params.tensors[2].data;
  memset(params.tensors[0].data, 0xff, 16); /* a NaN, were these floats */
  f[0] = 3.4e38f, d[0] = 1e308;
  assert_int_equal(fed_params_check_finite(&params), FED_OK);
  d[3] = (double)-INFINITY;
  assert_int_equal(fed_params_check_finite(&params), FED_E_NOT_FINITE);
  assert_message_has("'d', element 3");
  f[2] = NAN;
  assert_int_equal(fed_params_check_finite(&params), FED_E_NOT_FINITE);
  assert_message_has("'f', element 2");
  fed_params_clear(&params);
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  struct failing_alloc failing;
  struct fed_context limited;
  struct fed_params params;
  int code = FED_E_MEMORY;
  long allowed = 0;
  for (; code != FED_OK; allowed++) {
    failing_alloc_init(&failing, &limited, allowed);
    code = fed_params_init(&params, &limited, three, 3);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    fed_params_clear(&params);
    assert_int_equal(failing.living, 0);
  }
  assert_int_equal(allowed, 1 + 5); /* the table, three names, the block */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_have_the_sizes_of_the_format),
      cmocka_unit_test(other_types_are_unsupported),
      cmocka_unit_test(shapes_are_counted_and_shown),
      cmocka_unit_test(impossible_shapes_are_refused),
      cmocka_unit_test(floats_lie_side_by_side),
      cmocka_unit_test(mixed_types_are_aligned),
      cmocka_unit_test(sets_that_cannot_be_are_refused),
      cmocka_unit_test(a_set_can_be_empty),
      cmocka_unit_test(differences_are_named),
      cmocka_unit_test(numbers_that_are_not_finite_are_named),
      cmocka_unit_test(running_out_of_memory_leaves_nothing),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
