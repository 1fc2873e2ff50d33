/* SPDX-License-Identifier: Apache-2.0
 *
 * op_attention.c: Attention, y = softmax(cap(scale * q k') + mask) v for every example and head;
 * several heads of queries may share one of keys and values. Two products forward and four
 * backward for each example and head; the weights of all pairs of queries and keys are saved. A
 * query that may look at no key gives zeros. Inputs are [batch, heads, sequence, width] or
 * [batch, sequence, heads * width].
 */
#ifndef REAL
#include "base/raise.h"
#include "train/kernels/wide.h"
#include "train/operator.h"
#include "train/operators/elementwise/transcendental.h"

enum { QUERY, KEY, VALUE, MASK, PAST_KEY };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };

/* When the output of scores is taken, and what has not happened then. */
enum { BEFORE_CAP, BEFORE_MASK, BEFORE_SOFTMAX, AFTER_SOFTMAX };

struct attention {
  int64_t batch, heads, key_heads, queries, keys, width, value_width;
  int64_t before, after; /* how far from its own place a query looks; below 0: to the end */
  int64_t scores_when;
  int heads_inside; /* inputs of three dimensions: heads lie beside one another in a row */
  double scale, cap;
  int64_t mask_step[4]; /* by example, head, query, key; 0: broadcast */
};

/* A matrix of one example and head inside of an array. */
struct part {
  int64_t base, stride;
};

static struct part part_of(const struct attention *layer, int64_t heads, int64_t rows,
                           int64_t width, int64_t example, int64_t head) {
  if (layer->heads_inside)
    return (struct part){(example * rows * heads + head) * width, heads * width};
  return (struct part){(example * heads + head) * rows * width, width};
}

/* One input's extents as [batch, heads, sequence, width]. */
static int read_extents(const struct fed_shape *shape, const char *heads_name, int64_t heads,
                        int64_t *extents) {
  char text[128];
  const int inside = shape->rank == 3;
  for (uint32_t i = 0; i < shape->rank; i++)
    if ((shape->rank != 3 && shape->rank != 4) || shape->dims[i] < 1)
      return FED_RAISE(FED_E_SHAPE, "an input has shape %s; expected 3 or 4 dimensions",
                       fed_shape_format(shape, text, sizeof text));
  if (inside && (heads < 1 || shape->dims[2] % heads))
    return FED_RAISE(FED_E_SHAPE, "%s is %lld, which does not divide the last dimension of %s",
                     heads_name, (long long)heads, fed_shape_format(shape, text, sizeof text));
  extents[0] = shape->dims[0];
  extents[1] = inside ? heads : shape->dims[1];
  extents[2] = shape->dims[inside ? 1 : 2];
  extents[3] = inside ? shape->dims[2] / heads : shape->dims[3];
  return FED_OK;
}

static int read_attributes(const struct fed__node *node, struct attention *layer) {
  int64_t is_causal;
  FED_TRY(fed__attribute_int(node, "is_causal", 0, &is_causal));
  FED_TRY(fed__attribute_int(node, "left_window_size", -1, &layer->before));
  FED_TRY(fed__attribute_int(node, "right_window_size", -1, &layer->after));
  if (is_causal) layer->after = 0;
  FED_TRY(fed__attribute_int(node, "qk_matmul_output_mode", 0, &layer->scores_when));
  FED_TRY(fed__attribute_float(node, "softcap", 0, &layer->cap));
  FED_TRY(fed__attribute_float(node, "scale", 1 / sqrt((double)layer->width), &layer->scale));
  if (layer->scores_when < BEFORE_CAP || layer->scores_when > AFTER_SOFTMAX)
    return FED_RAISE(FED_E_RANGE, "attribute 'qk_matmul_output_mode' is %lld; expected 0 to 3",
                     (long long)layer->scores_when);
  if (!(layer->cap >= 0))
    return FED_RAISE(FED_E_RANGE, "attribute 'softcap' is %g; expected a positive number",
                     layer->cap);
  return FED_OK;
}

