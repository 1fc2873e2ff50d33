/* SPDX-License-Identifier: Apache-2.0
 *
 * op_dropout.c: Dropout: in training, where the node's training_mode is true, elements become zero
 * with probability `ratio` and the others are divided by 1 - ratio; else nothing happens. The mask
 * follows from the trainer's seed, the step's number and the operation's, and is drawn again in
 * backward (about half a nanosecond an element) rather than kept. The attribute seed is not
 * looked at.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/rng.h"
#include "base/wide.h"
#include "train/operators/elementwise/elementwise.h"

#define TILE 512

typedef unsigned char truth;

/* What is left to decide by the step, after ratio and training_mode: 1: it may be random. */
static int infer_mode(const struct fed__inference *inference, int *random) {
  const struct fed__known *mode = fed__infer_input(inference, 2);
  const float *ratio;
  size_t count = 0;
  *random = mode != NULL;
  if (fed__infer_input(inference, 1)) {
    FED_TRY(fed__infer_reals(inference, 1, &ratio, &count));
    if (count != 1 || !(ratio[0] >= 0 && ratio[0] < 1))
      return FED_RAISE(FED_E_RANGE, "input 1, the ratio, should be one number from 0 to below 1");
    if (ratio[0] == 0) *random = 0;
  }
  if (mode && (mode->dtype != FED_BOOL || mode->elements != 1 || !mode->content))
    return FED_RAISE(FED_E_UNSUPPORTED, "input 2, training_mode, should be a constant, one bool");
  if (mode && !*(const truth *)mode->content) *random = 0;
  return FED_OK;
}

/* A constant that nothing is dropped of stays one. */
static int infer_dropout(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  int random;
  truth *mask = NULL;
  if (inference->node->outputs[0] == FED__NONE)
    return FED_RAISE(FED_E_UNSUPPORTED, "only the mask is asked for, output 0 is left out");
  FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(infer_mode(inference, &random));
  const void *content = random ? NULL : input->content;
  if (content && inference->node->output_count > 1) {
    mask = fed__infer_content(inference, input->elements);
    if (!mask) return fed_error_last()->code;
    memset(mask, 1, input->elements);
  }
  FED_TRY(fed__infer_output(inference, 0, FED_F32, &input->shape, content));
  return fed__infer_output(inference, 1, FED_BOOL, &input->shape, mask);
}

/* Elements first to first + count - 1 of the mask; `first` is even. An element is dropped if its
 * 32 random bits are below `limit`. */
FED__WIDE static void draw_mask(uint64_t key, size_t first, size_t count, uint32_t limit,
                                truth *mask) {
  FED__EACH for (size_t i = 0; i + 1 < count; i += 2) {
    const uint64_t bits = fed__rng_at(key, (first + i) / 2);
    mask[i] = (uint32_t)bits >= limit;
    mask[i + 1] = (uint32_t)(bits >> 32) >= limit;
  }
  if (count % 2) mask[count - 1] = (uint32_t)fed__rng_at(key, (first + count - 1) / 2) >= limit;
}

static uint64_t find_key(const struct fed__operation *operation) {
  return fed__rng_key(operation->step->seed, "dropout", operation->step->number, operation->number);
}

static uint32_t find_limit(double ratio) {
  const double limit = ratio * 0x1p32;
  return limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
}

#define FED__TEMPLATE "train/operators/elementwise/op_dropout.c"
#include "train/typed.h"

const struct fed__operator fed__op_dropout = {
    .type = "Dropout",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 1,
    .inputs_max = 3,
    .outputs_max = 2,
    .infer = infer_dropout,
    .passes = 1,
    .varies = 1,
    .in_place = 1,
    .forward = FED__TYPED(dropout_forward),
    .backward = FED__TYPED(dropout_backward),
    .backward_inputs = 2 | 4,
};

#else

/* The probability in this step. */
static double TYPED(find_ratio)(const struct fed__operation *operation) {
  if (!operation->step->training || fed__operand_absent(operation, 2) ||
      !*(const truth *)operation->inputs[2].data)
    return 0;
  return fed__operand_absent(operation, 1) ? 0.5 : (double)*(const REAL *)operation->inputs[1].data;
}

/* `from` may be `to`. */
FED__WIDE static void TYPED(scale_kept)(const REAL *from, const truth *mask, REAL scale, REAL *to,
                                        size_t count) {
  FED__EACH for (size_t i = 0; i < count; i++) {
    const REAL scaled = from[i] * scale;
    to[i] = mask[i] ? scaled : 0;
  }
}

static void TYPED(drop)(const struct fed__operation *operation, double ratio, const REAL *from,
                        REAL *to, truth *mask) {
  const uint64_t key = find_key(operation);
  const uint32_t limit = find_limit(ratio);
  const REAL scale = (REAL)(1 / (1 - ratio));
  const size_t elements = operation->outputs[0].elements;
  truth tile[TILE];
  for (size_t first = 0; first < elements; first += TILE) {
    const size_t count = elements - first < TILE ? elements - first : TILE;
    draw_mask(key, first, count, limit, tile);
    if (mask) memcpy(mask + first, tile, count);
    TYPED(scale_kept)(from + first, tile, scale, to + first, count);
  }
}

static void TYPED(dropout_forward)(const struct fed__operation *operation) {
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const double ratio = TYPED(find_ratio)(operation);
  truth *mask = operation->output_count > 1 ? operation->outputs[1].data : NULL;
  if (ratio > 0) {
    TYPED(drop)(operation, ratio, input->data, output->data, mask);
    return;
  }
  if (output->data != input->data)
    memcpy(output->data, input->data, output->elements * sizeof(REAL));
  if (mask) memset(mask, 1, output->elements);
}

static void TYPED(dropout_backward)(const struct fed__operation *operation) {
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const double ratio = TYPED(find_ratio)(operation);
  if (!input->gradient) return;
  if (ratio > 0)
    TYPED(drop)(operation, ratio, output->gradient, input->gradient, NULL);
  else if (input->gradient != output->gradient)
    memcpy(input->gradient, output->gradient, output->elements * sizeof(REAL));
}

#endif
