/* SPDX-License-Identifier: Apache-2.0
 *
 * report_summary.c: what the summary adds: baselines, labels and local accuracies of clients.
 * All of it is optional, and a part that is not as expected is left out.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "report/report_data.h"

#include <math.h>

#define COUNT_MAX 1e15

void fed__report_take_baselines(struct fed__report_data *data) {
  size_t index;
  const json_t *baseline, *list = json_object_get(data->summary, "baselines");
  json_array_foreach(list, index, baseline) {
    const struct fed__report_baseline taken = {fed__report_text(baseline, "name", NULL),
                                               fed__report_number(baseline, "accuracy", 1),
                                               fed__report_signed(baseline, "loss", HUGE_VAL)};
    if (taken.name && (isfinite(taken.accuracy) || isfinite(taken.loss)) &&
        data->baseline_count < FED__REPORT_BASELINES_MAX)
      data->baselines[data->baseline_count++] = taken;
  }
}

/* Every client has a count for every label, or none has any. */
static size_t common_label_count(const json_t *clients) {
  size_t index, count = 0;
  const json_t *client;
  json_array_foreach(clients, index, client) {
    const size_t size = json_array_size(json_object_get(client, "labels"));
    if (size > count && size <= FED__REPORT_LABELS_MAX) count = size;
  }
  return count;
}

static int take_labels(struct fed__report_data *data, struct fed__report_client *client,
                       const json_t *counts) {
  size_t index;
  const json_t *count;
  if (!data->label_count || json_array_size(counts) > data->label_count || client->labels ||
      !json_array_size(counts))
    return FED_OK;
  client->labels = fed__zalloc(data->context, data->label_count, sizeof *client->labels);
  if (!client->labels) return FED_E_MEMORY;
  json_array_foreach(counts, index, count) {
    const double number = json_number_value(count);
    client->labels[index] = number >= 0 && number <= COUNT_MAX ? number : 0;
  }
  return FED_OK;
}

static int take_clients(struct fed__report_data *data) {
  size_t index;
  const json_t *said, *list = json_object_get(data->summary, "clients");
  data->label_count = common_label_count(list);
  json_array_foreach(list, index, said) {
    const char *name = fed__report_text(said, "name", NULL);
    if (!name) continue;
    struct fed__report_client *client = fed__report_client(data, name);
    if (!client && data->client_count == FED__REPORT_CLIENTS_MAX) break;
    if (!client) return FED_E_MEMORY;
    if (!(client->examples >= 0))
      client->examples = fed__report_number(said, "examples", COUNT_MAX);
    client->local_accuracy = fed__report_number(said, "local_accuracy", 1);
    FED_TRY(take_labels(data, client, json_object_get(said, "labels")));
  }
  return FED_OK;
}

int fed__report_take_summary(struct fed__report_data *data, struct fed_slice text) {
  json_error_t error;
  data->summary = json_loadb((const char *)text.data, text.size, 0, &error);
  if (!json_is_object(data->summary))
    return FED_RAISE(FED_E_INPUT, "the summary is not a JSON object: %s (line %d)",
                     data->summary ? "it is of another type" : error.text,
                     data->summary ? 1 : error.line);
  fed__report_take_baselines(data);
  return take_clients(data);
}
