/* SPDX-License-Identifier: Apache-2.0
 *
 * op_cast.c: Cast and CastLike between real numbers, integers and truth values. All integers are
 * held as int64: a cast to a narrower type keeps its low bits, as that type would. Real numbers out
 * of range become the nearest integer, NaN becomes 0. Real numbers are rounded to those of a
 * narrower type, and stay float32 or double, whatever the trainer's precision is; double is what
 * that makes of them. Gradients pass from real to real numbers as if nothing had been rounded.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/flat_graph.h"
#include "train/narrow_type.h"
#include "train/operators/elementwise/elementwise.h"

typedef unsigned char truth;

#define ONNX_TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

static int refuse(int64_t to) {
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "a cast to ONNX data type %lld; supported are real numbers, bool and the "
                   "integers except uint64",
                   (long long)to);
}

/* ONNX's type as that in which operators work. */
static int find_dtype(int64_t to, enum fed_dtype *dtype) {
  switch (to) {
  case ONNX_TYPE(FLOAT):
  case ONNX_TYPE(DOUBLE):
    *dtype = FED_F32;
    return FED_OK;
  case ONNX_TYPE(BOOL):
    *dtype = FED_BOOL;
    return FED_OK;
  case ONNX_TYPE(UINT8):
  case ONNX_TYPE(INT8):
  case ONNX_TYPE(UINT16):
  case ONNX_TYPE(INT16):
  case ONNX_TYPE(UINT32):
  case ONNX_TYPE(INT32):
  case ONNX_TYPE(INT64):
    *dtype = FED_I64;
    return FED_OK;
  default:
    break;
  }
  const struct fed__narrow_type *narrow = fed__narrow_type_find((int32_t)to);
  if (!narrow) return refuse(to);
  *dtype = narrow->is_real ? FED_F32 : FED_I64;
  return FED_OK;
}

/* What a type keeps of an integer. */
static int64_t narrow(int64_t value, int64_t to) {
  switch (to) {
  case ONNX_TYPE(UINT8):
    return (uint8_t)value;
  case ONNX_TYPE(INT8):
    return (int8_t)value;
  case ONNX_TYPE(UINT16):
    return (uint16_t)value;
  case ONNX_TYPE(INT16):
    return (int16_t)value;
  case ONNX_TYPE(UINT32):
    return (uint32_t)value;
  case ONNX_TYPE(INT32):
    return (int32_t)value;
  default:
    return value;
  }
}

static int infer_cast(const struct fed__inference *inference) {
  int64_t to;
  enum fed_dtype dtype = FED_F32;
  FED_TRY(fed__attribute_int(inference->node, "to", 0, &to));
  FED_TRY(find_dtype(to, &dtype));
  return fed__infer_output(inference, 0, dtype, &fed__infer_input(inference, 0)->shape, NULL);
}

static int infer_cast_like(const struct fed__inference *inference) {
  return fed__infer_output(inference, 0, fed__infer_input(inference, 1)->dtype,
                           &fed__infer_input(inference, 0)->shape, NULL);
}

struct target {
  int64_t type; /* ONNX's; of CastLike 0 where the file does not say the pattern's */
  const struct fed__narrow_type *narrow; /* NULL: it is as wide as what operators work with */
  int saturate;
};

static int prepare_cast(struct fed__operation *operation) {
  struct target *target = operation->state;
  int64_t saturate;
  FED_TRY(fed__attribute_int(operation->node, "to", 0, &target->type));
  FED_TRY(fed__attribute_int(operation->node, "saturate", 1, &saturate));
  const int is_float8 = target->type != ONNX_TYPE(FLOAT16) && target->type != ONNX_TYPE(BFLOAT16);
  target->narrow = fed__narrow_type_find((int32_t)target->type);
  target->saturate = saturate && is_float8;
  return FED_OK;
}

