/* SPDX-License-Identifier: Apache-2.0
 *
 * known_answers.c: step k takes the rows k * batch on, in the file's order, and both runs begin
 * with the parameters in the model.
 */
#include "train/known_answers.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"
#include "train/gradient.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#define STEPS_MAX 100000
#define KEY_MAX 512

struct fed__known_answers {
  const struct fed_context *context;
  json_t *spec;
  struct fed_params data, expect;
  struct fed_model *model;
  double *class_weights;
  struct fed_train_options options; /* loss and batch size; the optimiser's come with each run */
  size_t steps, early_steps;        /* early_steps 0: no answers from between */
};

/* ---- spec.json ------------------------------------------------------------------------------ */

static int read_number(const json_t *object, const char *key, double *number) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_number(value))
    return FED_RAISE(FED_E_MISSING, "spec.json: '%s' is missing or no number", key);
  *number = json_number_value(value);
  return FED_OK;
}

static int read_count(const json_t *object, const char *key, size_t most, size_t *count) {
  double number = 0;
  FED_TRY(read_number(object, key, &number));
  if (!(number >= 1 && number <= (double)most))
    return FED_RAISE(FED_E_RANGE, "spec.json: '%s' is %g, expected 1 to %zu", key, number, most);
  *count = (size_t)number;
  return FED_OK;
}

static int read_loss_name(const json_t *loss, enum fed_loss *found) {
  static const struct {
    const char *name;
    enum fed_loss loss;
  } names[] = {{"softmax_cross_entropy", FED_LOSS_SOFTMAX_CROSS_ENTROPY},
               {"soft_cross_entropy", FED_LOSS_SOFT_CROSS_ENTROPY},
               {"bce_with_logits", FED_LOSS_BINARY_CROSS_ENTROPY},
               {"mse", FED_LOSS_MEAN_SQUARED_ERROR},
               {"huber", FED_LOSS_HUBER}};
  const char *name = json_string_value(json_object_get(loss, "name"));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (name && strcmp(name, names[i].name) == 0) {
      *found = names[i].loss;
      return FED_OK;
    }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "spec.json: loss '%s' is not one of softmax_cross_entropy, soft_cross_entropy, "
                   "bce_with_logits, mse, huber",
                   name ? name : "");
}

/* One weight of positive targets, for each place in the output's last dimension. */
static int read_positive_weight(struct fed__known_answers *answers, const json_t *loss) {
  const struct fed_tensor *output = fed_params_find(&answers->expect, "logits0");
  double weight = 0;
  if (!json_object_get(loss, "pos_weight")) return FED_OK;
  FED_TRY(read_number(loss, "pos_weight", &weight));
  if (!output) return FED_RAISE(FED_E_MISSING, "expect.safetensors: 'logits0' is missing");
  const uint32_t rank = output->shape.rank;
  const size_t count = rank > 1 ? (size_t)output->shape.dims[rank - 1] : 1;
  answers->class_weights = fed__alloc(answers->context, count * sizeof *answers->class_weights);
  if (!answers->class_weights) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) answers->class_weights[i] = weight;
  answers->options.class_weights = answers->class_weights;
  answers->options.class_weight_count = count;
  return FED_OK;
}

static int read_spec(struct fed__known_answers *answers) {
  const json_t *loss = json_object_get(answers->spec, "loss");
  struct fed_train_options *options = &answers->options;
  size_t batch = 0, axis = 0;
  fed_train_options_init(options);
  FED_TRY(read_count(answers->spec, "batch", UINT32_MAX, &batch));
  FED_TRY(read_count(answers->spec, "steps", STEPS_MAX, &answers->steps));
  if (json_object_get(answers->spec, "early_steps"))
    FED_TRY(read_count(answers->spec, "early_steps", answers->steps, &answers->early_steps));
  FED_TRY(read_loss_name(loss, &options->loss));
  options->batch_size = (uint32_t)batch;
  if (json_object_get(loss, "class_axis")) {
    FED_TRY(read_count(loss, "class_axis", FED_RANK_MAX, &axis));
    options->class_axis = (uint32_t)axis;
  }
  if (json_object_get(loss, "delta")) FED_TRY(read_number(loss, "delta", &options->huber_delta));
  return read_positive_weight(answers, loss);
}

