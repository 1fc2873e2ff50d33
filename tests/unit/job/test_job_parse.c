/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_parse.c: good job files become the struct that a reader of the file expects; defaults
 * are valid values of their own settings; explain shows every setting.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "job/job.h"
#include "job/settings.h"

#include <jansson.h>

static struct fed_context context;

static const char smallest[] = "version: 1\n"
                               "name: tiny\n"
                               "model: {file: m.onnx}\n"
                               "data:\n"
                               "  name: d\n"
                               "  format: idx\n"
                               "  inputs: {file: x.idx}\n"
                               "  target: {file: y.idx, classes: 2}\n"
                               "rounds: {count: 1, cohort: 2, minimum: 2}\n";

static struct fed__job parse(const char *yaml) {
  struct fed__job job;
  if (fed__job_parse(&context, "job.yaml", fed_slice_of_text(yaml), &job) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return job;
}

static void test_defaults(void **state) {
  (void)state;
  struct fed__job job = parse(smallest);
  assert_int_equal(job.version, 1);
  assert_string_equal(job.name, "tiny");
  assert_string_equal(job.description, "");
  assert_int_equal(job.seed, 1);
  assert_int_equal(job.train.options.loss, FED_LOSS_SOFTMAX_CROSS_ENTROPY);
  assert_true(job.data.holdout == 0.1);
  assert_int_equal(job.data.examples_min, 1);
  assert_string_equal(job.train.trainer, "native");
  assert_int_equal(job.train.epochs, 1);
  assert_int_equal(job.train.options.batch_size, 32);
  assert_int_equal(job.train.options.optimizer, FED_OPTIMIZER_SGD);
  assert_true(job.train.options.learning_rate == 0.1);
  assert_true(job.train.options.beta2 == 0.999);
  assert_true(job.rounds.over_selection == 1);
  assert_true(job.rounds.deadline_s == 600);
  assert_int_equal(job.update.grid_bits, 16);
  assert_true(job.update.grid_step == 1.0 / 8192);
  assert_string_equal(job.aggregate.rule, "mean");
  assert_true(job.aggregate.server_learning_rate == 1);
  assert_int_equal(job.evaluate.every, 1);
  assert_true(job.evaluate.federated);
  assert_null(job.evaluate.test_folder);
  assert_int_equal(job.stop.metric, FED__METRIC_NONE);
  fed__job_clear(&job);
}

/* Every setting of the model and of losses, and what of it the engine is told. */
static void test_model_settings(void **state) {
  (void)state;
  struct fed__job job =
      parse("version: 1\nname: t\n"
            "model:\n  file: m\n  loss: binary_cross_entropy\n  class_axis: 2\n"
            "  frozen: [emb*, a.b]\n  statistics: local\n"
            "  dimensions: [{name: sequence, extent: 16}, {name: width, extent: 7}]\n"
            "  adapters: {nodes: ['*attn*'], rank: 4, alpha: 8}\nseed: 77\n"
            "data: {name: d, format: idx, inputs: {file: x}, target: {kind: number, file: y}}\n"
            "train: {optimizer: rmsprop, rho: 0.8, momentum: 0.5, clip_value: 3, warmup_steps: 9,\n"
            "  class_weights: [1, 2.5], precision: bf16, checkpoint: true, memory_max: 64 MiB}\n"
            "rounds: {count: 1, cohort: 2, minimum: 2}\n");
  const struct fed_train_options *options = &job.train.options;
  assert_int_equal(options->loss, FED_LOSS_BINARY_CROSS_ENTROPY);
  assert_int_equal(options->optimizer, FED_OPTIMIZER_RMSPROP);
  assert_int_equal(options->precision, FED_PRECISION_BF16);
  assert_int_equal(options->class_axis, 2);
  assert_true(options->rho == 0.8 && options->clip_value == 3 && options->warmup_steps == 9);
  assert_true(options->checkpoint && options->memory_bytes_max == 64 << 20);
  assert_int_equal(options->class_weight_count, 2);
  assert_true(options->class_weights[0] == 1 && options->class_weights[1] == 2.5);
  assert_false(options->has_ignored_label);
  struct fed_model_options model;
  fed__job_model_options(&job, &model);
  assert_int_equal(model.statistics, FED_STATISTICS_LOCAL);
  assert_int_equal(model.trainable_count, 0);
  assert_int_equal(model.frozen_count, 2);
  assert_string_equal(model.frozen[0], "emb*");
  assert_string_equal(model.frozen[1], "a.b");
  assert_int_equal(model.dimension_count, 2);
  assert_string_equal(model.dimensions[1].name, "width");
  assert_int_equal(model.dimensions[1].extent, 7);
  assert_int_equal(model.adapted_count, 1);
  assert_string_equal(model.adapted[0], "*attn*");
  assert_int_equal(model.adapter_rank, 4);
  assert_true(model.adapter_alpha == 8);
  assert_int_equal(model.adapter_seed, 77);
  fed__job_clear(&job);
}

static void test_label_settings(void **state) {
  (void)state;
  struct fed__job job =
      parse("version: 1\nname: t\nmodel: {file: m, trainable: ['*']}\n"
            "data: {name: d, format: idx, inputs: {file: x}, target: {file: y, classes: 2}}\n"
            "train: {ignored_label: -100, label_smoothing: 0.1, class_weights: [1, 3]}\n"
            "rounds: {count: 1, cohort: 2, minimum: 2}\n");
  assert_true(job.train.options.has_ignored_label);
  assert_int_equal(job.train.options.ignored_label, -100);
  assert_true(job.train.options.label_smoothing == 0.1);
  assert_true(job.train.options.huber_delta == 1 && job.train.options.rho == 0.99);
  assert_int_equal(job.model.trainable_count, 1);
  struct fed_buffer text;
  fed_buffer_init(&text, &context, 1 << 20);
  assert_int_equal(fed__job_explain(&context, &job, 1, &text), FED_OK);
  json_t *array = json_loadb((char *)text.data, text.size, 0, NULL);
  size_t index, seen = 0;
  json_t *entry;
  json_array_foreach(array, index, entry) {
    if (strcmp(json_string_value(json_object_get(entry, "key")), "train.ignored_label") != 0)
      continue;
    assert_int_equal(json_integer_value(json_object_get(entry, "value")), -100);
    seen++;
  }
  assert_int_equal(seen, 1);
  json_decref(array);
  fed_buffer_clear(&text);
  fed__job_clear(&job);
}

static void check_training(const struct fed__job *job) {
  const struct fed_train_options *options = &job->train.options;
  assert_string_equal(job->train.trainer, "ext");
  assert_true(job->train.epochs == 3 && job->train.steps_max == 70 && options->batch_size == 8);
  assert_int_equal(options->optimizer, FED_OPTIMIZER_ADAM);
  assert_int_equal(options->schedule, FED_SCHEDULE_COSINE);
  assert_int_equal(options->precision, FED_PRECISION_F64);
  assert_int_equal(options->kernels, FED_KERNELS_REFERENCE);
  assert_true(options->learning_rate == 1e-3 && options->momentum == 0.5 && options->nesterov);
  assert_true(options->weight_decay == 0.01 && options->beta1 == 0.8 && options->beta2 == 0.9);
  assert_true(options->epsilon == 1e-6 && options->clip_norm == 2);
  assert_true(options->schedule_floor == 0.2 && options->schedule_factor == 0.3);
  assert_true(options->schedule_every == 5 && options->schedule_steps == 9);
}

static void test_everything(void **state) {
  (void)state;
  struct fed__job job = parse(
      "version: 1\n"
      "name: all.of_it-2\n"
      "description: >\n  two\n  lines\n"
      "seed: 18446744073709551615\n"
      "model: {file: 'm n.onnx', loss: softmax_cross_entropy}\n"
      "data:\n"
      "  name: d\n"
      "  format: npz\n"
      "  inputs:\n"
      "    - {file: x.npz, array: a, name: in, shape: [3, 28, 28], scale: -0.5, offset: 1e-3}\n"
      "    - {file: x.npz, array: b}\n"
      "  target: {kind: class, array: y, classes: 7}\n"
      "  holdout: 0.25\n"
      "  examples_min: 20\n"
      "train: {trainer: ext, epochs: 3, steps_max: 70, batch_size: 8, optimizer: adam,\n"
      "        learning_rate: 1e-3, momentum: 0.5, nesterov: true, weight_decay: 0.01,\n"
      "        beta1: 0.8, beta2: 0.9, epsilon: 1e-6, clip_norm: 2, schedule: cosine,\n"
      "        schedule_floor: 0.2, schedule_factor: 0.3, schedule_every: 5,\n"
      "        schedule_steps: 9, precision: f64, kernels: reference}\n"
      "rounds: {count: 4, cohort: 10, over_selection: 1.3, minimum: 8, deadline: 500 ms,\n"
      "         back_off: 2 min, back_off_max: 1 h, failures_max: 3, gather: 7}\n"
      "update: {clip_norm: 1.5, grid_bits: 8, grid_step: 0.25}\n"
      "aggregate: {rule: mean, weights: uniform, weight_max: 12, server_learning_rate: 0.5,\n"
      "            server_momentum: 0.75}\n"
      "evaluate: {every: 2, federated: false, test: {folder: t, inputs: tx, target: ty}}\n"
      "stop: {metric: loss, at_most: 0.3, seconds: 10 min}\n");
  assert_string_equal(job.name, "all.of_it-2");
  assert_string_equal(job.description, "two lines\n");
  assert_true(job.seed == UINT64_MAX);
  assert_string_equal(job.model.file, "m n.onnx");
  const struct fed__dataset_schema *schema = &job.data.schema;
  assert_int_equal(schema->format, FED__DATA_NPZ);
  assert_int_equal(schema->input_count, 2);
  assert_string_equal(schema->inputs[0].name, "in");
  assert_string_equal(schema->inputs[1].array, "b");
  assert_int_equal(schema->inputs[0].shape.rank, 3);
  assert_int_equal(schema->inputs[0].shape.dims[2], 28);
  assert_true(schema->inputs[0].scale == -0.5 && schema->inputs[0].offset == 1e-3);
  assert_int_equal(schema->inputs[1].shape.rank, 0);
  assert_int_equal(schema->target.classes, 7);
  assert_null(schema->target.file);
  assert_true(job.data.holdout == 0.25 && job.data.examples_min == 20);
  check_training(&job);
  assert_true(job.rounds.count == 4 && job.rounds.cohort == 10 && job.rounds.minimum == 8);
  assert_true(job.rounds.over_selection == 1.3 && job.rounds.failures_max == 3);
  assert_true(job.rounds.deadline_s == 0.5 && job.rounds.back_off_s == 120);
  assert_true(job.rounds.back_off_max_s == 3600 && job.rounds.gather_s == 7);
  assert_true(job.update.clip_norm == 1.5 && job.update.grid_bits == 8);
  assert_true(job.update.grid_step == 0.25);
  assert_int_equal(job.aggregate.weights, FED__WEIGHTS_UNIFORM);
  assert_true(job.aggregate.weight_max == 12 && job.aggregate.server_learning_rate == 0.5);
  assert_true(job.aggregate.server_momentum == 0.75);
  assert_true(job.evaluate.every == 2 && !job.evaluate.federated);
  assert_string_equal(job.evaluate.test_folder, "t");
  assert_string_equal(job.evaluate.test_inputs, "tx");
  assert_string_equal(job.evaluate.test_target, "ty");
  assert_int_equal(job.stop.metric, FED__METRIC_LOSS);
  assert_true(job.stop.at_most == 0.3 && job.stop.seconds == 600);
  fed__job_clear(&job);
  assert_null(job.name);
  fed__job_clear(&job);
}

static void test_columns(void **state) {
  (void)state;
  struct fed__job job =
      parse("version: 1\nname: t\nmodel: {file: m}\nrounds: {count: 1, cohort: 1, minimum: 1}\n"
            "data:\n"
            "  name: d\n"
            "  format: csv\n"
            "  inputs: {file: t.csv}\n"
            "  target: {classes: 2}\n"
            "  csv:\n"
            "    delimiter: ;\n"
            "    header: false\n"
            "    missing_markers: ['?', '', NA]\n"
            "    columns:\n"
            "      - {name: a, kind: number, range: [-1, 2.5], mean: 1, std: 2, missing: mean}\n"
            "      - {name: b, kind: category, categories: [[1, 1.0], two], other: true,\n"
            "         missing: value, missing_value: 1}\n"
            "      - {name: c, kind: ignore}\n"
            "      - {name: d, kind: target, categories: [0, [1, 2, 3, 4]]}\n");
  const struct fed__csv_schema *csv = &job.data.schema.csv;
  assert_int_equal(csv->delimiter, ';');
  assert_false(csv->has_header);
  assert_int_equal(csv->missing_marker_count, 3);
  assert_string_equal(csv->missing_markers[0], "?");
  assert_string_equal(csv->missing_markers[1], "");
  assert_string_equal(csv->missing_markers[2], "NA");
  assert_int_equal(csv->column_count, 4);
  const struct fed__column_schema *a = &csv->columns[0], *b = &csv->columns[1];
  assert_true(a->has_range && a->min == -1 && a->max == 2.5 && a->mean == 1 && a->std == 2);
  assert_int_equal(a->missing, FED__MISSING_MEAN);
  assert_int_equal(b->kind, FED__COLUMN_CATEGORY);
  assert_false(b->has_range);
  assert_true(b->has_other && b->missing == FED__MISSING_VALUE && b->missing_value == 1);
  assert_int_equal(b->category_count, 3);
  assert_string_equal(b->categories[1].text, "1.0");
  assert_int_equal(b->categories[1].slot, 0);
  assert_string_equal(b->categories[2].text, "two");
  assert_int_equal(b->categories[2].slot, 1);
  const struct fed__column_schema *d = &csv->columns[3];
  assert_int_equal(d->category_count, 5);
  assert_string_equal(d->categories[4].text, "4");
  assert_int_equal(d->categories[4].slot, 1);
  fed__job_clear(&job);
}

static void test_no_training(void **state) {
  (void)state;
  struct fed__job job = parse("version: 1\nname: t\nmodel: {file: m}\ntrain: {epochs: 0}\n"
                              "rounds: {count: 1, cohort: 1, minimum: 1}\nevaluate: {every: 0}\n");
  assert_int_equal(job.train.epochs, 0);
  assert_null(job.data.name);
  assert_int_equal(job.data.schema.input_count, 0);
  fed__job_clear(&job);
}

static void test_json_is_yaml(void **state) {
  (void)state;
  struct fed__job job = parse("{\"version\": 1, \"name\": \"j\", \"model\": {\"file\": \"m\"},\r\n"
                              "\"train\": {\"epochs\": 0}, \"evaluate\": {\"every\": 0},\r\n"
                              "\"rounds\": {\"count\": 1, \"cohort\": 1, \"minimum\": 1}}");
  assert_string_equal(job.name, "j");
  fed__job_clear(&job);
}

/* Every default is a value that the file itself could hold, and is shown as it was written. */
static void check_defaults(const struct fed__setting *settings) {
  for (; settings->key; settings++) {
    if (settings->inner) check_defaults(settings->inner);
    assert_non_null(settings->meaning);
    if (!settings->initial) continue;
    assert_false(settings->required);
    union {
      struct fed__job job;
      struct fed__policy policy;
    } any = {.job = {0}};
    const int code = fed__setting_parse(&context, settings, settings->initial, &any);
    if (code != FED_OK) fail_msg("the default of %s is refused", settings->key);
    const struct fed__setting one[] = {*settings, {NULL}};
    fed__settings_clear(&context, one, &any);
  }
}

static void test_defaults_in_range(void **state) {
  (void)state;
  check_defaults(fed__job_settings);
  check_defaults(fed__policy_settings);
}

static const json_t *find(const json_t *array, const char *key) {
  size_t i;
  const json_t *entry;
  json_array_foreach(array, i, entry) {
    if (!strcmp(json_string_value(json_object_get(entry, "key")), key)) return entry;
  }
  return NULL;
}

static json_t *explain_json(const struct fed__job *job) {
  struct fed_buffer out;
  fed_buffer_init(&out, &context, 1 << 20);
  assert_int_equal(fed__job_explain(&context, job, 1, &out), FED_OK);
  json_error_t error;
  json_t *array = json_loadb((const char *)out.data, out.size, 0, &error);
  if (!array) fail_msg("%s", error.text);
  fed_buffer_clear(&out);
  return array;
}

static void check_keys(const json_t *array, const struct fed__setting *settings, const char *path) {
  for (; settings->key; settings++) {
    char key[128], inner[136];
    snprintf(key, sizeof key, "%s%s", path, settings->key);
    snprintf(inner, sizeof inner, "%s%s.", key, settings->type == FED__SETTING_ITEMS ? "[]" : "");
    if (settings->inner) check_keys(array, settings->inner, inner);
    if (settings->type == FED__SETTING_SECTION) continue;
    if (!find(array, key)) fail_msg("%s is not explained", key);
  }
}

static void test_explain_json(void **state) {
  (void)state;
  json_t *array = explain_json(NULL);
  check_keys(array, fed__job_settings, "");
  json_decref(array);
  struct fed__job job = parse(smallest);
  job.seed = UINT64_MAX;
  array = explain_json(&job);
  assert_string_equal(json_string_value(json_object_get(find(array, "seed"), "value")),
                      "18446744073709551615");
  assert_string_equal(json_string_value(json_object_get(find(array, "name"), "value")), "tiny");
  const json_t *rate = find(array, "train.learning_rate");
  assert_true(json_real_value(json_object_get(rate, "value")) == 0.1);
  const json_t *deadline = find(array, "rounds.deadline");
  assert_true(json_real_value(json_object_get(deadline, "value")) == 600);
  assert_string_equal(json_string_value(json_object_get(deadline, "default")), "10 min");
  assert_string_equal(json_string_value(json_object_get(deadline, "unit")), "s");
  assert_true(json_is_true(json_object_get(find(array, "evaluate.federated"), "value")));
  assert_true(json_is_null(json_object_get(find(array, "evaluate.test.folder"), "value")));
  json_decref(array);
  fed__job_clear(&job);
}

/* The line of the table that begins so (after its newline) has that part. */
static void expect_line(const char *text, const char *start, const char *part) {
  const char *line = strstr(text, start);
  assert_non_null(line);
  line++;
  const size_t length = strcspn(line, "\n");
  if (!memmem(line, length, part, strlen(part)))
    fail_msg("'%s' is not in '%.*s'", part, (int)length, line);
}

static void test_explain_text(void **state) {
  (void)state;
  struct fed__job job = parse(smallest);
  struct fed_buffer out;
  fed_buffer_init(&out, &context, 1 << 20);
  assert_int_equal(fed__job_explain(&context, &job, 0, &out), FED_OK);
  const char *text = fed_buffer_text(&out);
  assert_memory_equal(text, "key ", 4);
  expect_line(text, "\nrounds.deadline ", " 600 s ");
  expect_line(text, "\nrounds.deadline ", " 10 min ");
  expect_line(text, "\nrounds.cohort ", " required ");
  expect_line(text, "\nupdate.grid_step ", " 2^-13 ");
  expect_line(text, "\ndata.inputs[0].file ", " x.idx ");
  /* Columns are aligned: meanings all begin at the same place. */
  const char *title = strstr(text, "meaning"), *version = strstr(text, "\nversion ") + 1;
  assert_memory_equal(version + (title - text), "of this form", 12);
  fed_buffer_clear(&out);
  fed__job_clear(&job);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_model_settings), cmocka_unit_test(test_label_settings),
      cmocka_unit_test(test_defaults),       cmocka_unit_test(test_everything),
      cmocka_unit_test(test_columns),        cmocka_unit_test(test_no_training),
      cmocka_unit_test(test_json_is_yaml),   cmocka_unit_test(test_defaults_in_range),
      cmocka_unit_test(test_explain_json),   cmocka_unit_test(test_explain_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
