/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_graph.h: builds the ONNX graph of a recipe, a chain of layers. Each call appends a node
 * that takes the output of the node before; names (conv1, conv1.weight, relu1 …) are given by
 * counting.
 */
#ifndef FED_TRAIN_RECIPE_GRAPH_H
#define FED_TRAIN_RECIPE_GRAPH_H

#include "fed/train.h"

struct fed__recipe_graph;

/* A graph with the input "x" of the options' shape and no node. FED_E_SHAPE. */
FED_MUST int fed__recipe_graph_new(const struct fed_context *context,
                                   const struct fed_recipe_options *options,
                                   struct fed__recipe_graph **graph);
void fed__recipe_graph_free(struct fed__recipe_graph *graph);

/* The shape that the next layer takes, without the batch dimension. */
const struct fed_shape *fed__recipe_graph_shape(const struct fed__recipe_graph *graph);

/* To one dimension; nothing is added when there is only one. */
FED_MUST int fed__recipe_flatten(struct fed__recipe_graph *graph);
/* Weight [width, in], bias [width]. */
FED_MUST int fed__recipe_dense(struct fed__recipe_graph *graph, int64_t width);
FED_MUST int fed__recipe_relu(struct fed__recipe_graph *graph);
/* A square kernel of odd size with padding that keeps height and width. */
FED_MUST int fed__recipe_conv(struct fed__recipe_graph *graph, int64_t channels, int64_t kernel);
/* 2 × 2, stride 2; a last odd row or column is dropped. */
FED_MUST int fed__recipe_max_pool(struct fed__recipe_graph *graph);

/* Name the last layer's output "logits" and append the file. */
FED_MUST int fed__recipe_graph_write(struct fed__recipe_graph *graph, struct fed_buffer *out);

#endif
