/* SPDX-License-Identifier: Apache-2.0
 *
 * test_shape_refused.c: graphs that the shape operators, reductions and Resize must refuse, with a
 * message that says what is wrong. All values are such that they would read or write outside of
 * something, take all memory or give another result than ONNX says, were they let through.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "unit/train/graph_writer.h"

#define COUNT(type, ...) (sizeof((const type[]){__VA_ARGS__}) / sizeof(type))
#define INTS(...)                                                                                  \
  COUNT(int64_t, __VA_ARGS__), (const int64_t[]) { __VA_ARGS__ }

/* One node from "x" of shape [batch, 2, 3] and up to three lists of integers a, b, c to "y". */
struct refusal {
  const char *type, *inputs;
  struct {
    size_t count;
    int64_t values[6];
  } lists[3];
  int code;
  const char *message;
  struct {
    const char *name, *text;
    int64_t value;
  } attributes[2];
};

#define LIST(...)                                                                                  \
  {                                                                                                \
    COUNT(int64_t, __VA_ARGS__), { __VA_ARGS__ }                                                   \
  }

static void load(struct graph_writer *writer, const char *output, int code, const char *message) {
  struct fed_model *model = NULL;
  writer_output(writer, output);
  const int found = fed_model_load(&writer->context, writer_finish(writer), NULL, &model);
  if (found == FED_OK) fed_model_free(model);
  if (found != code)
    fail_msg("expected \"%s\", found code %d, \"%s\"", message, found,
             found == FED_OK ? "" : fed_error_last()->message);
  if (!strstr(fed_error_last()->message, message))
    fail_msg("expected \"%s\" in \"%s\"", message, fed_error_last()->message);
  writer_clear(writer);
}

static void begin(struct graph_writer *writer) {
  writer_init(writer);
  writer->opset = 18;
  writer_input(writer, "x", 2, (const int64_t[]){2, 3});
}

static void check_refusal(void **state) {
  static const char *const names[] = {"a", "b", "c"};
  const struct refusal *test = *state;
  struct graph_writer writer;
  begin(&writer);
  for (int i = 0; i < 3; i++)
    if (test->lists[i].count)
      writer_ints(&writer, names[i], test->lists[i].count, test->lists[i].values);
  for (int i = 0; i < 2 && test->attributes[i].name; i++)
    if (test->attributes[i].text)
      writer_text_attribute(&writer, test->attributes[i].name, test->attributes[i].text);
    else
      writer_int_attribute(&writer, test->attributes[i].name, test->attributes[i].value);
  writer_node(&writer, test->type, test->inputs, "y");
  load(&writer, "y", test->code, test->message);
}

