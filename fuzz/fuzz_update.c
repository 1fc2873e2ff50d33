/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_update.c: any bytes as an update (header size, header, elements). What decodes has as many
 * elements as it says; encoded again it has the same elements, and encodes to the same bytes.
 */
#include "fuzz_target.h"

#include "wire/wire.h"

static void check_round_trip(const struct fed_context *context, const Fed__UpdateHeader *header,
                             struct fed_slice grid) {
  struct fed_buffer first, second;
  Fed__UpdateHeader *again;
  struct fed_slice grid_again;
  fed_buffer_init(&first, context, SIZE_MAX);
  fed_buffer_init(&second, context, SIZE_MAX);
  HOLDS(fed__update_encode(header, grid, &first) == FED_OK);
  HOLDS(fed__update_decode(context, fed_buffer_slice(&first), &again, &grid_again) == FED_OK);
  HOLDS(fuzz_equal(grid, grid_again));
  HOLDS(fed__update_encode(again, grid_again, &second) == FED_OK);
  HOLDS(fuzz_equal(fed_buffer_slice(&first), fed_buffer_slice(&second)));
  fed__wire_free(context, again);
  fed_buffer_clear(&second);
  fed_buffer_clear(&first);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  Fed__UpdateHeader *header;
  struct fed_slice grid;
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 512 * size);
  const int code = fed__update_decode(&memory.context, fed_slice_of(data, size), &header, &grid);
  HOLDS(!memory.exceeded);
  if (code == FED_OK) {
    HOLDS(grid.size <= size && grid.size == header->element_count * (header->grid_bits / 8));
    check_round_trip(&memory.context, header, grid);
  }
  fed__wire_free(&memory.context, header);
  fuzz_memory_end(&memory);
  return 0;
}
