/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_refusals.c: every kind of bad job file, with the exact message. Lines and columns were
 * counted by hand; columns count characters from 1. libfyaml's own messages point behind what they
 * complain about.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "job/job.h"

static struct fed_context context;

struct refusal {
  const char *yaml;
  int code;
  const char *message;
};

static void expect(const struct refusal *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct fed__job job;
    fed_error_clear();
    const int code = fed__job_parse(&context, "job.yaml", fed_slice_of_text(cases[i].yaml), &job);
    if (code == FED_OK) fail_msg("accepted: %s", cases[i].yaml);
    assert_string_equal(fed_error_last()->message, cases[i].message);
    assert_int_equal(code, cases[i].code);
    assert_null(job.name); /* nothing is left to clear */
  }
}
#define EXPECT(cases) expect(cases, sizeof(cases) / sizeof(cases)[0])

/* Lines 1 to 5 of a job that lacks nothing; what a case adds begins in line 6. */
#define HEAD "version: 1\nname: x\nmodel: {file: m.onnx}\n"
#define DATA "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, classes: 3}}\n"
#define ROUNDS "rounds: {count: 1, cohort: 2, minimum: 2}\n"
#define GOOD HEAD DATA ROUNDS
#define TOP                                                                                        \
  "version, name, description, seed, model, data, train, rounds, update, aggregate, "              \
  "evaluate, stop, simulate"

static void test_keys(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {GOOD "train:\n  epochs: 1\n  learning_rat: 0.1\n", FED_E_INPUT,
       "job.yaml:8:3: unknown key 'learning_rat' in 'train'; did you mean 'learning_rate'?"},
      {GOOD "trian: {epochs: 1}\n", FED_E_INPUT,
       "job.yaml:6:1: unknown key 'trian' in the file; did you mean 'train'?"},
      {GOOD "zzzzz: 1\n", FED_E_INPUT,
       "job.yaml:6:1: unknown key 'zzzzz' in the file; the keys here are " TOP},
      {GOOD "update: {grid_bits: 8, size: 1}\n", FED_E_INPUT,
       "job.yaml:6:24: unknown key 'size' in 'update'; the keys here are clip_norm, grid_bits, "
       "grid_step"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: [{file: a}, {fiel: a}]}\n", FED_E_INPUT,
       "job.yaml:5:51: unknown key 'fiel' in 'data.inputs[1]'; did you mean 'file'?"},
      {GOOD "evaluate:\n  test:\n    fodler: t\n", FED_E_INPUT,
       "job.yaml:8:5: unknown key 'fodler' in 'evaluate.test'; did you mean 'folder'?"},
      {GOOD "name: y\n", FED_E_DUPLICATE,
       "job.yaml:6:1: 'name' is given twice; the first time in line 2"},
      {GOOD "train: {epochs: 1, epochs: 2}\n", FED_E_DUPLICATE,
       "job.yaml:6:20: 'epochs' is given twice; the first time in line 6"},
      {"version: 1\nmodel: {file: m}\n" DATA ROUNDS, FED_E_MISSING,
       "job.yaml:1:1: 'name' is missing: of the job"},
      {HEAD DATA "rounds: {count: 1, minimum: 1}\n", FED_E_MISSING,
       "job.yaml:5:9: 'rounds.cohort' is missing: wanted in each round"},
      {GOOD "evaluate: {test: {inputs: a}}\n", FED_E_MISSING,
       "job.yaml:6:18: 'evaluate.test.folder' is missing: of the server's test set, below the "
       "server's data folder, or absolute"},
      {GOOD "\"a\\nb\\x1b\": 1\n", FED_E_INPUT, /* nobody writes lines of their own into a log */
       "job.yaml:6:1: unknown key 'a.b.' in the file; the keys here are " TOP},
      {GOOD "ünknown: 1\n", FED_E_INPUT,
       "job.yaml:6:1: unknown key 'ünknown' in the file; the keys here are " TOP},
  };
  EXPECT(cases);
}

