/* SPDX-License-Identifier: Apache-2.0
 *
 * data_check.c: the rules that tie the settings of the section `data` together, one small function
 * a rule; a message names the settings and what to change.
 */
#include "data/augment.h"
#include "job/data_section.h"

#define RAISE_AT(yaml, path, code, ...)                                                            \
  FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, path), code, __VA_ARGS__)

void fed__data_section_settle(struct fed__job *job) {
  struct fed__target_schema *target = &job->data.schema.target;
  struct fed_train_options *options = &job->train.options;
  if (!job->data.name) return;
  if (target->classes == 0) target->classes = (uint32_t)target->name_count;
  target->probabilities =
      target->kind == FED__TARGET_CLASS && options->loss == FED_LOSS_SOFT_CROSS_ENTROPY;
  if (target->kind == FED__TARGET_NEXT && options->loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY &&
      !options->has_ignored_label) {
    options->has_ignored_label = 1;
    options->ignored_label = FED__IGNORED_LABEL;
  }
}

/* ---- the target ----------------------------------------------------------------------------- */

/* A class for each place of the output, in arrays; what looks at examples as of one class, or moves
 * the places, does not go with that. */
static int check_places(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  if (!schema->target.shape.rank) return FED_OK;
  if (schema->format == FED__DATA_CSV || schema->format == FED__DATA_JSONL ||
      schema->format == FED__DATA_IMAGES)
    return RAISE_AT(yaml, "data.target.shape", FED_E_INPUT,
                    "'%s' of class labels needs a format of arrays: npz, npy, safetensors, idx",
                    "data.target.shape");
  if (schema->target.probabilities || schema->resample == FED__RESAMPLE_BALANCED ||
      fed__augment_is_wanted(schema))
    return RAISE_AT(yaml, "data.target.shape", FED_E_INPUT,
                    "'%s': examples with a class for each place go without 'data.augment', "
                    "'data.resample' and the loss soft_cross_entropy",
                    "data.target.shape");
  return FED_OK;
}

static int check_classes(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__target_schema *target = &job->data.schema.target;
  const struct fed_train_options *options = &job->train.options;
  if (target->classes < 2)
    return RAISE_AT(yaml, "data.target.classes", FED_E_MISSING,
                    "'data.target.classes' must be at least 2 for class labels, found %u",
                    target->classes);
  if (target->name_count && target->name_count != target->classes)
    return RAISE_AT(yaml, "data.target.names", FED_E_INPUT,
                    "'data.target.names' has %zu entries, but 'data.target.classes' is %u",
                    target->name_count, target->classes);
  for (size_t i = 0; i < target->name_count; i++)
    for (size_t j = 0; j < i; j++)
      if (!strcmp(target->names[i], target->names[j]))
        return RAISE_AT(yaml, "data.target.names", FED_E_DUPLICATE, "class '%s' is given twice",
                        target->names[i]);
  if (options->class_weights && options->class_weight_count != target->classes)
    return RAISE_AT(yaml, "train.class_weights", FED_E_INPUT,
                    "'train.class_weights' has %zu entries, but 'data.target.classes' is %u",
                    options->class_weight_count, target->classes);
  return check_places(job, yaml);
}

/* What kind of target a loss can be computed from. */
static int check_loss(const struct fed__job *job, const struct fed__yaml *yaml) {
  const enum fed__target_kind kind = job->data.schema.target.kind;
  const enum fed_loss loss = job->train.options.loss;
  if (loss == FED_LOSS_OUTPUT) return FED_OK;
  if (loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY && kind == FED__TARGET_NUMBER)
    return RAISE_AT(yaml, "data.target.kind", FED_E_INPUT,
                    "'data.target.kind' %s does not fit 'model.loss', which needs class labels",
                    "number");
  if (loss != FED_LOSS_SOFTMAX_CROSS_ENTROPY && kind == FED__TARGET_NEXT)
    return RAISE_AT(yaml, "data.target.kind", FED_E_INPUT,
                    "'data.target.kind' %s needs 'model.loss' softmax_cross_entropy", "next");
  const int takes_class =
      loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY || loss == FED_LOSS_SOFT_CROSS_ENTROPY;
  if (!takes_class && kind == FED__TARGET_CLASS)
    return RAISE_AT(yaml, "data.target.kind", FED_E_INPUT,
                    "'data.target.kind' %s does not fit 'model.loss', which needs numbers",
                    "class");
  return FED_OK;
}

