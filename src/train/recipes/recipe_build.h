/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_build.h: what each recipe is made by. The options are complete and hold as many sizes as
 * the recipe takes; a builder checks what only it knows.
 */
#ifndef FED_TRAIN_RECIPE_BUILD_H
#define FED_TRAIN_RECIPE_BUILD_H

#include "train/recipes/recipe_graph.h"

FED_MUST int fed__recipe_build_dense(struct fed__recipe_graph *graph,
                                     const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_tabular(struct fed__recipe_graph *graph,
                                       const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_cnn(struct fed__recipe_graph *graph,
                                   const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_lenet(struct fed__recipe_graph *graph,
                                     const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_resnet8(struct fed__recipe_graph *graph,
                                       const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_resnet18(struct fed__recipe_graph *graph,
                                        const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_mobilenet(struct fed__recipe_graph *graph,
                                         const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_autoencoder(struct fed__recipe_graph *graph,
                                           const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_lstm_char(struct fed__recipe_graph *graph,
                                         const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_lstm_word(struct fed__recipe_graph *graph,
                                         const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_gru(struct fed__recipe_graph *graph,
                                   const struct fed_recipe_options *options);
FED_MUST int fed__recipe_build_transformer(struct fed__recipe_graph *graph,
                                           const struct fed_recipe_options *options);

/* FED_E_SHAPE, unless the input has `rank` dimensions (`meaning`: "an image [channels, height,
 * width]") and those of an image are at least `size_min`. */
FED_MUST int fed__recipe_check_input(const struct fed_recipe_options *options, uint32_t rank,
                                     const char *meaning);
FED_MUST int fed__recipe_check_image(const struct fed_recipe_options *options, int64_t size_min);

#endif
