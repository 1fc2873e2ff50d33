/* SPDX-License-Identifier: Apache-2.0
 *
 * op_attention.c: Attention, y = softmax(cap(scale * q k') + mask) v for every example and head;
 * several heads of queries may share one of keys and values. Two products forward and four
 * backward for each example and head; the weights of all pairs of queries and keys are saved. A
 * query that may look at no key gives zeros. Inputs are [batch, heads, sequence, width] or
 * [batch, sequence, heads * width]. With keys and values of the past (a prefix, learned or from an
 * earlier call) both are joined in the operation's own memory first, and the gradient is taken
 * apart again.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operators/elementwise/transcendental.h"
#include "train/operators/product/attention.h"

/* A matrix of one example and head inside of an array. */
struct part {
  int64_t base, stride;
};

static struct part part_of(const struct fed__attention *layer, int64_t heads, int64_t rows,
                           int64_t width, int64_t example, int64_t head) {
  if (layer->heads_inside)
    return (struct part){(example * rows * heads + head) * width, heads * width};
  return (struct part){(example * heads + head) * rows * width, width};
}

static int infer_attention(const struct fed__inference *inference) {
  struct fed__attention layer;
  FED_TRY(fed__attention_infer(inference, &layer));
  const struct fed_shape scores = {4, {layer.batch, layer.heads, layer.queries, layer.keys}};
  const struct fed_shape keys = {4, {layer.batch, layer.key_heads, layer.keys, layer.width}};
  struct fed_shape values = keys, y = fed__infer_input(inference, FED__ATTENTION_QUERY)->shape;
  y.dims[y.rank - 1] = layer.heads_inside ? layer.heads * layer.value_width : layer.value_width;
  values.dims[3] = layer.value_width;
  FED_TRY(fed__infer_output(inference, FED__ATTENTION_Y, FED_F32, &y, NULL));
  FED_TRY(fed__infer_output(inference, FED__ATTENTION_PRESENT_KEY, FED_F32, &keys, NULL));
  FED_TRY(fed__infer_output(inference, FED__ATTENTION_PRESENT_VALUE, FED_F32, &values, NULL));
  return fed__infer_output(inference, FED__ATTENTION_SCORES, FED_F32, &scores, NULL);
}

static int prepare_attention(struct fed__operation *operation) {
  struct fed__attention *layer = operation->state;
  const struct fed_shape *shapes[FED__ATTENTION_USED_KEYS + 1];
  const size_t unit =
      operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
  for (uint32_t i = FED__ATTENTION_QUERY; i <= FED__ATTENTION_USED_KEYS; i++)
    shapes[i] = fed__operand_absent(operation, i) ? NULL : &operation->inputs[i].shape;
  FED_TRY(fed__attention_read(operation->node, shapes, layer));
  const int64_t joined =
      fed__attention_joined(layer, layer->width) + fed__attention_joined(layer, layer->value_width);
  const int64_t scores = fed__attention_scores(layer) * (layer->cap > 0 ? 2 : 1);
  operation->saved_bytes = (size_t)(scores + joined) * unit;
  operation->scratch_bytes = (size_t)(layer->queries * layer->keys + joined) * unit;
  return FED_OK;
}

static double attention_work(const struct fed__inference *inference) {
  struct fed__attention layer;
  if (fed__attention_infer(inference, &layer) != FED_OK) return 0; /* infer has said so */
  return 2 * (double)fed__attention_scores(&layer) * (double)(layer.width + layer.value_width);
}

#define FED__TEMPLATE "train/operators/product/op_attention.c"
#include "train/typed.h"

static int trains_attention(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot <= FED__ATTENTION_VALUE || slot == FED__ATTENTION_PAST_KEY ||
         slot == FED__ATTENTION_PAST_VALUE; /* learned prefixes */
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
    .state_size = sizeof(struct fed__attention),
    .prepare = prepare_attention,
    .forward = FED__TYPED(attention_forward),
    .backward = FED__TYPED(attention_backward),
    .backward_inputs =
        1 << FED__ATTENTION_QUERY | 1 << FED__ATTENTION_KEY | 1 << FED__ATTENTION_VALUE,
    .work = attention_work,
};

#else
#include "train/operators/norm/sums.inc"

/* One example and head in a call. */
struct TYPED(head) {
  const struct fed__operation *operation;
  const struct fed__attention *layer;
  int64_t example, head;
  int first; /* of those that share keys and values */
  struct part q, k, v, y;
  const REAL *keys, *values; /* of all heads and examples */
  REAL *weights;             /* [queries, keys] */
  REAL *capped;              /* scores before the mask; NULL: no cap */
  int64_t first_score;       /* where the matrix begins in an array of all scores */
};

