/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_evaluate.c: a graph whose inputs are constants folds into constants.
 */
#include "train/graph_evaluate.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

static const struct fed__known *find_output(const struct fed_model *model, const char *name) {
  for (uint32_t i = 0; i < model->value_count; i++)
    if (strcmp(model->values[i].name, name) == 0) return &model->shapes.values[i];
  return NULL;
}

static int copy_outputs(const struct fed_model *model, struct fed_params *outputs) {
  const Onnx__GraphProto *graph = model->message->graph;
  struct fed_tensor *tensors = fed__zalloc(model->context, graph->n_output + 1, sizeof *tensors);
  if (!tensors) return FED_E_MEMORY;
  int code = FED_OK;
  for (size_t i = 0; i < graph->n_output && code == FED_OK; i++) {
    const struct fed__known *known = find_output(model, graph->output[i]->name);
    if (!known || !known->content)
      code = FED_RAISE(FED_E_UNSUPPORTED, "output '%s' cannot be computed from the inputs alone",
                       graph->output[i]->name);
    else
      tensors[i] = (struct fed_tensor){graph->output[i]->name, known->dtype, known->shape,
                                       (void *)(uintptr_t)known->content};
  }
  if (code == FED_OK) code = fed_params_init(outputs, model->context, tensors, graph->n_output);
  for (size_t i = 0; i < graph->n_output && code == FED_OK; i++)
    memcpy(outputs->tensors[i].data, tensors[i].data, fed_tensor_bytes(&tensors[i]));
  fed__free(model->context, tensors);
  return code;
}

int fed__graph_evaluate(const struct fed_context *context, struct fed_slice onnx,
                        const struct fed_tensor *inputs, size_t input_count,
                        struct fed_params *outputs) {
  static const struct fed_tensor none;
  struct fed_model *model = fed__zalloc(context, 1, sizeof *model);
  if (!model) return FED_E_MEMORY;
  model->context = context;
  int code = fed__onnx_decode(model, onnx);
  if (code == FED_OK) code = fed__graph_build(model, NULL, inputs ? inputs : &none, input_count);
  if (code == FED_OK) code = fed__shapes_infer(model, 1, &model->shapes);
  if (code == FED_OK) code = copy_outputs(model, outputs);
  fed_model_free(model);
  return code;
}
