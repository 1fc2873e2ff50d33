/* SPDX-License-Identifier: Apache-2.0
 *
 * stage_table.c: the list of all stages, what must hold between them, and running them.
 */
#include "base/raise.h"
#include "stage/stage.h"

const struct fed__stage_ops *const fed__stage_table[] = {&fed__stage_difference, &fed__stage_rule,
                                                         &fed__stage_clip, &fed__stage_grid, NULL};

static const struct {
  unsigned trait;
  const char *meaning, *advice;
} traits[] = {
    {FED__UPDATE_IS_DIFFERENCE, "a difference from the received model",
     "put 'difference' before it"},
    {FED__UPDATE_NORM_BOUNDED, "an update of bounded norm", "set clip_norm above 0"},
    {FED__UPDATE_ON_GRID, "an update on the integer grid", "set grid_bits to 8, 16 or 32"},
};

static int check_needs(const char *who, unsigned needs, unsigned held) {
  for (size_t i = 0; i < sizeof traits / sizeof traits[0]; i++)
    if (needs & ~held & traits[i].trait)
      return FED_RAISE(FED_E_INPUT, "%s needs %s, and no stage before it makes one: %s", who,
                       traits[i].meaning, traits[i].advice);
  return FED_OK;
}

int fed__stage_check_list(const struct fed__stage_ops *const *stages,
                          const struct fed__stage_settings *settings, unsigned wanted) {
  unsigned held = 0;
  for (; *stages; stages++) {
    if (!(*stages)->active(settings)) continue;
    FED_TRY((*stages)->check(settings));
    if (check_needs("it", (*stages)->needs, held) != FED_OK)
      return FED_WRAP("stage '%s'", (*stages)->name);
    held |= (*stages)->gives;
  }
  return check_needs("the aggregation rule", wanted, held);
}

int fed__stage_check_chain(const struct fed__stage_settings *settings, unsigned wanted) {
  return fed__stage_check_list(fed__stage_table, settings, wanted);
}

int fed__stage_run_client(const struct fed__stage_settings *settings, struct fed__update *update) {
  for (const struct fed__stage_ops *const *stage = fed__stage_table; *stage; stage++)
    if ((*stage)->active(settings) && (*stage)->client(settings, update) != FED_OK)
      return FED_WRAP("stage '%s'", (*stage)->name);
  return FED_OK;
}

int fed__stage_run_server(const struct fed__stage_settings *settings, const int64_t *sum,
                          uint64_t weight_sum, size_t element_count, float *mean) {
  size_t count = 0;
  int done = 0;
  if (weight_sum == 0)
    return FED_RAISE(FED_E_EMPTY, "no update was summed: there is no mean of nothing");
  while (fed__stage_table[count]) count++;
  while (count-- > 0) {
    const struct fed__stage_ops *stage = fed__stage_table[count];
    if (!stage->server || !stage->active(settings)) continue;
    if (stage->server(settings, sum, weight_sum, element_count, mean) != FED_OK)
      return FED_WRAP("stage '%s'", stage->name);
    done = 1;
  }
  FED_REQUIRE(done); /* the grid is what makes sums of integers */
  return FED_OK;
}
