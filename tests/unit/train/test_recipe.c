/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recipe.c: the built-in models. Parameter counts come from closed forms and from where the
 * models were published, the distribution of the initial values from the uniform law, the bytes of
 * the oldest recipes from their first version (demonstrations and their figures depend on them).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fed/train.h"

#include "onnx.pb-c.h"

#include <math.h>
#include <stdlib.h>

static struct fed_context context;

static const struct fed_recipe_options fashion_cnn = {
    .recipe = "cnn", .input = {3, {1, 28, 28}}, .classes = 10, .seed = 7};
static const struct fed_recipe_options mnist_2nn = {
    .recipe = "2nn", .input = {3, {1, 28, 28}}, .classes = 10, .seed = 7};

static struct fed_buffer write_recipe(const struct fed_recipe_options *options) {
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, &context, 64 << 20);
  if (fed_recipe_write(&context, options, &onnx) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return onnx;
}

static Onnx__ModelProto *read_recipe(const struct fed_recipe_options *options) {
  struct fed_buffer onnx = write_recipe(options);
  Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, onnx.size, onnx.data);
  assert_non_null(model);
  fed_buffer_clear(&onnx);
  return model;
}

static void free_model(Onnx__ModelProto *model) { onnx__model_proto__free_unpacked(model, NULL); }

static size_t element_count(const Onnx__TensorProto *tensor) {
  size_t count = 1;
  for (size_t i = 0; i < tensor->n_dims; i++) count *= (size_t)tensor->dims[i];
  assert_int_equal(tensor->raw_data.len, count * sizeof(float));
  return count;
}

/* Is the name in the list that the file carries? */
static int is_trainable(const Onnx__ModelProto *model, const char *name) {
  const size_t length = strlen(name);
  const char *list = model->metadata_props[0]->value;
  for (const char *at = list; (at = strstr(at, name)); at += length)
    if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return 1;
  return 0;
}

static size_t parameter_count(const Onnx__ModelProto *model) {
  size_t count = 0;
  for (size_t i = 0; i < model->graph->n_initializer; i++)
    if (is_trainable(model, model->graph->initializer[i]->name))
      count += element_count(model->graph->initializer[i]);
  return count;
}

static void assert_parameter_count(const struct fed_recipe_options *options, size_t expected) {
  Onnx__ModelProto *model = read_recipe(options);
  assert_int_equal(parameter_count(model), expected);
  free_model(model);
}

static void parameter_counts_follow_closed_forms(void **state) {
  (void)state;
  assert_parameter_count(&mnist_2nn, 199210);
  assert_parameter_count(&fashion_cnn,
                         (25 + 1) * 16 + (16 * 25 + 1) * 32 + (1568 + 1) * 128 + (128 + 1) * 10);
  struct fed_recipe_options options = {.recipe = "logreg", .input = {1, {13}}, .classes = 3};
  assert_parameter_count(&options, (13 + 1) * 3);
  options = (struct fed_recipe_options){.recipe = "mlp", .input = {1, {13}}, .classes = 3};
  assert_parameter_count(&options, (13 + 1) * 128 + (128 + 1) * 3);
  options.hidden[0] = 64, options.hidden[1] = 32, options.hidden_count = 2;
  assert_parameter_count(&options, (13 + 1) * 64 + (64 + 1) * 32 + (32 + 1) * 3);
  /* An odd image: 9 × 7 → 4 × 3 */
  options = (struct fed_recipe_options){
      .recipe = "cnn", .input = {3, {3, 9, 7}}, .classes = 2, .hidden = {4, 6}, .hidden_count = 2};
  assert_parameter_count(&options, (3 * 25 + 1) * 4 + (4 * 4 * 3 + 1) * 6 + (6 + 1) * 2);
}

