/* SPDX-License-Identifier: Apache-2.0
 *
 * report_data.c: events to series, one line after the other. Nothing in a line is trusted: a
 * line that is not what its type promises changes nothing and is counted.
 */
#include "report/report_data.h"
#include "base/memory.h"
#include "base/raise.h"

#include <math.h>

#define COUNT_MAX 1e15
#define LOSS_MAX 1e12

double fed__report_signed(const json_t *object, const char *key, double max) {
  const json_t *value = json_object_get(object, key);
  const double number = json_is_number(value) ? json_number_value(value) : NAN;
  return fabs(number) <= max ? number : NAN;
}

double fed__report_number(const json_t *object, const char *key, double max) {
  const double number = fed__report_signed(object, key, max);
  return number >= 0 ? number : NAN;
}

const char *fed__report_text(const json_t *object, const char *key, const char *otherwise) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : otherwise;
}

/* ---- growing -------------------------------------------------------------------------------- */

static int grow(const struct fed_context *context, void **array, size_t *capacity, size_t needed,
                size_t size) {
  if (needed <= *capacity) return FED_OK;
  const size_t wanted = needed + needed / 2 + 8;
  void *moved = fed__resize(context, *array, wanted, size);
  if (!moved) return FED_E_MEMORY;
  *array = moved;
  *capacity = wanted;
  return FED_OK;
}

static const struct fed__report_version unknown_version = {.seconds = NAN,
                                                           .bytes_up = NAN,
                                                           .bytes_down = NAN,
                                                           .train_loss = NAN,
                                                           .test_accuracy = NAN,
                                                           .test_loss = NAN,
                                                           .held_out = NAN,
                                                           .held_out_loss = NAN,
                                                           .worst = NAN,
                                                           .best = NAN,
                                                           .virtual_s = NAN,
                                                           .bytes_so_far = NAN,
                                                           .p5 = NAN,
                                                           .p25 = NAN,
                                                           .median = NAN,
                                                           .p75 = NAN,
                                                           .p95 = NAN,
                                                           .drift = NAN,
                                                           .drift_largest = NAN,
                                                           .agreement = NAN};

int fed__report_version_at(struct fed__report_data *data, uint64_t number,
                           struct fed__report_version **version) {
  void *array = data->versions;
  FED_TRY(grow(data->context, &array, &data->version_capacity, number + 1, sizeof *data->versions));
  data->versions = array;
  while (data->version_count <= number) data->versions[data->version_count++] = unknown_version;
  *version = &data->versions[number];
  return FED_OK;
}

struct fed__report_client *fed__report_client(struct fed__report_data *data, const char *name) {
  const json_t *number = json_object_get(data->client_numbers, name);
  void *array = data->clients;
  if (number) return &data->clients[json_integer_value(number)];
  if (data->client_count >= FED__REPORT_CLIENTS_MAX ||
      grow(data->context, &array, &data->client_capacity, data->client_count + 1,
           sizeof *data->clients) != FED_OK)
    return NULL;
  data->clients = array;
  struct fed__report_client client = {
      .examples = NAN, .accuracy = NAN, .local_accuracy = NAN, .loss = NAN, .held_out = NAN};
  client.name = fed__copy_text(data->context, name);
  if (!client.name) return NULL;
  if (json_object_set_new(data->client_numbers, name,
                          json_integer((json_int_t)data->client_count)) != 0) {
    fed__free(data->context, client.name);
    return NULL;
  }
  data->clients[data->client_count] = client;
  return &data->clients[data->client_count++];
}

/* ---- what an event says --------------------------------------------------------------------- */

struct event {
  int64_t time_ms;
  const char *type;
  const json_t *body;
};

/* FED_E_INPUT, without a message: the line is left out. */
#define LEAVE_OUT FED_E_INPUT

