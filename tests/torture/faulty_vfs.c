/* SPDX-License-Identifier: Apache-2.0
 *
 * faulty_vfs.c: a file is SQLite's own with our methods around it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "faulty_vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 64
#define CHANGES_MAX 20000

enum change_kind { WRITE, TRUNCATE, SYNC, DELETE };

struct change {
  enum change_kind kind;
  char name[NAME_SIZE];
  uint8_t *bytes;
  size_t size;
  sqlite3_int64 offset; /* or the new size */
};

struct faulty_file {
  sqlite3_file file;
  char name[NAME_SIZE];
  sqlite3_file *real; /* behind this struct */
};

static struct {
  sqlite3_vfs vfs, *real;
  long asked, fail_at;
  int code, forever, recording;
  struct change changes[CHANGES_MAX];
  long change_count;
} layer;

static sqlite3_file *real_of(sqlite3_file *file) { return ((struct faulty_file *)file)->real; }

static const char *name_of(sqlite3_file *file) { return ((struct faulty_file *)file)->name; }

static const char *last_name(const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  return slash ? slash + 1 : "temporary";
}

static int next_result(void) {
  const long number = layer.asked++;
  if (layer.fail_at < 0 || number < layer.fail_at) return SQLITE_OK;
  return number == layer.fail_at || layer.forever ? layer.code : SQLITE_OK;
}

static void write_down(const char *name, enum change_kind kind, const void *bytes, size_t size,
                       sqlite3_int64 offset) {
  if (!layer.recording) return;
  assert_true(layer.change_count < CHANGES_MAX);
  struct change *change = &layer.changes[layer.change_count++];
  *change = (struct change){.kind = kind, .size = size, .offset = offset};
  snprintf(change->name, sizeof change->name, "%s", name);
  if (!size) return;
  change->bytes = malloc(size);
  assert_non_null(change->bytes);
  memcpy(change->bytes, bytes, size);
}

/* --- the methods that change a file --- */

static int write_file(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
  const int result = next_result();
  if (result != SQLITE_OK) return result == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  write_down(name_of(file), WRITE, bytes, (size_t)size, offset);
  return real_of(file)->pMethods->xWrite(real_of(file), bytes, size, offset);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size) {
  if (next_result() != SQLITE_OK) return SQLITE_IOERR_TRUNCATE;
  write_down(name_of(file), TRUNCATE, NULL, 0, size);
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int sync_file(sqlite3_file *file, int flags) {
  if (next_result() != SQLITE_OK) return SQLITE_IOERR_FSYNC;
  write_down(name_of(file), SYNC, NULL, 0, 0);
  return real_of(file)->pMethods->xSync(real_of(file), flags);
}

/* --- the methods that are passed on --- */

static int close_file(sqlite3_file *file) { return real_of(file)->pMethods->xClose(real_of(file)); }

static int read_file(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
  return real_of(file)->pMethods->xRead(real_of(file), bytes, size, offset);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int lock_file(sqlite3_file *file, int lock) {
  return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int unlock_file(sqlite3_file *file, int lock) {
  return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int is_reserved(sqlite3_file *file, int *reserved) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int control_file(sqlite3_file *file, int operation, void *argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int sector_of_file(sqlite3_file *file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int device_of_file(sqlite3_file *file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int map_shared(sqlite3_file *file, int page, int size, int extend, void volatile **memory) {
  return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, memory);
}

static int lock_shared(sqlite3_file *file, int offset, int count, int flags) {
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void order_shared(sqlite3_file *file) {
  real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int unmap_shared(sqlite3_file *file, int delete_it) {
  return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_of_file,
    .xDeviceCharacteristics = device_of_file,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = order_shared,
    .xShmUnmap = unmap_shared,
};

static int open_file(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
                     int *flags_out) {
  struct faulty_file *faulty = (struct faulty_file *)file;
  (void)vfs;
  snprintf(faulty->name, sizeof faulty->name, "%s", last_name(path));
  faulty->real = (sqlite3_file *)(faulty + 1);
  const int result = layer.real->xOpen(layer.real, path, faulty->real, flags, flags_out);
  faulty->file.pMethods = faulty->real->pMethods ? &methods : NULL;
  return result;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync_folder) {
  (void)vfs;
  if (next_result() != SQLITE_OK) return SQLITE_IOERR_DELETE;
  write_down(last_name(path), DELETE, NULL, 0, 0);
  return layer.real->xDelete(layer.real, path, sync_folder);
}

void faulty_vfs_install(void) {
  layer.real = sqlite3_vfs_find(NULL);
  assert_non_null(layer.real);
  layer.vfs = *layer.real;
  layer.vfs.zName = "faulty";
  layer.vfs.szOsFile = (int)sizeof(struct faulty_file) + layer.real->szOsFile;
  layer.vfs.xOpen = open_file;
  layer.vfs.xDelete = delete_file;
  layer.fail_at = -1;
  assert_int_equal(sqlite3_vfs_register(&layer.vfs, 1), SQLITE_OK);
}

void faulty_vfs_fail(long nth, int code, int forever) {
  layer.asked = 0;
  layer.fail_at = nth;
  layer.code = code;
  layer.forever = forever;
}

long faulty_vfs_count(void) { return layer.asked; }

void faulty_vfs_record(void) {
  for (long i = 0; i < layer.change_count; i++) free(layer.changes[i].bytes);
  layer.change_count = 0;
  layer.recording = 1;
}

long faulty_vfs_recorded(void) {
  layer.recording = 0;
  return layer.change_count;
}

/* --- the power cut --- */

static int is_synced(long index, long count) {
  for (long i = index + 1; i < count; i++)
    if (layer.changes[i].kind == SYNC &&
        strcmp(layer.changes[i].name, layer.changes[index].name) == 0)
      return 1;
  return 0;
}

static void apply_change(const char *folder, const struct change *change, size_t size) {
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, folder, change->name), FED_OK);
  if (change->kind == DELETE) {
    unlink(path);
    return;
  }
  const int fd = open(path, O_RDWR | O_CREAT, 0600);
  assert_true(fd >= 0);
  if (change->kind == TRUNCATE) assert_int_equal(ftruncate(fd, change->offset), 0);
  if (change->kind == WRITE)
    assert_int_equal(pwrite(fd, change->bytes, size, change->offset), size);
  close(fd);
}

void faulty_vfs_play(const char *folder, long count, struct fed_rng *chance) {
  for (long i = 0; i < count; i++) {
    const struct change *change = &layer.changes[i];
    const int certain = change->kind == DELETE || is_synced(i, count);
    const uint64_t luck = certain ? 0 : fed__rng_below(chance, 3);
    if (change->kind == SYNC || luck == 1) continue;
    if (change->kind == TRUNCATE && luck != 0) continue;
    apply_change(folder, change, luck == 2 ? change->size / 2 : change->size);
  }
}