/* The longest recipes that the options allow. */
static void eight_hidden_numbers_fit(void **state) {
  (void)state;
  struct fed_recipe_options options = {.recipe = "mlp",
                                       .input = {1, {3}},
                                       .classes = 2,
                                       .hidden = {2, 2, 2, 2, 2, 2, 2, 2},
                                       .hidden_count = 8};
  assert_parameter_count(&options, 8 + 7 * 6 + 6);
  options.recipe = "cnn";
  options.input = (struct fed_shape){3, {1, 128, 128}};
  assert_parameter_count(&options, 26 * 2 + 6 * (51 * 2) + 3 * 2 + 3 * 2);
}

/* As their authors and PyTorch's users count them. */
static void parameter_counts_are_the_published_ones(void **state) {
  (void)state;
  static const struct {
    const char *recipe;
    size_t count;
  } published[] = {
      /* https://d2l.ai, LeNet for 28 × 28: 6·26 + 16·151 + 120·401 + 84·121 + 10·85 */
      {"lenet", 61706},
      /* github.com/kuangliu/pytorch-cifar ResNet18, with batch normalisation, which has as many */
      {"resnet18", 11173962},
      /* torchvision mobilenet_v3_small: 2,542,856 with 1000 classes; (1000 - 10) · 1025 fewer */
      {"mobilenet-small", 1528106},
      /* Reddi et al. 2021, table 5: 820,522 and 4,050,748 with one bias in an LSTM; PyTorch and
       * ONNX have two: 2 · 4 · 256 and 4 · 670 more */
      {"lstm-char", 820522 + 2048},
      {"lstm-word", 4050748 + 2680},
      /* torch.nn.GRU(9, 64) and Linear(64, 6) */
      {"gru-sensor", 3 * 64 * (9 + 64 + 2) + 65 * 6},
  };
  for (size_t i = 0; i < sizeof published / sizeof *published; i++)
    assert_parameter_count(&(struct fed_recipe_options){.recipe = published[i].recipe},
                           published[i].count);
}

static void residual_network_of_8_layers(void **state) {
  (void)state;
  const size_t convolutions =
      9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64;
  const size_t norms = 2 * (3 * 16 + 3 * 32 + 3 * 64);
  assert_parameter_count(&(struct fed_recipe_options){.recipe = "resnet8"},
                         convolutions + norms + 65 * 10);
}

static void transformer_counts_follow_the_closed_form(void **state) {
  (void)state;
  const struct fed_recipe_options options = {.recipe = "transformer-small",
                                             .input = {1, {12}},
                                             .classes = 20,
                                             .hidden = {16, 2, 3, 40},
                                             .hidden_count = 4};
  const size_t block = 4 * (16 + 1) * 16 + (16 + 1) * 40 + (40 + 1) * 16 + 2 * 2 * 16;
  assert_parameter_count(&options, (20 + 12) * 16 + 3 * block + 2 * 16 + (16 + 1) * 20);
}

/* Tables half as wide as they are long, at most 50. */
static void tabular_counts_follow_the_closed_form(void **state) {
  (void)state;
  const struct fed_recipe_options options = {.recipe = "tabular",
                                             .input = {1, {4}},
                                             .classes = 3,
                                             .hidden = {6},
                                             .hidden_count = 1,
                                             .categories = {3, 200, 1},
                                             .category_count = 3};
  const size_t tables = 3 * 2 + 200 * 50 + 1;
  assert_parameter_count(&options, tables + (4 + 2 + 50 + 1 + 1) * 6 + 7 * 3);
}

static void autoencoders_mirror_themselves(void **state) {
  (void)state;
  struct fed_recipe_options options = {
      .recipe = "autoencoder", .input = {3, {3, 8, 12}}, .hidden = {4, 5, 7}, .hidden_count = 3};
  const size_t image = (3 * 16 + 1) * 4 + (4 * 16 + 1) * 5 + (4 * 16 * 5 + 4) + (3 * 16 * 4 + 3);
  assert_parameter_count(&options, image + (5 * 2 * 3 + 1) * 7 + (7 + 1) * 30);
  options.input = (struct fed_shape){1, {13}};
  assert_parameter_count(&options, 14 * 4 + 5 * 5 + 6 * 7 + 8 * 5 + 6 * 4 + 5 * 13);
}

