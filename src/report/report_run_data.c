/* SPDX-License-Identifier: Apache-2.0
 *
 * report_run_data.c: a simulation's files to series. A line of metrics.jsonl is an attempt at a
 * round; what the cohort of round r measured is of version r - 1, unless the line says otherwise.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "report/report_data.h"

#include <math.h>

#define COUNT_MAX 1e15
#define LOSS_MAX 1e12
#define LENGTH_MAX 1e30

/* ---- one attempt at a round ----------------------------------------------------------------- */

/* Bytes and attempts of all lines so far. */
struct reading {
  struct fed__report_data *data;
  double bytes;
};

static void take_spread(struct fed__report_version *version, const json_t *clients) {
  const json_t *accuracy = json_object_get(clients, "accuracy");
  const int has_accuracy = json_is_object(accuracy);
  const json_t *spread = has_accuracy ? accuracy : json_object_get(clients, "loss");
  const double max = has_accuracy ? 1 : LOSS_MAX;
  version->spread_clients = fed__report_number(spread, "clients", COUNT_MAX);
  version->p5 = fed__report_signed(spread, "p5", max);
  version->p25 = fed__report_signed(spread, "p25", max);
  version->median = fed__report_signed(spread, "median", max);
  version->p75 = fed__report_signed(spread, "p75", max);
  version->p95 = fed__report_signed(spread, "p95", max);
  if (!has_accuracy) return;
  version->worst = fed__report_number(spread, "lowest", 1);
  version->best = fed__report_number(spread, "highest", 1);
}

static int take_measures(struct reading *reading, const json_t *line, uint64_t round) {
  const json_t *evaluated = json_object_get(line, "evaluated");
  const json_t *clients = json_object_get(line, "clients");
  const double number = fed__report_number(clients, "version", FED__REPORT_VERSIONS_MAX);
  struct fed__report_version *version;
  FED_TRY(fed__report_version_at(reading->data, round - 1, &version));
  if (json_is_object(evaluated)) {
    version->held_out = fed__report_number(evaluated, "accuracy", 1);
    version->held_out_loss = fed__report_signed(evaluated, "loss", LOSS_MAX);
  }
  if (!(number >= 0)) return FED_OK;
  FED_TRY(fed__report_version_at(reading->data, (uint64_t)number, &version));
  take_spread(version, clients);
  return FED_OK;
}

static void take_model(const struct reading *reading, const json_t *line,
                       struct fed__report_version *made) {
  const json_t *trained = json_object_get(line, "trained"), *drift = json_object_get(line, "drift"),
               *tested = json_object_get(line, "tested");
  made->committed = 1;
  made->attempts = (uint32_t)fmax(1, fed__report_number(line, "attempt", UINT32_MAX));
  made->cohort = (uint32_t)fmax(0, fed__report_number(line, "cohort", UINT32_MAX));
  made->reported = (uint32_t)fmax(0, fed__report_number(line, "reported", UINT32_MAX));
  made->lost = (uint32_t)fmax(0, fed__report_number(line, "diverged", UINT32_MAX));
  made->seconds = fed__report_number(line, "seconds", COUNT_MAX);
  made->bytes_up = fed__report_number(line, "up_bytes", COUNT_MAX);
  made->bytes_down = fed__report_number(line, "down_bytes", COUNT_MAX);
  made->train_loss = fed__report_signed(trained, "loss", LOSS_MAX);
  made->test_accuracy = fed__report_number(tested, "accuracy", 1);
  made->test_loss = fed__report_signed(tested, "loss", LOSS_MAX);
  made->virtual_s = fed__report_number(line, "virtual_s", COUNT_MAX);
  made->bytes_so_far = reading->bytes;
  made->drift = fed__report_number(drift, "mean", LENGTH_MAX);
  made->drift_largest = fed__report_number(drift, "largest", LENGTH_MAX);
  made->agreement = fed__report_number(drift, "agreement", LENGTH_MAX);
}

static int take_failure(struct fed__report_data *data, const char *reason) {
  const json_int_t before = json_integer_value(json_object_get(data->failures, reason));
  data->trouble[FED__TROUBLE_ROUND]++;
  return json_object_set_new(data->failures, reason, json_integer(before + 1)) == 0 ? FED_OK
                                                                                    : FED_E_MEMORY;
}

