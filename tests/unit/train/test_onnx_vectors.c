/* SPDX-License-Identifier: Apache-2.0
 *
 * test_onnx_vectors.c: models exported by PyTorch train here as they do there: logits, gradients,
 * loss curves and final parameters against tests/vectors/onnx, within the tolerances stated there
 * (in float64 ten thousand times closer). A new model is one folder and one line in `folders`.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "fed/safetensors.h"
#include "train/gradient.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

static const char *const folders[] = {"2nn", "cnn"};

#define F64_TOLERANCE_FACTOR 1e-4

struct vector {
  struct fed_context context;
  json_t *spec;
  struct fed_buffer onnx;
  struct fed_params data, expect;
  struct fed_model *model;
};

/* How one run is set up. */
struct setting {
  const struct vector *vector;
  enum fed_precision precision;
  enum fed_kernels kernels;
};

static void path_in(const char *folder, const char *file, char path[512]) {
  snprintf(path, 512, "%s/vectors/onnx/%s/%s", FED_TESTS, folder, file);
}

static void read_params(const struct vector *vector, const char *folder, const char *file,
                        struct fed_params *params) {
  char path[512];
  struct fed_buffer bytes;
  path_in(folder, file, path);
  fed_buffer_init(&bytes, &vector->context, 1 << 26);
  assert_int_equal(fed__file_read(path, &bytes), FED_OK);
  assert_int_equal(fed_safetensors_decode(fed_buffer_slice(&bytes), &vector->context, params), 0);
  fed_buffer_clear(&bytes);
}

static void open_vector(struct vector *vector, const char *folder) {
  char path[512];
  *vector = (struct vector){0};
  fed_context_init(&vector->context);
  path_in(folder, "spec.json", path);
  vector->spec = json_load_file(path, 0, NULL);
  assert_non_null(vector->spec);
  path_in(folder, "model.onnx", path);
  fed_buffer_init(&vector->onnx, &vector->context, 1 << 26);
  assert_int_equal(fed__file_read(path, &vector->onnx), FED_OK);
  read_params(vector, folder, "data.safetensors", &vector->data);
  read_params(vector, folder, "expect.safetensors", &vector->expect);
  if (fed_model_load(&vector->context, fed_buffer_slice(&vector->onnx), NULL, &vector->model) !=
      FED_OK)
    fail_msg("%s: %s", folder, fed_error_last()->message);
}

static void close_vector(struct vector *vector) {
  fed_model_free(vector->model);
  fed_params_clear(&vector->data);
  fed_params_clear(&vector->expect);
  fed_buffer_clear(&vector->onnx);
  json_decref(vector->spec);
}

static double number(const json_t *object, const char *key) {
  json_t *value = json_object_get(object, key);
  assert_true(json_is_number(value));
  return json_number_value(value);
}

static double tolerance(const struct setting *setting, const char *key) {
  json_t *tensors =
      json_object_get(json_object_get(setting->vector->spec, "tolerance"), "per_tensor");
  const double atol = number(json_object_get(tensors, key), "atol");
  return setting->precision == FED_PRECISION_F64 ? atol * F64_TOLERANCE_FACTOR : atol;
}

/* `found` is of the setting's precision. */
static void check_close(const struct setting *setting, const char *key, const void *found) {
  const struct fed_tensor *expected = fed_params_find(&setting->vector->expect, key);
  if (!expected) fail_msg("no expected tensor '%s'", key);
  assert_int_equal(expected->dtype, FED_F64);
  const double atol = tolerance(setting, key);
  for (size_t i = 0; i < fed_tensor_elements(expected); i++) {
    const double want = ((const double *)expected->data)[i];
    const double got = setting->precision == FED_PRECISION_F32 ? (double)((const float *)found)[i]
                                                               : ((const double *)found)[i];
    if (!(fabs(got - want) <= atol))
      fail_msg("%s[%zu]: expected %.17g, found %.17g, tolerance %g", key, i, want, got, atol);
  }
}

static void set_options(const struct setting *setting, const char *optimizer,
                        struct fed_train_options *options) {
  const json_t *spec = setting->vector->spec;
  const json_t *values = json_object_get(spec, optimizer);
  fed_train_options_init(options);
  options->precision = setting->precision;
  options->kernels = setting->kernels;
  options->batch_size = (uint32_t)number(spec, "batch");
  options->learning_rate = number(values, "lr");
  options->weight_decay = number(values, "weight_decay");
  if (strcmp(optimizer, "adam") == 0) {
    options->optimizer = FED_OPTIMIZER_ADAM;
    options->beta1 = json_number_value(json_array_get(json_object_get(values, "betas"), 0));
    options->beta2 = json_number_value(json_array_get(json_object_get(values, "betas"), 1));
    options->epsilon = number(values, "eps");
  } else {
    options->momentum = number(values, "momentum");
  }
}

static void copy_rows(const struct vector *vector, const char *name, size_t step,
                      const struct fed_tensor *to) {
  const struct fed_tensor *from = fed_params_find(&vector->data, name);
  assert_non_null(from);
  assert_int_equal(from->dtype, to->dtype);
  const size_t bytes = fed_tensor_bytes(to);
  assert_true((step + 1) * bytes <= fed_tensor_bytes(from));
  memcpy(to->data, (const char *)from->data + step * bytes, bytes);
}

