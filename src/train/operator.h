/* SPDX-License-Identifier: Apache-2.0
 *
 * operator.h: what an ONNX operator is to the engine: one const row of functions. A new operator
 * is one file (or a row in its family's file) under operators/ and its name in the list below.
 *
 * Life of a node: `infer` gives the shapes of its outputs for a batch size (and their contents,
 * if these are known without any example); `prepare` makes kernel instances and says how much
 * memory it wants; `forward` and `backward` then run in every step and cannot fail or allocate.
 */
#ifndef FED_TRAIN_OPERATOR_H
#define FED_TRAIN_OPERATOR_H

#include "train/graph.h"
#include "train/kernels/kernels.h"

#define FED__OPERATOR_LIST(X)                                                                      \
  X(add)                                                                                           \
  X(constant)                                                                                      \
  X(conv)                                                                                          \
  X(div)                                                                                           \
  X(flatten)                                                                                       \
  X(gemm)                                                                                          \
  X(identity)                                                                                      \
  X(matmul)                                                                                        \
  X(max_pool)                                                                                      \
  X(mul)                                                                                           \
  X(relu)                                                                                          \
  X(reshape)                                                                                       \
  X(sigmoid)                                                                                       \
  X(squeeze)                                                                                       \
  X(sub)                                                                                           \
  X(tanh)                                                                                          \
  X(unsqueeze)

/* One input or output of a planned node. `data` and `gradient` are dense and of the plan's
 * precision (integers stay int64). For an input, backward overwrites `gradient` unless it is NULL
 * (nobody needs it). For an output, backward reads it; NULL means zero, which cannot happen to
 * the only output. */
struct fed__operand {
  struct fed_shape shape;
  size_t elements;
  enum fed_dtype dtype;
  int wants_gradient; /* known to prepare, before there are pointers */
  void *data;
  void *gradient;
  void *sum; /* not NULL: `gradient` is temporary and the plan adds it here */
};

/* A planned node: an operator with its operands' places. */
struct fed__operation {
  const struct fed_context *context;
  const struct fed__operator *op;
  const struct fed__node *node;
  const struct fed_kernel_table *kernels;
  struct fed__operand *inputs, *outputs; /* an input left out has data NULL and rank 0 */
  uint32_t input_count, output_count;
  void *state;          /* op->state_size bytes, zeroed before prepare */
  size_t saved_bytes;   /* set by prepare: memory that lives from forward to backward */
  size_t scratch_bytes; /* set by prepare: memory that lives during one call */
  void *saved, *scratch;
  int runs_backward;
};

struct fed__inference {
  const struct fed_model *model;
  const struct fed__node *node;
  struct fed__shapes *shapes;
};

struct fed__operator {
  const char *type;
  int opset_min, opset_max;
  uint32_t inputs_min, inputs_max, outputs_max;

  FED_MUST int (*infer)(const struct fed__inference *inference);

  /* Does a float initializer of this shape in this input slot train? `shape` NULL: it comes there
   * through another operator, its shape is not known yet. trains NULL: never. */
  int (*trains)(uint32_t slot, const struct fed_shape *shape);
  /* Bits of the inputs that train if the output feeds such a slot (Identity, Reshape). */
  uint32_t passes;
  /* 1: output 0 is input 0 with another shape; shares its memory, nothing runs. */
  int view;

  size_t state_size;
  FED_MUST int (*prepare)(struct fed__operation *operation);
  void (*release)(struct fed__operation *operation);
  size_t (*bytes)(const struct fed__operation *operation); /* what prepare allocated */

  /* By precision. backward NULL: no gradient passes. */
  void (*forward[2])(const struct fed__operation *operation);
  void (*backward[2])(const struct fed__operation *operation);
  uint32_t backward_inputs, backward_outputs; /* bits of the data that backward reads */
};

/* Fill forward and backward: from one text compiled for both types, or from code that only calls
 * the kernel table. */
#define FED__TYPED(function)                                                                       \
  { [FED_PRECISION_F32] = function##_f32, [FED_PRECISION_F64] = function##_f64 }
#define FED__UNTYPED(function)                                                                     \
  { [FED_PRECISION_F32] = function, [FED_PRECISION_F64] = function }

#define FED__OPERATOR_DECLARE(name) extern const struct fed__operator fed__op_##name;
FED__OPERATOR_LIST(FED__OPERATOR_DECLARE)
#undef FED__OPERATOR_DECLARE

/* The operator of a node; NULL and FED_E_UNSUPPORTED, naming the node, the operator and all that
 * there are. */
const struct fed__operator *fed__operator_find(const struct fed__node *node, int64_t opset);

/* For infer: an input (NULL if left out), … */
const struct fed__known *fed__infer_input(const struct fed__inference *inference, uint32_t slot);
/* … that must be real numbers, or integers known without any example, … */
FED_MUST int fed__infer_real(const struct fed__inference *inference, uint32_t slot);
FED_MUST int fed__infer_integers(const struct fed__inference *inference, uint32_t slot,
                                 const int64_t **values, size_t *count);
/* … and what comes out; content NULL: computed in the step. */
FED_MUST int fed__infer_output(const struct fed__inference *inference, uint32_t slot,
                               enum fed_dtype dtype, const struct fed_shape *shape,
                               const void *content);
/* Memory for a content that infer computes; belongs to the inference. NULL: out of memory. */
void *fed__infer_content(const struct fed__inference *inference, size_t bytes);

/* The shape of two shapes broadcast together (ONNX's multidirectional rule); FED_E_SHAPE. */
FED_MUST int fed__shape_broadcast(const struct fed_shape *a, const struct fed_shape *b,
                                  struct fed_shape *result);

/* An axis counted from the end if negative; FED_E_RANGE unless in [-rank, rank). */
FED_MUST int fed__axis_normalise(int64_t axis, uint32_t rank, uint32_t *normal);

#endif
