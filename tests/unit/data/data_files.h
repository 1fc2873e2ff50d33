/* SPDX-License-Identifier: Apache-2.0
 *
 * data_files.h: a scratch folder for the tests of the readers, and short ways to read vectors,
 * write files, open datasets and look at single values.
 */
#ifndef TEST_DATA_FILES_H
#define TEST_DATA_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/idx.h"

#include <stdio.h>
#include <stdlib.h>

#define VECTORS FED_TESTS "/vectors/data"

static struct fed_context context;
static char scratch[] = "/tmp/fed-data-XXXXXX";

static int make_scratch(void **state) {
  (void)state;
  fed_context_init(&context);
  return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state) {
  (void)state;
  return fed__folder_remove(scratch);
}

static inline struct fed_buffer read_vector(const char *name) {
  struct fed_buffer bytes;
  char path[FED__PATH_MAX];
  fed_buffer_init(&bytes, &context, 1 << 20);
  assert_int_equal(fed__path_join(path, sizeof path, VECTORS, name), FED_OK);
  assert_int_equal(fed__file_read(path, &bytes), FED_OK);
  return bytes;
}

static inline void write_scratch(const char *name, const void *bytes, size_t size) {
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, name), FED_OK);
  assert_int_equal(fed__file_write_quick(path, fed_slice_of(bytes, size), FED__FILE_SHARED),
                   FED_OK);
}

/* Opening must fail with this code and with this text in the message. */
static inline void refuses(const char *folder, const struct fed__dataset_schema *schema, int code,
                           const char *text) {
  struct fed_examples *examples = NULL;
  fed_error_clear();
  int found = fed__dataset_open(&context, folder, schema, &examples);
  if (found != code || !strstr(fed_error_last()->message, text))
    fail_msg("expected %s with '%s', found %s: %s", fed_error_name(code), text,
             fed_error_name(found), fed_error_last()->message);
  assert_null(examples);
}

static inline struct fed_examples *opens(const char *folder,
                                         const struct fed__dataset_schema *schema) {
  struct fed_examples *examples = NULL;
  int code = fed__dataset_open(&context, folder, schema, &examples);
  if (code != FED_OK) fail_msg("%s: %s", fed_error_name(code), fed_error_last()->message);
  return examples;
}

/* Gather `count` rows of a dataset with one input. */
static inline void gathers(struct fed_examples *examples, const uint32_t *rows, size_t count,
                           float *input, void *target) {
  struct fed_batch batch = {.count = count};
  batch.inputs[0].data = input;
  batch.target.data = target;
  int code = examples->gather(examples, rows, count, &batch);
  if (code != FED_OK) fail_msg("%s: %s", fed_error_name(code), fed_error_last()->message);
}

/* Every proper prefix of a file must be refused, and none may crash. */
static inline void refuses_every_prefix(const char *vector, const char *scratch_name,
                                        const struct fed__dataset_schema *schema) {
  struct fed_buffer bytes = read_vector(vector);
  for (size_t size = 0; size < bytes.size; size++) {
    struct fed_examples *examples = NULL;
    write_scratch(scratch_name, bytes.data, size);
    int code = fed__dataset_open(&context, scratch, schema, &examples);
    if (code == FED_OK) fail_msg("'%s' cut to %zu bytes was accepted", vector, size);
    assert_int_equal(fed_error_class(code), FED_CLASS_INPUT);
  }
  fed_buffer_clear(&bytes);
}

#endif
