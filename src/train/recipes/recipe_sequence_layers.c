/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_sequence_layers.c: the layers of sequences: tables, recurrence, attention.
 */
#include "base/raise.h"
#include "train/recipes/recipe_layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int take_end(struct fed__recipe_graph *graph, const char *operator_name, const char *name) {
  const struct fed__recipe_value end = fed__recipe_end(graph);
  FED_TRY(fed__recipe_begin(graph, operator_name, name));
  return fed__recipe_take(graph, end.name);
}

static int follow_end(struct fed__recipe_graph *graph, const char *operator_name,
                      const char *role) {
  const struct fed__recipe_value end = fed__recipe_end(graph);
  FED_TRY(fed__recipe_follow(graph, operator_name, role));
  return fed__recipe_take(graph, end.name);
}

int fed__recipe_embedding(struct fed__recipe_graph *graph, const char *name, int64_t rows,
                          int64_t width) {
  struct fed__recipe_value end = fed__recipe_end(graph);
  const struct fed__recipe_law law = {.normal = 1};
  FED_TRY(fed__recipe_begin(graph, "Gather", name));
  FED_TRY(fed__recipe_parameter(graph, "weight", (struct fed_shape){2, {rows, width}}, law));
  FED_TRY(fed__recipe_take(graph, end.name));
  end.shape.dims[end.shape.rank++] = width;
  fed__recipe_set_shape(graph, end.shape);
  return FED_OK;
}

/* ---- recurrence ---- */

/* The end is [length, batch, in] here. */
static int recurrent_layer(struct fed__recipe_graph *graph,
                           const struct fed__recipe_recurrence *recurrence, const char *name,
                           int64_t in) {
  const int is_gru = strcmp(recurrence->operator_name, "GRU") == 0;
  const int64_t width = recurrence->width, rows = (is_gru ? 3 : 4) * width;
  const struct fed__recipe_law law = {.uniform = 1 / sqrt((double)width)};
  FED_TRY(take_end(graph, recurrence->operator_name, name));
  fed__recipe_set_int(graph, "hidden_size", width);
  if (is_gru) fed__recipe_set_int(graph, "linear_before_reset", 1);
  FED_TRY(fed__recipe_parameter(graph, "weight_ih", (struct fed_shape){3, {1, rows, in}}, law));
  FED_TRY(fed__recipe_parameter(graph, "weight_hh", (struct fed_shape){3, {1, rows, width}}, law));
  return fed__recipe_parameter(graph, "bias", (struct fed_shape){2, {1, 2 * rows}}, law);
}

/* The outputs are [length, 1, batch, width] of all elements and [1, batch, width] of the last. */
static int drop_direction(struct fed__recipe_graph *graph, int is_last) {
  if (is_last) fed__recipe_give_second(graph);
  FED_TRY(follow_end(graph, "Squeeze", "states"));
  return fed__recipe_integers(graph, "axes", (struct fed_shape){1, {1}},
                              &(const int64_t){is_last ? 0 : 1});
}

int fed__recipe_recurrent(struct fed__recipe_graph *graph,
                          struct fed__recipe_recurrence recurrence) {
  static const int64_t batch_second[] = {1, 0, 2};
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  const char *prefix = strcmp(recurrence.operator_name, "GRU") == 0 ? "gru" : "lstm";
  char name[32];
  FED_TRY(take_end(graph, "Transpose", "transpose#"));
  fed__recipe_set_ints(graph, "perm", batch_second, 3);
  for (int64_t i = 0; i < recurrence.layers; i++) {
    snprintf(name, sizeof name, "%s.%d", prefix, (int)i);
    FED_TRY(recurrent_layer(graph, &recurrence, name, i ? recurrence.width : shape.dims[1]));
    FED_TRY(drop_direction(graph, recurrence.only_last && i + 1 == recurrence.layers));
    fed__recipe_add_cost(graph,
                         (double)shape.dims[0] * (double)recurrence.width *
                             (double)((i ? recurrence.width : shape.dims[1]) + recurrence.width) *
                             (*prefix == 'g' ? 3 : 4));
  }
  fed__recipe_set_shape(graph, (struct fed_shape){1, {recurrence.width}});
  if (recurrence.only_last) return FED_OK;
  FED_TRY(take_end(graph, "Transpose", "transpose#"));
  fed__recipe_set_ints(graph, "perm", batch_second, 3);
  fed__recipe_set_shape(graph, (struct fed_shape){2, {shape.dims[0], recurrence.width}});
  return FED_OK;
}

