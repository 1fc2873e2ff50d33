/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_export.c: the model's message written back with other parameter values, in the types that
 * the file has them in; adapters are added to the weights that they adapt. Shallow copies of the
 * four message levels above a parameter's bytes stand in for the model's own, which stays
 * untouched (it may be shared by threads); fields that this schema does not know travel along.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/graph.h"

struct shallow {
  Onnx__ModelProto model;
  Onnx__GraphProto graph;
  Onnx__TensorProto **initializers;
  Onnx__TensorProto *replaced; /* by initializer */
  void **made;                 /* by initializer: bytes made for it, or NULL */
};

/* New content for an initializer, as raw bytes in place of whatever form it had. `values` must
 * last until the file is written. */
static int replace(const struct fed_model *model, struct shallow *copy, size_t at,
                   const float *values) {
  const size_t count = fed_tensor_elements(&model->initializers[at]);
  const void *bytes = values;
  enum fed_dtype dtype;
  FED_TRY(fed__onnx_dtype(copy->initializers[at]->data_type, &dtype));
  if (dtype != FED_F32) {
    void *narrow = fed__zalloc(model->context, count, fed_dtype_size(dtype));
    if (!narrow) return FED_E_MEMORY;
    fed__floats_narrow(values, count, dtype, narrow);
    fed__free(model->context, copy->made[at]);
    bytes = copy->made[at] = narrow;
  }
  Onnx__TensorProto *tensor = &copy->replaced[at];
  *tensor = *copy->initializers[at];
  copy->initializers[at] = tensor;
  tensor->has_raw_data = 1;
  tensor->raw_data =
      (ProtobufCBinaryData){count * fed_dtype_size(dtype), (uint8_t *)(uintptr_t)bytes};
  tensor->n_float_data = tensor->n_double_data = tensor->n_int32_data = 0;
  return FED_OK;
}

/* weight += gain * down * up; each element's sum in double. */
static void add_product(const struct fed__adapter *adapter, const struct fed_tensor *down,
                        const struct fed_tensor *up, float *weight) {
  const size_t in = (size_t)down->shape.dims[0], rank = (size_t)down->shape.dims[1];
  const size_t out = (size_t)up->shape.dims[1];
  const float *a = down->data, *b = up->data;
  for (size_t i = 0; i < in; i++)
    for (size_t j = 0; j < out; j++) {
      float *element = &weight[adapter->transposed ? j * in + i : i * out + j];
      double sum = 0;
      for (size_t k = 0; k < rank; k++) sum += (double)a[i * rank + k] * (double)b[k * out + j];
      *element = (float)((double)*element + adapter->gain * sum);
    }
}

static int replace_adapted(const struct fed_model *model, const struct fed_params *params,
                           const struct fed__adapter *adapter, struct shallow *copy) {
  const size_t at = (size_t)adapter->weight;
  const struct fed_tensor *weight = &model->initializers[at];
  float *merged = fed__zalloc(model->context, fed_tensor_elements(weight), sizeof *merged);
  if (!merged) return FED_E_MEMORY;
  copy->made[at] = merged;
  fed__floats_widen(weight, fed_tensor_elements(weight), merged);
  add_product(adapter, &params->tensors[model->values[adapter->down].parameter],
              &params->tensors[model->values[adapter->up].parameter], merged);
  return replace(model, copy, at, merged);
}

/* Initializers are the model's first values, in the message's order; the adapters' follow. */
static int replace_initializers(const struct fed_model *model, const struct fed_params *params,
                                struct shallow *copy) {
  for (size_t i = 0; i < copy->graph.n_initializer; i++) {
    const struct fed__value *value = &model->values[i];
    copy->initializers[i] = model->message->graph->initializer[i];
    if (value->parameter != FED__NONE)
      FED_TRY(replace(model, copy, i, params->tensors[value->parameter].data));
    else if (value->local != FED__NONE)
      FED_TRY(replace(model, copy, i, model->local_params.tensors[value->local].data));
  }
  for (size_t i = 0; i < model->adapter_count; i++)
    FED_TRY(replace_adapted(model, params, &model->adapters[i], copy));
  return FED_OK;
}

static int pack(const Onnx__ModelProto *message, struct fed_buffer *out) {
  const size_t size = onnx__model_proto__get_packed_size(message);
  if (size > (size_t)INT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the model needs %zu bytes; ONNX files end at 2 GiB", size);
  FED_TRY(fed_buffer_reserve(out, size));
  out->size += onnx__model_proto__pack(message, out->data + out->size);
  return FED_OK;
}

static int write_copy(const struct fed_model *model, const struct fed_params *params,
                      struct shallow *copy, struct fed_buffer *out) {
  const size_t count = copy->graph.n_initializer;
  copy->initializers = fed__zalloc(model->context, count, sizeof *copy->initializers);
  copy->replaced = fed__zalloc(model->context, count, sizeof *copy->replaced);
  copy->made = fed__zalloc(model->context, count, sizeof *copy->made);
  if (!copy->initializers || !copy->replaced || !copy->made) return FED_E_MEMORY;
  FED_TRY(replace_initializers(model, params, copy));
  copy->graph.initializer = copy->initializers;
  return pack(&copy->model, out);
}

int fed_model_export(const struct fed_model *model, const struct fed_params *params,
                     struct fed_buffer *out) {
  FED_TRY(fed_params_match(&model->params, params));
  struct shallow copy = {.model = *model->message, .graph = *model->message->graph};
  copy.model.graph = &copy.graph;
  const int code = write_copy(model, params, &copy, out);
  for (size_t i = 0; copy.made && i < copy.graph.n_initializer; i++)
    fed__free(model->context, copy.made[i]);
  fed__free(model->context, copy.made);
  fed__free(model->context, copy.initializers);
  fed__free(model->context, copy.replaced);
  return code;
}
