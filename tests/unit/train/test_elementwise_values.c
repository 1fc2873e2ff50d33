/* SPDX-License-Identifier: Apache-2.0
 *
 * test_elementwise_values.c: what the operators that treat every element alike give, for real
 * numbers, integers and truth values; what they refuse; what Dropout draws. The graphs have
 * constants only, so that this is also what folding gives. The expected values are those of
 * ReferenceEvaluator of the PyPI package onnx 1.23.2, except for the last cases, whose rules are
 * written beside them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/gradient.h"
#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define ELEMENTS_MAX 64

/* Attributes as "name=1.5" (a number), "name:1" (an integer) or "name'text". Values as
 * "f[2,3] 1 2 3 4 5 6": f float32, i int64, b bool; inputs separated by semicolons, nothing between
 * them for one that is left out. */
struct value_case {
  const char *type, *attributes, *inputs, *output;
};

struct array {
  enum fed_dtype dtype;
  struct fed_shape shape;
  size_t count;
  double values[ELEMENTS_MAX];
};

/* Reads one array and returns what is behind it and its semicolon. */
static const char *read_array(const char *text, struct array *array) {
  char *end;
  *array = (struct array){.dtype = *text == 'f' ? FED_F32 : *text == 'i' ? FED_I64 : FED_BOOL};
  assert_true(strchr("fib", *text) && text[1] == '[');
  for (text += 2; *text != ']'; text = *end == ',' ? end + 1 : end)
    array->shape.dims[array->shape.rank++] = strtoll(text, &end, 10);
  for (text++; *text && *text != ';'; text = end) {
    array->values[array->count] = strtod(text, &end);
    if (end == text) break;
    assert_true(++array->count < ELEMENTS_MAX);
  }
  text += strspn(text, " ");
  return *text == ';' ? text + 1 : text;
}

static void write_array(struct graph_writer *writer, const char *name, const struct array *array) {
  float floats[ELEMENTS_MAX];
  int64_t integers[ELEMENTS_MAX];
  uint8_t truths[ELEMENTS_MAX];
  const void *data = array->dtype == FED_F32   ? (const void *)floats
                     : array->dtype == FED_I64 ? (const void *)integers
                                               : truths;
  for (size_t i = 0; i < array->count; i++) {
    if (array->dtype == FED_F32) floats[i] = (float)array->values[i];
    if (array->dtype == FED_I64) integers[i] = (int64_t)array->values[i];
    if (array->dtype == FED_BOOL) truths[i] = array->values[i] != 0;
  }
  writer_tensor(writer, name,
                array->dtype == FED_F32   ? 1
                : array->dtype == FED_I64 ? 7
                                          : 9,
                array->shape.rank, array->shape.dims, data,
                array->count * fed_dtype_size(array->dtype));
}

static void write_attributes(struct graph_writer *writer, const char *attributes) {
  char name[32], text[32];
  for (int used; *attributes; attributes += used) {
    const size_t length = strcspn(attributes, "=:'");
    snprintf(name, sizeof name, "%.*s", (int)length, attributes);
    assert_int_equal(sscanf(attributes + length + 1, "%31s%n", text, &used), 1);
    if (attributes[length] == '=') writer_float_attribute(writer, name, strtof(text, NULL));
    if (attributes[length] == ':') writer_int_attribute(writer, name, strtoll(text, NULL, 10));
    if (attributes[length] == '\'') writer_text_attribute(writer, name, text);
    used += (int)length + 1;
    used += (int)strspn(attributes + used, " ");
  }
}

static void write_case(struct graph_writer *writer, const struct value_case *test) {
  static const char *const letters[] = {"a", "b", "c"};
  char names[16] = "";
  const char *text = test->inputs;
  writer_init(writer);
  writer->opset = 22;
  for (int i = 0; i < 3 && *text; i++) {
    struct array array;
    if (i) strncat(names, ",", sizeof names - strlen(names) - 1);
    text += strspn(text, " ");
    if (*text == ';') {
      text++;
      continue;
    }
    text = read_array(text, &array);
    write_array(writer, letters[i], &array);
    strncat(names, letters[i], sizeof names - strlen(names) - 1);
  }
  write_attributes(writer, test->attributes);
  writer_node(writer, test->type, names, "y");
  writer_output(writer, "y");
}

static double value_at(const struct fed_tensor *tensor, size_t i) {
  if (tensor->dtype == FED_F32) return (double)((const float *)tensor->data)[i];
  if (tensor->dtype == FED_I64) return (double)((const int64_t *)tensor->data)[i];
  return ((const uint8_t *)tensor->data)[i];
}