static int check_next(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  const struct fed__input_schema *input = &schema->inputs[0];
  if (schema->format != FED__DATA_JSONL || schema->input_count != 1 ||
      input->kind == FED__INPUT_NUMBERS)
    return RAISE_AT(yaml, "data.target.kind", FED_E_INPUT,
                    "'data.target.kind' %s needs format jsonl and one input of kind text or "
                    "indices",
                    "next");
  const size_t tokens =
      input->kind == FED__INPUT_TEXT ? fed__text_token_count(&schema->text) : (size_t)input->limit;
  if (schema->target.classes != tokens)
    return RAISE_AT(yaml, "data.target.classes", FED_E_INPUT,
                    "'data.target.classes' must be %zu, the tokens with padding and unknown, "
                    "found %u",
                    tokens, schema->target.classes);
  const struct fed_train_options *options = &job->train.options;
  if (options->ignored_label != FED__IGNORED_LABEL)
    return RAISE_AT(yaml, "train.ignored_label", FED_E_INPUT,
                    "'train.ignored_label' must be %d, the label of padding, found %lld",
                    FED__IGNORED_LABEL, (long long)options->ignored_label);
  return FED_OK;
}

static int check_target(const struct fed__job *job, const struct fed__yaml *yaml) {
  const enum fed__target_kind kind = job->data.schema.target.kind;
  FED_TRY(check_loss(job, yaml));
  if (kind == FED__TARGET_CLASS) return check_classes(job, yaml);
  return kind == FED__TARGET_NEXT ? check_next(job, yaml) : FED_OK;
}

/* ---- one format ----------------------------------------------------------------------------- */

static uint32_t slot_count(const struct fed__column_schema *column) {
  const size_t count = column->category_count;
  return count ? column->categories[count - 1].slot + 1 : 0;
}

static int check_column(const struct fed__job *job, const struct fed__yaml *yaml,
                        const struct fed__column_schema *column) {
  const uint32_t classes = job->data.schema.target.classes, slots = slot_count(column);
  if (column->kind == FED__COLUMN_CATEGORY && !slots)
    return RAISE_AT(yaml, "data.csv.columns", FED_E_MISSING,
                    "column '%s' is of kind category but has no 'categories'", column->name);
  if (column->kind == FED__COLUMN_CATEGORY && column->missing == FED__MISSING_MEAN)
    return RAISE_AT(yaml, "data.csv.columns", FED_E_INPUT,
                    "column '%s' is a category, which has no mean to stand in for missing fields; "
                    "use 'missing: value' or list the missing marker as a category",
                    column->name);
  if (column->kind == FED__COLUMN_TARGET && slots > classes)
    return RAISE_AT(yaml, "data.csv.columns", FED_E_INPUT,
                    "column '%s' has %u categories, but 'data.target.classes' is %u", column->name,
                    slots, classes);
  return FED_OK;
}

static int check_columns(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__csv_schema *csv = &job->data.schema.csv;
  size_t targets = 0;
  for (size_t i = 0; i < csv->column_count; i++) {
    const struct fed__column_schema *column = &csv->columns[i];
    FED_TRY(check_column(job, yaml, column));
    targets += column->kind == FED__COLUMN_TARGET;
    for (size_t j = 0; j < i; j++)
      if (!strcmp(column->name, csv->columns[j].name))
        return RAISE_AT(yaml, "data.csv.columns", FED_E_DUPLICATE, "column '%s' is given twice",
                        column->name);
  }
  if (targets == 1) return FED_OK;
  return RAISE_AT(yaml, "data.csv.columns", FED_E_INPUT,
                  "exactly one of 'data.csv.columns' must be of kind target, found %zu", targets);
}

