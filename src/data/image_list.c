/* SPDX-License-Identifier: Apache-2.0
 *
 * image_list.c: the image files of a folder of classes, by name, whatever order the disk has.
 */
#include "data/image_list.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "data/data_source.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

const struct fed__image_entry *fed__image_list_at(const struct fed__image_list *list, size_t at) {
  return (const struct fed__image_entry *)(const void *)list->entries.data + at;
}

const char *fed__image_list_path(const struct fed__image_list *list, size_t at) {
  return (const char *)list->paths.data + fed__image_list_at(list, at)->path;
}

int fed__image_list_add(struct fed__image_list *list, const char *folder, const char *name,
                        struct fed__image_entry entry) {
  const char zero = '\0';
  entry.path = list->paths.size;
  FED_TRY(fed_buffer_print(&list->paths, "%s/%s", folder, name));
  FED_TRY(fed_buffer_append(&list->paths, &zero, 1));
  FED_TRY(fed_buffer_append(&list->entries, &entry, sizeof entry));
  list->count++;
  return FED_OK;
}

static int is_image(const char *name) {
  const char *dot = strrchr(name, '.');
  return name[0] != '.' && dot &&
         (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

/* The names in a folder that `wanted` takes, sorted. */
struct names {
  const struct fed_context *context;
  char **names;
  size_t count, room;
};

static void names_clear(struct names *names) {
  for (size_t i = 0; i < names->count; i++) fed__free(names->context, names->names[i]);
  fed__free(names->context, names->names);
}

static int add_name(struct names *names, const char *name) {
  if (names->count == names->room) {
    const size_t room = names->room ? 2 * names->room : 64;
    char **larger = fed__resize(names->context, names->names, room, sizeof *larger);
    if (!larger) return FED_E_MEMORY;
    names->names = larger;
    names->room = room;
  }
  names->names[names->count] = fed__copy_text(names->context, name);
  return names->names[names->count++] ? FED_OK : FED_E_MEMORY;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int is_folder(DIR *folder, const char *name) {
  struct stat info;
  return name[0] != '.' && fstatat(dirfd(folder), name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

static int read_names(const char *path, int folders, struct names *names) {
  DIR *folder = opendir(path);
  if (!folder)
    return FED_RAISE(errno == EACCES ? FED_E_PERMISSION : FED_E_IO,
                     "cannot list the folder '%s': %s", path, strerror(errno));
  int code = FED_OK;
  for (struct dirent *entry; code == FED_OK && (entry = readdir(folder));)
    if (folders ? is_folder(folder, entry->d_name) : is_image(entry->d_name))
      code = add_name(names, entry->d_name);
  closedir(folder);
  if (code == FED_OK && names->count)
    qsort(names->names, names->count, sizeof *names->names, compare_names);
  return code;
}

/* A class that this site has nothing of is fine; a folder that is no class is not. */
static int check_folders(const char *real, const struct fed_context *context,
                         const struct fed__dataset_schema *schema) {
  const struct fed__target_schema *target = &schema->target;
  struct names names = {.context = context};
  int code = read_names(real, 1, &names);
  for (size_t i = 0; i < names.count && code == FED_OK; i++) {
    size_t at = 0;
    while (at < target->name_count && strcmp(target->names[at], names.names[i]) != 0) at++;
    if (at == target->name_count)
      code = FED_RAISE(FED_E_RANGE,
                       "'%s/%s': expected folders with the names of the %zu classes that the job "
                       "declares",
                       schema->inputs[0].file, names.names[i], target->name_count);
  }
  names_clear(&names);
  return code;
}

static int list_class(struct fed__image_list *list, const struct fed_context *context,
                      const char *folder, const char *path, int64_t label) {
  char real[PATH_MAX];
  struct names names = {.context = context};
  int code = fed__source_resolve(folder, path, real);
  if (code == FED_E_NOT_FOUND) return FED_OK;
  if (code == FED_OK) code = read_names(real, 0, &names);
  for (size_t i = 0; i < names.count && code == FED_OK; i++)
    code =
        fed__image_list_add(list, path, names.names[i], (struct fed__image_entry){.label = label});
  names_clear(&names);
  return code;
}

static int list_folders(struct fed__image_list *list, const struct fed_context *context,
                        const char *folder, const struct fed__dataset_schema *schema) {
  const struct fed__target_schema *target = &schema->target;
  char real[PATH_MAX], path[FED__PATH_MAX];
  if (target->kind != FED__TARGET_CLASS || target->name_count == 0)
    return FED_RAISE(FED_E_MISSING,
                     "'%s': folders of images need the names of their classes in the job, or an "
                     "index file",
                     schema->inputs[0].file);
  FED_TRY(fed__source_resolve(folder, schema->inputs[0].file, real));
  FED_TRY(check_folders(real, context, schema));
  for (size_t i = 0; i < target->name_count; i++) {
    FED_TRY(fed__path_join(path, sizeof path, schema->inputs[0].file, target->names[i]));
    FED_TRY(list_class(list, context, folder, path, (int64_t)i));
  }
  return FED_OK;
}

int fed__image_list_init(struct fed__image_list *list, const struct fed_context *context,
                         const char *folder, const struct fed__dataset_schema *schema) {
  *list = (struct fed__image_list){.count = 0};
  fed_buffer_init(&list->paths, context, (size_t)FED__DATA_BYTES_MAX);
  fed_buffer_init(&list->entries, context, (size_t)UINT32_MAX * sizeof(struct fed__image_entry));
  int code =
      (schema->target.file ? fed__image_list_index : list_folders)(list, context, folder, schema);
  if (code != FED_OK) fed__image_list_clear(list);
  return code;
}

void fed__image_list_clear(struct fed__image_list *list) {
  fed_buffer_clear(&list->paths);
  fed_buffer_clear(&list->entries);
}