static int number_of(const json_t *body, const char *key, uint64_t min, uint64_t *number) {
  const double value = fed__report_number(body, key, FED__REPORT_VERSIONS_MAX);
  if (!(value >= (double)min)) return LEAVE_OUT;
  *number = (uint64_t)value;
  return FED_OK;
}

/* A count that a client's or a round's line may lack. */
static uint32_t count_of(const json_t *body, const char *key) {
  const double value = fed__report_number(body, key, UINT32_MAX);
  return value >= 0 ? (uint32_t)value : 0;
}

static int on_created(struct fed__report_data *data, const struct event *event) {
  data->rounds_wanted = count_of(event->body, "rounds");
  data->model_parameters = fed__report_number(event->body, "parameters", COUNT_MAX);
  snprintf(data->precision, sizeof data->precision, "%s",
           fed__report_text(event->body, "precision", ""));
  return FED_OK;
}

/* What an earlier attempt at the round gave does not count. */
static int on_started(struct fed__report_data *data, const struct event *event) {
  struct fed__report_version *made, *measured;
  uint64_t round;
  FED_TRY(number_of(event->body, "round", 1, &round));
  if (strcmp(fed__report_text(event->body, "kind", "train"), "train") == 0) {
    FED_TRY(fed__report_version_at(data, round, &made));
    made->attempts++;
  }
  FED_TRY(fed__report_version_at(data, round - 1, &measured));
  measured->held_out = measured->held_out_loss = measured->worst = measured->best = NAN;
  return FED_OK;
}

static void widen(struct fed__report_version *version, double accuracy) {
  version->worst = fmin(version->worst, accuracy); /* fmin leaves NAN out */
  version->best = fmax(version->best, accuracy);
}

static int on_reported(struct fed__report_data *data, const struct event *event) {
  const char *name = fed__report_text(event->body, "client", NULL);
  const double accuracy =
      fed__report_number(json_object_get(event->body, "evaluate"), "accuracy", 1);
  const double examples = fed__report_number(event->body, "examples", COUNT_MAX);
  const double train_s = fed__report_number(event->body, "train_s", COUNT_MAX);
  struct fed__report_version *measured;
  uint64_t round;
  FED_TRY(number_of(event->body, "round", 1, &round));
  if (!name) return LEAVE_OUT;
  struct fed__report_client *client = fed__report_client(data, name);
  if (!client) return data->client_count < FED__REPORT_CLIENTS_MAX ? FED_E_MEMORY : LEAVE_OUT;
  FED_TRY(fed__report_version_at(data, round - 1, &measured));
  if (accuracy >= 0) {
    widen(measured, accuracy);
    client->accuracy = accuracy;
    client->version = round - 1;
  }
  if (examples > 0) client->examples = examples;
  if (train_s >= 0) client->train_s_sum += train_s;
  client->peak_bytes =
      fmax(client->peak_bytes, fed__report_number(event->body, "peak_bytes", COUNT_MAX));
  client->clamped += count_of(event->body, "clamped");
  client->answers++;
  return FED_OK;
}

static int note_held_out(struct fed__report_data *data, const json_t *body, uint64_t round) {
  const json_t *evaluate = json_object_get(body, "evaluate");
  struct fed__report_version *measured;
  FED_TRY(fed__report_version_at(data, round - 1, &measured));
  measured->held_out = fed__report_number(evaluate, "accuracy", 1);
  measured->held_out_loss = fed__report_signed(evaluate, "loss", LOSS_MAX);
  return FED_OK;
}

static int on_committed(struct fed__report_data *data, const struct event *event) {
  struct fed__report_version *made;
  uint64_t round;
  FED_TRY(number_of(event->body, "round", 1, &round));
  FED_TRY(note_held_out(data, event->body, round));
  FED_TRY(fed__report_version_at(data, round, &made));
  made->committed = 1;
  made->committed_ms = event->time_ms;
  made->cohort = count_of(event->body, "cohort");
  made->reported = count_of(event->body, "reported");
  made->seconds = fed__report_number(event->body, "seconds", COUNT_MAX);
  made->bytes_up = fed__report_number(event->body, "bytes_up", COUNT_MAX);
  made->bytes_down = fed__report_number(event->body, "bytes_down", COUNT_MAX);
  made->train_loss = fed__report_signed(json_object_get(event->body, "train"), "loss", LOSS_MAX);
  if (round > data->newest) data->newest = round;
  return FED_OK;
}

