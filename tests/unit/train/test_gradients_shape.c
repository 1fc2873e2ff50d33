/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_shape.c: gradients of the operators that move, repeat, choose and reduce
 * elements, against finite differences. Most results are multiplied by a second operand, so that
 * every element has a gradient of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

#define FLOATS(...)                                                                                \
  (const float[]) { __VA_ARGS__ }

static void times_b(struct graph_writer *w, const char *type, const char *inputs) {
  writer_node(w, type, inputs, "moved");
  writer_node(w, "Mul", "moved,b", "y");
}

static void transpose(struct graph_writer *w) { times_b(w, "Transpose", "a"); }
static void transpose_inner(struct graph_writer *w) {
  writer_ints_attribute(w, "perm", INTS(0, 2, 1));
  times_b(w, "Transpose", "a");
}
static void transpose_outer(struct graph_writer *w) {
  writer_ints_attribute(w, "perm", INTS(1, 0, 2));
  times_b(w, "Transpose", "a");
}
static void transpose_four(struct graph_writer *w) {
  writer_ints_attribute(w, "perm", INTS(2, 0, 3, 1));
  times_b(w, "Transpose", "a");
}
static void depth_to_space(struct graph_writer *w) {
  writer_int_attribute(w, "blocksize", 2);
  times_b(w, "DepthToSpace", "a");
}
static void depth_to_space_crd(struct graph_writer *w) {
  writer_text_attribute(w, "mode", "CRD");
  depth_to_space(w);
}
static void space_to_depth(struct graph_writer *w) {
  writer_int_attribute(w, "blocksize", 2);
  times_b(w, "SpaceToDepth", "a");
}

static void concat(struct graph_writer *w) {
  writer_int_attribute(w, "axis", -2);
  writer_node(w, "Concat", "a,b,a", "joined");
  writer_node(w, "Mul", "joined,c", "y");
}
static void split(struct graph_writer *w) {
  writer_ints(w, "parts", INTS(1, 3, 1));
  writer_int_attribute(w, "axis", 1);
  writer_node(w, "Split", "a,parts", "p,q,r");
  writer_node(w, "Mul", "p,q", "pq");
  writer_node(w, "Mul", "pq,r", "pqr");
  writer_node(w, "Mul", "pqr,b", "y");
}
/* The first part is not looked at; the second is written by nobody's gradient but its own. */
static void split_unused(struct graph_writer *w) {
  writer_int_attribute(w, "axis", -1);
  writer_node(w, "Split", "a", "p,q,r");
  writer_node(w, "Mul", "q,b", "y");
}
static void split_uneven(struct graph_writer *w) {
  w->opset = 18;
  writer_int_attribute(w, "num_outputs", 2);
  writer_node(w, "Split", "a", "p,q");
  writer_node(w, "MatMul", "p,b", "pb");
  writer_node(w, "MatMul", "q,b", "qb");
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", "qb,pb", "y");
}

static void slice(struct graph_writer *w) {
  writer_ints(w, "starts", INTS(1, -1));
  writer_ints(w, "ends", INTS(INT64_MAX, 0));
  writer_ints(w, "axes", INTS(0, -1));
  writer_ints(w, "steps", INTS(2, -2));
  times_b(w, "Slice", "a,starts,ends,axes,steps");
}
static void slice_overlapping(struct graph_writer *w) {
  writer_ints(w, "zero", INTS(0));
  writer_ints(w, "one", INTS(1));
  writer_ints(w, "three", INTS(3));
  writer_ints(w, "four", INTS(4));
  writer_node(w, "Slice", "a,zero,three", "left");
  writer_node(w, "Slice", "a,one,four", "right");
  writer_node(w, "Mul", "left,right", "product");
  writer_node(w, "Mul", "product,b", "y");
}

static void expand(struct graph_writer *w) {
  writer_ints(w, "shape", INTS(2, 3, 4));
  times_b(w, "Expand", "a,shape");
}
static void tile(struct graph_writer *w) {
  writer_ints(w, "repeats", INTS(2, 1, 3));
  times_b(w, "Tile", "a,repeats");
}

