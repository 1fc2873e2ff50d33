/* SPDX-License-Identifier: Apache-2.0
 *
 * report_run_tables.c: a simulation's numbers: classes, clients, settings.
 */
#include "base/memory.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>

#define CLIENTS_MAX 200
#define NUMBER_MAX 1e18

static void put_text_cell(struct fed__markup *markup, const char *text) {
  fed__markup_print(markup, "<td>%s</td>", text);
}

/* ---- classes -------------------------------------------------------------------------------- */

static void list_class(const json_t *class, const char *name, struct fed__markup *markup) {
  static const char *const shares[] = {"recall", "precision", "f1"};
  static const char *const areas[] = {"auc", "average_precision"};
  struct fed__number_text text;
  fed__markup_print(markup, "<tr><th class=\"x\">");
  fed__markup_text(markup, name);
  fed__markup_print(markup, "</th>");
  put_text_cell(markup, fed__count(fed__report_number(class, "examples", NUMBER_MAX), &text));
  for (size_t i = 0; i < 3; i++)
    put_text_cell(markup, fed__percent(fed__report_number(class, shares[i], 1), &text));
  for (size_t i = 0; i < 2; i++)
    put_text_cell(markup, fed__decimal(fed__report_number(class, areas[i], 1), &text));
  fed__markup_print(markup, "</tr>\n");
}

static void list_classes(const struct fed__report_data *data, struct fed__markup *markup,
                         const char *key, const char *title) {
  static const char *const heads[] = {
      "|class", "rows", "recall", "precision", "F1", "AUC", "average precision", NULL};
  const json_t *found = json_object_get(data->summary, key), *class;
  const json_t *list = json_object_get(found, "classes");
  size_t index;
  if (!json_array_size(list)) return;
  fed__table_open(markup, title, heads);
  json_array_foreach(list, index, class)
      list_class(class, fed__report_text(class, "class", "?"), markup);
  list_class(json_object_get(found, "mean"), "mean of the classes", markup);
  fed__table_close(markup);
  fed__markup_print(markup,
                    "<p>The last model. Recall: the part of a class's rows that is named so. "
                    "Precision: the part of what is named so that is. AUC: the probability that a "
                    "row of the class has a higher score than another, 0.5 by chance. Average "
                    "precision: the area under precision over recall; by chance the class's part "
                    "of the rows.</p></section>\n");
}

void fed__report_list_classes(const struct fed__report_data *data, struct fed__markup *markup) {
  list_classes(data, markup, "test_classes", "Classes, on the test set");
  list_classes(data, markup, "held_out_classes", "Classes, on the clients' held-out rows");
}

/* ---- clients -------------------------------------------------------------------------------- */

static void list_client(const struct fed__report_client *client, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__markup_print(markup, "<tr><th class=\"x\">");
  fed__markup_text(markup, client->name);
  fed__markup_print(markup, "</th>");
  put_text_cell(markup, fed__count(client->examples, &text));
  put_text_cell(markup, fed__count(client->held_out, &text));
  put_text_cell(markup, fed__percent(client->accuracy, &text));
  put_text_cell(markup, fed__decimal(client->loss, &text));
  fed__markup_print(markup, "<td>%llu</td></tr>\n", (unsigned long long)client->answers);
}

/* The worst first, where accuracies say which those are. */
static void list_some(const struct fed__report_data *data, struct fed__markup *markup) {
  const int by_accuracy = fed__report_clients_have_accuracy(data);
  size_t count, listed = 0;
  size_t *order = fed__report_ranking(data, markup, &count);
  for (; order && count && listed < CLIENTS_MAX; listed++)
    list_client(&data->clients[order[--count]], markup);
  for (size_t i = 0; i < data->client_count && listed < CLIENTS_MAX; i++)
    if (!isfinite(by_accuracy ? data->clients[i].accuracy : data->clients[i].loss)) {
      list_client(&data->clients[i], markup);
      listed++;
    }
  fed__free(data->context, order);
}