static void check_values(void **state) {
  const struct value_case *test = *state;
  struct graph_writer writer;
  struct fed_params outputs;
  struct array expected;
  write_case(&writer, test);
  read_array(test->output, &expected);
  must(fed__graph_evaluate(&writer.context, writer_finish(&writer), NULL, 0, &outputs));
  const struct fed_tensor *found = &outputs.tensors[0];
  assert_int_equal(found->dtype, expected.dtype);
  assert_true(fed_shape_equal(&found->shape, &expected.shape));
  assert_int_equal(fed_tensor_elements(found), expected.count);
  for (size_t i = 0; i < expected.count; i++) {
    const double want = expected.values[i], is = value_at(found, i);
    const double tolerance = expected.dtype == FED_F32 ? 1e-7 + 2e-6 * fabs(want) : 0;
    if (!(fabs(is - want) <= tolerance || is == want || (isnan(is) && isnan(want))))
      fail_msg("%s %s %s: element %zu: expected %.9g, found %.9g", test->type, test->attributes,
               test->inputs, i, want, is);
  }
  fed_params_clear(&outputs);
  writer_clear(&writer);
}

static const struct value_case values[] = {
    {"Neg", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4", "f[9] 4 2 1 0.5 -0 -0.5 -1 -2 -4"},
    {"Abs", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4", "f[9] 4 2 1 0.5 0 0.5 1 2 4"},
    {"Exp", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0.018315639 0.13533528 0.36787942 0.60653067 1 1.6487212 2.718282 7.3890557 54.598148"},
    {"Sin", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0.7568025 -0.90929741 -0.84147102 -0.47942555 0 0.47942555 0.84147102 0.90929741 "
     "-0.7568025"},
    {"Cos", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.65364361 -0.41614681 0.54030228 0.87758255 1 0.87758255 0.54030228 -0.41614681 "
     "-0.65364361"},
    {"Erf", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -1 -0.99532229 -0.84270078 -0.52049989 0 0.52049989 0.84270078 0.99532229 1"},
    {"Relu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4", "f[9] 0 0 0 0 0 0.5 1 2 4"},
    {"Sigmoid", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0.01798621 0.11920292 0.2689414 0.37754068 0.5 0.62245935 0.7310586 0.88079703 "
     "0.98201376"},
    {"Tanh", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.99932933 -0.96402758 -0.76159418 -0.4621172 0 0.4621172 0.76159418 0.96402758 "
     "0.99932933"},
    {"Softplus", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0.018149929 0.126928 0.31326169 0.47407699 0.69314718 0.97407699 1.3132617 2.1269281 "
     "4.0181499"},
    {"Softsign", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.80000001 -0.66666669 -0.5 -0.33333334 0 0.33333334 0.5 0.66666669 0.80000001"},
    {"HardSwish", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0 -0.33333331 -0.33333331 -0.20833333 0 0.29166666 0.66666669 1.6666667 4"},
    {"Elu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.98168433 -0.86466473 -0.63212055 -0.39346933 0 0.5 1 2 4"},
    {"Selu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -1.7258986 -1.5201665 -1.1113307 -0.69175822 0 0.52535051 1.050701 2.101402 4.2028041"},
    {"Celu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.98168433 -0.86466473 -0.63212055 -0.39346933 0 0.5 1 2 4"},
    {"LeakyRelu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.039999999 -0.02 -0.0099999998 -0.0049999999 0 0.5 1 2 4"},
    {"HardSigmoid", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0 0.099999994 0.30000001 0.40000001 0.5 0.60000002 0.69999999 0.89999998 1"},
    {"ThresholdedRelu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4", "f[9] 0 0 0 0 0 0 0 2 4"},
    {"Mish", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.072591744 -0.25250146 -0.30340147 -0.22074378 0 0.37524518 0.86509842 1.9439589 "
     "3.9974129"},
    {"Gelu", "", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.00012671947 -0.045500278 -0.15865526 -0.15426877 0 0.34573123 0.84134471 1.9544997 "
     "3.9998732"},
    {"Elu", "alpha=2", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -1.9633687 -1.7293295 -1.2642411 -0.78693867 0 0.5 1 2 4"},
    {"Selu", "alpha=2 gamma=0.5", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -0.98168433 -0.86466473 -0.63212055 -0.39346933 0 0.25 0.5 1 2"},
    {"Celu", "alpha=2", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -1.7293295 -1.2642411 -0.78693867 -0.44239843 0 0.5 1 2 4"},
    {"LeakyRelu", "alpha=0.25", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -1 -0.5 -0.25 -0.125 0 0.5 1 2 4"},
    {"HardSigmoid", "alpha=0.5 beta=0.25", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0 0 0 0 0.25 0.5 0.75 1 1"},
    {"ThresholdedRelu", "alpha=-1.5", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] 0 0 -1 -0.5 0 0.5 1 2 4"},
    {"Gelu", "approximate'tanh", "f[9] -4 -2 -1 -0.5 0 0.5 1 2 4",
     "f[9] -7.0214272e-05 -0.045402348 -0.15880799 -0.154286 0 0.345714 0.84119201 1.9545977 "
     "3.9999299"},
    {"Sqrt", "", "f[6] 0.125 0.5 1 2 10 1000",
     "f[6] 0.35355338 0.70710677 1 1.4142135 3.1622777 31.622776"},
    {"Log", "", "f[6] 0.125 0.5 1 2 10 1000",
     "f[6] -2.0794415 -0.69314718 0 0.69314718 2.3025851 6.9077554"},
    {"Reciprocal", "", "f[6] 0.125 0.5 1 2 10 1000", "f[6] 8 2 1 0.5 0.1 0.001"},
    {"Floor", "", "f[9] -2.5 -1.5 -0.5 -0.2 0 0.5 1.5 2.5 3.7", "f[9] -3 -2 -1 -1 0 0 1 2 3"},
    {"Ceil", "", "f[9] -2.5 -1.5 -0.5 -0.2 0 0.5 1.5 2.5 3.7", "f[9] -2 -1 -0 -0 0 1 2 3 4"},
    {"Round", "", "f[9] -2.5 -1.5 -0.5 -0.2 0 0.5 1.5 2.5 3.7", "f[9] -2 -2 -0 -0 0 0 2 2 4"},
    {"Sign", "", "f[9] -2.5 -1.5 -0.5 -0.2 0 0.5 1.5 2.5 3.7", "f[9] -1 -1 -1 -1 0 1 1 1 1"},
    {"Neg", "", "i[5] -7 -1 0 1 9", "i[5] 7 1 0 -1 -9"},
    {"Abs", "", "i[5] -7 -1 0 1 9", "i[5] 7 1 0 1 9"},
    {"Sign", "", "i[5] -7 -1 0 1 9", "i[5] -1 -1 0 1 1"},
    {"Relu", "", "i[5] -7 -1 0 1 9", "i[5] 0 0 0 1 9"},
    {"Add", "", "f[2,1] 8 -16; f[3] 1 2 4", "f[2,3] 9 10 12 -15 -14 -12"},
    {"Add", "", "i[2,1] 8 -16; i[3] 1 2 4", "i[2,3] 9 10 12 -15 -14 -12"},
    {"Sub", "", "f[2,1] 8 -16; f[3] 1 2 4", "f[2,3] 7 6 4 -17 -18 -20"},
    {"Sub", "", "i[2,1] 8 -16; i[3] 1 2 4", "i[2,3] 7 6 4 -17 -18 -20"},
    {"Mul", "", "f[2,1] 8 -16; f[3] 1 2 4", "f[2,3] 8 16 32 -16 -32 -64"},
    {"Mul", "", "i[2,1] 8 -16; i[3] 1 2 4", "i[2,3] 8 16 32 -16 -32 -64"},
    {"Div", "", "f[2,1] 8 -16; f[3] 1 2 4", "f[2,3] 8 4 2 -16 -8 -4"},
    {"Div", "", "i[6] 7 -7 7 -7 0 1; i[6] 2 2 -2 -2 5 2", "i[6] 3 -3 -3 3 0 0"},
    {"Add", "", "f[] 1; f[] 2", "f[] 3"},
    {"Add", "", "f[1,1] 1; f[2] 2 3", "f[1,2] 3 4"},
    {"Mul", "", "i[0] ; i[1] 3", "i[0] "},
    {"Pow", "", "f[5] -2 0.5 1 2 3; f[] 2", "f[5] 4 0.25 1 4 9"},
    {"Pow", "", "f[5] -2 0.5 1 2 3; f[] 3", "f[5] -8 0.125 1 8 27"},
    {"Pow", "", "f[4] 0.25 1 4 9; f[] 0.5", "f[4] 0.5 1 2 3"},
    {"Pow", "", "f[3] 1 2 3; f[3] 4 5 6.5", "f[3] 1 32 1262.665"},
    {"Pow", "", "f[3] 1 2 3; i[3] 4 5 6", "f[3] 1 32 729"},
    {"Pow", "", "i[4] 1 2 -3 10; i[4] 4 10 3 0", "i[4] 1 1024 -27 1"},
    {"Pow", "", "i[3] 1 4 9; f[] 0.5", "i[3] 1 2 3"},
    {"Pow", "", "f[2,1] 2 3; f[3] 0 1 -1", "f[2,3] 1 2 0.5 1 3 0.33333334"},
    {"Mod", "", "i[6] -4 7 5 4 -7 8; i[6] 2 -3 8 -2 3 5", "i[6] 0 -2 5 0 2 3"},
    {"Mod", "fmod:1", "i[6] -4 7 5 4 -7 8; i[6] 2 -3 8 -2 3 5", "i[6] 0 1 5 0 -1 3"},
    {"Mod", "fmod:1", "f[6] -4.25 7.5 5 4.25 -7.5 8; f[6] 2 -3.5 8 -2 3.5 5",
     "f[6] -0.25 0.5 5 0.25 -0.5 3"},
    {"Min", "", "f[3] 3 2 1; f[3] 1 4 4; f[3] 2 5 0", "f[3] 1 2 0"},
    {"Min", "", "f[2,1] 3 2; f[3] 1 2.5 4", "f[2,3] 1 2.5 3 1 2 2"},
    {"Min", "", "i[3] 3 2 1; i[] 2", "i[3] 2 2 1"},
    {"Min", "", "f[2] 3 2", "f[2] 3 2"},
    {"Min", "", "f[3] nan 1 2; f[3] 1 nan 3", "f[3] nan nan 2"},
    {"Max", "", "f[3] 3 2 1; f[3] 1 4 4; f[3] 2 5 0", "f[3] 3 5 4"},
    {"Max", "", "f[2,1] 3 2; f[3] 1 2.5 4", "f[2,3] 3 3 4 2 2.5 4"},
    {"Max", "", "i[3] 3 2 1; i[] 2", "i[3] 3 2 2"},
    {"Max", "", "f[2] 3 2", "f[2] 3 2"},
    {"Max", "", "f[3] nan 1 2; f[3] 1 nan 3", "f[3] nan nan 3"},
    {"Sum", "", "f[2,3] 3 2 1 0 -1 -2; f[] 1; f[2,1] 2 5", "f[2,3] 6 5 4 6 5 4"},
    {"Sum", "", "f[2] 3 2", "f[2] 3 2"},
    {"Mean", "", "f[2,3] 3 2 1 0 -1 -2; f[] 1; f[2,1] 2 5",
     "f[2,3] 2 1.6666666 1.3333334 2 1.6666666 1.3333334"},
    {"Mean", "", "f[2] 3 2", "f[2] 3 2"},
    {"Clip", "", "f[5] -2 -1 0 1 2; f[] -1; f[] 1", "f[5] -1 -1 0 1 1"},
    {"Clip", "", "f[3] -2 0 2; f[] -1", "f[3] -1 0 2"},
    {"Clip", "", "f[3] -2 0 2; ; f[] 1", "f[3] -2 0 1"},
    {"Clip", "", "f[3] -2 0 2", "f[3] -2 0 2"},
    {"Clip", "", "i[3] -2 0 2; i[] -1; i[] 1", "i[3] -1 0 1"},
    {"Clip", "", "f[3] -2 0 6; f[] 2; f[] 1", "f[3] 1 1 1"},
    {"PRelu", "", "f[2,3] -1 2 -3 4 -5 6; f[3] 0.5 1 2", "f[2,3] -0.5 2 -6 4 -5 6"},
    {"PRelu", "", "f[2,2] -1 2 -3 4; f[1] 0.25", "f[2,2] -0.25 2 -0.75 4"},
    {"Where", "", "b[3] 1 0 1; f[3] 1 2 3; f[3] 7 8 9", "f[3] 1 8 3"},
    {"Where", "", "b[2,1] 1 0; i[2] 1 2; i[] 7", "i[2,2] 1 2 7 7"},
    {"Where", "", "b[] 1; b[2] 1 0; b[2] 0 0", "b[2] 1 0"},
    {"Where", "", "b[2,1] 1 0; f[] 1; f[3] 7 8 9", "f[2,3] 1 1 1 7 8 9"},
    {"Equal", "", "f[4] 1 2 3 nan; f[4] 1 3 2 nan", "b[4] 1 0 0 0"},
    {"Equal", "", "i[2,1] 1 2; i[2] 1 2", "b[2,2] 1 0 0 1"},
    {"Less", "", "f[4] 1 2 3 nan; f[4] 1 3 2 nan", "b[4] 0 1 0 0"},
    {"Less", "", "i[2,1] 1 2; i[2] 1 2", "b[2,2] 0 1 0 0"},
    {"LessOrEqual", "", "f[4] 1 2 3 nan; f[4] 1 3 2 nan", "b[4] 1 1 0 0"},
    {"LessOrEqual", "", "i[2,1] 1 2; i[2] 1 2", "b[2,2] 1 1 0 1"},
    {"Greater", "", "f[4] 1 2 3 nan; f[4] 1 3 2 nan", "b[4] 0 0 1 0"},
    {"Greater", "", "i[2,1] 1 2; i[2] 1 2", "b[2,2] 0 0 1 0"},
    {"GreaterOrEqual", "", "f[4] 1 2 3 nan; f[4] 1 3 2 nan", "b[4] 1 0 1 0"},
    {"GreaterOrEqual", "", "i[2,1] 1 2; i[2] 1 2", "b[2,2] 1 0 1 1"},
    {"Equal", "", "b[2] 1 0; b[2] 1 1", "b[2] 1 0"},
    {"And", "", "b[2,1] 1 0; b[2] 1 0", "b[2,2] 1 0 0 0"},
    {"Or", "", "b[2,1] 1 0; b[2] 1 0", "b[2,2] 1 1 1 0"},
    {"Xor", "", "b[2,1] 1 0; b[2] 1 0", "b[2,2] 0 1 1 0"},
    {"Not", "", "b[2] 1 0", "b[2] 0 1"},
    {"IsNaN", "", "f[4] 1 nan inf -inf", "b[4] 0 1 0 0"},
    {"IsInf", "", "f[4] 1 nan inf -inf", "b[4] 0 0 1 1"},
    {"IsInf", "detect_negative:0", "f[4] 1 nan inf -inf", "b[4] 0 0 1 0"},
    {"IsInf", "detect_positive:0", "f[4] 1 nan inf -inf", "b[4] 0 0 0 1"},
    {"Cast", "to:7", "f[4] -1.7 0 0.5 3.9", "i[4] -1 0 0 3"},
    {"Cast", "to:9", "f[4] -1.7 0 0.5 nan", "b[4] 1 0 1 1"},
    {"Cast", "to:1", "i[3] -1 0 5", "f[3] -1 0 5"},
    {"Cast", "to:9", "i[3] -1 0 5", "b[3] 1 0 1"},
    {"Cast", "to:3", "i[4] 200 -200 70000 -1", "i[4] -56 56 112 -1"},
    {"Cast", "to:2", "i[4] 200 -200 70000 -1", "i[4] 200 56 112 255"},
    {"Cast", "to:5", "i[3] 70000 -1 40000", "i[3] 4464 -1 -25536"},
    {"Cast", "to:4", "i[3] 70000 -1 40000", "i[3] 4464 65535 40000"},
    {"Cast", "to:6", "i[3] 4294967297 -1 3000000000", "i[3] 1 -1 -1294967296"},
    {"Cast", "to:12", "i[3] 4294967297 -1 3000000000", "i[3] 1 4294967295 3000000000"},
    {"Cast", "to:1", "b[2] 1 0", "f[2] 1 0"},
    {"Cast", "to:7", "b[2] 1 0", "i[2] 1 0"},
    {"Cast", "to:9", "b[2] 1 0", "b[2] 1 0"},
    {"Cast", "to:11", "f[2] 1.5 2", "f[2] 1.5 2"},
    {"Cast", "to:10", "f[8] 0.1 -2.0009766 65519 65520 1e-8 6e-8 -1e6 nan",
     "f[8] 0.0999755859 -2 65504 inf 0 5.96046448e-08 -inf nan"},
    {"Cast", "to:16", "f[6] 0.1 3.39e38 3.4e38 1.00390625 1.01171875 -1e6",
     "f[6] 0.100097656 3.38953139e+38 inf 1 1.015625 -999424"},
    {"Cast", "to:17", "f[9] 0.1 0.2 17 19 465 -1e6 1e-4 0.0146484375 inf",
     "f[9] 0.1015625 0.203125 16 20 448 -448 0 0.015625 448"},
    {"Cast", "to:17 saturate:0", "f[4] 19 465 -1e6 inf", "f[4] 20 nan nan nan"},
    {"Cast", "to:18", "f[4] 465 -1e6 0.0146484375 inf", "f[4] 240 -240 0.0146484375 240"},
    {"Cast", "to:19", "f[4] 465 -1e6 1e-4 inf", "f[4] 448 -57344 0.000106811523 57344"},
    {"Cast", "to:19 saturate:0", "f[4] 465 -1e6 1e-4 inf", "f[4] 448 -inf 0.000106811523 inf"},
    {"Cast", "to:20 saturate:0", "f[3] 465 -1e6 inf", "f[3] 448 nan nan"},
    {"Cast", "to:22", "i[5] -9 -8 0 7 8", "i[5] 7 -8 0 7 -8"},
    {"Cast", "to:21", "i[4] -1 0 15 16", "i[4] 15 0 15 0"},
    {"CastLike", "", "f[2] 1.5 -2.5; i[1] 0", "i[2] 1 -2"},
    {"CastLike", "", "i[2] 1 0; b[1] 0", "b[2] 1 0"},
    {"Dropout", "", "f[2] 1 2", "f[2] 1 2"},
    {"Dropout", "", "f[2] 1 2; f[] 0.25; b[] 0", "f[2] 1 2"},
    /* Integers wrap around; division by zero gives zero. */
    {"Div", "", "i[4] 7 -7 0 -9223372036854775808; i[4] 0 0 0 -1",
     "i[4] 0 0 0 -9223372036854775808"},
    {"Mod", "", "i[3] 7 -7 -9223372036854775808; i[3] 0 0 -1", "i[3] 0 0 0"},
    {"Mod", "fmod:1", "i[3] 7 -7 -9223372036854775808; i[3] 0 0 -1", "i[3] 0 0 0"},
    {"Neg", "", "i[1] -9223372036854775808", "i[1] -9223372036854775808"},
    {"Abs", "", "i[1] -9223372036854775808", "i[1] -9223372036854775808"},
    {"Add", "", "i[1] -9223372036854775808; i[1] -1", "i[1] 9223372036854775807"},
    {"Mul", "", "i[1] -9223372036854775808; i[1] 3", "i[1] -9223372036854775808"},
    {"Pow", "", "i[5] 2 2 1 -1 0; i[5] 64 -1 -5 -5 -1", "i[5] 0 0 1 -1 0"},
    {"Pow", "", "i[4] 2 -2 -1 0; f[4] 70 63.5 0.5 -1",
     "i[4] 9223372036854775807 0 0 9223372036854775807"},
    /* Beyond the range: the nearest integer; NaN: 0. */
    {"Cast", "to:7", "f[5] 1e30 -1e30 inf -inf nan",
     "i[5] 9223372036854775807 -9223372036854775808 9223372036854775807 -9223372036854775808 0"},
    /* Opset 28's rules for Mod of real numbers without fmod. */
    {"Mod", "", "f[6] 5 -5 5 -5 1 nan; f[6] 3 3 -3 -3 0 1", "f[6] 2 1 -1 -2 nan nan"},
    /* A NaN stays one. */
    {"Relu", "", "f[1] nan", "f[1] nan"},
    {"LeakyRelu", "", "f[1] nan", "f[1] nan"},
    {"ThresholdedRelu", "", "f[1] nan", "f[1] nan"},
    {"HardSigmoid", "", "f[1] nan", "f[1] nan"},
    {"HardSwish", "", "f[1] nan", "f[1] nan"},
    {"Elu", "", "f[1] nan", "f[1] nan"},
    {"Softplus", "", "f[1] nan", "f[1] nan"},
    {"Mish", "", "f[1] nan", "f[1] nan"},
    {"Gelu", "", "f[1] nan", "f[1] nan"},
    {"Sign", "", "f[1] nan", "f[1] nan"},
    {"Clip", "", "f[1] nan; f[] 0; f[] 1", "f[1] nan"},
    {"PRelu", "", "f[1] nan; f[1] 0.5", "f[1] nan"},
    {"Min", "", "f[2] nan 1; f[2] 1 nan; f[] 0", "f[2] nan nan"},
    /* The ends of the range. */
    {"Sigmoid", "", "f[4] -200 200 -inf inf", "f[4] 0 1 0 1"},
    {"Tanh", "", "f[4] -200 200 -inf inf", "f[4] -1 1 -1 1"},
    {"Erf", "", "f[4] -200 200 -inf inf", "f[4] -1 1 -1 1"},
    {"Exp", "", "f[4] -200 200 -inf inf", "f[4] 0 inf 0 inf"},
    {"Log", "", "f[4] 0 -1 inf 1", "f[4] -inf nan inf 0"},
    {"Softplus", "", "f[2] -200 200", "f[2] 0 200"},
    {"Mish", "", "f[2] -200 200", "f[2] 0 200"},
    {"Gelu", "", "f[2] -200 200", "f[2] 0 200"},
    {"Elu", "", "f[2] -200 200", "f[2] -1 200"},
    /* No elements. */
    {"Relu", "", "f[0]", "f[0]"},
    {"Add", "", "f[0,3]; f[3] 1 2 3", "f[0,3]"},
    {"Max", "", "f[2,0]; f[1] 1; f[]  1", "f[2,0]"},
    {"Where", "", "b[0]; i[1] 1; i[] 2", "i[0]"},
    {"Not", "", "b[0]", "b[0]"},
    {"Cast", "to:1", "i[0]", "f[0]"},
    {"Dropout", "", "f[0]", "f[0]"},
};

struct refusal {
  struct value_case test; /* output: part of the message */
  int code;
};

static const struct refusal refusals[] = {
    {{"Add", "", "f[1] 1; i[1] 1", "of one type, but are F32 and I64"}, FED_E_TYPE},
    {{"Add", "", "b[1] 1; b[1] 1", "float32 or int64"}, FED_E_TYPE},
    {{"Add", "", "f[2] 1 2; f[3] 1 2 3", "cannot be broadcast"}, FED_E_SHAPE},
    {{"Max", "", "f[2] 1 2; ; f[2] 1 2", "input 1 is left out"}, FED_E_MISSING},
    {{"Sum", "", "i[1] 1; i[1] 1", "should be float32"}, FED_E_TYPE},
    {{"Sqrt", "", "i[1] 1", "should be float32"}, FED_E_TYPE},
    {{"Not", "", "i[1] 1", "should be bool"}, FED_E_TYPE},
    {{"Less", "", "b[1] 1; b[1] 0", "float32 or int64"}, FED_E_TYPE},
    {{"IsNaN", "", "i[1] 1", "should be float32"}, FED_E_TYPE},
    {{"Pow", "", "f[1] 1; b[1] 0", "float32 or int64"}, FED_E_TYPE},
    {{"Where", "", "i[1] 1; f[1] 0; f[1] 0", "should be bool"}, FED_E_TYPE},
    {{"Where", "", "b[1] 1; f[1] 0; i[1] 0", "of one type"}, FED_E_TYPE},
    {{"LeakyRelu", "alpha=-0.5", "f[1] 1", "'alpha' is -0.5"}, FED_E_UNSUPPORTED},
    {{"LeakyRelu", "alpha:1", "f[1] 1", "'alpha' should be a number"}, FED_E_TYPE},
    {{"Elu", "alpha=-1", "f[1] 1", "'alpha' is -1"}, FED_E_UNSUPPORTED},
    {{"Selu", "gamma=nan", "f[1] 1", "'gamma' is nan"}, FED_E_UNSUPPORTED},
    {{"Celu", "alpha=0", "f[1] 1", "'alpha' is 0"}, FED_E_RANGE},
    {{"Gelu", "approximate'sigmoid", "f[1] 1", "expected none or tanh"}, FED_E_INPUT},
    {{"Clip", "", "f[1] 1; f[2] 1 2", "a bound, should be one number"}, FED_E_TYPE},
    {{"Clip", "", "f[1] 1; i[] 1", "a bound, should be one number"}, FED_E_TYPE},
    {{"PRelu", "", "f[1] 1; f[2] 1 2", "cannot be broadcast to data"}, FED_E_SHAPE},
    {{"Cast", "to:8", "f[1] 1", "data type 8"}, FED_E_UNSUPPORTED},
    {{"Cast", "", "f[1] 1", "data type 0"}, FED_E_UNSUPPORTED},
    {{"Dropout", "", "f[1] 1; f[] 1; b[] 1", "from 0 to below 1"}, FED_E_RANGE},
    {{"Dropout", "", "f[1] 1; f[] -0.1; b[] 1", "from 0 to below 1"}, FED_E_RANGE},
    {{"Dropout", "", "f[1] 1; f[] nan; b[] 1", "from 0 to below 1"}, FED_E_RANGE},
    {{"Dropout", "", "f[1] 1; f[2] 0 0; b[] 1", "from 0 to below 1"}, FED_E_RANGE},
    {{"Dropout", "", "f[1] 1; f[] 0.5; f[] 1", "training_mode"}, FED_E_UNSUPPORTED},
    {{"Dropout", "", "i[1] 1", "float32"}, FED_E_TYPE},
};

static void check_refusal(void **state) {
  const struct refusal *refusal = *state;
  struct graph_writer writer;
  struct fed_params outputs;
  write_case(&writer, &refusal->test);
  const int code = fed__graph_evaluate(&writer.context, writer_finish(&writer), NULL, 0, &outputs);
  if (code != refusal->code || !strstr(fed_error_last()->message, refusal->test.output))
    fail_msg("%s %s: expected %s with \"%s\", found %s: %s", refusal->test.type,
             refusal->test.inputs, fed_error_name(refusal->code), refusal->test.output,
             fed_error_name(code), fed_error_last()->message);
  writer_clear(&writer);
}

/* Dropout of 4000 ones, then a scale that trains: y. */
#define DROPPED 4000
struct dropping {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer;
};

static void begin_dropping(struct dropping *dropping, float ratio, uint64_t seed) {
  struct graph_writer *writer = &dropping->writer;
  struct fed_train_options options;
  static const int64_t dims[] = {DROPPED};
  static float scale[DROPPED];
  static const uint8_t training = 1;
  for (size_t i = 0; i < DROPPED; i++) scale[i] = 1;
  writer_init(writer);
  writer_input(writer, "x", 1, dims);
  writer_floats(writer, "ratio", 0, NULL, &ratio);
  writer_tensor(writer, "training", 9, 0, NULL, &training, 1);
  writer_floats(writer, "scale", 1, dims, scale);
  writer_node(writer, "Dropout", "x,ratio,training", "dropped");
  writer_node(writer, "Mul", "dropped,scale", "y");
  writer_output(writer, "y");
  must(fed_model_load(&writer->context, writer_finish(writer), NULL, &dropping->model));
  fed_train_options_init(&options);
  options.batch_size = 2;
  options.kernels = FED_KERNELS_REFERENCE;
  options.seed = seed;
  options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  options.learning_rate = 0;
  must(fed_trainer_new(&writer->context, dropping->model, &options, &dropping->trainer));
  float *x = fed_trainer_batch(dropping->trainer)->inputs[0].data;
  for (size_t i = 0; i < 2 * DROPPED; i++) x[i] = 1;
}

static const float *drop(struct dropping *dropping) {
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  must(fed__gradient_compute(dropping->trainer, &metrics));
  return fed__trainer_output(dropping->trainer, &shape);
}

static void end_dropping(struct dropping *dropping) {
  fed_trainer_free(dropping->trainer);
  fed_model_free(dropping->model);
  writer_clear(&dropping->writer);
}

/* Everything is 0 or 1 / (1 - ratio); how often it is 0 is within five standard deviations. */
static void check_ratio(float ratio) {
  struct dropping dropping;
  size_t zeros = 0;
  begin_dropping(&dropping, ratio, 5);
  const float *y = drop(&dropping);
  for (size_t i = 0; i < 2 * DROPPED; i++) {
    if (y[i] != 0 && !(fabs((double)y[i] * (1 - (double)ratio) - 1) < 1e-6))
      fail_msg("element %zu is %g", i, (double)y[i]);
    zeros += y[i] == 0;
  }
  const double expected = 2 * DROPPED * (double)ratio;
  assert_true(fabs((double)zeros - expected) <= 5 * sqrt(expected * (1 - (double)ratio)));
  end_dropping(&dropping);
}

static void test_dropout_ratio(void **state) {
  (void)state;
  check_ratio(0.1F);
  check_ratio(0.5F);
  check_ratio(0.99F);
}

static size_t count_differences(const float *a, const float *b) {
  size_t count = 0;
  for (size_t i = 0; i < DROPPED; i++) count += a[i] != b[i];
  return count;
}

/* The same step: the same mask; examples, steps and seeds: independent ones. */
static void test_dropout_streams(void **state) {
  (void)state;
  static float first[2 * DROPPED];
  struct dropping one, other;
  struct fed_metrics metrics = {0};
  begin_dropping(&one, 0.5F, 5);
  begin_dropping(&other, 0.5F, 6);
  memcpy(first, drop(&one), sizeof first);
  assert_memory_equal(drop(&one), first, sizeof first);
  assert_in_range(count_differences(first, first + DROPPED), 1800, 2200);
  assert_in_range(count_differences(first, drop(&other)), 1800, 2200);
  must(fed_train_step(one.trainer, &metrics));
  assert_in_range(count_differences(first, drop(&one)), 1800, 2200);
  must(fed_evaluate_step(one.trainer, &metrics));
  struct fed_shape shape;
  const float *y = fed__trainer_output(one.trainer, &shape);
  for (size_t i = 0; i < 2 * DROPPED; i++) assert_true(y[i] == 1);
  end_dropping(&one);
  end_dropping(&other);
}

int main(void) {
  enum { VALUES = sizeof values / sizeof *values, REFUSALS = sizeof refusals / sizeof *refusals };
  static struct CMUnitTest tests[VALUES + REFUSALS];
  const struct CMUnitTest dropout[] = {cmocka_unit_test(test_dropout_ratio),
                                       cmocka_unit_test(test_dropout_streams)};
  for (size_t i = 0; i < VALUES; i++)
    tests[i] = (struct CMUnitTest){values[i].type, check_values, NULL, NULL,
                                   (void *)(uintptr_t)&values[i]};
  for (size_t i = 0; i < REFUSALS; i++)
    tests[VALUES + i] = (struct CMUnitTest){refusals[i].test.type, check_refusal, NULL, NULL,
                                            (void *)(uintptr_t)&refusals[i]};
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return failed + cmocka_run_group_tests(dropout, NULL, NULL);
}