static int read_optimizer(const struct fed__known_answers *answers, const char *name,
                          struct fed_train_options *options) {
  const json_t *values = json_object_get(answers->spec, name);
  const json_t *betas = json_object_get(values, "betas");
  FED_TRY(read_number(values, "lr", &options->learning_rate));
  FED_TRY(read_number(values, "weight_decay", &options->weight_decay));
  if (strcmp(name, "adam") != 0) return read_number(values, "momentum", &options->momentum);
  options->optimizer = FED_OPTIMIZER_ADAM;
  if (json_array_size(betas) != 2)
    return FED_RAISE(FED_E_MISSING, "spec.json: 'adam.betas' should be two numbers");
  options->beta1 = json_number_value(json_array_get(betas, 0));
  options->beta2 = json_number_value(json_array_get(betas, 1));
  return read_number(values, "eps", &options->epsilon);
}

/* ---- the model ------------------------------------------------------------------------------ */

static int check_trainable(const struct fed__known_answers *answers, const char *const *names,
                           size_t count) {
  const struct fed_params *params = fed_model_params(answers->model);
  const size_t trained = fed_model_trained_count(answers->model);
  for (size_t i = 0; i < count; i++) {
    const struct fed_tensor *tensor = fed_params_find(params, names[i]);
    if (!tensor || (size_t)(tensor - params->tensors) >= trained)
      return FED_RAISE(FED_E_INPUT, "'%s' has answers, but it does not train here", names[i]);
  }
  if (count == trained) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "%zu parameters train here, the answers are for %zu", trained,
                   count);
}

static int load_with_names(struct fed__known_answers *answers, struct fed_slice onnx,
                           const char **names) {
  size_t index;
  json_t *entry;
  const json_t *listed = json_object_get(answers->spec, "trainable");
  json_array_foreach(listed, index, entry) {
    names[index] = json_string_value(json_object_get(entry, "onnx"));
    if (!names[index])
      return FED_RAISE(FED_E_MISSING, "spec.json: 'trainable[%zu].onnx' is missing", index);
  }
  const struct fed_model_options options = {.trainable = names,
                                            .trainable_count = json_array_size(listed)};
  if (fed_model_load(answers->context, onnx, &options, &answers->model) != FED_OK)
    return FED_WRAP("model.onnx");
  return check_trainable(answers, names, json_array_size(listed));
}

static int load_model(struct fed__known_answers *answers, struct fed_slice onnx) {
  const size_t count = json_array_size(json_object_get(answers->spec, "trainable"));
  const char **names = fed__zalloc(answers->context, count + 1, sizeof *names);
  if (!names) return FED_E_MEMORY;
  const int code = load_with_names(answers, onnx, names);
  fed__free(answers->context, names);
  return code;
}

static int open_answers(struct fed__known_answers *answers, const struct fed__known_files *files) {
  json_error_t error;
  answers->spec = json_loadb((const char *)files->spec.data, files->spec.size, 0, &error);
  if (!answers->spec)
    return FED_RAISE(FED_E_SYNTAX, "spec.json:%d:%d: %s", error.line, error.column, error.text);
  if (fed_safetensors_decode(files->data, answers->context, &answers->data) != FED_OK)
    return FED_WRAP("data.safetensors");
  if (fed_safetensors_decode(files->expect, answers->context, &answers->expect) != FED_OK)
    return FED_WRAP("expect.safetensors");
  FED_TRY(read_spec(answers));
  return load_model(answers, files->model);
}

int fed__known_answers_open(const struct fed_context *context, const struct fed__known_files *files,
                            struct fed__known_answers **answers) {
  *answers = NULL;
  struct fed__known_answers *opened = fed__zalloc(context, 1, sizeof *opened);
  if (!opened) return FED_E_MEMORY;
  opened->context = context;
  const int code = open_answers(opened, files);
  if (code == FED_OK)
    *answers = opened;
  else
    fed__known_answers_free(opened);
  return code;
}

void fed__known_answers_free(struct fed__known_answers *answers) {
  if (!answers) return;
  fed_model_free(answers->model);
  fed_params_clear(&answers->data);
  fed_params_clear(&answers->expect);
  json_decref(answers->spec);
  fed__free(answers->context, answers->class_weights);
  fed__free(answers->context, answers);
}