static int on_clients_evaluated(struct fed__report_data *data, const struct event *event) {
  uint64_t round;
  FED_TRY(number_of(event->body, "round", 1, &round));
  return note_held_out(data, event->body, round);
}

static int on_evaluated(struct fed__report_data *data, const struct event *event) {
  struct fed__report_version *version;
  uint64_t number;
  FED_TRY(number_of(event->body, "version", 0, &number));
  FED_TRY(fed__report_version_at(data, number, &version));
  version->test_accuracy = fed__report_number(event->body, "accuracy", 1);
  version->test_loss = fed__report_signed(event->body, "loss", LOSS_MAX);
  return FED_OK;
}

static int on_evaluated_reduced(struct fed__report_data *data, const struct event *event) {
  FED_TRY(number_of(event->body, "version", 0, &data->reduced_version));
  data->reduced_accuracy = fed__report_number(event->body, "accuracy", 1);
  return FED_OK;
}

/* ---- trouble -------------------------------------------------------------------------------- */

static int keep_incident(struct fed__report_data *data, enum fed__report_trouble kind,
                         const struct event *event, uint64_t round, const char *client,
                         const char *text) {
  void *array = data->incidents;
  struct fed__report_incident incident = {.kind = kind, .time_ms = event->time_ms, .round = round};
  data->trouble[kind]++;
  if (data->incident_count == FED__REPORT_INCIDENTS_MAX) return FED_OK;
  FED_TRY(grow(data->context, &array, &data->incident_capacity, data->incident_count + 1,
               sizeof incident));
  data->incidents = array;
  incident.client = client ? fed__copy_text(data->context, client) : NULL;
  incident.text = fed__copy_text(data->context, text);
  data->incidents[data->incident_count++] = incident;
  return incident.text && (!client || incident.client) ? FED_OK : FED_E_MEMORY;
}

static int on_client_trouble(struct fed__report_data *data, const struct event *event) {
  const int refused = strcmp(event->type, "client.refused") == 0;
  const char *name = fed__report_text(event->body, "client", NULL);
  const char *code = fed__report_text(event->body, "code", "");
  const char *text = fed__report_text(event->body, refused ? "reason" : "message", code);
  uint64_t round = 0;
  if (!name || (!refused && number_of(event->body, "round", 1, &round) != FED_OK)) return LEAVE_OUT;
  struct fed__report_client *client = fed__report_client(data, name);
  if (!client) return data->client_count < FED__REPORT_CLIENTS_MAX ? FED_E_MEMORY : LEAVE_OUT;
  if (refused)
    client->refused = 1;
  else
    client->failures++;
  if (round && round < data->version_count) data->versions[round].lost++;
  return keep_incident(data, refused ? FED__TROUBLE_REFUSED : FED__TROUBLE_CLIENT, event, round,
                       name, *text ? text : code);
}

static int on_round_trouble(struct fed__report_data *data, const struct event *event) {
  const int interrupted = strcmp(event->type, "round.void") == 0;
  uint64_t round;
  FED_TRY(number_of(event->body, "round", 1, &round));
  return keep_incident(data, interrupted ? FED__TROUBLE_INTERRUPTED : FED__TROUBLE_ROUND, event,
                       round, NULL, fed__report_text(event->body, "reason", ""));
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int take_event(struct fed__report_data *data, const struct event *event) {
  static const struct {
    const char *type;
    int (*take)(struct fed__report_data *data, const struct event *event);
  } takers[] = {
      {"model.evaluated_reduced", on_evaluated_reduced},
      {"job.created", on_created},
      {"round.started", on_started},
      {"client.reported", on_reported},
      {"round.committed", on_committed},
      {"model.evaluated", on_evaluated},
      {"model.evaluated_by_clients", on_clients_evaluated},
      {"round.failed", on_round_trouble},
      {"round.void", on_round_trouble},
      {"client.failed", on_client_trouble},
      {"client.refused", on_client_trouble},
  };
  for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++)
    if (strcmp(takers[i].type, event->type) == 0) return takers[i].take(data, event);
  return FED_OK; /* of a later version, or nothing for a report */
}

