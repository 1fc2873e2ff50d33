/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.c: greedy placement by size. Usually within a few percent of the lower bound for the
 * chains and short detours that networks are (Pisarchyk and Lee, 2020, arXiv:2001.03288).
 */
#include "train/arena.h"

/* Shell sort by falling size; equal sizes by index, so that a plan is always the same. */
static int comes_before(const struct fed__region *regions, uint32_t a, uint32_t b) {
  return regions[a].bytes != regions[b].bytes ? regions[a].bytes > regions[b].bytes : a < b;
}

static void sort_by_size(const struct fed__region *regions, uint32_t *order, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  uint32_t gap = 1;
  while (gap < count / 3) gap = 3 * gap + 1;
  for (; gap; gap /= 3)
    for (uint32_t i = gap; i < count; i++) {
      const uint32_t moving = order[i];
      uint32_t at = i;
      for (; at >= gap && comes_before(regions, moving, order[at - gap]); at -= gap)
        order[at] = order[at - gap];
      order[at] = moving;
    }
}

static int live_together(const struct fed__region *a, const struct fed__region *b) {
  return a->from <= b->to && b->from <= a->to;
}

/* `placed` lists the placed regions by offset: the first gap that is wide enough for the time. */
static size_t find_gap(const struct fed__region *regions, const uint32_t *placed, uint32_t count,
                       const struct fed__region *region) {
  size_t offset = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct fed__region *other = &regions[placed[i]];
    if (!live_together(region, other)) continue;
    if (offset + region->bytes <= other->offset) break;
    if (other->offset + other->bytes > offset) offset = other->offset + other->bytes;
  }
  return offset;
}

size_t fed__arena_assign(struct fed__region *regions, uint32_t count, uint32_t *order) {
  size_t total = 0;
  for (uint32_t i = 0; i < count; i++)
    regions[i].bytes =
        (regions[i].bytes + FED__ARENA_ALIGNMENT - 1) / FED__ARENA_ALIGNMENT * FED__ARENA_ALIGNMENT;
  sort_by_size(regions, order, count);
  /* order[0..i) is turned from "by size" into "by offset" as the regions are placed. */
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t placing = order[i];
    struct fed__region *region = &regions[placing];
    region->offset = find_gap(regions, order, i, region);
    if (region->offset + region->bytes > total) total = region->offset + region->bytes;
    uint32_t at = i;
    for (; at > 0 && regions[order[at - 1]].offset > region->offset; at--)
      order[at] = order[at - 1];
    order[at] = placing;
  }
  return total;
}