static int read_layer(const struct fed__node *node, const struct fed_shape *const *shapes,
                      struct attention *layer) {
  int64_t q[4] = {0}, k[4] = {0}, v[4] = {0}, heads, key_heads;
  FED_TRY(fed__attribute_int(node, "q_num_heads", 0, &heads));
  FED_TRY(fed__attribute_int(node, "kv_num_heads", 0, &key_heads));
  FED_TRY(read_extents(shapes[QUERY], "q_num_heads", heads, q));
  FED_TRY(read_extents(shapes[KEY], "kv_num_heads", key_heads, k));
  FED_TRY(read_extents(shapes[VALUE], "kv_num_heads", key_heads, v));
  const uint32_t rank = shapes[QUERY]->rank;
  if (shapes[KEY]->rank != rank || shapes[VALUE]->rank != rank || q[0] != k[0] || q[0] != v[0] ||
      q[3] != k[3] || k[1] != v[1] || k[2] != v[2] || q[1] % k[1])
    return FED_RAISE(FED_E_SHAPE,
                     "batch, heads, sequence and width of queries (%lld, %lld, %lld, %lld), keys "
                     "(%lld, %lld, %lld, %lld) and values (%lld, %lld, %lld, %lld) do not fit",
                     (long long)q[0], (long long)q[1], (long long)q[2], (long long)q[3],
                     (long long)k[0], (long long)k[1], (long long)k[2], (long long)k[3],
                     (long long)v[0], (long long)v[1], (long long)v[2], (long long)v[3]);
  *layer = (struct attention){.batch = q[0],
                              .heads = q[1],
                              .key_heads = k[1],
                              .queries = q[2],
                              .keys = k[2],
                              .width = q[3],
                              .value_width = v[3],
                              .heads_inside = rank == 3};
  return read_attributes(node, layer);
}

static struct fed_shape scores_shape(const struct attention *layer) {
  return (struct fed_shape){4, {layer->batch, layer->heads, layer->queries, layer->keys}};
}

/* The mask's steps along the four dimensions of the scores. */
static int read_mask(const struct fed_shape *mask, struct attention *layer) {
  const struct fed_shape scores = scores_shape(layer);
  char found[128], expected[128];
  int64_t step = 1;
  int fits = mask->rank <= 4;
  for (uint32_t i = 0; fits && i < mask->rank; i++) {
    const int64_t dim = mask->dims[mask->rank - 1 - i];
    layer->mask_step[3 - i] = dim == 1 ? 0 : step;
    fits = dim == 1 || dim == scores.dims[3 - i];
    step *= dim;
  }
  if (!fits)
    return FED_RAISE(FED_E_SHAPE, "attn_mask has shape %s, which cannot be broadcast to %s",
                     fed_shape_format(mask, found, sizeof found),
                     fed_shape_format(&scores, expected, sizeof expected));
  return FED_OK;
}

static int refuse_caches(const struct fed__inference *inference) {
  const struct fed__node *node = inference->node;
  int cached = 0;
  for (uint32_t i = PAST_KEY; i < node->input_count; i++) cached |= node->inputs[i] != FED__NONE;
  for (uint32_t i = PRESENT_KEY; i <= PRESENT_VALUE && i < node->output_count; i++)
    cached |= node->outputs[i] != FED__NONE;
  if (cached)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "keys and values of the past are for generating text; export the model "
                     "without a cache for training");
  return FED_OK;
}

static int infer_attention(const struct fed__inference *inference) {
  const struct fed_shape *shapes[3];
  struct attention layer;
  FED_TRY(refuse_caches(inference));
  for (uint32_t i = QUERY; i <= VALUE; i++) {
    FED_TRY(fed__infer_real(inference, i));
    shapes[i] = &fed__infer_input(inference, i)->shape;
  }
  FED_TRY(read_layer(inference->node, shapes, &layer));
  const struct fed__known *mask = fed__infer_input(inference, MASK);
  if (mask && mask->dtype != FED_BOOL) FED_TRY(fed__infer_real(inference, MASK));
  if (mask) FED_TRY(read_mask(&mask->shape, &layer));
  const struct fed_shape scores = scores_shape(&layer);
  struct fed_shape y = *shapes[QUERY];
  y.dims[y.rank - 1] = layer.heads_inside ? layer.heads * layer.value_width : layer.value_width;
  FED_TRY(fed__infer_output(inference, Y, FED_F32, &y, NULL));
  return fed__infer_output(inference, SCORES, FED_F32, &scores, NULL);
}

static int64_t score_count(const struct attention *layer) {
  return layer->batch * layer->heads * layer->queries * layer->keys;
}

