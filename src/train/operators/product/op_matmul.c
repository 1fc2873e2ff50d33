/* SPDX-License-Identifier: Apache-2.0
 *
 * op_matmul.c: MatMul with NumPy's rules: leading dimensions are a batch and broadcast, a vector
 * is a row on the left and a column on the right. A single right matrix under a batch (a dense
 * layer over a sequence) is one product over all rows, and updated in backward.
 */
#include "base/raise.h"
#include "train/fused_update.h"
#include "train/operators/product/dense.h"

struct matmul_state {
  int64_t m, n, k;
  uint32_t rank;                                      /* of the batch */
  int64_t batch[FED_RANK_MAX];                        /* the output's, outermost first */
  int64_t a_step[FED_RANK_MAX], b_step[FED_RANK_MAX]; /* in matrices; 0 where broadcast */
  int a_shared, b_shared;                             /* the operand is used by several products */
};

/* The matrix at the end of a shape, and the batch before it. */
static void split(const struct fed_shape *shape, int is_left, struct fed_shape *batch,
                  int64_t *rows, int64_t *columns) {
  *batch = (struct fed_shape){.rank = shape->rank > 2 ? shape->rank - 2 : 0};
  for (uint32_t i = 0; i < batch->rank; i++) batch->dims[i] = shape->dims[i];
  const int64_t last = shape->dims[shape->rank - 1];
  *rows = shape->rank > 1 ? shape->dims[shape->rank - 2] : is_left ? 1 : last;
  *columns = shape->rank > 1 || is_left ? last : 1;
}

/* Steps of an operand along the output's batch dimensions; whether any of them is broadcast. */
static int batch_steps(const struct fed_shape *own, const struct matmul_state *matmul,
                       int64_t *steps) {
  int64_t step = 1;
  int shared = 0;
  for (uint32_t i = 0; i < matmul->rank; i++) {
    const uint32_t axis = matmul->rank - 1 - i;
    const int64_t dim = i < own->rank ? own->dims[own->rank - 1 - i] : 1;
    steps[axis] = dim == 1 ? 0 : step;
    shared |= dim == 1 && matmul->batch[axis] > 1;
    step *= dim;
  }
  return shared;
}

static int read_matmul(const struct fed_shape *a, const struct fed_shape *b,
                       struct matmul_state *matmul, struct fed_shape *output) {
  struct fed_shape a_batch, b_batch, batch;
  int64_t b_rows;
  char left[128], right[128];
  if (a->rank == 0 || b->rank == 0) return FED_RAISE(FED_E_SHAPE, "a scalar is no matrix");
  split(a, 1, &a_batch, &matmul->m, &matmul->k);
  split(b, 0, &b_batch, &b_rows, &matmul->n);
  if (b_rows != matmul->k)
    return FED_RAISE(FED_E_SHAPE, "%s and %s cannot be multiplied",
                     fed_shape_format(a, left, sizeof left),
                     fed_shape_format(b, right, sizeof right));
  FED_TRY(fed__shape_broadcast(&a_batch, &b_batch, &batch));
  matmul->rank = batch.rank;
  memcpy(matmul->batch, batch.dims, sizeof batch.dims);
  matmul->a_shared = batch_steps(&a_batch, matmul, matmul->a_step);
  matmul->b_shared = batch_steps(&b_batch, matmul, matmul->b_step);
  *output = batch;
  if (a->rank > 1) output->dims[output->rank++] = matmul->m;
  if (b->rank > 1) output->dims[output->rank++] = matmul->n;
  if (b_batch.rank == 0 && a->rank > 1) { /* all rows of the batch at once */
    for (uint32_t i = 0; i < matmul->rank; i++) matmul->m *= matmul->batch[i];
    matmul->rank = 0;
    matmul->b_shared = 0;
  }
  return FED_OK;
}

static int infer_matmul(const struct fed__inference *inference) {
  struct matmul_state matmul;
  struct fed_shape output;
  FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(fed__infer_real(inference, 1));
  FED_TRY(read_matmul(&fed__infer_input(inference, 0)->shape,
                      &fed__infer_input(inference, 1)->shape, &matmul, &output));
  return fed__infer_output(inference, 0, FED_F32, &output, NULL);
}

static int prepare_matmul(struct fed__operation *operation) {
  struct fed_shape output;
  operation->scratch_bytes = fed__dense_scratch(operation);
  return read_matmul(&operation->inputs[0].shape, &operation->inputs[1].shape, operation->state,
                     &output);
}

