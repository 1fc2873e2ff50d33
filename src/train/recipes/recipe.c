/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe.c: the built-in models, one row of a table each, for those who have no framework to
 * export one from.
 */
#include "base/raise.h"
#include "train/recipes/recipe_build.h"

#include <inttypes.h>
#include <stdio.h>

#define SIZES_MAX FED_RECIPE_SIZES_MAX
#define LAYERS_MAX 64

struct recipe {
  struct fed_recipe description;
  size_t sizes_min, sizes_max;
  size_t layers_at; /* the position, from 1, of a size that counts layers; 0: none does */
  int (*build)(struct fed__recipe_graph *graph, const struct fed_recipe_options *options);
};

static const struct recipe recipes[] = {
    {{"logistic regression: one layer from the input to the classes",
      "no hidden layers",
      {.recipe = "logreg", .input = {3, {1, 28, 28}}, .classes = 10}},
     0,
     0,
     0,
     fed__recipe_build_dense},
    {{"hidden layers with ReLU",
      "1 to 8 widths",
      {.recipe = "mlp",
       .input = {3, {1, 28, 28}},
       .classes = 10,
       .hidden = {128},
       .hidden_count = 1}},
     1,
     SIZES_MAX,
     0,
     fed__recipe_build_dense},
    {{"two hidden layers with ReLU (McMahan et al. 2017)",
      "2 widths",
      {.recipe = "2nn",
       .input = {3, {1, 28, 28}},
       .classes = 10,
       .hidden = {200, 200},
       .hidden_count = 2}},
     2,
     2,
     0,
     fed__recipe_build_dense},
    {{"5 × 5 convolutions with ReLU and 2 × 2 max pooling, then one hidden layer",
      "the channels of 1 to 7 convolutions and then a width",
      {.recipe = "cnn",
       .input = {3, {1, 28, 28}},
       .classes = 10,
       .hidden = {16, 32, 128},
       .hidden_count = 3}},
     2,
     SIZES_MAX,
     0,
     fed__recipe_build_cnn},
    {{"LeNet-5: two convolutions with tanh and average pooling, two hidden layers (LeCun et al. "
      "1998)",
      "the channels of 2 convolutions and then 2 widths",
      {.recipe = "lenet",
       .input = {3, {1, 28, 28}},
       .classes = 10,
       .hidden = {6, 16, 120, 84},
       .hidden_count = 4}},
     4,
     4,
     0,
     fed__recipe_build_lenet},
    {{"residual network of 8 layers for small images, group normalisation (He et al. 2016)",
      "the channels of the first stage and the number of groups",
      {.recipe = "resnet8",
       .input = {3, {3, 32, 32}},
       .classes = 10,
       .hidden = {16, 2},
       .hidden_count = 2}},
     2,
     2,
     0,
     fed__recipe_build_resnet8},
    {{"residual network of 18 layers for small images, group normalisation (He et al. 2016)",
      "the channels of the first stage and the number of groups",
      {.recipe = "resnet18",
       .input = {3, {3, 32, 32}},
       .classes = 10,
       .hidden = {64, 2},
       .hidden_count = 2}},
     2,
     2,
     0,
     fed__recipe_build_resnet18},
    {{"MobileNetV3-Small for small images, group normalisation (Howard et al. 2019)",
      "the percentage of the channels and the number of groups",
      {.recipe = "mobilenet-small",
       .input = {3, {3, 32, 32}},
       .classes = 10,
       .hidden = {100, 8},
       .hidden_count = 2}},
     2,
     2,
     0,
     fed__recipe_build_mobilenet},
    {{"the image (or row) through a narrow code back to itself: train with mean_squared_error",
      "image: the channels of each halving convolution; row: widths; then the code's width",
      {.recipe = "autoencoder",
       .input = {3, {1, 28, 28}},
       .hidden = {64, 32, 16},
       .hidden_count = 3}},
     1,
     SIZES_MAX,
     0,
     fed__recipe_build_autoencoder},
    {{"numbers and categories (each with a table of its own), then hidden layers with ReLU",
      "1 to 8 widths",
      {.recipe = "tabular",
       .input = {1, {8}},
       .classes = 2,
       .hidden = {64, 32},
       .hidden_count = 2,
       .categories = {10, 10},
       .category_count = 2}},
     1,
     SIZES_MAX,
     0,
     fed__recipe_build_tabular},
    {{"series of measurements, such as an accelerometer's: GRU, its last state to the classes",
      "width and layers",
      {.recipe = "gru-sensor",
       .input = {2, {128, 9}},
       .classes = 6,
       .hidden = {64, 1},
       .hidden_count = 2}},
     2,
     2,
     2,
     fed__recipe_build_gru},
    {{"the next character after each: table, LSTM (McMahan et al. 2017)",
      "the table's width, the LSTM's width and layers",
      {.recipe = "lstm-char",
       .input = {1, {80}},
       .classes = 90,
       .hidden = {8, 256, 2},
       .hidden_count = 3}},
     3,
     3,
     3,
     fed__recipe_build_lstm_char},
    {{"the next word after each: table, LSTM, a narrow layer (Reddi et al. 2021)",
      "the widths of the table, the LSTM and the narrow layer",
      {.recipe = "lstm-word",
       .input = {1, {20}},
       .classes = 10004,
       .hidden = {96, 670, 96},
       .hidden_count = 3}},
     3,
     3,
     0,
     fed__recipe_build_lstm_word},
    {{"the next token after each: causal transformer, normalisation first",
      "width, heads, layers and the width of each layer's inner part",
      {.recipe = "transformer-small",
       .input = {1, {64}},
       .classes = 90,
       .hidden = {128, 4, 2, 512},
       .hidden_count = 4}},
     4,
     4,
     3,
     fed__recipe_build_transformer},
};
#define RECIPE_COUNT (sizeof recipes / sizeof *recipes)

