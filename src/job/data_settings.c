/* SPDX-License-Identifier: Apache-2.0
 *
 * data_settings.c: the settings of a job file's section `data`, in the order of the manual.
 */
#include "job/data_section.h"

#include <math.h>

#define AT(field) .offset = offsetof(struct fed__job, field)

static const char *const formats[] = {[FED__DATA_IDX] = "idx",
                                      [FED__DATA_CSV] = "csv",
                                      [FED__DATA_NPY] = "npy",
                                      [FED__DATA_NPZ] = "npz",
                                      [FED__DATA_SAFETENSORS] = "safetensors",
                                      [FED__DATA_JSONL] = "jsonl",
                                      [FED__DATA_IMAGES] = "images",
                                      NULL};
static const char *const target_kinds[] = {[FED__TARGET_CLASS] = "class",
                                           [FED__TARGET_NUMBER] = "number",
                                           [FED__TARGET_NEXT] = "next",
                                           NULL};
static const char *const input_kinds[] = {[FED__INPUT_NUMBERS] = "numbers",
                                          [FED__INPUT_INDICES] = "indices",
                                          [FED__INPUT_TEXT] = "text",
                                          NULL};
static const char *const fits[] = {
    [FED__IMAGE_STRETCH] = "stretch", [FED__IMAGE_COVER] = "cover", NULL};
static const char *const resamples[] = {
    [FED__RESAMPLE_NONE] = "none", [FED__RESAMPLE_BALANCED] = "balanced", NULL};
static const char *const column_kinds[] = {[FED__COLUMN_IGNORE] = "ignore",
                                           [FED__COLUMN_NUMBER] = "number",
                                           [FED__COLUMN_CATEGORY] = "category",
                                           [FED__COLUMN_TARGET] = "target",
                                           NULL};
static const char *const missing_policies[] = {[FED__MISSING_REFUSE] = "refuse",
                                               [FED__MISSING_MEAN] = "mean",
                                               [FED__MISSING_VALUE] = "value",
                                               NULL};

#define INPUT(field) .offset = offsetof(struct fed__input_schema, field)
static const struct fed__setting inputs[] = {
    {"file", FED__SETTING_TEXT, .required = 1, INPUT(file), .minimum = 1,
     .meaning = "its file below the data folder; images: a folder, '.' for the data folder"},
    {"array", FED__SETTING_TEXT, INPUT(array), .minimum = 1,
     .meaning = "npz, safetensors: the array's name in the file; jsonl: the field's name"},
    {"kind", FED__SETTING_WORD, INPUT(kind), .initial = "numbers", .words = input_kinds,
     .meaning =
         "numbers, indices of a table (of tokens, categories), or text that becomes indices by "
         "'data.vocabulary'; a sequence of indices or text is cut or padded to its shape"},
    {"limit", FED__SETTING_COUNT, INPUT(limit), .initial = "0",
     .meaning = "indices: they are 0 up to one less"},
    {"name", FED__SETTING_TEXT, INPUT(name), .minimum = 1,
     .meaning = "the model's input that it feeds; left out: in the model's order"},
    {"shape", FED__SETTING_SHAPE, INPUT(shape), .maximum = FED_RANK_MAX,
     .meaning = "the shape of one example; left out: as in the file"},
    {"scale", FED__SETTING_NUMBER, INPUT(scale), .initial = "0", .minimum = -INFINITY,
     .meaning = "not csv: numbers are multiplied by it; 0: 1/255 for bytes, else 1"},
    {"offset", FED__SETTING_NUMBER, INPUT(offset), .initial = "0", .minimum = -INFINITY,
     .meaning = "not csv: then this is added"},
    {NULL}};