/* Events come in the order of their numbers; one that comes twice counts once. */
static int take_line(struct fed__report_data *data, const json_t *line) {
  const json_t *number = json_object_get(line, "number"), *time = json_object_get(line, "time_ms");
  const struct event event = {json_integer_value(time), fed__report_text(line, "type", NULL),
                              json_object_get(line, "body")};
  if (!json_is_integer(number) || !json_is_integer(time) || !event.type ||
      !json_is_object(event.body) || event.time_ms < 0 || event.time_ms > (int64_t)COUNT_MAX ||
      json_integer_value(number) <= (json_int_t)data->last_number)
    return LEAVE_OUT;
  FED_TRY(take_event(data, &event));
  data->last_number = (uint64_t)json_integer_value(number);
  if (!data->event_count++) data->first_ms = event.time_ms;
  if (event.time_ms > data->last_ms) data->last_ms = event.time_ms;
  return FED_OK;
}

static int take_lines(struct fed__report_data *data, struct fed_slice text) {
  size_t at = 0;
  while (at < text.size) {
    const char *start = (const char *)text.data + at;
    const char *newline = memchr(start, '\n', text.size - at);
    const size_t length = newline ? (size_t)(newline - start) : text.size - at;
    json_t *line = length ? json_loadb(start, length, 0, NULL) : NULL;
    const int code = line ? take_line(data, line) : LEAVE_OUT;
    json_decref(line);
    if (code == FED_E_MEMORY) return code;
    if (code != FED_OK && length) data->skipped_count++;
    at += length + 1;
  }
  return FED_OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int read_record(struct fed__report_data *data, struct fed_slice text) {
  json_error_t error;
  data->record = json_loadb(text.size ? (const char *)text.data : "", text.size, 0, &error);
  if (!json_is_object(data->record))
    return FED_RAISE(FED_E_INPUT, "the job's record is not a JSON object: %s",
                     data->record ? "it is of another type" : error.text);
  return FED_OK;
}

int fed__report_data_init(struct fed__report_data *data, const struct fed_context *context,
                          const struct fed__report_input *input) {
  *data = (struct fed__report_data){
      .context = context, .model_parameters = NAN, .reduced_accuracy = NAN};
  data->client_numbers = json_object();
  int code = data->client_numbers ? read_record(data, input->record)
                                  : FED_RAISE(FED_E_MEMORY, "out of memory for client names");
  if (code == FED_OK) code = take_lines(data, input->events);
  if (code == FED_OK && input->summary.size) code = fed__report_take_summary(data, input->summary);
  if (code != FED_OK) fed__report_data_clear(data);
  return code;
}

void fed__report_data_clear(struct fed__report_data *data) {
  for (size_t i = 0; i < data->client_count; i++) {
    fed__free(data->context, data->clients[i].name);
    fed__free(data->context, data->clients[i].labels);
  }
  for (size_t i = 0; i < data->incident_count; i++) {
    fed__free(data->context, data->incidents[i].client);
    fed__free(data->context, data->incidents[i].text);
  }
  fed__free(data->context, data->versions);
  fed__free(data->context, data->clients);
  fed__free(data->context, data->incidents);
  json_decref(data->record);
  json_decref(data->summary);
  json_decref(data->details);
  json_decref(data->client_numbers);
  json_decref(data->failures);
  *data = (struct fed__report_data){.context = data->context};
}