static int prepare_attention(struct fed__operation *operation) {
  struct attention *layer = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const struct fed_shape *shapes[] = {&inputs[QUERY].shape, &inputs[KEY].shape,
                                      &inputs[VALUE].shape};
  const size_t unit =
      operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
  FED_TRY(read_layer(operation->node, shapes, layer));
  if (!fed__operand_absent(operation, MASK)) FED_TRY(read_mask(&inputs[MASK].shape, layer));
  operation->saved_bytes = (size_t)score_count(layer) * unit * (layer->cap > 0 ? 2 : 1);
  operation->scratch_bytes = (size_t)(layer->queries * layer->keys) * unit;
  return FED_OK;
}

static double attention_work(const struct fed__inference *inference) {
  const struct fed__node *node = inference->node;
  const struct fed_shape *shapes[3];
  struct attention layer;
  for (uint32_t i = QUERY; i <= VALUE; i++) shapes[i] = &fed__infer_input(inference, i)->shape;
  if (read_layer(node, shapes, &layer) != FED_OK) return 0; /* infer has said so */
  return 2 * (double)score_count(&layer) * (double)(layer.width + layer.value_width);
}

#define FED__TEMPLATE "train/operators/product/op_attention.c"
#include "train/typed.h"

static int trains_attention(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot <= VALUE; /* learned queries and memories */
}

const struct fed__operator fed__op_attention = {
    .type = "Attention",
    .opset_min = 23,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 7,
    .outputs_max = 4,
    .infer = infer_attention,
    .trains = trains_attention,
    .state_size = sizeof(struct attention),
    .prepare = prepare_attention,
    .forward = FED__TYPED(attention_forward),
    .backward = FED__TYPED(attention_backward),
    .backward_inputs = 1 << QUERY | 1 << KEY | 1 << VALUE,
    .work = attention_work,
};

#else
#include "train/operators/norm/sums.inc"

/* One example and head in a call. */
struct TYPED(head) {
  const struct fed__operation *operation;
  const struct attention *layer;
  int64_t example, head;
  int first; /* of those that share keys and values */
  struct part q, k, v, y;
  REAL *weights;       /* [queries, keys] */
  REAL *capped;        /* scores before the mask; NULL: no cap */
  int64_t first_score; /* where the matrix begins in an array of all scores */
};

static struct TYPED(head)
    TYPED(head_at)(const struct fed__operation *operation, int64_t example, int64_t head) {
  const struct attention *layer = operation->state;
  const int64_t group = layer->heads / layer->key_heads, shared = head / group;
  const int64_t first_score = (example * layer->heads + head) * layer->queries * layer->keys;
  REAL *saved = (REAL *)operation->saved + first_score;
  return (struct TYPED(head)){
      .operation = operation,
      .layer = layer,
      .example = example,
      .head = head,
      .first = head % group == 0,
      .q = part_of(layer, layer->heads, layer->queries, layer->width, example, head),
      .k = part_of(layer, layer->key_heads, layer->keys, layer->width, example, shared),
      .v = part_of(layer, layer->key_heads, layer->keys, layer->value_width, example, shared),
      .y = part_of(layer, layer->heads, layer->queries, layer->value_width, example, head),
      .weights = saved,
      .capped = layer->cap > 0 ? saved + score_count(layer) : NULL,
      .first_score = first_score,
  };
}

static REAL *TYPED(score_output)(const struct fed__operation *operation) {
  return operation->output_count > SCORES ? operation->outputs[SCORES].data : NULL;
}

/* The output of scores, if it is taken now. */
static void TYPED(show_scores)(const struct TYPED(head) * at, int64_t query, int when) {
  const int64_t keys = at->layer->keys;
  REAL *output = TYPED(score_output)(at->operation);
  if (output && at->layer->scores_when == when)
    memcpy(output + at->first_score + query * keys, at->weights + query * keys,
           (size_t)keys * sizeof *output);
}

FED__WIDE static void TYPED(cap_row)(REAL cap, int64_t count, REAL *row) {
  FED__EACH for (int64_t j = 0; j < count; j++) row[j] = cap * TYPED(fed__tanh)(row[j] / cap);
}

static void TYPED(mask_row)(const struct TYPED(head) * at, int64_t query, REAL *row) {
  const struct attention *layer = at->layer;
  const int64_t *step = layer->mask_step;
  const int64_t from = at->example * step[0] + at->head * step[1] + query * step[2];
  if (!fed__operand_absent(at->operation, MASK)) {
    const struct fed__operand *mask = &at->operation->inputs[MASK];
    const REAL *numbers = mask->data;
    const uint8_t *truths = mask->data;
    for (int64_t j = 0; j < layer->keys; j++)
      if (mask->dtype != FED_BOOL)
        row[j] += numbers[from + j * step[3]];
      else if (!truths[from + j * step[3]])
        row[j] = -INFINITY;
  }
  for (int64_t j = 0; layer->before >= 0 && j < layer->keys && query - j > layer->before; j++)
    row[j] = -INFINITY;
  for (int64_t j = layer->keys - 1; layer->after >= 0 && j >= 0 && j - query > layer->after; j--)
    row[j] = -INFINITY;
}

