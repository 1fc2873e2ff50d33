/* SPDX-License-Identifier: Apache-2.0
 *
 * op_einsum.c: Einsum of one or two operands. One: a move that sums. Two: every label is in one of
 * four groups: in both operands and the result (batch), in the left one and the result (rows), the
 * right one and the result (columns), or in both operands alone (inner); what is in one operand
 * alone is summed beforehand. Then it is one matrix product for each place of the batch. Operands
 * whose dimensions do not lie in the order of the groups are copied, in each pass.
 */
#include "base/raise.h"
#include "train/operators/product/equation.h"
#include "train/operators/shape/move.h"

enum { BATCH, ROWS, COLUMNS, INNER, GROUPS };
enum { LEFT, RIGHT, RESULT, SIDES };

struct group {
  uint32_t count;
  uint8_t labels[FED_RANK_MAX];
  int64_t extent;
};

/* An operand or the result as a batch of matrices. */
struct side {
  int direct;            /* lies that way already */
  int transposed;        /* its matrices are: inner first on the left, columns first on the right */
  int sums;              /* some of its elements fall together */
  struct fed__move move; /* from the operand to the matrices, or from these to the result */
  int64_t elements;      /* of the matrices */
};

struct einsum_state {
  int two;
  uint32_t inputs[2]; /* of the left and the right side */
  int64_t batch, m, n, k;
  struct side sides[SIDES];
};

static int read_einsum(const struct fed__node *node, const struct fed_shape *const *shapes,
                       struct fed__equation *equation) {
  struct fed_slice text;
  FED_TRY(fed__attribute_text(node, "equation", "", &text));
  return fed__equation_read(text, shapes, node->input_count, equation);
}

static double einsum_work(const struct fed__inference *inference) {
  const struct fed_shape *shapes[FED__TERMS_MAX] = {0};
  struct fed__equation equation;
  for (uint32_t i = 0; i < inference->node->input_count && i < FED__TERMS_MAX; i++)
    shapes[i] = &fed__infer_input(inference, i)->shape;
  if (read_einsum(inference->node, shapes, &equation) != FED_OK) return 0; /* infer has said so */
  double work = equation.operand_count;
  for (size_t i = 0; i < FED__LABELS; i++)
    if (equation.extents[i]) work *= (double)equation.extents[i];
  return work;
}

static int infer_einsum(const struct fed__inference *inference) {
  const struct fed_shape *shapes[FED__TERMS_MAX] = {0};
  struct fed__equation equation;
  struct fed_shape result;
  for (uint32_t i = 0; i < inference->node->input_count; i++) {
    const struct fed__known *input = fed__infer_input(inference, i);
    if (!input) return FED_RAISE(FED_E_MISSING, "input %u is missing", i);
    FED_TRY(fed__infer_real(inference, i));
    if (i < FED__TERMS_MAX) shapes[i] = &input->shape;
  }
  FED_TRY(read_einsum(inference->node, shapes, &equation));
  result = (struct fed_shape){.rank = equation.result.rank};
  for (uint32_t i = 0; i < result.rank; i++)
    result.dims[i] = equation.extents[equation.result.labels[i]];
  return fed__infer_output(inference, 0, FED_F32, &result, NULL);
}

static int has(const struct fed__term *term, uint8_t label) {
  return memchr(term->labels, label, term->rank) != NULL;
}

/* The term without the dimensions in which the operand is repeated. */
static struct fed__term own_labels(const struct fed__equation *equation,
                                   const struct fed__term *term, const struct fed_shape *shape) {
  struct fed__term own = {0};
  for (uint32_t i = 0; i < term->rank; i++)
    if (shape->dims[i] == equation->extents[term->labels[i]])
      own.labels[own.rank++] = term->labels[i];
  return own;
}

static void add_label(const struct fed__equation *equation, struct group *group, uint8_t label) {
  group->labels[group->count++] = label;
  group->extent *= equation->extents[label];
}

static void find_groups(const struct fed__equation *equation, const struct fed__term *left,
                        const struct fed__term *right, struct group *groups) {
  for (int i = 0; i < GROUPS; i++) groups[i] = (struct group){.extent = 1};
  for (uint32_t i = 0; i < left->rank; i++) {
    const uint8_t label = left->labels[i];
    const int in_right = has(right, label), in_result = has(&equation->result, label);
    if (in_right || in_result)
      add_label(equation, &groups[!in_result ? INNER : in_right ? BATCH : ROWS], label);
  }
  for (uint32_t i = 0; i < right->rank; i++)
    if (!has(left, right->labels[i]) && has(&equation->result, right->labels[i]))
      add_label(equation, &groups[COLUMNS], right->labels[i]);
}