static int check_csv(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  if (schema->format != FED__DATA_CSV) return FED_OK;
  if (schema->input_count != 1)
    return RAISE_AT(yaml, "data.inputs", FED_E_INPUT,
                    "format csv has one input, all columns side by side; found %zu",
                    schema->input_count);
  return check_columns(job, yaml);
}

static int check_arrays(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  const int named = schema->format == FED__DATA_NPZ || schema->format == FED__DATA_SAFETENSORS ||
                    schema->format == FED__DATA_JSONL;
  for (size_t i = 0; i < schema->input_count && named; i++)
    if (!schema->inputs[i].array)
      return RAISE_AT(yaml, "data.inputs", FED_E_MISSING,
                      "'data.inputs[%zu].array' is missing: the array's name in the file", i);
  if (named && !schema->target.array && schema->target.kind != FED__TARGET_NEXT)
    return RAISE_AT(yaml, "data.target", FED_E_MISSING,
                    "'%s' is missing: the array's name in the file", "data.target.array");
  const int separate = schema->format == FED__DATA_IDX || schema->format == FED__DATA_NPY;
  if (separate && !schema->target.file)
    return RAISE_AT(yaml, "data.target", FED_E_MISSING,
                    "'%s' is missing: in this format the target has a file of its own",
                    "data.target.file");
  return FED_OK;
}

static int check_images(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  const struct fed_shape *shape = &schema->inputs[0].shape;
  const struct fed__images_schema *images = &schema->images;
  if (schema->format != FED__DATA_IMAGES) return FED_OK;
  if (schema->input_count != 1 || schema->inputs[0].kind != FED__INPUT_NUMBERS)
    return RAISE_AT(yaml, "data.inputs", FED_E_INPUT,
                    "format images has one input, of kind numbers; found %zu inputs",
                    schema->input_count);
  if (shape->rank != 3 || (shape->dims[0] != 1 && shape->dims[0] != 3))
    return RAISE_AT(yaml, "data.inputs", FED_E_INPUT,
                    "'%s' of images must be [1 or 3, height, width]", "data.inputs.shape");
  const size_t channels = (size_t)shape->dims[0];
  if ((images->mean && images->mean_count != channels) ||
      (images->std && images->std_count != channels))
    return RAISE_AT(yaml, "data.images", FED_E_INPUT,
                    "'data.images' must have a mean and a std for each of %zu channels, found %zu "
                    "and %zu",
                    channels, images->mean_count, images->std_count);
  if (schema->target.kind == FED__TARGET_CLASS && !schema->target.file &&
      !schema->target.name_count)
    return RAISE_AT(yaml, "data.target", FED_E_MISSING,
                    "'%s' is missing: the folders' names, one a class; or a CSV file as "
                    "'data.target.file'",
                    "data.target.names");
  return FED_OK;
}

/* Settings that another format would look at. */
static int check_leftovers(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  const struct fed__images_schema *images = &schema->images;
  const enum fed__data_format format = schema->format;
  if (format != FED__DATA_CSV && schema->csv.column_count)
    return RAISE_AT(yaml, "data.csv", FED_E_INPUT,
                    "'%s' belongs to format csv; leave it out or change 'data.format'", "data.csv");
  if (format != FED__DATA_IMAGES && (images->mean || images->std || images->fit))
    return RAISE_AT(yaml, "data.images", FED_E_INPUT,
                    "'%s' belongs to format images; leave it out or change 'data.format'",
                    "data.images");
  if (format != FED__DATA_JSONL && (schema->text.characters || schema->text.words))
    return RAISE_AT(yaml, "data.vocabulary", FED_E_INPUT,
                    "'%s' belongs to format jsonl; leave it out or change 'data.format'",
                    "data.vocabulary");
  if (format != FED__DATA_JSONL && format != FED__DATA_IMAGES && schema->target.name_count)
    return RAISE_AT(yaml, "data.target.names", FED_E_INPUT,
                    "'%s' belongs to the formats jsonl and images; csv has categories",
                    "data.target.names");
  return FED_OK;
}