static const struct fed__setting target[] = {
    {"kind", FED__SETTING_WORD, AT(data.schema.target.kind), .initial = "class",
     .words = target_kinds,
     .meaning = "a class label, numbers, or (jsonl) the next token of a sequence"},
    {"classes", FED__SETTING_COUNT, AT(data.schema.target.classes), .initial = "0",
     .maximum = 1000000, .unit = "classes",
     .meaning = "labels are 0 up to one less; left out: as many as names; next: all tokens, with "
                "padding and unknown"},
    {"names", FED__SETTING_TEXTS, AT(data.schema.target.names),
     .more_offset = offsetof(struct fed__job, data.schema.target.name_count), .minimum = 1,
     .meaning = "images, jsonl: what the classes are called in the files, in their order"},
    {"stride", FED__SETTING_COUNT, AT(data.schema.text.stride), .initial = "0", .unit = "tokens",
     .meaning = "next: from one window of a long sequence to the following one; 0: the length of "
                "the input"},
    {"file", FED__SETTING_TEXT, AT(data.schema.target.file), .minimum = 1,
     .meaning = "its file below the data folder; left out: the first input's; images: a CSV file "
                "with the columns file and label, left out: folders with the classes' names"},
    {"array", FED__SETTING_TEXT, AT(data.schema.target.array), .minimum = 1,
     .meaning = "npz, safetensors: the array's name in the file; jsonl: the field's name; images: "
                "the label column's, if it is not label"},
    {"shape", FED__SETTING_SHAPE, AT(data.schema.target.shape), .maximum = FED_RANK_MAX,
     .meaning =
         "of one example's numbers, or of its labels where each place of the output has one; "
         "left out: one"},
    {NULL}};

#define COLUMN(field) .offset = offsetof(struct fed__column_schema, field)
static const struct fed__setting columns[] = {
    {"name", FED__SETTING_TEXT, .required = 1, COLUMN(name), .minimum = 1,
     .meaning = "as in the header"},
    {"kind", FED__SETTING_WORD, .required = 1, COLUMN(kind), .words = column_kinds,
     .meaning = "what the column is to the model; a category becomes one input value a slot"},
    {"categories", FED__SETTING_CATEGORIES, COLUMN(categories),
     .more_offset = offsetof(struct fed__column_schema, category_count),
     .meaning = "category, target: the texts that may occur, in the order of their slots or "
                "classes; texts in a list of their own share one: [no, [yes, maybe]]"},
    {"other", FED__SETTING_FLAG, COLUMN(has_other), .initial = "false",
     .meaning = "category: any other text goes to a slot of its own, the last; else it is "
                "refused"},
    {"range", FED__SETTING_SPAN, COLUMN(min),
     .more_offset = offsetof(struct fed__column_schema, has_range),
     .meaning = "number: values outside of [smallest, largest] are refused"},
    {"mean", FED__SETTING_NUMBER, COLUMN(mean), .initial = "0", .minimum = -INFINITY,
     .meaning = "number: with std, (value - mean) / std is what the model sees; the same at "
                "every site, so never computed from data"},
    {"std", FED__SETTING_NUMBER, COLUMN(std), .initial = "0",
     .meaning = "number: the standard deviation; 0: values as they are"},
    {"missing", FED__SETTING_WORD, COLUMN(missing), .initial = "refuse", .words = missing_policies,
     .meaning = "what stands in for a missing field"},
    {"missing_value", FED__SETTING_NUMBER, COLUMN(missing_value), .initial = "0",
     .minimum = -INFINITY, .meaning = "with missing: value; the number, or a category's slot"},
    {NULL}};
_Static_assert(offsetof(struct fed__column_schema, max) ==
                   offsetof(struct fed__column_schema, min) + sizeof(double),
               "a span is two doubles in a row");

static const struct fed__setting csv[] = {
    {"delimiter", FED__SETTING_CHARACTER, AT(data.schema.csv.delimiter), .initial = ",",
     .meaning = "between two fields"},
    {"header", FED__SETTING_FLAG, AT(data.schema.csv.has_header), .initial = "true",
     .meaning = "does the file begin with the columns' names? If so other columns are passed "
                "over; if not the columns here are all columns, in order"},
    {"missing_markers", FED__SETTING_TEXTS, AT(data.schema.csv.missing_markers),
     .more_offset = offsetof(struct fed__job, data.schema.csv.missing_marker_count),
     .meaning = "fields that count as missing, such as [\"?\", \"\", NA]"},
    {"columns", FED__SETTING_ITEMS, AT(data.schema.csv.columns),
     .more_offset = offsetof(struct fed__job, data.schema.csv.column_count),
     .item_size = sizeof(struct fed__column_schema), .inner = columns, .minimum = 1,
     .maximum = 4096, .meaning = "the columns, in the order of the model's input values"},
    {NULL}};

