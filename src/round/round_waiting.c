/* SPDX-License-Identifier: Apache-2.0
 *
 * round_waiting.c: who waits for a task. In asynchronous training a client is drawn whenever a
 * place is free, so a tree of counts (Fenwick 1994, "A new data structure for cumulative frequency
 * tables") over blocks of clients finds the n-th of those that wait without a look at the others.
 *
 * Cost: O(log clients) a change or a search; 4 bytes for each block of clients.
 */
#include "base/memory.h"
#include "round/round_parts.h"

#define BLOCK 64u /* clients; a search ends with a walk through one */

static uint32_t block_count(uint32_t client_count) { return (client_count + BLOCK - 1) / BLOCK; }

/* Node i (from 1) counts the blocks from i - (lowest bit of i) to i - 1. */
static void add(struct fed__round *round, uint32_t client, uint32_t difference) {
  const uint32_t blocks = block_count(round->client_count);
  for (uint32_t i = client / BLOCK + 1; i <= blocks; i += i & (~i + 1))
    round->waiting_tree[i - 1] += difference;
}

void fed__round_set_waiting(struct fed__round *round, uint32_t client, int is_waiting) {
  if (round->waiting[client] == is_waiting) return;
  round->waiting[client] = (uint8_t)is_waiting;
  round->waiting_count += is_waiting ? 1 : UINT32_MAX;
  if (round->waiting_tree) add(round, client, is_waiting ? 1 : UINT32_MAX);
}

uint32_t fed__round_find_waiting(const struct fed__round *round, uint32_t rank) {
  const uint32_t blocks = block_count(round->client_count);
  uint32_t before = 0, step = 1;
  while (step <= blocks / 2) step *= 2;
  for (; step; step /= 2) {
    if (before + step > blocks || round->waiting_tree[before + step - 1] > rank) continue;
    before += step;
    rank -= round->waiting_tree[before - 1];
  }
  uint32_t client = before * BLOCK;
  while (!round->waiting[client] || rank--) client++;
  return client;
}

void fed__round_count_waiting(struct fed__round *round) {
  if (!round->waiting_tree) return;
  memset(round->waiting_tree, 0, block_count(round->client_count) * sizeof *round->waiting_tree);
  for (uint32_t client = 0; client < round->client_count; client++)
    if (round->waiting[client]) add(round, client, 1);
}

int fed__round_grow_waiting(struct fed__round *round, uint32_t count) {
  const uint32_t blocks = block_count(count);
  if (!round->settings.buffer || blocks == block_count(round->client_count)) return FED_OK;
  uint32_t *moved = fed__resize(round->context, round->waiting_tree, blocks, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  round->waiting_tree = moved;
  return FED_OK;
}
