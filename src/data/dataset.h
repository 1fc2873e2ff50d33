/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset.h: what a job declares about the data it trains on, and opening a data owner's files
 * as examples. The files are checked against the declaration before any training.
 *
 * Everything in a schema belongs to the caller. The texts and lists that it points to must stay as
 * long as the examples; the struct itself and its inputs are only looked at while opening. Zeroed
 * fields have the meaning that their comment gives.
 *
 * What fits into memory_bytes_max is kept there; the rest of a plain file is read row by row when a
 * batch wants it, so that memory stays bounded whatever the size of the data. Packed files (.gz,
 * deflated npz) cannot be read from the middle: they must fit into memory.
 *
 * The messages of errors name file, line, column and the value found, so they are for the data
 * owner: only the error's code may leave the data owner's machine.
 */
#ifndef FED_DATA_DATASET_H
#define FED_DATA_DATASET_H

#include "fed/examples.h"

enum fed__data_format {
  FED__DATA_IDX,         /* MNIST's format, plain or .gz; one file an array */
  FED__DATA_CSV,         /* RFC 4180, plain or .gz; one file with inputs and target */
  FED__DATA_NPY,         /* numpy.save; one file an array */
  FED__DATA_NPZ,         /* numpy.savez, numpy.savez_compressed; arrays have names */
  FED__DATA_SAFETENSORS, /* arrays have names */
  FED__DATA_JSONL,       /* a JSON object a line, plain or .gz; arrays are its fields */
  FED__DATA_IMAGES,      /* a folder of PNG and JPEG files */
};

enum fed__input_kind {
  FED__INPUT_NUMBERS, /* gathered as FED_F32: value * scale + offset */
  FED__INPUT_INDICES, /* gathered as FED_I64: integers in [0, limit); jsonl: a list of any length */
  FED__INPUT_TEXT, /* jsonl; gathered as FED_I64: the tokens of a text, or of a list of texts, which
                      are joined by line feeds */
};

/* One input of the model. */
struct fed__input_schema {
  const char *name;       /* the model's input; may be NULL */
  const char *file;       /* below the data folder, without ".." */
  const char *array;      /* the array's name (npz, safetensors) */
  struct fed_shape shape; /* of one example; rank 0: as in the file. Another shape in the file is
                             fine if it has as many elements. */
  double scale, offset;   /* value * scale + offset; scale 0: 1/255 for bytes, else 1 */
  enum fed__input_kind kind;
  uint32_t limit; /* FED__INPUT_INDICES */
};

enum fed__target_kind {
  FED__TARGET_CLASS,
  FED__TARGET_NUMBER,
  FED__TARGET_NEXT, /* jsonl: for each token of the one input, the token behind it */
};

/* The target where a sequence is padded; it does not count (torch.nn.CrossEntropyLoss's too). */
#define FED__IGNORED_LABEL (-100)

struct fed__target_schema {
  enum fed__target_kind kind;
  const char *file;         /* NULL: the first input's file (npz, safetensors, csv) */
  const char *array;        /* npz, safetensors */
  uint32_t classes;         /* FED__TARGET_CLASS: labels are integers in [0, classes) */
  struct fed_shape shape;   /* of one example's numbers, or labels; rank 0: one */
  const char *const *names; /* jsonl, images: of the classes, in their order */
  size_t name_count;
  int probabilities; /* classes are gathered as FED_F32 [classes]: 1 for the class, else 0 */
};

/* How texts become tokens: 0 is padding, 1 any token that is not listed, the list goes on from 2.
 */
#define FED__TOKEN_PADDING 0
#define FED__TOKEN_UNKNOWN 1
#define FED__TOKEN_FIRST 2
struct fed__text_schema {
  const char *characters;   /* each is a token, UTF-8; or NULL and: */
  const char *const *words; /* tokens: runs of letters, digits, apostrophes and anything beyond
                               ASCII; every other character but blanks is a word of its own */
  size_t word_count;
  int lower_case;  /* A to Z become a to z first */
  uint32_t stride; /* FED__TARGET_NEXT: tokens from one window to the next; 0: the length */
};

/* How an image becomes an input of shape [1 or 3, height, width]: grey (ITU-R 601 luma) or colour
 * without its alpha, resized by a triangle filter as wide as the scale (Pillow 11's BILINEAR, to
 * the bit), then (byte * scale + offset - mean) / std by channel. */
enum fed__image_fit {
  FED__IMAGE_STRETCH, /* the whole image, whatever its proportions */
  FED__IMAGE_COVER,   /* the largest part in the middle that has the right proportions */
};
struct fed__images_schema {
  enum fed__image_fit fit;
  const double *mean, *std; /* by channel; NULL: 0 and 1 */
  size_t mean_count, std_count;
};

/* Random changes of the first input in training (between begin_pass and end_pass), in this order.
 * The geometric ones need a shape [channels, height, width] or [height, width]; what comes from
 * outside of the image is 0. */
