/* SPDX-License-Identifier: Apache-2.0
 *
 * op_rotary_embedding.c: RotaryEmbedding: pairs of numbers of a head are rotated by angles that
 * belong to their place in the sequence. Backward is the rotation the other way round. Linear in
 * the elements.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operator.h"

#include <math.h>

enum { TOKENS, COSINES, SINES, PLACES };

struct rotary {
  int64_t batch, heads, sequence, width;
  int64_t half; /* pairs that are rotated, the first ones; the rest stays */
  int64_t rows; /* of the caches */
  int64_t interleaved;
  int heads_inside; /* [batch, sequence, heads * width], not [batch, heads, sequence, width] */
  int by_places;    /* rows are looked up */
  int shared;       /* without places: one sequence of rows for the whole batch */
};

static int read_extents(const struct fed__node *node, const struct fed_shape *x,
                        struct rotary *rotary) {
  int64_t heads, rotated;
  char text[128];
  FED_TRY(fed__attribute_int(node, "num_heads", 0, &heads));
  FED_TRY(fed__attribute_int(node, "rotary_embedding_dim", 0, &rotated));
  FED_TRY(fed__attribute_int(node, "interleaved", 0, &rotary->interleaved));
  rotary->heads_inside = x->rank == 3;
  if ((x->rank != 3 && x->rank != 4) || (rotary->heads_inside && (heads < 1 || x->dims[2] % heads)))
    return FED_RAISE(FED_E_SHAPE,
                     "input X has shape %s and num_heads is %lld; expected [batch, heads, "
                     "sequence, width] or [batch, sequence, num_heads * width]",
                     fed_shape_format(x, text, sizeof text), (long long)heads);
  rotary->batch = x->dims[0];
  rotary->heads = rotary->heads_inside ? heads : x->dims[1];
  rotary->sequence = x->dims[rotary->heads_inside ? 1 : 2];
  rotary->width = rotary->heads_inside ? x->dims[2] / heads : x->dims[3];
  if (rotated == 0) rotated = rotary->width;
  if (rotated < 0 || rotated > rotary->width || rotated % 2)
    return FED_RAISE(FED_E_RANGE,
                     "%lld of %lld numbers of a head are to be rotated; expected an even number",
                     (long long)rotated, (long long)rotary->width);
  rotary->half = rotated / 2;
  return FED_OK;
}

static int read_caches(const struct fed_shape *cosines, const struct fed_shape *sines,
                       int by_places, struct rotary *rotary) {
  char text[128];
  const uint32_t rank = by_places ? 2 : 3;
  rotary->by_places = by_places;
  rotary->rows = cosines->dims[0];
  rotary->shared = !by_places && cosines->dims[0] == 1;
  if (cosines->rank != rank || !fed_shape_equal(cosines, sines) ||
      cosines->dims[rank - 1] != rotary->half ||
      (!by_places && (cosines->dims[1] != rotary->sequence ||
                      (cosines->dims[0] != 1 && cosines->dims[0] != rotary->batch))))
    return FED_RAISE(FED_E_SHAPE,
                     "the caches have shape %s; expected two alike, [%s, %lld], for %lld rotated "
                     "pairs",
                     fed_shape_format(cosines, text, sizeof text),
                     by_places ? "places" : "batch, sequence", (long long)rotary->half,
                     (long long)rotary->half);
  return FED_OK;
}

static int check_places(const struct fed__known *places, const struct rotary *rotary) {
  const int64_t *known = places->content;
  char text[128];
  if (places->dtype != FED_I64 || places->shape.rank != 2 ||
      places->shape.dims[0] != rotary->batch || places->shape.dims[1] != rotary->sequence)
    return FED_RAISE(FED_E_SHAPE, "position_ids has shape %s; expected integers [%lld, %lld]",
                     fed_shape_format(&places->shape, text, sizeof text), (long long)rotary->batch,
                     (long long)rotary->sequence);
  for (size_t i = 0; known && i < places->elements; i++)
    if (known[i] < 0 || known[i] >= rotary->rows)
      return FED_RAISE(FED_E_RANGE, "position_ids has %lld; the caches have %lld rows",
                       (long long)known[i], (long long)rotary->rows);
  return FED_OK;
}

