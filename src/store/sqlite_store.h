/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_store.h: the store for one server: SQLite for records and events, files for objects.
 *
 *   FOLDER/fed.sqlite3           write-ahead log; other programs may open the store meanwhile
 *   FOLDER/objects/ab/abcd…      objects, named by their SHA-256
 *
 * Folders are made with mode 0700, files with 0600. The folder must be on a local disk: SQLite's
 * write-ahead log does not work over a network file system.
 *
 * A durable commit costs one fsync of the log. When that fails nobody knows what is on the disk,
 * so the store then refuses every call until it is opened again.
 */
#ifndef FED_STORE_SQLITE_STORE_H
#define FED_STORE_SQLITE_STORE_H

#include "round/store.h"

/* Open the store in `folder`; with `create` make what is missing. Close it with its ops->close.
 * FED_E_NOT_FOUND (without create), FED_E_VERSION (written by a newer fed), FED_E_CORRUPT,
 * FED_E_PERMISSION, FED_E_DISK, FED_E_BUSY, FED_E_STORE; all name the path. */
FED_MUST int fed__sqlite_store_open(const struct fed_context *context, const char *folder,
                                    int create, struct fed__store **store);

#endif
