/* SPDX-License-Identifier: Apache-2.0
 *
 * job_override.c: settings that take the place of a job file's, by their dotted names: the file is
 * read as if they stood in it.
 */
#include "job/job_override.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "job/settings.h"

#include <stdio.h>

#define NAMES_MAX 512
#define NAME_BYTES 96

/* The dotted names of all settings. */
struct names {
  char texts[NAMES_MAX][NAME_BYTES];
  size_t count;
};

static void list_names(const struct fed__setting *settings, const char *outer,
                       struct names *names) {
  for (; settings->key && names->count < NAMES_MAX; settings++) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.60s%s%s", outer, *outer ? "." : "", settings->key);
    memcpy(names->texts[names->count++], name, sizeof name);
    if (settings->type == FED__SETTING_SECTION) list_names(settings->inner, name, names);
  }
}

/* "learning_rate" for "train.learning_rate", or a slip of the pen. */
static const char *nearest_name(const struct names *names, const char *key) {
  const char *pointers[NAMES_MAX];
  const size_t length = strlen(key);
  for (size_t i = 0; i < names->count; i++) {
    const size_t whole = strlen(names->texts[i]);
    pointers[i] = names->texts[i];
    if (whole > length + 1 && names->texts[i][whole - length - 1] == '.' &&
        strcmp(names->texts[i] + whole - length, key) == 0)
      return names->texts[i];
  }
  return fed__nearest_name(key, pointers, names->count);
}

static int check_key(const struct fed_context *context, const char *key) {
  int code = FED_OK, known = 0;
  struct names *names = fed__zalloc(context, 1, sizeof *names);
  if (!names) return FED_E_MEMORY;
  list_names(fed__job_settings, "", names);
  for (size_t i = 0; i < names->count; i++) known |= strcmp(names->texts[i], key) == 0;
  const char *nearest = known ? NULL : nearest_name(names, key);
  if (!known)
    code = FED_RAISE(FED_E_INPUT, "there is no setting '%s'%s%s%s", key,
                     nearest ? "; did you mean '" : "; `fed job check --explain` lists all",
                     nearest ? nearest : "", nearest ? "'?" : "");
  fed__free(context, names);
  return code;
}

static int apply(const struct fed_context *context, const struct fed__job_override *override,
                 struct fed__yaml *tree) {
  struct fed__yaml value;
  FED_TRY(check_key(context, override->key));
  FED_TRY(fed__yaml_read(context, override->key, fed_slice_of_text(override->value), &value));
  const int code = fed__yaml_graft(tree, override->key, &value);
  fed__yaml_clear(&value);
  return code;
}

int fed__job_override(const struct fed_context *context, const struct fed__job_override *overrides,
                      size_t count, struct fed__yaml *tree) {
  for (size_t i = 0; i < count; i++) FED_TRY(apply(context, &overrides[i], tree));
  return FED_OK;
}
