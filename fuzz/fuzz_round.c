/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_round.c: bytes as a job's settings (the first 12) and a sequence of events (4 each) for the
 * table of states, watched with a book of its own:
 *
 *   - phases change only as round.h draws them; a refused event changes nothing
 *   - reported and lost clients are never more than the cohort
 *   - a client is given a task only as an answer to its check-in, and only as a member
 *   - a client's answer is counted once in an exchange, and never that of a stranger
 *   - an exchange ends with the minimum of answers, or the round fails
 *   - nothing but DISMISS comes after FINISH, and FINISH comes once
 *   - the next TIME event is never due at a time that has just been handled
 */
#include "fuzz_target.h"

#include "round/round.h"

#define CLIENTS 8u
#define SETTINGS_BYTES 12
#define EVENT_BYTES 4

struct book {
  struct fed__round_driver driver;
  struct fed__round round;
  uint8_t asked[CLIENTS], member[CLIENTS], counted[CLIENTS];
  uint32_t counted_count, effect_count;
  uint64_t last_round;
  uint32_t last_attempt;
  int is_open, is_closing, is_finished;
};

/* ---- effects -------------------------------------------------------------------------------- */

static void note_open(struct book *book, const struct fed__round *round) {
  HOLDS(!book->is_open);
  book->is_closing = 0; /* MODEL may close one round and open the next */
  HOLDS(round->cohort_count >= round->settings.minimum);
  HOLDS(round->cohort_count <= round->settings.invited);
  HOLDS(round->round > book->last_round ||
        (round->round == book->last_round && round->attempt > book->last_attempt));
  book->last_round = round->round;
  book->last_attempt = round->attempt;
  book->is_open = 1;
  book->counted_count = 0;
  memset(book->counted, 0, sizeof book->counted);
  memset(book->member, 0, sizeof book->member);
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    HOLDS(round->cohort[i] < CLIENTS && !book->member[round->cohort[i]]);
    book->member[round->cohort[i]] = 1;
  }
}

static void note_end_of_exchange(struct book *book, const struct fed__round *round) {
  HOLDS(book->is_open && book->counted_count >= round->settings.minimum);
  memcpy(book->member, book->counted, sizeof book->member);
}

static void note_next(struct book *book, const struct fed__round *round) {
  note_end_of_exchange(book, round);
  HOLDS(round->kind == FED__ROUND_TRAIN && round->exchange < round->settings.exchange_count);
  memset(book->counted, 0, sizeof book->counted);
  book->counted_count = 0;
}

static void note_about_client(struct book *book, const struct fed__round_effect *effect) {
  const uint32_t client = effect->client;
  HOLDS(client < CLIENTS);
  if (effect->type == FED__EFFECT_GIVE_TASK) {
    HOLDS(book->is_open && book->member[client] && book->asked[client] && !book->counted[client]);
    book->asked[client] = 0;
  } else if (effect->type == FED__EFFECT_COUNT) {
    HOLDS(book->is_open && book->member[client] && !book->counted[client]);
    book->counted[client] = 1;
    book->counted_count++;
  } else if (effect->type == FED__EFFECT_COUNTED_BEFORE) {
    HOLDS(book->counted[client]);
  } else {
    HOLDS(effect->reason);
  }
}

static void note(struct fed__round_driver *self, const struct fed__round *round,
                 const struct fed__round_effect *effect) {
  struct book *book = (struct book *)self;
  HOLDS(round == &book->round);
  HOLDS(!book->is_finished || effect->type == FED__EFFECT_DISMISS);
  book->effect_count++;
  switch (effect->type) {
  case FED__EFFECT_OPEN_ROUND:
    note_open(book, round);
    break;
  case FED__EFFECT_NEXT_EXCHANGE:
    note_next(book, round);
    break;
  case FED__EFFECT_CLOSE_ROUND:
    note_end_of_exchange(book, round);
    HOLDS(round->kind == FED__ROUND_EVALUATE ||
          round->exchange + 1 == round->settings.exchange_count);
    book->is_open = 0;
    book->is_closing = 1;
    break;
  case FED__EFFECT_FAIL_ROUND:
    HOLDS((book->is_open || book->is_closing) && effect->reason);
    book->is_open = book->is_closing = 0;
    break;
  case FED__EFFECT_FINISH:
    book->is_closing = 0;
    HOLDS(!book->is_open && effect->end != FED__END_NONE && effect->reason);
    book->is_finished = 1;
    break;
  default:
    note_about_client(book, effect);
  }
}

/* ---- after a step --------------------------------------------------------------------------- */

static void check_counts(const struct fed__round *round) {
  uint32_t waiting = 0;
  for (uint32_t client = 0; client < CLIENTS; client++) waiting += round->waiting[client] != 0;
  HOLDS(waiting == round->waiting_count);
  if (round->phase != FED__PHASE_EXCHANGE) return;
  HOLDS(round->reported_count + round->lost_count <= round->cohort_count);
  HOLDS(round->cohort_count <= CLIENTS);
}

static void check_phase(enum fed__round_phase from, enum fed__round_phase to) {
  static const uint8_t reachable[FED__PHASE_COUNT][FED__PHASE_COUNT] = {
      [FED__PHASE_GATHERING] = {[FED__PHASE_EXCHANGE] = 1, [FED__PHASE_FINISHED] = 1},
      [FED__PHASE_EXCHANGE] =
          {[FED__PHASE_CLOSING] = 1, [FED__PHASE_FAILED] = 1, [FED__PHASE_FINISHED] = 1},
      [FED__PHASE_CLOSING] = {[FED__PHASE_GATHERING] = 1,
                              [FED__PHASE_EXCHANGE] = 1, /* enough clients wait already */
                              [FED__PHASE_FAILED] = 1,
                              [FED__PHASE_FINISHED] = 1},
      [FED__PHASE_FAILED] = {
          [FED__PHASE_GATHERING] = 1, [FED__PHASE_EXCHANGE] = 1, [FED__PHASE_FINISHED] = 1}};
  HOLDS(from == to || reachable[from][to]);
}

