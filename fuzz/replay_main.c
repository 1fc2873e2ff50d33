/* SPDX-License-Identifier: Apache-2.0
 *
 * replay_main.c: runs a fuzz target once for every file of a folder, in the order of their names,
 * and for no bytes at all. Each input gets a block of just its size, so that the address sanitizer
 * sees a read beyond it.
 *
 *   replay_NAME FOLDER [FILE…]      only these files of the folder
 */
#include "fuzz_target.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void replay(struct fed_slice input) {
  uint8_t *copy = calloc(1, input.size ? input.size : 1);
  HOLDS(copy);
  if (input.size) memcpy(copy, input.data, input.size);
  fuzz_one(copy, input.size);
  free(copy);
}

static void replay_file(const char *folder, const char *name) {
  struct fed_context context;
  struct fed_buffer bytes;
  char path[FED__PATH_MAX];
  fed_context_init(&context);
  fed_buffer_init(&bytes, &context, (size_t)1 << 26);
  printf("%s\n", name);
  fflush(stdout);
  HOLDS(fed__path_join(path, sizeof path, folder, name) == FED_OK);
  HOLDS(fed__file_read(path, &bytes) == FED_OK);
  replay(fed_buffer_slice(&bytes));
  fed_buffer_clear(&bytes);
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int replay_folder(const char *folder) {
  struct dirent **entries;
  const int count = scandir(folder, &entries, is_visible, alphasort);
  for (int i = 0; i < count; i++) {
    replay_file(folder, entries[i]->d_name);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
  return count;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s FOLDER [FILE...]\n", argv[0]);
    return FED_CLASS_USAGE;
  }
  int count = argc - 2;
  for (int i = 0; i < count; i++) replay_file(argv[1], argv[2 + i]);
  if (!count) {
    replay((struct fed_slice){NULL, 0});
    count = replay_folder(argv[1]);
  }
  if (count < 1) {
    fprintf(stderr, "%s: no files to replay: the corpus belongs there\n", argv[1]);
    return FED_CLASS_INPUT;
  }
  printf("%d inputs\n", count);
  return 0;
}
