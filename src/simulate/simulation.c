/* SPDX-License-Identifier: Apache-2.0
 *
 * simulation.c: drives the state table: lets events happen or time pass, and carries the table's
 * effects out.
 *
 * Before the first round all clients check in while a "round 0" closes, whose model is the one that
 * the job begins with: so the first cohort is drawn from all of them, like every later one.
 */
#include "simulate/simulation.h"
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/server_crash.h"

#define NEVER INT64_MAX
#define DEADLINES_MAX 1000 /* in a row without an answer that counts */

/* ---- effects -------------------------------------------------------------------------------- */

static void note_failure(struct fed__simulation *simulation, int code) {
  if (simulation->code == FED_OK) simulation->code = code;
}

static int64_t real_us(const struct fed__simulation *simulation) {
  return simulation->context->clock->monotonic_us(simulation->context->clock);
}

/* Room for the visits of the cohort; some rules draw one of any size. */
static int make_room(struct fed__simulation *simulation, size_t count) {
  if (count <= simulation->visits_max) return FED_OK;
  struct fed__visit *moved =
      fed__resize(simulation->context, simulation->visits, count, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  simulation->visits = moved;
  simulation->visits_max = count;
  return FED_OK;
}

/* As far as a crash of the server goes. */
static uint32_t answers_wanted(const struct fed__round *round) {
  if (fed__round_is_asynchronous(round)) return round->settings.buffer;
  return round->cohort_count < round->settings.cohort ? round->cohort_count
                                                      : round->settings.cohort;
}

static void open_round(struct fed__simulation *simulation) {
  const struct fed__round *round = &simulation->round;
  const uint32_t buffer = round->settings.buffer;
  note_failure(simulation,
               make_room(simulation, round->cohort_count > buffer ? round->cohort_count : buffer));
  simulation->visit_count = 0;
  simulation->round_started_us = real_us(simulation);
  simulation->open.round = round->round;
  simulation->open.attempt = round->attempt;
  simulation->open.kind = round->kind;
  simulation->open.cohort = round->cohort_count;
  simulation->crash_after = fed__fault_server_crash(&simulation->faults, answers_wanted(round));
  simulation->watched = FED__PHASE_COUNT;
}

static void tell_round(struct fed__simulation *simulation) {
  struct fed__simulated_round *open = &simulation->open;
  open->reported = simulation->round.reported_count;
  open->virtual_s = (double)simulation->now_us * 1e-6;
  open->real_s = (double)(real_us(simulation) - simulation->round_started_us) * 1e-6;
  if (simulation->observer && simulation->observer->round_over)
    simulation->observer->round_over(simulation->observer, simulation, open);
  simulation->open = (struct fed__simulated_round){0};
  simulation->round_told = 1;
}

/* The client that has answered, and which version it began with: the one before its task's round.
 */
static struct fed__visit visit_of(const struct fed__simulation *simulation, uint32_t client) {
  const struct fed__round *round = &simulation->round;
  const int alone = fed__round_is_asynchronous(round);
  const uint64_t given = alone ? round->tasks[client].round : round->round;
  return (struct fed__visit){.client = client,
                             .number = fed__plan_training_number(
                                 simulation->job, given, fed__round_task_attempt(round, client)),
                             .base_version = given - 1,
                             .staleness = round->round - given};
}

static void carry_out(struct fed__round_driver *self, const struct fed__round *round,
                      const struct fed__round_effect *effect) {
  struct fed__simulation *simulation = (struct fed__simulation *)self;
  (void)round;
  switch (effect->type) {
  case FED__EFFECT_OPEN_ROUND:
    open_round(simulation);
    simulation->progress_us = simulation->now_us;
    break;
  case FED__EFFECT_GIVE_TASK:
    if (fed__round_is_asynchronous(round) && simulation->open.cohort < round->cohort_count)
      simulation->open.cohort = round->cohort_count; /* the most at a time */
    note_failure(simulation, fed__delivery_give_task(simulation, effect->client));
    break;
  case FED__EFFECT_COUNT:
    simulation->progress_us = simulation->now_us;
    if (simulation->visit_count < simulation->visits_max)
      simulation->visits[simulation->visit_count++] = visit_of(simulation, effect->client);
    break;
  case FED__EFFECT_CLOSE_ROUND:
    simulation->closing = 1;
    break;
  case FED__EFFECT_FAIL_ROUND:
    if (simulation->is_stopped) break;
    simulation->open.failure =
        simulation->open.diverged
            ? "the training of clients diverged; a smaller train.learning_rate may help"
            : effect->reason;
    tell_round(simulation);
    break;
  case FED__EFFECT_FINISH:
    simulation->end = effect->end;
    break;
  case FED__EFFECT_COUNTED_BEFORE:
    fed__delivery_note(simulation, FED__TROUBLE_REPEATED);
    break;
  case FED__EFFECT_DISMISS:
    fed__delivery_note(simulation, FED__TROUBLE_LATE);
    break;
  case FED__EFFECT_NEXT_EXCHANGE:
    break;
  }
}

/* ---- closing a round ------------------------------------------------------------------------ */

/* What the server learns from the clients' reports, and rules of selection may go by. */
static void note_losses(struct fed__simulation *simulation) {
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const struct fed__visit *visit = &simulation->visits[i];
    const struct fed_metrics *found = &visit->training;
    struct fed__client_facts *facts = fed__round_facts(&simulation->round, visit->client);
    if (!facts || !found->example_count) continue;
    facts->loss = found->loss_sum / (double)found->example_count;
  }
}

