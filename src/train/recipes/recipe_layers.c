/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_layers.c: layers of any shape, and those of images.
 */
#include "train/recipes/recipe_layers.h"

#include "base/raise.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const struct fed__recipe_law ones = {.constant = 1}, zeros = {.constant = 0};

static struct fed__recipe_law by_fan_in(double fan_in) {
  return (struct fed__recipe_law){.uniform = 1 / sqrt(fan_in)};
}

static double elements_of(const struct fed_shape *shape) {
  double product = 1;
  for (uint32_t i = 0; i < shape->rank; i++) product *= (double)shape->dims[i];
  return product;
}

/* A layer whose first node takes the end. */
static int begin(struct fed__recipe_graph *graph, const char *operator_name, const char *name) {
  const struct fed__recipe_value end = fed__recipe_end(graph);
  FED_TRY(fed__recipe_begin(graph, operator_name, name));
  return fed__recipe_take(graph, end.name);
}

static int follow(struct fed__recipe_graph *graph, const char *operator_name, const char *role) {
  const struct fed__recipe_value end = fed__recipe_end(graph);
  FED_TRY(fed__recipe_follow(graph, operator_name, role));
  return fed__recipe_take(graph, end.name);
}

/* ---- any shape ---- */

int fed__recipe_activation(struct fed__recipe_graph *graph, const char *operator_name) {
  char name[32];
  snprintf(name, sizeof name, "%.24s#", operator_name);
  for (char *c = name; *c; c++) *c = (char)tolower((unsigned char)*c);
  return begin(graph, operator_name, name);
}

int fed__recipe_relu(struct fed__recipe_graph *graph) {
  return fed__recipe_activation(graph, "Relu");
}

int fed__recipe_flatten(struct fed__recipe_graph *graph) {
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  size_t elements;
  if (shape.rank == 1) return FED_OK;
  FED_TRY(begin(graph, "Flatten", "flatten#"));
  fed__recipe_set_int(graph, "axis", 1);
  FED_TRY(fed_shape_elements(&shape, &elements));
  fed__recipe_set_shape(graph, (struct fed_shape){1, {(int64_t)elements}});
  return FED_OK;
}

int fed__recipe_reshape(struct fed__recipe_graph *graph, struct fed_shape shape) {
  int64_t target[FED_RANK_MAX] = {0}; /* 0: the batch's extent stays */
  for (uint32_t i = 0; i < shape.rank; i++) target[i + 1] = shape.dims[i];
  FED_TRY(begin(graph, "Reshape", "reshape#"));
  FED_TRY(fed__recipe_integers(graph, "shape", (struct fed_shape){1, {shape.rank + 1}}, target));
  fed__recipe_set_shape(graph, shape);
  return FED_OK;
}

int fed__recipe_transpose(struct fed__recipe_graph *graph, const int64_t *axes) {
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  struct fed_shape permuted = shape;
  for (uint32_t i = 0; i < shape.rank; i++) permuted.dims[i] = shape.dims[axes[i + 1] - 1];
  FED_TRY(begin(graph, "Transpose", "transpose#"));
  fed__recipe_set_ints(graph, "perm", axes, shape.rank + 1);
  fed__recipe_set_shape(graph, permuted);
  return FED_OK;
}

int fed__recipe_add(struct fed__recipe_graph *graph, struct fed__recipe_value other) {
  FED_TRY(begin(graph, "Add", "add#"));
  return fed__recipe_take(graph, other.name);
}

int fed__recipe_multiply(struct fed__recipe_graph *graph, struct fed__recipe_value other) {
  FED_TRY(begin(graph, "Mul", "mul#"));
  return fed__recipe_take(graph, other.name);
}

static int dense_flat(struct fed__recipe_graph *graph, int64_t in, int64_t width) {
  const struct fed__recipe_law law = by_fan_in((double)in);
  fed__recipe_set_int(graph, "transB", 1);
  FED_TRY(fed__recipe_parameter(graph, "weight", (struct fed_shape){2, {width, in}}, law));
  return fed__recipe_parameter(graph, "bias", (struct fed_shape){1, {width}}, law);
}

static int dense_by_row(struct fed__recipe_graph *graph, int64_t in, int64_t width) {
  const struct fed__recipe_law law = by_fan_in((double)in);
  FED_TRY(fed__recipe_parameter(graph, "weight", (struct fed_shape){2, {in, width}}, law));
  FED_TRY(follow(graph, "Add", "shift"));
  return fed__recipe_parameter(graph, "bias", (struct fed_shape){1, {width}}, law);
}

int fed__recipe_dense(struct fed__recipe_graph *graph, const char *name, int64_t width) {
  struct fed_shape shape = fed__recipe_end(graph).shape;
  const int64_t in = shape.dims[shape.rank - 1];
  const int flat = shape.rank == 1;
  FED_TRY(begin(graph, flat ? "Gemm" : "MatMul", name));
  FED_TRY(flat ? dense_flat(graph, in, width) : dense_by_row(graph, in, width));
  fed__recipe_add_cost(graph, elements_of(&shape) * (double)width);
  shape.dims[shape.rank - 1] = width;
  fed__recipe_set_shape(graph, shape);
  return FED_OK;
}

