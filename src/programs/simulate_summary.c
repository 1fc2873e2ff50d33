/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_summary.c: summary.json, and what the terminal shows at the end.
 */
#include "programs/simulate_summary.h"
#include "base/plural.h"
#include "base/raise.h"
#include "crypto/hash.h"
#include "fed/safetensors.h"
#include "job/simulate_section.h"
#include "programs/simulate_baselines.h"
#include "programs/simulate_identity.h"

#include <math.h>
#include <sys/resource.h>

/* ---- JSON ----------------------------------------------------------------------------------- */

/* The hash of model.safetensors: a name for the result, as in a deployment. */
static int hash_model(const struct fed__simulation *simulation, char hex[FED__DIGEST_HEX_SIZE]) {
  struct fed_buffer file;
  fed_buffer_init(&file, simulation->context, SIZE_MAX);
  const int code = fed_safetensors_encode(&simulation->current, NULL, 0, &file);
  if (code == FED_OK) {
    const struct fed__digest digest = fed__sha256_of(fed_buffer_slice(&file));
    fed__digest_encode(&digest, hex);
  }
  fed_buffer_clear(&file);
  return code;
}

/* "dirichlet:0.5" */
static json_t *partition_json(const struct fed__job *job) {
  struct fed_buffer word;
  fed_buffer_init(&word, job->context, 65536);
  const char *text = fed__partition_print(job, &word) == FED_OK ? fed_buffer_text(&word) : NULL;
  json_t *json = text ? json_string(text) : NULL;
  fed_buffer_clear(&word);
  return json;
}

static json_t *run_json(const struct fed__simulate_output *output,
                        const struct fed__simulation *simulation, const char *hash) {
  const struct fed__job *job = output->job;
  const struct fed__job_files *files = output->files;
  char identity[FED__DIGEST_HEX_SIZE];
  fed__simulate_identity(output->invocation, files, identity);
  return json_pack(
      "{s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:s, s:s, s:s?, s:s?, s:o*, s:s, s:o}", "job",
      job->name, "seed", (json_int_t)job->seed, "clients",
      (json_int_t)simulation->partition.client_count, "eligible",
      (json_int_t)simulation->eligible_count, "small_memory",
      (json_int_t)simulation->small_memory_count, "partition", partition_json(job), "rounds",
      (json_int_t)simulation->version, "failed_rounds", (json_int_t)output->failed_rounds,
      "clamped", (json_int_t)output->clamped, "end", fed__round_end_name(simulation->end), "model",
      hash, "data", fed__option_text(output->invocation, "data"), "test",
      fed__option_text(output->invocation, "test"), "trouble",
      fed__trouble_json(simulation->trouble), "identity", identity, "set",
      fed__overrides_json(files->overrides, files->override_count));
}

static json_t *figures_json(const struct fed__simulate_output *output,
                            const struct fed__final_figures *figures) {
  const struct fed__job *job = output->job;
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tested", fed__sums_json(job, &output->last.tested),
      "evaluated", fed__sums_json(job, &output->last.evaluated), "trained",
      fed__sums_json(job, &output->last.trained), "client_accuracy",
      fed__has_accuracy(job) ? fed__spread_json(&figures->clients.accuracy) : json_null(),
      "client_loss", fed__spread_json(&figures->clients.loss), "test_classes",
      fed__classification_json(job, &figures->test), "held_out_classes",
      fed__classification_json(job, &figures->held_out));
}

static json_t *cost_json(const struct fed__simulate_output *output,
                         const struct fed__simulation *simulation) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return json_pack("{s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:o}", "down_bytes",
                   (json_int_t)output->down_bytes, "up_bytes", (json_int_t)output->up_bytes,
                   "virtual_s", (double)simulation->now_us * 1e-6, "seconds",
                   fed__simulate_seconds(output), "visits", (json_int_t)simulation->visits_done,
                   "threads", (json_int_t)output->thread_count, "peak_bytes",
                   (json_int_t)usage.ru_maxrss * 1024, "settings", fed__settings_json(output->job));
}

int fed__summary_make(const struct fed__simulate_output *output,
                      const struct fed__simulation *simulation,
                      const struct fed__final_figures *figures, json_t **summary) {
  char hash[FED__DIGEST_HEX_SIZE];
  *summary = NULL;
  FED_TRY(hash_model(simulation, hash));
  json_t *json = run_json(output, simulation, hash), *found = figures_json(output, figures),
         *cost = cost_json(output, simulation);
  json_t *baselines = fed__baselines_json(simulation, &figures->baselines);
  if (baselines) json_object_set_new(found, "baselines", baselines);
  if (baselines)
    json_object_set_new(found, "baseline_passes",
                        json_integer((json_int_t)figures->baselines.passes));
  const int complete = json_object_update(json, found) == 0 && json_object_update(json, cost) == 0;
  json_decref(found);
  json_decref(cost);
  if (complete) {
    *summary = json;
    return FED_OK;
  }
  json_decref(json);
  return FED_RAISE(FED_E_MEMORY, "out of memory for summary.json");
}