/* Several readers of one value, whose gradients meet. */
static void moved_and_moved(struct graph_writer *w) {
  writer_ints(w, "wide", INTS(3, 2, 2));
  writer_ints_attribute(w, "perm", INTS(2, 1, 0));
  writer_node(w, "Transpose", "a", "turned");
  writer_node(w, "Tanh", "a", "bent");
  writer_node(w, "Expand", "a,wide", "same");
  writer_node(w, "Mul", "turned,bent", "one");
  writer_node(w, "Mul", "same,b", "other");
  writer_node(w, "Mul", "one,other", "y");
}

static void pad_with(struct graph_writer *w, const char *mode) {
  writer_ints(w, "pads", INTS(1, 0, 2, 2, 0, 1));
  writer_text_attribute(w, "mode", mode);
  times_b(w, "Pad", "a,pads");
}
static void pad_constant(struct graph_writer *w) { pad_with(w, "constant"); }
static void pad_reflect(struct graph_writer *w) { pad_with(w, "reflect"); }
static void pad_edge(struct graph_writer *w) { pad_with(w, "edge"); }
static void pad_wrap(struct graph_writer *w) {
  w->opset = 19;
  pad_with(w, "wrap");
}
/* Cut off at one end, padded by more than the extent at the other. */
static void pad_negative(struct graph_writer *w) {
  w->opset = 18;
  writer_ints(w, "pads", INTS(-1, 4));
  writer_ints(w, "axes", INTS(-1));
  writer_text_attribute(w, "mode", "reflect");
  times_b(w, "Pad", "a,pads,,axes");
}

static void gather(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){2, 2}, (const int64_t[]){2, 0, -1, 2}, 32);
  times_b(w, "Gather", "a,indices");
}
static void gather_inner(struct graph_writer *w) {
  writer_ints(w, "indices", INTS(3, 1, 3));
  writer_int_attribute(w, "axis", -1);
  times_b(w, "Gather", "a,indices");
}
static void gather_scalar(struct graph_writer *w) {
  writer_tensor(w, "index", 7, 0, NULL, (const int64_t[]){-2}, 8);
  writer_int_attribute(w, "axis", 1);
  times_b(w, "Gather", "a,index");
}
static void gather_elements(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){2, 3}, (const int64_t[]){0, -1, 1, 2, 2, 1},
                48);
  times_b(w, "GatherElements", "a,indices");
}
static void gather_nd(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){3, 2}, (const int64_t[]){0, 1, 1, -1, 0, 1},
                48);
  times_b(w, "GatherND", "a,indices");
}
static void gather_nd_batches(struct graph_writer *w) {
  writer_int_attribute(w, "batch_dims", 1);
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){2, 1}, (const int64_t[]){2, 0}, 16);
  times_b(w, "GatherND", "a,indices");
}
static void compress(struct graph_writer *w) {
  writer_tensor(w, "stays", 9, 1, (const int64_t[]){3}, (const uint8_t[]){1, 0, 1}, 3);
  writer_int_attribute(w, "axis", 1);
  times_b(w, "Compress", "a,stays");
}

static void scatter_with(struct graph_writer *w, const char *type, const char *reduction) {
  if (reduction) writer_text_attribute(w, "reduction", reduction);
  writer_node(w, type, "a,indices,b", "scattered");
  writer_node(w, "Mul", "scattered,c", "y");
}
static void element_indices(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){2, 3}, (const int64_t[]){0, 3, 1, 2, 3, -1},
                48);
}
static void scatter_elements(struct graph_writer *w) {
  element_indices(w);
  scatter_with(w, "ScatterElements", NULL);
}
static void scatter_elements_add(struct graph_writer *w) {
  element_indices(w);
  w->opset = 18;
  scatter_with(w, "ScatterElements", "add");
}
static void scatter_elements_inner(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){3, 1}, (const int64_t[]){0, 2, 1}, 24);
  writer_int_attribute(w, "axis", 1);
  scatter_with(w, "ScatterElements", NULL);
}
/* Row 1 is written twice: what went there first has no gradient. */
static void scatter_nd(struct graph_writer *w) {
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){3, 1}, (const int64_t[]){1, 3, 1}, 24);
  scatter_with(w, "ScatterND", NULL);
}
static void scatter_nd_add(struct graph_writer *w) {
  w->opset = 18;
  writer_tensor(w, "indices", 7, 2, (const int64_t[]){3, 1}, (const int64_t[]){1, 3, 1}, 24);
  scatter_with(w, "ScatterND", "add");
}

