/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_image.c: the recipes for images: cnn, lenet, resnet8, resnet18, mobilenet-small and
 * autoencoder. Normalisation is by groups, which, unlike by batches, does not mix examples and has
 * no statistics that differ from client to client (Hsieh et al. 2020,
 * https://arxiv.org/abs/1910.00189).
 */
#include "base/raise.h"
#include "train/recipes/recipe_build.h"
#include "train/recipes/recipe_layers.h"

#include <inttypes.h>

static int begin_image(struct fed__recipe_graph *graph, const struct fed_recipe_options *options,
                       int64_t size_min) {
  FED_TRY(fed__recipe_check_image(options, size_min));
  return fed__recipe_input(graph, "x", FED_F32, &options->input);
}

/* ---- cnn, lenet ---- */

/* All but the last of the sizes are channels. */
int fed__recipe_build_cnn(struct fed__recipe_graph *graph,
                          const struct fed_recipe_options *options) {
  const size_t convolutions = options->hidden_count - 1;
  FED_TRY(begin_image(graph, options, (int64_t)1 << convolutions));
  for (size_t i = 0; i < convolutions; i++) {
    const struct fed__recipe_window window = {options->hidden[i], 5};
    FED_TRY(fed__recipe_conv(graph, "conv#", window));
    FED_TRY(fed__recipe_relu(graph));
    FED_TRY(fed__recipe_pool(graph, "MaxPool"));
  }
  FED_TRY(fed__recipe_flatten(graph));
  FED_TRY(fed__recipe_dense(graph, "fc#", options->hidden[convolutions]));
  FED_TRY(fed__recipe_relu(graph));
  return fed__recipe_dense(graph, "fc#", options->classes);
}

static int tanh_pool(struct fed__recipe_graph *graph, struct fed__recipe_window window) {
  FED_TRY(fed__recipe_conv(graph, "conv#", window));
  FED_TRY(fed__recipe_activation(graph, "Tanh"));
  return fed__recipe_pool(graph, "AveragePool");
}

/* LeCun et al. 1998, with dense connections in place of the table of C3 and radial units. */
int fed__recipe_build_lenet(struct fed__recipe_graph *graph,
                            const struct fed_recipe_options *options) {
  const uint32_t *sizes = options->hidden;
  FED_TRY(begin_image(graph, options, 12));
  FED_TRY(tanh_pool(graph, (struct fed__recipe_window){sizes[0], 5}));
  FED_TRY(tanh_pool(graph, (struct fed__recipe_window){sizes[1], 5, .without_padding = 1}));
  FED_TRY(fed__recipe_flatten(graph));
  for (size_t i = 2; i < 4; i++) {
    FED_TRY(fed__recipe_dense(graph, "fc#", sizes[i]));
    FED_TRY(fed__recipe_activation(graph, "Tanh"));
  }
  return fed__recipe_dense(graph, "fc#", options->classes);
}

/* ---- residual networks (He et al. 2016) ---- */

static int conv_norm(struct fed__recipe_graph *graph, const char *conv, const char *norm,
                     struct fed__recipe_window window, int64_t groups) {
  window.without_bias = 1;
  FED_TRY(fed__recipe_conv(graph, conv, window));
  return fed__recipe_group_norm(graph, norm, groups);
}

/* Two convolutions 3 × 3 beside a shortcut, which is a convolution 1 × 1 if the shape changes. */
static int residual_block(struct fed__recipe_graph *graph, int64_t channels, int64_t stride,
                          int64_t groups) {
  const struct fed__recipe_value input = fed__recipe_end(graph);
  const struct fed__recipe_window first = {channels, 3, .stride = stride}, second = {channels, 3},
                                  shortcut = {channels, 1, .stride = stride};
  FED_TRY(conv_norm(graph, "conv1", "norm1", first, groups));
  FED_TRY(fed__recipe_relu(graph));
  FED_TRY(conv_norm(graph, "conv2", "norm2", second, groups));
  const struct fed__recipe_value inner = fed__recipe_end(graph);
  fed__recipe_go(graph, input);
  if (stride > 1 || input.shape.dims[0] != channels)
    FED_TRY(conv_norm(graph, "shortcut.conv", "shortcut.norm", shortcut, groups));
  FED_TRY(fed__recipe_add(graph, inner));
  return fed__recipe_relu(graph);
}

/* From the second stage on a stage halves the image and doubles the channels. */
static int build_resnet(struct fed__recipe_graph *graph, const struct fed_recipe_options *options,
                        uint32_t stages, uint32_t blocks) {
  const int64_t channels = options->hidden[0], groups = options->hidden[1];
  FED_TRY(begin_image(graph, options, 1));
  FED_TRY(conv_norm(graph, "conv1", "norm1", (struct fed__recipe_window){channels, 3}, groups));
  FED_TRY(fed__recipe_relu(graph));
  for (uint32_t s = 0; s < stages; s++)
    for (uint32_t b = 0; b < blocks; b++) {
      fed__recipe_scope(graph, "layer%" PRIu32 ".%" PRIu32 ".", s + 1, b);
      FED_TRY(residual_block(graph, channels << s, s > 0 && b == 0 ? 2 : 1, groups));
    }
  fed__recipe_scope(graph, "%s", "");
  FED_TRY(fed__recipe_global_pool(graph));
  FED_TRY(fed__recipe_flatten(graph));
  return fed__recipe_dense(graph, "fc", options->classes);
}

int fed__recipe_build_resnet8(struct fed__recipe_graph *graph,
                              const struct fed_recipe_options *options) {
  return build_resnet(graph, options, 3, 1);
}

int fed__recipe_build_resnet18(struct fed__recipe_graph *graph,
                               const struct fed_recipe_options *options) {
  return build_resnet(graph, options, 4, 2);
}

/* ---- MobileNetV3-Small (Howard et al. 2019, table 2) ---- */

struct inverted {
  int64_t kernel, expanded, channels;
  int squeezes;
  const char *activation;
  int64_t stride;
};

static const struct inverted inverted_blocks[] = {
    {3, 16, 16, 1, "Relu", 2},       {3, 72, 24, 0, "Relu", 2},
    {3, 88, 24, 0, "Relu", 1},       {5, 96, 40, 1, "HardSwish", 2},
    {5, 240, 40, 1, "HardSwish", 1}, {5, 240, 40, 1, "HardSwish", 1},
    {5, 120, 48, 1, "HardSwish", 1}, {5, 144, 48, 1, "HardSwish", 1},
    {5, 288, 96, 1, "HardSwish", 2}, {5, 576, 96, 1, "HardSwish", 1},
    {5, 576, 96, 1, "HardSwish", 1},
};

/* So many percent of the channels, a multiple of 8, not less than nine tenths of it. */
static int64_t thinned(int64_t channels, int64_t percent) {
  const int64_t exact = channels * percent, step = 800;
  int64_t rounded = (exact + step / 2) / step * 8;
  if (rounded < 8) rounded = 8;
  return rounded * 1000 < exact * 9 ? rounded + 8 : rounded;
}

/* Channels weighed by what the whole image has of each (Hu et al. 2018). */
static int squeeze(struct fed__recipe_graph *graph) {
  const struct fed__recipe_value input = fed__recipe_end(graph);
  const int64_t channels = input.shape.dims[0];
  const struct fed__recipe_window narrow = {thinned(channels, 25), 1}, wide = {channels, 1};
  FED_TRY(fed__recipe_global_pool(graph));
  FED_TRY(fed__recipe_conv(graph, "squeeze.fc1", narrow));
  FED_TRY(fed__recipe_relu(graph));
  FED_TRY(fed__recipe_conv(graph, "squeeze.fc2", wide));
  FED_TRY(fed__recipe_activation(graph, "HardSigmoid"));
  fed__recipe_set_float(graph, "alpha", 1.0f / 6);
  FED_TRY(fed__recipe_multiply(graph, input));
  fed__recipe_set_shape(graph, input.shape);
  return FED_OK;
}

/* Widen, filter each channel by itself, narrow again. */
static int inverted_block(struct fed__recipe_graph *graph, const struct inverted *block,
                          int64_t percent, int64_t groups) {
  const struct fed__recipe_value input = fed__recipe_end(graph);
  const int64_t expanded = thinned(block->expanded, percent);
  const int64_t channels = thinned(block->channels, percent);
  const struct fed__recipe_window expand = {expanded, 1}, project = {channels, 1};
  const struct fed__recipe_window depth = {expanded, block->kernel, .stride = block->stride,
                                           .groups = expanded};
  if (expanded != input.shape.dims[0]) {
    FED_TRY(conv_norm(graph, "expand.conv", "expand.norm", expand, groups));
    FED_TRY(fed__recipe_activation(graph, block->activation));
  }
  FED_TRY(conv_norm(graph, "depth.conv", "depth.norm", depth, groups));
  FED_TRY(fed__recipe_activation(graph, block->activation));
  if (block->squeezes) FED_TRY(squeeze(graph));
  FED_TRY(conv_norm(graph, "project.conv", "project.norm", project, groups));
  if (block->stride > 1 || channels != input.shape.dims[0]) return FED_OK;
  return fed__recipe_add(graph, input);
}

/* The first convolution has stride 1, as is usual for images of 32 × 32. */
int fed__recipe_build_mobilenet(struct fed__recipe_graph *graph,
                                const struct fed_recipe_options *options) {
  const int64_t percent = options->hidden[0], groups = options->hidden[1];
  const struct fed__recipe_window stem = {thinned(16, percent), 3},
                                  last = {thinned(576, percent), 1};
  FED_TRY(begin_image(graph, options, 1));
  FED_TRY(conv_norm(graph, "stem.conv", "stem.norm", stem, groups));
  FED_TRY(fed__recipe_activation(graph, "HardSwish"));
  for (size_t i = 0; i < sizeof inverted_blocks / sizeof *inverted_blocks; i++) {
    fed__recipe_scope(graph, "block%zu.", i + 1);
    FED_TRY(inverted_block(graph, &inverted_blocks[i], percent, groups));
  }
  fed__recipe_scope(graph, "%s", "");
  FED_TRY(conv_norm(graph, "last.conv", "last.norm", last, groups));
  FED_TRY(fed__recipe_activation(graph, "HardSwish"));
  FED_TRY(fed__recipe_global_pool(graph));
  FED_TRY(fed__recipe_flatten(graph));
  FED_TRY(fed__recipe_dense(graph, "fc#", thinned(1024, percent)));
  FED_TRY(fed__recipe_activation(graph, "HardSwish"));
  return fed__recipe_dense(graph, "fc#", options->classes);
}

/* ---- autoencoder ---- */

/* Of an input without dimensions of an image: dense layers, narrower and wider again. */
static int mirror_dense(struct fed__recipe_graph *graph, const struct fed_recipe_options *options) {
  const size_t count = options->hidden_count;
  FED_TRY(fed__recipe_input(graph, "x", FED_F32, &options->input));
  for (size_t i = 0; i < count; i++) {
    FED_TRY(fed__recipe_dense(graph, "encoder.fc#", options->hidden[i]));
    if (i + 1 < count) FED_TRY(fed__recipe_relu(graph));
  }
  for (size_t i = count - 1; i-- > 0;) {
    FED_TRY(fed__recipe_dense(graph, "decoder.fc#", options->hidden[i]));
    FED_TRY(fed__recipe_relu(graph));
  }
  return fed__recipe_dense(graph, "decoder.fc#", options->input.dims[0]);
}

/* Each convolution halves the image, each transposed one doubles it. */
static int mirror_image(struct fed__recipe_graph *graph, const struct fed_recipe_options *options) {
  const size_t halvings = options->hidden_count - 1;
  for (size_t i = 0; i < halvings; i++) {
    const struct fed__recipe_window window = {options->hidden[i], 4, .stride = 2};
    FED_TRY(fed__recipe_conv(graph, "encoder.conv#", window));
    FED_TRY(fed__recipe_relu(graph));
  }
  const struct fed_shape small = fed__recipe_end(graph).shape;
  FED_TRY(fed__recipe_flatten(graph));
  const int64_t elements = fed__recipe_end(graph).shape.dims[0];
  FED_TRY(fed__recipe_dense(graph, "encoder.fc", options->hidden[halvings]));
  FED_TRY(fed__recipe_dense(graph, "decoder.fc", elements));
  FED_TRY(fed__recipe_reshape(graph, small));
  for (size_t i = halvings; i-- > 0;) {
    FED_TRY(fed__recipe_relu(graph));
    FED_TRY(fed__recipe_conv_transpose(graph, "decoder.conv#",
                                       i ? options->hidden[i - 1] : options->input.dims[0]));
  }
  return FED_OK;
}

int fed__recipe_build_autoencoder(struct fed__recipe_graph *graph,
                                  const struct fed_recipe_options *options) {
  char text[128];
  const struct fed_shape *input = &options->input;
  if (input->rank == 1) return mirror_dense(graph, options);
  const int64_t factor = (int64_t)1 << (options->hidden_count - 1);
  FED_TRY(begin_image(graph, options, factor));
  if (input->dims[1] % factor || input->dims[2] % factor)
    return FED_RAISE(FED_E_SHAPE,
                     "the recipe autoencoder halves the image %zu times and so expects height and "
                     "width that %" PRId64 " divides, found the input shape %s",
                     options->hidden_count - 1, factor, fed_shape_format(input, text, sizeof text));
  return mirror_image(graph, options);
}
