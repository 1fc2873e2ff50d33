/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_files.h: reading files of tests/vectors in a test.
 */
#ifndef FED_TESTS_VECTOR_FILES_H
#define FED_TESTS_VECTOR_FILES_H

#include "base/file.h"

/* The file's bytes; clear the buffer afterwards. */
static inline struct fed_buffer read_vector(const struct fed_context *context, const char *name) {
  char path[FED__PATH_MAX];
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, context, 1 << 24);
  assert_int_equal(fed__path_join(path, sizeof path, FED_TESTS "/vectors", name), FED_OK);
  assert_int_equal(fed__file_read(path, &bytes), FED_OK);
  return bytes;
}

#endif