/* Is the version that a round makes one of those that are looked at closely? */
static int is_measured(const struct fed__simulation *simulation, uint64_t version) {
  const struct fed__job *job = simulation->job;
  return job->evaluate.every &&
         (version % job->evaluate.every == 0 || version == job->rounds.count);
}

/* What the clients' rules have made to keep counts if there is a model. */
static void settle_memory(struct fed__simulation *simulation, int counts) {
  for (size_t i = 0; i < simulation->visit_count; i++) {
    struct fed__visit *visit = &simulation->visits[i];
    if (counts && visit->to_keep && !visit->diverged)
      fed__client_memory_put(&simulation->memory, visit->client, visit->to_keep);
    else
      fed__free(simulation->context, visit->to_keep);
    visit->to_keep = NULL;
    visit->kept = NULL;
    visit->base = NULL;
  }
}

/* Where the client begins, and with what it kept. */
static int equip(const struct fed__simulation *simulation, struct fed__visit *visit) {
  visit->kept = fed__client_memory_of(&simulation->memory, visit->client);
  if (!simulation->past.count || visit->base_version == simulation->version) return FED_OK;
  visit->base = fed__past_models_find(&simulation->past, visit->base_version);
  FED_REQUIRE(visit->base);
  return FED_OK;
}

static int visit_cohort(struct fed__simulation *simulation) {
  struct fed__simulated_round *open = &simulation->open;
  struct fed__visit_sums sums;
  const struct fed__visits visits = {
      .params = &simulation->current,
      .from_server = fed__simulation_vector_down(simulation),
      .train = open->kind == FED__ROUND_TRAIN,
      .evaluate =
          fed__plan_evaluates(simulation->job, open->round, open->kind == FED__ROUND_EVALUATE),
      .measure_distance = is_measured(simulation, open->round),
      .visits = simulation->visits,
      .count = simulation->visit_count};
  for (size_t i = 0; i < simulation->visit_count; i++)
    FED_TRY(equip(simulation, &simulation->visits[i]));
  simulation->plan.rule->begin(simulation->aggregate);
  FED_TRY(fed__pool_visit(simulation->pool, &visits, simulation->aggregate, &sums));
  simulation->visits_done += visits.count;
  note_losses(simulation);
  open->trained = sums.trained;
  open->evaluated = sums.evaluated;
  open->diverged = (uint32_t)sums.diverged_count;
  open->clamped_count = sums.clamped_count;
  simulation->fresh_weight = simulation->past.count ? sums.fresh_weight : 0;
  if (!visits.evaluate || simulation->job->simulate.evaluate.clients != FED__EVALUATED_COHORT)
    return FED_OK;
  open->clients.version = simulation->version;
  return fed__client_figures_of(simulation->context, visits.visits, visits.count, &open->clients);
}

static double weight_of(const struct fed__simulation *simulation, uint32_t client) {
  const size_t examples = fed__partition_train_count(&simulation->partition, client);
  return (double)fed__plan_weight(simulation->job, examples);
}