const struct fed_recipe *fed_recipe_at(size_t index) {
  return index < RECIPE_COUNT ? &recipes[index].description : NULL;
}

static int find_recipe(const char *name, const struct recipe **found) {
  char known[256] = "";
  for (size_t i = 0; i < RECIPE_COUNT; i++) {
    const char *own = recipes[i].description.own.recipe;
    if (name && strcmp(own, name) == 0) {
      *found = &recipes[i];
      return FED_OK;
    }
    const size_t length = strlen(known);
    snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "", own);
  }
  return FED_RAISE(FED_E_INPUT, "expected one of the recipes %s, found '%.64s'", known,
                   name ? name : "");
}

/* ---- options ---- */

static int check_sizes(const struct recipe *recipe, const struct fed_recipe_options *options) {
  const size_t count = options->hidden_count;
  if (count < recipe->sizes_min || count > recipe->sizes_max)
    return FED_RAISE(FED_E_RANGE, "the recipe %s expects %s in hidden, found %zu numbers",
                     options->recipe, recipe->description.sizes, count);
  for (size_t i = 0; i < count; i++)
    if (options->hidden[i] == 0)
      return FED_RAISE(FED_E_RANGE, "expected numbers from 1 in hidden, found 0 at position %zu",
                       i + 1);
  if (recipe->layers_at && options->hidden[recipe->layers_at - 1] > LAYERS_MAX)
    return FED_RAISE(FED_E_RANGE, "expected at most %d layers, found %" PRIu32, LAYERS_MAX,
                     options->hidden[recipe->layers_at - 1]);
  return FED_OK;
}

static int check_classes(const struct recipe *recipe, const struct fed_recipe_options *options) {
  if (recipe->description.own.classes == 0 && options->classes)
    return FED_RAISE(FED_E_RANGE, "the recipe %s has no classes, found %" PRIu32, options->recipe,
                     options->classes);
  if (recipe->description.own.classes && options->classes < 2)
    return FED_RAISE(FED_E_RANGE, "expected at least 2 classes, found %" PRIu32, options->classes);
  return FED_OK;
}

