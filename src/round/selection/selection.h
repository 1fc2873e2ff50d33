/* SPDX-License-Identifier: Apache-2.0
 *
 * selection.h: who of the clients that are there takes part in a round. A rule is one file with a
 * draw function (select_*.c, its equations and source in the first comment); what is known about
 * each client, its facts, is kept here for the rules that look at it.
 *
 * The table of states (round.h) notes what it sees itself: who was there, was drawn, answered, and
 * after what time. Its driver adds what only it can know: examples, losses, groups. A fact that is
 * unknown never shuts a client out: each rule says what it puts in its place.
 *
 * A draw depends on the job's seed, the round, the attempt, the facts and on who waits; nothing
 * else. Cost: O(clients) a draw, O(wanted^2) by ranks. Memory: none for rules without facts, else
 * 80 bytes a client.
 */
#ifndef FED_ROUND_SELECTION_H
#define FED_ROUND_SELECTION_H

#include "base/rng.h"
#include "fed/context.h"
#include "job/job.h"

/* What is known about one client. */
struct fed__client_facts {
  uint64_t example_count;  /* that it trains on; 0: unknown */
  double loss;             /* the mean of its last training; NAN: unknown */
  int64_t given_ms;        /* when it got its last task */
  int64_t duration_ms;     /* of its last task, or how long in vain it was waited for; 0: unknown */
  uint64_t chosen_round;   /* the last; 0: never */
  uint64_t reported_round; /* the last training that it answered; 0: never */
  uint32_t chosen_count, reported_count;
  uint32_t seen_count; /* draws at which it was there, the one at hand included */
  uint32_t group;      /* of fed__selection_group */
};

/* A client with a number to choose by; equals are in the order of `tie`. */
struct fed__scored {
  double score;
  uint32_t client, tie;
};

/* One draw. `clients` are those that wait, ascending, and more than `wanted`. */
struct fed__draw {
  const struct fed__selection_settings *settings;
  uint64_t seed, round;
  uint32_t attempt, wanted, count;
  uint32_t *clients;
  const struct fed__client_facts *facts; /* by client; NULL unless the rule keeps them */
  struct fed__scored *scored;            /* room for `count` entries; NULL likewise */
};

struct fed__selection_rule {
  const char *name;
  int keeps_facts;
  int any_size; /* the cohort's size is random, and all of it must answer: else it is `wanted` */
  /* Bring those who are drawn to the front of `clients` (what is behind may be anything); returns
   * how many they are. */
  uint32_t (*draw)(const struct fed__draw *draw);
  /* The same clients in the same order, as numbers among those that wait (`clients` is NULL), into
   * ranks[0..wanted). NULL: it has to look at all of them. */
  void (*draw_ranks)(const struct fed__draw *draw, uint32_t *ranks);
};

extern const struct fed__selection_rule fed__select_uniform, fed__select_poisson,
    fed__select_weighted, fed__select_round_robin, fed__select_power_of_choice, fed__select_oort,
    fed__select_availability, fed__select_stratified;

/* By enum fed__selection_kind. */
extern const struct fed__selection_rule *const fed__selection_table[];

/* How many clients one round of the job can count at most. */
uint64_t fed__selection_clients_max(const struct fed__job *job);

/* The first of the groups whose pattern matches the name, or the one behind them all. */
uint32_t fed__selection_group(const struct fed__selection_settings *settings, const char *name);

struct fed__selection {
  const struct fed_context *context;
  const struct fed__selection_rule *rule;
  struct fed__selection_settings settings; /* groups are the job's */
  struct fed__client_facts *facts;         /* by client; NULL unless the rule keeps them */
  struct fed__scored *scored;
  uint32_t client_count;
};

void fed__selection_init(struct fed__selection *selection, const struct fed_context *context,
                         const struct fed__selection_settings *settings);
void fed__selection_clear(struct fed__selection *selection);

/* Make room for clients 0 … count-1; new ones are unknown. */
FED_MUST int fed__selection_set_client_count(struct fed__selection *selection, uint32_t count);

/* A client's facts, to be changed; NULL if the rule keeps none. */
struct fed__client_facts *fed__selection_facts(const struct fed__selection *selection,
                                               uint32_t client);

/* Draw from the clients that wait, ascending; those drawn come to the front, in no order that
 * favours anybody. Returns how many. */
uint32_t fed__selection_draw(struct fed__selection *selection, uint64_t seed, uint64_t round,
                             uint32_t attempt, uint32_t *clients, uint32_t count, uint32_t wanted);

/* The same without a list of those that wait, who are `count`: those drawn by their places in that
 * list, from 0, into `ranks`, which has room for `wanted`. 0: this draw needs the list. */
int fed__selection_draw_ranks(const struct fed__selection *selection, uint64_t seed, uint64_t round,
                              uint32_t attempt, uint32_t count, uint32_t wanted, uint32_t *ranks,
                              uint32_t *drawn);

/* What the table of states sees: a client is in a cohort; gets its task; answers a task of
 * training; is not waited for any more. */
void fed__selection_note_chosen(struct fed__selection *selection, uint32_t client, uint64_t round);
void fed__selection_note_given(struct fed__selection *selection, uint32_t client, int64_t now_ms);
void fed__selection_note_trained(struct fed__selection *selection, uint32_t client, uint64_t round,
                                 int64_t now_ms);
void fed__selection_note_overdue(struct fed__selection *selection, uint32_t client, int64_t now_ms);

/* ---- for the rules -------------------------------------------------------------------------- */

/* Bring the `wanted` entries with the highest scores to the front, in any order. O(count). */
void fed__scored_keep_best(struct fed__scored *scored, size_t count, size_t wanted);

/* The score by which to keep the best for a draw without replacement in which, at each step, a
 * client is taken with probability weight / the sum of the weights left: ln(u) / weight with u
 * uniform in (0, 1), the `client`-th of the stream `key` (Efraimidis and Spirakis 2006, A-Res). */
double fed__score_of_weight(uint64_t key, uint32_t client, double weight);

/* The mean of the known example counts; 1 if none is. */
double fed__draw_mean_examples(const struct fed__draw *draw);

/* Score the clients by their examples, for a weighted draw by the stream of that name. */
void fed__draw_score_by_examples(const struct fed__draw *draw, const char *stream,
                                 const uint32_t *clients, size_t count, struct fed__scored *scored);

/* Put the clients of the first `count` entries to the front of draw->clients, shuffled. */
uint32_t fed__draw_take(const struct fed__draw *draw, uint32_t count);

#endif