/* Whose work is in the model, and how far they went for it. */
static void note_visits(struct fed__simulation *simulation, double model_moved) {
  struct fed__drift *drift = &simulation->open.drift;
  const int measured = is_measured(simulation, simulation->version);
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const struct fed__visit *visit = &simulation->visits[i];
    if (visit->diverged) continue;
    simulation->rounds_trained[visit->client]++;
    if (measured) fed__drift_add(drift, visit->distance, weight_of(simulation, visit->client));
  }
  if (measured) fed__drift_finish(drift, model_moved);
}

static const struct fed_params *base_of_last(const struct fed__simulation *simulation) {
  const uint64_t version = simulation->visits[simulation->visit_count - 1].base_version;
  const struct fed_params *past = fed__past_models_find(&simulation->past, version);
  return past ? past : &simulation->current;
}

/* FED_E_NOT_FINITE for a model that no round should go on from: a failure of the round, not of the
 * simulation. */
static int make_model(struct fed__simulation *simulation) {
  const struct fed__simulated_round *open = &simulation->open;
  struct fed_params next, next_state;
  if (simulation->visit_count - open->diverged < simulation->round.settings.minimum)
    return FED_RAISE(FED_E_NOT_FINITE, "the training of %u of %zu clients diverged", open->diverged,
                     simulation->visit_count);
  const struct fed__plan_version version = {.model = &simulation->current,
                                            .state = &simulation->state,
                                            .weight_of_all = simulation->weight_of_all,
                                            .base = base_of_last(simulation),
                                            .fresh_weight = simulation->fresh_weight};
  FED_TRY(
      fed__plan_next_model(&simulation->plan, simulation->aggregate, &version, &next, &next_state));
  const int code = fed_params_check_finite(&next);
  if (code != FED_OK) {
    fed_params_clear(&next);
    fed_params_clear(&next_state);
    return code;
  }
  const double moved = fed__params_distance(&next, &simulation->current);
  fed__past_models_put(&simulation->past, simulation->version, &simulation->current);
  fed_params_clear(&simulation->state);
  simulation->current = next;
  simulation->state = next_state;
  simulation->version = open->round;
  note_visits(simulation, moved);
  return FED_OK;
}

static int measure_clients(struct fed__simulation *simulation) {
  const struct fed__client_evaluation *settings = &simulation->job->simulate.evaluate;
  const uint32_t wanted = settings->clients == FED__EVALUATED_ALL ? UINT32_MAX : settings->sample;
  if (settings->clients == FED__EVALUATED_COHORT) return FED_OK;
  return fed__simulation_measure_clients(simulation, wanted, &simulation->open.clients, NULL, NULL);
}

/* As the server measures: on the test set if there is one, else by what the cohort found. */
static int measure(struct fed__simulation *simulation, struct fed__round_event *event) {
  struct fed__simulated_round *open = &simulation->open;
  const struct fed__metric_sums *found = &open->evaluated;
  const int has_test = fed__pool_test_set(simulation->pool) != NULL;
  if (is_measured(simulation, simulation->version)) FED_TRY(measure_clients(simulation));
  if (has_test && is_measured(simulation, simulation->version)) {
    const int code = fed__simulation_test(simulation, &open->tested, &open->tested_classes);
    if (code != FED_OK && code != FED_E_NOT_FINITE) return code;
  }
  if (has_test) found = &open->tested;
  if (found->example_count) {
    event->measured = 1;
    event->accuracy = fed__metric_sums_accuracy(found);
    event->loss = fed__metric_sums_loss(found);
  }
  return FED_OK;
}

static int close_round(struct fed__simulation *simulation, struct fed__round_event *event) {
  const int visited = visit_cohort(simulation);
  if (visited != FED_OK || simulation->open.kind != FED__ROUND_TRAIN) settle_memory(simulation, 0);
  FED_TRY(visited);
  if (simulation->open.kind == FED__ROUND_TRAIN) {
    const int code = make_model(simulation);
    settle_memory(simulation, code == FED_OK);
    if (code == FED_E_NOT_FINITE) {
      event->type = FED__EVENT_MODEL_FAILED;
      return FED_OK;
    }
    FED_TRY(code);
    FED_TRY(measure(simulation, event));
  }
  tell_round(simulation);
  return FED_OK;
}

/* ---- events --------------------------------------------------------------------------------- */

/* An open round's attempt is void, and the next one has the same cohort, if there are cohorts. */
static int crash(struct fed__simulation *simulation) {
  if (simulation->round.phase == FED__PHASE_EXCHANGE) {
    simulation->open.failure = fed__round_is_asynchronous(&simulation->round)
                                   ? "the server crashed; the version is made anew"
                                   : "the server crashed; the round runs again with the same "
                                     "cohort";
    tell_round(simulation);
  }
  return fed__server_crash(simulation);
}

