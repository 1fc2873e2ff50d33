/* SPDX-License-Identifier: Apache-2.0
 *
 * round.h: the rounds of one job on the server's side, as a table of states: a pure function from
 * (state, event) to (state, effects). No input or output, no clock, no threads, and randomness
 * only from the job's seed: the server and the simulator drive the same code, and whoever drives
 * it carries the effects out.
 *
 *            enough clients            all exchanges closed          model stored
 *   GATHERING ───────────► EXCHANGE ─────────────────────► CLOSING ─────────────► GATHERING …
 *       ▲                     │ deadline with too few, or too few left                │ last round,
 *       │  back-off over      ▼                                                       ▼ target,
 * stop └───────────────── FAILED ──────────────────────────────────────────────► FINISHED too many
 * failures in a row
 *
 * A round is a sequence of exchanges between the server and the cohort. The plain path has one;
 * each further exchange goes to those who answered the one before. After the last training round
 * a job may have one more round of kind EVALUATE, which makes no model.
 *
 * Who is in the cohort is drawn by the job's rule (selection/selection.h). A rule whose cohorts
 * have any size makes all of them answer; one with fewer than the minimum fails without having
 * begun.
 *
 * Clients are small numbers (0, 1, 2 …) that the driver assigns; memory is a few bytes a client.
 * Cost: O(1) an event, O(clients) when a round opens or closes. Asynchronous: round_async.c.
 */
#ifndef FED_ROUND_H
#define FED_ROUND_H

#include "fed/context.h"
#include "round/selection/selection.h"

enum fed__round_phase {
  FED__PHASE_GATHERING, /* waiting for enough clients that have checked in */
  FED__PHASE_EXCHANGE,  /* the cohort is at work */
  FED__PHASE_CLOSING,   /* the driver makes the new model */
  FED__PHASE_FAILED,    /* the round failed; waiting before the next attempt */
  FED__PHASE_FINISHED,
  FED__PHASE_COUNT
};

enum fed__round_kind { FED__ROUND_TRAIN, FED__ROUND_EVALUATE };

enum fed__round_end {
  FED__END_NONE,
  FED__END_ROUNDS,
  FED__END_TARGET,
  FED__END_TIME,
  FED__END_STOPPED,
  FED__END_FAILURES
};

struct fed__round_settings {
  uint32_t rounds, cohort, invited, minimum, failures_max, exchange_count;
  int64_t gather_ms, deadline_ms, back_off_ms, back_off_max_ms, time_max_ms; /* time_max 0: none */
  int final_evaluation; /* one more round of kind EVALUATE at the end */
  enum fed__job_metric stop_metric;
  double stop_at_least, stop_at_most;
  uint64_t seed;
  uint32_t buffer; /* answers that make a version; 0: rounds in step */
  uint32_t staleness_max;
  struct fed__selection_settings selection; /* its groups are the job's, which must outlive the
                                               round */
};

/* Translate a job. exchange_count is what the aggregation needs (1 for the plain path). */
void fed__round_settings_from_job(const struct fed__job *job, uint32_t exchange_count,
                                  struct fed__round_settings *settings);

enum fed__round_event_type {
  FED__EVENT_CHECK_IN,     /* client is there and waits for an answer */
  FED__EVENT_LEFT,         /* client no longer waits (its poll ended, its connection broke) */
  FED__EVENT_REPORTED,     /* client's answer to (round, attempt, exchange) is complete and valid */
  FED__EVENT_LOST,         /* client cannot or will not do its task of (round, attempt) */
  FED__EVENT_TIME,         /* time has passed */
  FED__EVENT_MODEL,        /* CLOSING is done: metrics of the new model, if measured */
  FED__EVENT_MODEL_FAILED, /* CLOSING could not be done */
  FED__EVENT_STOP,         /* an operator ends the job */
  FED__EVENT_COUNT
};

struct fed__round_event {
  enum fed__round_event_type type;
  int64_t now_ms; /* monotonic; every event carries it */
  uint32_t client;
  uint64_t round;
  uint32_t attempt, exchange;
  int measured; /* MODEL: accuracy and loss are valid */
  double accuracy, loss;
};

enum fed__round_effect_type {
  FED__EFFECT_OPEN_ROUND,     /* remember durably: round, attempt and its members */
  FED__EFFECT_GIVE_TASK,      /* answer client's check-in with the task of the open exchange */
  FED__EFFECT_COUNT,          /* fold client's answer in and acknowledge it */
  FED__EFFECT_COUNTED_BEFORE, /* acknowledge; do not fold again */
  FED__EFFECT_DISMISS,        /* thank client: its answer is not needed, or too late */
  FED__EFFECT_NEXT_EXCHANGE,  /* the exchange before is closed; another begins */
  FED__EFFECT_CLOSE_ROUND,    /* make and store the model (or the evaluation), then send MODEL */
  FED__EFFECT_FAIL_ROUND,     /* the attempt is void: forget what was folded in */
  FED__EFFECT_FINISH          /* the job is over */
};

struct fed__round;

struct fed__round_effect {
  enum fed__round_effect_type type;
  uint32_t client;
  enum fed__round_end end; /* FINISH */
  const char *reason;      /* DISMISS, FAIL_ROUND, FINISH: static text for people */
};

