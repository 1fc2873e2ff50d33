/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_compare.c: folders to what a comparison is made from.
 */
#include "programs/simulate_compare.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "report/report.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)

struct run_files {
  char *name;
  struct fed_buffer metrics, summary;
};

static int read_file(const char *folder, const char *name, struct fed_buffer *content) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_read(path, content);
}

static int read_run(const struct fed_context *context, const char *folder, struct run_files *run) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  fed_buffer_init(&run->metrics, context, FILE_BYTES_MAX);
  fed_buffer_init(&run->summary, context, FILE_BYTES_MAX);
  run->name = fed__copy_slice_text(context, fed_slice_of(folder, length));
  if (!run->name) return FED_E_MEMORY;
  if (read_file(folder, "summary.json", &run->summary) == FED_OK)
    return read_file(folder, "metrics.jsonl", &run->metrics);
  return FED_WRAP("no run of fed simulate that is over in '%s'", folder);
}

static int compare(const struct fed_context *context, struct run_files *files,
                   struct fed__run_input *inputs, const char *const *folders, size_t count,
                   struct fed_buffer *html) {
  for (size_t i = 0; i < count; i++) {
    FED_TRY(read_run(context, folders[i], &files[i]));
    inputs[i] = (struct fed__run_input){.name = files[i].name,
                                        .metrics = fed_buffer_slice(&files[i].metrics),
                                        .summary = fed_buffer_slice(&files[i].summary)};
  }
  return fed__comparison_write(context, inputs, count, html);
}

int fed__simulate_compare(const struct fed_context *context, const char *const *folders,
                          size_t count, struct fed_buffer *html) {
  if (count < 2 || count > FED__COMPARED_RUNS_MAX)
    return FED_RAISE(FED_E_USAGE, "expected the folders of 2 to %d runs, found %zu",
                     FED__COMPARED_RUNS_MAX, count);
  struct run_files *files = fed__zalloc(context, count, sizeof *files);
  struct fed__run_input *inputs = fed__zalloc(context, count, sizeof *inputs);
  const int code =
      files && inputs ? compare(context, files, inputs, folders, count, html) : FED_E_MEMORY;
  for (size_t i = 0; files && i < count; i++) {
    fed__free(context, files[i].name);
    fed_buffer_clear(&files[i].metrics);
    fed_buffer_clear(&files[i].summary);
  }
  fed__free(context, files);
  fed__free(context, inputs);
  return code;
}
