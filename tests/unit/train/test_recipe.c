/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recipe.c: the built-in models. Parameter counts come from closed forms (and, for 2nn, from
 * McMahan et al. 2017: 199,210), the distribution of the initial values from the uniform law.
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

static void assert_parameter_count(const struct fed_recipe_options *options, size_t expected) {
  Onnx__ModelProto *model = read_recipe(options);
  size_t count = 0;
  for (size_t i = 0; i < model->graph->n_initializer; i++)
    count += element_count(model->graph->initializer[i]);
  assert_int_equal(count, expected);
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
  assert_refused(&options, FED_E_INPUT, "logreg, mlp, 2nn, cnn, found 'resnet'");
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
  options.input = (struct fed_shape){3, {1, 0, 28}};
  assert_refused(&options, FED_E_SHAPE, "[1, 0, 28]");
  options.input = (struct fed_shape){3, {1, -1, 28}};
  assert_refused(&options, FED_E_RANGE, "-1");
  options.input = (struct fed_shape){0, {0}};
  assert_refused(&options, FED_E_SHAPE, "1 to 7 dimensions, found 0");
  options.input = (struct fed_shape){8, {1, 1, 1, 1, 1, 1, 1, 1}};
  assert_refused(&options, FED_E_SHAPE, "1 to 7 dimensions, found 8");
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

static void every_failing_allocation_is_reported(void **state) {
  (void)state;
  struct failing_alloc failing = {{resize_or_fail}, context.alloc, 0};
  struct fed_context short_of_memory = context;
  short_of_memory.alloc = &failing.alloc;
  int failures = 0, code = FED_E_MEMORY;
  for (; code != FED_OK; failures++) {
    struct fed_buffer onnx;
    fed_buffer_init(&onnx, &short_of_memory, 64 << 20);
    failing.left = failures;
    code = fed_recipe_write(&short_of_memory, &fashion_cnn, &onnx);
    fed_buffer_clear(&onnx);
    if (code != FED_OK) assert_int_equal(code, FED_E_MEMORY);
  }
  assert_int_equal(failures, 11); /* the graph, 8 parameters, the file; then success */
}

static void the_list_names_every_recipe(void **state) {
  (void)state;
  const char *const *list = fed_recipe_list();
  static const char *const names[] = {"logreg: ", "mlp: ", "2nn: ", "cnn: "};
  for (size_t i = 0; i < 4; i++) assert_memory_equal(list[i], names[i], strlen(names[i]));
  assert_null(list[4]);
}

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parameter_counts_follow_closed_forms),
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
      cmocka_unit_test(the_list_names_every_recipe),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
