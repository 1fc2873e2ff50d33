/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_layers.h: the layers that recipes are made of. Each takes the graph's end and gives it a
 * new one; '#' at the end of a name stands for a number. Parameters start as PyTorch's do:
 * uniform in ±1/sqrt(fan_in), weights and biases alike (kaiming_uniform with a = sqrt(5), He et
 * al., https://arxiv.org/abs/1502.01852), recurrent ones in ±1/sqrt(width), tables normal, scales 1
 * and shifts 0.
 */
#ifndef FED_TRAIN_RECIPE_LAYERS_H
#define FED_TRAIN_RECIPE_LAYERS_H

#include "train/recipes/recipe_graph.h"

/* ---- any shape ---- */

/* A function of one variable: "Relu", "Tanh" …, called in lower case. */
FED_MUST int fed__recipe_activation(struct fed__recipe_graph *graph, const char *operator_name);
FED_MUST int fed__recipe_relu(struct fed__recipe_graph *graph);
/* To one dimension; nothing is added when there is only one. */
FED_MUST int fed__recipe_flatten(struct fed__recipe_graph *graph);
/* `rank` extents behind the batch's. */
FED_MUST int fed__recipe_reshape(struct fed__recipe_graph *graph, struct fed_shape shape);
/* The dimensions 1 and 2 change places, the batch is dimension 0; or all four are permuted. */
FED_MUST int fed__recipe_transpose(struct fed__recipe_graph *graph, const int64_t *axes);
/* The end and another value of the same shape (or one that broadcasts). */
FED_MUST int fed__recipe_add(struct fed__recipe_graph *graph, struct fed__recipe_value other);
FED_MUST int fed__recipe_multiply(struct fed__recipe_graph *graph, struct fed__recipe_value other);

/* Over the last dimension: weight [width, in] after a flat value, else [in, width]; bias [width].
 */
FED_MUST int fed__recipe_dense(struct fed__recipe_graph *graph, const char *name, int64_t width);
/* Scale and bias [width of the last dimension]. */
FED_MUST int fed__recipe_layer_norm(struct fed__recipe_graph *graph, const char *name);

/* ---- images [channels, height, width] ---- */

struct fed__recipe_window {
  int64_t channels, kernel;
  int64_t stride, groups; /* 0: 1 */
  int without_bias;
  int without_padding; /* else (kernel - 1) / 2 on each side */
};
/* FED_E_SHAPE, if the kernel is larger than the image. */
FED_MUST int fed__recipe_conv(struct fed__recipe_graph *graph, const char *name,
                              struct fed__recipe_window window);
/* Kernel 4, stride 2: twice as high and wide. */
FED_MUST int fed__recipe_conv_transpose(struct fed__recipe_graph *graph, const char *name,
                                        int64_t channels);
/* "MaxPool" or "AveragePool" 2 × 2, stride 2; a last odd row or column is dropped. */
FED_MUST int fed__recipe_pool(struct fed__recipe_graph *graph, const char *operator_name);
/* The mean over height and width, [channels, 1, 1]. */
FED_MUST int fed__recipe_global_pool(struct fed__recipe_graph *graph);
/* FED_E_RANGE, if the groups do not divide the channels. */
FED_MUST int fed__recipe_group_norm(struct fed__recipe_graph *graph, const char *name,
                                    int64_t groups);

/* ---- sequences [length, width] ---- */

/* Each integer of the end becomes a row of a table [rows, width]. */
FED_MUST int fed__recipe_embedding(struct fed__recipe_graph *graph, const char *name, int64_t rows,
                                   int64_t width);

struct fed__recipe_recurrence {
  const char *operator_name; /* "LSTM" or "GRU" */
  int64_t layers, width;
  int only_last; /* the state after the last element, [width]; else after each */
};
/* Layers "lstm.0", "lstm.1" …, each with weight_ih [1, gates · width, in], weight_hh, bias. */
FED_MUST int fed__recipe_recurrent(struct fed__recipe_graph *graph,
                                   struct fed__recipe_recurrence recurrence);

struct fed__recipe_attention {
  int64_t heads;
  char *mask; /* the causal mask's name once a layer has written it; NULL at first */
};
/* Causal self-attention with the layers attention.query, key, value and output. */
FED_MUST int fed__recipe_attend(struct fed__recipe_graph *graph,
                                struct fed__recipe_attention *attention);

#endif