static int infer_rotary(const struct fed__inference *inference) {
  const struct fed__known *inputs[PLACES + 1];
  struct rotary rotary;
  for (uint32_t i = TOKENS; i <= PLACES; i++) {
    inputs[i] = fed__infer_input(inference, i);
    if (i < PLACES) FED_TRY(fed__infer_real(inference, i));
  }
  FED_TRY(read_extents(inference->node, &inputs[TOKENS]->shape, &rotary));
  FED_TRY(
      read_caches(&inputs[COSINES]->shape, &inputs[SINES]->shape, inputs[PLACES] != NULL, &rotary));
  if (inputs[PLACES]) FED_TRY(check_places(inputs[PLACES], &rotary));
  return fed__infer_output(inference, 0, FED_F32, &inputs[TOKENS]->shape, NULL);
}

static int prepare_rotary(struct fed__operation *operation) {
  struct rotary *rotary = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  if (inputs[COSINES].wants_gradient || inputs[SINES].wants_gradient)
    return FED_RAISE(FED_E_UNSUPPORTED, "cos_cache and sin_cache cannot train");
  FED_TRY(read_extents(operation->node, &inputs[TOKENS].shape, rotary));
  return read_caches(&inputs[COSINES].shape, &inputs[SINES].shape,
                     !fed__operand_absent(operation, PLACES), rotary);
}

/* The row of the caches for a place; -1: there is none. */
static int64_t row_of(const struct fed__operation *operation, int64_t example, int64_t at) {
  const struct rotary *rotary = operation->state;
  if (!rotary->by_places) return (rotary->shared ? 0 : example) * rotary->sequence + at;
  const int64_t *places = operation->inputs[PLACES].data;
  const int64_t row = places[example * rotary->sequence + at];
  return row >= 0 && row < rotary->rows ? row : -1;
}

#define FED__TEMPLATE "train/operators/product/op_rotary_embedding.c"
#include "train/typed.h"

const struct fed__operator fed__op_rotary_embedding = {
    .type = "RotaryEmbedding",
    .opset_min = 23,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 4,
    .outputs_max = 1,
    .infer = infer_rotary,
    .state_size = sizeof(struct rotary),
    .prepare = prepare_rotary,
    .forward = FED__TYPED(rotary_forward),
    .backward = FED__TYPED(rotary_backward),
    .backward_inputs = 1 << COSINES | 1 << SINES | 1 << PLACES,
};

#else

/* One head of one token; `sign`: the direction. */
FED__WIDE static void TYPED(rotate)(const struct rotary *rotary, const REAL *cosines,
                                    const REAL *sines, REAL sign, const REAL *from, REAL *to) {
  const int64_t half = rotary->half, step = rotary->interleaved ? 2 : 1;
  const int64_t second = rotary->interleaved ? 1 : half;
  FED__EACH for (int64_t j = 0; j < half; j++) {
    const REAL x = from[j * step], y = from[j * step + second], sine = sign * sines[j];
    to[j * step] = cosines[j] * x - sine * y;
    to[j * step + second] = sine * x + cosines[j] * y;
  }
  memcpy(to + 2 * half, from + 2 * half, (size_t)(rotary->width - 2 * half) * sizeof *to);
}

static void TYPED(rotate_all)(const struct fed__operation *operation, REAL sign, const REAL *from,
                              REAL *to) {
  const struct rotary *rotary = operation->state;
  const REAL *cosines = operation->inputs[COSINES].data, *sines = operation->inputs[SINES].data;
  const int64_t inside = rotary->heads_inside;
  for (int64_t i = 0; i < rotary->batch; i++)
    for (int64_t s = 0; s < rotary->sequence; s++) {
      const int64_t row = row_of(operation, i, s);
      for (int64_t h = 0; h < rotary->heads; h++) {
        const int64_t at = (inside ? (i * rotary->sequence + s) * rotary->heads + h
                                   : (i * rotary->heads + h) * rotary->sequence + s) *
                           rotary->width;
        if (row >= 0) TYPED(rotate)
        (rotary, cosines + row * rotary->half, sines + row * rotary->half, sign, from + at,
         to + at);
        for (int64_t j = 0; row < 0 && j < rotary->width; j++) to[at + j] = NAN;
      }
    }
}

static void TYPED(rotary_forward)(const struct fed__operation *operation) {
  TYPED(rotate_all)(operation, 1, operation->inputs[TOKENS].data, operation->outputs[0].data);
}

static void TYPED(rotary_backward)(const struct fed__operation *operation) {
  TYPED(rotate_all)
  (operation, -1, operation->outputs[0].gradient, operation->inputs[TOKENS].gradient);
}

#endif
