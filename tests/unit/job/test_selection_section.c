/* SPDX-License-Identifier: Apache-2.0
 *
 * test_selection_section.c: the section `rounds.selection` as a file has it, and what is refused,
 * with the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/selection_section.h"

#include <stdio.h>

static struct fed_context context;

/* The sections begin in line 6. */
static int parse(const char *sections, struct fed__job *job) {
  char text[4096];
  snprintf(text, sizeof text,
           "version: 1\nname: x\nmodel: {file: m.onnx}\nevaluate: {every: 0}\n"
           "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, classes: 3}}\n%s",
           sections);
  fed_error_clear();
  return fed__job_parse(&context, "job.yaml", fed_slice_of_text(text), job);
}

static void defaults_and_values(void **state) {
  (void)state;
  struct fed__job job;
  const struct fed__selection_settings *selection = &job.rounds.selection;
  assert_int_equal(parse("rounds: {count: 1, cohort: 3, minimum: 1}\n", &job), FED_OK);
  assert_int_equal(selection->kind, FED__SELECTION_UNIFORM);
  assert_true(selection->pool == 0 && selection->group_count == 0);
  fed__job_clear(&job);
  assert_int_equal(parse("rounds:\n  {count: 1, cohort: 3, minimum: 1, selection:\n"
                         "  {rule: oort, pool: 20, exploration: 0.5, exploration_decay: 0.9,\n"
                         "   exploration_floor: 0.1, duration: 2 min, penalty: 1}}\n",
                         &job),
                   FED_OK);
  assert_int_equal(selection->kind, FED__SELECTION_OORT);
  assert_int_equal(selection->pool, 20);
  assert_true(selection->exploration == 0.5 && selection->exploration_decay == 0.9);
  assert_true(selection->exploration_floor == 0.1 && selection->duration_s == 120);
  assert_true(selection->penalty == 1);
  fed__job_clear(&job);
  assert_int_equal(parse("rounds: {count: 1, cohort: 3, minimum: 1,\n"
                         "  selection: {rule: stratified, groups: [north-*, south-*]}}\n",
                         &job),
                   FED_OK);
  assert_int_equal(selection->group_count, 2);
  assert_string_equal(selection->groups[1], "south-*");
  fed__job_clear(&job);
}

static void what_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *sections;
    int code;
    const char *message;
  } cases[] = {
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {rule: random}}\n", FED_E_UNSUPPORTED,
       "job.yaml:6:61: 'rounds.selection.rule' must be one of uniform, poisson, weighted, "
       "round_robin, power_of_choice, oort, availability, stratified, found 'random'"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {rule: poisson, candidates: 6}}\n",
       FED_E_INPUT,
       "job.yaml:6:82: 'rounds.selection.candidates' goes with the rule 'power_of_choice' only; "
       "'rounds.selection.rule' is 'poisson'"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {penalty: 2}}\n", FED_E_INPUT,
       "job.yaml:6:64: 'rounds.selection.penalty' goes with the rule 'oort' only; "
       "'rounds.selection.rule' is 'uniform'"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {groups: [a]}}\n", FED_E_INPUT,
       "job.yaml:6:63: 'rounds.selection.groups' goes with the rule 'stratified' only; "
       "'rounds.selection.rule' is 'uniform'"},
      {"rounds: {count: 1, cohort: 3, over_selection: 2, minimum: 1, selection: {pool: 5}}\n",
       FED_E_INPUT,
       "job.yaml:6:80: 'rounds.selection.pool' is 5, fewer than the 6 clients that are invited "
       "to a round"},
      {"rounds: {count: 1, cohort: 3, minimum: 1,\n"
       "  selection: {rule: power_of_choice, candidates: 2}}\n",
       FED_E_INPUT,
       "job.yaml:7:50: 'rounds.selection.candidates' is 2, fewer than the 3 clients that are "
       "invited to a round"},
      {"rounds: {count: 1, cohort: 3, over_selection: 1.5, minimum: 1,\n"
       "  selection: {rule: poisson}}\n",
       FED_E_INPUT,
       "job.yaml:6:47: 'rounds.over_selection' is 1.5, but a round of the rule 'poisson' counts "
       "everybody who is drawn; raise 'rounds.cohort' instead"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {rule: oort}}\n"
       "train: {epochs: 0}\n",
       FED_E_INPUT,
       "job.yaml:6:61: the rule 'oort' looks at training losses, but 'train.epochs' is 0"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {rule: stratified}}\n", FED_E_MISSING,
       "job.yaml:6:54: the rule 'stratified' needs 'rounds.selection.groups': patterns of "
       "clients' names"},
      {"rounds: {count: 1, cohort: 3, minimum: 1,\n"
       "  selection: {rule: oort, exploration: 0.1}}\n",
       FED_E_INPUT,
       "job.yaml:7:14: 'rounds.selection.exploration_floor' is 0.2, above "
       "'rounds.selection.exploration' of 0.1"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {rule: poisson}}\n"
       "aggregate: {algorithm: fedbuff, buffer: 2}\n",
       FED_E_INPUT,
       "job.yaml:6:61: the rule 'poisson' draws a whole cohort at once, but with "
       "'aggregate.algorithm' fedbuff clients come and go one by one"},
      {"rounds: {count: 1, cohort: 3, minimum: 1, selection: {pool: 9}}\n"
       "aggregate: {algorithm: fedasync}\n",
       FED_E_INPUT,
       "job.yaml:6:61: 'rounds.selection.pool' is what a round waits for, but with "
       "'aggregate.algorithm' fedasync clients come and go one by one"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__job job;
    const int code = parse(cases[i].sections, &job);
    assert_string_equal(fed_error_last()->message, cases[i].message);
    assert_int_equal(code, cases[i].code);
  }
}

static void too_many_groups(void **state) {
  (void)state;
  struct fed__job job;
  char text[1024];
  int length = snprintf(text, sizeof text,
                        "rounds: {count: 1, cohort: 3, minimum: 1,\n"
                        "  selection: {rule: stratified, groups: [a");
  for (int i = 1; i <= FED__SELECTION_GROUPS_MAX; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, ", a%d", i);
  snprintf(text + length, sizeof text - (size_t)length, "]}}\n");
  assert_int_equal(parse(text, &job), FED_E_RANGE);
  assert_string_equal(fed_error_last()->message,
                      "job.yaml:7:41: 'rounds.selection.groups' has 65 patterns; at most 64 are "
                      "possible");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_and_values),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(too_many_groups),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