/* Carries an effect out. It may look at `round` but not step it: what it wants to tell comes as
 * a later event. */
struct fed__round_driver {
  void (*effect)(struct fed__round_driver *self, const struct fed__round *round,
                 const struct fed__round_effect *effect);
};

enum fed__member {
  FED__MEMBER_NONE,
  FED__MEMBER_INVITED,
  FED__MEMBER_WORKING,
  FED__MEMBER_REPORTED,
  FED__MEMBER_LOST
};

/* A client's task in asynchronous training. */
struct fed__open_task {
  uint64_t round;  /* in which it was given: its model is the version before; 0: none yet */
  uint32_t number; /* of the client's tasks in that round; its events have it as `attempt` */
  int counted;
  int64_t given_ms;
};

struct fed__round {
  const struct fed_context *context;
  struct fed__round_settings settings;
  enum fed__round_phase phase;
  enum fed__round_kind kind;
  uint64_t round; /* counts from 1 */
  uint32_t attempt, exchange;
  uint32_t client_count;
  uint8_t *waiting;             /* by client: has an unanswered check-in */
  uint32_t *waiting_tree;       /* of counts (round_waiting.c), if asynchronous */
  uint8_t *member;              /* by client: enum fed__member in the open round */
  uint32_t *cohort;             /* the open round's clients; asynchronous: those at work */
  struct fed__open_task *tasks; /* by client, if asynchronous */
  uint32_t draw_count;          /* in this round, if asynchronous */
  uint32_t early_count;         /* of answers for the next, if asynchronous */
  struct fed__selection selection;
  uint32_t cohort_count, waiting_count, reported_count, lost_count;
  uint32_t failures_in_row;
  int64_t job_started_ms, gather_since_ms, deadline_ms, retry_at_ms;
  int stopping;
  enum fed__round_end ending; /* set when only the final evaluation is left */
};

/* A job that has `version` committed rounds behind it. `ending` is FED__END_NONE, or why training
 * is over when only the final evaluation is left (the driver remembers round->ending for this).
 * FED_E_MEMORY. */
FED_MUST int fed__round_init(struct fed__round *round, const struct fed_context *context,
                             const struct fed__round_settings *settings, uint64_t version,
                             enum fed__round_end ending, int64_t now_ms);
void fed__round_clear(struct fed__round *round);

/* Make room for clients 0 … count-1. */
FED_MUST int fed__round_set_client_count(struct fed__round *round, uint32_t count);

/* Who waits was written from outside (a checkpoint): count them anew. */
void fed__round_count_waiting(struct fed__round *round);

/* Is the round at hand one without a common pace (round_async.c)? */
int fed__round_is_asynchronous(const struct fed__round *round);

/* The attempt that a client's task carries: the round's, or in asynchronous training the number of
 * the client's tasks in this round. */
uint32_t fed__round_task_attempt(const struct fed__round *round, uint32_t client);

/* Does the round wait for the client's answer to this task? */
enum fed__answer_wish { FED__ANSWER_WANTED, FED__ANSWER_COUNTED, FED__ANSWER_NOT_WANTED };
enum fed__answer_wish fed__round_wish(const struct fed__round *round,
                                      const struct fed__round_event *answer);

/* The round, attempt and exchange of the client's task at hand, into the event. */
void fed__round_address(const struct fed__round *round, struct fed__round_event *event);

/* How many versions were made since the client began with its task; 0 for rounds in step. To be
 * asked before its answer is counted. */
uint64_t fed__round_staleness(const struct fed__round *round, uint32_t client);

/* What is known about a client, for the driver to add to: examples, loss, group. NULL if the job's
 * rule of selection looks at no facts. Valid until the number of clients changes. */
struct fed__client_facts *fed__round_facts(struct fed__round *round, uint32_t client);

/* After a restart: run the interrupted round again, as attempt `attempt`, with the same cohort.
 * Emits OPEN_ROUND. Asynchronous training has no cohort: it begins again when enough clients are
 * there. */
FED_MUST int fed__round_resume(struct fed__round *round, uint64_t number, uint32_t attempt,
                               const uint32_t *cohort, uint32_t cohort_count, int64_t now_ms,
                               struct fed__round_driver *driver);

/* After a restart without an open round: attempts at the round to come have failed, and the next is
 * attempt `attempt`. */
void fed__round_resume_gathering(struct fed__round *round, uint32_t attempt);

/* After a restart: round `number` is committed but was still being measured; the driver measures
 * it again and sends MODEL. */
void fed__round_resume_closing(struct fed__round *round, uint64_t number);

/* Take one step. FED_E_ORDER for an event that makes no sense in this state (nothing changes). */
FED_MUST int fed__round_step(struct fed__round *round, const struct fed__round_event *event,
                             struct fed__round_driver *driver);

/* When the next TIME event is due; INT64_MAX: when something else happens. */
int64_t fed__round_next_ms(const struct fed__round *round);

/* The words "gathering", "exchange" …, and the reason for an end. Static. */
const char *fed__round_phase_name(enum fed__round_phase phase);
const char *fed__round_end_name(enum fed__round_end end);

#endif
