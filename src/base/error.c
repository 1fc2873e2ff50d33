/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c: the error list as tables, and the last failure of each thread.
 */
#include "base/raise.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct error_entry {
  int code;
  const char *name;
  const char *text;
};

static const struct error_entry entries[] = {{FED_OK, "OK", "no error"},
#define FED_ERROR_ENTRY(name, class_, number, text) {FED_E_##name, #name, text},
                                             FED_ERROR_LIST(FED_ERROR_ENTRY)
#undef FED_ERROR_ENTRY
};

static _Thread_local struct fed_error last_error;

static const struct error_entry *find_entry(int code) {
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
    if (entries[i].code == code) return &entries[i];
  return NULL;
}

enum fed_error_class fed_error_class(int code) {
  if (!find_entry(code)) return FED_CLASS_INTERNAL;
  return (enum fed_error_class)(code >> 8);
}

const char *fed_error_name(int code) {
  const struct error_entry *entry = find_entry(code);
  return entry ? entry->name : "UNKNOWN";
}

const char *fed_error_text(int code) {
  const struct error_entry *entry = find_entry(code);
  return entry ? entry->text : "unknown error";
}

const struct fed_error *fed_error_last(void) { return &last_error; }

void fed_error_clear(void) { last_error = (struct fed_error){0}; }

/* Both format into a copy: the arguments may be the last message itself. */
int fed__raise(const char *file, int line, int code, const char *format, ...) {
  char message[sizeof last_error.message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  last_error.code = code;
  last_error.file = file;
  last_error.line = line;
  memcpy(last_error.message, message, sizeof message);
  return code;
}

int fed__wrap(const char *format, ...) {
  char message[sizeof last_error.message];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (length >= 0 && (size_t)length + 3 < sizeof message) {
    const size_t room = sizeof message - (size_t)length;
    snprintf(message + length, room, ": %.*s", (int)room - 3, last_error.message);
  }
  memcpy(last_error.message, message, sizeof message);
  return last_error.code;
}