/* ---- inputs and what is done to them -------------------------------------------------------- */

static int check_input(const struct fed__job *job, const struct fed__yaml *yaml,
                       const struct fed__input_schema *input) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  if (input->kind == FED__INPUT_INDICES && input->limit == 0)
    return RAISE_AT(yaml, "data.inputs", FED_E_MISSING,
                    "'%s' is missing: how many different indices there are", "data.inputs.limit");
  if (input->kind == FED__INPUT_TEXT && schema->format != FED__DATA_JSONL)
    return RAISE_AT(yaml, "data.inputs", FED_E_INPUT, "inputs of kind text need 'data.format' %s",
                    "jsonl");
  if (input->kind == FED__INPUT_TEXT && !schema->text.characters == !schema->text.words)
    return RAISE_AT(yaml, "data.vocabulary", FED_E_MISSING,
                    "'%s' must have either characters or words, for inputs of kind text",
                    "data.vocabulary");
  if (schema->format == FED__DATA_JSONL && strcmp(input->file, schema->inputs[0].file) != 0)
    return RAISE_AT(yaml, "data.inputs", FED_E_INPUT,
                    "format jsonl has all inputs in one file, found '%s' and '%s'",
                    schema->inputs[0].file, input->file);
  if (schema->format == FED__DATA_JSONL && input->shape.rank == 0)
    return RAISE_AT(yaml, "data.inputs", FED_E_MISSING, "'%s' is missing: format jsonl needs it",
                    "data.inputs.shape");
  if (input->kind == FED__INPUT_NUMBERS || schema->format != FED__DATA_JSONL ||
      input->shape.rank == 1)
    return FED_OK;
  return RAISE_AT(yaml, "data.inputs", FED_E_INPUT,
                  "'%s' of a sequence must be one length, such as [80]", "data.inputs.shape");
}

static int check_augment(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  const struct fed__augment_schema *augment = &schema->augment;
  const int changes = augment->crop_padding || augment->flip || augment->rotate_degrees > 0 ||
                      augment->noise > 0 || augment->mixup > 0;
  if (changes && schema->inputs[0].kind != FED__INPUT_NUMBERS)
    return RAISE_AT(yaml, "data.augment", FED_E_INPUT,
                    "'%s' changes numbers, but the first input is of indices", "data.augment");
  if (augment->mixup > 0 && !schema->target.probabilities)
    return RAISE_AT(yaml, "data.augment.mixup", FED_E_INPUT,
                    "'%s' needs a class target and 'model.loss' soft_cross_entropy",
                    "data.augment.mixup");
  if (schema->resample == FED__RESAMPLE_BALANCED && schema->target.kind != FED__TARGET_CLASS)
    return RAISE_AT(yaml, "data.resample", FED_E_INPUT, "'data.resample' %s needs a class target",
                    "balanced");
  return FED_OK;
}

int fed__data_section_check(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  if (!job->data.name) return FED_OK;
  FED_TRY(check_leftovers(job, yaml));
  FED_TRY(check_target(job, yaml));
  FED_TRY(check_csv(job, yaml));
  FED_TRY(check_arrays(job, yaml));
  FED_TRY(check_images(job, yaml));
  for (size_t i = 0; i < schema->input_count; i++)
    FED_TRY(check_input(job, yaml, &schema->inputs[i]));
  return check_augment(job, yaml);
}