void fed__report_list_run_clients(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {"|client", "trains on", "holds out", "accuracy",
                                      "loss",    "rounds",    NULL};
  if (!data->client_count) return;
  fed__table_open(markup, "Clients", heads);
  list_some(data, markup);
  fed__table_close(markup);
  fed__markup_print(markup, "<p>The last model, on the rows that each holds out; rounds: whose "
                            "model it is in. Worst first.");
  if (data->client_count > CLIENTS_MAX)
    fed__markup_print(markup, " %d of %zu are listed; clients.csv has more.", CLIENTS_MAX,
                      data->client_count);
  fed__markup_print(markup, "</p></section>\n");
}

/* ---- settings ------------------------------------------------------------------------------- */

#define ITEMS_MAX 20 /* of a list */

static void put_items(struct fed__markup *markup, const json_t *list) {
  const size_t count = json_array_size(list);
  fed__markup_print(markup, "[");
  for (size_t i = 0; i < count && i < ITEMS_MAX; i++) {
    if (i) fed__markup_print(markup, ", ");
    fed__report_put_json(markup, json_array_get(list, i));
  }
  if (count > ITEMS_MAX) fed__markup_print(markup, ", … (%zu values)", count);
  fed__markup_print(markup, "]");
}

void fed__report_put_json(struct fed__markup *markup, const json_t *value) {
  char number[32];
  if (json_is_string(value)) {
    fed__markup_text(markup, json_string_value(value));
  } else if (json_is_boolean(value)) {
    fed__markup_print(markup, "%s", json_is_true(value) ? "true" : "false");
  } else if (json_is_number(value)) {
    snprintf(number, sizeof number, "%.15g", json_number_value(value));
    fed__markup_print(markup, "%s", number);
  } else if (json_is_array(value)) {
    put_items(markup, value);
  }
}

static void list_value(struct fed__markup *markup, const char *name, const json_t *value) {
  if (!value || json_is_null(value)) return;
  fed__markup_print(markup, "<tr><th class=\"x\">");
  fed__markup_text(markup, name);
  fed__markup_print(markup, "</th><td class=\"x\">");
  fed__report_put_json(markup, value);
  fed__markup_print(markup, "</td></tr>\n");
}

void fed__report_list_run_trouble(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {NULL};
  json_t *trouble = json_object_get(data->summary, "trouble"), *value;
  const json_t *clamped = json_object_get(data->summary, "clamped");
  const char *key;
  if (!json_integer_value(clamped)) clamped = NULL;
  if (!json_object_size(trouble) && !json_object_size(data->failures) && !clamped) return;
  fed__table_open(markup, "What went wrong", heads);
  json_object_foreach(trouble, key, value) list_value(markup, key, value);
  json_object_foreach(data->failures, key, value) {
    fed__markup_print(markup, "<tr><th class=\"x\">attempts that failed: ");
    fed__markup_text(markup, key);
    fed__markup_print(markup, "</th><td class=\"x\">");
    fed__report_put_json(markup, value);
    fed__markup_print(markup, "</td></tr>\n");
  }
  list_value(markup, "elements of updates beyond the grid's ends, cut off there", clamped);
  fed__table_close(markup);
  fed__markup_print(markup, "</section>\n");
}

void fed__report_list_run_settings(const struct fed__report_data *data,
                                   struct fed__markup *markup) {
  static const char *const heads[] = {NULL};
  static const char *const facts[] = {"job",   "seed",    "data",       "test",
                                      "model", "threads", "peak_bytes", NULL};
  json_t *settings = json_object_get(data->summary, "settings"), *value;
  const char *key;
  fed__table_open(markup, "What ran", heads);
  for (size_t i = 0; facts[i]; i++)
    list_value(markup, facts[i], json_object_get(data->summary, facts[i]));
  fed__markup_print(markup,
                    "<tr><th class=\"x\">fed</th><td class=\"x\">" FED_VERSION "</td></tr>\n");
  json_object_foreach(settings, key, value) list_value(markup, key, value);
  fed__table_close(markup);
  fed__markup_print(markup, "</section>\n");
}
