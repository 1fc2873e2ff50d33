/* SPDX-License-Identifier: Apache-2.0
 *
 * npy_read.c: read an NPY stream. The header is a Python literal; only the one form that numpy
 * writes is understood, keys in any order. Memory: the elements as they are in the file, or none
 * of them (data_array.h).
 */
#include "base/raise.h"
#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#define HEADER_BYTES_MAX 10000 /* numpy's own limit */
#define SHAPE_DIGITS_MAX 18

struct header {
  char descr[16];
  int has_descr, has_order, has_shape;
  int fortran_order;
  struct fed_shape shape;
};

static void skip_blanks(const char **at) { *at += strspn(*at, " "); }

static int eat(const char **at, const char *word) {
  skip_blanks(at);
  const size_t length = strlen(word);
  if (strncmp(*at, word, length) != 0) return 0;
  *at += length;
  return 1;
}

/* A string without escapes; 0 if it is none or does not fit. */
static int eat_string(const char **at, char *text, size_t size) {
  const char quote = eat(at, "'") ? '\'' : eat(at, "\"") ? '"' : '\0';
  const char *end = quote ? strchr(*at, quote) : NULL;
  if (!end || (size_t)(end - *at) >= size || memchr(*at, '\\', (size_t)(end - *at))) return 0;
  memcpy(text, *at, (size_t)(end - *at));
  text[end - *at] = '\0';
  *at = end + 1;
  return 1;
}

static int eat_extent(const char **at, int64_t *extent) {
  skip_blanks(at);
  const size_t digits = strspn(*at, "0123456789");
  if (digits == 0 || digits > SHAPE_DIGITS_MAX) return 0;
  *extent = 0;
  for (size_t i = 0; i < digits; i++) *extent = *extent * 10 + (*at)[i] - '0';
  *at += digits;
  return 1;
}

/* (), (3,), (3, 2) */
static int eat_shape(const char **at, struct fed_shape *shape) {
  if (!eat(at, "(")) return 0;
  shape->rank = 0;
  while (!eat(at, ")")) {
    if (shape->rank == FED_RANK_MAX || !eat_extent(at, &shape->dims[shape->rank])) return 0;
    shape->rank++;
    if (!eat(at, ",")) return shape->rank > 1 && eat(at, ")");
  }
  return 1;
}

static int eat_entry(const char **at, struct header *header) {
  char key[16];
  if (!eat_string(at, key, sizeof key) || !eat(at, ":")) return 0;
  if (strcmp(key, "descr") == 0 && !header->has_descr++)
    return eat_string(at, header->descr, sizeof header->descr);
  if (strcmp(key, "shape") == 0 && !header->has_shape++) return eat_shape(at, &header->shape);
  if (strcmp(key, "fortran_order") != 0 || header->has_order++) return 0;
  header->fortran_order = eat(at, "True");
  return header->fortran_order || eat(at, "False");
}

static int parse_header(const char *name, const char *text, struct header *header) {
  const char *at = text;
  int fine = eat(&at, "{");
  while (fine && !eat(&at, "}")) {
    fine = eat_entry(&at, header);
    if (fine && !eat(&at, ",")) {
      fine = eat(&at, "}");
      break;
    }
  }
  if (fine && header->has_descr && header->has_order && header->has_shape && eat(&at, "\n") && !*at)
    return FED_OK;
  return FED_RAISE(FED_E_SYNTAX,
                   "the header of '%s' is not {'descr': …, 'fortran_order': …, 'shape': …} with a "
                   "simple element type and at most %d dimensions; it goes wrong at '%.20s'",
                   name, FED_RANK_MAX, at);
}

static int parse_descr(const char *name, const char *descr, enum fed_dtype *dtype,
                       enum fed__byte_order *order) {
  static const struct {
    const char *name;
    enum fed_dtype dtype;
  } types[] = {{"f4", FED_F32}, {"f8", FED_F64}, {"b1", FED_BOOL}, {"i1", FED_I8},
               {"u1", FED_U8},  {"i2", FED_I16}, {"u2", FED_U16},  {"i4", FED_I32},
               {"u4", FED_U32}, {"i8", FED_I64}, {"u8", FED_U64}};
  *order = *descr == '>' ? FED__BIG_ENDIAN : FED__LITTLE_ENDIAN;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (strchr(types[i].name[1] == '1' ? "<>|" : "<>", *descr) && *descr &&
        strcmp(types[i].name, descr + 1) == 0) {
      *dtype = types[i].dtype;
      return FED_OK;
    }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "the elements of '%s' are '%s': expected booleans, integers, float32 or float64",
                   name, descr);
}

/* The header's text; its size stands in 2 bytes in version 1, in 4 since version 2. */
static int read_header(struct fed__source *source, const char *name,
                       char text[HEADER_BYTES_MAX + 1]) {
  uint8_t start[8], size_bytes[4] = {0};
  FED_TRY(fed__source_exact(source, start, sizeof start, "the NPY magic number"));
  if (memcmp(start, "\x93NUMPY", 6) != 0)
    return FED_RAISE(FED_E_SYNTAX, "'%s' is no NPY file: expected it to start with \\x93NUMPY",
                     name);
  if (start[6] < 1 || start[6] > 3)
    return FED_RAISE(FED_E_UNSUPPORTED, "'%s' has NPY version %u: expected 1, 2 or 3", name,
                     start[6]);
  FED_TRY(fed__source_exact(source, size_bytes, start[6] == 1 ? 2 : 4, "the NPY header size"));
  const uint32_t size = (uint32_t)size_bytes[3] << 24 | (uint32_t)size_bytes[2] << 16 |
                        (uint32_t)size_bytes[1] << 8 | size_bytes[0];
  if (size > HEADER_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the header of '%s' has %u bytes: expected at most %d", name,
                     size, HEADER_BYTES_MAX);
  FED_TRY(fed__source_exact(source, text, size, "the NPY header"));
  text[size] = '\0';
  if (strlen(text) != size)
    return FED_RAISE(FED_E_SYNTAX, "there is a zero byte in the header of '%s'", name);
  return FED_OK;
}

int fed__npy_load(struct fed__source *source, struct fed__array *array, uint64_t memory_max) {
  char text[HEADER_BYTES_MAX + 1];
  struct header header = {.has_descr = 0};
  enum fed__byte_order order;
  FED_TRY(read_header(source, array->name, text));
  FED_TRY(parse_header(array->name, text, &header));
  FED_TRY(parse_descr(array->name, header.descr, &array->dtype, &order));
  if (header.fortran_order)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "'%s' is in Fortran order: save it with numpy.ascontiguousarray", array->name);
  array->shape = header.shape;
  return fed__array_load(array, source, order, memory_max);
}

int fed__npy_read(const struct fed__array_place *place, struct fed__array *array) {
  struct fed__source source;
  FED_TRY(fed__source_open(place->context, place->folder, place->file, &source));
  *array = (struct fed__array){.context = place->context};
  snprintf(array->name, sizeof array->name, "%s", source.name);
  int code = fed__npy_load(&source, array, place->memory_max);
  fed__source_close(&source);
  return code;
}
