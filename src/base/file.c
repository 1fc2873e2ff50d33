/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c: whole files and folders over POSIX.
 */
#include "base/file.h"
#include "base/raise.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)1 << 16)

static int raise_errno(const char *what, const char *path) {
  const int error = errno;
  const int code = error == ENOENT   ? FED_E_NOT_FOUND
                   : error == EACCES ? FED_E_PERMISSION
                   : error == EEXIST ? FED_E_EXISTS
                   : error == ENOSPC ? FED_E_DISK
                   : error == EDQUOT ? FED_E_DISK
                                     : FED_E_IO;
  return FED_RAISE(code, "cannot %s '%s': %s", what, path, strerror(error));
}

static size_t room_in(const struct fed_buffer *out) {
  const size_t allowed = out->size_max - out->size;
  const size_t room = out->capacity ? out->capacity - out->size - 1 : 0;
  return room < allowed ? room : allowed;
}

/* Room to read into, or none where the file ends just when the buffer is full. */
static int make_room(int fd, const char *path, struct fed_buffer *out) {
  const size_t allowed = out->size_max - out->size;
  char beyond;
  if (room_in(out)) return FED_OK;
  if (allowed) return fed_buffer_reserve(out, allowed < READ_BYTES ? allowed : READ_BYTES);
  const ssize_t more = read(fd, &beyond, 1);
  if (more < 0) return raise_errno("read", path);
  return more == 0 ? fed_buffer_reserve(out, 0) : fed_buffer_reserve(out, 1);
}

static int read_all(int fd, const char *path, struct fed_buffer *out) {
  struct stat info;
  if (fstat(fd, &info) != 0) return raise_errno("look at", path);
  if (S_ISDIR(info.st_mode)) return FED_RAISE(FED_E_INPUT, "'%s' is a folder, not a file", path);
  if (S_ISREG(info.st_mode)) { /* one more where it fits: to see the end without growing again */
    const size_t size = (size_t)info.st_size, allowed = out->size_max - out->size;
    FED_TRY(fed_buffer_reserve(out, size < allowed ? size + 1 : size));
  }
  for (;;) {
    FED_TRY(make_room(fd, path, out));
    ssize_t got = read(fd, out->data + out->size, room_in(out));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return raise_errno("read", path);
    if (got == 0) return FED_OK;
    out->size += (size_t)got;
  }
}

int fed__file_read(const char *path, struct fed_buffer *out) {
  const size_t start = out->size;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return raise_errno("open", path);
  int code = read_all(fd, path, out);
  if (code == FED_E_TOO_LARGE) code = FED_WRAP("reading '%s'", path);
  if (code != FED_OK) out->size = start;
  close(fd);
  return code;
}

static int write_all(int fd, const char *path, struct fed_slice bytes) {
  while (bytes.size) {
    ssize_t put = write(fd, bytes.data, bytes.size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return raise_errno("write", path);
    bytes.data += put;
    bytes.size -= (size_t)put;
  }
  return FED_OK;
}

int fed__folder_sync(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return raise_errno("open the folder", path);
  int code = fsync(fd) == 0 ? FED_OK : raise_errno("sync the folder", path);
  close(fd);
  return code;
}

static int sync_folder_of(const char *path) {
  char copy[FED__PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  return fed__folder_sync(dirname(copy));
}

static int write_temporary(const char *path, struct fed_slice bytes, enum fed__file_access access,
                           int durable) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)access);
  if (fd < 0) return raise_errno("create", path);
  int code = write_all(fd, path, bytes);
  if (code == FED_OK && durable && fdatasync(fd) != 0) code = raise_errno("sync", path);
  if (close(fd) != 0 && code == FED_OK) code = raise_errno("close", path);
  return code;
}

static int write_file(const char *path, struct fed_slice bytes, enum fed__file_access access,
                      int durable) {
  static _Atomic unsigned serial;
  char temporary[FED__PATH_MAX];
  int length =
      snprintf(temporary, sizeof temporary, "%s.%ld-%u.tmp", path, (long)getpid(), serial++);
  if (length < 0 || (size_t)length >= sizeof temporary)
    return FED_RAISE(FED_E_TOO_LARGE, "path too long: '%s'", path);
  int code = write_temporary(temporary, bytes, access, durable);
  if (code == FED_OK && rename(temporary, path) != 0) code = raise_errno("put in place", path);
  if (code != FED_OK) {
    unlink(temporary);
    return code;
  }
  return durable ? sync_folder_of(path) : FED_OK;
}

int fed__file_write(const char *path, struct fed_slice bytes, enum fed__file_access access) {
  return write_file(path, bytes, access, 1);
}

int fed__file_write_quick(const char *path, struct fed_slice bytes, enum fed__file_access access) {
  return write_file(path, bytes, access, 0);
}

int fed__folder_make(const char *path) {
  char partial[FED__PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof partial) return FED_RAISE(FED_E_TOO_LARGE, "path too long: '%s'", path);
  for (size_t i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(partial, path, i);
    partial[i] = '\0';
    if (mkdir(partial, 0700) != 0 && errno != EEXIST)
      return raise_errno("make the folder", partial);
  }
  struct stat info;
  if (stat(path, &info) != 0) return raise_errno("look at", path);
  if (!S_ISDIR(info.st_mode)) return FED_RAISE(FED_E_EXISTS, "'%s' is not a folder", path);
  return FED_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info, (void)kind, (void)place;
  return remove(path);
}

int fed__folder_remove(const char *path) {
  if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return FED_OK;
  return raise_errno("remove", path);
}

int fed__file_read_in(const struct fed_context *context, const char *folder, const char *name,
                      struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  fed_buffer_init(out, context, (size_t)1 << 20);
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_read(path, out);
}

int fed__file_write_in(const char *folder, const char *name, struct fed_slice bytes,
                       enum fed__file_access access) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_write(path, bytes, access);
}

int fed__file_exists(const char *path) { return access(path, F_OK) == 0; }

int fed__path_join(char *out, size_t size, const char *folder, const char *name) {
  int length = snprintf(out, size, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= size)
    return FED_RAISE(FED_E_TOO_LARGE, "path too long: '%s/%s'", folder, name);
  return FED_OK;
}
