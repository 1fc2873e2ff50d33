/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_torture.c: reading a job when memory runs out at every single allocation, and reading
 * broken files: nothing crashes, nothing stays allocated.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "job/job.h"

/* Counts what is allocated, and fails the allocation number `fail_at`. */
struct counting_alloc {
  struct fed_alloc alloc;
  struct fed_alloc *system;
  size_t calls, fail_at;
  long live;
};

static void *count_resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct counting_alloc *counting = (struct counting_alloc *)(void *)self;
  if (size && ++counting->calls == counting->fail_at) return NULL;
  if (!pointer && size) counting->live++;
  if (pointer && !size) counting->live--;
  return counting->system->resize(counting->system, pointer, size);
}

static struct fed_context context;
static struct counting_alloc counting;
static struct fed_buffer example, policy_example;

/* A copy of exact size, so that a read behind the end is seen. */
static int parse_job(const void *bytes, size_t size) {
  uint8_t *copy = test_malloc(size ? size : 1);
  memcpy(copy, bytes, size);
  struct fed__job job;
  const int code = fed__job_parse(&context, "job.yaml", fed_slice_of(copy, size), &job);
  if (code == FED_OK) {
    struct fed_buffer out;
    fed_buffer_init(&out, &context, 1 << 20);
    const int explained = fed__job_explain(&context, &job, 0, &out);
    assert_true(explained == FED_OK || explained == FED_E_MEMORY);
    fed_buffer_clear(&out);
    fed__job_clear(&job);
  }
  test_free(copy);
  return code;
}

static int parse_policy(const void *bytes, size_t size) {
  struct fed__policy policy;
  const int code = fed__policy_parse(&context, "policy.yaml", fed_slice_of(bytes, size), &policy);
  if (code == FED_OK) fed__policy_clear(&policy);
  return code;
}

static void fail_each(int (*parse)(const void *, size_t), const struct fed_buffer *file) {
  counting.calls = counting.fail_at = 0;
  assert_int_equal(parse(file->data, file->size), FED_OK);
  const size_t total = counting.calls;
  const long live = counting.live;
  assert_true(total > 10);
  size_t failures = 0;
  for (size_t n = 1; n <= total; n++) {
    counting.calls = 0;
    counting.fail_at = n;
    const int code = parse(file->data, file->size);
    assert_true(code == FED_E_MEMORY || code == FED_OK); /* OK: it failed in explain */
    failures += code != FED_OK;
    assert_int_equal(counting.live, live);
  }
  counting.fail_at = 0;
  assert_true(failures > 10);
}

static void test_out_of_memory(void **state) {
  (void)state;
  fail_each(parse_job, &example);
  fail_each(parse_policy, &policy_example);
}

/* Also the messages of failures allocate. */
static void test_out_of_memory_in_message(void **state) {
  (void)state;
  static const char *const bad[] = {"version: 1\nzzzzzzzz: 1\n", "version: one\n"};
  for (size_t i = 0; i < 2; i++) {
    counting.calls = 0;
    counting.fail_at = 0;
    const int wanted = parse_job(bad[i], strlen(bad[i]));
    assert_int_not_equal(wanted, FED_OK);
    const size_t total = counting.calls;
    const long live = counting.live;
    for (size_t n = 1; n <= total; n++) {
      counting.calls = 0;
      counting.fail_at = n;
      const int code = parse_job(bad[i], strlen(bad[i]));
      assert_true(code == FED_E_MEMORY || code == wanted);
      assert_int_equal(counting.live, live);
    }
  }
  counting.fail_at = 0;
}

static void test_flipped_bytes(void **state) {
  (void)state;
  struct fed_rng rng;
  fed__rng_init(&rng, 1, "flip", 0, 0);
  const long live = counting.live;
  size_t accepted = 0, refused = 0;
  for (int run = 0; run < 600; run++) {
    const size_t at = fed__rng_below(&rng, example.size);
    const uint8_t before = example.data[at];
    example.data[at] = run % 2 ? (uint8_t)fed__rng_next(&rng)
                               : (uint8_t) "{}[]:,-?&*!|>'\"%@`\n\t #"[fed__rng_below(&rng, 23)];
    const int code = parse_job(example.data, example.size);
    if (code == FED_OK)
      accepted++;
    else
      refused++;
    example.data[at] = before;
    assert_true(code == FED_OK || fed_error_class(code) == FED_CLASS_INPUT);
    assert_int_equal(counting.live, live);
  }
  assert_true(accepted > 0 && refused > 0);
}

static void test_cut_short(void **state) {
  (void)state;
  const long live = counting.live;
  for (size_t size = 0; size < example.size; size += 1 + size / 60) {
    const int code = parse_job(example.data, size);
    assert_true(code == FED_OK || fed_error_class(code) == FED_CLASS_INPUT);
    assert_int_equal(counting.live, live);
  }
}

static void load(const char *path, struct fed_buffer *out) {
  fed_buffer_init(out, &context, 1 << 20);
  assert_int_equal(fed__file_read(path, out), FED_OK);
}

static int setup(void **state) {
  (void)state;
  fed_context_init(&context);
  counting = (struct counting_alloc){{count_resize}, context.alloc, 0, 0, 0};
  context.alloc = &counting.alloc;
  load(FED_TESTS "/../examples/heart/job.yaml", &example);
  load(FED_TESTS "/../examples/fashion/policy.yaml", &policy_example);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fed_buffer_clear(&example);
  fed_buffer_clear(&policy_example);
  return counting.live != 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_out_of_memory_in_message),
      cmocka_unit_test(test_flipped_bytes),
      cmocka_unit_test(test_cut_short),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
