/* SPDX-License-Identifier: Apache-2.0
 *
 * system.c: the context that a program uses: malloc, the system clock, getrandom.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "fed/context.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

static void *system_resize(struct fed_alloc *self, void *pointer, size_t size) {
  (void)self;
  if (size) return realloc(pointer, size);
  free(pointer);
  return NULL;
}

/* Code that has run stays mapped; most of it (start-up, the libraries' own) will not run again
 * soon. Without these pages a process is as it was before it first ran them: they are read from the
 * page cache when they are wanted. */
static void drop_code(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[4400];
  if (!maps) return;
  while (fgets(line, sizeof line, maps)) { /* "from-to r-xp offset device inode /path" */
    char *rest;
    const uintptr_t from = strtoul(line, &rest, 16);
    const uintptr_t to = *rest == '-' ? strtoul(rest + 1, &rest, 16) : from;
    if (to > from && strncmp(rest, " r-xp ", 6) == 0 && strchr(rest, '/'))
      madvise((void *)from, to - from, MADV_DONTNEED);
  }
  fclose(maps);
}

void fed__memory_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  drop_code();
}

static int64_t read_clock_us(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_ms(struct fed_clock *self) {
  (void)self;
  return read_clock_us(CLOCK_REALTIME) / 1000;
}

static int64_t system_monotonic_us(struct fed_clock *self) {
  (void)self;
  return read_clock_us(CLOCK_MONOTONIC);
}

static int system_fill(struct fed_entropy *self, void *bytes, size_t size) {
  (void)self;
  uint8_t *cursor = bytes;
  while (size) {
    ssize_t got = getrandom(cursor, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return FED_RAISE(FED_E_IO, "no randomness from the system: %s", strerror(errno));
    cursor += got;
    size -= (size_t)got;
  }
  return FED_OK;
}

static struct fed_alloc system_alloc = {system_resize};
static struct fed_clock system_clock = {system_wall_ms, system_monotonic_us};
static struct fed_entropy system_entropy = {system_fill};

void fed_context_init(struct fed_context *context) {
  *context = (struct fed_context){&system_alloc, &system_clock, &system_entropy, NULL};
}
