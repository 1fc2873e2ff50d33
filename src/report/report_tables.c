/* SPDX-License-Identifier: Apache-2.0
 *
 * report_tables.c: rounds, clients, processes and settings as tables.
 */
#include "base/log.h"
#include "base/memory.h"
#include "report/report_parts.h"
#include "report/report_series.h"

#include <math.h>
#include <stddef.h>

#define ROUNDS_MAX 200
#define CLIENTS_MAX 200
#define PROCESSES_MAX 100

void fed__table_open(struct fed__markup *markup, const char *title, const char *const *heads) {
  fed__markup_print(markup, "<section><h2>%s</h2><div class=\"t\"><table><thead><tr>", title);
  for (; *heads; heads++)
    if (**heads == FED__TABLE_TEXT[0])
      fed__markup_print(markup, "<th class=\"x\">%s</th>", *heads + 1);
    else
      fed__markup_print(markup, "<th>%s</th>", *heads);
  fed__markup_print(markup, "</tr></thead><tbody>\n");
}

void fed__table_close(struct fed__markup *markup) {
  fed__markup_print(markup, "</tbody></table></div>");
}

static void put_cell(struct fed__markup *markup, const char *text) {
  fed__markup_print(markup, "<td>%s</td>", text);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void list_round(const struct fed__report_data *data, size_t round, int in_percent,
                       struct fed__markup *markup) {
  const struct fed__report_version *made = &data->versions[round];
  struct fed__number_text text;
  fed__markup_print(markup, "<tr><th>%zu</th>", round);
  fed__markup_print(markup, "<td>%u of %u</td>", made->reported, made->cohort);
  fed__markup_print(markup, made->lost ? "<td class=\"w\">%u</td>" : "<td>%u</td>", made->lost);
  fed__markup_print(markup, made->attempts > 1 ? "<td class=\"w\">%u</td>" : "<td>%u</td>",
                    made->attempts);
  put_cell(markup, fed__decimal(made->train_loss, &text));
  if (in_percent) {
    put_cell(markup, fed__percent(made->test_accuracy, &text));
    put_cell(markup, fed__percent(made->held_out, &text));
    put_cell(markup, fed__percent(made->worst, &text));
  } else {
    put_cell(markup, fed__decimal(made->test_loss, &text));
    put_cell(markup, fed__decimal(made->held_out_loss, &text));
  }
  if (data->is_simulated) put_cell(markup, fed__duration(made->virtual_s, &text));
  put_cell(markup, fed__duration(made->seconds, &text));
  put_cell(markup, fed__bytes(made->bytes_up, &text));
  put_cell(markup, fed__bytes(made->bytes_down, &text));
  fed__markup_print(markup, "</tr>\n");
}

/* Else losses are listed. */
static int has_accuracy(const struct fed__report_data *data) {
  size_t version;
  return isfinite(fed__report_newest(data, FED__VERSION(test_accuracy), &version)) ||
         isfinite(fed__report_newest(data, FED__VERSION(held_out), &version)) ||
         !(isfinite(fed__report_newest(data, FED__VERSION(test_loss), &version)) ||
           isfinite(fed__report_newest(data, FED__VERSION(held_out_loss), &version)));
}

void fed__report_list_rounds(const struct fed__report_data *data, struct fed__markup *markup) {
  const int in_percent = has_accuracy(data);
  const char *const measures[] = {"test set", "held out", in_percent ? "worst client" : NULL};
  const char *const times[] = {data->is_simulated ? "virtual time" : NULL,
                               data->is_simulated ? "real time" : "time", "received", "sent"};
  const char *heads[16] = {"round", "reported", "failed", "attempts", "training loss"};
  size_t head_count = 5;
  const size_t stride = data->version_count / ROUNDS_MAX + 1;
  if (!data->newest) return;
  for (size_t i = 0; i < 3; i++)
    if (measures[i]) heads[head_count++] = measures[i];
  for (size_t i = 0; i < 4; i++)
    if (times[i]) heads[head_count++] = times[i];
  fed__table_open(markup, "Rounds", heads);
  for (size_t i = 1; i < data->version_count; i++)
    if (data->versions[i].committed && (stride == 1 || i % stride == 0 || i == data->newest))
      list_round(data, i, in_percent, markup);
  fed__table_close(markup);
  fed__markup_print(markup, "<p>%s are those of the version that the round made.",
                    in_percent ? "Accuracies" : "Losses on the test set and held out");
  if (stride > 1)
    fed__markup_print(markup, " One round in %zu is listed; %s.", stride,
                      data->is_simulated ? "metrics.csv has all" : "fed job watch --json has all");
  fed__markup_print(markup, "</p></section>\n");
}

/* ---- clients -------------------------------------------------------------------------------- */

static void list_client(const struct fed__report_client *client, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__markup_print(markup, "<tr><th class=\"x\">");
  fed__markup_text(markup, client->name);
  fed__markup_print(markup, "</th>");
  put_cell(markup, fed__count(client->examples, &text));
  put_cell(markup, fed__percent(client->accuracy, &text));
  if (isfinite(client->accuracy))
    fed__markup_print(markup, "<td>%llu</td>", (unsigned long long)client->version);
  else
    put_cell(markup, "\xe2\x80\x93");
  put_cell(markup, fed__percent(client->local_accuracy, &text));
  fed__markup_print(markup, "<td>%llu</td>", (unsigned long long)client->answers);
  fed__markup_print(markup, client->failures ? "<td class=\"w\">%llu</td>" : "<td>%llu</td>",
                    (unsigned long long)client->failures);
  put_cell(
      markup,
      fed__duration(client->answers ? client->train_s_sum / (double)client->answers : NAN, &text));
  put_cell(markup, fed__bytes(client->peak_bytes > 0 ? client->peak_bytes : NAN, &text));
  fed__markup_print(markup, "<td>%s</td></tr>\n", client->refused ? "refused" : "");
}

/* Those without a measure come first: they are what one looks for; then the worst. */
static void list_some(const struct fed__report_data *data, struct fed__markup *markup) {
  size_t count, listed = 0;
  size_t *order = fed__report_ranking(data, markup, &count);
  for (size_t i = 0; i < data->client_count && listed < CLIENTS_MAX; i++)
    if (!isfinite(data->clients[i].accuracy)) {
      list_client(&data->clients[i], markup);
      listed++;
    }
  while (order && count && listed++ < CLIENTS_MAX)
    list_client(&data->clients[order[--count]], markup);
  fed__free(data->context, order);
}

void fed__report_list_clients(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {"client",          "examples", "accuracy", "of version",
                                      "alone, test set", "answers",  "failures", "time a round",
                                      "peak memory",     "",         NULL};
  if (!data->client_count) return;
  fed__table_open(markup, "Clients", heads);
  list_some(data, markup);
  fed__table_close(markup);
  fed__markup_print(markup,
                    "<p>Worst first. Alone: a model trained on this client's rows only, measured "
                    "on the server's test set. Time: mean of what the client says it trained.");
  if (data->client_count > CLIENTS_MAX)
    fed__markup_print(markup, " %d of %zu are listed.", CLIENTS_MAX, data->client_count);
  fed__markup_print(markup, "</p></section>\n");
}

/* ---- processes ------------------------------------------------------------------------------ */

void fed__report_list_processes(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {"process", "peak memory", NULL};
  const json_t *process, *list = json_object_get(data->summary, "processes");
  const char *machine = fed__report_text(data->summary, "machine", NULL);
  struct fed__number_text text;
  size_t index;
  if (!json_array_size(list)) return;
  fed__table_open(markup, "Processes", heads);
  json_array_foreach(list, index, process) {
    if (index == PROCESSES_MAX) break;
    fed__markup_print(markup, "<tr><th class=\"x\">");
    fed__markup_text(markup, fed__report_text(process, "name", "?"));
    fed__markup_print(markup, "</th><td>%s</td></tr>\n",
                      fed__bytes(fed__report_number(process, "peak_bytes", 1e18), &text));
  }
  fed__table_close(markup);
  if (machine) {
    fed__markup_print(markup, "<p>Machine: ");
    fed__markup_text(markup, machine);
    fed__markup_print(markup, "</p>");
  }
  fed__markup_print(markup, "</section>\n");
}

/* ---- settings ------------------------------------------------------------------------------- */

static void list_setting(struct fed__markup *markup, const char *name, const char *text) {
  if (!text || !*text) return;
  fed__markup_print(markup, "<tr><th class=\"x\">%s</th><td class=\"x\">", name);
  fed__markup_text(markup, text);
  fed__markup_print(markup, "</td></tr>\n");
}

static void list_time(struct fed__markup *markup, const char *name, const json_t *record,
                      const char *key) {
  const double time_ms = fed__report_number(record, key, 1e15);
  char text[32];
  if (!(time_ms > 0)) return;
  fed__format_time((int64_t)time_ms, text);
  list_setting(markup, name, text);
}

/* Reduced precision by name, with what it costs in accuracy. */
static void list_precision(const struct fed__report_data *data, struct fed__markup *markup) {
  char text[128];
  if (strcmp(data->precision, "bf16") != 0) {
    list_setting(markup, "precision", data->precision);
    return;
  }
  list_setting(markup, "precision", "bf16: products of bfloat16, sums and weights in float32");
  if (!isfinite(data->reduced_accuracy) || data->reduced_version >= data->version_count) return;
  snprintf(text, sizeof text, "%.2f %% computed in bf16, %.2f %% in float32",
           100 * data->reduced_accuracy, 100 * data->versions[data->reduced_version].test_accuracy);
  list_setting(markup, "test accuracy of the last version", text);
}

void fed__report_list_settings(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {NULL};
  struct fed__number_text text;
  fed__table_open(markup, "What ran", heads);
  list_setting(markup, "job", fed__report_text(data->record, "id", NULL));
  list_setting(markup, "signed by", fed__report_text(data->record, "signer", NULL));
  list_setting(markup, "state", fed__report_text(data->record, "state", NULL));
  list_setting(markup, "reason", fed__report_text(data->record, "reason", NULL));
  list_time(markup, "created", data->record, "created_ms");
  list_time(markup, "finished", data->record, "finished_ms");
  list_setting(markup, "model version",
               fed__count(fed__report_number(data->record, "version", 1e15), &text));
  if (isfinite(data->model_parameters))
    list_setting(markup, "numbers in the model", fed__count(data->model_parameters, &text));
  list_precision(data, markup);
  list_setting(markup, "hash of the job file", fed__report_text(data->record, "plan", NULL));
  list_setting(markup, "hash of the model's graph", fed__report_text(data->record, "graph", NULL));
  list_setting(markup, "hash of the newest parameters",
               fed__report_text(data->record, "parameters", NULL));
  list_setting(markup, "fed", FED_VERSION);
  fed__table_close(markup);
  fed__markup_print(markup, "</section>\n");
}
