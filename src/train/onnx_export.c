/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_export.c: the model's message written back with other parameter values. Shallow copies of
 * the four message levels above a parameter's bytes stand in for the model's own, which stays
 * untouched (it may be shared by threads); fields that this schema does not know travel along.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/graph.h"

struct shallow {
  Onnx__ModelProto model;
  Onnx__GraphProto graph;
  Onnx__TensorProto **initializers;
  Onnx__TensorProto *replaced;
};

/* Initializers are the model's first values, in the message's order. */
static void replace_initializers(const struct fed_model *model, const struct fed_params *params,
                                 struct shallow *copy) {
  for (size_t i = 0; i < copy->graph.n_initializer; i++) {
    const int32_t parameter = model->values[i].parameter;
    copy->initializers[i] = model->message->graph->initializer[i];
    if (parameter == FED__NONE) continue;
    const struct fed_tensor *tensor = &params->tensors[parameter];
    copy->replaced[parameter] = *copy->initializers[i];
    copy->replaced[parameter].has_raw_data = 1;
    copy->replaced[parameter].raw_data =
        (ProtobufCBinaryData){fed_tensor_bytes(tensor), tensor->data};
    copy->initializers[i] = &copy->replaced[parameter];
  }
}

static int pack(const Onnx__ModelProto *message, struct fed_buffer *out) {
  const size_t size = onnx__model_proto__get_packed_size(message);
  if (size > (size_t)INT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the model needs %zu bytes; ONNX files end at 2 GiB", size);
  FED_TRY(fed_buffer_reserve(out, size));
  out->size += onnx__model_proto__pack(message, out->data + out->size);
  return FED_OK;
}

int fed_model_export(const struct fed_model *model, const struct fed_params *params,
                     struct fed_buffer *out) {
  FED_TRY(fed_params_match(&model->params, params));
  struct shallow copy = {.model = *model->message, .graph = *model->message->graph};
  copy.model.graph = &copy.graph;
  copy.initializers =
      fed__zalloc(model->context, copy.graph.n_initializer, sizeof *copy.initializers);
  copy.replaced = fed__zalloc(model->context, params->count, sizeof *copy.replaced);
  int code = FED_E_MEMORY;
  if (copy.initializers && copy.replaced) {
    replace_initializers(model, params, &copy);
    copy.graph.initializer = copy.initializers;
    code = pack(&copy.model, out);
  }
  fed__free(model->context, copy.initializers);
  fed__free(model->context, copy.replaced);
  return code;
}