static void test_types(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {GOOD "train:\n  learning_rate: fast\n", FED_E_TYPE,
       "job.yaml:7:18: 'train.learning_rate' must be a number above 0 up to 1000000, found "
       "'fast'"},
      {GOOD "train: {learning_rate: 0x1p-3}\n", FED_E_TYPE,
       "job.yaml:6:24: 'train.learning_rate' must be a number above 0 up to 1000000, found "
       "'0x1p-3'"},
      {GOOD "train: {learning_rate: .nan}\n", FED_E_TYPE,
       "job.yaml:6:24: 'train.learning_rate' must be a number above 0 up to 1000000, found "
       "'.nan'"},
      {GOOD "train: {learning_rate: [0.1]}\n", FED_E_TYPE,
       "job.yaml:6:24: 'train.learning_rate' must be a number above 0 up to 1000000, found a "
       "list"},
      {GOOD "train: {epochs: 1.5}\n", FED_E_TYPE,
       "job.yaml:6:17: 'train.epochs' must be a whole number from 0 to 100000, found '1.5'"},
      {GOOD "train: {epochs: '2'}\n", FED_E_TYPE,
       "job.yaml:6:17: 'train.epochs' must be a whole number from 0 to 100000, found the quoted "
       "text '2'"},
      {GOOD "train: {epochs: }\n", FED_E_TYPE,
       "job.yaml:6:9: 'train.epochs' must be a whole number from 0 to 100000, found nothing"},
      {GOOD "train:\n", FED_E_TYPE, "job.yaml:6:1: 'train' must be a map, found nothing"},
      {GOOD "train: [1]\n", FED_E_TYPE, "job.yaml:6:8: 'train' must be a map, found a list"},
      {GOOD "train: {nesterov: yes}\n", FED_E_TYPE,
       "job.yaml:6:19: 'train.nesterov' must be true or false, found 'yes'"},
      {GOOD "train: {optimizer: adm}\n", FED_E_UNSUPPORTED,
       "job.yaml:6:20: 'train.optimizer' must be one of sgd, adam, adamw, adagrad, rmsprop, found "
       "'adm'; did you mean 'adam'?"},
      {GOOD "train: {optimizer: lbfgs}\n", FED_E_UNSUPPORTED,
       "job.yaml:6:20: 'train.optimizer' must be one of sgd, adam, adamw, adagrad, rmsprop, found "
       "'lbfgs'"},
      {"version: 1\nname: a/b\n", FED_E_TYPE,
       "job.yaml:2:7: 'name' must be a name of 1 to 64 letters, digits, '-', '_' and '.', found "
       "'a/b'"},
      {HEAD DATA "rounds: {count: 1, cohort: 1, minimum: 1, deadline: 5 weeks}\n", FED_E_TYPE,
       "job.yaml:5:53: 'rounds.deadline' must be a duration such as 500 ms, 60 s or 5 min, above "
       "0 to 720 h, found '5 weeks'"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: {file: a, shape: [1, x]}}\n", FED_E_TYPE,
       "job.yaml:5:59: 'data.inputs.shape[1]' must be a whole number from 1 to 4294967295, found "
       "'x'"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: a}\n", FED_E_TYPE,
       "job.yaml:5:38: 'data.inputs' must be a list of maps, found 'a'"},
      {"1234567890123456789012345678901234567890123", FED_E_TYPE,
       "job.yaml:1:1: the file must be a map, found '1234567890123456789012345678901234567890…'"},
      {"123456789012345678901234567890123456789üü", FED_E_TYPE,
       "job.yaml:1:1: the file must be a map, found '123456789012345678901234567890123456789…'"},
      {"just text\n", FED_E_TYPE, "job.yaml:1:1: the file must be a map, found 'just text'"},
      {"- a\n", FED_E_TYPE, "job.yaml:1:1: the file must be a map, found a list"},
  };
  EXPECT(cases);
}

