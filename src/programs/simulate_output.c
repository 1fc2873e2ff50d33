/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_output.c: rounds as lines of a table and of metrics.jsonl; the summary.
 */
#include "programs/simulate_output.h"
#include "base/file.h"
#include "base/raise.h"
#include "crypto/hash.h"
#include "fed/safetensors.h"
#include "job/simulate_section.h"
#include "programs/model_files.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRESS_US 100000 /* between two looks at it */
#define ROWS_MAX 50        /* of the table */

static double seconds(const struct fed__simulate_output *output) {
  struct fed_clock *clock = output->invocation->context->clock;
  return output->seconds_before + (double)(clock->monotonic_us(clock) - output->started_us) * 1e-6;
}

static int tells(const struct fed__simulate_output *output) {
  return !output->invocation->quiet && !output->invocation->json;
}

static int has_accuracy(const struct fed__simulate_output *output) {
  const enum fed_loss loss = output->job->train.options.loss;
  return loss != FED_LOSS_MEAN_SQUARED_ERROR && loss != FED_LOSS_HUBER && loss != FED_LOSS_OUTPUT;
}

/* ---- metrics.jsonl -------------------------------------------------------------------------- */

static json_t *sums_json(const struct fed__simulate_output *output,
                         const struct fed__metric_sums *sums) {
  if (!sums->example_count) return json_null();
  json_t *json = json_pack("{s:I, s:f}", "examples", (json_int_t)sums->example_count, "loss",
                           fed__metric_sums_loss(sums));
  if (has_accuracy(output))
    json_object_set_new(json, "accuracy", json_real(fed__metric_sums_accuracy(sums)));
  return json;
}

static void write_round(struct fed__simulate_output *output,
                        const struct fed__simulated_round *round) {
  json_t *json = json_pack(
      "{s:I, s:i, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:f, s:s?}", "round",
      (json_int_t)round->round, "attempt", (int)round->attempt, "kind",
      round->kind == FED__ROUND_TRAIN ? "train" : "evaluate", "cohort", (int)round->cohort,
      "reported", (int)round->reported, "diverged", (int)round->diverged, "trained",
      sums_json(output, &round->trained), "evaluated", sums_json(output, &round->evaluated),
      "tested", sums_json(output, &round->tested), "clamped", (json_int_t)round->clamped_count,
      "down_bytes", (json_int_t)round->down_bytes, "up_bytes", (json_int_t)round->up_bytes,
      "virtual_s", round->virtual_s, "seconds", round->real_s, "failure", round->failure);
  if (json && !round->failure) json_object_del(json, "failure");
  if (json) json_dumpf(json, output->metrics, JSON_COMPACT | JSON_REAL_PRECISION(9));
  fputc('\n', output->metrics);
  json_decref(json);
}

/* ---- the table ------------------------------------------------------------------------------ */

static const char *format_time(double s, char text[24]) {
  if (s < 600)
    snprintf(text, 24, "%.1f s", s);
  else if (s < 36000)
    snprintf(text, 24, "%.1f min", s / 60);
  else
    snprintf(text, 24, "%.1f h", s / 3600);
  return text;
}

static const struct fed__metric_sums *figures_of(const struct fed__simulated_round *round) {
  return round->tested.example_count ? &round->tested : &round->evaluated;
}

static void print_figures(const struct fed__simulate_output *output,
                          const struct fed__simulated_round *round) {
  const struct fed__metric_sums *figures = figures_of(round);
  char accuracy[16] = "-", loss[16] = "-", trained[16] = "-", clock[24];
  if (figures->example_count) snprintf(loss, sizeof loss, "%.4f", fed__metric_sums_loss(figures));
  if (figures->example_count && has_accuracy(output))
    snprintf(accuracy, sizeof accuracy, "%.2f %%", fed__metric_sums_accuracy(figures) * 100);
  if (round->trained.example_count)
    snprintf(trained, sizeof trained, "%.4f", fed__metric_sums_loss(&round->trained));
  printf("%7llu %8u %10s %10s %9s %11.1f %12s %9.1f", (unsigned long long)round->round,
         round->reported, trained, accuracy, loss,
         (double)(output->down_bytes + output->up_bytes) * 1e-6,
         format_time(round->virtual_s, clock), seconds(output));
}

static double seconds_left(const struct fed__simulate_output *output, uint64_t done) {
  const uint64_t all = output->job->rounds.count;
  return done && done < all ? seconds(output) / (double)done * (double)(all - done) : 0;
}

/* On a terminal the newest round is always there, on a line that is written again; the rows that
 * stay are those of at most ROWS_MAX rounds. */
