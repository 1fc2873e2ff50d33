/* SPDX-License-Identifier: Apache-2.0
 *
 * update.c: an update's bytes: header size, header, elements.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "wire/wire.h"

int fed__update_encode(const Fed__UpdateHeader *header, struct fed_slice grid,
                       struct fed_buffer *out) {
  const size_t size = fed__update_header__get_packed_size(header);
  const uint8_t prefix[4] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                             (uint8_t)(size >> 24)};
  if (size > FED__HEADER_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "an update header of %zu bytes", size);
  FED_TRY(fed_buffer_append(out, prefix, sizeof prefix));
  FED_TRY(fed__wire_encode(&header->base, out));
  return fed_buffer_append(out, grid.data, grid.size);
}

static int check_elements(const Fed__UpdateHeader *header, size_t bytes) {
  const uint32_t bits = header->grid_bits;
  size_t expected;
  if (header->element_count == 0 && bytes == 0) return FED_OK; /* metrics only */
  if (bits != 8 && bits != 16 && bits != 32)
    return FED_RAISE(FED_E_RANGE, "update: grid_bits %u, expected 8, 16 or 32", bits);
  if (__builtin_mul_overflow((size_t)header->element_count, (size_t)bits / 8, &expected) ||
      expected != bytes)
    return FED_RAISE(FED_E_SHAPE, "update: %llu elements of %u bits do not make the %zu bytes sent",
                     (unsigned long long)header->element_count, bits, bytes);
  return FED_OK;
}

int fed__update_decode(const struct fed_context *context, struct fed_slice body,
                       Fed__UpdateHeader **header, struct fed_slice *grid) {
  ProtobufCMessage *message = NULL;
  *header = NULL;
  if (body.size < 4) return FED_RAISE(FED_E_TRUNCATED, "update: %zu bytes", body.size);
  const size_t size = (size_t)body.data[0] | (size_t)body.data[1] << 8 |
                      (size_t)body.data[2] << 16 | (size_t)body.data[3] << 24;
  if (size > FED__HEADER_BYTES_MAX || size > body.size - 4)
    return FED_RAISE(FED_E_TRUNCATED, "update: a header of %zu bytes in %zu", size, body.size);
  FED_TRY(fed__wire_decode(context, &fed__update_header__descriptor,
                           fed_slice_of(body.data + 4, size), &message));
  *grid = fed_slice_of(body.data + 4 + size, body.size - 4 - size);
  int code = check_elements((Fed__UpdateHeader *)message, grid->size);
  if (code != FED_OK) {
    fed__wire_free(context, message);
    return code;
  }
  *header = (Fed__UpdateHeader *)message;
  return FED_OK;
}