static const struct refusal refusals[] = {
    {"Reshape", "x,a", {LIST(-1, -1)}, FED_E_SHAPE, "-1 twice"},
    {"Reshape", "x,a", {LIST(-2)}, FED_E_RANGE, "extent -2"},
    {"Reshape", "x,a", {LIST(4, -1)}, FED_E_SHAPE, "groups of 4"},
    {"Reshape", "x,a", {LIST(1, 2, 3, 0)}, FED_E_SHAPE, "keeps an extent that is not there"},
    {"Reshape", "x,a", {LIST(INT64_MAX, INT64_MAX)}, FED_E_TOO_LARGE, "overflows"},
    {"Squeeze", "x,a", {LIST(1)}, FED_E_SHAPE, "extent 2"},
    {"Squeeze", "x,a", {LIST(0, -3)}, FED_E_DUPLICATE, "twice"},
    {"Unsqueeze", "x,a", {LIST(4)}, FED_E_RANGE, "axis 4"},
    {"Unsqueeze", "x,a", {LIST(0, 1, 2, 3, 4, 5)}, FED_E_SHAPE, "more than 8"},
    {"Flatten", "x", {{0}}, FED_E_RANGE, "axis 4", {{"axis", NULL, 4}}},
    {"Concat", "x,a", {LIST(1)}, FED_E_SHAPE, "cannot follow", {{"axis", NULL, 0}}},
    {"Concat", "x,x", {{0}}, FED_E_MISSING, "axis"},
    {"Concat", "x,x", {{0}}, FED_E_RANGE, "axis 3", {{"axis", NULL, 3}}},
    {"Split", "x,a", {LIST(1, 2)}, FED_E_SHAPE, "2 extents for 1", {{"axis", NULL, 2}}},
    {"Split", "x,a", {LIST(4)}, FED_E_SHAPE, "extent 4 where 3", {{"axis", NULL, 2}}},
    {"Split", "x,a", {LIST(2)}, FED_E_SHAPE, "leave 1 of 3 over", {{"axis", NULL, 2}}},
    {"Split", "x", {{0}}, FED_E_SHAPE, "num_outputs is 2", {{"num_outputs", NULL, 2}}},
    {"Slice", "x,a,b", {LIST(0, 0), LIST(1)}, FED_E_SHAPE, "input 2 has 1"},
    {"Slice", "x,a,b", {LIST(0, 0, 0, 0), LIST(1, 1, 1, 1)}, FED_E_RANGE, "axis 3"},
    {"Slice", "x,a,b,c,a", {LIST(0), LIST(1), LIST(1)}, FED_E_RANGE, "step along axis 1 is 0"},
    {"Slice", "x,a,b,c", {LIST(0, 0), LIST(1, 1), LIST(1, -2)}, FED_E_DUPLICATE, "axis 1"},
    {"Slice", "x,a,b", {LIST(0), LIST(0)}, FED_E_SHAPE, "empty"},
    {"Gather", "x,a", {LIST(0, 3)}, FED_E_RANGE, "index 3 of an extent of 3", {{"axis", NULL, 2}}},
    {"Gather", "x,a", {LIST(-4)}, FED_E_RANGE, "index -4", {{"axis", NULL, 2}}},
    {"Gather", "x,x", {{0}}, FED_E_TYPE, "int64"},
    {"GatherElements", "x,a", {LIST(0)}, FED_E_SHAPE, "do not fit"},
    {"GatherND", "x,a", {LIST(0, 0, 0, 0)}, FED_E_SHAPE, "rows of 4"},
    {"GatherND", "x,a", {LIST(0, 2)}, FED_E_RANGE, "index 2 of an extent of 2"},
    {"GatherND", "x,a", {LIST(0)}, FED_E_RANGE, "batch_dims 1", {{"batch_dims", NULL, 1}}},
    {"ScatterND", "x,a,x", {LIST(0)}, FED_E_SHAPE, "updates should have shape [2, 3]"},
    {"ScatterND", "x,a,b", {LIST(0, 0, 0), {0}}, FED_E_MISSING, "'b'"},
    {"ScatterND", "a,b,x", {LIST(1), LIST(0)}, FED_E_SHAPE, "updates should have shape []"},
    {"ScatterND",
     "x,a,x",
     {LIST(0)},
     FED_E_UNSUPPORTED,
     "none, add, mul, max, min",
     {{"reduction", "sub", 0}}},
    {"Compress", "x,a", {LIST(1)}, FED_E_TYPE, "list of bool"},
    {"Expand", "x,a", {LIST(4)}, FED_E_SHAPE, "broadcast"},
    {"Expand", "x,a", {LIST(-1, 1, 1, 1)}, FED_E_RANGE, "-1"},
    {"Expand", "x,a", {LIST(INT64_MAX, 1, 2, 3)}, FED_E_TOO_LARGE, "overflow"},
    {"Tile", "x,a", {LIST(1, 2)}, FED_E_SHAPE, "2 numbers"},
    {"Tile", "x,a", {LIST(1, 1, -1)}, FED_E_RANGE, "-1 times"},
    {"Tile", "x,a", {LIST(1, 1, INT64_MAX)}, FED_E_RANGE, "times"},
    {"Tile", "x,a", {LIST(1, 1, (int64_t)1 << 40)}, FED_E_TOO_LARGE, "too large"},
    {"Pad", "x,a", {LIST(0, 0, 0, 0)}, FED_E_SHAPE, "input 1 has 4"},
    {"Pad", "x,a", {LIST(0, 0, -2, 0, 0, -2)}, FED_E_RANGE, "cannot be padded"},
    {"Pad", "x,a", {LIST(0, 0, INT64_MAX, 0, 0, INT64_MAX)}, FED_E_RANGE, "cannot be padded"},
    {"Pad",
     "x,a",
     {LIST(0, 0, 0, 0, 0, 0)},
     FED_E_UNSUPPORTED,
     "constant, reflect",
     {{"mode", "circular", 0}}},
    {"Pad", "x,a,b", {LIST(0, 0, 0, 0, 0, 0), LIST(1)}, FED_E_TYPE, "input 2"},
    {"Pad", "x,a,,b", {LIST(1, 1, 1, 1), LIST(2, -1)}, FED_E_DUPLICATE, "axis 2"},
    {"CumSum", "x,a", {LIST(3)}, FED_E_RANGE, "axis 3"},
    {"CumSum", "x,a", {LIST(0, 1)}, FED_E_SHAPE, "one axis"},
    {"Trilu", "x,a", {LIST(0, 1)}, FED_E_SHAPE, "one number"},
    {"Trilu", "a", {LIST(0, 1)}, FED_E_SHAPE, "matrices"},
    {"OneHot", "x,a,b", {LIST(0), LIST(0, 1)}, FED_E_RANGE, "depth"},
    {"OneHot", "x,a,b", {LIST(5), LIST(0)}, FED_E_SHAPE, "off, on"},
    {"OneHot", "x,a,b", {LIST(INT64_MAX), LIST(0, 1)}, FED_E_TOO_LARGE, "overflow"},
    {"TopK", "x,a", {LIST(4)}, FED_E_RANGE, "0 to 3"},
    {"TopK", "x,a", {LIST(-1)}, FED_E_RANGE, "0 to 3"},
    {"ArgMax", "x", {{0}}, FED_E_RANGE, "axis -4", {{"axis", NULL, -4}}},
    {"NonZero", "x", {{0}}, FED_E_UNSUPPORTED, "depends on the examples"},
    {"Range", "a,b,c", {LIST(0), LIST(9), LIST(0)}, FED_E_RANGE, "steps of 0"},
    {"Range", "a,b,c", {LIST(0), LIST(INT64_MAX), LIST(1)}, FED_E_TOO_LARGE, "at most"},
    {"Range", "a,b,c", {LIST(0, 1), LIST(9), LIST(1)}, FED_E_SHAPE, "input 0"},
    {"ConstantOfShape", "a", {LIST(-1)}, FED_E_RANGE, "-1"},
    {"ConstantOfShape", "a", {LIST(1 << 20, 1 << 20)}, FED_E_TOO_LARGE, "at most"},
    {"EyeLike", "x", {{0}}, FED_E_SHAPE, "matrix"},
    {"ReduceSum", "x,a", {LIST(3)}, FED_E_RANGE, "axis 3"},
    {"ReduceMax", "x,a", {LIST(1, -2)}, FED_E_DUPLICATE, "axis 1"},
    {"ReduceL2", "a", {LIST(1, 2)}, FED_E_TYPE, "float32"},
    {"DepthToSpace", "x", {{0}}, FED_E_SHAPE, "4 dimensions", {{"blocksize", NULL, 2}}},
    {"Resize", "x,,,a", {LIST(1, 2)}, FED_E_SHAPE, "2 scales or sizes for 3 axes"},
    {"Resize", "x", {{0}}, FED_E_SHAPE, "either scales"},
    {"Resize", "x,,,a", {LIST(1, 2, -1)}, FED_E_RANGE, "-1"},
    {"Resize", "x,,,a", {LIST(1, 2, INT64_MAX)}, FED_E_RANGE, "cannot become"},
    {"Resize",
     "x,,,a",
     {LIST(1, 2, 3)},
     FED_E_UNSUPPORTED,
     "nearest, linear",
     {{"mode", "cubic", 0}}},
    {"Resize",
     "x,,,a",
     {LIST(1, 2, 3)},
     FED_E_UNSUPPORTED,
     "antialias",
     {{"antialias", NULL, 1}, {"mode", "linear", 0}}},
    {"Resize",
     "x,,,a",
     {LIST(1, 2, 3)},
     FED_E_SHAPE,
     "roi",
     {{"coordinate_transformation_mode", "tf_crop_and_resize", 0}}},
    {"Constant", "", {{0}}, FED_E_UNSUPPORTED, "expected an attribute"},
    {"Constant", "", {{0}}, FED_E_UNSUPPORTED, "texts", {{"value_string", "text", 0}}},
};

