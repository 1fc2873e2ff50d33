/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_file.c: files as answers, whole and in ranges (RFC 9110, section 14).
 */
#include "unit/net/raw_tls.h"

#define FILE_SIZE 200000

static const char *const file_tag = "\"abc\"";

static uint8_t file_byte(size_t at) { return (uint8_t)(at * 7 + at / 256); }

static int open_with_file(void **state) {
  char *path = test_malloc(64);
  uint8_t *bytes = test_malloc(FILE_SIZE);
  open_loopback(state);
  struct loopback *loopback = *state;
  snprintf(path, 64, "/tmp/fed-test-http-file-XXXXXX");
  const int file = mkstemp(path);
  assert_true(file >= 0);
  for (size_t i = 0; i < FILE_SIZE; i++) bytes[i] = file_byte(i);
  assert_int_equal(write(file, bytes, FILE_SIZE), FILE_SIZE);
  close(file);
  test_free(bytes);
  loopback->handler.file_path = path;
  loopback->handler.file_tag = file_tag;
  return 0;
}

static int close_with_file(void **state) {
  struct loopback *loopback = *state;
  char *path = (char *)(uintptr_t)loopback->handler.file_path;
  unlink(path);
  close_loopback(state);
  test_free(path);
  return 0;
}

/* Ask for the file with these header fields; compare with the bytes from `start` to `end`. */
static uint32_t get_file(struct loopback *loopback, const char *const *fields, size_t start,
                         size_t end) {
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  struct fed_buffer body;
  const struct fed__http_request request = {.method = "GET",
                                            .path = "/file",
                                            .fields = fields,
                                            .timeout_ms = 10000,
                                            .answer_bytes_max = FILE_SIZE};
  fed_buffer_init(&body, &loopback->context, FILE_SIZE);
  const int code = fed__http_call(client, &request, &reply, &body);
  if (code == FED_OK) assert_int_equal(body.size, end - start);
  for (size_t i = 0; i < body.size; i++)
    if (body.data[i] != file_byte(start + i)) fail_msg("byte %zu differs", start + i);
  fed_buffer_clear(&body);
  fed__http_client_free(client);
  return reply.status;
}

static uint32_t get_range(struct loopback *loopback, const char *range, size_t start, size_t end) {
  char field[64];
  const char *const fields[] = {field, NULL};
  snprintf(field, sizeof field, "Range: %s", range);
  return get_file(loopback, fields, start, end);
}

static void sends_whole(void **state) {
  assert_int_equal(get_file(*state, NULL, 0, FILE_SIZE), 200);
}

static void sends_ranges(void **state) {
  assert_int_equal(get_range(*state, "bytes=0-99", 0, 100), 206);
  assert_int_equal(get_range(*state, "bytes=100000-", 100000, FILE_SIZE), 206);
  assert_int_equal(get_range(*state, "bytes=199999-199999", FILE_SIZE - 1, FILE_SIZE), 206);
  assert_int_equal(get_range(*state, "bytes=5-99999999999", 5, FILE_SIZE), 206);
  assert_int_equal(get_range(*state, "bytes=-50", FILE_SIZE - 50, FILE_SIZE), 206);
  assert_int_equal(get_range(*state, "bytes=-999999", 0, FILE_SIZE), 206);
}

static void refuses_ranges_outside(void **state) {
  assert_int_equal(get_range(*state, "bytes=200000-", 0, 0), 416);
  assert_int_equal(get_range(*state, "bytes=300000-300001", 0, 0), 416);
  assert_int_equal(get_range(*state, "bytes=-0", 0, 0), 416);
}

static void ignores_other_ranges(void **state) {
  static const char *const others[] = {"bytes=10-5", "bytes=a-b", "bytes=0-1,5-6",
                                       "bytes=",     "bytes=-",   "items=0-5",
                                       "bytes=0-5x", "0-5",       "bytes=99999999999999999999-"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    assert_int_equal(get_range(*state, others[i], 0, FILE_SIZE), 200);
}

static void minds_if_range(void **state) {
  const char *const same[] = {"Range: bytes=1-2", "If-Range: \"abc\"", NULL};
  const char *const other[] = {"Range: bytes=1-2", "If-Range: \"xyz\"", NULL};
  assert_int_equal(get_file(*state, same, 1, 3), 206);
  assert_int_equal(get_file(*state, other, 0, FILE_SIZE), 200);
}

static void describes_parts(void **state) {
  char answer[4096];
  raw_tls_exchange(*state,
                   "GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=3-5\r\n\r\n",
                   answer, sizeof answer);
  assert_memory_equal(answer, "HTTP/1.1 206 ", 13);
  assert_non_null(strstr(answer, "\r\nContent-Range: bytes 3-5/200000\r\n"));
  assert_non_null(strstr(answer, "\r\nContent-Length: 3\r\n"));
  assert_non_null(strstr(answer, "\r\nAccept-Ranges: bytes\r\n"));
  assert_non_null(strstr(answer, "\r\nETag: \"abc\"\r\n"));
  raw_tls_exchange(
      *state, "GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=900000-\r\n\r\n",
      answer, sizeof answer);
  assert_memory_equal(answer, "HTTP/1.1 416 ", 13);
  assert_non_null(strstr(answer, "\r\nContent-Range: bytes */200000\r\n"));
}

static void describes_for_head(void **state) {
  char answer[4096];
  raw_tls_exchange(*state, "HEAD /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
                   sizeof answer);
  assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
  assert_non_null(strstr(answer, "\r\nContent-Length: 200000\r\n"));
  assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void says_when_missing(void **state) {
  struct loopback *loopback = *state;
  unlink(loopback->handler.file_path);
  assert_int_equal(get_file(loopback, NULL, 0, 0), 404);
}

static void follows_no_links(void **state) {
  struct loopback *loopback = *state;
  unlink(loopback->handler.file_path);
  assert_int_equal(symlink("/etc/hostname", loopback->handler.file_path), 0);
  assert_int_equal(get_file(loopback, NULL, 0, 0), 500);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_with_file, close_with_file)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(sends_whole),          TEST(sends_ranges),      TEST(refuses_ranges_outside),
      TEST(ignores_other_ranges), TEST(minds_if_range),    TEST(describes_parts),
      TEST(describes_for_head),   TEST(says_when_missing), TEST(follows_no_links),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