static int scale_and_bias(struct fed__recipe_graph *graph, int64_t width) {
  FED_TRY(fed__recipe_parameter(graph, "weight", (struct fed_shape){1, {width}}, ones));
  return fed__recipe_parameter(graph, "bias", (struct fed_shape){1, {width}}, zeros);
}

int fed__recipe_layer_norm(struct fed__recipe_graph *graph, const char *name) {
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  FED_TRY(begin(graph, "LayerNormalization", name));
  fed__recipe_set_int(graph, "axis", -1);
  return scale_and_bias(graph, shape.dims[shape.rank - 1]);
}

/* ---- images ---- */

static void set_same(struct fed__recipe_graph *graph, const char *name, int64_t value,
                     size_t count) {
  fed__recipe_set_ints(graph, name, (const int64_t[]){value, value, value, value}, count);
}

static int convolved_shape(const struct fed_shape *shape, const struct fed__recipe_window *window,
                           int64_t pad, struct fed_shape *result) {
  char text[128];
  *result = (struct fed_shape){3, {window->channels}};
  for (uint32_t i = 1; i < 3; i++) {
    const int64_t room = shape->dims[i] + 2 * pad - window->kernel;
    if (room < 0)
      return FED_RAISE(FED_E_SHAPE,
                       "expected an image that is larger: in the course of this recipe it becomes "
                       "%s, too small for a window of %" PRId64,
                       fed_shape_format(shape, text, sizeof text), window->kernel);
    result->dims[i] = room / (window->stride ? window->stride : 1) + 1;
  }
  return FED_OK;
}

int fed__recipe_conv(struct fed__recipe_graph *graph, const char *name,
                     struct fed__recipe_window window) {
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  const int64_t groups = window.groups ? window.groups : 1, in = shape.dims[0] / groups;
  const int64_t pad = window.without_padding ? 0 : (window.kernel - 1) / 2;
  const struct fed_shape weight = {4, {window.channels, in, window.kernel, window.kernel}};
  const double fan_in = (double)in * (double)(window.kernel * window.kernel);
  struct fed_shape result;
  FED_TRY(convolved_shape(&shape, &window, pad, &result));
  FED_TRY(begin(graph, "Conv", name));
  set_same(graph, "kernel_shape", window.kernel, 2);
  set_same(graph, "pads", pad, 4);
  if (window.stride > 1) set_same(graph, "strides", window.stride, 2);
  if (groups > 1) fed__recipe_set_int(graph, "group", groups);
  FED_TRY(fed__recipe_parameter(graph, "weight", weight, by_fan_in(fan_in)));
  if (!window.without_bias)
    FED_TRY(fed__recipe_parameter(graph, "bias", (struct fed_shape){1, {window.channels}},
                                  by_fan_in(fan_in)));
  fed__recipe_add_cost(graph, elements_of(&result) * fan_in);
  fed__recipe_set_shape(graph, result);
  return FED_OK;
}

/* PyTorch takes a transposed convolution's fan_in from the channels that it makes. */
int fed__recipe_conv_transpose(struct fed__recipe_graph *graph, const char *name,
                               int64_t channels) {
  const struct fed_shape shape = fed__recipe_end(graph).shape;
  const struct fed_shape weight = {4, {shape.dims[0], channels, 4, 4}};
  const struct fed__recipe_law law = by_fan_in(16 * (double)channels);
  FED_TRY(begin(graph, "ConvTranspose", name));
  set_same(graph, "kernel_shape", 4, 2);
  set_same(graph, "pads", 1, 4);
  set_same(graph, "strides", 2, 2);
  FED_TRY(fed__recipe_parameter(graph, "weight", weight, law));
  FED_TRY(fed__recipe_parameter(graph, "bias", (struct fed_shape){1, {channels}}, law));
  fed__recipe_add_cost(graph, elements_of(&shape) * 16 * (double)channels);
  fed__recipe_set_shape(graph,
                        (struct fed_shape){3, {channels, 2 * shape.dims[1], 2 * shape.dims[2]}});
  return FED_OK;
}

int fed__recipe_pool(struct fed__recipe_graph *graph, const char *operator_name) {
  struct fed_shape shape = fed__recipe_end(graph).shape;
  FED_TRY(begin(graph, operator_name, "pool#"));
  set_same(graph, "kernel_shape", 2, 2);
  set_same(graph, "strides", 2, 2);
  shape.dims[1] /= 2;
  shape.dims[2] /= 2;
  fed__recipe_set_shape(graph, shape);
  return FED_OK;
}

int fed__recipe_global_pool(struct fed__recipe_graph *graph) {
  const int64_t channels = fed__recipe_end(graph).shape.dims[0];
  FED_TRY(begin(graph, "GlobalAveragePool", "pool#"));
  fed__recipe_set_shape(graph, (struct fed_shape){3, {channels, 1, 1}});
  return FED_OK;
}

int fed__recipe_group_norm(struct fed__recipe_graph *graph, const char *name, int64_t groups) {
  const int64_t channels = fed__recipe_end(graph).shape.dims[0];
  if (channels % groups)
    return FED_RAISE(FED_E_RANGE,
                     "expected groups that divide the channels of each layer, found %" PRId64
                     " groups and %" PRId64 " channels",
                     groups, channels);
  FED_TRY(begin(graph, "GroupNormalization", name));
  fed__recipe_need_opset(graph, 21);
  fed__recipe_set_int(graph, "num_groups", groups);
  return scale_and_bias(graph, channels);
}
