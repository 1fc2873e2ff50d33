/* SPDX-License-Identifier: Apache-2.0
 *
 * ranks.c: agreeing and sharing by sums.
 */
#include "simulate/ranks.h"
#include "base/memory.h"
#include "base/raise.h"

#include <stdio.h>

#define PIECE 512 /* numbers that are summed at once where they are copied */

/* ---- failures ------------------------------------------------------------------------------- */

struct failure {
  int64_t code;
  char machine[64];
  char message[2048];
};

/* What happened in the first process that failed. */
static int tell(struct fed__ranks *ranks, uint32_t first, int code) {
  struct failure failure = {0};
  const int is_mine = ranks->rank == first;
  if (is_mine) {
    const struct fed_error *error = fed_error_last();
    failure.code = code;
    snprintf(failure.machine, sizeof failure.machine, "%s", ranks->machine);
    snprintf(failure.message, sizeof failure.message, "%s",
             error->code == code ? error->message : fed_error_text(code));
  }
  fed__ranks_merge(ranks, &failure, sizeof failure);
  ranks->failed = 1;
  if (is_mine) return code;
  failure.machine[sizeof failure.machine - 1] = failure.message[sizeof failure.message - 1] = 0;
  return FED_RAISE((int)failure.code, "%s (process %u of %u, on %s)", failure.message, first + 1,
                   ranks->count, failure.machine);
}

/* Each number has one bit a process that failed, of the 32 whose turn it is. */
int fed__ranks_agree(struct fed__ranks *ranks, int code) {
  if (!ranks || ranks->failed) return code;
  uint32_t first = UINT32_MAX;
  for (uint32_t base = 0; base < ranks->count; base += 32) {
    const int is_turn = ranks->rank / 32 == base / 32;
    int64_t words[2] = {is_turn && code != FED_OK ? (int64_t)1 << ranks->rank % 32 : 0,
                        base == 0 && ranks->wants_to_stop && ranks->wants_to_stop()};
    ranks->sum(ranks, words, 2);
    if (base == 0) ranks->stopping |= words[1] != 0;
    if (words[0] && first == UINT32_MAX)
      first = base + (uint32_t)__builtin_ctzll((uint64_t)words[0]);
  }
  return first == UINT32_MAX ? FED_OK : tell(ranks, first, code);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void fed__ranks_merge(struct fed__ranks *ranks, void *bytes, size_t size) {
  const size_t words = (uintptr_t)bytes % sizeof(int64_t) ? 0 : size / sizeof(int64_t);
  int64_t piece[PIECE];
  uint8_t *at = bytes;
  if (words) ranks->sum(ranks, bytes, words);
  at += words * sizeof(int64_t);
  size -= words * sizeof(int64_t);
  for (size_t left = size, part; left; left -= part, at += part) {
    part = left < sizeof piece ? left : sizeof piece;
    memset(piece, 0, sizeof piece);
    memcpy(piece, at, part);
    ranks->sum(ranks, piece, (part + sizeof *piece - 1) / sizeof *piece);
    memcpy(at, piece, part);
  }
}

void fed__ranks_merge_outcomes(struct fed__ranks *ranks, struct fed__outcomes *outcomes) {
  const size_t labels = outcomes->row_count * outcomes->labels_each;
  const size_t columns = outcomes->classes == 2 ? 1 : outcomes->classes;
  for (size_t i = 0; i < labels; i++) outcomes->wanted[i]++; /* from -1, where nothing is known */
  fed__ranks_merge(ranks, outcomes->wanted, labels * sizeof *outcomes->wanted);
  for (size_t i = 0; i < labels; i++) outcomes->wanted[i]--;
  fed__ranks_merge(ranks, outcomes->named, labels * sizeof *outcomes->named);
  if (outcomes->scores)
    fed__ranks_merge(ranks, outcomes->scores, labels * columns * sizeof *outcomes->scores);
}

int fed__ranks_share(struct fed__ranks *ranks, struct fed_buffer *bytes) {
  if (!ranks) return FED_OK;
  int64_t size = ranks->rank == 0 ? (int64_t)bytes->size : 0;
  ranks->sum(ranks, &size, 1);
  int code = FED_OK;
  if (ranks->rank != 0) {
    bytes->size = 0;
    code = fed_buffer_reserve(bytes, (size_t)size);
    if (code == FED_OK && size) memset(bytes->data, 0, (size_t)size);
    if (code == FED_OK) bytes->size = (size_t)size;
  }
  FED_TRY(fed__ranks_agree(ranks, code));
  fed__ranks_merge(ranks, bytes->data, (size_t)size);
  return FED_OK;
}
