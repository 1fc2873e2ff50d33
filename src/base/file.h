/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h: whole files, written so that a crash leaves the old content or the new one, never a
 * mixture. Private files and folders (keys, updates) are readable by their owner only.
 */
#ifndef FED_BASE_FILE_H
#define FED_BASE_FILE_H

#include "fed/buffer.h"

enum fed__file_access { FED__FILE_PRIVATE = 0600, FED__FILE_SHARED = 0644 };

/* Append the file's bytes to `out` (bounded by its size_max). FED_E_NOT_FOUND, FED_E_TOO_LARGE,
 * FED_E_IO name the path and leave `out` unchanged. */
FED_MUST int fed__file_read(const char *path, struct fed_buffer *out);

/* Write a temporary file beside `path`, fsync it, rename it over `path`, fsync the folder. */
FED_MUST int fed__file_write(const char *path, struct fed_slice bytes,
                             enum fed__file_access access);

/* The same without fsync, for what may be lost in a crash. */
FED_MUST int fed__file_write_quick(const char *path, struct fed_slice bytes,
                                   enum fed__file_access access);

/* Make a folder and its parents; a new one gets mode 0700. Fine if it exists. */
FED_MUST int fed__folder_make(const char *path);

/* Make the names in a folder (files made, renamed, removed) survive a power cut. */
FED_MUST int fed__folder_sync(const char *path);

/* Remove a folder with everything in it. Fine if it does not exist. */
FED_MUST int fed__folder_remove(const char *path);

/* The same for a small file in a folder (at most 1 MiB); reading sets up `out`, which is the
 * caller's to clear whatever comes back. */
FED_MUST int fed__file_read_in(const struct fed_context *context, const char *folder,
                               const char *name, struct fed_buffer *out);
FED_MUST int fed__file_write_in(const char *folder, const char *name, struct fed_slice bytes,
                                enum fed__file_access access);

int fed__file_exists(const char *path);

/* `folder/name` into `out` of `size` bytes; FED_E_TOO_LARGE when it does not fit. */
FED_MUST int fed__path_join(char *out, size_t size, const char *folder, const char *name);

#define FED__PATH_MAX 4096

#endif
