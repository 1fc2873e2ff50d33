/* SPDX-License-Identifier: Apache-2.0
 *
 * nearest.c: "did you mean …?": the name with the smallest edit distance, where swapping
 * two neighbouring letters counts as one edit (optimal string alignment).
 */
#include "base/nearest.h"

#include <string.h>

#define LENGTH_MAX 48

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Both texts are at most LENGTH_MAX long. */
static size_t distance(const char *a, const char *b) {
  const size_t rows = strlen(a), columns = strlen(b);
  size_t d[LENGTH_MAX + 1][LENGTH_MAX + 1];
  for (size_t j = 0; j <= columns; j++) d[0][j] = j;
  for (size_t i = 1; i <= rows; i++) {
    d[i][0] = i;
    for (size_t j = 1; j <= columns; j++) {
      d[i][j] =
          least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[rows][columns];
}

const char *fed__nearest_name(const char *word, const char *const *names, size_t count) {
  const char *nearest = NULL;
  if (strlen(word) > LENGTH_MAX) return NULL;
  size_t smallest = strlen(word) / 3 + 1;
  for (size_t i = 0; i < count; i++) {
    if (strlen(names[i]) > LENGTH_MAX) continue;
    const size_t edits = distance(word, names[i]);
    if (edits > smallest || (edits == smallest && nearest)) continue;
    smallest = edits;
    nearest = names[i];
  }
  return nearest;
}