static int check_categories(const struct recipe *recipe, const struct fed_recipe_options *options) {
  const int own = recipe->description.own.category_count > 0;
  if (own && options->category_count == 0)
    return FED_RAISE(FED_E_MISSING,
                     "the recipe %s expects categories: how many values each such column has",
                     options->recipe);
  if (!own && options->category_count)
    return FED_RAISE(FED_E_RANGE, "the recipe %s has no categories, found %zu", options->recipe,
                     options->category_count);
  if (options->category_count > FED_RECIPE_CATEGORIES_MAX)
    return FED_RAISE(FED_E_RANGE, "expected at most %d categories, found %zu",
                     FED_RECIPE_CATEGORIES_MAX, options->category_count);
  return FED_OK;
}

/* The recipe's own in place of what is left out; its categories only with its own input. */
static int complete(const struct recipe *recipe, const struct fed_recipe_options *asked,
                    struct fed_recipe_options *options) {
  const struct fed_recipe_options *own = &recipe->description.own;
  *options = *asked;
  if (asked->input.rank == 0 && asked->category_count == 0) {
    options->category_count = own->category_count;
    memcpy(options->categories, own->categories, sizeof own->categories);
  }
  if (asked->input.rank == 0) options->input = own->input;
  if (asked->classes == 0) options->classes = own->classes;
  if (asked->hidden_count == 0) {
    options->hidden_count = own->hidden_count;
    memcpy(options->hidden, own->hidden, sizeof own->hidden);
  }
  FED_TRY(check_sizes(recipe, options));
  FED_TRY(check_classes(recipe, options));
  return check_categories(recipe, options);
}

int fed__recipe_check_input(const struct fed_recipe_options *options, uint32_t rank,
                            const char *meaning) {
  char text[128];
  if (options->input.rank == rank) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "the recipe %s expects %s, found the input shape %s",
                   options->recipe, meaning, fed_shape_format(&options->input, text, sizeof text));
}

int fed__recipe_check_image(const struct fed_recipe_options *options, int64_t size_min) {
  char text[128];
  FED_TRY(fed__recipe_check_input(options, 3, "an image [channels, height, width]"));
  if (options->input.dims[1] >= size_min && options->input.dims[2] >= size_min) return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "the recipe %s with these sizes expects height and width of at least %" PRId64
                   ", found the input shape %s",
                   options->recipe, size_min, fed_shape_format(&options->input, text, sizeof text));
}

/* ---- building ---- */

static int build(const struct fed_context *context, const struct fed_recipe_options *asked,
                 int measures, struct fed__recipe_graph **graph) {
  const struct recipe *recipe = NULL;
  struct fed_recipe_options options;
  FED_TRY(find_recipe(asked->recipe, &recipe));
  FED_TRY(complete(recipe, asked, &options));
  FED_TRY(fed__recipe_graph_new(context, options.seed, measures, graph));
  const int code = recipe->build(*graph, &options);
  if (code != FED_OK) fed__recipe_graph_free(*graph);
  return code;
}

int fed_recipe_write(const struct fed_context *context, const struct fed_recipe_options *options,
                     struct fed_buffer *onnx) {
  struct fed__recipe_graph *graph = NULL;
  FED_TRY(build(context, options, 0, &graph));
  const int code = fed__recipe_graph_write(graph, onnx);
  fed__recipe_graph_free(graph);
  return code;
}

int fed_recipe_measure(const struct fed_context *context, const struct fed_recipe_options *options,
                       struct fed_recipe_cost *cost) {
  struct fed__recipe_graph *graph = NULL;
  FED_TRY(build(context, options, 1, &graph));
  *cost = fed__recipe_graph_cost(graph);
  fed__recipe_graph_free(graph);
  return FED_OK;
}