FED__WIDE static void TYPED(softmax_row)(int64_t count, REAL *row) {
  const REAL most = TYPED(largest)(row, count);
  if (most == -INFINITY) {
    memset(row, 0, (size_t)count * sizeof *row);
    return;
  }
  FED__EACH for (int64_t j = 0; j < count; j++) row[j] = TYPED(fed__exp)(row[j] - most);
  const REAL factor = 1 / TYPED(sum)(row, count);
  for (int64_t j = 0; j < count; j++) row[j] *= factor;
}

static void TYPED(weigh)(const struct TYPED(head) * at) {
  const struct attention *layer = at->layer;
  const int64_t keys = layer->keys;
  for (int64_t i = 0; i < layer->queries; i++) {
    REAL *row = at->weights + i * keys;
    TYPED(show_scores)(at, i, BEFORE_CAP);
    if (at->capped) {
      TYPED(cap_row)((REAL)layer->cap, keys, row);
      memcpy(at->capped + i * keys, row, (size_t)keys * sizeof *row);
    }
    TYPED(show_scores)(at, i, BEFORE_MASK);
    TYPED(mask_row)(at, i, row);
    TYPED(show_scores)(at, i, BEFORE_SOFTMAX);
    TYPED(softmax_row)(keys, row);
    TYPED(show_scores)(at, i, AFTER_SOFTMAX);
  }
}

static void TYPED(attend)(const struct TYPED(head) * at) {
  const struct attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const REAL *q = operation->inputs[QUERY].data, *k = operation->inputs[KEY].data;
  const REAL *v = operation->inputs[VALUE].data;
  struct fed_gemm product = {.transpose_b = 1,
                             .m = layer->queries,
                             .n = layer->keys,
                             .k = layer->width,
                             .lda = at->q.stride,
                             .ldb = at->k.stride,
                             .ldc = layer->keys,
                             .alpha = layer->scale};
  operation->kernels->gemm(&product, q + at->q.base, k + at->k.base, at->weights);
  TYPED(weigh)(at);
  if (!operation->outputs[Y].data) return;
  product = (struct fed_gemm){.m = layer->queries, .n = layer->value_width, .k = layer->keys};
  product.lda = layer->keys, product.ldb = at->v.stride, product.ldc = at->y.stride;
  product.alpha = 1;
  operation->kernels->gemm(&product, at->weights, v + at->v.base,
                           (REAL *)operation->outputs[Y].data + at->y.base);
}

static void TYPED(attention_forward)(const struct fed__operation *operation) {
  const struct attention *layer = operation->state;
  for (int64_t i = 0; i < layer->batch; i++)
    for (int64_t j = 0; j < layer->heads; j++) {
      const struct TYPED(head) at = TYPED(head_at)(operation, i, j);
      TYPED(attend)(&at);
    }
}

/* Add the gradient of the output of scores, if it was taken at this point. */
static void TYPED(add_shown)(const struct TYPED(head) * at, int64_t query, int when, REAL *row) {
  const struct fed__operation *operation = at->operation;
  const int64_t keys = at->layer->keys;
  const REAL *shown = operation->output_count > SCORES ? operation->outputs[SCORES].gradient : NULL;
  if (!shown || at->layer->scores_when != when) return;
  shown += at->first_score + query * keys;
  FED__EACH for (int64_t j = 0; j < keys; j++) row[j] += shown[j];
}

FED__WIDE static void TYPED(softmax_back)(int64_t count, const REAL *weights, REAL *row) {
  const REAL mean = TYPED(dot)(weights, row, count);
  FED__EACH for (int64_t j = 0; j < count; j++) row[j] = weights[j] * (row[j] - mean);
}

static void TYPED(mask_back)(const struct TYPED(head) * at, int64_t query, const REAL *row) {
  const int64_t *step = at->layer->mask_step;
  REAL *gradient =
      fed__operand_absent(at->operation, MASK) ? NULL : at->operation->inputs[MASK].gradient;
  if (!gradient) return;
  gradient += at->example * step[0] + at->head * step[1] + query * step[2];
  for (int64_t j = 0; j < at->layer->keys; j++) gradient[j * step[3]] += row[j];
}

