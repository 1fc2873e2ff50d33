/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.h: names with wildcards, as people write them into policies and jobs.
 */
#ifndef FED_BASE_PATTERN_H
#define FED_BASE_PATTERN_H

/* Does the pattern match the whole text? '*' stands for any run of characters. */
int fed__pattern_matches(const char *pattern, const char *text);

#endif
