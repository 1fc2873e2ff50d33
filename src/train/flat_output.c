/* SPDX-License-Identifier: Apache-2.0
 *
 * flat_output.c: drops the nodes that do not lead to the model's output. They stay in the file and
 * never run, so what they are does not matter (converters of other frameworks put the chosen
 * label, decoders and the like beside the numbers that train). Linear in the size of the graph.
 */
#include "base/raise.h"
#include "train/flat_graph.h"

static int leads_on(const struct fed__flat_graph *flat, const Onnx__NodeProto *node) {
  for (size_t i = 0; i < node->n_output; i++) {
    const char *name = fed__text_of(node->output[i]);
    if (*name && fed__flat_graph_wants(flat, name)) return 1;
  }
  return 0;
}

/* The nodes are in topological order, so that going backwards all readers are known. */
int fed__flat_graph_prune(struct fed__flat_graph *flat, const char *output) {
  size_t first = flat->node_count;
  FED_TRY(fed__name_index_init(&flat->wanted, flat->model->context, flat->edge_count + 1));
  fed__name_index_add(&flat->wanted, output, 0);
  for (size_t i = flat->node_count; i-- > 0;) {
    const Onnx__NodeProto *node = flat->nodes[i];
    if (!leads_on(flat, node)) continue;
    for (size_t j = 0; j < node->n_input; j++)
      fed__name_index_add(&flat->wanted, fed__text_of(node->input[j]), 0);
    flat->nodes[--first] = node;
  }
  flat->node_count -= first;
  flat->model->left_out = (uint32_t)first;
  for (size_t i = 0; i < flat->node_count; i++) flat->nodes[i] = flat->nodes[first + i];
  return FED_OK;
}

int fed__flat_graph_wants(const struct fed__flat_graph *flat, const char *name) {
  return !flat->wanted.slots || fed__name_index_find(&flat->wanted, name) != FED__NONE;
}