FED__WIDE static void TYPED(cap_back)(REAL cap, int64_t count, const REAL *capped, REAL *row) {
  FED__EACH for (int64_t j = 0; j < count; j++) {
    const REAL y = capped[j] / cap;
    row[j] *= 1 - y * y;
  }
}

/* From the weights' gradient to that of the scaled products, in place. */
static void TYPED(weigh_back)(const struct TYPED(head) * at, REAL *gradient) {
  const struct attention *layer = at->layer;
  const int64_t keys = layer->keys;
  for (int64_t i = 0; i < layer->queries; i++) {
    REAL *row = gradient + i * keys;
    TYPED(add_shown)(at, i, AFTER_SOFTMAX, row);
    TYPED(softmax_back)(keys, at->weights + i * keys, row);
    TYPED(add_shown)(at, i, BEFORE_SOFTMAX, row);
    TYPED(mask_back)(at, i, row);
    TYPED(add_shown)(at, i, BEFORE_MASK, row);
    if (at->capped) TYPED(cap_back)((REAL)layer->cap, keys, at->capped + i * keys, row);
    TYPED(add_shown)(at, i, BEFORE_CAP, row);
  }
}

/* The weights' gradient, dy * v', and that of v, weights' * dy. */
static void TYPED(values_back)(const struct TYPED(head) * at, REAL *gradient) {
  const struct attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const REAL *dy = operation->outputs[Y].gradient, *v = operation->inputs[VALUE].data;
  REAL *dv = operation->inputs[VALUE].gradient;
  if (!dy) {
    memset(gradient, 0, (size_t)(layer->queries * layer->keys) * sizeof *gradient);
    return;
  }
  struct fed_gemm product = {.transpose_b = 1, .m = layer->queries, .n = layer->keys};
  product.k = layer->value_width, product.lda = at->y.stride, product.ldb = at->v.stride;
  product.ldc = layer->keys, product.alpha = 1;
  operation->kernels->gemm(&product, dy + at->y.base, v + at->v.base, gradient);
  if (!dv) return;
  product = (struct fed_gemm){.transpose_a = 1, .m = layer->keys, .n = layer->value_width};
  product.k = layer->queries, product.lda = layer->keys, product.ldb = at->y.stride;
  product.ldc = at->v.stride, product.alpha = 1, product.beta = !at->first;
  operation->kernels->gemm(&product, at->weights, dy + at->y.base, dv + at->v.base);
}

static void TYPED(scores_back)(const struct TYPED(head) * at, const REAL *gradient) {
  const struct attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const struct fed__operand *q = &operation->inputs[QUERY], *k = &operation->inputs[KEY];
  struct fed_gemm product = {.m = layer->queries, .n = layer->width, .k = layer->keys};
  product.lda = layer->keys, product.ldb = at->k.stride, product.ldc = at->q.stride;
  product.alpha = layer->scale;
  if (q->gradient)
    operation->kernels->gemm(&product, gradient, (const REAL *)k->data + at->k.base,
                             (REAL *)q->gradient + at->q.base);
  product.transpose_a = 1, product.m = layer->keys, product.k = layer->queries;
  product.ldb = at->q.stride, product.ldc = at->k.stride, product.beta = !at->first;
  if (k->gradient)
    operation->kernels->gemm(&product, gradient, (const REAL *)q->data + at->q.base,
                             (REAL *)k->gradient + at->k.base);
}

static void TYPED(clear_gradient)(const struct fed__operation *operation, uint32_t slot) {
  if (fed__operand_absent(operation, slot) || !operation->inputs[slot].gradient) return;
  memset(operation->inputs[slot].gradient, 0, operation->inputs[slot].elements * sizeof(REAL));
}

static void TYPED(attention_backward)(const struct fed__operation *operation) {
  const struct attention *layer = operation->state;
  REAL *gradient = operation->scratch;
  if (!operation->outputs[Y].gradient) TYPED(clear_gradient)(operation, VALUE);
  TYPED(clear_gradient)(operation, MASK);
  for (int64_t i = 0; i < layer->batch; i++)
    for (int64_t j = 0; j < layer->heads; j++) {
      const struct TYPED(head) at = TYPED(head_at)(operation, i, j);
      TYPED(values_back)(&at, gradient);
      TYPED(weigh_back)(&at, gradient);
      TYPED(scores_back)(&at, gradient);
    }
}

#endif
