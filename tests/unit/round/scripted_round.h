/* SPDX-License-Identifier: Apache-2.0
 *
 * scripted_round.h: a round driven by a script: each step's effects are written down as words, so
 * that a test reads like a transcript.
 */
#ifndef SCRIPTED_ROUND_H
#define SCRIPTED_ROUND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "round/round.h"

#include <stdio.h>
#include <string.h>

struct script {
  struct fed__round_driver driver;
  struct fed__round round;
  struct fed_context context;
  int64_t now_ms;
  char effects[4096]; /* of the last step */
  const char *reason; /* of its last DISMISS, FAIL_ROUND or FINISH */
  enum fed__round_end end;
};

static inline void write_effect(struct fed__round_driver *self, const struct fed__round *round,
                                const struct fed__round_effect *effect) {
  static const char *const words[] = {"open", "task ", "count ", "again ", "dismiss ",
                                      "next", "close", "fail",   "finish"};
  struct script *script = (struct script *)self;
  const char *word = words[effect->type];
  char client[16] = "";
  size_t length = strlen(script->effects);
  assert_ptr_equal(round, &script->round);
  if (word[strlen(word) - 1] == ' ') snprintf(client, sizeof client, "%u", effect->client);
  snprintf(script->effects + length, sizeof script->effects - length, "%s%s%s", length ? ", " : "",
           word, client);
  if (effect->reason) script->reason = effect->reason;
  if (effect->type == FED__EFFECT_FINISH) script->end = effect->end;
}

/* Four clients wanted and invited, three at least; three rounds. */
static inline struct fed__round_settings plain_settings(void) {
  return (struct fed__round_settings){.rounds = 3,
                                      .cohort = 4,
                                      .invited = 4,
                                      .minimum = 3,
                                      .failures_max = 3,
                                      .exchange_count = 1,
                                      .gather_ms = 1000,
                                      .deadline_ms = 60000,
                                      .back_off_ms = 500,
                                      .back_off_max_ms = 1500,
                                      .seed = 1};
}

static inline void begin(struct script *script, const struct fed__round_settings *settings,
                         uint32_t clients) {
  *script = (struct script){.driver = {write_effect}, .now_ms = 1000000};
  fed_context_init(&script->context);
  assert_int_equal(
      fed__round_init(&script->round, &script->context, settings, 0, FED__END_NONE, script->now_ms),
      FED_OK);
  assert_int_equal(fed__round_set_client_count(&script->round, clients), FED_OK);
}

static inline int step(struct script *script, struct fed__round_event event) {
  event.now_ms = script->now_ms;
  script->effects[0] = '\0';
  script->reason = NULL;
  return fed__round_step(&script->round, &event, &script->driver);
}

/* The event carries the open round, attempt and exchange; it must be handled. */
static inline const char *after(struct script *script, enum fed__round_event_type type,
                                uint32_t client) {
  const struct fed__round *round = &script->round;
  assert_int_equal(step(script, (struct fed__round_event){.type = type,
                                                          .client = client,
                                                          .round = round->round,
                                                          .attempt = round->attempt,
                                                          .exchange = round->exchange}),
                   FED_OK);
  return script->effects;
}

static inline const char *check_in(struct script *script, uint32_t client) {
  return after(script, FED__EVENT_CHECK_IN, client);
}

static inline const char *report(struct script *script, uint32_t client) {
  return after(script, FED__EVENT_REPORTED, client);
}

static inline const char *lose(struct script *script, uint32_t client) {
  return after(script, FED__EVENT_LOST, client);
}

static inline const char *model(struct script *script) {
  return after(script, FED__EVENT_MODEL, 0);
}

static inline const char *stop(struct script *script) { return after(script, FED__EVENT_STOP, 0); }

/* Let time pass, then say so. */
static inline const char *wait_ms(struct script *script, int64_t passed_ms) {
  script->now_ms += passed_ms;
  return after(script, FED__EVENT_TIME, 0);
}

#endif
