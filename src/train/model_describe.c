/* SPDX-License-Identifier: Apache-2.0
 *
 * model_describe.c: a table of a model's nodes for people, with shapes for a batch of one.
 */
#include "base/raise.h"
#include "train/operator.h"

static size_t count_parameters(const struct fed_model *model, const struct fed__node *node) {
  size_t count = 0;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const int32_t value = node->inputs[i];
    if (value != FED__NONE && model->values[value].parameter != FED__NONE)
      count += model->shapes.values[value].elements;
  }
  return count;
}

int fed_model_describe(const struct fed_model *model, struct fed_buffer *out) {
  char shape[128];
  FED_TRY(
      fed_buffer_print(out, "%-32s %-14s %-20s %s\n", "node", "operator", "output", "parameters"));
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (!node->needed) continue;
    fed_shape_format(&model->shapes.values[node->outputs[0]].shape, shape, sizeof shape);
    FED_TRY(fed_buffer_print(out, "%-32s %-14s %-20s %zu\n", node->name, node->op->type, shape,
                             count_parameters(model, node)));
  }
  return fed_buffer_print(out, "%zu parameters in %zu tensors\n",
                          fed_params_elements(&model->params), model->params.count);
}