/* Calls `visit` for every product of the batch with the positions of its three matrices. */
static void each_product(const struct fed__operation *operation,
                         void (*visit)(const struct fed__operation *, int64_t, int64_t, int64_t)) {
  const struct matmul_state *matmul = operation->state;
  int64_t index[FED_RANK_MAX] = {0}, a = 0, b = 0, products = 1;
  for (uint32_t i = 0; i < matmul->rank; i++) products *= matmul->batch[i];
  for (int64_t y = 0; y < products; y++) {
    visit(operation, a, b, y);
    for (uint32_t i = matmul->rank; i-- > 0;) {
      a += matmul->a_step[i], b += matmul->b_step[i];
      if (++index[i] < matmul->batch[i]) break;
      a -= matmul->a_step[i] * index[i], b -= matmul->b_step[i] * index[i];
      index[i] = 0;
    }
  }
}

static size_t real_size(const struct fed__operation *operation) {
  return operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

static void *matrix_at(const struct fed__operation *operation, void *data, int64_t index,
                       int64_t elements) {
  return (char *)data + (size_t)(index * elements) * real_size(operation);
}

static void forward_one(const struct fed__operation *operation, int64_t a, int64_t b, int64_t y) {
  const struct matmul_state *s = operation->state;
  const struct fed_gemm product = {
      .m = s->m, .n = s->n, .k = s->k, .lda = s->k, .ldb = s->n, .ldc = s->n, .alpha = 1};
  operation->kernels->gemm(&product,
                           matrix_at(operation, operation->inputs[0].data, a, s->m * s->k),
                           matrix_at(operation, operation->inputs[1].data, b, s->k * s->n),
                           matrix_at(operation, operation->outputs[0].data, y, s->m * s->n));
}

/* da = dy * b', db = a' * dy; an operand used by several products collects their gradients. */
static void backward_one(const struct fed__operation *operation, int64_t a, int64_t b, int64_t y) {
  const struct matmul_state *s = operation->state;
  const struct fed__operand *left = &operation->inputs[0], *right = &operation->inputs[1];
  const void *dy = matrix_at(operation, operation->outputs[0].gradient, y, s->m * s->n);
  if (left->gradient) {
    const struct fed_gemm product = {.transpose_b = 1,
                                     .m = s->m,
                                     .n = s->k,
                                     .k = s->n,
                                     .lda = s->n,
                                     .ldb = s->n,
                                     .ldc = s->k,
                                     .alpha = 1,
                                     .beta = s->a_shared};
    operation->kernels->gemm(&product, dy, matrix_at(operation, right->data, b, s->k * s->n),
                             matrix_at(operation, left->gradient, a, s->m * s->k));
  }
  if (right->gradient) {
    const struct fed_gemm product = {.transpose_a = 1,
                                     .m = s->k,
                                     .n = s->n,
                                     .k = s->m,
                                     .lda = s->k,
                                     .ldb = s->n,
                                     .ldc = s->n,
                                     .alpha = 1,
                                     .beta = s->b_shared};
    operation->kernels->gemm(&product, matrix_at(operation, left->data, a, s->m * s->k), dy,
                             matrix_at(operation, right->gradient, b, s->k * s->n));
  }
}

static void matmul_forward(const struct fed__operation *operation) {
  each_product(operation, forward_one);
}

static void backward_batch(const struct fed__operation *operation) {
  const struct matmul_state *matmul = operation->state;
  const int shared[2] = {matmul->a_shared, matmul->b_shared};
  for (int i = 0; i < 2; i++)
    if (shared[i] && operation->inputs[i].gradient)
      memset(operation->inputs[i].gradient, 0,
             operation->inputs[i].elements * real_size(operation));
  each_product(operation, backward_one);
  if (fed__updates(operation, 1))
    fed__update_piece(operation, 1, 0, operation->inputs[1].elements,
                      operation->inputs[1].gradient);
}

static void matmul_backward(const struct fed__operation *operation) {
  const struct matmul_state *matmul = operation->state;
  const struct fed__dense dense = {.m = matmul->m, .n = matmul->n, .k = matmul->k, .alpha = 1};
  if (matmul->rank == 0)
    fed__dense_backward(operation, &dense);
  else
    backward_batch(operation);
}

static int trains_matmul(uint32_t slot, const struct fed_shape *shape) {
  return slot <= 1 && (!shape || shape->rank >= 2);
}

const struct fed__operator fed__op_matmul = {
    .type = "MatMul",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_matmul,
    .trains = trains_matmul,
    .state_size = sizeof(struct matmul_state),
    .prepare = prepare_matmul,
    .forward = FED__UNTYPED(matmul_forward),
    .backward = FED__UNTYPED(matmul_backward),
    .backward_inputs = 1 | 2,
    .updates = 2,
};