struct fed__augment_schema {
  uint32_t crop_padding; /* pixels: move by up to so many, down or up, right or left */
  int flip;              /* left and right, every other time */
  double rotate_degrees; /* about the centre, by up to so much either way; bilinear */
  double noise;          /* standard deviation of what is added to each value */
  double mixup; /* alpha: x = l x1 + (1 - l) x2 and the same for the class probabilities, with
                   l of Beta(alpha, alpha) and x2 another row of the batch (Zhang et al. 2018,
                   arXiv:1710.09412); needs target.probabilities */
};

/* How often training draws which rows. */
enum fed__resample {
  FED__RESAMPLE_NONE,     /* each once an epoch */
  FED__RESAMPLE_BALANCED, /* with replacement; all classes that are there equally often */
};

enum fed__column_kind {
  FED__COLUMN_IGNORE,
  FED__COLUMN_NUMBER,   /* one input value */
  FED__COLUMN_CATEGORY, /* one-hot, as many input values as slots */
  FED__COLUMN_TARGET,   /* a category if it has categories, else a number or class label */
};

/* What stands in for a missing field. All sites must agree, so nothing is computed from data. */
enum fed__missing_policy {
  FED__MISSING_REFUSE,
  FED__MISSING_MEAN,  /* the column's declared mean (numbers) */
  FED__MISSING_VALUE, /* missing_value: a number, or a category's slot */
};

/* A text that a category column may hold, and its slot or class; several may share a slot. */
struct fed__category {
  const char *text;
  uint32_t slot;
};

struct fed__column_schema {
  const char *name; /* as in the header; for messages when there is none */
  enum fed__column_kind kind;
  enum fed__missing_policy missing; /* a target must not be missing */
  double missing_value;
  const struct fed__category *categories;
  size_t category_count;
  int has_other; /* an unknown category goes to a slot of its own, the last; else refused */
  int has_range; /* numbers must lie in [min, max] */
  double min, max;
  double mean, std; /* std > 0: (value - mean) / std */
};

struct fed__csv_schema {
  char delimiter; /* 0: comma */
  int has_header; /* columns are found by name, others are ignored; else by position, all named */
  const char *const *missing_markers; /* fields that count as missing, e.g. "?", "", "NA" */
  size_t missing_marker_count;
  const struct fed__column_schema *columns; /* the order of the input values */
  size_t column_count;
};

struct fed__dataset_schema {
  enum fed__data_format format;
  const struct fed__input_schema *inputs; /* csv: one, all columns side by side */
  size_t input_count;
  struct fed__target_schema target;
  struct fed__csv_schema csv;
  struct fed__text_schema text;
  struct fed__images_schema images;
  struct fed__augment_schema augment;
  enum fed__resample resample;
  uint64_t memory_bytes_max; /* 0: FED__DATASET_MEMORY_BYTES */
};

#define FED__DATASET_MEMORY_BYTES ((uint64_t)256 << 20)

/* "idx", "csv", "npy", "npz", "safetensors", "jsonl", "images"; FED_E_INPUT for another word. */
FED_MUST int fed__data_format_parse(const char *word, enum fed__data_format *format);

/* The input values that a CSV's columns make: one a number, a slot each for a category. */
size_t fed__csv_width(const struct fed__csv_schema *csv);

/* The tokens of a vocabulary with padding and the unknown one. */
size_t fed__text_token_count(const struct fed__text_schema *text);

/* Open the files below `folder` and check them all. `*examples` is the caller's to free; its gather
 * leaves out the inputs of a batch whose data is NULL. Class labels are gathered as FED_I64 (unless
 * as probabilities), number targets as FED_F32.
 * FED_E_EMPTY without examples; FED_E_SHAPE, FED_E_TYPE, FED_E_RANGE, FED_E_NOT_FINITE,
 * FED_E_MISSING, FED_E_SYNTAX … for what does not fit; FED_E_DENIED for a file name that leads
 * out of the folder; FED_E_NOT_FOUND. */
FED_MUST int fed__dataset_open(const struct fed_context *context, const char *folder,
                               const struct fed__dataset_schema *schema,
                               struct fed_examples **examples);

/* The classes of rows[0..row_count); `rows` NULL: of the first row_count. FED_E_INPUT if the target
 * is no class. */
FED_MUST int fed__dataset_labels(const struct fed_context *context,
                                 const struct fed__dataset_schema *schema,
                                 struct fed_examples *examples, const uint32_t *rows,
                                 size_t row_count, int64_t *labels);

/* The weights of rows for fed_epochs.row_weights under schema->resample, one a row, the caller's to
 * free; NULL for FED__RESAMPLE_NONE. FED_E_INPUT if the target is no class. */
FED_MUST int fed__dataset_row_weights(const struct fed_context *context,
                                      const struct fed__dataset_schema *schema,
                                      struct fed_examples *examples, const uint32_t *rows,
                                      size_t row_count, double **weights);

#endif
