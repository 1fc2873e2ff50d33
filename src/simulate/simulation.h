/* SPDX-License-Identifier: Apache-2.0
 *
 * simulation.h: a job run with made-up clients on a virtual clock, by the state table and the plan
 * that the server uses (round/). What the table decides follows from times that the devices'
 * settings give; the work itself is done when a round closes, and only that of clients that count.
 *
 * The same job, model, data, partition and seed give the same model and the same metrics, bit for
 * bit, for any number of threads; and the same as a deployment whose clients have those names and
 * rows and all take part in each round.
 *
 * Threads: one at a time.
 */
#ifndef FED_SIMULATE_SIMULATION_H
#define FED_SIMULATE_SIMULATION_H

#include "simulate/client_memory.h"
#include "simulate/delivery.h"
#include "simulate/device.h"
#include "simulate/drift.h"
#include "simulate/evaluation.h"
#include "simulate/fault.h"
#include "simulate/past_models.h"
#include "simulate/worker_pool.h"

/* What is known about a round when it is over. */
struct fed__simulated_round {
  uint64_t round;
  uint32_t attempt;
  enum fed__round_kind kind;
  const char *failure; /* static; NULL: it made a model (or an evaluation) */
  uint32_t cohort, reported, diverged;
  struct fed__metric_sums trained, evaluated, tested; /* example_count 0: not measured. `evaluated`
                                                         is of the model that the cohort received,
                                                         `tested` of the one that it made */
  struct fed__tested_classes tested_classes;
  struct fed__client_figures clients; /* of the cohort, or of those that the settings ask for */
  struct fed__drift drift;
  uint64_t clamped_count;
  uint64_t down_bytes, up_bytes; /* payloads of messages since the round before: of tasks that were
                                    given, and of answers that arrived or were lost on the way */
  uint64_t trouble[FED__TROUBLE_COUNT]; /* since the round before */
  double virtual_s;                     /* since the run began */
  double real_s;                        /* of this round */
};

struct fed__simulation;

/* Told what happens; each may be NULL. */
struct fed__simulation_observer {
  void (*round_over)(struct fed__simulation_observer *self,
                     const struct fed__simulation *simulation,
                     const struct fed__simulated_round *round);
  int (*stopping)(struct fed__simulation_observer *self); /* asked between events */
  /* After rounds, when nothing is under way: the moment to save the state (simulation_state.h), for
   * the last time when `stopping`. A failure ends the run. */
  int (*at_rest)(struct fed__simulation_observer *self, struct fed__simulation *simulation,
                 int stopping);
};

struct fed__simulation {
  struct fed__round_driver driver; /* first: the state table knows the simulation by it */
  const struct fed_context *context;
  const struct fed__job *job;
  const struct fed_model *model;
  struct fed__simulation_observer *observer;
  struct fed__plan plan;
  struct fed__partition partition;
  struct fed__round round;
  struct fed__event_queue queue;
  struct fed__pool *pool;
  struct fed__aggregate *aggregate;
  struct fed_params current, state; /* the newest version, and what the server keeps beside it */
  struct fed__client_memory memory;
  struct fed__past_models past; /* where training is asynchronous */
  uint64_t fresh_weight;        /* of the round at hand, as in plan.h */
  struct fed__devices devices;
  struct fed__faults faults;
  uint64_t trouble[FED__TROUBLE_COUNT]; /* of the whole run */
  uint32_t crash_after;                 /* the server crashes with so many answers of the open
                                           round, or clients that wait for one … */
  int64_t crash_us;                     /* … or, after a failed attempt, then */
  enum fed__round_phase watched;        /* last, for fed__server_watch */
  size_t training_bytes;                /* of memory, that training takes */
  uint32_t eligible_count;              /* clients that take part: with enough examples … */
  double weight_of_all;                 /* of these clients, where the algorithm asks for it */
  float *vector_down;                   /* the server's vector as clients get it; NULL: none */
  uint32_t small_memory_count;          /* … and the memory; so many have the examples only */
  struct fed__visit *visits;            /* of the open round: those that count */
  size_t visit_count, visits_max;
  int64_t now_us;                   /* virtual */
  int64_t progress_us;              /* when a round opened or an answer counted last */
  int64_t round_started_us;         /* real */
  struct fed__simulated_round open; /* the open round, as far as it is known */
  int closing;                      /* the table asked for the model */
  int round_told;                   /* since the last at_rest */
  int is_resumed;                   /* the state is a checkpoint's */
  int is_stopped;           /* by the observer: what is open is not told as a failed round */
  int code;                 /* of a failure in an effect */
  uint64_t version;         /* rounds that made a model */
  uint32_t *rounds_trained; /* by client: rounds whose model it is in */
  uint64_t visits_done;
  enum fed__round_end end;
};

struct fed__simulation_setting {
  const struct fed_context *context;
  const struct fed__job *job; /* these must outlive the simulation */
  const struct fed_model *model;
  struct fed__simulation_source *source;
  struct fed__simulation_observer *observer; /* NULL: none */
  uint32_t thread_count;
  struct fed__ranks *ranks; /* the other processes of this simulation; NULL: it has none */
};

/* Plans, starts threads, opens the data. FED_E_UNSUPPORTED for a job that cannot be simulated: an
 * external trainer, no data, statistics that stay at each agent; the errors of fed__plan_make and
 * of the source. Nothing to clear after a failure. */
FED_MUST int fed__simulation_init(struct fed__simulation *simulation,
                                  const struct fed__simulation_setting *setting);
void fed__simulation_clear(struct fed__simulation *simulation);

/* Divide the data as the job says, all but `sorted`, `column`, `folders` and `file`. */
FED_MUST int fed__simulation_divide(struct fed__simulation *simulation);

/* Take a partition over; it has not held out anything yet. FED_E_RANGE if it is of other data.
 * Reads the devices' trace, which names its clients: the errors of fed__devices_init. */
FED_MUST int fed__simulation_use(struct fed__simulation *simulation,
                                 struct fed__partition *partition);

/* Does the client have enough examples to take part; and does it take part: has its device the
 * memory that training takes, too? */
int fed__simulation_has_examples(const struct fed__simulation *simulation, uint32_t client);
int fed__simulation_is_eligible(const struct fed__simulation *simulation, uint32_t client);

/* client_weights.c: sets weight_of_all and makes room for vector_down, where the algorithm asks for
 * them; the vector of the newest state, NULL if clients get none. */
FED_MUST int fed__simulation_weigh(struct fed__simulation *simulation);
const float *fed__simulation_vector_down(struct fed__simulation *simulation);

/* To the end, from the beginning or from where a checkpoint was (simulation_state.h). FED_E_INPUT
 * when no round can ever begin; a job that ends by failed rounds is no failure of this function:
 * see `end`. */
FED_MUST int fed__simulation_run(struct fed__simulation *simulation);

#endif