static void show_round(struct fed__simulate_output *output,
                       const struct fed__simulated_round *round) {
  const uint32_t all = output->job->rounds.count;
  const uint32_t every = (all + ROWS_MAX - 1) / ROWS_MAX;
  const int stays = round->round % every == 0 || round->round >= all;
  const int64_t now_us = (int64_t)(seconds(output) * 1e6);
  char left[24];
  if (!tells(output) || round->failure) return;
  if (!output->header_printed++)
    printf("%7s %8s %10s %10s %9s %11s %12s %9s\n", "round", "reported", "train loss", "accuracy",
           "loss", "MB", "virtual time", "seconds");
  if (output->invocation->colour && (stays || now_us - output->shown_us > PROGRESS_US)) {
    output->shown_us = now_us;
    printf("\r\033[K");
    print_figures(output, round);
    if (!stays)
      printf("   %s left", format_time(seconds_left(output, round->round), left));
    else
      putchar('\n');
  } else if (stays) {
    print_figures(output, round);
    putchar('\n');
  }
  fflush(stdout);
}

static void round_over(struct fed__simulation_observer *self,
                       const struct fed__simulation *simulation,
                       const struct fed__simulated_round *round) {
  struct fed__simulate_output *output = (struct fed__simulate_output *)self;
  (void)simulation;
  output->down_bytes += round->down_bytes;
  output->up_bytes += round->up_bytes;
  write_round(output, round);
  show_round(output, round);
  if (round->failure) {
    output->failed_rounds++;
    return;
  }
  const struct fed__simulated_round before = output->last;
  output->last = *round;
  if (!round->tested.example_count) output->last.tested = before.tested;
  if (!round->evaluated.example_count) output->last.evaluated = before.evaluated;
  if (!round->trained.example_count) output->last.trained = before.trained;
}

/* ---- the summary ---------------------------------------------------------------------------- */

static json_t *spread_json(const struct fed__spread *spread) {
  if (!spread->count) return json_null();
  return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "clients",
                   (json_int_t)spread->count, "mean", spread->mean, "deviation", spread->deviation,
                   "lowest", spread->lowest, "median", spread->median, "highest", spread->highest,
                   "lowest_tenth", spread->lowest_tenth, "highest_tenth", spread->highest_tenth,
                   "jain", spread->jain);
}

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

static json_t *summary_json(const struct fed__simulate_output *output,
                            const struct fed__simulation *simulation,
                            const struct fed__simulated_clients *clients, const char *hash) {
  const struct fed__job *job = output->job;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  json_t *json = json_pack(
      "{s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o}", "job", job->name, "seed",
      (json_int_t)job->seed, "clients", (json_int_t)simulation->partition.client_count, "eligible",
      (json_int_t)simulation->eligible_count, "partition",
      fed__partition_kind_name(job->simulate.partition.kind), "rounds",
      (json_int_t)simulation->version, "failed_rounds", (json_int_t)output->failed_rounds, "end",
      fed__round_end_name(simulation->end), "model", hash, "tested",
      sums_json(output, &output->last.tested), "evaluated",
      sums_json(output, &output->last.evaluated), "trained",
      sums_json(output, &output->last.trained));
  json_t *more = json_pack(
      "{s:o, s:o, s:I, s:I, s:f, s:f, s:I, s:I, s:I}", "client_accuracy",
      has_accuracy(output) ? spread_json(&clients->accuracy) : json_null(), "client_loss",
      spread_json(&clients->loss), "down_bytes", (json_int_t)output->down_bytes, "up_bytes",
      (json_int_t)output->up_bytes, "virtual_s", (double)simulation->now_us * 1e-6, "seconds",
      seconds(output), "visits", (json_int_t)simulation->visits_done, "threads",
      (json_int_t)output->thread_count, "peak_bytes", (json_int_t)usage.ru_maxrss * 1024);
  json_object_update(json, more);
  json_decref(more);
  return json;
}

static int write_summary(struct fed__simulate_output *output, json_t *summary) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, output->folder, "summary.json"));
  char *text = summary ? json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  const int code = text ? fed__file_write_quick(path, fed_slice_of_text(text), FED__FILE_SHARED)
                        : FED_RAISE(FED_E_MEMORY, "out of memory for summary.json");
  if (code == FED_OK && output->invocation->json) printf("%s\n", text);
  free(text); /* jansson's */
  return code;
}

static void print_spread(const char *what, const struct fed__spread *spread, double unit,
                         const char *unit_name, double worst) {
  printf("  %-12s mean %.4g%s, standard deviation %.3g%s, worst tenth %.4g%s, Jain %.4f\n", what,
         spread->mean * unit, unit_name, spread->deviation * unit, unit_name, worst * unit,
         unit_name, spread->jain);
}

