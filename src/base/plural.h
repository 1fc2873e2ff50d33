/* SPDX-License-Identifier: Apache-2.0
 *
 * plural.h: how many there are of something, in words.
 */
#ifndef FED_BASE_PLURAL_H
#define FED_BASE_PLURAL_H

#include <stdint.h>

/* "s" unless there is one: printf("%zu round%s", count, fed__plural(count)). */
static inline const char *fed__plural(uint64_t count) { return count == 1 ? "" : "s"; }

#endif
