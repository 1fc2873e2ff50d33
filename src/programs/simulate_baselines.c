/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_baselines.c: the federation beside other ways to train.
 */
#include "programs/simulate_baselines.h"
#include "base/plural.h"
#include "job/simulate_section.h"

#include <math.h>

#define NAME_WIDTH 34

/* A line of the table. NAN: not measured. */
struct line {
  const char *name;
  double accuracy, loss, auc, average_precision;
};

static struct line line_of(const struct fed__simulation *simulation, const char *name,
                           const struct fed__baseline_figures *figures) {
  const struct fed__metric_sums *sums = &figures->sums;
  const int measured = !figures->diverged && sums->example_count;
  struct line line = {name, NAN, NAN, NAN, NAN};
  if (!measured) return line;
  line.loss = fed__metric_sums_loss(sums);
  if (fed__has_accuracy(simulation->job)) line.accuracy = fed__metric_sums_accuracy(sums);
  line.auc = figures->auc;
  line.average_precision = figures->average_precision;
  return line;
}

static double mean_of(const struct fed__spread *spread) {
  return spread->count ? spread->mean : NAN;
}

static struct line mean_line(const struct fed__simulation *simulation, const char *name,
                             const struct fed__baselines *baselines) {
  const int has_accuracy = fed__has_accuracy(simulation->job);
  return (struct line){name, has_accuracy ? mean_of(&baselines->local_accuracy) : NAN,
                       mean_of(&baselines->local_loss), mean_of(&baselines->local_auc),
                       mean_of(&baselines->local_average_precision)};
}

static int wants(const struct fed__baselines *baselines, enum fed__baseline which) {
  return (baselines->wanted & which) != 0;
}

/* Is there a client whose model can be the best? */
static const struct fed__local_figures *best_of(const struct fed__baselines *baselines) {
  const int any = baselines->local_count > baselines->local_diverged;
  return wants(baselines, FED__BASELINE_BEST) && any ? &baselines->local[baselines->best] : NULL;
}

static void name_locals(const struct fed__simulation *simulation,
                        const struct fed__baselines *baselines, char name[64]) {
  const uint32_t all = simulation->eligible_count;
  if (baselines->local_count < all)
    snprintf(name, 64, "local, mean of %u of %u clients", baselines->local_count, all);
  else
    snprintf(name, 64, "local, mean of %u client%s", all, fed__plural(all));
}

