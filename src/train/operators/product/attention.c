/* SPDX-License-Identifier: Apache-2.0
 *
 * attention.c: reads and checks an Attention node: heads inside of a row or in a dimension of their
 * own, keys of the past, masks that are broadcast or end early.
 */
#include "train/operators/product/attention.h"
#include "base/raise.h"

#include <math.h>

#define SCORES_MAX ((size_t)1 << 40)

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

static int read_attributes(const struct fed__node *node, struct fed__attention *layer) {
  int64_t is_causal;
  FED_TRY(fed__attribute_int(node, "is_causal", 0, &is_causal));
  FED_TRY(fed__attribute_int(node, "left_window_size", -1, &layer->before));
  FED_TRY(fed__attribute_int(node, "right_window_size", -1, &layer->after));
  if (is_causal) layer->after = 0;
  const int64_t farthest = 2 * (layer->queries + layer->keys);
  if (layer->before > farthest) layer->before = -1;
  if (layer->after > farthest) layer->after = -1;
  FED_TRY(fed__attribute_int(node, "qk_matmul_output_mode", 0, &layer->scores_when));
  FED_TRY(fed__attribute_float(node, "softcap", 0, &layer->cap));
  FED_TRY(fed__attribute_float(node, "scale", 1 / sqrt((double)layer->width), &layer->scale));
  if (layer->scores_when < FED__ATTENTION_BEFORE_CAP ||
      layer->scores_when > FED__ATTENTION_AFTER_SOFTMAX)
    return FED_RAISE(FED_E_RANGE, "attribute 'qk_matmul_output_mode' is %lld; expected 0 to 3",
                     (long long)layer->scores_when);
  if (!(layer->cap >= 0))
    return FED_RAISE(FED_E_RANGE, "attribute 'softcap' is %g; expected a positive number",
                     layer->cap);
  return FED_OK;
}

/* The past's keys or values, always [batch, heads, sequence, width]; else none. */
static int read_past(const struct fed_shape *past, const char *name, const int64_t *now,
                     int64_t *count) {
  char text[128];
  *count = 0;
  if (!past) return FED_OK;
  if (past->rank != 4 || past->dims[0] != now[0] || past->dims[1] != now[1] ||
      past->dims[3] != now[3])
    return FED_RAISE(FED_E_SHAPE, "%s has shape %s; expected [%lld, %lld, any, %lld]", name,
                     fed_shape_format(past, text, sizeof text), (long long)now[0],
                     (long long)now[1], (long long)now[3]);
  *count = past->dims[2];
  return FED_OK;
}

static int read_pasts(const struct fed_shape *const *shapes, const int64_t *keys,
                      const int64_t *values, struct fed__attention *layer) {
  int64_t past_values;
  FED_TRY(read_past(shapes[FED__ATTENTION_PAST_KEY], "past_key", keys, &layer->past));
  FED_TRY(read_past(shapes[FED__ATTENTION_PAST_VALUE], "past_value", values, &past_values));
  if (layer->past != past_values)
    return FED_RAISE(FED_E_SHAPE, "past_key has %lld places, past_value %lld",
                     (long long)layer->past, (long long)past_values);
  if (layer->past && shapes[FED__ATTENTION_USED_KEYS])
    return FED_RAISE(FED_E_SHAPE, "nonpad_kv_seqlen counts keys that past_key would shift");
  layer->keys += layer->past;
  return FED_OK;
}

static int wants_present(const struct fed__node *node) {
  int wants = 0;
  for (uint32_t i = FED__ATTENTION_PRESENT_KEY;
       i <= FED__ATTENTION_PRESENT_VALUE && i < node->output_count; i++)
    wants |= node->outputs[i] != FED__NONE;
  return wants;
}

/* `shapes` of the inputs in turn; NULL: left out. */
static int read_layer(const struct fed__node *node, const struct fed_shape *const *shapes,
                      struct fed__attention *layer) {
  int64_t q[4] = {0}, k[4] = {0}, v[4] = {0}, heads, key_heads;
  FED_TRY(fed__attribute_int(node, "q_num_heads", 0, &heads));
  FED_TRY(fed__attribute_int(node, "kv_num_heads", 0, &key_heads));
  FED_TRY(read_extents(shapes[FED__ATTENTION_QUERY], "q_num_heads", heads, q));
  FED_TRY(read_extents(shapes[FED__ATTENTION_KEY], "kv_num_heads", key_heads, k));
  FED_TRY(read_extents(shapes[FED__ATTENTION_VALUE], "kv_num_heads", key_heads, v));
  const uint32_t rank = shapes[FED__ATTENTION_QUERY]->rank;
  if (shapes[FED__ATTENTION_KEY]->rank != rank || shapes[FED__ATTENTION_VALUE]->rank != rank ||
      q[0] != k[0] || q[0] != v[0] || q[3] != k[3] || k[1] != v[1] || k[2] != v[2] || q[1] % k[1])
    return FED_RAISE(FED_E_SHAPE,
                     "batch, heads, sequence and width of queries (%lld, %lld, %lld, %lld), keys "
                     "(%lld, %lld, %lld, %lld) and values (%lld, %lld, %lld, %lld) do not fit",
                     (long long)q[0], (long long)q[1], (long long)q[2], (long long)q[3],
                     (long long)k[0], (long long)k[1], (long long)k[2], (long long)k[3],
                     (long long)v[0], (long long)v[1], (long long)v[2], (long long)v[3]);
  *layer = (struct fed__attention){.batch = q[0],
                                   .heads = q[1],
                                   .key_heads = k[1],
                                   .queries = q[2],
                                   .keys = k[2],
                                   .width = q[3],
                                   .value_width = v[3],
                                   .heads_inside = rank == 3};
  FED_TRY(read_pasts(shapes, k, v, layer));
  layer->mask_keys = layer->keys;
  layer->joins = layer->past > 0 || wants_present(node);
  return read_attributes(node, layer);
}