static void measuring_counts_what_writing_writes(void **state) {
  (void)state;
  const struct fed_recipe *recipe;
  for (size_t i = 0; (recipe = fed_recipe_at(i)); i++) {
    struct fed_recipe_cost cost;
    assert_int_equal(fed_recipe_measure(&context, &recipe->own, &cost), FED_OK);
    if (cost.parameters < 1000000) { /* the larger ones are counted above */
      Onnx__ModelProto *model = read_recipe(&recipe->own);
      assert_int_equal(cost.parameters, parameter_count(model));
      free_model(model);
    }
  }
}

static double multiply_adds(const struct fed_recipe_options *options) {
  struct fed_recipe_cost cost;
  assert_int_equal(fed_recipe_measure(&context, options, &cost), FED_OK);
  return cost.multiply_adds;
}

static void costs_follow_closed_forms(void **state) {
  (void)state;
  const double convolutions = 28 * 28 * 25 * 16 + 14 * 14 * 16 * 25 * 32;
  assert_true(multiply_adds(&fashion_cnn) == convolutions + 1568 * 128 + 1280);
  /* He et al. 2016 give 0.56 billion for 18 layers at 32 × 32 without the last 1 × 1 products. */
  assert_true(fabs(multiply_adds(&(struct fed_recipe_options){.recipe = "resnet18"}) - 0.5554e9) <
              1e6);
  const struct fed_recipe_options gru = {.recipe = "gru-sensor"};
  assert_true(multiply_adds(&gru) == 128.0 * 3 * 64 * (9 + 64) + 64 * 6);
  const struct fed_recipe_options transformer = {.recipe = "transformer-small",
                                                 .input = {1, {12}},
                                                 .classes = 20,
                                                 .hidden = {16, 2, 3, 40},
                                                 .hidden_count = 4};
  const double block = 12 * (4 * 16 * 16 + 2 * 16 * 40) + 2 * 12 * 12 * 16;
  assert_true(multiply_adds(&transformer) == 3 * block + 12 * 16 * 20);
}

static void assert_texts(char **found, size_t count, const char *expected) {
  char joined[512] = "";
  for (size_t i = 0; i < count; i++) {
    strncat(joined, found[i], sizeof joined - strlen(joined) - 1);
    strncat(joined, i + 1 < count ? " " : "", sizeof joined - strlen(joined) - 1);
  }
  assert_string_equal(joined, expected);
}

static const char *const cnn_nodes[][4] = {
    {"conv1", "Conv", "x conv1.weight conv1.bias", "conv1.out"},
    {"relu1", "Relu", "conv1.out", "relu1.out"},
    {"pool1", "MaxPool", "relu1.out", "pool1.out"},
    {"conv2", "Conv", "pool1.out conv2.weight conv2.bias", "conv2.out"},
    {"relu2", "Relu", "conv2.out", "relu2.out"},
    {"pool2", "MaxPool", "relu2.out", "pool2.out"},
    {"flatten1", "Flatten", "pool2.out", "flatten1.out"},
    {"fc1", "Gemm", "flatten1.out fc1.weight fc1.bias", "fc1.out"},
    {"relu3", "Relu", "fc1.out", "relu3.out"},
    {"fc2", "Gemm", "relu3.out fc2.weight fc2.bias", "logits"},
};

