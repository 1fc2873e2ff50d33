/* SPDX-License-Identifier: Apache-2.0
 *
 * nearest.h: "did you mean …?"
 */
#ifndef FED_BASE_NEAREST_H
#define FED_BASE_NEAREST_H

#include <stddef.h>

/* The name nearest to `word`, if one is near enough to be a slip of the pen; else NULL. */
const char *fed__nearest_name(const char *word, const char *const *names, size_t count);

#endif
