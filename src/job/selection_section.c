/* SPDX-License-Identifier: Apache-2.0
 *
 * selection_section.c: the settings of cohort selection, and which of them go together.
 */
#include "job/selection_section.h"
#include "base/raise.h"

#include <math.h>

#define AT(field) .offset = offsetof(struct fed__job, rounds.selection.field)

#define RAISE_AT(yaml, path, code, ...)                                                            \
  FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, path), code, __VA_ARGS__)

static const char *const kinds[] = {[FED__SELECTION_UNIFORM] = "uniform",
                                    [FED__SELECTION_POISSON] = "poisson",
                                    [FED__SELECTION_WEIGHTED] = "weighted",
                                    [FED__SELECTION_ROUND_ROBIN] = "round_robin",
                                    [FED__SELECTION_POWER_OF_CHOICE] = "power_of_choice",
                                    [FED__SELECTION_OORT] = "oort",
                                    [FED__SELECTION_AVAILABILITY] = "availability",
                                    [FED__SELECTION_STRATIFIED] = "stratified",
                                    NULL};

const struct fed__setting fed__selection_section[] = {
    {"rule", FED__SETTING_WORD, AT(kind), .initial = "uniform", .words = kinds,
     .meaning = "how the cohort is drawn from the clients that are there"},
    {"pool", FED__SETTING_COUNT, AT(pool), .initial = "0", .maximum = FED__CLIENTS_MAX,
     .unit = "clients",
     .meaning = "a draw waits until so many are there, or for 'rounds.gather'; poisson: draws each "
                "with probability cohort / pool; 0: as many as are invited (poisson: those there)"},
    {"candidates", FED__SETTING_COUNT, AT(candidates), .initial = "0", .maximum = FED__CLIENTS_MAX,
     .unit = "clients",
     .meaning = "power_of_choice: drawn by their examples, to take those with the highest losses "
                "from; 0: twice as many as are invited"},
    {"exploration", FED__SETTING_NUMBER, AT(exploration), .initial = "0.9", .maximum = 1,
     .meaning = "oort: the part of the first cohort that is taken from those never asked before"},
    {"exploration_decay", FED__SETTING_NUMBER, AT(exploration_decay), .initial = "0.98", .above = 1,
     .maximum = 1, .meaning = "oort: times this with each round"},
    {"exploration_floor", FED__SETTING_NUMBER, AT(exploration_floor), .initial = "0.2",
     .maximum = 1, .meaning = "oort: but never below this"},
    {"duration", FED__SETTING_DURATION, AT(duration_s), .initial = "0 s", .maximum = 2592000,
     .unit = "s",
     .meaning = "oort: clients that take longer count less; 0: what the fastest 30 % take"},
    {"penalty", FED__SETTING_NUMBER, AT(penalty), .initial = "2", .maximum = 100,
     .meaning = "oort: slower ones count (duration / what they take) to this power"},
    {"groups", FED__SETTING_TEXTS, AT(groups),
     .more_offset = offsetof(struct fed__job, rounds.selection.group_count), .minimum = 1,
     .meaning = "stratified: a pattern of clients' names for each group ('*' is any run of "
                "characters), of which the first that matches counts; all others are one more"},
    {NULL}};

/* The settings that belong to one rule. */
static const struct own_setting {
  const char *path;
  enum fed__selection_kind kind;
} own_settings[] = {{"rounds.selection.candidates", FED__SELECTION_POWER_OF_CHOICE},
                    {"rounds.selection.exploration", FED__SELECTION_OORT},
                    {"rounds.selection.exploration_decay", FED__SELECTION_OORT},
                    {"rounds.selection.exploration_floor", FED__SELECTION_OORT},
                    {"rounds.selection.duration", FED__SELECTION_OORT},
                    {"rounds.selection.penalty", FED__SELECTION_OORT},
                    {"rounds.selection.groups", FED__SELECTION_STRATIFIED}};

static int says(const struct fed__yaml *yaml, const char *path) {
  const struct fed__yaml_node *node = fed__yaml_nearest(yaml, path);
  const char *key = strrchr(path, '.') + 1;
  return node != fed__yaml_root(yaml) && strcmp(fed__yaml_key(yaml, node), key) == 0;
}

