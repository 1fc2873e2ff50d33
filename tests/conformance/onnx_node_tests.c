/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_node_tests.c: ONNX's own backend node tests against the engine's forward.
 *
 *   onnx_node_tests FOLDER…      one line a test: name, operators, outcome, message (tabs between)
 *   onnx_node_tests --operators  one line an operator: type, first opset, last opset, gradient
 *
 * The outcome is passed, failed (another result), refused (the engine says what it does not
 * support), or foreign (the operator is not among the engine's). Results are compared with the
 * tolerances that ONNX's own runner uses: relative 1e-3, absolute 1e-7; a test that fails says
 * where. Real numbers of all widths are computed in float32; results of 16 bits may differ by what
 * their rounding does.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/graph_evaluate.h"
#include "train/narrow_type.h"
#include "train/operator.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENSORS_MAX 32
#define RELATIVE 1e-3
#define ABSOLUTE 1e-7

/* The tensors of a data set, with the messages that hold them. */
struct tensor_set {
  Onnx__TensorProto *messages[TENSORS_MAX];
  struct fed_tensor tensors[TENSORS_MAX];
  size_t count;
};

static int read_file(const struct fed_context *context, const char *path, struct fed_buffer *out) {
  fed_buffer_init(out, context, (size_t)256 << 20);
  return fed__file_read(path, out);
}

static void clear_set(struct tensor_set *set) {
  for (size_t i = 0; i < set->count; i++) onnx__tensor_proto__free_unpacked(set->messages[i], NULL);
  set->count = 0;
}

static int declares_bfloat16(const Onnx__ValueInfoProto *value) {
  return value->type && value->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
         value->type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

/* A tensor of a type below 16 bits as float32 or int8, in the message's own memory (malloc's). */
static void widen(Onnx__TensorProto *message) {
  const struct fed__narrow_type *type = fed__narrow_type_find(message->data_type);
  size_t count = 1;
  if (!type || type->bits > 8) return;
  for (size_t i = 0; i < message->n_dims; i++) count *= (size_t)message->dims[i];
  const size_t unit = type->is_real ? sizeof(float) : 1;
  uint8_t *content = malloc(count * unit + 1);
  if (!content || message->raw_data.len != fed__narrow_bytes(type, count)) {
    free(content);
    return;
  }
  fed__narrow_decode(type, message->raw_data.data, count, content);
  free(message->raw_data.data);
  message->raw_data = (ProtobufCBinaryData){count * unit, content};
  message->data_type = !type->is_real ? type->is_signed ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                                                        : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8
                                      : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

/* FOLDER/KIND_0.pb, KIND_1.pb …, named after the graph's values. */
static int read_set(const struct fed_context *context, const char *folder, const char *kind,
                    Onnx__ValueInfoProto *const *values, size_t value_count,
                    struct tensor_set *set) {
  *set = (struct tensor_set){0};
  for (size_t i = 0; i < value_count && i < TENSORS_MAX; i++) {
    char path[4300];
    struct fed_buffer bytes;
    snprintf(path, sizeof path, "%s/%s_%zu.pb", folder, kind, i);
    int code = read_file(context, path, &bytes);
    if (code == FED_OK) {
      set->messages[i] = onnx__tensor_proto__unpack(NULL, bytes.size, bytes.data);
      code = set->messages[i] ? FED_OK : FED_RAISE(FED_E_SYNTAX, "%s is no tensor", path);
    }
    fed_buffer_clear(&bytes);
    if (code != FED_OK) return code;
    set->count++;
    widen(set->messages[i]);
    FED_TRY(fed__onnx_tensor(set->messages[i], values[i]->name, &set->tensors[i]));
    /* NumPy has no bfloat16, so old tests store its bits as uint16. */
    if (set->tensors[i].dtype == FED_U16 && declares_bfloat16(values[i]))
      set->tensors[i].dtype = FED_BF16;
  }
  return FED_OK;
}

static double from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

/* IEEE 754 binary16: a normal number's exponent is biased by 15, a float's by 127. */
static double from_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half >> 15) << 31, exponent = half >> 10 & 31u;
  const uint32_t fraction = half & 1023u;
  if (exponent == 0) return (sign ? -1.0 : 1.0) * ldexp((double)fraction, -24);
  return from_bits(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13);
}

static double number_at(const struct fed_tensor *tensor, size_t i) {
  switch (tensor->dtype) {
  case FED_F32:
    return (double)((const float *)tensor->data)[i];
  case FED_F64:
    return (double)(float)((const double *)tensor->data)[i];
  case FED_I64:
    return (double)((const int64_t *)tensor->data)[i];
  case FED_I32:
    return (double)((const int32_t *)tensor->data)[i];
  case FED_I16:
    return (double)((const int16_t *)tensor->data)[i];
  case FED_I8:
    return (double)((const int8_t *)tensor->data)[i];
  case FED_U64:
    return (double)((const uint64_t *)tensor->data)[i];
  case FED_U32:
    return (double)((const uint32_t *)tensor->data)[i];
  case FED_U16:
    return (double)((const uint16_t *)tensor->data)[i];
  case FED_U8:
  case FED_BOOL:
    return (double)((const uint8_t *)tensor->data)[i];
  case FED_F16:
    return from_half(((const uint16_t *)tensor->data)[i]);
  case FED_BF16:
    return from_bits((uint32_t)((const uint16_t *)tensor->data)[i] << 16);
  default:
    return NAN;
  }
}

/* Results of 16 bits were rounded on the way, too: some units in the last place. */
static double tolerance_of(enum fed_dtype dtype) {
  return dtype == FED_BF16 ? 0x1p-6 : dtype == FED_F16 ? 0x1p-9 : RELATIVE;
}

static int is_close(double value, double expected, double relative) {
  if (isnan(expected)) return isnan(value);
  if (isinf(expected)) return value == expected;
  return fabs(value - expected) <= ABSOLUTE + relative * fabs(expected);
}

static int compare(const struct fed_tensor *got, const struct fed_tensor *expected) {
  char left[128], right[128];
  if (!fed_shape_equal(&got->shape, &expected->shape))
    return FED_RAISE(FED_E_CORRUPT, "%s: shape %s, expected %s", expected->name,
                     fed_shape_format(&got->shape, left, sizeof left),
                     fed_shape_format(&expected->shape, right, sizeof right));
  if (got->dtype != fed__dtype_for_work(expected->dtype))
    return FED_RAISE(FED_E_CORRUPT, "%s: type %s, expected %s", expected->name,
                     fed_dtype_name(got->dtype), fed_dtype_name(expected->dtype));
  const size_t count = fed_tensor_elements(expected);
  for (size_t i = 0; i < count; i++)
    if (!is_close(number_at(got, i), number_at(expected, i), tolerance_of(expected->dtype)))
      return FED_RAISE(FED_E_CORRUPT, "%s[%zu]: %.9g, expected %.9g", expected->name, i,
                       number_at(got, i), number_at(expected, i));
  return FED_OK;
}

static int compare_all(const struct fed_params *got, const struct tensor_set *expected) {
  for (size_t i = 0; i < expected->count; i++)
    FED_TRY(compare(&got->tensors[i], &expected->tensors[i]));
  return FED_OK;
}

/* FED_E_CORRUPT: other results; every other error is a refusal. */
static int run_set(const struct fed_context *context, const Onnx__GraphProto *graph,
                   struct fed_slice onnx, const char *folder) {
  struct tensor_set inputs = {0}, expected = {0};
  struct fed_params outputs = {0};
  int code = read_set(context, folder, "input", graph->input, graph->n_input, &inputs);
  if (code == FED_OK)
    code = read_set(context, folder, "output", graph->output, graph->n_output, &expected);
  if (code == FED_OK)
    code = fed__graph_evaluate(context, onnx, inputs.tensors, inputs.count, &outputs);
  if (code == FED_OK) {
    code = compare_all(&outputs, &expected);
    fed_params_clear(&outputs);
  }
  clear_set(&inputs);
  clear_set(&expected);
  return code;
}

static int is_foreign(const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_node; i++) {
    int known = 0;
#define COMPARE_TYPE(name) known |= strcmp(fed__op_##name.type, graph->node[i]->op_type) == 0;
    FED__OPERATOR_LIST(COMPARE_TYPE)
#undef COMPARE_TYPE
    if (!known || (graph->node[i]->domain && *graph->node[i]->domain)) return 1;
  }
  return 0;
}

