/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.c: on a mismatch the last '*' takes one more character, so the time is at most the
 * product of the lengths.
 */
#include "base/pattern.h"

#include <stddef.h>

int fed__pattern_matches(const char *pattern, const char *text) {
  const char *star = NULL, *resume = NULL;
  while (*text) {
    if (*pattern == '*') {
      star = pattern++;
      resume = text;
    } else if (*pattern == *text) {
      pattern++;
      text++;
    } else if (star) {
      pattern = star + 1;
      text = ++resume;
    } else {
      return 0;
    }
  }
  while (*pattern == '*') pattern++;
  return *pattern == '\0';
}