static int check_own(const struct fed__job *job, const struct fed__yaml *yaml) {
  const enum fed__selection_kind kind = job->rounds.selection.kind;
  for (size_t i = 0; i < sizeof own_settings / sizeof own_settings[0]; i++) {
    const struct own_setting *own = &own_settings[i];
    if (own->kind != kind && says(yaml, own->path))
      return RAISE_AT(yaml, own->path, FED_E_INPUT,
                      "'%s' goes with the rule '%s' only; 'rounds.selection.rule' is '%s'",
                      own->path, kinds[own->kind], kinds[kind]);
  }
  return FED_OK;
}

static int check_counts(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__selection_settings *selection = &job->rounds.selection;
  const double invited = job->rounds.cohort * job->rounds.over_selection;
  if (selection->pool && selection->pool + 1e-6 < invited)
    return RAISE_AT(yaml, "rounds.selection.pool", FED_E_INPUT,
                    "'rounds.selection.pool' is %u, fewer than the %.0f clients that are invited "
                    "to a round",
                    selection->pool, ceil(invited - 1e-6));
  if (selection->candidates && selection->candidates + 1e-6 < invited)
    return RAISE_AT(yaml, "rounds.selection.candidates", FED_E_INPUT,
                    "'rounds.selection.candidates' is %u, fewer than the %.0f clients that are "
                    "invited to a round",
                    selection->candidates, ceil(invited - 1e-6));
  return FED_OK;
}

/* Without rounds in step one place is filled after the other. */
static int check_pace(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__selection_settings *selection = &job->rounds.selection;
  const char *algorithm = fed__job_algorithm_name(job->aggregate.algorithm);
  if (!fed__job_buffer(job)) return FED_OK;
  if (selection->kind == FED__SELECTION_POISSON)
    return RAISE_AT(yaml, "rounds.selection.rule", FED_E_INPUT,
                    "the rule 'poisson' draws a whole cohort at once, but with "
                    "'aggregate.algorithm' %s clients come and go one by one",
                    algorithm);
  if (selection->pool)
    return RAISE_AT(yaml, "rounds.selection.pool", FED_E_INPUT,
                    "'rounds.selection.pool' is what a round waits for, but with "
                    "'aggregate.algorithm' %s clients come and go one by one",
                    algorithm);
  return FED_OK;
}

static int check_rule(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__selection_settings *selection = &job->rounds.selection;
  const int wants_losses =
      selection->kind == FED__SELECTION_POWER_OF_CHOICE || selection->kind == FED__SELECTION_OORT;
  if (selection->kind == FED__SELECTION_POISSON && job->rounds.over_selection > 1)
    return RAISE_AT(yaml, "rounds.over_selection", FED_E_INPUT,
                    "'%s' is %g, but a round of the rule 'poisson' counts everybody who is drawn; "
                    "raise 'rounds.cohort' instead",
                    "rounds.over_selection", job->rounds.over_selection);
  if (wants_losses && job->train.epochs == 0)
    return RAISE_AT(yaml, "rounds.selection.rule", FED_E_INPUT,
                    "the rule '%s' looks at training losses, but 'train.epochs' is 0",
                    kinds[selection->kind]);
  if (selection->kind == FED__SELECTION_STRATIFIED && !selection->group_count)
    return RAISE_AT(yaml, "rounds.selection", FED_E_MISSING,
                    "the rule 'stratified' needs '%s': patterns of clients' names",
                    "rounds.selection.groups");
  if (selection->group_count > FED__SELECTION_GROUPS_MAX)
    return RAISE_AT(yaml, "rounds.selection.groups", FED_E_RANGE,
                    "'rounds.selection.groups' has %zu patterns; at most %d are possible",
                    selection->group_count, FED__SELECTION_GROUPS_MAX);
  if (selection->exploration_floor > selection->exploration)
    return RAISE_AT(yaml, "rounds.selection.exploration_floor", FED_E_INPUT,
                    "'rounds.selection.exploration_floor' is %g, above "
                    "'rounds.selection.exploration' of %g",
                    selection->exploration_floor, selection->exploration);
  return FED_OK;
}

int fed__selection_section_check(const struct fed__job *job, const struct fed__yaml *yaml) {
  FED_TRY(check_own(job, yaml));
  FED_TRY(check_counts(job, yaml));
  FED_TRY(check_pace(job, yaml));
  return check_rule(job, yaml);
}
