/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_data.c: opening the data of a simulation, and dividing it.
 */
#include "programs/simulate_data.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "data/joined_examples.h"
#include "data/row_groups.h"
#include "job/job_examples.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the clients' folders ------------------------------------------------------------------- */

static int is_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int has_file(const char *folder, const char *name) {
  char path[FED__PATH_MAX];
  return fed__path_join(path, sizeof path, folder, name) == FED_OK && fed__file_exists(path);
}

static int is_same(const char *a, const char *b) {
  struct stat of_a, of_b;
  return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
         of_a.st_ino == of_b.st_ino;
}

/* What a simulation has written or is about to: people let it write beside the sites. A site's own
 * data may be called metrics.jsonl, too. */
static int is_output(const struct fed__simulate_data *data, const char *path) {
  const int has_run = has_file(path, "metrics.jsonl") &&
                      (has_file(path, "report.html") || has_file(path, "checkpoint.safetensors"));
  return is_same(path, data->out) || has_run || has_file(path, "sweep.json") ||
         has_file(path, "partition.html");
}

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

static int add_name(struct fed__simulate_data *data, const char *name) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, data->folder, name));
  if (name[0] == '.' || !is_folder(path) || is_output(data, path)) return FED_OK;
  if (strlen(name) >= FED__CLIENT_NAME_BYTES)
    return FED_RAISE(FED_E_TOO_LARGE, "'%s': a client's name has at most %d bytes", path,
                     FED__CLIENT_NAME_BYTES - 1);
  void *moved =
      fed__resize(data->context, data->names, (size_t)data->client_count + 1, sizeof *data->names);
  if (!moved) return FED_E_MEMORY;
  data->names = moved;
  memset(data->names[data->client_count], 0, sizeof *data->names);
  memcpy(data->names[data->client_count++], name, strlen(name));
  return FED_OK;
}

static int list_clients(struct fed__simulate_data *data) {
  int code = FED_OK;
  const struct dirent *entry;
  DIR *folder = opendir(data->folder);
  if (!folder)
    return FED_RAISE(FED_E_NOT_FOUND, "cannot list '%s': %s", data->folder, strerror(errno));
  while (code == FED_OK && (entry = readdir(folder))) code = add_name(data, entry->d_name);
  closedir(folder);
  FED_TRY(code);
  if (data->client_count == 0)
    return FED_RAISE(
        FED_E_EMPTY,
        "'%s' has no folders; the partition 'folders' takes one folder for each client",
        data->folder);
  qsort(data->names, data->client_count, sizeof *data->names, compare_names);
  return FED_OK;
}

static int open_client(const struct fed__simulate_data *data, uint32_t client,
                       struct fed_examples **examples) {
  char folder[FED__PATH_MAX], inner[FED__PATH_MAX];
  FED_TRY(fed__path_join(folder, sizeof folder, data->folder, data->names[client]));
  FED_TRY(fed__path_join(inner, sizeof inner, folder, "data"));
  return fed__dataset_open(data->context, is_folder(inner) ? inner : folder,
                           &data->job->data.schema, examples);
}

static int open_clients(const struct fed__simulate_data *data, struct fed_examples **examples) {
  struct fed_examples **parts = fed__zalloc(data->context, data->client_count, sizeof *parts);
  int code = parts ? FED_OK : FED_E_MEMORY;
  uint32_t opened = 0;
  while (code == FED_OK && opened < data->client_count) {
    code = open_client(data, opened, &parts[opened]);
    if (code == FED_OK) opened++;
  }
  if (code == FED_OK)
    code = fed__joined_examples_new(data->context, parts, data->client_count, examples);
  else
    while (opened > 0) fed_examples_free(parts[--opened]);
  fed__free(data->context, parts);
  return code;
}

/* ---- opening -------------------------------------------------------------------------------- */

int fed__simulate_data_open(const struct fed__simulate_data *data, struct fed_examples **training) {
  if (data->names) return open_clients(data, training);
  return fed__dataset_open(data->context, data->folder, &data->job->data.schema, training);
}