static void fill_batch(const struct vector *vector, struct fed_batch *batch, size_t step) {
  const struct fed_example_spec *spec = fed_model_inputs(vector->model);
  for (size_t i = 0; i < spec->input_count; i++)
    copy_rows(vector, spec->inputs[i].name, step, &batch->inputs[i]);
  copy_rows(vector, "y", step, &batch->target);
}

static struct fed_trainer *new_trainer(const struct setting *setting, const char *optimizer) {
  struct fed_train_options options;
  struct fed_trainer *trainer;
  set_options(setting, optimizer, &options);
  if (fed_trainer_new(&setting->vector->context, setting->vector->model, &options, &trainer) != 0)
    fail_msg("%s", fed_error_last()->message);
  return trainer;
}

static void check_first_batch(const struct setting *setting) {
  const struct fed_params *params = fed_model_params(setting->vector->model);
  struct fed_trainer *trainer = new_trainer(setting, "sgd");
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  char key[256];
  fill_batch(setting->vector, fed_trainer_batch(trainer), 0);
  assert_int_equal(fed__gradient_compute(trainer, &metrics), FED_OK);
  check_close(setting, "logits0", fed__trainer_output(trainer, &shape));
  for (size_t i = 0; i < params->count; i++) {
    snprintf(key, sizeof key, "grad.%s", params->tensors[i].name);
    check_close(setting, key, fed__trainer_gradient(trainer, i));
  }
  fed_trainer_free(trainer);
}

static void check_run(const struct setting *setting, const char *optimizer) {
  const struct fed_params *params = fed_model_params(setting->vector->model);
  struct fed_trainer *trainer = new_trainer(setting, optimizer);
  const size_t steps = (size_t)number(setting->vector->spec, "steps");
  float narrow[64];
  double wide[64];
  char key[256];
  assert_true(steps > 0 && steps <= 64);
  for (size_t k = 0; k < steps; k++) {
    struct fed_metrics metrics = {0};
    fill_batch(setting->vector, fed_trainer_batch(trainer), k);
    assert_int_equal(fed_train_step(trainer, &metrics), FED_OK);
    wide[k] = metrics.loss_sum / (double)metrics.example_count;
    narrow[k] = (float)wide[k];
  }
  snprintf(key, sizeof key, "%s.loss", optimizer);
  check_close(setting, key,
              setting->precision == FED_PRECISION_F32 ? (void *)narrow : (void *)wide);
  for (size_t i = 0; i < params->count; i++) {
    snprintf(key, sizeof key, "%s.param.%s", optimizer, params->tensors[i].name);
    check_close(setting, key, fed__trainer_parameter(trainer, i));
  }
  fed_trainer_free(trainer);
}

/* What trains is what the authors of the file trained: the same names, each with its shape. */
static void check_trainable(const struct vector *vector) {
  const struct fed_params *params = fed_model_params(vector->model);
  const json_t *listed = json_object_get(vector->spec, "trainable");
  size_t index;
  json_t *entry;
  assert_int_equal(params->count, json_array_size(listed));
  json_array_foreach(listed, index, entry) {
    const char *name = json_string_value(json_object_get(entry, "onnx"));
    const struct fed_tensor *tensor = fed_params_find(params, name);
    if (!tensor) fail_msg("'%s' does not train", name);
    assert_int_equal(tensor->shape.rank, json_array_size(json_object_get(entry, "shape")));
    for (uint32_t i = 0; i < tensor->shape.rank; i++)
      assert_int_equal(tensor->shape.dims[i],
                       json_integer_value(json_array_get(json_object_get(entry, "shape"), i)));
  }
}

static void check_setting(const struct setting *setting) {
  check_first_batch(setting);
  check_run(setting, "sgd");
  check_run(setting, "adam");
}

static void test_reference_f64(void **state) {
  struct vector vector;
  open_vector(&vector, *state);
  check_trainable(&vector);
  check_setting(&(struct setting){&vector, FED_PRECISION_F64, FED_KERNELS_REFERENCE});
  close_vector(&vector);
}

static void test_reference_f32(void **state) {
  struct vector vector;
  open_vector(&vector, *state);
  check_setting(&(struct setting){&vector, FED_PRECISION_F32, FED_KERNELS_REFERENCE});
  close_vector(&vector);
}

/* On a machine without oneDNN this is the reference again. */
static void test_fastest_f32(void **state) {
  struct vector vector;
  open_vector(&vector, *state);
  check_setting(&(struct setting){&vector, FED_PRECISION_F32, FED_KERNELS_AUTO});
  close_vector(&vector);
}

int main(void) {
  int failed = 0;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    void *folder = (void *)(uintptr_t)folders[i];
    const struct CMUnitTest tests[] = {
        {"reference_f64", test_reference_f64, NULL, NULL, folder},
        {"reference_f32", test_reference_f32, NULL, NULL, folder},
        {"fastest_f32", test_fastest_f32, NULL, NULL, folder},
    };
    failed += cmocka_run_group_tests_name(folders[i], tests, NULL, NULL);
  }
  return failed;
}
