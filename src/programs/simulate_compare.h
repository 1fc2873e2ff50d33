/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_compare.h: a page about several simulations, from their folders.
 */
#ifndef FED_SIMULATE_COMPARE_H
#define FED_SIMULATE_COMPARE_H

#include "fed/buffer.h"

#define FED__COMPARED_RUNS_MAX 1000

/* Append the page; the runs are called after their folders. FED_E_USAGE for fewer than two or too
 * many of them, FED_E_NOT_FOUND for a folder without a finished run. */
FED_MUST int fed__simulate_compare(const struct fed_context *context, const char *const *folders,
                                   size_t count, struct fed_buffer *html);

#endif
