/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset.h: what a job declares about the data it trains on, and opening a data owner's files
 * as examples. The files are checked against the declaration before any training.
 *
 * Everything in a schema belongs to the caller and is only looked at during fed__dataset_open.
 * Zeroed fields have the meaning that their comment gives.
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
};

/* One input of the model. */
struct fed__input_schema {
  const char *name;       /* the model's input; may be NULL */
  const char *file;       /* below the data folder, without ".." */
  const char *array;      /* the array's name (npz, safetensors) */
  struct fed_shape shape; /* of one example; rank 0: as in the file. Another shape in the file is
                             fine if it has as many elements. */
  double scale, offset;   /* value * scale + offset; scale 0: 1/255 for bytes, else 1 */
};

enum fed__target_kind { FED__TARGET_CLASS, FED__TARGET_NUMBER };

struct fed__target_schema {
  enum fed__target_kind kind;
  const char *file;       /* NULL: the first input's file (npz, safetensors, csv) */
  const char *array;      /* npz, safetensors */
  uint32_t classes;       /* FED__TARGET_CLASS: labels are integers in [0, classes) */
  struct fed_shape shape; /* FED__TARGET_NUMBER: of one example; rank 0: one number */
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
};

/* "idx", "csv", "npy", "npz", "safetensors"; FED_E_INPUT for another word. */
FED_MUST int fed__data_format_parse(const char *word, enum fed__data_format *format);

/* The input values that a CSV's columns make: one a number, a slot each for a category. */
size_t fed__csv_width(const struct fed__csv_schema *csv);

/* Open the files below `folder` and check them. `*examples` is the caller's to free. Inputs are
 * gathered as FED_F32, class labels as FED_I64, number targets as FED_F32. Memory: the arrays in
 * the element type of the file; csv: 4 bytes an input value.
 * FED_E_EMPTY without examples; FED_E_SHAPE, FED_E_TYPE, FED_E_RANGE, FED_E_NOT_FINITE,
 * FED_E_MISSING, FED_E_SYNTAX … for what does not fit; FED_E_DENIED for a file name that leads
 * out of the folder; FED_E_NOT_FOUND. */
FED_MUST int fed__dataset_open(const struct fed_context *context, const char *folder,
                               const struct fed__dataset_schema *schema,
                               struct fed_examples **examples);

#endif