static void print_operators(const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_node; i++) {
    int seen = 0;
    for (size_t j = 0; j < i; j++)
      seen |= strcmp(graph->node[i]->op_type, graph->node[j]->op_type) == 0;
    if (!seen) printf("%s%s", i ? "," : "", graph->node[i]->op_type);
  }
}

static void print_message(const char *message) {
  for (; *message; message++) putchar(*message == '\n' || *message == '\t' ? ' ' : *message);
}

static int run_sets(const struct fed_context *context, const Onnx__GraphProto *graph,
                    struct fed_slice onnx, const char *folder) {
  int code = FED_OK;
  for (int i = 0; code == FED_OK; i++) {
    char inside[4200];
    snprintf(inside, sizeof inside, "%s/test_data_set_%d", folder, i);
    DIR *there = opendir(inside);
    if (!there) break;
    closedir(there);
    code = run_set(context, graph, onnx, inside);
  }
  return code;
}

static int run_test(const struct fed_context *context, const char *folder, const char *name) {
  char path[4096];
  struct fed_buffer onnx;
  snprintf(path, sizeof path, "%s/%s/model.onnx", folder, name);
  if (read_file(context, path, &onnx) != FED_OK) return 0;
  Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, onnx.size, onnx.data);
  int failed = 0;
  if (model && model->graph) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    printf("%s\t", name);
    print_operators(model->graph);
    if (is_foreign(model->graph)) {
      printf("\tforeign\t\n");
    } else {
      const int code = run_sets(context, model->graph, fed_buffer_slice(&onnx), path);
      failed = code == FED_E_CORRUPT;
      printf("\t%s\t", code == FED_OK ? "passed" : failed ? "failed" : "refused");
      if (code != FED_OK) print_message(fed_error_last()->message);
      printf("\n");
    }
    fflush(stdout);
  }
  if (model) onnx__model_proto__free_unpacked(model, NULL);
  fed_buffer_clear(&onnx);
  return failed;
}