static int open_data(struct fed__simulation_source *self, struct fed_examples **training,
                     struct fed_examples **test) {
  const struct fed__simulate_data *data = (struct fed__simulate_data *)self;
  FED_TRY(fed__simulate_data_open(data, training));
  const int code = fed__job_test_set_open(data->job, data->test_base, test);
  if (code != FED_OK) {
    fed_examples_free(*training);
    *training = NULL;
  }
  return code;
}

static int replace_test(struct fed__job *job, const char *test) {
  char *copy = fed__copy_text(job->context, test);
  if (!copy) return FED_E_MEMORY;
  fed__free(job->context, job->evaluate.test_folder);
  job->evaluate.test_folder = copy;
  return FED_OK;
}

int fed__simulate_data_init(struct fed__simulate_data *data, struct fed__job *job,
                            const char *folder, const char *test, const char *out) {
  *data = (struct fed__simulate_data){.source = {open_data},
                                      .context = job->context,
                                      .job = job,
                                      .folder = folder,
                                      .out = out,
                                      .test_base = test ? "." : folder};
  if (test) FED_TRY(replace_test(job, test));
  return job->simulate.partition.kind == FED__PARTITION_FOLDERS ? list_clients(data) : FED_OK;
}

void fed__simulate_data_clear(struct fed__simulate_data *data) {
  if (!data->context) return;
  fed__free(data->context, data->names);
  *data = (struct fed__simulate_data){0};
}

/* ---- dividing ------------------------------------------------------------------------------- */

static int divide_by_file(const struct fed__simulate_data *data, const char *path, size_t count,
                          struct fed__partition *partition) {
  struct fed_buffer file;
  fed_buffer_init(&file, data->context, (size_t)32 << 30);
  int code = fed__file_read(path, &file);
  if (code == FED_OK)
    code = fed__partition_decode(data->context, fed_buffer_slice(&file), count, partition);
  fed_buffer_clear(&file);
  return code == FED_OK ? FED_OK : FED_WRAP("the partition '%s'", path);
}

static int divide_by_folders(const struct fed__simulate_data *data,
                             const struct fed_examples *examples,
                             struct fed__partition *partition) {
  size_t *counts = fed__alloc(data->context, data->client_count * sizeof *counts);
  if (!counts) return FED_E_MEMORY;
  for (uint32_t i = 0; i < data->client_count; i++)
    counts[i] = fed__joined_examples_part_count(examples, i);
  const int code =
      fed__partition_of_parts(data->context, (const char(*)[FED__CLIENT_NAME_BYTES])data->names,
                              counts, data->client_count, partition);
  fed__free(data->context, counts);
  return code;
}

static int divide_by_column(const struct fed__simulate_data *data,
                            struct fed__partition *partition) {
  const struct fed__partition_settings *settings = &data->job->simulate.partition;
  struct fed__row_groups groups;
  FED_TRY(fed__row_groups_read(data->context, data->folder, &data->job->data.schema,
                               (const char *const *)settings->columns, settings->column_count,
                               &groups));
  const int code = settings->kind == FED__PARTITION_SORTED
                       ? fed__partition_of_sorted(data->context, settings->columns[0], &groups,
                                                  data->job->simulate.clients, partition)
                       : fed__partition_of_groups(data->context, settings, &groups, partition);
  fed__row_groups_clear(&groups);
  return code;
}

int fed__simulate_data_divide(const struct fed__simulate_data *data, struct fed_examples *examples,
                              struct fed__partition *partition) {
  const struct fed__partition_settings *settings = &data->job->simulate.partition;
  switch (settings->kind) {
  case FED__PARTITION_FILE:
    return divide_by_file(data, settings->file, examples->count, partition);
  case FED__PARTITION_FOLDERS:
    return divide_by_folders(data, examples, partition);
  case FED__PARTITION_SORTED:
  case FED__PARTITION_COLUMN:
    return divide_by_column(data, partition);
  default:
    return fed__partition_of_examples(data->job, examples, partition);
  }
}