/* The model, when the table asked for one. */
static int settle_model(struct fed__simulation *simulation) {
  struct fed__round_event event = fed__delivery_event(simulation, FED__EVENT_MODEL);
  simulation->closing = 0;
  FED_TRY(close_round(simulation, &event));
  if (simulation->crash_after != UINT32_MAX && event.type == FED__EVENT_MODEL &&
      simulation->round.kind == FED__ROUND_TRAIN)
    FED_TRY(fed__server_crash(simulation)); /* it is stored, and the table does not know of it */
  event.now_ms = simulation->now_us / 1000;
  return fed__delivery_step(simulation, &event);
}

static int settle(struct fed__simulation *simulation) {
  while (simulation->closing) FED_TRY(settle_model(simulation));
  fed__server_watch(simulation);
  while (fed__server_is_to_crash(simulation)) {
    FED_TRY(crash(simulation));
    fed__server_watch(simulation);
  }
  return FED_OK;
}

static int let_time_pass(struct fed__simulation *simulation, int64_t until_us) {
  if (until_us > simulation->now_us) simulation->now_us = until_us;
  const struct fed__round_event event = fed__delivery_event(simulation, FED__EVENT_TIME);
  return fed__delivery_step(simulation, &event);
}

static int raise_no_answers(const struct fed__simulation *simulation) {
  return FED_RAISE(FED_E_INPUT,
                   "version %llu is never made: no answer that counts has come for %.1f days; "
                   "faster devices, or such as are there longer, would do",
                   (unsigned long long)simulation->round.round,
                   (double)(simulation->now_us - simulation->progress_us) / (double)FED__DAY_US);
}

static int raise_no_round(const struct fed__simulation *simulation) {
  const unsigned long long round = simulation->round.round;
  const uint32_t minimum = simulation->round.settings.minimum;
  if (simulation->eligible_count >= minimum)
    return FED_RAISE(FED_E_INPUT,
                     "round %llu cannot begin: of the %u clients, %u (rounds.minimum) are never "
                     "there at the same time; devices that are there longer or a smaller minimum "
                     "would do",
                     round, simulation->eligible_count, minimum);
  if (simulation->small_memory_count)
    return FED_RAISE(FED_E_INPUT,
                     "round %llu cannot begin: %u clients take part, and rounds.minimum is %u; %u "
                     "others have less than the %zu bytes of memory that training takes",
                     round, simulation->eligible_count, minimum, simulation->small_memory_count,
                     simulation->training_bytes);
  return FED_RAISE(FED_E_INPUT,
                   "round %llu cannot begin: %u clients have enough examples, and rounds.minimum "
                   "is %u; more clients or a smaller minimum would do",
                   round, simulation->eligible_count, minimum);
}

/* Everybody who is ever there has been there twice, and still no round has begun. */
static int gathers_in_vain(const struct fed__simulation *simulation) {
  const int64_t period_us = fed__devices_period_us(&simulation->devices);
  return simulation->round.phase == FED__PHASE_GATHERING && period_us > 0 &&
         (simulation->now_us - simulation->round.gather_since_ms * 1000) / 2 > period_us;
}

/* Rounds in step fail when nobody answers; without a common pace tasks would be given for ever. */
static int waits_in_vain(const struct fed__simulation *simulation) {
  const int64_t period_us = fed__devices_period_us(&simulation->devices);
  const int64_t waited_us = simulation->now_us - simulation->progress_us;
  return simulation->round.phase == FED__PHASE_EXCHANGE &&
         fed__round_is_asynchronous(&simulation->round) && waited_us / 2 > period_us &&
         waited_us / 1000 / DEADLINES_MAX > simulation->round.settings.deadline_ms;
}