static void print_summary(const struct fed__simulate_output *output,
                          const struct fed__simulation *simulation,
                          const struct fed__simulated_clients *clients) {
  char clock[24];
  printf("\n%s after %llu rounds; %u clients, %u of them with enough examples\n",
         fed__round_end_name(simulation->end), (unsigned long long)simulation->version,
         simulation->partition.client_count, simulation->eligible_count);
  const struct fed__metric_sums *tested = &output->last.tested;
  if (tested->example_count && has_accuracy(output))
    printf("  test set     accuracy %.2f %%, loss %.4f\n", fed__metric_sums_accuracy(tested) * 100,
           fed__metric_sums_loss(tested));
  else if (tested->example_count)
    printf("  test set     loss %.4f\n", fed__metric_sums_loss(tested));
  if (clients->loss.count)
    printf("The final model on the held-out rows of %zu clients\n", clients->loss.count);
  if (clients->accuracy.count && has_accuracy(output))
    print_spread("accuracy", &clients->accuracy, 100, " %", clients->accuracy.lowest_tenth);
  if (clients->loss.count) print_spread("loss", &clients->loss, 1, "", clients->loss.highest_tenth);
  printf("Cost\n  %.1f MB down, %.1f MB up, %s on the virtual clock; %llu visits in %.1f s, %u "
         "threads\n%s: model.onnx, model.safetensors, metrics.jsonl, summary.json\n",
         (double)output->down_bytes * 1e-6, (double)output->up_bytes * 1e-6,
         format_time((double)simulation->now_us * 1e-6, clock),
         (unsigned long long)simulation->visits_done, seconds(output), output->thread_count,
         output->folder);
}

/* ---- life ----------------------------------------------------------------------------------- */

int fed__simulate_output_begin(struct fed__simulate_output *output, int goes_on) {
  char path[FED__PATH_MAX];
  struct fed_clock *clock = output->invocation->context->clock;
  output->observer.round_over = round_over;
  output->started_us = clock->monotonic_us(clock);
  FED_TRY(fed__folder_make(output->folder));
  FED_TRY(fed__path_join(path, sizeof path, output->folder, "metrics.jsonl"));
  output->metrics = fopen(path, goes_on ? "r+" : "w");
  if (output->metrics) return FED_OK;
  return FED_RAISE(FED_E_IO, "cannot write '%s': %s", path, strerror(errno));
}

/* What is in metrics.jsonl before a checkpoint is there for good; what came after it goes. */
static int carry_metrics(struct fed__simulate_output *output, struct fed__checkpoint *checkpoint) {
  int64_t end = ftello(output->metrics);
  if (!checkpoint->is_reading &&
      (fflush(output->metrics) != 0 || fdatasync(fileno(output->metrics)) != 0))
    return FED_RAISE(FED_E_IO, "cannot write '%s/metrics.jsonl': %s", output->folder,
                     strerror(errno));
  FED_TRY(fed__checkpoint_array(checkpoint, "output.metrics_bytes", FED_I64, &end, 1));
  if (!checkpoint->is_reading) return FED_OK;
  if (fseeko(output->metrics, 0, SEEK_END) == 0 && ftello(output->metrics) >= end &&
      ftruncate(fileno(output->metrics), end) == 0 && fseeko(output->metrics, end, SEEK_SET) == 0)
    return FED_OK;
  return FED_RAISE(FED_E_INPUT, "'%s/metrics.jsonl' is not that of the interrupted run",
                   output->folder);
}

int fed__simulate_output_carry(void *self, struct fed__checkpoint *checkpoint) {
  struct fed__simulate_output *output = self;
  struct {
    double seconds;
    uint64_t down_bytes, up_bytes, failed_rounds;
    struct fed__simulated_round last;
  } state = {seconds(output), output->down_bytes, output->up_bytes, output->failed_rounds,
             output->last};
  FED_TRY(carry_metrics(output, checkpoint));
  FED_TRY(fed__checkpoint_bytes(checkpoint, "output", &state, sizeof state));
  if (!checkpoint->is_reading) return FED_OK;
  output->seconds_before += state.seconds;
  output->down_bytes = state.down_bytes;
  output->up_bytes = state.up_bytes;
  output->failed_rounds = state.failed_rounds;
  output->last = state.last;
  return FED_OK;
}

int fed__simulate_output_finish(struct fed__simulate_output *output,
                                struct fed__simulation *simulation) {
  struct fed__simulated_clients clients;
  char hash[FED__DIGEST_HEX_SIZE];
  FED_TRY(fed__simulation_measure_clients(simulation, &clients));
  FED_TRY(hash_model(simulation, hash));
  FED_TRY(fed__model_files_write(simulation->context, output->folder, simulation->model,
                                 &simulation->current));
  json_t *summary = summary_json(output, simulation, &clients, hash);
  const int code = write_summary(output, summary);
  json_decref(summary);
  if (code == FED_OK && (fflush(output->metrics) != 0 || ferror(output->metrics)))
    return FED_RAISE(FED_E_IO, "cannot write '%s/metrics.jsonl'", output->folder);
  if (code == FED_OK && tells(output)) print_summary(output, simulation, &clients);
  return code;
}

void fed__simulate_output_end(struct fed__simulate_output *output) {
  if (output->metrics) fclose(output->metrics);
  output->metrics = NULL;
}