const struct fed_model *fed__known_answers_model(const struct fed__known_answers *answers) {
  return answers->model;
}

/* ---- comparing ------------------------------------------------------------------------------ */

/* One trainer and where its results go. */
struct trial {
  const struct fed__known_answers *answers;
  const struct fed__known_setting *setting;
  const char *part;
  struct fed_trainer *trainer;
};

static double value_at(const struct trial *trial, const void *values, size_t i) {
  return trial->setting->precision == FED_PRECISION_F64 ? ((const double *)values)[i]
                                                        : (double)((const float *)values)[i];
}

static int find_tolerance(const struct trial *trial, const char *key, double *tolerance) {
  const json_t *all = json_object_get(trial->answers->spec, "tolerance");
  const json_t *one = json_object_get(json_object_get(all, "per_tensor"), key);
  if (read_number(one, "atol", tolerance) != FED_OK) return FED_WRAP("tolerance of '%s'", key);
  *tolerance *= trial->setting->factor;
  return FED_OK;
}

static int report(const struct trial *trial, const char *kind, const char *key, double difference) {
  struct fed__known_check check = {trial->part, kind, key, difference, 0};
  FED_TRY(find_tolerance(trial, key, &check.tolerance));
  return trial->setting->report(trial->setting->data, &check);
}

static int find_answer(const struct trial *trial, const char *key, size_t elements,
                       const struct fed_tensor **answer) {
  *answer = fed_params_find(&trial->answers->expect, key);
  if (!*answer) return FED_RAISE(FED_E_MISSING, "expect.safetensors: '%s' is missing", key);
  if ((*answer)->dtype != FED_F64 || fed_tensor_elements(*answer) != elements)
    return FED_RAISE(FED_E_SHAPE, "expect.safetensors: '%s' should be %zu numbers of float64", key,
                     elements);
  return FED_OK;
}

/* The larger one, where what is not a number is infinitely large. */
static double larger(double largest, double difference) {
  const double size = isnan(difference) ? INFINITY : fabs(difference);
  return size > largest ? size : largest;
}

/* `values` are of the trial's precision. */
static int compare(const struct trial *trial, const char *kind, const char *key, const void *values,
                   size_t elements) {
  const struct fed_tensor *answer;
  double largest = 0;
  FED_TRY(find_answer(trial, key, elements, &answer));
  for (size_t i = 0; i < elements; i++)
    largest = larger(largest, value_at(trial, values, i) - ((const double *)answer->data)[i]);
  return report(trial, kind, key, largest);
}

/* ---- training ------------------------------------------------------------------------------- */

static int copy_rows(const struct fed__known_answers *answers, const char *name, size_t step,
                     const struct fed_tensor *to) {
  const struct fed_tensor *from = fed_params_find(&answers->data, name);
  const size_t bytes = fed_tensor_bytes(to);
  if (!from) return FED_RAISE(FED_E_MISSING, "data.safetensors: '%s' is missing", name);
  if (from->dtype != to->dtype)
    return FED_RAISE(FED_E_TYPE, "data.safetensors: '%s' is %s, the model needs %s", name,
                     fed_dtype_name(from->dtype), fed_dtype_name(to->dtype));
  if ((step + 1) * bytes > fed_tensor_bytes(from))
    return FED_RAISE(FED_E_TRUNCATED, "data.safetensors: '%s' ends in step %zu", name, step);
  memcpy(to->data, (const char *)from->data + step * bytes, bytes);
  return FED_OK;
}

static int fill_batch(const struct trial *trial, size_t step) {
  const struct fed_example_spec *spec = fed_model_inputs(trial->answers->model);
  struct fed_batch *batch = fed_trainer_batch(trial->trainer);
  for (size_t i = 0; i < spec->input_count; i++)
    FED_TRY(copy_rows(trial->answers, spec->inputs[i].name, step, &batch->inputs[i]));
  return copy_rows(trial->answers, "y", step, &batch->target);
}

static int compare_output(const struct trial *trial, const char *kind, const char *key) {
  struct fed_shape shape;
  size_t elements;
  const void *output = fed__trainer_output(trial->trainer, &shape);
  FED_TRY(fed_shape_elements(&shape, &elements));
  return compare(trial, kind, key, output, elements);
}

