/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_sequence.c: the recipes for text (lstm-char, lstm-word, transformer-small) and for series
 * of measurements (gru-sensor). Models of text tell the next token after each token: logits
 * [tokens, length], as the losses expect them.
 */
#include "base/raise.h"
#include "train/recipes/recipe_build.h"
#include "train/recipes/recipe_layers.h"

#include <inttypes.h>

static int begin_tokens(struct fed__recipe_graph *graph, const struct fed_recipe_options *options,
                        int64_t width) {
  FED_TRY(fed__recipe_check_input(options, 1, "the number of tokens [length]"));
  FED_TRY(fed__recipe_input(graph, "x", FED_I64, &options->input));
  return fed__recipe_embedding(graph, "embedding", options->classes, width);
}

static int finish_tokens(struct fed__recipe_graph *graph,
                         const struct fed_recipe_options *options) {
  static const int64_t classes_second[] = {0, 2, 1};
  FED_TRY(fed__recipe_dense(graph, "head", options->classes));
  return fed__recipe_transpose(graph, classes_second);
}

/* McMahan et al. 2017 (Shakespeare). */
int fed__recipe_build_lstm_char(struct fed__recipe_graph *graph,
                                const struct fed_recipe_options *options) {
  const uint32_t *sizes = options->hidden;
  const struct fed__recipe_recurrence lstm = {"LSTM", .width = sizes[1], .layers = sizes[2]};
  FED_TRY(begin_tokens(graph, options, sizes[0]));
  FED_TRY(fed__recipe_recurrent(graph, lstm));
  return finish_tokens(graph, options);
}

/* Reddi et al. 2021 (Stack Overflow): a narrow layer before the many words. */
int fed__recipe_build_lstm_word(struct fed__recipe_graph *graph,
                                const struct fed_recipe_options *options) {
  const uint32_t *sizes = options->hidden;
  const struct fed__recipe_recurrence lstm = {"LSTM", .width = sizes[1], .layers = 1};
  FED_TRY(begin_tokens(graph, options, sizes[0]));
  FED_TRY(fed__recipe_recurrent(graph, lstm));
  FED_TRY(fed__recipe_dense(graph, "narrow", sizes[2]));
  return finish_tokens(graph, options);
}

int fed__recipe_build_gru(struct fed__recipe_graph *graph,
                          const struct fed_recipe_options *options) {
  const uint32_t *sizes = options->hidden;
  const struct fed__recipe_recurrence gru = {"GRU", .width = sizes[0], .layers = sizes[1],
                                             .only_last = 1};
  FED_TRY(fed__recipe_check_input(options, 2, "a series [length, channels]"));
  FED_TRY(fed__recipe_input(graph, "x", FED_F32, &options->input));
  FED_TRY(fed__recipe_recurrent(graph, gru));
  return fed__recipe_dense(graph, "head", options->classes);
}

/* ---- transformer ---- */

/* The place in the text, a learned row for each. */
static int add_positions(struct fed__recipe_graph *graph) {
  const struct fed__recipe_value end = fed__recipe_end(graph);
  const struct fed__recipe_law law = {.normal = 1};
  FED_TRY(fed__recipe_begin(graph, "Add", "position"));
  FED_TRY(fed__recipe_take(graph, end.name));
  return fed__recipe_parameter(graph, "weight", end.shape, law);
}

/* Normalisation first, as in Xiong et al. 2020, https://arxiv.org/abs/2002.04745. */
static int transformer_block(struct fed__recipe_graph *graph,
                             struct fed__recipe_attention *attention, int64_t width,
                             int64_t inner) {
  const struct fed__recipe_value input = fed__recipe_end(graph);
  FED_TRY(fed__recipe_layer_norm(graph, "norm1"));
  FED_TRY(fed__recipe_attend(graph, attention));
  FED_TRY(fed__recipe_add(graph, input));
  const struct fed__recipe_value middle = fed__recipe_end(graph);
  FED_TRY(fed__recipe_layer_norm(graph, "norm2"));
  FED_TRY(fed__recipe_dense(graph, "fc1", inner));
  fed__recipe_need_opset(graph, 20);
  FED_TRY(fed__recipe_activation(graph, "Gelu"));
  FED_TRY(fed__recipe_dense(graph, "fc2", width));
  return fed__recipe_add(graph, middle);
}

int fed__recipe_build_transformer(struct fed__recipe_graph *graph,
                                  const struct fed_recipe_options *options) {
  const uint32_t *sizes = options->hidden, width = sizes[0], layers = sizes[2];
  struct fed__recipe_attention attention = {.heads = sizes[1]};
  if (width % sizes[1])
    return FED_RAISE(FED_E_RANGE,
                     "expected heads that divide the width, found %" PRIu32
                     " heads and the width %" PRIu32,
                     sizes[1], width);
  FED_TRY(begin_tokens(graph, options, width));
  FED_TRY(add_positions(graph));
  for (uint32_t i = 0; i < layers; i++) {
    fed__recipe_scope(graph, "block%" PRIu32 ".", i + 1);
    FED_TRY(transformer_block(graph, &attention, width, sizes[3]));
  }
  fed__recipe_scope(graph, "%s", "");
  FED_TRY(fed__recipe_layer_norm(graph, "norm"));
  return finish_tokens(graph, options);
}