static void cnn_has_the_documented_layers(void **state) {
  (void)state;
  Onnx__ModelProto *model = read_recipe(&fashion_cnn);
  assert_int_equal(model->graph->n_node, 10);
  for (size_t i = 0; i < 10; i++) {
    const Onnx__NodeProto *node = model->graph->node[i];
    assert_string_equal(node->name, cnn_nodes[i][0]);
    assert_string_equal(node->op_type, cnn_nodes[i][1]);
    assert_texts(node->input, node->n_input, cnn_nodes[i][2]);
    assert_texts(node->output, node->n_output, cnn_nodes[i][3]);
  }
  const Onnx__TensorProto *weight = model->graph->initializer[2];
  assert_string_equal(weight->name, "conv2.weight");
  const int64_t dims[4] = {32, 16, 5, 5};
  assert_int_equal(weight->n_dims, 4);
  assert_memory_equal(weight->dims, dims, sizeof dims);
  free_model(model);
}

static void files_say_what_they_are(void **state) {
  (void)state;
  Onnx__ModelProto *model = read_recipe(&fashion_cnn);
  assert_int_equal(model->ir_version, 8);
  assert_int_equal(model->n_opset_import, 1);
  assert_int_equal(model->opset_import[0]->version, 17);
  assert_string_equal(model->producer_name, "fed");
  assert_int_equal(model->n_metadata_props, 1);
  assert_string_equal(model->metadata_props[0]->key, "fed.trainable");
  assert_string_equal(model->metadata_props[0]->value,
                      "conv1.weight,conv1.bias,conv2.weight,conv2.bias,"
                      "fc1.weight,fc1.bias,fc2.weight,fc2.bias");
  free_model(model);
}

static void assert_port(const Onnx__ValueInfoProto *port, const char *name, size_t rank,
                        const int64_t *dims) {
  const Onnx__TensorShapeProto *shape = port->type->tensor_type->shape;
  assert_string_equal(port->name, name);
  assert_int_equal(port->type->tensor_type->elem_type, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
  assert_int_equal(shape->n_dim, rank + 1);
  assert_string_equal(shape->dim[0]->dim_param, "batch");
  for (size_t i = 0; i < rank; i++) assert_int_equal(shape->dim[i + 1]->dim_value, dims[i]);
}

static void the_batch_dimension_is_free(void **state) {
  (void)state;
  Onnx__ModelProto *model = read_recipe(&fashion_cnn);
  assert_port(model->graph->input[0], "x", 3, (const int64_t[]){1, 28, 28});
  assert_port(model->graph->output[0], "logits", 1, (const int64_t[]){10});
  free_model(model);
}

/* Uniform in ±bound: the variance is bound² / 3, the mean's deviation bound / sqrt(3 n). */
static void assert_uniform(const Onnx__TensorProto *tensor, double bound) {
  const size_t count = element_count(tensor);
  double sum = 0, squares = 0, largest = 0;
  for (size_t i = 0; i < count; i++) {
    float value;
    memcpy(&value, tensor->raw_data.data + i * sizeof value, sizeof value);
    sum += (double)value;
    squares += (double)value * (double)value;
    largest = fmax(largest, fabs((double)value));
  }
  const double n = (double)count;
  assert_true(largest <= bound * (1 + 1e-7));
  assert_true(largest >= bound * (1 - 20 / n));
  assert_true(fabs(sum / n) <= 4 * bound / sqrt(3 * n));
  assert_true(fabs(squares / n / (bound * bound / 3) - 1) <= 4 * sqrt(0.8 / n));
}

static void initial_values_are_uniform(void **state) {
  (void)state;
  Onnx__ModelProto *model = read_recipe(&mnist_2nn);
  assert_uniform(model->graph->initializer[0], 1 / sqrt(784));
  assert_uniform(model->graph->initializer[1], 1 / sqrt(784));
  assert_uniform(model->graph->initializer[2], 1 / sqrt(200));
  assert_uniform(model->graph->initializer[4], 1 / sqrt(200));
  free_model(model);
  model = read_recipe(&fashion_cnn);
  assert_uniform(model->graph->initializer[0], 1 / sqrt(25));
  assert_uniform(model->graph->initializer[2], 1 / sqrt(400));
  free_model(model);
}

static void the_seed_decides_the_bytes(void **state) {
  (void)state;
  struct fed_recipe_options other = fashion_cnn;
  other.seed++;
  struct fed_buffer a = write_recipe(&fashion_cnn), b = write_recipe(&fashion_cnn);
  struct fed_buffer c = write_recipe(&other);
  assert_int_equal(a.size, b.size);
  assert_memory_equal(a.data, b.data, a.size);
  assert_int_equal(a.size, c.size);
  assert_memory_not_equal(a.data, c.data, a.size);
  fed_buffer_clear(&a), fed_buffer_clear(&b), fed_buffer_clear(&c);
}

static uint64_t fnv1a(const struct fed_buffer *bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes->size; i++) hash = (hash ^ bytes->data[i]) * 0x100000001b3u;
  return hash;
}