static int check_first_batch(const struct trial *trial) {
  const struct fed_params *params = fed_model_params(trial->answers->model);
  struct fed_metrics metrics = {0};
  const struct fed_tensor *loss;
  char key[KEY_MAX];
  FED_TRY(fill_batch(trial, 0));
  FED_TRY(fed__gradient_compute(trial->trainer, &metrics));
  FED_TRY(compare_output(trial, "output", "logits0"));
  FED_TRY(find_answer(trial, "loss0", 1, &loss));
  const double mean = metrics.loss_sum / (double)metrics.example_count;
  FED_TRY(report(trial, "loss", "loss0", larger(0, mean - *(const double *)loss->data)));
  for (size_t i = 0; i < fed_model_trained_count(trial->answers->model); i++) {
    snprintf(key, sizeof key, "grad.%s", params->tensors[i].name);
    FED_TRY(compare(trial, "gradients", key, fed__trainer_gradient(trial->trainer, i),
                    fed_tensor_elements(&params->tensors[i])));
  }
  return FED_OK;
}

/* Before training amplifies rounding a wrong optimiser cannot hide behind it. */
static int check_early(const struct trial *trial) {
  const struct fed_params *params = fed_model_params(trial->answers->model);
  char key[KEY_MAX];
  for (size_t i = 0; i < fed_model_trained_count(trial->answers->model); i++) {
    snprintf(key, sizeof key, "%s.early.%s", trial->part, params->tensors[i].name);
    FED_TRY(compare(trial, "early steps", key, fed__trainer_parameter(trial->trainer, i),
                    fed_tensor_elements(&params->tensors[i])));
  }
  return FED_OK;
}

static int train_step(const struct trial *trial, size_t step, double *loss) {
  struct fed_metrics metrics = {0};
  FED_TRY(fill_batch(trial, step));
  FED_TRY(fed_train_step(trial->trainer, &metrics));
  *loss = metrics.loss_sum / (double)metrics.example_count;
  return FED_OK;
}

static int check_losses(const struct trial *trial) {
  const struct fed_tensor *losses;
  double largest = 0;
  char key[KEY_MAX];
  snprintf(key, sizeof key, "%s.loss", trial->part);
  FED_TRY(find_answer(trial, key, trial->answers->steps, &losses));
  for (size_t step = 0; step < trial->answers->steps; step++) {
    double loss = 0;
    FED_TRY(train_step(trial, step, &loss));
    largest = larger(largest, loss - ((const double *)losses->data)[step]);
    if (step + 1 == trial->answers->early_steps) FED_TRY(check_early(trial));
  }
  return report(trial, "losses", key, largest);
}

/* The key of a parameter's answer. Variances are the biased ones, as ONNX says, where there are
 * such. */
static void make_key(const struct trial *trial, size_t index, char key[KEY_MAX]) {
  const char *name = fed_model_params(trial->answers->model)->tensors[index].name;
  if (index < fed_model_trained_count(trial->answers->model)) {
    snprintf(key, KEY_MAX, "%s.param.%s", trial->part, name);
    return;
  }
  snprintf(key, KEY_MAX, "%s.running_biased.%s", trial->part, name);
  if (!fed_params_find(&trial->answers->expect, key))
    snprintf(key, KEY_MAX, "%s.running.%s", trial->part, name);
}

static int check_parameters(const struct trial *trial) {
  const struct fed_params *params = fed_model_params(trial->answers->model);
  char key[KEY_MAX];
  for (size_t i = 0; i < params->count; i++) {
    const int trained = i < fed_model_trained_count(trial->answers->model);
    make_key(trial, i, key);
    FED_TRY(compare(trial, trained ? "parameters" : "statistics", key,
                    fed__trainer_parameter(trial->trainer, i),
                    fed_tensor_elements(&params->tensors[i])));
  }
  return FED_OK;
}

