/* SPDX-License-Identifier: Apache-2.0
 *
 * object_files.h: immutable objects as files named by their SHA-256, in 256 folders named by its
 * first two digits.
 *
 * Threads and processes: any number may put and get at the same time.
 */
#ifndef FED_STORE_OBJECT_FILES_H
#define FED_STORE_OBJECT_FILES_H

#include "base/file.h"
#include "crypto/hash.h"

struct fed__object_files {
  char folder[FED__PATH_MAX];
};

/* Use `folder`/objects; with `create` make it and the folders in it. */
FED_MUST int fed__object_files_init(struct fed__object_files *objects, const char *folder,
                                    int create);

/* Write the object, in place of one with the same name: that one may be damaged. */
FED_MUST int fed__object_files_put(const struct fed__object_files *objects, struct fed_slice bytes,
                                   struct fed__digest *hash);

/* Append an object. FED_E_NOT_FOUND, FED_E_CORRUPT, FED_E_TOO_LARGE; then `out` is unchanged. */
FED_MUST int fed__object_files_get(const struct fed__object_files *objects,
                                   const struct fed__digest *hash, struct fed_buffer *out);

/* Where the object lies. FED_E_NOT_FOUND. */
FED_MUST int fed__object_files_path(const struct fed__object_files *objects,
                                    const struct fed__digest *hash, char *path, size_t size);

#endif
