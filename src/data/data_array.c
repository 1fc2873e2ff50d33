/* SPDX-License-Identifier: Apache-2.0
 *
 * data_array.c: loading arrays, or leaving them in their file, and converting their elements.
 */
#include "data/data_array.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/wide.h"

#include <fcntl.h>
#include <string.h>

#define PIECE_BYTES ((size_t)16 << 10) /* read from a file at once */
#define LINE_BYTES ((size_t)64)        /* of a processor's cache */
#define FETCH_BYTES ((size_t)4 << 10)  /* its own guesses find the rest of a row */
#define CHUNK ((size_t)64)             /* bytes that become floats at once */

static void swap_elements(uint8_t *bytes, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++, bytes += size)
    for (size_t low = 0, high = size - 1; low < high; low++, high--) {
      uint8_t byte = bytes[low];
      bytes[low] = bytes[high];
      bytes[high] = byte;
    }
}

/* An array that stays in its file. */
struct fed__array_file {
  struct fed__source source; /* plain; from its `at` to its `end` are the elements */
  int is_swapped;
};

/* Elements of a file are looked at here: on the stack, so that threads do not meet. */
struct piece {
  _Alignas(8) uint8_t bytes[PIECE_BYTES];
};

static int check_bytes(const struct fed__array *array, const struct fed__source *source,
                       size_t elements) {
  char shape[96];
  fed_shape_format(&array->shape, shape, sizeof shape);
  const size_t size = fed_dtype_size(array->dtype);
  if (source->coding != FED__SOURCE_PLAIN && elements > FED__DATA_BYTES_MAX / size)
    return FED_RAISE(FED_E_TOO_LARGE,
                     "'%s' declares %s of %s: more than the limit of %llu bytes for packed files; "
                     "unpack it",
                     array->name, shape, fed_dtype_name(array->dtype),
                     (unsigned long long)FED__DATA_BYTES_MAX);
  if (elements > fed__source_bound(source) / size)
    return FED_RAISE(
        FED_E_TRUNCATED,
        "'%s' declares %s of %s, %zu elements of %zu bytes, but only %llu bytes can be "
        "in the file",
        array->name, shape, fed_dtype_name(array->dtype), elements, size,
        (unsigned long long)fed__source_bound(source));
  return FED_OK;
}

static int load_elements(struct fed__array *array, struct fed__source *source, size_t elements,
                         int is_swapped) {
  const size_t size = fed_dtype_size(array->dtype);
  array->data = fed__alloc(array->context, elements * size);
  if (!array->data) return FED_E_MEMORY;
  FED_TRY(fed__source_exact(source, array->data, elements * size, "elements"));
  FED_TRY(fed__source_end(source));
  if (is_swapped) swap_elements(array->data, elements, size);
  return FED_OK;
}

/* A part with a CRC-32 is read once to check it. */
static int check_part(struct fed__source *source, uint64_t size) {
  uint8_t bytes[PIECE_BYTES];
  for (uint64_t left = size; left && source->crc_expected;) {
    const size_t piece = left < sizeof bytes ? (size_t)left : sizeof bytes;
    FED_TRY(fed__source_exact(source, bytes, piece, "elements"));
    left -= piece;
  }
  return FED_OK;
}

/* The array takes the source's file over. */
static int keep_file(struct fed__array *array, struct fed__source *source, size_t elements,
                     int is_swapped) {
  const uint64_t from = source->at, size = elements * fed_dtype_size(array->dtype);
  struct fed__array_file *file = fed__zalloc(array->context, 1, sizeof *file);
  if (!file) return FED_E_MEMORY;
  array->file = file;
  file->source.fd = -1;
  file->is_swapped = is_swapped;
  FED_TRY(check_part(source, size));
  source->at = from + size;
  FED_TRY(fed__source_end(source));
  file->source = *source;
  file->source.at = from;
  file->source.crc_expected = NULL; /* checked, and the caller's */
  source->fd = -1;
  posix_fadvise(file->source.fd, 0, 0, POSIX_FADV_RANDOM); /* advice: it may fail */
  return FED_OK;
}

int fed__array_load(struct fed__array *array, struct fed__source *source,
                    enum fed__byte_order order, uint64_t memory_max) {
  size_t elements;
  if (fed_shape_elements(&array->shape, &elements) != FED_OK)
    return FED_WRAP("the shape of '%s'", array->name);
  FED_TRY(check_bytes(array, source, elements));
  const size_t size = fed_dtype_size(array->dtype);
  const int host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
  const int is_swapped = size > 1 && (order == FED__BIG_ENDIAN) != host_is_big;
  const int stays = source->coding == FED__SOURCE_PLAIN && elements * size > memory_max;
  const int code = (stays ? keep_file : load_elements)(array, source, elements, is_swapped);
  if (code != FED_OK) fed__array_clear(array);
  return code;
}

void fed__array_clear(struct fed__array *array) {
  if (array->data) fed__free(array->context, array->data);
  if (array->file) {
    fed__source_close(&array->file->source);
    fed__free(array->context, array->file);
  }
  array->data = NULL;
  array->file = NULL;
}

size_t fed__array_rows(const struct fed__array *array) {
  return array->shape.rank ? (size_t)array->shape.dims[0] : 1;
}

size_t fed__array_row_elements(const struct fed__array *array) {
  size_t product = 1;
  for (uint32_t i = 1; i < array->shape.rank; i++) product *= (size_t)array->shape.dims[i];
  return product;
}