/* The framework's own statistics (which may differ from ONNX's), put into the trained model. */
static int adopt_statistics(const struct trial *trial) {
  const struct fed_params *params = fed_model_params(trial->answers->model);
  const struct fed_tensor *answer;
  char key[KEY_MAX];
  for (size_t i = fed_model_trained_count(trial->answers->model); i < params->count; i++) {
    const size_t elements = fed_tensor_elements(&params->tensors[i]);
    void *values = fed__trainer_parameter(trial->trainer, i);
    snprintf(key, sizeof key, "%s.running.%s", trial->part, params->tensors[i].name);
    FED_TRY(find_answer(trial, key, elements, &answer));
    for (size_t j = 0; j < elements; j++) {
      const double value = ((const double *)answer->data)[j];
      if (trial->setting->precision == FED_PRECISION_F64)
        ((double *)values)[j] = value;
      else
        ((float *)values)[j] = (float)value;
    }
  }
  return FED_OK;
}

static int check_evaluation(const struct trial *trial) {
  struct fed_metrics metrics = {0};
  char key[KEY_MAX];
  snprintf(key, sizeof key, "%s.eval_logits0", trial->part);
  if (!fed_params_find(&trial->answers->expect, key)) return FED_OK;
  FED_TRY(adopt_statistics(trial));
  FED_TRY(fill_batch(trial, 0));
  FED_TRY(fed_evaluate_step(trial->trainer, &metrics));
  return compare_output(trial, "evaluation", key);
}

static int check_run(const struct trial *trial) {
  FED_TRY(check_losses(trial));
  FED_TRY(check_parameters(trial));
  return check_evaluation(trial);
}

static int begin_trial(struct trial *trial, const char *optimizer) {
  const struct fed__known_answers *answers = trial->answers;
  struct fed_train_options options = answers->options;
  options.precision = trial->setting->precision;
  options.kernels = trial->setting->kernels;
  FED_TRY(read_optimizer(answers, optimizer, &options));
  return fed_trainer_new(answers->context, answers->model, &options, &trial->trainer);
}

static int run_trial(const struct fed__known_answers *answers,
                     const struct fed__known_setting *setting, const char *part,
                     const char *optimizer, int (*check)(const struct trial *trial)) {
  struct trial trial = {answers, setting, part, NULL};
  FED_TRY(begin_trial(&trial, optimizer));
  const int code = check(&trial);
  fed_trainer_free(trial.trainer);
  return code;
}

int fed__known_answers_check(const struct fed__known_answers *answers,
                             const struct fed__known_setting *setting) {
  FED_TRY(run_trial(answers, setting, "first batch", "sgd", check_first_batch));
  FED_TRY(run_trial(answers, setting, "sgd", "sgd", check_run));
  return run_trial(answers, setting, "adam", "adam", check_run);
}

/* ---- how rounding grows ---------------------------------------------------------------------- */

size_t fed__known_answers_steps(const struct fed__known_answers *answers) { return answers->steps; }

static double compare_trials(const struct trial *trial, const struct trial *exact) {
  const struct fed_params *params = fed_model_params(trial->answers->model);
  double largest = 0;
  for (size_t i = 0; i < fed_model_trained_count(trial->answers->model); i++) {
    const void *values = fed__trainer_parameter(trial->trainer, i);
    const void *answer = fed__trainer_parameter(exact->trainer, i);
    const size_t elements = fed_tensor_elements(&params->tensors[i]);
    for (size_t j = 0; j < elements; j++)
      largest = larger(largest, value_at(trial, values, j) - value_at(exact, answer, j));
  }
  return largest;
}

static int run_beside(const struct trial *trial, const struct trial *exact, double *differences) {
  double loss;
  for (size_t step = 0; step < trial->answers->steps; step++) {
    FED_TRY(train_step(trial, step, &loss));
    FED_TRY(train_step(exact, step, &loss));
    differences[step] = compare_trials(trial, exact);
  }
  return FED_OK;
}

int fed__known_answers_trace(const struct fed__known_answers *answers, const char *run,
                             enum fed_kernels kernels, double *differences) {
  const struct fed__known_setting single = {FED_PRECISION_F32, kernels, 1, NULL, NULL};
  const struct fed__known_setting precise = {FED_PRECISION_F64, FED_KERNELS_REFERENCE, 1, NULL,
                                             NULL};
  struct trial trial = {answers, &single, run, NULL}, exact = {answers, &precise, run, NULL};
  int code = begin_trial(&trial, run);
  if (code == FED_OK) code = begin_trial(&exact, run);
  if (code == FED_OK) code = run_beside(&trial, &exact, differences);
  fed_trainer_free(trial.trainer);
  fed_trainer_free(exact.trainer);
  return code;
}