static void assert_bytes(const struct fed_recipe_options *options, size_t size, uint64_t hash) {
  struct fed_buffer onnx = write_recipe(options);
  assert_int_equal(onnx.size, size);
  assert_true(fnv1a(&onnx) == hash);
  fed_buffer_clear(&onnx);
}

static void the_oldest_recipes_keep_their_bytes(void **state) {
  (void)state;
  assert_bytes(&fashion_cnn, 862544, 0x9e2517b7d3e76b2f);
  assert_bytes(&mnist_2nn, 797480, 0x8aaafcb5d9267b3d);
  struct fed_recipe_options options = {.recipe = "logreg", .input = {1, {13}}, .classes = 3};
  assert_bytes(&options, 388, 0x8d8491b23de6fe05);
  options.recipe = "mlp";
  assert_bytes(&options, 9108, 0x8d3bf72588493d2f);
  options = (struct fed_recipe_options){.recipe = "cnn",
                                        .input = {3, {3, 9, 7}},
                                        .classes = 2,
                                        .hidden = {4, 6},
                                        .hidden_count = 2,
                                        .seed = 1};
  assert_bytes(&options, 3200, 0x73d3fec6d38b6f8d);
}

/* fc1.weight and fc1.bias have names of their own, so their streams do not repeat each other. */
static void parameters_draw_from_their_own_streams(void **state) {
  (void)state;
  Onnx__ModelProto *model = read_recipe(&mnist_2nn);
  assert_memory_not_equal(model->graph->initializer[2]->raw_data.data,
                          model->graph->initializer[3]->raw_data.data, 400);
  free_model(model);
}

static void assert_refused(const struct fed_recipe_options *options, int code, const char *text) {
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, &context, 1 << 20);
  assert_int_equal(fed_recipe_write(&context, options, &onnx), code);
  if (!strstr(fed_error_last()->message, text))
    fail_msg("expected a message with '%s', found '%s'", text, fed_error_last()->message);
  assert_int_equal(onnx.size, 0);
  fed_buffer_clear(&onnx);
}

static void bad_names_and_classes_are_refused(void **state) {
  (void)state;
  struct fed_recipe_options options = fashion_cnn;
  options.recipe = "resnet";
  assert_refused(&options, FED_E_INPUT, "transformer-small, found 'resnet'");
  options.recipe = NULL;
  assert_refused(&options, FED_E_INPUT, "logreg, mlp, 2nn, cnn");
  options = fashion_cnn;
  options.classes = 1;
  assert_refused(&options, FED_E_RANGE, "at least 2 classes, found 1");
}

static void bad_inputs_are_refused(void **state) {
  (void)state;
  struct fed_recipe_options options = fashion_cnn;
  options.input = (struct fed_shape){1, {784}};
  assert_refused(&options, FED_E_SHAPE, "[channels, height, width], found the input shape [784]");
  options.input = (struct fed_shape){3, {1, 3, 28}};
  assert_refused(&options, FED_E_SHAPE, "height and width of at least 4");
  options.input = (struct fed_shape){3, {0, 28, 28}};
  assert_refused(&options, FED_E_SHAPE, "[0, 28, 28]");
  options.recipe = "mlp";
  options.input = (struct fed_shape){3, {1, -1, 28}};
  assert_refused(&options, FED_E_RANGE, "-1");
  options.input = (struct fed_shape){8, {1, 1, 1, 1, 1, 1, 1, 1}};
  assert_refused(&options, FED_E_SHAPE, "1 to 7 dimensions, found 8");
}