/* ---- attention ---- */

/* A dense layer of the input, cut into heads: [heads, length, width / heads], or with the last two
 * dimensions exchanged. */
static int project(struct fed__recipe_graph *graph, const char *name, int64_t heads, int exchange,
                   struct fed__recipe_value *projected) {
  static const int64_t plain[] = {0, 2, 1, 3}, exchanged[] = {0, 2, 3, 1};
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  FED_TRY(fed__recipe_dense(graph, name, shape.dims[1]));
  FED_TRY(fed__recipe_reshape(
      graph, (struct fed_shape){3, {shape.dims[0], heads, shape.dims[1] / heads}}));
  FED_TRY(fed__recipe_transpose(graph, exchange ? exchanged : plain));
  *projected = fed__recipe_end(graph);
  return FED_OK;
}

/* The end [heads, rows, n] times [heads, n, columns]. */
static int product(struct fed__recipe_graph *graph, const char *name,
                   struct fed__recipe_value right) {
  struct fed_shape shape = fed__recipe_end(graph).shape;
  FED_TRY(take_end(graph, "MatMul", name));
  FED_TRY(fed__recipe_take(graph, right.name));
  fed__recipe_add_cost(graph, (double)(shape.dims[0] * shape.dims[1]) *
                                  (double)(shape.dims[2] * right.shape.dims[2]));
  shape.dims[2] = right.shape.dims[2];
  fed__recipe_set_shape(graph, shape);
  return FED_OK;
}

/* So far below every other score that softmax gives it nothing. */
#define HIDDEN_SCORE (-1e9f)

/* Nothing looks at what comes after it. */
static int write_mask(struct fed__recipe_graph *graph, int64_t length) {
  float *values;
  FED_TRY(fed__recipe_floats(graph, "mask", (struct fed_shape){2, {length, length}}, &values));
  for (int64_t i = 0; values && i < length * length; i++)
    values[i] = i % length > i / length ? HIDDEN_SCORE : 0;
  return FED_OK;
}

/* softmax(scores / sqrt(width of a head) + mask), by rows. */
static int weigh(struct fed__recipe_graph *graph, struct fed__recipe_attention *attention,
                 int64_t length, int64_t head_width) {
  float *scale;
  FED_TRY(follow_end(graph, "Mul", "scaled"));
  FED_TRY(fed__recipe_floats(graph, "scale", (struct fed_shape){0, {0}}, &scale));
  if (scale) *scale = (float)(1 / sqrt((double)head_width));
  FED_TRY(follow_end(graph, "Add", "masked"));
  if (attention->mask) {
    FED_TRY(fed__recipe_take(graph, attention->mask));
  } else {
    FED_TRY(write_mask(graph, length));
    attention->mask = fed__recipe_last_tensor(graph);
  }
  FED_TRY(follow_end(graph, "Softmax", "weights"));
  fed__recipe_set_int(graph, "axis", -1);
  return FED_OK;
}

int fed__recipe_attend(struct fed__recipe_graph *graph, struct fed__recipe_attention *attention) {
  static const int64_t heads_second[] = {0, 2, 1, 3};
  const struct fed__recipe_value input = fed__recipe_end(graph);
  const struct fed_shape shape = input.shape;
  struct fed__recipe_value query, key, value;
  FED_TRY(project(graph, "attention.key", attention->heads, 1, &key));
  fed__recipe_go(graph, input);
  FED_TRY(project(graph, "attention.value", attention->heads, 0, &value));
  fed__recipe_go(graph, input);
  FED_TRY(project(graph, "attention.query", attention->heads, 0, &query));
  FED_TRY(product(graph, "attention.scores", key));
  FED_TRY(weigh(graph, attention, shape.dims[0], query.shape.dims[2]));
  FED_TRY(product(graph, "attention.mixed", value));
  FED_TRY(fed__recipe_transpose(graph, heads_second));
  FED_TRY(fed__recipe_reshape(graph, shape));
  return fed__recipe_dense(graph, "attention.output", shape.dims[1]);
}
