/* SPDX-License-Identifier: Apache-2.0
 *
 * local_statistics.c: one small file a job. Its name comes from the server, so it is looked at.
 */
#include "agent/local_statistics.h"
#include "base/file.h"
#include "base/raise.h"

#include <stdio.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static int path_of(const char *folder, const char *job, char path[FED__PATH_MAX]) {
  char file[256];
  const size_t length = strlen(job);
  if (length == 0 || length > 200 || job[0] == '.' || job[strspn(job, NAME_CHARACTERS)])
    return FED_RAISE(FED_E_PROTOCOL, "the server's name for the job is not fit for a file's: '%s'",
                     job);
  snprintf(file, sizeof file, "statistics/%s.safetensors", job);
  return fed__path_join(path, FED__PATH_MAX, folder, file);
}

int fed__local_statistics_read(const char *folder, const char *job, struct fed_buffer *statistics) {
  char path[FED__PATH_MAX];
  FED_TRY(path_of(folder, job, path));
  return fed__file_exists(path) ? fed__file_read(path, statistics) : FED_OK;
}

int fed__local_statistics_write(const char *folder, const char *job, struct fed_slice statistics) {
  char path[FED__PATH_MAX], parent[FED__PATH_MAX];
  FED_TRY(path_of(folder, job, path));
  FED_TRY(fed__path_join(parent, sizeof parent, folder, "statistics"));
  FED_TRY(fed__folder_make(parent));
  return fed__file_write(path, statistics, FED__FILE_PRIVATE);
}