static void test_ranges(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {"version: 2\nname: x\n", FED_E_RANGE,
       "job.yaml:1:10: 'version' must be a whole number 1, found '2'"},
      {GOOD "seed: 18446744073709551616\n", FED_E_RANGE,
       "job.yaml:6:7: 'seed' must be a whole number from 0 on, found '18446744073709551616'"},
      {GOOD "seed: -1\n", FED_E_RANGE,
       "job.yaml:6:7: 'seed' must be a whole number from 0 on, found '-1'"},
      {GOOD "train: {learning_rate: 0}\n", FED_E_RANGE,
       "job.yaml:6:24: 'train.learning_rate' must be a number above 0 up to 1000000, found '0'"},
      {GOOD "train: {learning_rate: 1e999}\n", FED_E_RANGE,
       "job.yaml:6:24: 'train.learning_rate' must be a number above 0 up to 1000000, found "
       "'1e999'"},
      {GOOD "train: {momentum: 1}\n", FED_E_RANGE,
       "job.yaml:6:19: 'train.momentum' must be a number from 0 and below 1, found '1'"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: {file: a}, holdout: 1.0}\n", FED_E_RANGE,
       "job.yaml:5:58: 'data.holdout' must be a number from 0 and below 1, found '1.0'"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: []}\n", FED_E_RANGE,
       "job.yaml:5:38: 'data.inputs' must have 1 to 8 entries, found 0"},
      {GOOD "update: {grid_step: 0.1}\n", FED_E_RANGE,
       "job.yaml:6:21: 'update.grid_step' must be a power of two such as 2^-13 or 0.125, from "
       "2^-60 to 2^20, found '0.1'"},
      {GOOD "update: {grid_step: 0}\n", FED_E_RANGE,
       "job.yaml:6:21: 'update.grid_step' must be a power of two such as 2^-13 or 0.125, from "
       "2^-60 to 2^20, found '0'"},
      {GOOD "update: {grid_step: 2^40}\n", FED_E_RANGE,
       "job.yaml:6:21: 'update.grid_step' must be a power of two such as 2^-13 or 0.125, from "
       "2^-60 to 2^20, found '2^40'"},
      {GOOD "update: {clip_norm: -1}\n", FED_E_RANGE,
       "job.yaml:6:21: 'update.clip_norm' must be a number from 0 to 1000000000, found '-1'"},
      {HEAD DATA "rounds: {count: 1, cohort: 1, minimum: 1, deadline: 0 s}\n", FED_E_RANGE,
       "job.yaml:5:53: 'rounds.deadline' must be a duration such as 500 ms, 60 s or 5 min, above "
       "0 to 720 h, found '0 s'"},
      {HEAD DATA "rounds: {count: 0, cohort: 1, minimum: 1}\n", FED_E_RANGE,
       "job.yaml:5:17: 'rounds.count' must be a whole number from 1 to 1000000, found '0'"},
  };
  EXPECT(cases);
}