static int next_event(struct fed__simulation *simulation) {
  const int64_t queue_us = fed__event_queue_next_us(&simulation->queue);
  const int64_t timer_ms = fed__round_next_ms(&simulation->round);
  const int64_t timer_us = timer_ms == NEVER ? NEVER : timer_ms * 1000;
  struct fed__simulation_observer *observer = simulation->observer;
  if (observer && observer->stopping && observer->stopping(observer)) {
    if (observer->at_rest) FED_TRY(observer->at_rest(observer, simulation, 1));
    simulation->is_stopped = 1;
    const struct fed__round_event stop = fed__delivery_event(simulation, FED__EVENT_STOP);
    return fed__delivery_step(simulation, &stop);
  }
  if ((queue_us == NEVER && timer_us == NEVER) || gathers_in_vain(simulation))
    return raise_no_round(simulation);
  if (waits_in_vain(simulation)) return raise_no_answers(simulation);
  if (simulation->crash_us <= queue_us && simulation->crash_us <= timer_us) {
    simulation->now_us = simulation->crash_us;
    return FED_OK;
  }
  if (queue_us > timer_us) return let_time_pass(simulation, timer_us);
  return fed__delivery_next(simulation);
}

/* ---- running -------------------------------------------------------------------------------- */

int fed__simulation_has_examples(const struct fed__simulation *simulation, uint32_t client) {
  const size_t train = fed__partition_train_count(&simulation->partition, client);
  const size_t held_out = fed__partition_held_out_count(&simulation->partition, client);
  return train > 0 && train + held_out >= simulation->job->data.examples_min;
}

/* What a client says of itself when it checks in. */
static void note_client(struct fed__simulation *simulation, uint32_t client) {
  struct fed__client_facts *facts = fed__round_facts(&simulation->round, client);
  char name[FED__CLIENT_NAME_BYTES];
  if (!facts) return;
  facts->example_count = fed__partition_train_count(&simulation->partition, client);
  facts->group = fed__selection_group(&simulation->job->rounds.selection,
                                      fed__partition_name(&simulation->partition, client, name));
}

static int has_memory(const struct fed__simulation *simulation, uint32_t client) {
  const double memory = fed__device_memory(&simulation->devices, client);
  return memory == 0 || memory >= (double)simulation->training_bytes;
}

int fed__simulation_is_eligible(const struct fed__simulation *simulation, uint32_t client) {
  return fed__simulation_has_examples(simulation, client) && has_memory(simulation, client);
}

static void count_clients(struct fed__simulation *simulation) {
  simulation->training_bytes = fed__pool_training_bytes(simulation->pool);
  for (uint32_t client = 0; client < simulation->partition.client_count; client++) {
    if (!fed__simulation_has_examples(simulation, client)) continue;
    if (has_memory(simulation, client)) {
      simulation->eligible_count++;
      note_client(simulation, client);
    } else {
      simulation->small_memory_count++;
    }
  }
}

static int gather_clients(struct fed__simulation *simulation) {
  count_clients(simulation);
  fed__round_resume_closing(&simulation->round, 0);
  FED_TRY(fed__delivery_begin(simulation));
  const struct fed__round_event event = fed__delivery_event(simulation, FED__EVENT_MODEL);
  return fed__delivery_step(simulation, &event);
}

static int rest(struct fed__simulation *simulation) {
  struct fed__simulation_observer *observer = simulation->observer;
  if (!simulation->round_told || simulation->round.phase == FED__PHASE_FINISHED) return FED_OK;
  simulation->round_told = 0;
  return observer && observer->at_rest ? observer->at_rest(observer, simulation, 0) : FED_OK;
}

int fed__simulation_run(struct fed__simulation *simulation) {
  FED_REQUIRE(simulation->partition.client_count);
  simulation->round_started_us = real_us(simulation);
  if (!simulation->is_resumed) FED_TRY(gather_clients(simulation));
  FED_TRY(fed__simulation_weigh(simulation));
  FED_TRY(settle(simulation));
  while (simulation->round.phase != FED__PHASE_FINISHED) {
    FED_TRY(next_event(simulation));
    FED_TRY(settle(simulation));
    FED_TRY(rest(simulation));
  }
  return FED_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int check_job(const struct fed__job *job) {
  if (strcmp(job->train.trainer, "native") != 0)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "the job wants the external trainer '%s'; only 'native' can be simulated",
                     job->train.trainer);
  if (!job->data.name)
    return FED_RAISE(FED_E_MISSING, "the job has no 'data' section, so there is nothing to divide");
  return FED_OK;
}