static void cumsum(struct graph_writer *w) {
  writer_ints(w, "axis", INTS(1));
  times_b(w, "CumSum", "a,axis");
}
static void cumsum_backwards(struct graph_writer *w) {
  writer_ints(w, "axis", INTS(-3));
  writer_int_attribute(w, "exclusive", 1);
  writer_int_attribute(w, "reverse", 1);
  times_b(w, "CumSum", "a,axis");
}
static void triu(struct graph_writer *w) {
  writer_ints(w, "k", INTS(-1));
  times_b(w, "Trilu", "a,k");
}
static void tril(struct graph_writer *w) {
  writer_ints(w, "k", INTS(1));
  writer_int_attribute(w, "upper", 0);
  times_b(w, "Trilu", "a,k");
}
static void top_k(struct graph_writer *w) {
  writer_ints(w, "k", INTS(2));
  writer_int_attribute(w, "axis", 1);
  writer_node(w, "TopK", "a,k", "values,indices");
  writer_node(w, "Mul", "values,b", "y");
}
static void bottom_k(struct graph_writer *w) {
  writer_ints(w, "k", INTS(3));
  writer_int_attribute(w, "largest", 0);
  times_b(w, "TopK", "a,k");
}

static void resize_with(struct graph_writer *w, const char *mode, const char *coordinates) {
  writer_floats(w, "scales", 1, (const int64_t[]){4}, FLOATS(1, 1, 1.6F, 0.7F));
  writer_text_attribute(w, "mode", mode);
  writer_text_attribute(w, "coordinate_transformation_mode", coordinates);
  times_b(w, "Resize", "a,,scales");
}
static void resize_nearest(struct graph_writer *w) { resize_with(w, "nearest", "asymmetric"); }
static void resize_linear(struct graph_writer *w) { resize_with(w, "linear", "half_pixel"); }
static void resize_aligned(struct graph_writer *w) { resize_with(w, "linear", "align_corners"); }
static void resize_three(struct graph_writer *w) {
  writer_ints(w, "sizes", INTS(2, 3, 1));
  writer_text_attribute(w, "mode", "linear");
  times_b(w, "Resize", "a,,,sizes");
}
static void resize_cropped(struct graph_writer *w) {
  writer_ints(w, "sizes", INTS(3, 4));
  writer_floats(w, "roi", 1, (const int64_t[]){4}, FLOATS(0.2F, -0.1F, 0.9F, 1.3F));
  writer_text_attribute(w, "mode", "linear");
  writer_text_attribute(w, "coordinate_transformation_mode", "tf_crop_and_resize");
  writer_float_attribute(w, "extrapolation_value", 3);
  times_b(w, "Resize", "a,roi,,sizes");
}

/* Axes 0 and 2 by attribute without their dimensions; the middle one by input, kept. */
static void reduce_outer(struct graph_writer *w, const char *type) {
  w->opset = 13;
  writer_ints_attribute(w, "axes", INTS(0, -1));
  writer_int_attribute(w, "keepdims", 0);
  times_b(w, type, "a");
}
static void reduce_middle(struct graph_writer *w, const char *type) {
  w->opset = 18;
  writer_ints(w, "axes", INTS(1));
  times_b(w, type, "a,axes");
}
static void reduce_all(struct graph_writer *w, const char *type) {
  w->opset = 18;
  times_b(w, type, "a");
}
static void reduce_nothing(struct graph_writer *w, const char *type) {
  w->opset = 18;
  writer_int_attribute(w, "noop_with_empty_axes", 1);
  times_b(w, type, "a");
}