static int run_folder(const struct fed_context *context, const char *folder) {
  struct dirent **entries;
  const int count = scandir(folder, &entries, NULL, alphasort);
  int failed = 0;
  if (count < 0) {
    fprintf(stderr, "onnx_node_tests: cannot list %s\n", folder);
    return 1;
  }
  for (int i = 0; i < count; i++) {
    if (strncmp(entries[i]->d_name, "test_", 5) == 0)
      failed |= run_test(context, folder, entries[i]->d_name);
    free(entries[i]); /* scandir's */
  }
  free(entries); /* scandir's */
  return failed;
}

static int list_operators(void) {
#define PRINT_OPERATOR(name)                                                                       \
  printf("%s\t%d\t%d\t%s\n", fed__op_##name.type, fed__operator_first_opset(&fed__op_##name),      \
         fed__op_##name.opset_max,                                                                 \
         fed__op_##name.backward[0] || fed__op_##name.view ? "yes" : "no");
  FED__OPERATOR_LIST(PRINT_OPERATOR)
#undef PRINT_OPERATOR
  return 0;
}

int main(int argc, char **argv) {
  struct fed_context context;
  int failed = 0;
  if (argc == 2 && strcmp(argv[1], "--operators") == 0) return list_operators();
  fed_context_init(&context);
  for (int i = 1; i < argc; i++) failed |= run_folder(&context, argv[i]);
  return failed;
}