static void inputs_of_other_recipes_are_refused(void **state) {
  (void)state;
  struct fed_recipe_options options = {.recipe = "lstm-char", .input = {2, {80, 2}}};
  assert_refused(&options, FED_E_SHAPE, "the number of tokens [length], found the input shape");
  options.recipe = "gru-sensor", options.input = (struct fed_shape){1, {80}};
  assert_refused(&options, FED_E_SHAPE, "a series [length, channels], found the input shape [80]");
  options.recipe = "resnet8";
  assert_refused(&options, FED_E_SHAPE, "an image [channels, height, width]");
  options.recipe = "lenet", options.input = (struct fed_shape){3, {1, 11, 28}};
  assert_refused(&options, FED_E_SHAPE, "height and width of at least 12");
  options.recipe = "autoencoder", options.input = (struct fed_shape){3, {1, 28, 30}};
  assert_refused(&options, FED_E_SHAPE, "height and width that 4 divides, found the input shape");
  options.recipe = "tabular", options.category_count = 1, options.categories[0] = 2;
  assert_refused(&options, FED_E_SHAPE, "a row of numbers [columns]");
}

static void numbers_that_do_not_fit_are_refused(void **state) {
  (void)state;
  struct fed_recipe_options options = {.recipe = "resnet8", .hidden = {16, 3}, .hidden_count = 2};
  assert_refused(&options, FED_E_RANGE, "found 3 groups and 16 channels");
  options = (struct fed_recipe_options){
      .recipe = "transformer-small", .hidden = {16, 3, 1, 8}, .hidden_count = 4};
  assert_refused(&options, FED_E_RANGE, "found 3 heads and the width 16");
  options.hidden[1] = 2, options.hidden[2] = 65;
  assert_refused(&options, FED_E_RANGE, "at most 64 layers, found 65");
  options = (struct fed_recipe_options){.recipe = "autoencoder", .classes = 10};
  assert_refused(&options, FED_E_RANGE, "the recipe autoencoder has no classes, found 10");
  options = (struct fed_recipe_options){.recipe = "tabular", .input = {1, {3}}};
  assert_refused(&options, FED_E_MISSING, "expects categories");
  options.category_count = 2, options.categories[0] = 5;
  assert_refused(&options, FED_E_RANGE, "found 0 at position 2");
  options.category_count = FED_RECIPE_CATEGORIES_MAX + 1;
  assert_refused(&options, FED_E_RANGE, "at most 64 categories, found 65");
  options = (struct fed_recipe_options){.recipe = "mlp", .category_count = 1};
  assert_refused(&options, FED_E_RANGE, "the recipe mlp has no categories, found 1");
}

static void bad_hidden_numbers_are_refused(void **state) {
  (void)state;
  struct fed_recipe_options options = fashion_cnn;
  options.hidden[0] = 16, options.hidden_count = 1;
  assert_refused(&options, FED_E_RANGE, "convolutions and then a width");
  options.hidden_count = 2;
  assert_refused(&options, FED_E_RANGE, "found 0 at position 2");
  options.hidden_count = 9;
  assert_refused(&options, FED_E_RANGE, "found 9 numbers");
  options.recipe = "logreg", options.hidden_count = 1;
  assert_refused(&options, FED_E_RANGE, "no hidden layers");
  options.recipe = "2nn";
  assert_refused(&options, FED_E_RANGE, "expects 2 widths");
  options.recipe = "mlp", options.hidden[0] = UINT32_MAX;
  assert_refused(&options, FED_E_TOO_LARGE, "fc1.weight of shape [4294967295, 784]");
}

