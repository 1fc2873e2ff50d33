/* SPDX-License-Identifier: Apache-2.0
 *
 * crypto_testing.h: a context whose clock, entropy and memory the test decides, and the files of
 * tests/vectors/crypto.
 */
#ifndef FED_TESTS_CRYPTO_TESTING_H
#define FED_TESTS_CRYPTO_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/raise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2030-01-01T00:00:00Z: within the life of the stored certificates. */
#define IN_2030_MS INT64_C(1893456000000)
#define DAY_MS INT64_C(86400000)

struct test_world {
  struct fed_context context;
  struct fed_clock clock;
  struct fed_entropy entropy;
  struct fed_alloc alloc;
  uint8_t next_byte;     /* entropy counts up from here */
  int entropy_fails;     /* 1: there is none */
  long allocations_left; /* negative: no limit */
};

static struct test_world world;

static inline int64_t test_wall_ms(struct fed_clock *self) {
  (void)self;
  return IN_2030_MS;
}

static inline int test_fill(struct fed_entropy *self, void *bytes, size_t size) {
  (void)self;
  if (world.entropy_fails) return FED_RAISE(FED_E_IO, "no entropy in this test");
  for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = world.next_byte++;
  return FED_OK;
}

static inline void *test_resize(struct fed_alloc *self, void *pointer, size_t size) {
  (void)self;
  if (size == 0) {
    free(pointer);
    return NULL;
  }
  if (world.allocations_left == 0) return NULL;
  if (world.allocations_left > 0) world.allocations_left--;
  return realloc(pointer, size);
}

static inline int world_setup(void **state) {
  (void)state;
  world = (struct test_world){.allocations_left = -1};
  world.clock.wall_ms = test_wall_ms;
  world.entropy.fill = test_fill;
  world.alloc.resize = test_resize;
  world.context = (struct fed_context){&world.alloc, &world.clock, &world.entropy, NULL};
  return 0;
}

static inline struct fed_buffer new_buffer(void) {
  struct fed_buffer buffer;
  fed_buffer_init(&buffer, &world.context, 1 << 20);
  return buffer;
}

/* The caller clears the buffer. */
static inline struct fed_buffer read_vector(const char *name) {
  struct fed_buffer buffer = new_buffer();
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, FED_TESTS "/vectors/crypto", name), FED_OK);
  assert_int_equal(fed__file_read(path, &buffer), FED_OK);
  return buffer;
}

static inline size_t bytes_of_hex(const char *hex, uint8_t *out) {
  size_t size = strlen(hex) / 2;
  for (size_t i = 0; i < size; i++) {
    const char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return size;
}

static inline void assert_message(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("expected '%s' in the message '%s'", part, fed_error_last()->message);
}

#endif