/* Where the joined keys lie in `saved`, and their gradients in `scratch`; the values behind. */
static REAL *TYPED(joined_saved)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  return (REAL *)operation->saved + fed__attention_scores(layer) * (layer->cap > 0 ? 2 : 1);
}

static REAL *TYPED(joined_scratch)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  return (REAL *)operation->scratch + layer->queries * layer->keys;
}

static struct part TYPED(shared_part)(const struct fed__attention *layer, int64_t width,
                                      int64_t example, int64_t head) {
  const struct part joined = {(example * layer->key_heads + head) * layer->keys * width, width};
  return layer->joins ? joined
                      : part_of(layer, layer->key_heads, layer->keys, width, example, head);
}

static struct TYPED(head)
    TYPED(head_at)(const struct fed__operation *operation, int64_t example, int64_t head) {
  const struct fed__attention *layer = operation->state;
  const int64_t group = layer->heads / layer->key_heads, shared = head / group;
  const int64_t first_score = (example * layer->heads + head) * layer->queries * layer->keys;
  REAL *saved = (REAL *)operation->saved + first_score;
  const REAL *joined = TYPED(joined_saved)(operation);
  return (struct TYPED(head)){
      .operation = operation,
      .layer = layer,
      .example = example,
      .head = head,
      .first = head % group == 0,
      .q = part_of(layer, layer->heads, layer->queries, layer->width, example, head),
      .k = TYPED(shared_part)(layer, layer->width, example, shared),
      .v = TYPED(shared_part)(layer, layer->value_width, example, shared),
      .y = part_of(layer, layer->heads, layer->queries, layer->value_width, example, head),
      .keys = layer->joins ? joined : operation->inputs[FED__ATTENTION_KEY].data,
      .values = layer->joins ? joined + fed__attention_joined(layer, layer->width)
                             : operation->inputs[FED__ATTENTION_VALUE].data,
      .weights = saved,
      .capped = layer->cap > 0 ? saved + fed__attention_scores(layer) : NULL,
      .first_score = first_score,
  };
}