/* The labels of some groups, one after the other. */
static struct fed__term in_order(const struct group *groups, int first, int second, int third) {
  const struct group *order[] = {&groups[first], &groups[second], &groups[third]};
  struct fed__term term = {0};
  for (int i = 0; i < 3; i++)
    for (uint32_t j = 0; j < order[i]->count && term.rank < FED_RANK_MAX; j++)
      term.labels[term.rank++] = order[i]->labels[j];
  return term;
}

/* Of a dense array with these labels; 0 for a label that it does not have. */
static int64_t stride_of(const struct fed__equation *equation, const struct fed__term *term,
                         uint8_t label) {
  int64_t stride = 1;
  for (uint32_t i = term->rank; i-- > 0; stride *= equation->extents[term->labels[i]])
    if (term->labels[i] == label) return stride;
  return 0;
}

/* A move between two dense arrays that visits the labels of `outer`, then those only in `inner`. */
static struct fed__move move_between(const struct fed__equation *equation,
                                     const struct fed__term *outer, const struct fed__term *inner,
                                     const struct fed__term *from, const struct fed__term *to) {
  struct fed__move move = {0};
  for (uint32_t pass = 0; pass < 2; pass++) {
    const struct fed__term *visited = pass ? inner : outer;
    for (uint32_t i = 0; i < visited->rank; i++) {
      const uint8_t label = visited->labels[i];
      if (pass && has(outer, label)) continue;
      fed__move_dimension(&move, equation->extents[label], stride_of(equation, from, label),
                          stride_of(equation, to, label));
    }
  }
  return move;
}

/* Do both lie in memory alike? Dimensions of 1 do not matter. */
static int same_order(const struct fed__equation *equation, const struct fed__term *a,
                      const struct fed__term *b) {
  uint32_t i = 0, j = 0;
  for (;; i++, j++) {
    while (i < a->rank && equation->extents[a->labels[i]] == 1) i++;
    while (j < b->rank && equation->extents[b->labels[j]] == 1) j++;
    if (i == a->rank || j == b->rank) return i == a->rank && j == b->rank;
    if (a->labels[i] != b->labels[j]) return 0;
  }
}

static struct side make_operand(const struct fed__equation *equation, const struct fed__term *term,
                                const struct fed__term *plain, const struct fed__term *swapped) {
  struct side side = {.elements = 1};
  side.transposed = !same_order(equation, term, plain) && same_order(equation, term, swapped);
  const struct fed__term *matrices = side.transposed ? swapped : plain;
  side.direct = same_order(equation, term, matrices);
  side.move = move_between(equation, matrices, term, term, matrices);
  for (uint32_t i = 0; i < plain->rank; i++) side.elements *= equation->extents[plain->labels[i]];
  for (uint32_t i = 0; i < term->rank; i++)
    side.sums |= !has(matrices, term->labels[i]) && equation->extents[term->labels[i]] > 1;
  return side;
}

static struct side make_result(const struct fed__equation *equation,
                               const struct fed__term *matrices) {
  struct side side = {.elements = 1};
  side.direct = same_order(equation, matrices, &equation->result);
  side.move =
      move_between(equation, &equation->result, &equation->result, matrices, &equation->result);
  for (uint32_t i = 0; i < matrices->rank; i++)
    side.elements *= equation->extents[matrices->labels[i]];
  return side;
}

/* The left side is the one whose rows come first in the result. */
static int right_comes_first(const struct fed__equation *equation, const struct fed__term *terms) {
  for (uint32_t i = 0; i < equation->result.rank; i++) {
    const uint8_t label = equation->result.labels[i];
    if (equation->extents[label] > 1 && has(&terms[0], label) != has(&terms[1], label))
      return has(&terms[1], label);
  }
  return 0;
}