static int build(struct fed__simulation *simulation,
                 const struct fed__simulation_setting *setting) {
  const struct fed_params *start = fed_model_params(setting->model);
  const struct fed__job *job = setting->job;
  struct fed__round_settings settings;
  FED_TRY(check_job(job));
  FED_TRY(fed__plan_make(job, fed_params_elements(start), &simulation->plan));
  FED_TRY(simulation->plan.rule->init(setting->context, &simulation->plan.shape,
                                      &simulation->aggregate));
  FED_TRY(fed_params_copy(&simulation->current, setting->context, start));
  FED_TRY(fed__plan_start_state(setting->context, &simulation->plan, &simulation->state));
  FED_TRY(fed__past_models_init(&simulation->past, setting->context,
                                fed__job_buffer(job) ? job->aggregate.staleness_max + 1 : 0));
  fed__round_settings_from_job(job, simulation->plan.exchange_count, &settings);
  FED_TRY(fed__round_init(&simulation->round, setting->context, &settings, 0, FED__END_NONE, 0));
  const struct fed__pool_setting pool = {
      setting->context,      job,           &simulation->plan, setting->model, setting->source,
      setting->thread_count, setting->ranks};
  return fed__pool_new(&pool, &simulation->pool);
}

int fed__simulation_init(struct fed__simulation *simulation,
                         const struct fed__simulation_setting *setting) {
  *simulation = (struct fed__simulation){
      .driver = {carry_out},
      .context = setting->context,
      .job = setting->job,
      .model = setting->model,
      .observer = setting->observer,
      .crash_after = UINT32_MAX,
      .crash_us = INT64_MAX,
      .watched = FED__PHASE_COUNT,
      .faults = {.settings = &setting->job->simulate.faults, .seed = setting->job->seed}};
  fed__event_queue_init(&simulation->queue, setting->context);
  const int code = build(simulation, setting);
  if (code != FED_OK) fed__simulation_clear(simulation);
  return code;
}

void fed__simulation_clear(struct fed__simulation *simulation) {
  if (!simulation->context) return;
  fed__pool_free(simulation->pool);
  if (simulation->aggregate) simulation->plan.rule->free(simulation->aggregate);
  fed__event_queue_clear(&simulation->queue);
  fed__round_clear(&simulation->round);
  fed__devices_clear(&simulation->devices);
  fed__partition_clear(&simulation->partition);
  fed_params_clear(&simulation->current);
  fed_params_clear(&simulation->state);
  fed__client_memory_clear(&simulation->memory);
  fed__past_models_clear(&simulation->past);
  fed__free(simulation->context, simulation->visits);
  fed__free(simulation->context, simulation->vector_down);
  fed__free(simulation->context, simulation->rounds_trained);
  *simulation = (struct fed__simulation){0};
}

/* ---- dividing ------------------------------------------------------------------------------- */

static int remember_clients(struct fed__simulation *simulation) {
  const size_t elements = fed__kept_in_all(&simulation->plan, simulation->model);
  fed__client_memory_clear(&simulation->memory);
  return fed__client_memory_init(&simulation->memory, simulation->context, elements,
                                 simulation->partition.client_count);
}

int fed__simulation_use(struct fed__simulation *simulation, struct fed__partition *partition) {
  const size_t count = fed__pool_examples(simulation->pool)->count;
  fed__partition_clear(&simulation->partition);
  simulation->partition = *partition;
  *partition = (struct fed__partition){0};
  if (simulation->partition.example_count != count)
    return FED_RAISE(FED_E_RANGE, "a partition of %zu examples, but the data has %zu",
                     simulation->partition.example_count, count);
  fed__free(simulation->context, simulation->rounds_trained);
  simulation->rounds_trained = fed__zalloc(simulation->context, simulation->partition.client_count,
                                           sizeof *simulation->rounds_trained);
  if (!simulation->rounds_trained) return FED_E_MEMORY;
  FED_TRY(fed__partition_hold_out(&simulation->partition, simulation->job));
  FED_TRY(fed__pool_set_partition(simulation->pool, &simulation->partition));
  fed__devices_clear(&simulation->devices);
  FED_TRY(fed__devices_init(&simulation->devices, simulation->context, simulation->job,
                            &simulation->partition));
  FED_TRY(remember_clients(simulation));
  return fed__round_set_client_count(&simulation->round, simulation->partition.client_count);
}

int fed__simulation_divide(struct fed__simulation *simulation) {
  struct fed__partition partition;
  FED_TRY(fed__partition_of_examples(simulation->job, fed__pool_examples(simulation->pool),
                                     &partition));
  return fed__simulation_use(simulation, &partition);
}