/* What goes together in training is the engine's to say; the place is the section's. */
static void test_training_combinations(void **state) {
  (void)state;
#define MODEL(more) "version: 1\nname: x\nmodel: {file: m.onnx, " more "}\n" DATA ROUNDS
#define NUMBERS                                                                                    \
  "data: {name: d, format: idx, inputs: {file: a}, target: {kind: number, file: b}}\n" ROUNDS
  static const struct refusal cases[] = {
      {GOOD "train: {optimizer: adam, momentum: 0.9}\n", FED_E_INPUT,
       "job.yaml:6:8: 'train': adam has no momentum; leave it out"},
      {GOOD "train: {optimizer: rmsprop, momentum: 0.9, nesterov: true}\n", FED_E_INPUT,
       "job.yaml:6:8: 'train': nesterov needs sgd and a momentum above 0"},
      {GOOD "train: {schedule: linear, schedule_steps: 5, class_weights: [1, 2]}\n", FED_E_INPUT,
       "job.yaml:6:61: 'train.class_weights' has 2 entries, but 'data.target.classes' is 3"},
      {GOOD "train: {class_weights: [0, 0, 0]}\n", FED_E_INPUT,
       "job.yaml:6:8: 'train': class_weights are all 0"},
      {GOOD "train: {class_weights: [1, -2, 1]}\n", FED_E_RANGE,
       "job.yaml:6:28: 'train.class_weights[1]' must be a number from 0 to 1000000000, found "
       "'-2'"},
      {GOOD "train: {class_weights: []}\n", FED_E_TYPE,
       "job.yaml:6:24: 'train.class_weights' must be a list of numbers such as [0.5, 2], found a "
       "list"},
      {GOOD "train: {ignored_label: 1.5}\n", FED_E_TYPE,
       "job.yaml:6:24: 'train.ignored_label' must be a whole number, which may be negative, found "
       "'1.5'"},
      {GOOD "train: {ignored_label: -9223372036854775809}\n", FED_E_RANGE,
       "job.yaml:6:24: 'train.ignored_label' must be a whole number, which may be negative, found "
       "'-9223372036854775809'"},
      {MODEL("loss: mse"), FED_E_UNSUPPORTED,
       "job.yaml:3:29: 'model.loss' must be one of softmax_cross_entropy, soft_cross_entropy, "
       "binary_cross_entropy, mean_squared_error, huber, output, found 'mse'"},
      {MODEL("loss: huber"), FED_E_INPUT,
       "job.yaml:4:57: 'data.target.kind' class does not fit 'model.loss', which needs numbers"},
      {"version: 1\nname: x\nmodel: {file: m, loss: huber}\n" NUMBERS
       "train: {label_smoothing: 0.1}\n",
       FED_E_INPUT,
       "job.yaml:6:8: 'train': label_smoothing does not go with the loss huber; leave it out"},
      {"version: 1\nname: x\nmodel: {file: m, loss: output}\n" NUMBERS
       "train: {ignored_label: 3}\n",
       FED_E_INPUT,
       "job.yaml:6:8: 'train': ignored_label does not go with the loss output; leave it out"},
      {MODEL("adapters: {nodes: ['*'], rank: 4}, trainable: [a]"), FED_E_INPUT,
       "job.yaml:3:33: 'model.adapters' freezes all other parameters, so leave out "
       "'model.trainable'"},
      {MODEL("adapters: {rank: 4}"), FED_E_MISSING,
       "job.yaml:3:33: 'model.adapters.nodes' is missing: names of Gemm and MatMul nodes, or of "
       "their weights; '*' is any run of characters"},
      {MODEL("adapters: {nodes: ['*'], rank: 0}"), FED_E_RANGE,
       "job.yaml:3:54: 'model.adapters.rank' must be a whole number from 1 to 65536, found '0'"},
      {MODEL("dimensions: [{name: a, extent: 2}, {name: a, extent: 3}]"), FED_E_DUPLICATE,
       "job.yaml:3:35: dimension 'a' is given twice"},
      {MODEL("dimensions: {name: a, extent: 0}"), FED_E_RANGE,
       "job.yaml:3:53: 'model.dimensions.extent' must be a whole number from 1 to 1073741824, "
       "found '0'"},
      {MODEL("trainable: []"), FED_E_TYPE,
       "job.yaml:3:34: 'model.trainable' must be a list of texts, not empty, found a list"},
  };
  EXPECT(cases);
}

