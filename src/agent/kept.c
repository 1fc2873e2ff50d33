/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.c: a folder a job, a file a round. The job's name comes from the server, so it is looked at.
 */
#include "agent/kept.h"
#include "base/file.h"
#include "base/raise.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define SUFFIX ".safetensors"

static int folder_of(const char *folder, const char *job, char path[FED__PATH_MAX]) {
  char name[256];
  const size_t length = strlen(job);
  if (length == 0 || length > 200 || job[0] == '.' || job[strspn(job, NAME_CHARACTERS)])
    return FED_RAISE(FED_E_PROTOCOL, "the server's name for the job is not fit for a file's: '%s'",
                     job);
  snprintf(name, sizeof name, "kept/%s", job);
  return fed__path_join(path, FED__PATH_MAX, folder, name);
}

static int path_of(const char *place, uint64_t round, char path[FED__PATH_MAX]) {
  char name[64];
  snprintf(name, sizeof name, "%" PRIu64 SUFFIX, round);
  return fed__path_join(path, FED__PATH_MAX, place, name);
}

/* The newest round before `round` of which there is a file; 0: none. Rounds count from 1. */
static uint64_t find_before(const char *place, uint64_t round) {
  uint64_t newest = 0;
  DIR *files = opendir(place);
  for (struct dirent *file; files && (file = readdir(files));) {
    char *end;
    const uint64_t number = strtoull(file->d_name, &end, 10);
    if (strcmp(end, SUFFIX) == 0 && number < round && number > newest) newest = number;
  }
  if (files) closedir(files);
  return newest;
}

int fed__kept_read(const char *folder, const char *job, uint64_t round, struct fed_buffer *kept) {
  char place[FED__PATH_MAX], path[FED__PATH_MAX];
  FED_TRY(folder_of(folder, job, place));
  const uint64_t found = find_before(place, round);
  if (!found) return FED_OK;
  FED_TRY(path_of(place, found, path));
  return fed__file_read(path, kept);
}

static int remove_round(const char *place, uint64_t round) {
  char path[FED__PATH_MAX];
  FED_TRY(path_of(place, round, path));
  if (unlink(path) == 0 || errno == ENOENT) return FED_OK;
  return FED_RAISE(FED_E_IO, "cannot remove '%s': %s", path, strerror(errno));
}

/* From the newest that is older than `round`'s predecessor on down. */
static int forget_older(const char *place, uint64_t round) {
  uint64_t older = find_before(place, round);
  while (older && (older = find_before(place, older))) FED_TRY(remove_round(place, older));
  return FED_OK;
}

int fed__kept_forget(const char *folder, const char *job, uint64_t round) {
  char place[FED__PATH_MAX];
  FED_TRY(folder_of(folder, job, place));
  return remove_round(place, round);
}

int fed__kept_write(const char *folder, const char *job, uint64_t round, struct fed_slice kept) {
  char place[FED__PATH_MAX], path[FED__PATH_MAX];
  FED_TRY(folder_of(folder, job, place));
  FED_TRY(path_of(place, round, path));
  FED_TRY(fed__folder_make(place));
  FED_TRY(fed__file_write(path, kept, FED__FILE_PRIVATE));
  return forget_older(place, round);
}
