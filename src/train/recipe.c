/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe.c: the built-in models, one row of a table each, for those who have no framework to
 * export one from.
 */
#include "base/raise.h"
#include "train/recipe_graph.h"

#include <inttypes.h>
#include <stdio.h>

#define HIDDEN_MAX (sizeof((struct fed_recipe_options *)0)->hidden / sizeof(uint32_t))

struct recipe {
  const char *name;
  uint32_t hidden[HIDDEN_MAX]; /* when none is asked for */
  size_t hidden_count, hidden_min, hidden_max;
  const char *hidden_meaning;
  /* Everything before the last layer, which has a width of `classes`. */
  int (*build)(struct fed__recipe_graph *graph, const uint32_t *hidden, size_t count);
};

static int build_dense(struct fed__recipe_graph *graph, const uint32_t *hidden, size_t count) {
  FED_TRY(fed__recipe_flatten(graph));
  for (size_t i = 0; i < count; i++) {
    FED_TRY(fed__recipe_dense(graph, hidden[i]));
    FED_TRY(fed__recipe_relu(graph));
  }
  return FED_OK;
}

static int check_image(const struct fed_shape *input, size_t pool_count) {
  char text[128];
  const int64_t size_min = (int64_t)1 << pool_count;
  fed_shape_format(input, text, sizeof text);
  if (input->rank != 3)
    return FED_RAISE(FED_E_SHAPE,
                     "the recipe cnn expects an image [channels, height, width], found the input "
                     "shape %s",
                     text);
  if (input->dims[1] < size_min || input->dims[2] < size_min)
    return FED_RAISE(FED_E_SHAPE,
                     "the recipe cnn halves the image %zu times and so expects height and width of "
                     "at least %" PRId64 ", found the input shape %s",
                     pool_count, size_min, text);
  return FED_OK;
}

/* All but the last of `hidden` are channels. */
static int build_conv(struct fed__recipe_graph *graph, const uint32_t *hidden, size_t count) {
  FED_TRY(check_image(fed__recipe_graph_shape(graph), count - 1));
  for (size_t i = 0; i + 1 < count; i++) {
    FED_TRY(fed__recipe_conv(graph, hidden[i], 5));
    FED_TRY(fed__recipe_relu(graph));
    FED_TRY(fed__recipe_max_pool(graph));
  }
  return build_dense(graph, hidden + count - 1, 1);
}

static const struct recipe recipes[] = {
    {"logreg", {0}, 0, 0, 0, "no hidden layers", build_dense},
    {"mlp", {128}, 1, 1, HIDDEN_MAX, "1 to 8 widths", build_dense},
    {"2nn", {200, 200}, 2, 2, 2, "2 widths", build_dense},
    {"cnn",
     {16, 32, 128},
     3,
     2,
     HIDDEN_MAX,
     "the channels of 1 to 7 convolutions and then a width",
     build_conv},
};
#define RECIPE_COUNT (sizeof recipes / sizeof *recipes)

static const char *const descriptions[] = {
    "logreg: logistic regression, one layer from the input to the classes",
    "mlp: hidden layers with ReLU, by default one of width 128",
    "2nn: two hidden layers of width 200 with ReLU (McMahan et al. 2017)",
    "cnn: 5 × 5 convolutions with ReLU and 2 × 2 max pooling (by default 16 and 32 channels), one "
    "hidden layer (128)",
    NULL,
};

const char *const *fed_recipe_list(void) { return descriptions; }

static int find_recipe(const char *name, const struct recipe **found) {
  char known[64] = "";
  for (size_t i = 0; i < RECIPE_COUNT; i++) {
    if (name && strcmp(recipes[i].name, name) == 0) {
      *found = &recipes[i];
      return FED_OK;
    }
    const size_t length = strlen(known);
    snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "", recipes[i].name);
  }
  return FED_RAISE(FED_E_INPUT, "expected one of the recipes %s, found '%.64s'", known,
                   name ? name : "");
}

static int check_hidden(const struct recipe *recipe, const uint32_t *hidden, size_t count) {
  if (count < recipe->hidden_min || count > recipe->hidden_max)
    return FED_RAISE(FED_E_RANGE, "the recipe %s expects %s in hidden, found %zu numbers",
                     recipe->name, recipe->hidden_meaning, count);
  for (size_t i = 0; i < count; i++)
    if (hidden[i] == 0)
      return FED_RAISE(FED_E_RANGE, "expected numbers from 1 in hidden, found 0 at position %zu",
                       i + 1);
  return FED_OK;
}

static int build(const struct recipe *recipe, const struct fed_recipe_options *options,
                 struct fed__recipe_graph *graph, struct fed_buffer *onnx) {
  const int own = options->hidden_count == 0;
  FED_TRY(recipe->build(graph, own ? recipe->hidden : options->hidden,
                        own ? recipe->hidden_count : options->hidden_count));
  FED_TRY(fed__recipe_dense(graph, options->classes));
  return fed__recipe_graph_write(graph, onnx);
}

int fed_recipe_write(const struct fed_context *context, const struct fed_recipe_options *options,
                     struct fed_buffer *onnx) {
  const struct recipe *recipe = NULL;
  struct fed__recipe_graph *graph = NULL;
  FED_TRY(find_recipe(options->recipe, &recipe));
  if (options->hidden_count > 0)
    FED_TRY(check_hidden(recipe, options->hidden, options->hidden_count));
  if (options->classes < 2)
    return FED_RAISE(FED_E_RANGE, "expected at least 2 classes, found %" PRIu32, options->classes);
  FED_TRY(fed__recipe_graph_new(context, options, &graph));
  const int code = build(recipe, options, graph, onnx);
  fed__recipe_graph_free(graph);
  return code;
}