static int declares(const Onnx__ValueInfoProto *value, const char *name, int64_t *type) {
  if (strcmp(fed__text_of(value->name), name) != 0 || !value->type ||
      value->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return 0;
  *type = value->type->tensor_type->elem_type;
  return 1;
}

/* The pattern's type, where the file says it. */
static int prepare_cast_like(struct fed__operation *operation) {
  struct target *target = operation->state;
  const Onnx__GraphProto *graph = operation->model->message->graph;
  const char *name = operation->model->values[operation->node->inputs[1]].name;
  FED_TRY(prepare_cast(operation));
  int found = 0;
  for (size_t i = 0; i < graph->n_input && !found; i++)
    found = declares(graph->input[i], name, &target->type);
  for (size_t i = 0; i < graph->n_value_info && !found; i++)
    found = declares(graph->value_info[i], name, &target->type);
  for (size_t i = 0; i < graph->n_initializer && !found; i++)
    if (strcmp(fed__text_of(graph->initializer[i]->name), name) == 0)
      found = 1, target->type = graph->initializer[i]->data_type;
  const int is_float8 = target->type != ONNX_TYPE(FLOAT16) && target->type != ONNX_TYPE(BFLOAT16);
  target->narrow = fed__narrow_type_find((int32_t)target->type);
  target->saturate = target->saturate && is_float8;
  return FED_OK;
}

FED__ROW1(truths_from_truths, truth, truth, x)
FED__ROW1(truths_from_integers, truth, int64_t, x != 0)
FED__ROW1(integers_from_truths, int64_t, truth, x)
FED__ROW1(integers_from_integers, int64_t, int64_t, x)

static void narrow_output(const struct fed__operation *operation) {
  const struct target *target = operation->state;
  int64_t *out = operation->outputs[0].data;
  if (target->type == 0 || target->type == ONNX_TYPE(INT64)) return;
  for (size_t i = 0; i < operation->outputs[0].elements; i++)
    out[i] =
        target->narrow ? fed__narrow_integer(target->narrow, out[i]) : narrow(out[i], target->type);
}

#define FED__TEMPLATE "train/operators/elementwise/op_cast.c"
#include "train/typed.h"

const struct fed__operator fed__op_cast = {
    .type = "Cast",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_cast,
    .passes = 1,
    .state_size = sizeof(struct target),
    .prepare = prepare_cast,
    .forward = FED__TYPED(cast_forward),
    .backward = FED__TYPED(cast_backward),
};

const struct fed__operator fed__op_cast_like = {
    .type = "CastLike",
    .opset_min = 15,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_cast_like,
    .passes = 1,
    .state_size = sizeof(struct target),
    .prepare = prepare_cast_like,
    .forward = FED__TYPED(cast_forward),
    .backward = FED__TYPED(cast_backward),
};

#else

static inline int64_t TYPED(integer_of)(REAL x) {
  if (x != x) return 0;
  return x >= (REAL)0x1p63 ? INT64_MAX : x <= (REAL)-0x1p63 ? INT64_MIN : (int64_t)x;
}

FED__ROW1(TYPED(reals_from_reals), REAL, REAL, x)
FED__ROW1(TYPED(reals_from_integers), REAL, int64_t, (REAL)x)
FED__ROW1(TYPED(reals_from_truths), REAL, truth, x)
FED__ROW1(TYPED(integers_from_reals), int64_t, REAL, TYPED(integer_of)(x))
FED__ROW1(TYPED(truths_from_reals), truth, REAL, x != 0)

static fed__row *TYPED(find_cast)(enum fed_dtype from, enum fed_dtype to) {
  const int real = from == FED_F32, integer = from == FED_I64;
  if (to == FED_I64)
    return real      ? TYPED(integers_from_reals)
           : integer ? integers_from_integers
                     : integers_from_truths;
  if (to == FED_BOOL)
    return real ? TYPED(truths_from_reals) : integer ? truths_from_integers : truths_from_truths;
  return real      ? TYPED(reals_from_reals)
         : integer ? TYPED(reals_from_integers)
                   : TYPED(reals_from_truths);
}

static void TYPED(round_output)(const struct fed__operation *operation) {
  const struct target *target = operation->state;
  REAL *out = operation->outputs[0].data;
  for (size_t i = 0; target->narrow && i < operation->outputs[0].elements; i++)
    out[i] = (REAL)fed__narrow_real(target->narrow, (double)out[i], target->saturate);
}

static void TYPED(cast_forward)(const struct fed__operation *operation) {
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const void *in[] = {input->data};
  TYPED(find_cast)(input->dtype, output->dtype)(output->elements, in, output->data);
  if (output->dtype == FED_I64) narrow_output(operation);
  if (output->dtype == FED_F32) TYPED(round_output)(operation);
}

/* From integers and truth values, which have no gradient, and for the pattern of CastLike, which
 * does not matter, there is nothing to do. */
static void TYPED(cast_backward)(const struct fed__operation *operation) {
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  if (input->gradient) memcpy(input->gradient, output->gradient, output->elements * sizeof(REAL));
  for (uint32_t i = 1; i < operation->input_count; i++)
    if (operation->inputs[i].gradient)
      memset(operation->inputs[i].gradient, 0, operation->inputs[i].elements * sizeof(REAL));
}

#endif
