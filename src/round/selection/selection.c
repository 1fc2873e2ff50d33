/* SPDX-License-Identifier: Apache-2.0
 *
 * selection.c: the table of rules, and the facts about clients.
 */
#include "round/selection/selection.h"
#include "base/memory.h"
#include "base/pattern.h"
#include "base/raise.h"

#include <math.h>

const struct fed__selection_rule *const fed__selection_table[] = {
    [FED__SELECTION_UNIFORM] = &fed__select_uniform,
    [FED__SELECTION_POISSON] = &fed__select_poisson,
    [FED__SELECTION_WEIGHTED] = &fed__select_weighted,
    [FED__SELECTION_ROUND_ROBIN] = &fed__select_round_robin,
    [FED__SELECTION_POWER_OF_CHOICE] = &fed__select_power_of_choice,
    [FED__SELECTION_OORT] = &fed__select_oort,
    [FED__SELECTION_AVAILABILITY] = &fed__select_availability,
    [FED__SELECTION_STRATIFIED] = &fed__select_stratified,
};

uint64_t fed__selection_clients_max(const struct fed__job *job) {
  if (fed__selection_table[job->rounds.selection.kind]->any_size) return FED__CLIENTS_MAX;
  return (uint64_t)(job->rounds.cohort * job->rounds.over_selection) + 1;
}

uint32_t fed__selection_group(const struct fed__selection_settings *settings, const char *name) {
  uint32_t group = 0;
  while (group < settings->group_count && !fed__pattern_matches(settings->groups[group], name))
    group++;
  return group;
}

/* ---- life ----------------------------------------------------------------------------------- */

void fed__selection_init(struct fed__selection *selection, const struct fed_context *context,
                         const struct fed__selection_settings *settings) {
  *selection = (struct fed__selection){
      .context = context, .rule = fed__selection_table[settings->kind], .settings = *settings};
}

void fed__selection_clear(struct fed__selection *selection) {
  if (!selection->context) return;
  fed__free(selection->context, selection->facts);
  fed__free(selection->context, selection->scored);
  *selection = (struct fed__selection){0};
}

int fed__selection_set_client_count(struct fed__selection *selection, uint32_t count) {
  if (!selection->rule->keeps_facts || count <= selection->client_count) return FED_OK;
  void *facts = fed__resize(selection->context, selection->facts, count, sizeof *selection->facts);
  if (!facts) return FED_E_MEMORY;
  selection->facts = facts;
  void *scored =
      fed__resize(selection->context, selection->scored, count, sizeof *selection->scored);
  if (!scored) return FED_E_MEMORY;
  selection->scored = scored;
  for (uint32_t i = selection->client_count; i < count; i++)
    selection->facts[i] = (struct fed__client_facts){.loss = NAN};
  selection->client_count = count;
  return FED_OK;
}

/* ---- facts ---------------------------------------------------------------------------------- */

struct fed__client_facts *fed__selection_facts(const struct fed__selection *selection,
                                               uint32_t client) {
  return client < selection->client_count ? &selection->facts[client] : NULL;
}

void fed__selection_note_chosen(struct fed__selection *selection, uint32_t client, uint64_t round) {
  struct fed__client_facts *facts = fed__selection_facts(selection, client);
  if (!facts) return;
  facts->chosen_round = round;
  facts->chosen_count++;
}

void fed__selection_note_given(struct fed__selection *selection, uint32_t client, int64_t now_ms) {
  struct fed__client_facts *facts = fed__selection_facts(selection, client);
  if (facts) facts->given_ms = now_ms;
}

void fed__selection_note_trained(struct fed__selection *selection, uint32_t client, uint64_t round,
                                 int64_t now_ms) {
  struct fed__client_facts *facts = fed__selection_facts(selection, client);
  if (!facts) return;
  facts->duration_ms = now_ms - facts->given_ms;
  facts->reported_round = round;
  facts->reported_count++;
}

/* It takes at least as long as it was waited for. */
void fed__selection_note_overdue(struct fed__selection *selection, uint32_t client,
                                 int64_t now_ms) {
  struct fed__client_facts *facts = fed__selection_facts(selection, client);
  if (!facts) return;
  const int64_t waited_ms = now_ms - facts->given_ms;
  if (waited_ms > facts->duration_ms) facts->duration_ms = waited_ms;
}

/* ---- drawing -------------------------------------------------------------------------------- */

uint32_t fed__selection_draw(struct fed__selection *selection, uint64_t seed, uint64_t round,
                             uint32_t attempt, uint32_t *clients, uint32_t count, uint32_t wanted) {
  const struct fed__selection_rule *rule = selection->rule;
  for (uint32_t i = 0; rule->keeps_facts && i < count; i++)
    selection->facts[clients[i]].seen_count++;
  if (count <= wanted && !rule->any_size) return count;
  const struct fed__draw draw = {.settings = &selection->settings,
                                 .seed = seed,
                                 .round = round,
                                 .attempt = attempt,
                                 .wanted = wanted,
                                 .count = count,
                                 .clients = clients,
                                 .facts = selection->facts,
                                 .scored = selection->scored};
  return rule->draw(&draw);
}

int fed__selection_draw_ranks(const struct fed__selection *selection, uint64_t seed, uint64_t round,
                              uint32_t attempt, uint32_t count, uint32_t wanted, uint32_t *ranks,
                              uint32_t *drawn) {
  const struct fed__selection_rule *rule = selection->rule;
  *drawn = count < wanted ? count : wanted;
  if (!rule->draw_ranks || *drawn > FED__RNG_RANKS_MAX) return 0;
  for (uint32_t i = 0; i < *drawn; i++) ranks[i] = i;
  if (count <= wanted) return 1;
  const struct fed__draw draw = {.settings = &selection->settings,
                                 .seed = seed,
                                 .round = round,
                                 .attempt = attempt,
                                 .wanted = wanted,
                                 .count = count};
  rule->draw_ranks(&draw, ranks);
  return 1;
}
