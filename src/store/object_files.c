/* SPDX-License-Identifier: Apache-2.0
 *
 * object_files.c: objects as files. The folders are all made with the store, so that putting an
 * object has just one folder to sync.
 */
#include "store/object_files.h"
#include "base/raise.h"

#include <stdio.h>

static int make_folders(const struct fed__object_files *objects) {
  char name[3], path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, objects->folder, "ff"));
  if (fed__file_exists(path)) return FED_OK; /* the last one made */
  for (unsigned i = 0; i < 256; i++) {
    snprintf(name, sizeof name, "%02x", i);
    FED_TRY(fed__path_join(path, sizeof path, objects->folder, name));
    FED_TRY(fed__folder_make(path));
  }
  return fed__folder_sync(objects->folder);
}

int fed__object_files_init(struct fed__object_files *objects, const char *folder, int create) {
  FED_TRY(fed__path_join(objects->folder, sizeof objects->folder, folder, "objects"));
  return create ? make_folders(objects) : FED_OK;
}

static int find_path(const struct fed__object_files *objects, const struct fed__digest *hash,
                     char *path, size_t size) {
  char hex[FED__DIGEST_HEX_SIZE], name[FED__DIGEST_HEX_SIZE + 3];
  fed__digest_encode(hash, hex);
  snprintf(name, sizeof name, "%.2s/%s", hex, hex);
  return fed__path_join(path, size, objects->folder, name);
}

int fed__object_files_put(const struct fed__object_files *objects, struct fed_slice bytes,
                          struct fed__digest *hash) {
  char path[FED__PATH_MAX];
  *hash = fed__sha256_of(bytes);
  FED_TRY(find_path(objects, hash, path, sizeof path));
  const int code = fed__file_write(path, bytes, FED__FILE_PRIVATE);
  if (code == FED_E_DISK)
    return FED_WRAP("keeping an object of %zu bytes (free some space, then try again)", bytes.size);
  return code == FED_OK ? code : FED_WRAP("keeping an object");
}

int fed__object_files_get(const struct fed__object_files *objects, const struct fed__digest *hash,
                          struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  const size_t start = out->size;
  FED_TRY(find_path(objects, hash, path, sizeof path));
  int code = fed__file_read(path, out);
  if (code == FED_OK) {
    const struct fed__digest found =
        fed__sha256_of(fed_slice_of(out->data + start, out->size - start));
    if (!fed__digest_equal(hash, &found))
      code = FED_RAISE(FED_E_CORRUPT,
                       "'%s' no longer matches its hash: restore it from a backup or put the same "
                       "object again",
                       path);
  }
  if (code != FED_OK) out->size = start;
  return code;
}

int fed__object_files_path(const struct fed__object_files *objects, const struct fed__digest *hash,
                           char *path, size_t size) {
  FED_TRY(find_path(objects, hash, path, size));
  if (fed__file_exists(path)) return FED_OK;
  return FED_RAISE(FED_E_NOT_FOUND, "there is no object '%s'", path);
}
