/* SPDX-License-Identifier: Apache-2.0
 *
 * operator.h: what an ONNX operator is to the engine: one const row of functions. A new operator
 * is one file (or a row in its family's file) under operators/ and its name in the family's list.
 *
 * Life of a node: `infer` gives the types and shapes of its outputs for a batch size. If the
 * contents of all inputs are known without any example (initializers that do not train, shapes),
 * the node is computed once, there and then, by its own forward: so forward has to deal with every
 * type that infer lets through. `prepare` makes kernel instances and says how much memory it wants;
 * it may look at constants, whose data is in place by then, and at nothing else. `forward` and
 * `backward` then run in every step and cannot fail or allocate.
 */
#ifndef FED_TRAIN_OPERATOR_H
#define FED_TRAIN_OPERATOR_H

#include "train/graph.h"
#include "train/kernels/kernels.h"
#include "train/operators/elementwise/elementwise_list.h"
#include "train/operators/norm/norm_list.h"
#include "train/operators/product/product_list.h"
#include "train/operators/recurrent/recurrent_list.h"
#include "train/operators/shape/shape_list.h"
#include "train/operators/window/window_list.h"

#define FED__OPERATOR_LIST(X)                                                                      \
  FED__OPERATORS_ELEMENTWISE(X)                                                                    \
  FED__OPERATORS_SHAPE(X)                                                                          \
  FED__OPERATORS_WINDOW(X)                                                                         \
  FED__OPERATORS_NORM(X)                                                                           \
  FED__OPERATORS_PRODUCT(X)                                                                        \
  FED__OPERATORS_RECURRENT(X)

struct fed__update; /* optimizer.h */

/* What the plan's operations look at in a step. */
struct fed__step {
  int training;    /* else evaluating: Dropout and BatchNormalization differ */
  uint64_t seed;   /* of the step's random choices … */
  uint64_t number; /* … with the step's number and the operation's */
  /* Not NULL: backward applies the optimiser's update, too (fused_update.h). */
  const struct fed__update *update;
};

/* One input or output of a planned node. `data` and `gradient` are dense; real numbers (FED_F32)
 * are of the plan's precision, integers of all sizes are int64_t (FED_I64), truth values are one
 * byte of 0 or 1 (FED_BOOL). Only real numbers have gradients. For an input, backward overwrites
 * `gradient` (or adds, see below) unless it is NULL (nobody needs it). For an output, backward
 * reads it; NULL means zero, which cannot happen to the only output. An output that is left out has
 * data NULL and rank 0. */
struct fed__operand {
  struct fed_shape shape;
  size_t elements;
  enum fed_dtype dtype;
  int wants_gradient; /* known to prepare, before there are pointers */
  int may_update;     /* a parameter that only this operand reads, and the row's `updates` bit */
  void *data;
  void *gradient;
  void *sum; /* not NULL: `gradient` is temporary and the plan adds it here */
  int adds;  /* `gradient` has others' contributions: backward adds (the row's `adds` bit) */
};

/* A planned node: an operator with its operands' places. */
struct fed__operation {
  const struct fed_context *context;
  const struct fed_model *model;
  const struct fed__operator *op;
  const struct fed__node *node;
  const struct fed_kernel_table *kernels;
  const struct fed__step *step;          /* valid in forward, backward and commit */
  uint32_t number;                       /* of this operation in the plan */
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
  /* 1: draws random numbers or remembers, so it is never computed beforehand. */
  int varies;
  /* Bits of the inputs that are state (running statistics): never trained, changed by `commit`. */
  uint32_t state_inputs;
  /* 1: forward works with output 0 in the memory of input 0, and backward with input 0's gradient
   * in that of output 0's: element by element, same shape, and no `restrict`. The planner then
   * shares the memory where nobody else needs what was there. */
  int in_place;

  size_t state_size;
  FED_MUST int (*prepare)(struct fed__operation *operation);
  void (*release)(struct fed__operation *operation);
  size_t (*bytes)(const struct fed__operation *operation); /* what prepare allocated */

  /* By precision. backward NULL: no gradient passes. */
  void (*forward[2])(const struct fed__operation *operation);
  void (*backward[2])(const struct fed__operation *operation);
  uint32_t backward_inputs, backward_outputs; /* bits of the data that backward reads */
  /* Bits of the inputs that backward updates itself, while the gradient is in the cache, where
   * fed__updates says so; it then leaves `gradient` undefined. */
  uint32_t updates;
  /* Bits of the inputs whose gradient backward adds to where the operand says so. */
  uint32_t adds;
  /* After a training step that succeeded: bring state inputs up to date. By precision. */
  void (*commit[2])(const struct fed__operation *operation);
  /* Multiplications and additions of one forward pass, roughly; NULL: one an output element. */
  double (*work)(const struct fed__inference *inference);
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

/* The operator of a node; NULL and FED_E_UNSUPPORTED, naming the node, the operator and what to do
 * about it. */
const struct fed__operator *fed__operator_find(const struct fed__node *node, int64_t opset);

/* All that there are, from 0 on; then NULL. */
const struct fed__operator *fed__operator_at(size_t index);

/* An optional input that the node leaves out. */
static inline int fed__operand_absent(const struct fed__operation *operation, uint32_t slot) {
  return slot >= operation->input_count || operation->node->inputs[slot] == FED__NONE;
}

/* The first opset in which the operator means what the row says; opset_min or older. */
int fed__operator_first_opset(const struct fed__operator *op);

/* For infer: an input (NULL if left out), … */
const struct fed__known *fed__infer_input(const struct fed__inference *inference, uint32_t slot);
/* … that must be real numbers, or integers known without any example, … */
FED_MUST int fed__infer_real(const struct fed__inference *inference, uint32_t slot);
FED_MUST int fed__infer_integers(const struct fed__inference *inference, uint32_t slot,
                                 const int64_t **values, size_t *count);
/* The same for real numbers (the file's float32). */
FED_MUST int fed__infer_reals(const struct fed__inference *inference, uint32_t slot,
                              const float **values, size_t *count);
/* … and what comes out; content NULL: computed in the step, or beforehand by forward. */
FED_MUST int fed__infer_output(const struct fed__inference *inference, uint32_t slot,
                               enum fed_dtype dtype, const struct fed_shape *shape,
                               const void *content);
/* The output is this constant. */
FED_MUST int fed__infer_constant(const struct fed__inference *inference, uint32_t slot,
                                 const struct fed_tensor *tensor);
/* The type in which operators work with values of a type: FED_F32, FED_I64 or FED_BOOL. */
enum fed_dtype fed__dtype_for_work(enum fed_dtype dtype);
/* Memory for a content that infer computes; belongs to the inference. NULL: FED_E_MEMORY, or
 * FED_E_TOO_LARGE for more than a model may compute beforehand. */
void *fed__infer_content(const struct fed__inference *inference, size_t bytes);

/* The shape of two shapes broadcast together (ONNX's multidirectional rule); FED_E_SHAPE. */
FED_MUST int fed__shape_broadcast(const struct fed_shape *a, const struct fed_shape *b,
                                  struct fed_shape *result);

/* An axis counted from the end if negative; FED_E_RANGE unless in [-rank, rank). */
FED_MUST int fed__axis_normalise(int64_t axis, uint32_t rank, uint32_t *normal);

#endif