static void refuse_permutation(int64_t first, int64_t second, int64_t third, const char *message) {
  struct graph_writer writer;
  begin(&writer);
  writer_ints_attribute(&writer, "perm", INTS(first, second, third));
  writer_node(&writer, "Transpose", "x", "y");
  load(&writer, "y", FED_E_RANGE, message);
}

static void test_permutation(void **state) {
  (void)state;
  refuse_permutation(0, 1, 1, "place 2 has 1");
  refuse_permutation(0, 3, 1, "place 1 has 3");
  refuse_permutation(-1, 0, 1, "place 0 has -1");
}

/* What must be known before any step comes with the examples. */
static void refuse_runtime(const char *type, const char *inputs) {
  struct graph_writer writer;
  begin(&writer);
  writer_value(&writer, 11, "i", 7, 0, NULL); /* [batch] */
  writer_ints(&writer, "one", INTS(1));
  writer_node(&writer, type, inputs, "y");
  load(&writer, "y", FED_E_UNSUPPORTED, "not depend on the examples");
}

static void test_runtime(void **state) {
  (void)state;
  refuse_runtime("Reshape", "x,i");
  refuse_runtime("Slice", "x,i,one");
  refuse_runtime("Expand", "x,i");
  refuse_runtime("ReduceSum", "x,i");
  refuse_runtime("TopK", "x,i");
  refuse_runtime("Range", "i,one,one");
  refuse_runtime("Split", "x,i");
  refuse_runtime("Resize", "x,,,i");
}

