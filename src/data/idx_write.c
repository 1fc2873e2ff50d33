/* SPDX-License-Identifier: Apache-2.0
 *
 * idx_write.c: write rows of a byte array as an IDX file. Memory: the file's size.
 */
#include "base/file.h"
#include "base/raise.h"
#include "data/idx.h"

static int append_u32(struct fed_buffer *out, uint64_t value) {
  if (value > UINT32_MAX) return FED_RAISE(FED_E_TOO_LARGE, "IDX cannot express this extent");
  uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                      (uint8_t)value};
  return fed_buffer_append(out, bytes, sizeof bytes);
}

static int append_header(const struct fed__array *array, size_t row_count, struct fed_buffer *out) {
  const uint8_t magic[4] = {0, 0, 0x08, (uint8_t)array->shape.rank};
  FED_TRY(fed_buffer_append(out, magic, sizeof magic));
  FED_TRY(append_u32(out, row_count));
  for (uint32_t i = 1; i < array->shape.rank; i++)
    FED_TRY(append_u32(out, (uint64_t)array->shape.dims[i]));
  return FED_OK;
}

static int append_rows(const struct fed__array *array, const uint32_t *rows, size_t row_count,
                       struct fed_buffer *out) {
  const size_t size = fed__array_row_elements(array);
  for (size_t i = 0; i < row_count; i++) {
    if (rows[i] >= fed__array_rows(array))
      return FED_RAISE(FED_E_RANGE, "'%s' has %zu rows, there is no row %u", array->name,
                       fed__array_rows(array), rows[i]);
    FED_TRY(fed_buffer_append(out, (const uint8_t *)array->data + rows[i] * size, size));
  }
  return FED_OK;
}

int fed__idx_write(const char *path, const struct fed__array *array, const uint32_t *rows,
                   size_t row_count) {
  if (array->dtype != FED_U8 || !array->shape.rank)
    return FED_RAISE(FED_E_UNSUPPORTED, "only arrays of bytes are written as IDX, '%s' is %s",
                     array->name, fed_dtype_name(array->dtype));
  struct fed_buffer out;
  fed_buffer_init(&out, array->context, FED__DATA_BYTES_MAX);
  int code;
  FED_TRY_GOTO(code, done, append_header(array, row_count, &out));
  FED_TRY_GOTO(code, done, append_rows(array, rows, row_count, &out));
  code = fed__file_write_quick(path, fed_buffer_slice(&out), FED__FILE_SHARED);
done:
  fed_buffer_clear(&out);
  return code;
}