static void a_full_buffer_is_reported(void **state) {
  (void)state;
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, &context, 1000);
  assert_int_equal(fed_recipe_write(&context, &fashion_cnn, &onnx), FED_E_TOO_LARGE);
  assert_int_equal(onnx.size, 0);
  fed_buffer_clear(&onnx);
}

struct failing_alloc {
  struct fed_alloc alloc;
  struct fed_alloc *system;
  int left;
};

static void *resize_or_fail(struct fed_alloc *self, void *pointer, size_t size) {
  struct failing_alloc *failing = (struct failing_alloc *)self;
  if (size && failing->left-- == 0) return NULL;
  return failing->system->resize(failing->system, pointer, size);
}

static int fail_allocations_in_turn(const struct fed_recipe_options *options) {
  struct failing_alloc failing = {{resize_or_fail}, context.alloc, 0};
  struct fed_context short_of_memory = context;
  short_of_memory.alloc = &failing.alloc;
  int failures = 0, code = FED_E_MEMORY;
  for (; code != FED_OK; failures++) {
    struct fed_buffer onnx;
    fed_buffer_init(&onnx, &short_of_memory, 64 << 20);
    failing.left = failures;
    code = fed_recipe_write(&short_of_memory, options, &onnx);
    fed_buffer_clear(&onnx);
    if (code != FED_OK) assert_int_equal(code, FED_E_MEMORY);
  }
  return failures;
}

static void every_failing_allocation_is_reported(void **state) {
  (void)state;
  /* The graph, 10 nodes, 8 parameters and their values, 2 lists, at least one buffer. */
  assert_true(fail_allocations_in_turn(&fashion_cnn) > 1 + 10 + 2 * 8 + 2 + 1);
  assert_true(fail_allocations_in_turn(&(struct fed_recipe_options){.recipe = "tabular"}) > 20);
}

static void the_recipes_come_in_turn(void **state) {
  (void)state;
  static const char *const names[] = {"logreg",      "mlp",
                                      "2nn",         "cnn",
                                      "lenet",       "resnet8",
                                      "resnet18",    "mobilenet-small",
                                      "autoencoder", "tabular",
                                      "gru-sensor",  "lstm-char",
                                      "lstm-word",   "transformer-small"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_string_equal(fed_recipe_at(i)->own.recipe, names[i]);
  assert_null(fed_recipe_at(sizeof names / sizeof *names));
}

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parameter_counts_follow_closed_forms),
      cmocka_unit_test(parameter_counts_are_the_published_ones),
      cmocka_unit_test(residual_network_of_8_layers),
      cmocka_unit_test(transformer_counts_follow_the_closed_form),
      cmocka_unit_test(tabular_counts_follow_the_closed_form),
      cmocka_unit_test(autoencoders_mirror_themselves),
      cmocka_unit_test(measuring_counts_what_writing_writes),
      cmocka_unit_test(costs_follow_closed_forms),
      cmocka_unit_test(the_oldest_recipes_keep_their_bytes),
      cmocka_unit_test(inputs_of_other_recipes_are_refused),
      cmocka_unit_test(numbers_that_do_not_fit_are_refused),
      cmocka_unit_test(eight_hidden_numbers_fit),
      cmocka_unit_test(cnn_has_the_documented_layers),
      cmocka_unit_test(files_say_what_they_are),
      cmocka_unit_test(the_batch_dimension_is_free),
      cmocka_unit_test(initial_values_are_uniform),
      cmocka_unit_test(the_seed_decides_the_bytes),
      cmocka_unit_test(parameters_draw_from_their_own_streams),
      cmocka_unit_test(bad_names_and_classes_are_refused),
      cmocka_unit_test(bad_inputs_are_refused),
      cmocka_unit_test(bad_hidden_numbers_are_refused),
      cmocka_unit_test(a_full_buffer_is_reported),
      cmocka_unit_test(every_failing_allocation_is_reported),
      cmocka_unit_test(the_recipes_come_in_turn),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