static void check_step(struct book *book, const struct fed__round *before,
                       const struct fed__round_event *event, int code) {
  const struct fed__round *round = &book->round;
  HOLDS(code == FED_OK || code == FED_E_ORDER || code == FED_E_RANGE);
  if (code != FED_OK) HOLDS(memcmp(before, round, sizeof *round) == 0 && !book->effect_count);
  if (code == FED_E_RANGE) HOLDS(event->client >= CLIENTS);
  if (round->phase != FED__PHASE_CLOSING) book->is_closing = 0;
  check_phase(before->phase, round->phase);
  check_counts(round);
  HOLDS(book->is_finished == (round->phase == FED__PHASE_FINISHED));
  HOLDS(book->is_open == (round->phase == FED__PHASE_EXCHANGE));
  if (event->type == FED__EVENT_TIME && code == FED_OK && round->phase == before->phase)
    HOLDS(fed__round_next_ms(round) > event->now_ms);
}

/* ---- bytes to settings and events ----------------------------------------------------------- */

static struct fed__round_settings read_settings(const uint8_t *bytes) {
  const uint32_t cohort = 1 + bytes[1] % CLIENTS;
  return (struct fed__round_settings){.rounds = 1 + bytes[0] % 4,
                                      .cohort = cohort,
                                      .invited = cohort + bytes[2] % 4,
                                      .minimum = 1 + bytes[3] % cohort,
                                      .failures_max = 1 + bytes[4] % 4,
                                      .exchange_count = 1 + bytes[5] % 5,
                                      .gather_ms = bytes[6] % 16,
                                      .deadline_ms = 1 + bytes[7] % 32,
                                      .back_off_ms = bytes[8] % 8,
                                      .back_off_max_ms = bytes[8] % 8 + bytes[8] / 8,
                                      .time_max_ms = bytes[9] * 2,
                                      .final_evaluation = bytes[10] & 1,
                                      .stop_metric = bytes[10] / 2 % 3,
                                      .stop_at_least = 0.5,
                                      .stop_at_most = 0.5,
                                      .seed = bytes[10]};
}

/* Start afresh, with a round to run again, with one to measure again, or with the last evaluation.
 */
static void begin(struct book *book, const struct fed_context *context, const uint8_t *bytes) {
  static const uint32_t everyone[CLIENTS] = {0, 1, 2, 3, 4, 5, 6, 7};
  const struct fed__round_settings settings = read_settings(bytes);
  const int start = bytes[11] % 4;
  const enum fed__round_end ending = start == 3 ? FED__END_ROUNDS : FED__END_NONE;
  *book = (struct book){.driver = {note}};
  HOLDS(fed__round_init(&book->round, context, &settings, 0, ending, 0) == FED_OK);
  HOLDS(fed__round_set_client_count(&book->round, CLIENTS) == FED_OK);
  if (start == 1)
    HOLDS(fed__round_resume(&book->round, 1, 2, everyone,
                            settings.invited < CLIENTS ? settings.invited : CLIENTS, 0,
                            &book->driver) == FED_OK);
  if (start == 2) {
    fed__round_resume_closing(&book->round, 1);
    book->is_closing = 1;
  }
}

static struct fed__round_event read_event(const uint8_t *bytes, const struct fed__round *round,
                                          int64_t now_ms) {
  return (struct fed__round_event){.type = bytes[0] % FED__EVENT_COUNT,
                                   .now_ms = now_ms,
                                   .client = bytes[1] % (CLIENTS + 1),
                                   .round = round->round + (bytes[2] & 3) - (bytes[2] >> 2 & 3),
                                   .attempt = round->attempt - (bytes[2] >> 4 & 1),
                                   .exchange =
                                       round->exchange + (bytes[2] >> 5 & 1) - (bytes[2] >> 6 & 1),
                                   .measured = bytes[2] & 1,
                                   .accuracy = bytes[3] / 255.0,
                                   .loss = bytes[3] / 255.0};
}

static void step(struct book *book, const uint8_t *bytes, int64_t now_ms) {
  const struct fed__round before = book->round;
  const struct fed__round_event event = read_event(bytes, &before, now_ms);
  const uint32_t client = event.client;
  book->effect_count = 0;
  if (event.type == FED__EVENT_CHECK_IN && client < CLIENTS) book->asked[client] = 1;
  const int code = fed__round_step(&book->round, &event, &book->driver);
  if (event.type == FED__EVENT_LEFT && client < CLIENTS) book->asked[client] = 0;
  check_step(book, &before, &event, code);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  struct book book;
  int64_t now_ms = 0;
  if (size < SETTINGS_BYTES) return 0;
  fuzz_memory_begin(&memory, 1 << 16);
  begin(&book, &memory.context, data);
  for (size_t at = SETTINGS_BYTES; at + EVENT_BYTES <= size; at += EVENT_BYTES) {
    now_ms += data[at + 1] >> 4;
    step(&book, data + at, now_ms);
  }
  fed__round_clear(&book.round);
  fuzz_memory_end(&memory);
  return 0;
}