/* FED_E_INPUT, without a message: the line is left out. */
static int take_round(struct reading *reading, const json_t *line) {
  const double round = fed__report_number(line, "round", FED__REPORT_VERSIONS_MAX);
  const char *kind = fed__report_text(line, "kind", NULL);
  struct fed__report_version *made;
  if (!(round >= 1) || !kind) return FED_E_INPUT;
  reading->bytes += fmax(0, fed__report_number(line, "down_bytes", COUNT_MAX)) +
                    fmax(0, fed__report_number(line, "up_bytes", COUNT_MAX));
  const char *failure = fed__report_text(line, "failure", NULL);
  if (failure) return take_failure(reading->data, failure);
  FED_TRY(take_measures(reading, line, (uint64_t)round));
  if (strcmp(kind, "train") != 0) return FED_OK;
  FED_TRY(fed__report_version_at(reading->data, (uint64_t)round, &made));
  take_model(reading, line, made);
  if ((uint64_t)round > reading->data->newest) reading->data->newest = (uint64_t)round;
  return FED_OK;
}

static int take_rounds(struct reading *reading, struct fed_slice text) {
  struct fed__report_version *start;
  FED_TRY(fed__report_version_at(reading->data, 0, &start));
  start->virtual_s = start->bytes_so_far = 0;
  for (size_t at = 0; at < text.size;) {
    const char *line = (const char *)text.data + at;
    const char *newline = memchr(line, '\n', text.size - at);
    const size_t length = newline ? (size_t)(newline - line) : text.size - at;
    json_t *json = length ? json_loadb(line, length, 0, NULL) : NULL;
    const int code = json ? take_round(reading, json) : FED_E_INPUT;
    json_decref(json);
    if (code == FED_E_MEMORY) return code;
    if (code != FED_OK && length) reading->data->skipped_count++;
    at += length + 1;
  }
  return FED_OK;
}

/* ---- clients -------------------------------------------------------------------------------- */

static int take_clients(struct fed__report_data *data) {
  const json_t *said;
  size_t index;
  json_array_foreach(json_object_get(data->details, "clients"), index, said) {
    const char *name = fed__report_text(said, "client", NULL);
    if (!name) continue;
    struct fed__report_client *client = fed__report_client(data, name);
    if (!client && data->client_count == FED__REPORT_CLIENTS_MAX) break;
    if (!client) return FED_E_MEMORY;
    client->examples = fed__report_number(said, "train_examples", COUNT_MAX);
    client->held_out = fed__report_number(said, "held_out_examples", COUNT_MAX);
    client->accuracy = fed__report_number(said, "accuracy", 1);
    client->loss = fed__report_signed(said, "loss", LOSS_MAX);
    client->answers = (uint64_t)fmax(0, fed__report_number(said, "rounds", COUNT_MAX));
    client->version = data->newest;
  }
  return FED_OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int read_object(const char *what, struct fed_slice text, json_t **object) {
  json_error_t error;
  *object = json_loadb(text.size ? (const char *)text.data : "", text.size, 0, &error);
  if (json_is_object(*object)) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "%s is not a JSON object: %s", what,
                   *object ? "it is of another type" : error.text);
}

int fed__report_data_init_run(struct fed__report_data *data, const struct fed_context *context,
                              const struct fed__run_input *run) {
  struct reading reading = {data, 0};
  *data = (struct fed__report_data){
      .context = context, .is_simulated = 1, .model_parameters = NAN, .reduced_accuracy = NAN};
  data->client_numbers = json_object();
  data->failures = json_object();
  int code = data->client_numbers && data->failures
                 ? read_object("the summary", run->summary, &data->summary)
                 : FED_RAISE(FED_E_MEMORY, "out of memory for names of clients and failures");
  if (code == FED_OK && run->details.size)
    code = read_object("the list of clients", run->details, &data->details);
  if (code == FED_OK) code = take_rounds(&reading, run->metrics);
  if (code == FED_OK) code = take_clients(data);
  if (code == FED_OK)
    fed__report_take_baselines(data);
  else
    fed__report_data_clear(data);
  return code;
}
