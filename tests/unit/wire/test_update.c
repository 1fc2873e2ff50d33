/* SPDX-License-Identifier: Apache-2.0
 *
 * test_update.c: an update's bytes: header size, header, elements.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "wire/wire.h"

#include <math.h>

static uint8_t nonce[FED__NONCE_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* Written by hand from docs/protocol.md: nonce, 7 examples, 16-bit grid, 3 elements. */
static const uint8_t expected[] = {
    24,   0,  0,    0,                                                           /* header size */
    0x0a, 16, 1,    2,    3,    4,    5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, /* nonce */
    0x10, 7,                                                                     /* example_count */
    0x28, 16,                                                                    /* grid_bits */
    0x30, 3,                                                                     /* element_count */
    0x01, 0,  0xff, 0xff, 0x00, 0x80,                                            /* 1, -1, -32768 */
};

static Fed__UpdateHeader make_header(uint32_t bits, uint64_t count) {
  Fed__UpdateHeader header;
  fed__update_header__init(&header);
  header.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
  header.example_count = 7;
  header.grid_bits = bits;
  header.element_count = count;
  return header;
}

static int decode(const void *bytes, size_t size) {
  struct fed_context context;
  Fed__UpdateHeader *header;
  struct fed_slice grid;
  fed_context_init(&context);
  const int code = fed__update_decode(&context, fed_slice_of(bytes, size), &header, &grid);
  assert_true((header != NULL) == (code == FED_OK));
  fed__wire_free(&context, header);
  return code;
}

static void has_these_bytes(void **state) {
  struct fed_context context;
  struct fed_buffer bytes;
  struct fed_slice grid;
  Fed__UpdateHeader *decoded, header = make_header(16, 3);
  (void)state;
  fed_context_init(&context);
  fed_buffer_init(&bytes, &context, 1000);
  assert_int_equal(
      fed__update_encode(&header, fed_slice_of(expected + sizeof expected - 6, 6), &bytes), FED_OK);
  assert_int_equal(bytes.size, sizeof expected);
  assert_memory_equal(bytes.data, expected, sizeof expected);
  assert_int_equal(fed__update_decode(&context, fed_buffer_slice(&bytes), &decoded, &grid), FED_OK);
  assert_int_equal(decoded->example_count, 7);
  assert_memory_equal(decoded->nonce.data, nonce, sizeof nonce);
  assert_int_equal(grid.size, 6);
  assert_ptr_equal(grid.data, bytes.data + bytes.size - 6);
  fed__wire_free(&context, decoded);
  fed_buffer_clear(&bytes);
}

static void refuses_every_truncation(void **state) {
  (void)state;
  for (size_t size = 0; size < sizeof expected; size++)
    assert_int_not_equal(decode(expected, size), FED_OK);
  assert_int_equal(decode(expected, sizeof expected), FED_OK);
}

static void refuses_more_elements(void **state) {
  uint8_t bytes[sizeof expected + 1] = {0};
  (void)state;
  memcpy(bytes, expected, sizeof expected);
  assert_int_equal(decode(bytes, sizeof bytes), FED_E_SHAPE);
}

static void refuses_header_sizes(void **state) {
  uint8_t bytes[5000] = {0};
  (void)state;
  memcpy(bytes, "\xff\xff\xff\xff", 4);
  assert_int_equal(decode(bytes, sizeof bytes), FED_E_TRUNCATED);
  memcpy(bytes, "\x01\x10\x00\x00", 4); /* 4097: over the bound */
  assert_int_equal(decode(bytes, sizeof bytes), FED_E_TRUNCATED);
}

static int decode_encoded(const Fed__UpdateHeader *header, size_t grid_size) {
  static const uint8_t grid[64];
  struct fed_context context;
  struct fed_buffer bytes;
  fed_context_init(&context);
  fed_buffer_init(&bytes, &context, 1000);
  assert_int_equal(fed__update_encode(header, fed_slice_of(grid, grid_size), &bytes), FED_OK);
  const int code = decode(bytes.data, bytes.size);
  fed_buffer_clear(&bytes);
  return code;
}

static void checks_grid(void **state) {
  static const struct {
    uint32_t bits;
    uint64_t count;
    size_t bytes;
    int code;
  } cases[] = {
      {8, 5, 5, FED_OK},
      {16, 5, 10, FED_OK},
      {32, 5, 20, FED_OK},
      {0, 0, 0, FED_OK}, /* metrics only */
      {0, 5, 5, FED_E_RANGE},
      {7, 5, 5, FED_E_RANGE},
      {64, 5, 40, FED_E_RANGE},
      {16, 5, 5, FED_E_SHAPE},
      {8, 0, 5, FED_E_SHAPE},
      {32, UINT64_MAX / 2, 20, FED_E_SHAPE},          /* times 4 overflows */
      {32, (UINT64_C(1) << 62) + 5, 20, FED_E_SHAPE}, /* times 4 wraps to 20 */
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const Fed__UpdateHeader header = make_header(cases[i].bits, cases[i].count);
    assert_int_equal(decode_encoded(&header, cases[i].bytes), cases[i].code);
  }
}

static void checks_header(void **state) {
  Fed__UpdateHeader header = make_header(8, 1);
  (void)state;
  header.norm = NAN;
  assert_int_equal(decode_encoded(&header, 1), FED_E_NOT_FINITE);
  header = make_header(8, 1);
  header.nonce.len = 15;
  assert_int_equal(decode_encoded(&header, 1), FED_E_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(has_these_bytes),       cmocka_unit_test(refuses_every_truncation),
      cmocka_unit_test(refuses_more_elements), cmocka_unit_test(refuses_header_sizes),
      cmocka_unit_test(checks_grid),           cmocka_unit_test(checks_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
