/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_graph.h: builds the ONNX graph of a recipe, node by node. The graph has an end, the value
 * that the next layer takes; a node gives it a new one, and going back to an earlier value makes a
 * branch. Parameters and constants belong to the layer that was begun last and carry its name.
 */
#ifndef FED_TRAIN_RECIPE_GRAPH_H
#define FED_TRAIN_RECIPE_GRAPH_H

#include "fed/train.h"

struct fed__recipe_graph;

/* An edge of the graph: its name, owned by the graph, and its shape without the batch dimension. */
struct fed__recipe_value {
  char *name;
  struct fed_shape shape;
};

/* How a parameter starts: uniform in ±uniform, or normal of this deviation, or else constant. */
struct fed__recipe_law {
  double uniform, normal, constant;
};

/* A graph without nodes; its random values are drawn from `seed`. If it only measures, nothing is
 * drawn and nothing can be written. */
FED_MUST int fed__recipe_graph_new(const struct fed_context *context, uint64_t seed, int measures,
                                   struct fed__recipe_graph **graph);
void fed__recipe_graph_free(struct fed__recipe_graph *graph);

/* Add an input, which becomes the end. FED_E_SHAPE, if it has no elements or too many dimensions.
 */
FED_MUST int fed__recipe_input(struct fed__recipe_graph *graph, const char *name,
                               enum fed_dtype dtype, const struct fed_shape *shape);

struct fed__recipe_value fed__recipe_end(const struct fed__recipe_graph *graph);
void fed__recipe_go(struct fed__recipe_graph *graph, struct fed__recipe_value value);
/* The end's shape is this after all. */
void fed__recipe_set_shape(struct fed__recipe_graph *graph, struct fed_shape shape);

/* What stands before the names of the layers that follow: "block1." */
void fed__recipe_scope(struct fed__recipe_graph *graph, const char *format, ...) FED_PRINTF(2, 3);

/* Begin a layer with a node that takes nothing yet; '#' at the end of the name is replaced by a
 * number. The node's output is the new end; it has the shape of the end before. */
FED_MUST int fed__recipe_begin(struct fed__recipe_graph *graph, const char *operator_name,
                               const char *name);
/* Another node of the same layer, called "<layer>.<role>". */
FED_MUST int fed__recipe_follow(struct fed__recipe_graph *graph, const char *operator_name,
                                const char *role);

/* Of the node that was added last: its inputs in order … */
FED_MUST int fed__recipe_take(struct fed__recipe_graph *graph, char *name);
FED_MUST int fed__recipe_parameter(struct fed__recipe_graph *graph, const char *role,
                                   struct fed_shape shape, struct fed__recipe_law law);
/* … constants, which do not train … */
FED_MUST int fed__recipe_integers(struct fed__recipe_graph *graph, const char *role,
                                  struct fed_shape shape, const int64_t *values);
FED_MUST int fed__recipe_floats(struct fed__recipe_graph *graph, const char *role,
                                struct fed_shape shape, float **values); /* NULL if it measures */
char *fed__recipe_last_tensor(const struct fed__recipe_graph *graph);
/* … and attributes. At most four numbers. */
void fed__recipe_set_int(struct fed__recipe_graph *graph, const char *name, int64_t value);
void fed__recipe_set_float(struct fed__recipe_graph *graph, const char *name, float value);
void fed__recipe_set_ints(struct fed__recipe_graph *graph, const char *name, const int64_t *values,
                          size_t count);
/* Its first output is left out; the second is the end. */
void fed__recipe_give_second(struct fed__recipe_graph *graph);
/* It exists from this version of ONNX's operators on. */
void fed__recipe_need_opset(struct fed__recipe_graph *graph, int64_t version);
/* An example costs so many multiply-adds more. */
void fed__recipe_add_cost(struct fed__recipe_graph *graph, double multiply_adds);

struct fed_recipe_cost fed__recipe_graph_cost(const struct fed__recipe_graph *graph);

/* Name the end "logits" and append the file. */
FED_MUST int fed__recipe_graph_write(struct fed__recipe_graph *graph, struct fed_buffer *out);

#endif