static void name_best(const struct fed__simulation *simulation,
                      const struct fed__local_figures *best, char name[128]) {
  char client[FED__CLIENT_NAME_BYTES];
  snprintf(name, 128, "best single client: %s",
           fed__partition_name(&simulation->partition, best->client, client));
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void set_number(json_t *json, const char *key, double value) {
  if (json && isfinite(value)) json_object_set_new(json, key, json_real(value));
}

static json_t *line_json(const struct line *line) {
  json_t *json = json_pack("{s:s}", "name", line->name);
  set_number(json, "accuracy", line->accuracy);
  set_number(json, "loss", line->loss);
  set_number(json, "auc", line->auc);
  set_number(json, "average_precision", line->average_precision);
  return json;
}

static json_t *model_json(const struct fed__simulation *simulation, const char *name,
                          const struct fed__baseline_figures *figures,
                          const struct fed__client_figures *clients) {
  const struct line line = line_of(simulation, name, figures);
  json_t *json = line_json(&line);
  if (figures->diverged) json_object_set_new(json, "diverged", json_true());
  if (clients->accuracy.count && fed__has_accuracy(simulation->job))
    json_object_set_new(json, "client_accuracy", fed__spread_json(&clients->accuracy));
  if (clients->loss.count)
    json_object_set_new(json, "client_loss", fed__spread_json(&clients->loss));
  return json;
}

static json_t *locals_json(const struct fed__simulation *simulation,
                           const struct fed__baselines *baselines) {
  const int has_accuracy = fed__has_accuracy(simulation->job);
  char name[64];
  name_locals(simulation, baselines, name);
  const struct line line = mean_line(simulation, name, baselines);
  json_t *json = line_json(&line);
  json_object_set_new(json, "clients", json_integer(baselines->local_count));
  json_object_set_new(json, "diverged", json_integer(baselines->local_diverged));
  if (has_accuracy)
    json_object_set_new(json, "accuracies", fed__spread_json(&baselines->local_accuracy));
  json_object_set_new(json, "losses", fed__spread_json(&baselines->local_loss));
  if (has_accuracy)
    json_object_set_new(json, "own_accuracy", fed__spread_json(&baselines->own_accuracy));
  json_object_set_new(json, "own_loss", fed__spread_json(&baselines->own_loss));
  return json;
}

static json_t *best_json(const struct fed__simulation *simulation,
                         const struct fed__local_figures *best) {
  char name[128], client[FED__CLIENT_NAME_BYTES];
  name_best(simulation, best, name);
  const struct line line = line_of(simulation, name, &best->common);
  json_t *json = line_json(&line);
  json_object_set_new(
      json, "client",
      json_string(fed__partition_name(&simulation->partition, best->client, client)));
  return json;
}

json_t *fed__baselines_json(const struct fed__simulation *simulation,
                            const struct fed__baselines *baselines) {
  const struct fed__local_figures *best = best_of(baselines);
  if (!baselines->wanted) return NULL;
  json_t *list = json_array();
  json_array_append_new(list, model_json(simulation, "federated", &baselines->federated,
                                         &baselines->federated_clients));
  if (wants(baselines, FED__BASELINE_CENTRALISED))
    json_array_append_new(list, model_json(simulation, "centralised", &baselines->centralised,
                                           &baselines->centralised_clients));
  if (wants(baselines, FED__BASELINE_LOCAL))
    json_array_append_new(list, locals_json(simulation, baselines));
  if (best) json_array_append_new(list, best_json(simulation, best));
  return list;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void print_number(double value, double unit, const char *format) {
  char text[32] = "-";
  if (isfinite(value)) snprintf(text, sizeof text, format, value * unit);
  printf(" %11s", text);
}

static void print_line(const struct line *line) {
  printf("  %-*.*s", NAME_WIDTH, NAME_WIDTH, line->name);
  print_number(line->accuracy, 100, "%.2f %%");
  print_number(line->loss, 1, "%.4f");
  print_number(line->auc, 1, "%.4f");
  print_number(line->average_precision, 1, "%.4f");
  putchar('\n');
}

static void print_own(const struct fed__simulation *simulation,
                      const struct fed__baselines *baselines) {
  const struct fed__client_figures *federated = &baselines->federated_clients;
  if (!baselines->own_loss.count || !federated->loss.count) return;
  printf("  Each client on the rows that it holds out:");
  if (fed__has_accuracy(simulation->job))
    printf(" accuracy %.2f %% with its own model, %.2f %% with the federated one\n",
           baselines->own_accuracy.mean * 100, federated->accuracy.mean * 100);
  else
    printf(" loss %.4f with its own model, %.4f with the federated one\n", baselines->own_loss.mean,
           federated->loss.mean);
}

void fed__baselines_print(const struct fed__simulation *simulation,
                          const struct fed__baselines *baselines) {
  const struct fed__local_figures *best = best_of(baselines);
  char name[128];
  if (!baselines->wanted) return;
  printf("Other ways to train, with %llu pass%s, on the %s\n  %-*s %11s %11s %11s %11s\n",
         (unsigned long long)baselines->passes, baselines->passes == 1 ? "" : "es",
         baselines->on_test ? "test set" : "rows that clients hold out", NAME_WIDTH, "", "accuracy",
         "loss", "AUC", "av. prec.");
  struct line line = line_of(simulation, "federated", &baselines->federated);
  print_line(&line);
  if (wants(baselines, FED__BASELINE_CENTRALISED)) {
    line = line_of(simulation, "centralised", &baselines->centralised);
    print_line(&line);
  }
  if (wants(baselines, FED__BASELINE_LOCAL)) {
    name_locals(simulation, baselines, name);
    line = mean_line(simulation, name, baselines);
    print_line(&line);
  }
  if (best) {
    name_best(simulation, best, name);
    line = line_of(simulation, name, &best->common);
    print_line(&line);
  }
  if (wants(baselines, FED__BASELINE_LOCAL)) print_own(simulation, baselines);
}