static void test_combinations(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {HEAD DATA "rounds: {count: 1, cohort: 2, minimum: 3}\n", FED_E_INPUT,
       "job.yaml:5:40: 'rounds.minimum' is 3, more than the cohort of 2 clients; no round could "
       "succeed"},
      {HEAD DATA "rounds: {count: 1, cohort: 1000000, minimum: 3, over_selection: 1.5}\n",
       FED_E_RANGE,
       "job.yaml:5:65: 'rounds.cohort' times 'rounds.over_selection' is 1500000; at most 1000000 "
       "clients can be invited to a round"},
      {HEAD DATA "rounds: {count: 1, cohort: 1, minimum: 1, back_off: 10 min}\n", FED_E_INPUT,
       "job.yaml:5:53: 'rounds.back_off' is 600 s, longer than 'rounds.back_off_max' of 300 s"},
      {GOOD "update:\n  grid_bits: 12\n", FED_E_RANGE,
       "job.yaml:7:14: 'update.grid_bits' must be 8, 16 or 32, found 12"},
      {HEAD ROUNDS, FED_E_MISSING,
       "job.yaml:1:1: 'data' is missing: what to train on, since 'train.epochs' is 1"},
      {HEAD ROUNDS "train: {epochs: 0}\n", FED_E_MISSING,
       "job.yaml:1:1: 'data' is missing: it says what examples look like; to evaluate nothing, "
       "set 'evaluate.every' to 0"},
      {GOOD "train: {nesterov: true}\n", FED_E_INPUT,
       "job.yaml:6:19: 'train.nesterov' needs 'train.momentum' above 0"},
      {GOOD "train: {schedule: step}\n", FED_E_MISSING,
       "job.yaml:6:19: 'train.schedule' step needs 'train.schedule_every', the steps between two "
       "changes"},
      {GOOD "train: {schedule: cosine}\n", FED_E_MISSING,
       "job.yaml:6:19: 'train.schedule' needs 'train.schedule_steps', the steps that it spans"},
      {GOOD "stop: {metric: accuracy, at_least: 0.9}\nevaluate: {every: 0}\n", FED_E_INPUT,
       "job.yaml:6:16: 'stop.metric' needs an evaluation, but 'evaluate' asks for none"},
      {GOOD "stop: {metric: accuracy}\n", FED_E_INPUT,
       "job.yaml:6:16: 'stop.metric' accuracy goes with 'at_least' above 0 only"},
      {GOOD "stop: {metric: loss, at_least: 0.5}\n", FED_E_INPUT,
       "job.yaml:6:16: 'stop.metric' loss goes with 'at_most' above 0 only"},
      {GOOD "stop: {at_least: 0.5}\n", FED_E_MISSING,
       "job.yaml:6:7: 'stop.metric' is missing: accuracy for 'at_least', loss for 'at_most'"},
      {HEAD ROUNDS "data:\n  {name: d, format: idx, inputs: {file: a}, holdout: 0,\n"
                   "   target: {file: b, classes: 2}}\n",
       FED_E_INPUT,
       "job.yaml:6:54: 'data.holdout' is 0, which leaves nothing for 'evaluate.federated'; raise "
       "it or set 'evaluate.federated' to false"},
  };
  EXPECT(cases);
}

#define CSV                                                                                        \
  HEAD ROUNDS "data:\n  name: d\n  format: csv\n  inputs: {file: a}\n  target: {classes: 2}\n"

static void test_data(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: {file: a}, target: {file: b}}\n",
       FED_E_MISSING,
       "job.yaml:5:57: 'data.target.classes' must be at least 2 for class labels, found 0"},
      {HEAD ROUNDS
       "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, kind: number}}\n",
       FED_E_INPUT,
       "job.yaml:5:73: 'data.target.kind' number does not fit 'model.loss', which needs "
       "class labels"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: {file: a}, target: {classes: 2}}\n",
       FED_E_MISSING,
       "job.yaml:5:57: 'data.target.file' is missing: in this format the target has a file of "
       "its own"},
      {HEAD ROUNDS "data: {name: d, format: npz, inputs: {file: a}, target: {classes: 2}}\n",
       FED_E_MISSING,
       "job.yaml:5:38: 'data.inputs[0].array' is missing: the array's name in the file"},
      {HEAD ROUNDS
       "data: {name: d, format: npz, inputs: {file: a, array: x}, target: {classes: 2}}\n",
       FED_E_MISSING,
       "job.yaml:5:67: 'data.target.array' is missing: the array's name in the "
       "file"},
      {CSV, FED_E_INPUT,
       "job.yaml:6:3: exactly one of 'data.csv.columns' must be of kind target, found 0"},
      {CSV "  csv: {columns: [{name: a, kind: target}, {name: a, kind: number}]}\n",
       FED_E_DUPLICATE, "job.yaml:10:18: column 'a' is given twice"},
      {CSV "  csv: {columns: [{name: a, kind: target}, {name: b, kind: category}]}\n",
       FED_E_MISSING, "job.yaml:10:18: column 'b' is of kind category but has no 'categories'"},
      {CSV "  csv: {columns: [{name: a, kind: number, range: [2, 1]}]}\n", FED_E_RANGE,
       "job.yaml:10:50: 'data.csv.columns[0].range' must be a list of two numbers, the smaller "
       "first, found a list"},
      {CSV "  csv: {columns: [{name: a, kind: category, categories: [x], missing: mean}]}\n",
       FED_E_INPUT,
       "job.yaml:10:18: column 'a' is a category, which has no mean to stand in for missing "
       "fields; use 'missing: value' or list the missing marker as a category"},
      {CSV "  csv: {columns: [{name: a, kind: target, categories: [0, [1, 2], 3]}]}\n", FED_E_INPUT,
       "job.yaml:10:18: column 'a' has 3 categories, but 'data.target.classes' is 2"},
      {CSV "  csv: {delimiter: ab}\n", FED_E_TYPE,
       "job.yaml:10:20: 'data.csv.delimiter' must be one character, found 'ab'"},
      {HEAD ROUNDS "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, classes: 3}, "
                   "csv: {columns: [{name: a, kind: number}]}}\n",
       FED_E_INPUT,
       "job.yaml:5:85: 'data.csv' belongs to format csv; leave it out or change 'data.format'"},
  };
  EXPECT(cases);
}