uint64_t fed__array_bytes(const struct fed__array *array) {
  return (uint64_t)fed__array_rows(array) * fed__array_row_elements(array) *
         fed_dtype_size(array->dtype);
}

int fed__array_is_numeric(const struct fed__array *array) {
  return array->dtype != FED_F16 && array->dtype != FED_BF16;
}

int fed__array_is_integer(const struct fed__array *array) {
  return fed__array_is_numeric(array) && array->dtype != FED_F32 && array->dtype != FED_F64;
}

/* X(dtype, C type): the element types that are converted. */
#define NUMERIC_LIST(X)                                                                            \
  X(F32, float)                                                                                    \
  X(F64, double)                                                                                   \
  X(I8, int8_t)                                                                                    \
  X(U8, uint8_t)                                                                                   \
  X(I16, int16_t)                                                                                  \
  X(U16, uint16_t)                                                                                 \
  X(I32, int32_t) X(U32, uint32_t) X(I64, int64_t) X(U64, uint64_t) X(BOOL, uint8_t)

struct scaling {
  float scale, offset;
};

/* What images are: read at every step, so as wide as the processor can, CHUNK by CHUNK. */
FED__WIDE static void convert_bytes(const uint8_t *from, size_t count, struct scaling scaling,
                                    float *out) {
  uint8_t chunk[CHUNK];
  for (size_t whole = count / CHUNK; whole > 0; whole--, from += CHUNK, out += CHUNK) {
    memcpy(chunk, from, CHUNK); /* out may be anything but this */
    for (size_t i = 0; i < CHUNK; i++) out[i] = (float)chunk[i] * scaling.scale + scaling.offset;
  }
  for (size_t i = 0; i < count % CHUNK; i++)
    out[i] = (float)from[i] * scaling.scale + scaling.offset;
}

static void convert_floats(enum fed_dtype dtype, const void *elements, size_t count,
                           struct scaling scaling, float *out) {
  if (dtype == FED_U8) {
    convert_bytes(elements, count, scaling, out);
    return;
  }
  switch (dtype) {
#define FLOATS_CASE(name, type)                                                                    \
  case FED_##name: {                                                                               \
    const type *from = elements;                                                                   \
    for (size_t i = 0; i < count; i++) out[i] = (float)from[i] * scaling.scale + scaling.offset;   \
    break;                                                                                         \
  }
    NUMERIC_LIST(FLOATS_CASE)
  case FED_F16:
  case FED_BF16:
    break; /* refused before */
  }
}

static void convert_integers(enum fed_dtype dtype, const void *elements, size_t count,
                             int64_t *out) {
  switch (dtype) {
#define INTEGERS_CASE(name, type)                                                                  \
  case FED_##name: {                                                                               \
    const type *from = elements;                                                                   \
    for (size_t i = 0; i < count; i++) out[i] = (int64_t)from[i];                                  \
    break;                                                                                         \
  }
    NUMERIC_LIST(INTEGERS_CASE)
  case FED_F16:
  case FED_BF16:
    break;
  }
}

/* Some elements from `first` on, read into the piece: as many of `*count` as fit. */
static int read_piece(const struct fed__array *array, size_t first, size_t *count,
                      struct piece *piece) {
  const size_t size = fed_dtype_size(array->dtype);
  struct fed__source *source = &array->file->source;
  if (*count > PIECE_BYTES / size) *count = PIECE_BYTES / size;
  FED_TRY(fed__source_peek(source, source->at + first * size, piece->bytes, *count * size));
  if (array->file->is_swapped) swap_elements(piece->bytes, *count, size);
  return FED_OK;
}

static const void *element(const struct fed__array *array, size_t index) {
  return (const uint8_t *)array->data + index * fed_dtype_size(array->dtype);
}

static int read_floats(const struct fed__array *array, size_t first, size_t count,
                       struct scaling scaling, float *out) {
  struct piece piece;
  for (size_t done = 0, part; done < count; done += part) {
    part = count - done;
    FED_TRY(read_piece(array, first + done, &part, &piece));
    convert_floats(array->dtype, piece.bytes, part, scaling, out + done);
  }
  return FED_OK;
}

static int read_integers(const struct fed__array *array, size_t first, size_t count, int64_t *out) {
  struct piece piece;
  for (size_t done = 0, part; done < count; done += part) {
    part = count - done;
    FED_TRY(read_piece(array, first + done, &part, &piece));
    convert_integers(array->dtype, piece.bytes, part, out + done);
  }
  return FED_OK;
}

void fed__array_fetch(const struct fed__array *array, size_t row) {
  if (array->file || !array->data) return;
  const size_t size = fed__array_row_elements(array);
  const uint8_t *bytes = element(array, row * size);
  const size_t length = size * fed_dtype_size(array->dtype);
  for (size_t i = 0; i < length && i < FETCH_BYTES; i += LINE_BYTES) __builtin_prefetch(bytes + i);
}

int fed__array_floats(const struct fed__array *array, size_t first, size_t count, float scale,
                      float offset, float *out) {
  const struct scaling scaling = {scale, offset};
  if (array->file) return read_floats(array, first, count, scaling, out);
  convert_floats(array->dtype, element(array, first), count, scaling, out);
  return FED_OK;
}

int fed__array_integers(const struct fed__array *array, size_t first, size_t count, int64_t *out) {
  if (array->file) return read_integers(array, first, count, out);
  convert_integers(array->dtype, element(array, first), count, out);
  return FED_OK;
}