/* Reductions that have no gradient here are refused where one is needed, by the planner. */
static void test_scatter_gradient(void **state) {
  static const float row[3] = {1, 2, 3};
  struct graph_writer writer;
  struct fed_train_options options;
  struct fed_model *model;
  struct fed_trainer *trainer = NULL;
  (void)state;
  begin(&writer);
  writer_ints(&writer, "place", INTS(0));
  writer_floats(&writer, "data", 1, (const int64_t[]){3}, row);
  writer_floats(&writer, "update", 0, NULL, row);
  writer_text_attribute(&writer, "reduction", "max");
  writer_node(&writer, "ScatterND", "data,place,update", "scattered");
  writer_node(&writer, "Mul", "x,scattered", "y");
  writer_trainable(&writer, "data");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  fed_train_options_init(&options);
  assert_int_equal(fed_trainer_new(&writer.context, model, &options, &trainer), FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "only reductions 'none' and 'add'"));
  fed_model_free(model);
  writer_clear(&writer);
}

int main(void) {
  enum { COUNT = sizeof refusals / sizeof refusals[0] };
  static struct CMUnitTest tests[COUNT + 3];
  for (size_t i = 0; i < COUNT; i++)
    tests[i] = (struct CMUnitTest){refusals[i].type, check_refusal, NULL, NULL,
                                   (void *)(uintptr_t)&refusals[i]};
  tests[COUNT] = (struct CMUnitTest)cmocka_unit_test(test_permutation);
  tests[COUNT + 1] = (struct CMUnitTest)cmocka_unit_test(test_runtime);
  tests[COUNT + 2] = (struct CMUnitTest)cmocka_unit_test(test_scatter_gradient);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