static void make_sides(const struct fed__equation *equation, const struct fed__term *terms,
                       struct einsum_state *einsum) {
  struct group groups[GROUPS];
  einsum->inputs[LEFT] = (uint32_t)right_comes_first(equation, terms);
  einsum->inputs[RIGHT] = !einsum->inputs[LEFT];
  const struct fed__term *left = &terms[einsum->inputs[LEFT]];
  const struct fed__term *right = &terms[einsum->inputs[RIGHT]];
  find_groups(equation, left, right, groups);
  einsum->batch = groups[BATCH].extent;
  einsum->m = groups[ROWS].extent;
  einsum->n = groups[COLUMNS].extent;
  einsum->k = groups[INNER].extent;
  const struct fed__term mk = in_order(groups, BATCH, ROWS, INNER);
  const struct fed__term km = in_order(groups, BATCH, INNER, ROWS);
  const struct fed__term kn = in_order(groups, BATCH, INNER, COLUMNS);
  const struct fed__term nk = in_order(groups, BATCH, COLUMNS, INNER);
  const struct fed__term mn = in_order(groups, BATCH, ROWS, COLUMNS);
  einsum->sides[LEFT] = make_operand(equation, left, &mk, &km);
  einsum->sides[RIGHT] = make_operand(equation, right, &kn, &nk);
  einsum->sides[RESULT] = make_result(equation, &mn);
}