static struct fed_shape scores_shape(const struct fed__attention *layer) {
  return (struct fed_shape){4, {layer->batch, layer->heads, layer->queries, layer->keys}};
}

/* The mask's steps along the four dimensions of the scores. It may have fewer keys than there are.
 */
static int read_mask(const struct fed_shape *mask, struct fed__attention *layer) {
  const struct fed_shape scores = scores_shape(layer);
  char found[128], expected[128];
  int64_t step = 1;
  int fits = mask->rank <= 4;
  for (uint32_t i = 0; fits && i < mask->rank; i++) {
    const int64_t dim = mask->dims[mask->rank - 1 - i];
    layer->mask_step[3 - i] = dim == 1 ? 0 : step;
    if (i == 0) layer->mask_keys = dim == 1 ? layer->keys : dim;
    fits = dim == 1 || (i == 0 ? dim <= layer->keys : dim == scores.dims[3 - i]);
    step *= dim;
  }
  if (!fits)
    return FED_RAISE(FED_E_SHAPE, "attn_mask has shape %s, which cannot be broadcast to %s",
                     fed_shape_format(mask, found, sizeof found),
                     fed_shape_format(&scores, expected, sizeof expected));
  return FED_OK;
}

static int check_used_keys(const struct fed__known *used, const struct fed__attention *layer) {
  char text[128];
  if (used->dtype == FED_I64 && used->shape.rank == 1 && used->shape.dims[0] == layer->batch)
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "nonpad_kv_seqlen is %s %s; expected an int64 for each of %lld",
                   fed_dtype_name(used->dtype), fed_shape_format(&used->shape, text, sizeof text),
                   (long long)layer->batch);
}

int fed__attention_read(const struct fed__node *node, const struct fed_shape *const *shapes,
                        struct fed__attention *layer) {
  FED_TRY(read_layer(node, shapes, layer));
  if (shapes[FED__ATTENTION_MASK]) FED_TRY(read_mask(shapes[FED__ATTENTION_MASK], layer));
  size_t scores;
  const struct fed_shape all = scores_shape(layer);
  FED_TRY(fed_shape_elements(&all, &scores));
  if (scores > SCORES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%zu pairs of queries and keys are too many", scores);
  return FED_OK;
}

int fed__attention_infer(const struct fed__inference *inference, struct fed__attention *layer) {
  const struct fed_shape *shapes[FED__ATTENTION_USED_KEYS + 1];
  for (uint32_t i = FED__ATTENTION_QUERY; i <= FED__ATTENTION_USED_KEYS; i++) {
    const struct fed__known *input = fed__infer_input(inference, i);
    if (i != FED__ATTENTION_MASK && i != FED__ATTENTION_USED_KEYS)
      FED_TRY(fed__infer_real(inference, i));
    shapes[i] = input ? &input->shape : NULL;
  }
  if (!shapes[FED__ATTENTION_PAST_KEY] != !shapes[FED__ATTENTION_PAST_VALUE])
    return FED_RAISE(FED_E_MISSING, "past_key and past_value need each other");
  FED_TRY(fed__attention_read(inference->node, shapes, layer));
  const struct fed__known *mask = fed__infer_input(inference, FED__ATTENTION_MASK);
  if (mask && mask->dtype != FED_BOOL) FED_TRY(fed__infer_real(inference, FED__ATTENTION_MASK));
  const struct fed__known *used = fed__infer_input(inference, FED__ATTENTION_USED_KEYS);
  return used ? check_used_keys(used, layer) : FED_OK;
}

int64_t fed__attention_scores(const struct fed__attention *layer) {
  return layer->batch * layer->heads * layer->queries * layer->keys;
}

int64_t fed__attention_joined(const struct fed__attention *layer, int64_t width) {
  return layer->joins ? layer->batch * layer->key_heads * layer->keys * width : 0;
}
