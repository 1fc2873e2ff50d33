/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset.c: the table of the formats, and opening a dataset with one of them.
 */
#include "data/dataset.h"
#include "base/raise.h"
#include "data/augment.h"
#include "data/csv.h"
#include "data/dataset_examples.h"
#include "data/idx.h"
#include "data/image_examples.h"
#include "data/jsonl.h"
#include "data/npy.h"
#include "data/safetensors_read.h"

#include <string.h>

static const struct {
  const char *name;
  int (*read)(const struct fed__array_place *place, struct fed__array *array); /* of arrays */
  int (*open)(const struct fed_context *context, const char *folder,
              const struct fed__dataset_schema *schema,
              struct fed__records **records); /* of records */
} formats[] = {
    [FED__DATA_IDX] = {"idx", fed__idx_read, NULL},
    [FED__DATA_CSV] = {"csv", NULL, fed__csv_open},
    [FED__DATA_NPY] = {"npy", fed__npy_read, NULL},
    [FED__DATA_NPZ] = {"npz", fed__npz_read, NULL},
    [FED__DATA_SAFETENSORS] = {"safetensors", fed__safetensors_read, NULL},
    [FED__DATA_JSONL] = {"jsonl", NULL, fed__jsonl_open},
    [FED__DATA_IMAGES] = {"images", NULL, NULL}, /* fed__image_examples_open */
};
#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

int fed__data_format_parse(const char *word, enum fed__data_format *format) {
  for (size_t i = 0; i < FORMAT_COUNT; i++)
    if (strcmp(formats[i].name, word) == 0) {
      *format = (enum fed__data_format)i;
      return FED_OK;
    }
  return FED_RAISE(
      FED_E_INPUT,
      "expected the data format idx, csv, npy, npz, safetensors, jsonl or images, found '%.60s'",
      word);
}

int fed__dataset_read_array(enum fed__data_format format, const struct fed__array_place *place,
                            struct fed__array *array) {
  FED_REQUIRE(formats[format].read);
  return formats[format].read(place, array);
}

/* The memory is for all arrays together, first come, first served. */
static int read_array(const struct fed__dataset_schema *schema, struct fed__array_place *place,
                      struct fed__array *array) {
  FED_TRY(fed__dataset_read_array(schema->format, place, array));
  if (array->data) {
    const uint64_t bytes = fed__array_bytes(array);
    place->memory_max -= bytes < place->memory_max ? bytes : place->memory_max;
  }
  return FED_OK;
}

static int read_arrays(struct fed__array_place place, const struct fed__dataset_schema *schema,
                       struct fed__dataset_arrays *arrays) {
  for (size_t i = 0; i < schema->input_count; i++) {
    place.file = schema->inputs[i].file;
    place.array = schema->inputs[i].array;
    FED_TRY(read_array(schema, &place, &arrays->inputs[i]));
  }
  place.file = schema->target.file ? schema->target.file : schema->inputs[0].file;
  place.array = schema->target.array;
  return read_array(schema, &place, &arrays->target);
}

static int open_arrays(const struct fed__array_place *place,
                       const struct fed__dataset_schema *schema, struct fed_examples **examples) {
  struct fed__dataset_arrays arrays = {0};
  int code = read_arrays(*place, schema, &arrays);
  if (code == FED_OK) code = fed__dataset_examples_new(place->context, schema, &arrays, examples);
  fed__dataset_arrays_clear(&arrays);
  return code;
}

static int open_records(const struct fed__array_place *place,
                        const struct fed__dataset_schema *schema, struct fed_examples **examples) {
  struct fed__records *records = NULL;
  FED_TRY(formats[schema->format].open(place->context, place->folder, schema, &records));
  const int code = fed__record_examples_new(records, place->memory_max, examples);
  if (code != FED_OK) records->free(records);
  return code;
}

static int open_format(const struct fed__array_place *place,
                       const struct fed__dataset_schema *schema, struct fed_examples **examples) {
  if (formats[schema->format].read) return open_arrays(place, schema, examples);
  if (formats[schema->format].open) return open_records(place, schema, examples);
  return fed__image_examples_open(place->context, place->folder, schema, place->memory_max,
                                  examples);
}

int fed__dataset_open(const struct fed_context *context, const char *folder,
                      const struct fed__dataset_schema *schema, struct fed_examples **examples) {
  if ((size_t)schema->format >= FORMAT_COUNT)
    return FED_RAISE(FED_E_USAGE, "there is no data format %d", (int)schema->format);
  if (schema->input_count < 1 || schema->input_count > FED_INPUTS_MAX)
    return FED_RAISE(FED_E_RANGE, "expected 1 to %d inputs, the job declares %zu", FED_INPUTS_MAX,
                     schema->input_count);
  const uint64_t memory_max =
      schema->memory_bytes_max ? schema->memory_bytes_max : FED__DATASET_MEMORY_BYTES;
  const struct fed__array_place place = {context, folder, NULL, NULL, memory_max};
  struct fed_examples *plain = NULL;
  FED_TRY(open_format(&place, schema, &plain));
  if (!fed__augment_is_wanted(schema)) {
    *examples = plain;
    return FED_OK;
  }
  const int code = fed__augment_new(context, schema, plain, examples);
  if (code != FED_OK) fed_examples_free(plain);
  return code;
}