#define REDUCE(name, type)                                                                         \
  static void name##_outer(struct graph_writer *w) { reduce_outer(w, type); }                      \
  static void name##_middle(struct graph_writer *w) { reduce_middle(w, type); }                    \
  static void name##_all(struct graph_writer *w) { reduce_all(w, type); }                          \
  static void name##_nothing(struct graph_writer *w) { reduce_nothing(w, type); }

static void sum_outer(struct graph_writer *w) {
  writer_ints(w, "axes", INTS(0, -1));
  writer_int_attribute(w, "keepdims", 0);
  times_b(w, "ReduceSum", "a,axes");
}
static void sum_middle(struct graph_writer *w) { reduce_middle(w, "ReduceSum"); }
static void sum_all(struct graph_writer *w) { reduce_all(w, "ReduceSum"); }
static void sum_nothing(struct graph_writer *w) { reduce_nothing(w, "ReduceSum"); }
REDUCE(mean, "ReduceMean")
REDUCE(max, "ReduceMax")
REDUCE(min, "ReduceMin")
REDUCE(l1, "ReduceL1")
REDUCE(l2, "ReduceL2")
REDUCE(log_sum, "ReduceLogSum")
REDUCE(log_sum_exp, "ReduceLogSumExp")
REDUCE(sum_square, "ReduceSumSquare")
REDUCE(prod, "ReduceProd")

/* What exporters write to flatten: extents through Shape, Gather, Unsqueeze, Concat, Reshape. */
static void shape_subgraph(struct graph_writer *w) {
  writer_tensor(w, "zero", 7, 0, NULL, (const int64_t[]){0}, 8);
  writer_ints(w, "first", INTS(0));
  writer_ints(w, "rest", INTS(-1));
  writer_node(w, "Shape", "a", "shape");
  writer_node(w, "Gather", "shape,zero", "rows");
  writer_node(w, "Unsqueeze", "rows,first", "row_list");
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", "row_list,rest", "wanted");
  times_b(w, "Reshape", "a,wanted");
}
static void squeeze_all(struct graph_writer *w) { times_b(w, "Squeeze", "a"); }

