/* SPDX-License-Identifier: Apache-2.0
 *
 * faulty_vfs.h: a layer below SQLite that fails the n-th change of a file, or writes down every
 * change so that a power cut at any moment can be played afterwards (the idea is that of SQLite's
 * own test6.c). One at a time; not for several threads.
 */
#ifndef FED_TESTS_FAULTY_VFS_H
#define FED_TESTS_FAULTY_VFS_H

#include "base/rng.h"

/* Become SQLite's default layer. */
void faulty_vfs_install(void);

/* Fail the n-th write, sync, truncation or deletion from now on with SQLite's `code`,
 * counting from 0, and all that follow if `forever`. Negative: none. */
void faulty_vfs_fail(long nth, int code, int forever);

/* Changes asked for since faulty_vfs_fail. */
long faulty_vfs_count(void);

/* Write changes down from now on, forgetting earlier ones. */
void faulty_vfs_record(void);

/* The number of changes written down. */
long faulty_vfs_recorded(void);

/* Make the files in `folder` (by their last name) as they are when the power fails after the first
 * `count` changes: what was synced is there; of the rest each write is there, missing or half
 * there, by chance. Deletions are taken to last. */
void faulty_vfs_play(const char *folder, long count, struct fed_rng *chance);

#endif
