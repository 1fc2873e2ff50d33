/* SPDX-License-Identifier: Apache-2.0
 *
 * test_protocol_page.c: docs/protocol.md says what fed.proto and fed/error.h say: every message,
 * field, enum value and error code, with number and type, and no others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "wire/wire.h"

#include <stdio.h>

#define PAGE FED_TESTS "/../docs/protocol.md"
#define SCHEMA FED_TESTS "/../src/wire/fed.proto"

static const ProtobufCMessageDescriptor *const messages[] = {
    &fed__failure__descriptor,        &fed__enrol_request__descriptor,
    &fed__enrol_reply__descriptor,    &fed__dataset__descriptor,
    &fed__check_in__descriptor,       &fed__refusal__descriptor,
    &fed__check_in_reply__descriptor, &fed__task__descriptor,
    &fed__metrics__descriptor,        &fed__update_header__descriptor,
    &fed__receipt__descriptor,        &fed__task_failure__descriptor,
    &fed__approval__descriptor,       &fed__job_submission__descriptor,
    &fed__job_accepted__descriptor,
};
static const ProtobufCEnumDescriptor *const enums[] = {&fed__task_kind__descriptor,
                                                       &fed__verdict__descriptor};
#define MESSAGE_COUNT (sizeof messages / sizeof messages[0])
#define ENUM_COUNT (sizeof enums / sizeof enums[0])

struct page {
  struct fed_context context;
  struct fed_buffer bytes;
  const char *text;
};

static void read_page(struct page *page, const char *path) {
  fed_context_init(&page->context);
  fed_buffer_init(&page->bytes, &page->context, 1 << 20);
  assert_int_equal(fed__file_read(path, &page->bytes), FED_OK);
  page->text = fed_buffer_text(&page->bytes);
}

static int open_page(void **state) {
  struct page *page = test_malloc(sizeof *page);
  read_page(page, PAGE);
  *state = page;
  return 0;
}

static int close_page(void **state) {
  struct page *page = *state;
  fed_buffer_clear(&page->bytes);
  test_free(page);
  return 0;
}

static int count_of(const char *text, const char *end, const char *part) {
  int count = 0;
  while ((text = strstr(text, part)) && text < end) {
    count++;
    text += strlen(part);
  }
  return count;
}

/* The text under the heading `### name`, up to the next heading. */
static const char *find_section(const char *text, const char *name, const char **end) {
  char heading[128];
  snprintf(heading, sizeof heading, "\n### %s\n", name);
  const char *section = strstr(text, heading);
  if (!section) fail_msg("docs/protocol.md has no section '### %s'", name);
  section += strlen(heading);
  const char *next = strstr(section, "\n#");
  *end = next ? next : section + strlen(section);
  return section;
}

static void check_row(const char *section, const char *end, const char *row) {
  const char *found = strstr(section, row);
  if (!found || found >= end) fail_msg("docs/protocol.md: expected a row '%s…'", row + 1);
}

/* Rows of a table, without its head of two lines. */
static int count_rows(const char *section, const char *end) {
  return count_of(section - 1, end, "\n| ") - 2;
}

static const char *type_name(const ProtobufCFieldDescriptor *field) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_UINT32:
    return "uint32";
  case PROTOBUF_C_TYPE_UINT64:
    return "uint64";
  case PROTOBUF_C_TYPE_DOUBLE:
    return "double";
  case PROTOBUF_C_TYPE_BOOL:
    return "bool";
  case PROTOBUF_C_TYPE_STRING:
    return "string";
  case PROTOBUF_C_TYPE_BYTES:
    return "bytes";
  case PROTOBUF_C_TYPE_MESSAGE:
    return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
  case PROTOBUF_C_TYPE_ENUM:
    return ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name;
  default:
    fail_msg("field %s has a type that this test does not know", field->name);
    return "";
  }
}

static void describes_every_field(void **state) {
  const struct page *page = *state;
  for (size_t i = 0; i < MESSAGE_COUNT; i++) {
    const char *end, *section = find_section(page->text, messages[i]->short_name, &end);
    for (unsigned k = 0; k < messages[i]->n_fields; k++) {
      const ProtobufCFieldDescriptor *field = &messages[i]->fields[k];
      char row[160];
      snprintf(row, sizeof row, "\n| %u | `%s` | %s%s | ", field->id, field->name,
               field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "", type_name(field));
      check_row(section, end, row);
    }
    assert_int_equal(count_rows(section, end), messages[i]->n_fields);
  }
}

static void describes_every_value(void **state) {
  const struct page *page = *state;
  for (size_t i = 0; i < ENUM_COUNT; i++) {
    const char *end, *section = find_section(page->text, enums[i]->short_name, &end);
    for (unsigned k = 0; k < enums[i]->n_values; k++) {
      char row[160];
      snprintf(row, sizeof row, "\n| %d | `%s` | ", enums[i]->values[k].value,
               enums[i]->values[k].name);
      check_row(section, end, row);
    }
    assert_int_equal(count_rows(section, end), enums[i]->n_values);
  }
}

/* This test's own lists are complete, and the page describes no message that does not exist. */
static void describes_nothing_else(void **state) {
  const struct page *page = *state;
  struct page schema;
  read_page(&schema, SCHEMA);
  const char *end = schema.text + schema.bytes.size;
  assert_int_equal(count_of(schema.text, end, "\nmessage "), MESSAGE_COUNT);
  assert_int_equal(count_of(schema.text, end, "\nenum "), ENUM_COUNT);
  const char *section = strstr(page->text, "\n## Messages\n");
  assert_non_null(section);
  assert_int_equal(count_of(section, page->text + page->bytes.size, "\n### "),
                   MESSAGE_COUNT + ENUM_COUNT);
  fed_buffer_clear(&schema.bytes);
}

static void lists_every_error(void **state) {
  static const int codes[] = {
#define ERROR_CODE(name, class_, number, text) FED_E_##name,
      FED_ERROR_LIST(ERROR_CODE)
#undef ERROR_CODE
  };
  const struct page *page = *state;
  const char *end, *section = find_section(page->text, "Error codes", &end);
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    char row[160];
    snprintf(row, sizeof row, "\n| %d | `%s` | ", codes[i], fed_error_name(codes[i]));
    check_row(section, end, row);
    if (!strstr(section, fed_error_text(codes[i])))
      fail_msg("docs/protocol.md: the text of %s differs", fed_error_name(codes[i]));
  }
  assert_int_equal(count_rows(section, end), sizeof codes / sizeof codes[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_page, close_page)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(describes_every_field),
      TEST(describes_every_value),
      TEST(describes_nothing_else),
      TEST(lists_every_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