static const struct fed__setting vocabulary[] = {
    {"characters", FED__SETTING_TEXT, AT(data.schema.text.characters), .minimum = 1,
     .meaning = "each character of this text is a token: the first is number 2, since 0 is padding "
                "and 1 is whatever is not listed"},
    {"words", FED__SETTING_TEXTS, AT(data.schema.text.words),
     .more_offset = offsetof(struct fed__job, data.schema.text.word_count), .minimum = 1,
     .meaning = "or these words are, from number 2 on; a text's words are its runs of letters, "
                "digits, apostrophes and anything beyond ASCII; each other character but blanks is "
                "a word of its own"},
    {"lower_case", FED__SETTING_FLAG, AT(data.schema.text.lower_case), .initial = "false",
     .meaning = "A to Z become a to z before that"},
    {NULL}};

static const struct fed__setting images[] = {
    {"fit", FED__SETTING_WORD, AT(data.schema.images.fit), .initial = "stretch", .words = fits,
     .meaning = "stretch: all of the image, whatever its proportions; cover: the largest part in "
                "its middle that has the right ones"},
    {"mean", FED__SETTING_NUMBERS, AT(data.schema.images.mean),
     .more_offset = offsetof(struct fed__job, data.schema.images.mean_count), .minimum = -INFINITY,
     .meaning = "of each channel, subtracted after scale and offset; the same at every site, so "
                "never computed from data"},
    {"std", FED__SETTING_NUMBERS, AT(data.schema.images.std),
     .more_offset = offsetof(struct fed__job, data.schema.images.std_count), .above = 1,
     .meaning = "of each channel: then divided by this"},
    {NULL}};

#define AUGMENT(field) AT(data.schema.augment.field)
static const struct fed__setting augment[] = {
    {"crop_padding", FED__SETTING_COUNT, AUGMENT(crop_padding), .initial = "0", .maximum = 32768,
     .unit = "pixels", .meaning = "move the image up to so far in each direction; 0 comes in"},
    {"flip", FED__SETTING_FLAG, AUGMENT(flip), .initial = "false",
     .meaning = "left and right change places, every other time"},
    {"rotate_degrees", FED__SETTING_NUMBER, AUGMENT(rotate_degrees), .initial = "0", .maximum = 180,
     .meaning = "turn the image by up to so much either way; 0 comes in"},
    {"noise", FED__SETTING_NUMBER, AUGMENT(noise), .initial = "0", .maximum = 1e6,
     .meaning = "standard deviation of Gaussian noise on each value that the model sees"},
    {"mixup", FED__SETTING_NUMBER, AUGMENT(mixup), .initial = "0", .maximum = 1000,
     .meaning = "alpha: blend each example with another of its batch; needs the loss "
                "soft_cross_entropy; 0: do not"},
    {NULL}};

const struct fed__setting fed__data_settings[] = {
    {"name", FED__SETTING_NAME, .required = 1, AT(data.name),
     .meaning = "of the data set, as the agents' policies call it"},
    {"format", FED__SETTING_WORD, .required = 1, AT(data.schema.format), .words = formats,
     .meaning = "of the files; idx, csv, npy and jsonl may be packed (.gz)"},
    {"inputs", FED__SETTING_ITEMS, .required = 1, AT(data.schema.inputs),
     .more_offset = offsetof(struct fed__job, data.schema.input_count),
     .item_size = sizeof(struct fed__input_schema), .inner = inputs, .minimum = 1,
     .maximum = FED_INPUTS_MAX, .meaning = "the model's inputs; one map if there is one"},
    {"target", FED__SETTING_SECTION, .inner = target, .meaning = "what the model learns to say"},
    {"csv", FED__SETTING_SECTION, .inner = csv, .meaning = "how csv files are to be read"},
    {"vocabulary", FED__SETTING_SECTION, .inner = vocabulary, .meaning = "how texts become tokens"},
    {"images", FED__SETTING_SECTION, .inner = images, .meaning = "how images become inputs"},
    {"augment", FED__SETTING_SECTION, .inner = augment,
     .meaning = "random changes of the first input in training, never in evaluation"},
    {"resample", FED__SETTING_WORD, AT(data.schema.resample), .initial = "none", .words = resamples,
     .meaning = "balanced: an epoch draws with replacement, all classes of a site equally often"},
    {"holdout", FED__SETTING_NUMBER, AT(data.holdout), .initial = "0.1", .maximum = 1, .below = 1,
     .meaning = "the part of each agent's examples that is kept for evaluation"},
    {"examples_min", FED__SETTING_COUNT64, AT(data.examples_min), .initial = "1", .minimum = 1,
     .unit = "examples", .meaning = "an agent with fewer does not take part"},
    {NULL}};