static REAL *TYPED(score_output)(const struct fed__operation *operation) {
  return operation->output_count > FED__ATTENTION_SCORES
             ? operation->outputs[FED__ATTENTION_SCORES].data
             : NULL;
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

static void TYPED(hide)(REAL *row, int64_t from, int64_t to) {
  for (int64_t j = from > 0 ? from : 0; j < to; j++) row[j] = -INFINITY;
}

/* Keys out of reach: beyond those used, or too far from the query's place among them. */
static void TYPED(hide_far)(const struct TYPED(head) * at, int64_t query, REAL *row) {
  const struct fed__attention *layer = at->layer;
  int64_t place = query + layer->past;
  if (!fed__operand_absent(at->operation, FED__ATTENTION_USED_KEYS)) {
    int64_t used =
        ((const int64_t *)at->operation->inputs[FED__ATTENTION_USED_KEYS].data)[at->example];
    used = used < 0 ? 0 : used > layer->keys ? layer->keys : used;
    TYPED(hide)(row, used, layer->keys);
    place = query + used - layer->queries;
  }
  if (layer->before >= 0) {
    const int64_t first = place - layer->before;
    TYPED(hide)(row, 0, first < layer->keys ? first : layer->keys);
  }
  if (layer->after >= 0) TYPED(hide)(row, place + layer->after + 1, layer->keys);
}

static void TYPED(mask_row)(const struct TYPED(head) * at, int64_t query, REAL *row) {
  const struct fed__attention *layer = at->layer;
  const int64_t *step = layer->mask_step;
  const int64_t from = at->example * step[0] + at->head * step[1] + query * step[2];
  if (!fed__operand_absent(at->operation, FED__ATTENTION_MASK)) {
    const struct fed__operand *mask = &at->operation->inputs[FED__ATTENTION_MASK];
    const REAL *numbers = mask->data;
    const uint8_t *truths = mask->data;
    for (int64_t j = 0; j < layer->mask_keys; j++)
      if (mask->dtype != FED_BOOL)
        row[j] += numbers[from + j * step[3]];
      else if (!truths[from + j * step[3]])
        row[j] = -INFINITY;
    TYPED(hide)(row, layer->mask_keys, layer->keys);
  }
  TYPED(hide_far)(at, query, row);
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
  const struct fed__attention *layer = at->layer;
  const int64_t keys = layer->keys;
  for (int64_t i = 0; i < layer->queries; i++) {
    REAL *row = at->weights + i * keys;
    TYPED(show_scores)(at, i, FED__ATTENTION_BEFORE_CAP);
    if (at->capped) {
      TYPED(cap_row)((REAL)layer->cap, keys, row);
      memcpy(at->capped + i * keys, row, (size_t)keys * sizeof *row);
    }
    TYPED(show_scores)(at, i, FED__ATTENTION_BEFORE_MASK);
    TYPED(mask_row)(at, i, row);
    TYPED(show_scores)(at, i, FED__ATTENTION_BEFORE_SOFTMAX);
    TYPED(softmax_row)(keys, row);
    TYPED(show_scores)(at, i, FED__ATTENTION_AFTER_SOFTMAX);
  }
}

static void TYPED(attend)(const struct TYPED(head) * at) {
  const struct fed__attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const REAL *q = operation->inputs[FED__ATTENTION_QUERY].data;
  struct fed_gemm product = {.transpose_b = 1,
                             .m = layer->queries,
                             .n = layer->keys,
                             .k = layer->width,
                             .lda = at->q.stride,
                             .ldb = at->k.stride,
                             .ldc = layer->keys,
                             .alpha = layer->scale};
  operation->kernels->gemm(&product, q + at->q.base, at->keys + at->k.base, at->weights);
  TYPED(weigh)(at);
  if (!operation->outputs[FED__ATTENTION_Y].data) return;
  product = (struct fed_gemm){.m = layer->queries, .n = layer->value_width, .k = layer->keys};
  product.lda = layer->keys, product.ldb = at->v.stride, product.ldc = at->y.stride;
  product.alpha = 1;
  operation->kernels->gemm(&product, at->weights, at->values + at->v.base,
                           (REAL *)operation->outputs[FED__ATTENTION_Y].data + at->y.base);
}

/* Keys or values: copy between the joined array and what is in it, or back, where that is wanted.
 */
static void TYPED(copy_joined)(const struct fed__attention *layer, int64_t width, REAL *joined,
                               REAL *past, REAL *now, int back) {
  const int64_t count = layer->batch * layer->key_heads * layer->keys;
  const int64_t recent = layer->keys - layer->past;
  for (int64_t i = 0; i < count; i++) {
    const int64_t group = i / layer->keys, place = i % layer->keys;
    const struct part part = part_of(layer, layer->key_heads, recent, width,
                                     group / layer->key_heads, group % layer->key_heads);
    REAL *row = past ? past + (group * layer->past + place) * width : NULL;
    if (place >= layer->past)
      row = now ? now + part.base + (place - layer->past) * part.stride : NULL;
    if (row && back) memcpy(row, joined + i * width, (size_t)width * sizeof *row);
    if (row && !back) memcpy(joined + i * width, row, (size_t)width * sizeof *row);
  }
}

static void TYPED(join)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const int64_t widths[] = {layer->width, layer->value_width};
  REAL *joined = TYPED(joined_saved)(operation);
  for (uint32_t i = 0; i < 2; i++) {
    REAL *past = layer->past ? inputs[FED__ATTENTION_PAST_KEY + i].data : NULL;
    const uint32_t slot = FED__ATTENTION_PRESENT_KEY + i;
    REAL *present = operation->output_count > slot ? operation->outputs[slot].data : NULL;
    const int64_t count = fed__attention_joined(layer, widths[i]);
    TYPED(copy_joined)(layer, widths[i], joined, past, inputs[FED__ATTENTION_KEY + i].data, 0);
    if (present) memcpy(present, joined, (size_t)count * sizeof *joined);
    joined += count;
  }
}

static void TYPED(attention_forward)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  if (layer->joins) TYPED(join)(operation);
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
  const REAL *shown = operation->output_count > FED__ATTENTION_SCORES
                          ? operation->outputs[FED__ATTENTION_SCORES].gradient
                          : NULL;
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
  REAL *gradient = fed__operand_absent(at->operation, FED__ATTENTION_MASK)
                       ? NULL
                       : at->operation->inputs[FED__ATTENTION_MASK].gradient;
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
  const struct fed__attention *layer = at->layer;
  const int64_t keys = layer->keys;
  for (int64_t i = 0; i < layer->queries; i++) {
    REAL *row = gradient + i * keys;
    TYPED(add_shown)(at, i, FED__ATTENTION_AFTER_SOFTMAX, row);
    TYPED(softmax_back)(keys, at->weights + i * keys, row);
    TYPED(add_shown)(at, i, FED__ATTENTION_BEFORE_SOFTMAX, row);
    TYPED(mask_back)(at, i, row);
    TYPED(add_shown)(at, i, FED__ATTENTION_BEFORE_MASK, row);
    if (at->capped) TYPED(cap_back)((REAL)layer->cap, keys, at->capped + i * keys, row);
    TYPED(add_shown)(at, i, FED__ATTENTION_BEFORE_CAP, row);
  }
}