/* ---- for people ----------------------------------------------------------------------------- */

static void print_spread(const char *what, const struct fed__spread *spread, double unit,
                         const char *unit_name, double worst) {
  printf("  %-12s mean %.4g%s, standard deviation %.3g%s, worst tenth %.4g%s, Jain %.4f\n", what,
         spread->mean * unit, unit_name, spread->deviation * unit, unit_name, worst * unit,
         unit_name, spread->jain);
}

static void print_clients(const struct fed__simulate_output *output,
                          const struct fed__client_figures *clients) {
  if (!clients->loss.count) return;
  printf("The final model on the held-out rows of %zu client%s\n", clients->loss.count,
         fed__plural(clients->loss.count));
  if (fed__has_accuracy(output->job))
    print_spread("accuracy", &clients->accuracy, 100, " %", clients->accuracy.lowest_tenth);
  print_spread("loss", &clients->loss, 1, "", clients->loss.highest_tenth);
}

static void print_test(const struct fed__simulate_output *output) {
  const struct fed__metric_sums *tested = &output->last.tested;
  if (tested->example_count && fed__has_accuracy(output->job))
    printf("  test set     accuracy %.2f %%, loss %.4f\n", fed__metric_sums_accuracy(tested) * 100,
           fed__metric_sums_loss(tested));
  else if (tested->example_count)
    printf("  test set     loss %.4f\n", fed__metric_sums_loss(tested));
}

/* A round begins at once only when as many are there as it wants. */
static void print_waiting(const struct fed__simulation *simulation) {
  const struct fed__round_settings *settings = &simulation->round.settings;
  if (fed__round_is_asynchronous(&simulation->round) || settings->gather_ms == 0 ||
      settings->selection.kind == FED__SELECTION_POISSON ||
      simulation->eligible_count >= settings->invited)
    return;
  printf("Each round waited %g s (rounds.gather) for more clients: it asks for %u, and %u can take "
         "part\n",
         (double)settings->gather_ms * 1e-3, settings->invited, simulation->eligible_count);
}

static void print_trouble(const struct fed__simulate_output *output,
                          const struct fed__simulation *simulation) {
  const struct fed__job *job = output->job;
  int any = 0;
  if (output->failed_rounds)
    printf("%llu attempt%s at rounds failed%s%s\n", (unsigned long long)output->failed_rounds,
           fed__plural(output->failed_rounds), output->last_failure ? ", the last: " : "",
           output->last_failure ? output->last_failure : "");
  if (output->clamped)
    printf("%llu elements of updates were beyond the grid's ends (%g) and were cut off there: a "
           "larger update.grid_step or more grid_bits would hold them\n",
           (unsigned long long)output->clamped,
           ldexp(job->update.grid_step, (int)job->update.grid_bits - 1));
  if (simulation->small_memory_count)
    printf("%u more have enough examples, but not the %.1f MB of memory that training takes\n",
           simulation->small_memory_count, (double)simulation->training_bytes * 1e-6);
  for (int i = 0; i < FED__TROUBLE_COUNT; i++) {
    if (!simulation->trouble[i]) continue;
    printf("%s%s %llu", any++ ? ", " : "Trouble\n  ", fed__trouble_name((enum fed__trouble)i),
           (unsigned long long)simulation->trouble[i]);
  }
  if (any) putchar('\n');
}

void fed__summary_print(const struct fed__simulate_output *output,
                        const struct fed__simulation *simulation,
                        const struct fed__final_figures *figures) {
  char clock[24];
  printf("%s%s after %llu round%s; %u client%s, %u of them with enough examples\n",
         output->header_printed ? "\n" : "", fed__round_end_name(simulation->end),
         (unsigned long long)simulation->version, fed__plural(simulation->version),
         simulation->partition.client_count, fed__plural(simulation->partition.client_count),
         simulation->eligible_count);
  print_waiting(simulation);
  print_trouble(output, simulation);
  print_test(output);
  fed__classification_print(&figures->test);
  print_clients(output, &figures->clients);
  fed__classification_print(&figures->held_out);
  fed__baselines_print(simulation, &figures->baselines);
  printf("Cost\n  %.4g MB down, %.4g MB up, %s on the virtual clock; %llu visit%s in %.1f s, %u "
         "thread%s\n%s: report.html, summary.json, tables, model.onnx, model.safetensors\n",
         (double)output->down_bytes * 1e-6, (double)output->up_bytes * 1e-6,
         fed__format_seconds((double)simulation->now_us * 1e-6, clock),
         (unsigned long long)simulation->visits_done, fed__plural(simulation->visits_done),
         fed__simulate_seconds(output), output->thread_count, fed__plural(output->thread_count),
         output->folder);
}
