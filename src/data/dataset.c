/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset.c: the table of the formats, and opening a dataset with one of them.
 */
#include "data/dataset.h"
#include "base/raise.h"
#include "data/csv.h"
#include "data/dataset_examples.h"
#include "data/idx.h"
#include "data/npy.h"
#include "data/safetensors_read.h"

#include <string.h>

/* Where an array is: a file of the data folder, and a name in it if the format has names. */
struct place {
  const struct fed_context *context;
  const char *folder;
  const char *file;
  const char *array;
};

static int read_idx(const struct place *place, struct fed__array *array) {
  return fed__idx_read(place->context, place->folder, place->file, array);
}

static int read_npy(const struct place *place, struct fed__array *array) {
  return fed__npy_read(place->context, place->folder, place->file, array);
}

static int read_npz(const struct place *place, struct fed__array *array) {
  return fed__npz_read(place->context, place->folder, place->file, place->array, array);
}

static int read_safetensors(const struct place *place, struct fed__array *array) {
  return fed__safetensors_read(place->context, place->folder, place->file, place->array, array);
}

static const struct {
  const char *name;
  int (*read)(const struct place *place, struct fed__array *array);
} formats[] = {
    [FED__DATA_IDX] = {"idx", read_idx},
    [FED__DATA_CSV] = {"csv", NULL}, /* not arrays, but one table: fed__csv_read */
    [FED__DATA_NPY] = {"npy", read_npy},
    [FED__DATA_NPZ] = {"npz", read_npz},
    [FED__DATA_SAFETENSORS] = {"safetensors", read_safetensors},
};
#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

int fed__data_format_parse(const char *word, enum fed__data_format *format) {
  for (size_t i = 0; i < FORMAT_COUNT; i++)
    if (strcmp(formats[i].name, word) == 0) {
      *format = (enum fed__data_format)i;
      return FED_OK;
    }
  return FED_RAISE(FED_E_INPUT,
                   "expected the data format idx, csv, npy, npz or safetensors, found '%.60s'",
                   word);
}

static int read_arrays(const struct fed_context *context, const char *folder,
                       const struct fed__dataset_schema *schema,
                       struct fed__dataset_arrays *arrays) {
  if (schema->format == FED__DATA_CSV) return fed__csv_read(context, folder, schema, arrays);
  struct place place = {context, folder, NULL, NULL};
  for (size_t i = 0; i < schema->input_count; i++) {
    place.file = schema->inputs[i].file;
    place.array = schema->inputs[i].array;
    FED_TRY(formats[schema->format].read(&place, &arrays->inputs[i]));
  }
  place.file = schema->target.file ? schema->target.file : schema->inputs[0].file;
  place.array = schema->target.array;
  return formats[schema->format].read(&place, &arrays->target);
}

int fed__dataset_open(const struct fed_context *context, const char *folder,
                      const struct fed__dataset_schema *schema, struct fed_examples **examples) {
  if ((size_t)schema->format >= FORMAT_COUNT)
    return FED_RAISE(FED_E_USAGE, "there is no data format %d", (int)schema->format);
  if (schema->input_count < 1 || schema->input_count > FED_INPUTS_MAX)
    return FED_RAISE(FED_E_RANGE, "expected 1 to %d inputs, the job declares %zu", FED_INPUTS_MAX,
                     schema->input_count);
  struct fed__dataset_arrays arrays = {0};
  int code = read_arrays(context, folder, schema, &arrays);
  if (code == FED_OK) code = fed__dataset_examples_new(context, schema, &arrays, examples);
  fed__dataset_arrays_clear(&arrays);
  return code;
}