/* The weights' gradient, dy * v', and that of v, weights' * dy. */
static void TYPED(values_back)(const struct TYPED(head) * at, REAL *gradient, REAL *dv) {
  const struct fed__attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const REAL *dy = operation->outputs[FED__ATTENTION_Y].gradient;
  if (!dy) {
    memset(gradient, 0, (size_t)(layer->queries * layer->keys) * sizeof *gradient);
    return;
  }
  struct fed_gemm product = {.transpose_b = 1, .m = layer->queries, .n = layer->keys};
  product.k = layer->value_width, product.lda = at->y.stride, product.ldb = at->v.stride;
  product.ldc = layer->keys, product.alpha = 1;
  operation->kernels->gemm(&product, dy + at->y.base, at->values + at->v.base, gradient);
  if (!dv) return;
  product = (struct fed_gemm){.transpose_a = 1, .m = layer->keys, .n = layer->value_width};
  product.k = layer->queries, product.lda = layer->keys, product.ldb = at->y.stride;
  product.ldc = at->v.stride, product.alpha = 1, product.beta = !at->first;
  operation->kernels->gemm(&product, at->weights, dy + at->y.base, dv + at->v.base);
}

static void TYPED(scores_back)(const struct TYPED(head) * at, const REAL *gradient, REAL *dk) {
  const struct fed__attention *layer = at->layer;
  const struct fed__operation *operation = at->operation;
  const struct fed__operand *q = &operation->inputs[FED__ATTENTION_QUERY];
  struct fed_gemm product = {.m = layer->queries, .n = layer->width, .k = layer->keys};
  product.lda = layer->keys, product.ldb = at->k.stride, product.ldc = at->q.stride;
  product.alpha = layer->scale;
  if (q->gradient)
    operation->kernels->gemm(&product, gradient, at->keys + at->k.base,
                             (REAL *)q->gradient + at->q.base);
  product.transpose_a = 1, product.m = layer->keys, product.k = layer->queries;
  product.ldb = at->q.stride, product.ldc = at->k.stride, product.beta = !at->first;
  if (dk)
    operation->kernels->gemm(&product, gradient, (const REAL *)q->data + at->q.base,
                             dk + at->k.base);
}

static void TYPED(clear_gradient)(const struct fed__operation *operation, uint32_t slot) {
  if (fed__operand_absent(operation, slot) || !operation->inputs[slot].gradient) return;
  memset(operation->inputs[slot].gradient, 0, operation->inputs[slot].elements * sizeof(REAL));
}

/* The joined gradients, with those of the outputs of present keys and values, to the inputs. */
static void TYPED(take_apart)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  const int64_t widths[] = {layer->width, layer->value_width};
  REAL *joined = TYPED(joined_scratch)(operation);
  for (uint32_t i = 0; i < 2; i++) {
    REAL *past = layer->past ? operation->inputs[FED__ATTENTION_PAST_KEY + i].gradient : NULL;
    const uint32_t slot = FED__ATTENTION_PRESENT_KEY + i;
    const REAL *present = operation->output_count > slot ? operation->outputs[slot].gradient : NULL;
    const int64_t count = fed__attention_joined(layer, widths[i]);
    for (int64_t j = 0; present && j < count; j++) joined[j] += present[j];
    TYPED(copy_joined)
    (layer, widths[i], joined, past, operation->inputs[FED__ATTENTION_KEY + i].gradient, 1);
    joined += count;
  }
}

static void TYPED(attention_backward)(const struct fed__operation *operation) {
  const struct fed__attention *layer = operation->state;
  REAL *gradient = operation->scratch;
  REAL *dk = operation->inputs[FED__ATTENTION_KEY].gradient,
       *dv = operation->inputs[FED__ATTENTION_VALUE].gradient;
  if (!operation->outputs[FED__ATTENTION_Y].gradient)
    TYPED(clear_gradient)(operation, FED__ATTENTION_VALUE);
  TYPED(clear_gradient)(operation, FED__ATTENTION_MASK);
  if (layer->joins) {
    const int64_t keys = fed__attention_joined(layer, layer->width);
    dk = TYPED(joined_scratch)(operation);
    dv = dk + keys;
    memset(dk, 0, (size_t)(keys + fed__attention_joined(layer, layer->value_width)) * sizeof *dk);
  }
  for (int64_t i = 0; i < layer->batch; i++)
    for (int64_t j = 0; j < layer->heads; j++) {
      const struct TYPED(head) at = TYPED(head_at)(operation, i, j);
      TYPED(values_back)(&at, gradient, dv);
      TYPED(weigh_back)(&at, gradient);
      TYPED(scores_back)(&at, gradient, dk);
    }
  if (layer->joins) TYPED(take_apart)(operation);
}

#endif
