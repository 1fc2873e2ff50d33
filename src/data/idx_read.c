/* SPDX-License-Identifier: Apache-2.0
 *
 * idx_read.c: read an IDX file. Memory: the elements as they are in the file, or none
 * of them (data_array.h).
 */
#include "base/raise.h"
#include "data/idx.h"

#include <stdio.h>

static int parse_type(struct fed__array *array, const uint8_t magic[4]) {
  static const struct {
    uint8_t code;
    enum fed_dtype dtype;
  } types[] = {{0x08, FED_U8},  {0x09, FED_I8},  {0x0b, FED_I16},
               {0x0c, FED_I32}, {0x0d, FED_F32}, {0x0e, FED_F64}};
  for (size_t i = 0; i < sizeof types / sizeof types[0] && !magic[0] && !magic[1]; i++)
    if (types[i].code == magic[2]) {
      array->dtype = types[i].dtype;
      return FED_OK;
    }
  return FED_RAISE(FED_E_SYNTAX,
                   "'%s' is no IDX file: expected it to start with 00 00, a type (08, 09, 0b to "
                   "0e) and the rank, found %02x %02x %02x %02x",
                   array->name, magic[0], magic[1], magic[2], magic[3]);
}

static int read_header(struct fed__source *source, struct fed__array *array) {
  uint8_t magic[4], extent[4];
  FED_TRY(fed__source_exact(source, magic, sizeof magic, "the IDX magic number"));
  FED_TRY(parse_type(array, magic));
  if (magic[3] < 1 || magic[3] > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "'%s': expected 1 to %d dimensions, found %u", array->name,
                     FED_RANK_MAX, magic[3]);
  array->shape.rank = magic[3];
  for (uint32_t i = 0; i < array->shape.rank; i++) {
    FED_TRY(fed__source_exact(source, extent, sizeof extent, "the IDX dimensions"));
    array->shape.dims[i] = (int64_t)((uint32_t)extent[0] << 24 | (uint32_t)extent[1] << 16 |
                                     (uint32_t)extent[2] << 8 | extent[3]);
  }
  return FED_OK;
}

int fed__idx_read(const struct fed__array_place *place, struct fed__array *array) {
  struct fed__source source;
  FED_TRY(fed__source_open(place->context, place->folder, place->file, &source));
  *array = (struct fed__array){.context = place->context};
  snprintf(array->name, sizeof array->name, "%s", source.name);
  int code = read_header(&source, array);
  if (code == FED_OK) code = fed__array_load(array, &source, FED__BIG_ENDIAN, place->memory_max);
  fed__source_close(&source);
  return code;
}