#define REDUCE_CASES(name, type, low, high)                                                        \
  {type ", outer axes", name##_outer, {{3, {3, 4, 9}}, {1, {4}}}, NULL, low, high},                \
      {type ", middle axis", name##_middle, {{3, {3, 4, 2}}, {2, {1, 2}}}, NULL, low, high},       \
      {type ", all axes", name##_all, {{2, {3, 5}}, {1, {2}}}, NULL, low, high}, {                 \
    type ", no axis", name##_nothing, {{2, {3, 2}}, {1, {2}}}, NULL, low, high                     \
  }

static const struct operand_case cases[] = {
    {"Transpose", transpose, {{2, {3, 5}}, {2, {5, 3}}}},
    {"Transpose, blocks", transpose, {{2, {37, 41}}, {2, {41, 1}}}, "a"},
    {"Transpose, inner", transpose_inner, {{3, {2, 3, 4}}, {3, {2, 4, 3}}}},
    {"Transpose, outer", transpose_outer, {{3, {2, 3, 4}}, {3, {3, 2, 4}}}},
    {"Transpose, four", transpose_four, {{4, {2, 3, 4, 2}}, {4, {4, 2, 2, 3}}}},
    {"DepthToSpace", depth_to_space, {{4, {2, 8, 2, 3}}, {4, {2, 2, 4, 6}}}},
    {"DepthToSpace, CRD", depth_to_space_crd, {{4, {2, 8, 2, 3}}, {4, {2, 2, 4, 6}}}},
    {"SpaceToDepth", space_to_depth, {{4, {2, 2, 4, 6}}, {4, {2, 8, 2, 3}}}},
    {"Concat", concat, {{3, {2, 2, 3}}, {3, {2, 1, 3}}, {3, {2, 5, 3}}}},
    {"Split", split, {{3, {2, 5, 2}}, {3, {2, 3, 2}}}},
    {"Split, unused parts", split_unused, {{2, {2, 6}}, {2, {2, 2}}}},
    {"Split, uneven", split_uneven, {{2, {5, 2}}, {2, {2, 2}}}},
    {"Slice", slice, {{3, {4, 2, 5}}, {3, {2, 2, 2}}}},
    {"Slice, overlapping", slice_overlapping, {{2, {4, 2}}, {2, {3, 2}}}},
    {"Expand", expand, {{2, {3, 1}}, {3, {2, 3, 4}}}},
    {"Transpose and Expand", moved_and_moved, {{3, {1, 2, 1}}, {3, {3, 2, 2}}}},
    {"Tile", tile, {{3, {2, 3, 2}}, {3, {4, 3, 6}}}},
    {"Pad, constant", pad_constant, {{3, {2, 2, 4}}, {3, {5, 2, 7}}}},
    {"Pad, reflect", pad_reflect, {{3, {3, 2, 4}}, {3, {6, 2, 7}}}},
    {"Pad, edge", pad_edge, {{3, {2, 2, 4}}, {3, {5, 2, 7}}}},
    {"Pad, wrap", pad_wrap, {{3, {2, 2, 4}}, {3, {5, 2, 7}}}},
    {"Pad, negative", pad_negative, {{2, {2, 3}}, {2, {2, 6}}}},
    {"Gather", gather, {{2, {3, 2}}, {3, {2, 2, 2}}}},
    {"Gather, inner axis", gather_inner, {{2, {3, 4}}, {2, {3, 3}}}},
    {"Gather, one index", gather_scalar, {{3, {2, 3, 2}}, {2, {2, 2}}}},
    {"GatherElements", gather_elements, {{2, {3, 4}}, {2, {2, 3}}}},
    {"GatherND", gather_nd, {{3, {2, 3, 2}}, {2, {3, 2}}}},
    {"GatherND, batches", gather_nd_batches, {{3, {2, 3, 2}}, {2, {2, 2}}}},
    {"Compress", compress, {{3, {2, 3, 2}}, {3, {2, 2, 2}}}},
    {"ScatterElements", scatter_elements, {{2, {4, 3}}, {2, {2, 3}}, {2, {4, 3}}}},
    {"ScatterElements, data", scatter_elements, {{2, {4, 3}}, {2, {2, 3}}, {2, {4, 3}}}, "a"},
    {"ScatterElements, updates", scatter_elements, {{2, {4, 3}}, {2, {2, 3}}, {2, {4, 3}}}, "b"},
    {"ScatterElements, add", scatter_elements_add, {{2, {4, 3}}, {2, {2, 3}}, {2, {4, 3}}}},
    {"ScatterElements, inner", scatter_elements_inner, {{2, {3, 4}}, {2, {3, 1}}, {2, {3, 4}}}},
    {"ScatterND, twice", scatter_nd, {{2, {4, 2}}, {2, {3, 2}}, {2, {4, 2}}}},
    {"ScatterND, twice, updates", scatter_nd, {{2, {4, 2}}, {2, {3, 2}}, {2, {4, 2}}}, "b"},
    {"ScatterND, add", scatter_nd_add, {{2, {4, 2}}, {2, {3, 2}}, {2, {4, 2}}}},
    {"ScatterND, add, updates", scatter_nd_add, {{2, {4, 2}}, {2, {3, 2}}, {2, {4, 2}}}, "b"},
    {"CumSum", cumsum, {{3, {2, 3, 2}}, {3, {2, 3, 2}}}},
    {"CumSum, backwards", cumsum_backwards, {{3, {3, 2, 2}}, {3, {3, 2, 2}}}},
    {"Trilu, upper", triu, {{3, {2, 4, 3}}, {3, {2, 4, 3}}}},
    {"Trilu, lower", tril, {{2, {3, 4}}, {2, {3, 4}}}},
    {"TopK", top_k, {{3, {2, 5, 2}}, {3, {2, 2, 2}}}},
    {"TopK, smallest", bottom_k, {{2, {2, 5}}, {2, {2, 3}}}},
    {"Resize, nearest", resize_nearest, {{4, {1, 2, 3, 5}}, {4, {1, 2, 4, 3}}}, "b"},
    {"Resize, linear", resize_linear, {{4, {1, 2, 3, 5}}, {4, {1, 2, 4, 3}}}},
    {"Resize, corners aligned", resize_aligned, {{4, {1, 2, 3, 5}}, {4, {1, 2, 4, 3}}}},
    {"Resize, three axes", resize_three, {{3, {3, 2, 3}}, {3, {2, 3, 1}}}},
    {"Resize, cropped", resize_cropped, {{2, {4, 3}}, {2, {3, 4}}}},
    REDUCE_CASES(sum, "ReduceSum", 0, 0),
    REDUCE_CASES(mean, "ReduceMean", 0, 0),
    REDUCE_CASES(max, "ReduceMax", 0, 0),
    REDUCE_CASES(min, "ReduceMin", 0, 0),
    REDUCE_CASES(l1, "ReduceL1", 0, 0),
    REDUCE_CASES(l2, "ReduceL2", 0, 0),
    REDUCE_CASES(log_sum, "ReduceLogSum", 0.5, 2),
    REDUCE_CASES(log_sum_exp, "ReduceLogSumExp", 0, 0),
    REDUCE_CASES(sum_square, "ReduceSumSquare", 0, 0),
    REDUCE_CASES(prod, "ReduceProd", 0.5, 1.5),
    {"shape subgraph", shape_subgraph, {{3, {2, 3, 2}}, {2, {2, 6}}}},
    {"Squeeze, all axes", squeeze_all, {{4, {1, 3, 1, 2}}, {2, {3, 2}}}},
};

/* A trainer with some elements of operand a set to one value, and a's gradient there. */
static struct fed_trainer *make_with(const struct operand_case *test, double value,
                                     const size_t *places, size_t count,
                                     struct graph_writer *writer, struct fed_model **model) {
  struct fed_metrics metrics = {0};
  struct fed_trainer *trainer = make_trainer(writer, test, model);
  double *parameter = fed__trainer_parameter(trainer, 0);
  for (size_t i = 0; i < count; i++) parameter[places[i]] = value;
  must(fed__gradient_compute(trainer, &metrics));
  return trainer;
}

static void free_all(struct fed_trainer *trainer, struct fed_model *model,
                     struct graph_writer *writer) {
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(writer);
}

/* No zero, one, two among four factors: with two, no factor has a gradient. */
static void test_prod_zeros(void **state) {
  static const struct operand_case test = {
      "ReduceProd, zeros", prod_middle, {{3, {3, 4, 1}}, {1, {1}}}};
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer = make_with(&test, 0, (const size_t[]){5, 9, 10}, 3, &writer, &model);
  (void)state;
  check_parameter(trainer, &test, 0, 12);
  free_all(trainer, model, &writer);
}

/* The gradients of the first two elements with one or two extremes there. */
static void extreme_gradients(const struct operand_case *test, double value, size_t count,
                              double *found) {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer =
      make_with(test, value, (const size_t[]){0, 1}, count, &writer, &model);
  memcpy(found, fed__trainer_gradient(trainer, 0), 2 * sizeof *found);
  free_all(trainer, model, &writer);
}

/* Each of two equal extremes has half the gradient that one alone has, as PyTorch's amax does. */
static void check_tie(const struct operand_case *test, double value) {
  double one[2], both[2];
  extreme_gradients(test, value, 1, one);
  extreme_gradients(test, value, 2, both);
  assert_true(one[0] != 0 && one[1] == 0);
  assert_true(both[0] == one[0] / 2 && both[1] == one[0] / 2);
}

static void test_ties(void **state) {
  static const struct operand_case largest = {
      "ReduceMax, ties", max_middle, {{3, {3, 4, 1}}, {1, {1}}}};
  static const struct operand_case smallest = {
      "ReduceMin, ties", min_middle, {{3, {3, 4, 1}}, {1, {1}}}};
  (void)state;
  check_tie(&largest, 9);
  check_tie(&smallest, -9);
}

int main(void) {
  const struct CMUnitTest special[] = {
      cmocka_unit_test(test_prod_zeros),
      cmocka_unit_test(test_ties),
  };
  return check_gradients(cases, sizeof cases / sizeof cases[0]) +
         cmocka_run_group_tests(special, NULL, NULL);
}