static size_t unit_of(const struct fed__operation *operation) {
  return operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

/* Scratch: the matrices of each side that does not lie right, and in backward, a gradient's. */
static size_t side_bytes(const struct fed__operation *operation, int side) {
  const struct einsum_state *einsum = operation->state;
  const struct side *found = &einsum->sides[side];
  return found->direct ? 0 : (size_t)found->elements * unit_of(operation);
}

static void *scratch_of(const struct fed__operation *operation, int side) {
  char *at = operation->scratch;
  for (int i = 0; i < side; i++) at += side_bytes(operation, i);
  return at;
}

static int prepare_einsum(struct fed__operation *operation) {
  struct einsum_state *einsum = operation->state;
  const struct fed_shape *shapes[FED__TERMS_MAX] = {0};
  struct fed__equation equation;
  struct fed__term terms[FED__TERMS_MAX] = {0};
  for (uint32_t i = 0; i < operation->input_count; i++) shapes[i] = &operation->inputs[i].shape;
  FED_TRY(read_einsum(operation->node, shapes, &equation));
  for (uint32_t i = 0; i < operation->input_count; i++)
    terms[i] = own_labels(&equation, &equation.operands[i], shapes[i]);
  einsum->two = operation->input_count == 2;
  if (!einsum->two) {
    einsum->sides[LEFT] = make_operand(&equation, &terms[0], &equation.result, &equation.result);
    return FED_OK;
  }
  make_sides(&equation, terms, einsum);
  const size_t left = side_bytes(operation, LEFT), right = side_bytes(operation, RIGHT);
  operation->scratch_bytes =
      left + right + side_bytes(operation, RESULT) + (left > right ? left : right);
  return FED_OK;
}

static void move_operand(const struct fed__operation *operation, const struct side *side,
                         const void *from, void *to) {
  if (!side->sums) {
    fed__move_copy(&side->move, unit_of(operation), from, to);
    return;
  }
  memset(to, 0, (size_t)side->elements * unit_of(operation));
  fed__move_sum(&side->move, operation->kernels->precision, from, to);
}

/* The matrices of a side, in place or copied. */
static const void *operand_matrices(const struct fed__operation *operation, int which) {
  const struct einsum_state *einsum = operation->state;
  const void *data = operation->inputs[einsum->inputs[which]].data;
  if (einsum->sides[which].direct) return data;
  void *copy = scratch_of(operation, which);
  move_operand(operation, &einsum->sides[which], data, copy);
  return copy;
}

static struct fed_gemm forward_product(const struct einsum_state *einsum) {
  const int a = einsum->sides[LEFT].transposed, b = einsum->sides[RIGHT].transposed;
  return (struct fed_gemm){
      .transpose_a = a,
      .transpose_b = b,
      .m = einsum->m,
      .n = einsum->n,
      .k = einsum->k,
      .lda = a ? einsum->m : einsum->k,
      .ldb = b ? einsum->k : einsum->n,
      .ldc = einsum->n,
      .alpha = 1,
  };
}

/* The same product for every place of the batch; sizes of the three matrices in numbers. */
static void multiply_batch(const struct fed__operation *operation, const struct fed_gemm *product,
                           const char *a, const char *b, char *c) {
  const struct einsum_state *einsum = operation->state;
  const size_t unit = unit_of(operation);
  for (int64_t i = 0; i < einsum->batch; i++) {
    operation->kernels->gemm(product, a, b, c);
    a += (size_t)(product->m * product->k) * unit;
    b += (size_t)(product->k * product->n) * unit;
    c += (size_t)(product->m * product->n) * unit;
  }
}

static void einsum_forward(const struct fed__operation *operation) {
  const struct einsum_state *einsum = operation->state;
  void *y = operation->outputs[0].data;
  if (!einsum->two) {
    move_operand(operation, &einsum->sides[LEFT], operation->inputs[0].data, y);
    return;
  }
  const void *a = operand_matrices(operation, LEFT), *b = operand_matrices(operation, RIGHT);
  const struct fed_gemm product = forward_product(einsum);
  const int direct = einsum->sides[RESULT].direct;
  void *c = direct ? y : scratch_of(operation, RESULT);
  multiply_batch(operation, &product, a, b, c);
  if (!direct) fed__move_copy(&einsum->sides[RESULT].move, unit_of(operation), c, y);
}

/* d(left) = dy * right', as it lies: or its transpose, right * dy'. */
static void left_gradient(const struct fed__operation *operation, const void *dy, const void *b,
                          void *da) {
  const struct einsum_state *einsum = operation->state;
  const struct fed_gemm forward = forward_product(einsum);
  struct fed_gemm product = {.alpha = 1, .k = einsum->n};
  if (forward.transpose_a) {
    product.transpose_a = forward.transpose_b, product.transpose_b = 1;
    product.m = einsum->k, product.n = einsum->m;
    product.lda = forward.ldb, product.ldb = einsum->n, product.ldc = einsum->m;
    multiply_batch(operation, &product, b, dy, da);
  } else {
    product.transpose_b = !forward.transpose_b;
    product.m = einsum->m, product.n = einsum->k;
    product.lda = einsum->n, product.ldb = forward.ldb, product.ldc = einsum->k;
    multiply_batch(operation, &product, dy, b, da);
  }
}

/* d(right) = left' * dy, or its transpose, dy' * left. */
static void right_gradient(const struct fed__operation *operation, const void *dy, const void *a,
                           void *db) {
  const struct einsum_state *einsum = operation->state;
  const struct fed_gemm forward = forward_product(einsum);
  struct fed_gemm product = {.alpha = 1, .k = einsum->m};
  if (forward.transpose_b) {
    product.transpose_a = 1, product.transpose_b = forward.transpose_a;
    product.m = einsum->n, product.n = einsum->k;
    product.lda = einsum->n, product.ldb = forward.lda, product.ldc = einsum->k;
    multiply_batch(operation, &product, dy, a, db);
  } else {
    product.transpose_a = !forward.transpose_a;
    product.m = einsum->k, product.n = einsum->n;
    product.lda = forward.lda, product.ldb = einsum->n, product.ldc = einsum->n;
    multiply_batch(operation, &product, a, dy, db);
  }
}

static void return_gradient(const struct fed__operation *operation, const struct side *side,
                            const void *from, void *to) {
  const struct fed__move back = fed__move_reversed(&side->move);
  fed__move_copy(&back, unit_of(operation), from, to);
}

static void einsum_backward(const struct fed__operation *operation) {
  const struct einsum_state *einsum = operation->state;
  const struct side *sides = einsum->sides;
  const void *dy = operation->outputs[0].gradient;
  if (!einsum->two) {
    return_gradient(operation, &sides[LEFT], dy, operation->inputs[0].gradient);
    return;
  }
  if (!sides[RESULT].direct) {
    void *copy = scratch_of(operation, RESULT);
    return_gradient(operation, &sides[RESULT], dy, copy);
    dy = copy;
  }
  for (int which = LEFT; which <= RIGHT; which++) {
    void *gradient = operation->inputs[einsum->inputs[which]].gradient;
    if (!gradient) continue;
    void *matrices = sides[which].direct ? gradient : scratch_of(operation, SIDES);
    const void *other = operand_matrices(operation, !which);
    if (which == LEFT)
      left_gradient(operation, dy, other, matrices);
    else
      right_gradient(operation, dy, other, matrices);
    if (!sides[which].direct) return_gradient(operation, &sides[which], matrices, gradient);
  }
}

static int trains_einsum(uint32_t slot, const struct fed_shape *shape) {
  (void)slot;
  return !shape || shape->rank >= 2;
}

const struct fed__operator fed__op_einsum = {
    .type = "Einsum",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 32,
    .outputs_max = 1,
    .infer = infer_einsum,
    .trains = trains_einsum,
    .state_size = sizeof(struct einsum_state),
    .prepare = prepare_einsum,
    .forward = FED__UNTYPED(einsum_forward),
    .backward = FED__UNTYPED(einsum_backward),
    .backward_inputs = 1 | 2,
    .work = einsum_work,
};
