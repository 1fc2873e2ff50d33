/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_table.c: the recipes logreg, mlp and 2nn for any input, and tabular for rows with
 * categories.
 */
#include "base/raise.h"
#include "train/recipes/recipe_build.h"
#include "train/recipes/recipe_layers.h"

#include <inttypes.h>
#include <stdio.h>

static int add_hidden(struct fed__recipe_graph *graph, const struct fed_recipe_options *options) {
  for (size_t i = 0; i < options->hidden_count; i++) {
    FED_TRY(fed__recipe_dense(graph, "fc#", options->hidden[i]));
    FED_TRY(fed__recipe_relu(graph));
  }
  return fed__recipe_dense(graph, "fc#", options->classes);
}

int fed__recipe_build_dense(struct fed__recipe_graph *graph,
                            const struct fed_recipe_options *options) {
  FED_TRY(fed__recipe_input(graph, "x", FED_F32, &options->input));
  FED_TRY(fed__recipe_flatten(graph));
  return add_hidden(graph, options);
}

/* ---- tabular ---- */

#define EMBEDDING_WIDTH_MAX 50

/* Half as wide as there are values, as fast.ai had it. */
static int64_t embedding_width(uint32_t values) {
  const int64_t half = ((int64_t)values + 1) / 2;
  return half < EMBEDDING_WIDTH_MAX ? half : EMBEDDING_WIDTH_MAX;
}

/* Column `i` of the categories through its table. */
static int embed_column(struct fed__recipe_graph *graph, struct fed__recipe_value categories,
                        int64_t i, uint32_t values) {
  char name[32];
  snprintf(name, sizeof name, "column%d", (int)i + 1);
  FED_TRY(fed__recipe_begin(graph, "Gather", name));
  FED_TRY(fed__recipe_take(graph, categories.name));
  FED_TRY(fed__recipe_integers(graph, "index", (struct fed_shape){0, {0}}, &i));
  fed__recipe_set_int(graph, "axis", 1);
  fed__recipe_set_shape(graph, (struct fed_shape){0, {0}});
  snprintf(name, sizeof name, "embedding%d", (int)i + 1);
  return fed__recipe_embedding(graph, name, values, embedding_width(values));
}

static int join(struct fed__recipe_graph *graph, const struct fed__recipe_value *parts,
                size_t count) {
  struct fed_shape shape = {1, {0}};
  FED_TRY(fed__recipe_begin(graph, "Concat", "concat"));
  for (size_t i = 0; i < count; i++) {
    FED_TRY(fed__recipe_take(graph, parts[i].name));
    shape.dims[0] += parts[i].shape.dims[0];
  }
  fed__recipe_set_int(graph, "axis", 1);
  fed__recipe_set_shape(graph, shape);
  return FED_OK;
}

static int check_categories(const struct fed_recipe_options *options) {
  for (size_t i = 0; i < options->category_count; i++)
    if (options->categories[i] == 0)
      return FED_RAISE(FED_E_RANGE,
                       "expected numbers from 1 in categories, found 0 at position %zu", i + 1);
  return FED_OK;
}

int fed__recipe_build_tabular(struct fed__recipe_graph *graph,
                              const struct fed_recipe_options *options) {
  const struct fed_shape columns = {1, {(int64_t)options->category_count}};
  struct fed__recipe_value parts[FED_RECIPE_CATEGORIES_MAX + 1], categories;
  FED_TRY(fed__recipe_check_input(options, 1, "a row of numbers [columns]"));
  FED_TRY(check_categories(options));
  FED_TRY(fed__recipe_input(graph, "x", FED_F32, &options->input));
  parts[0] = fed__recipe_end(graph);
  FED_TRY(fed__recipe_input(graph, "categories", FED_I64, &columns));
  categories = fed__recipe_end(graph);
  for (size_t i = 0; i < options->category_count; i++) {
    FED_TRY(embed_column(graph, categories, (int64_t)i, options->categories[i]));
    parts[i + 1] = fed__recipe_end(graph);
  }
  FED_TRY(join(graph, parts, options->category_count + 1));
  return add_hidden(graph, options);
}