static void test_yaml(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {"", FED_E_EMPTY, "job.yaml: the file is empty"},
      {"# only a comment\n", FED_E_EMPTY, "job.yaml: the file says nothing"},
      {"a: &x 1\n", FED_E_UNSUPPORTED,
       "job.yaml:1:7: anchors ('&name') are not supported; write the value out"},
      {"version: 1\nname: *x\n", FED_E_UNSUPPORTED,
       "job.yaml:2:7: aliases ('*name') are not supported; write the value out"},
      {"name: !!str 1\n", FED_E_UNSUPPORTED,
       "job.yaml:1:13: tags ('!name') are not supported; leave the tag out"},
      {"version: 1\n---\nversion: 1\n", FED_E_UNSUPPORTED,
       "job.yaml:2:1: a second document follows (after '---' or '...'); a file holds exactly "
       "one"},
      {"? [a]\n: b\n", FED_E_SYNTAX, "job.yaml:1:3: a key must be a plain word, not a map or list"},
      {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", FED_E_TOO_LARGE,
       "job.yaml:1:17: nested too deeply: at most 16 levels are read"},
      {"name: a\nb: 'x\n", FED_E_SYNTAX,
       "job.yaml:2:5: not well-formed YAML: single-quoted scalar without closing quote"},
      {"name: \"a\\0b\"\n", FED_E_SYNTAX, "job.yaml:1:7: a text contains a zero byte"},
      {"version: 1\nname: \xc3\xbc\xff\n", FED_E_SYNTAX,
       "job.yaml:2:8: expected text in UTF-8, found the byte 0xff"},
      {"a: \xed\xa0\x80\n", FED_E_SYNTAX, /* a surrogate */
       "job.yaml:1:4: expected text in UTF-8, found the byte 0xed"},
      {"a: \xc0\xaf\n", FED_E_SYNTAX, /* longer than need be */
       "job.yaml:1:4: expected text in UTF-8, found the byte 0xc0"},
      {"%YAML 3.0\n---\na: b\n", FED_E_SYNTAX, "job.yaml: not well-formed YAML"},
  };
  EXPECT(cases);
}

static void test_too_large(void **state) {
  (void)state;
  const size_t size = FED__JOB_BYTES_MAX + 1;
  char *text = test_malloc(size);
  memset(text, '\n', size);
  struct fed__job job;
  assert_int_equal(fed__job_parse(&context, "job.yaml", fed_slice_of(text, size), &job),
                   FED_E_TOO_LARGE);
  assert_string_equal(fed_error_last()->message,
                      "job.yaml: 1048577 bytes; a settings file has at most 1048576");
  for (size_t i = 0; i < size - 1; i++) text[i] = i % 2 ? 'a' : ',';
  text[0] = '[';
  assert_int_equal(fed__job_parse(&context, "job.yaml", fed_slice_of(text, size - 1), &job),
                   FED_E_TOO_LARGE);
  assert_string_equal(fed_error_last()->message,
                      "job.yaml:1:131072: too many values in one file: at most 65536 are read");
  test_free(text);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys),
      cmocka_unit_test(test_types),
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_combinations),
      cmocka_unit_test(test_training_combinations),
      cmocka_unit_test(test_data),
      cmocka_unit_test(test_yaml),
      cmocka_unit_test(test_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
