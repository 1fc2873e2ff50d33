/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_output.c: rounds as lines of a table and of metrics.jsonl; the files.
 */
#include "programs/simulate_output.h"
#include "base/file.h"
#include "base/raise.h"
#include "programs/model_files.h"
#include "programs/simulate_summary.h"
#include "programs/simulate_tables.h"
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PROGRESS_US 100000 /* between two looks at it */
#define ROWS_MAX 50        /* of the table */
#define FILE_BYTES_MAX ((size_t)1 << 30)

double fed__simulate_seconds(const struct fed__simulate_output *output) {
  struct fed_clock *clock = output->invocation->context->clock;
  return output->seconds_before + (double)(clock->monotonic_us(clock) - output->started_us) * 1e-6;
}

static int tells(const struct fed__simulate_output *output) {
  return !output->invocation->quiet && !output->invocation->json;
}

/* ---- metrics.jsonl -------------------------------------------------------------------------- */

static void write_round(struct fed__simulate_output *output,
                        const struct fed__simulated_round *round) {
  json_t *json = fed__round_json(output->job, round);
  if (json) json_dumpf(json, output->metrics, JSON_COMPACT | JSON_REAL_PRECISION(9));
  fputc('\n', output->metrics);
  json_decref(json);
}

/* ---- the table ------------------------------------------------------------------------------ */

const char *fed__format_seconds(double s, char text[24]) {
  if (s < 600)
    snprintf(text, 24, "%.1f s", s);
  else if (s < 36000)
    snprintf(text, 24, "%.1f min", s / 60);
  else
    snprintf(text, 24, "%.1f h", s / 3600);
  return text;
}

/* The columns are about the test set, or where there is none about held-out rows: not both. */
static const struct fed__metric_sums *figures_of(const struct fed__simulate_output *output,
                                                 const struct fed__simulated_round *round) {
  return output->job->evaluate.test_folder ? &round->tested : &round->evaluated;
}

static int figures_width(const struct fed__simulate_output *output) {
  return output->job->evaluate.test_folder ? 10 : 16;
}

static void print_figures(const struct fed__simulate_output *output,
                          const struct fed__simulated_round *round) {
  const struct fed__metric_sums *figures = figures_of(output, round);
  char accuracy[16] = "-", loss[16] = "-", trained[16] = "-", clock[24];
  if (figures->example_count) snprintf(loss, sizeof loss, "%.4f", fed__metric_sums_loss(figures));
  if (figures->example_count && fed__has_accuracy(output->job))
    snprintf(accuracy, sizeof accuracy, "%.2f %%", fed__metric_sums_accuracy(figures) * 100);
  if (round->trained.example_count)
    snprintf(trained, sizeof trained, "%.4f", fed__metric_sums_loss(&round->trained));
  printf("%7llu %8u %10s %*s %9s %11.2f %12s %9.1f", (unsigned long long)round->round,
         round->reported, trained, figures_width(output), accuracy, loss,
         (double)(output->down_bytes + output->up_bytes) * 1e-6,
         fed__format_seconds(round->virtual_s, clock), fed__simulate_seconds(output));
}

/* By the pace since the first round was over: what came before it, reading the data, is not again.
 */
static double seconds_left(struct fed__simulate_output *output, uint64_t done) {
  const uint64_t all = output->job->rounds.count;
  const double now_s = fed__simulate_seconds(output);
  if (!output->paced_round) {
    output->paced_round = done;
    output->paced_s = now_s;
  }
  if (done <= output->paced_round || done >= all) return 0;
  return (now_s - output->paced_s) / (double)(done - output->paced_round) * (double)(all - done);
}

/* Of a terminal, what is written again and again. */
static void clear_line(const struct fed__simulate_output *output) {
  if (output->header_printed && output->invocation->colour) printf("\r\033[K");
}

static void show_left(struct fed__simulate_output *output, uint64_t done) {
  const double left_s = seconds_left(output, done);
  char text[24];
  if (output->invocation->colour && left_s > 0)
    printf("   %s left", fed__format_seconds(left_s, text));
}

static void show_title(struct fed__simulate_output *output,
                       const struct fed__simulated_round *round) {
  const int64_t now_us = (int64_t)(fed__simulate_seconds(output) * 1e6);
  if (now_us - output->shown_us < PROGRESS_US) return;
  output->shown_us = now_us;
  printf("\r\033[K%s: round %llu of %u", output->title, (unsigned long long)round->round,
         output->job->rounds.count);
  show_left(output, round->round);
  fflush(stdout);
}

/* Held-out rows are measured with the model that a round begins with. */
static void print_header(const struct fed__simulate_output *output) {
  const int tested = output->job->evaluate.test_folder != NULL;
  printf("%7s %8s %10s %*s %9s %11s %12s %9s\n", "round", "reported", "train loss",
         figures_width(output), tested ? "test acc." : "held out, before",
         tested ? "test loss" : "loss", "MB", "virtual time", "seconds");
}

/* The rows that stay are those of at most ROWS_MAX rounds. On a terminal the newest round is always
 * there, too, and how long the others will take, on a line that is written again. */
static void show_round(struct fed__simulate_output *output,
                       const struct fed__simulated_round *round) {
  const uint32_t all = output->job->rounds.count;
  const uint32_t every = (all + ROWS_MAX - 1) / ROWS_MAX;
  const int stays = round->round % every == 0 || round->round >= all;
  const int64_t now_us = (int64_t)(fed__simulate_seconds(output) * 1e6);
  if (!tells(output) || round->failure) return;
  if (output->job->evaluate.test_folder && round->kind == FED__ROUND_EVALUATE) return;
  if (!stays && (!output->invocation->colour || now_us - output->shown_us < PROGRESS_US)) return;
  output->shown_us = now_us;
  clear_line(output);
  if (!output->header_printed++) print_header(output);
  print_figures(output, round);
  if (stays) putchar('\n');
  show_left(output, round->round);
  fflush(stdout);
}

static void round_over(struct fed__simulation_observer *self,
                       const struct fed__simulation *simulation,
                       const struct fed__simulated_round *round) {
  struct fed__simulate_output *output = (struct fed__simulate_output *)self;
  (void)simulation;
  output->down_bytes += round->down_bytes;
  output->up_bytes += round->up_bytes;
  output->clamped += round->clamped_count;
  write_round(output, round);
  show_round(output, round);
  if (output->title && output->invocation->colour) show_title(output, round);
  if (round->failure) {
    output->failed_rounds++;
    output->last_failure = round->failure;
    return;
  }
  const struct fed__simulated_round before = output->last;
  output->last = *round;
  if (!round->tested.example_count) output->last.tested = before.tested;
  if (!round->evaluated.example_count) output->last.evaluated = before.evaluated;
  if (!round->trained.example_count) output->last.trained = before.trained;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int write_file(const struct fed__simulate_output *output, const char *name,
                      struct fed_slice content) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, output->folder, name));
  return fed__file_write_quick(path, content, FED__FILE_SHARED);
}

static int write_summary(const struct fed__simulate_output *output, const json_t *summary) {
  char *text = summary ? json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  if (!text) return FED_RAISE(FED_E_MEMORY, "out of memory for summary.json");
  const int code = write_file(output, "summary.json", fed_slice_of_text(text));
  if (code == FED_OK && output->invocation->json) printf("%s\n", text);
  free(text); /* jansson's */
  return code;
}

static int read_metrics(struct fed__simulate_output *output, struct fed_buffer *lines) {
  char path[FED__PATH_MAX];
  if (fflush(output->metrics) != 0 || ferror(output->metrics))
    return FED_RAISE(FED_E_IO, "cannot write '%s/metrics.jsonl'", output->folder);
  FED_TRY(fed__path_join(path, sizeof path, output->folder, "metrics.jsonl"));
  return fed__file_read(path, lines);
}

static int write_tables(struct fed__simulate_output *output, const json_t *details,
                        struct fed_slice lines) {
  struct fed_buffer table;
  fed_buffer_init(&table, output->invocation->context, FILE_BYTES_MAX);
  int code = fed__metrics_csv_encode(lines, &table);
  if (code == FED_OK) code = write_file(output, "metrics.csv", fed_buffer_slice(&table));
  table.size = 0;
  if (code == FED_OK) code = fed__clients_csv_encode(details, &table);
  if (code == FED_OK) code = write_file(output, "clients.csv", fed_buffer_slice(&table));
  table.size = 0;
  if (code == FED_OK) code = fed__confusion_csv_encode(output->job, details, &table);
  if (code == FED_OK) code = write_file(output, "confusion.csv", fed_buffer_slice(&table));
  fed_buffer_clear(&table);
  return code;
}

static int write_report(const struct fed__simulate_output *output, const json_t *summary,
                        const json_t *details, struct fed_slice lines) {
  char *summary_text = json_dumps(summary, JSON_COMPACT | JSON_REAL_PRECISION(9));
  char *details_text = json_dumps(details, JSON_COMPACT | JSON_REAL_PRECISION(9));
  struct fed_buffer html;
  fed_buffer_init(&html, output->invocation->context, FILE_BYTES_MAX);
  int code = summary_text && details_text
                 ? FED_OK
                 : FED_RAISE(FED_E_MEMORY, "out of memory for report.html");
  if (code == FED_OK) {
    const struct fed__run_input run = {output->job->name, lines, fed_slice_of_text(summary_text),
                                       fed_slice_of_text(details_text)};
    code = fed__run_report_write(output->invocation->context, &run, &html);
  }
  if (code == FED_OK) code = write_file(output, "report.html", fed_buffer_slice(&html));
  free(summary_text); /* jansson's */
  free(details_text);
  fed_buffer_clear(&html);
  return code;
}

static int write_all(struct fed__simulate_output *output, const struct fed__simulation *simulation,
                     const struct fed__final_figures *figures) {
  struct fed_buffer lines;
  json_t *summary = NULL, *details = fed__details_json(simulation, figures);
  fed_buffer_init(&lines, output->invocation->context, FILE_BYTES_MAX);
  int code = fed__model_files_write(simulation->context, output->folder, simulation->model,
                                    &simulation->current);
  if (code == FED_OK) code = fed__summary_make(output, simulation, figures, &summary);
  if (code == FED_OK) code = read_metrics(output, &lines);
  if (code == FED_OK) code = write_tables(output, details, fed_buffer_slice(&lines));
  if (code == FED_OK) code = write_report(output, summary, details, fed_buffer_slice(&lines));
  if (code == FED_OK) code = write_summary(output, summary);
  json_decref(summary);
  json_decref(details);
  fed_buffer_clear(&lines);
  return code;
}

/* ---- life ----------------------------------------------------------------------------------- */

int fed__simulate_output_begin(struct fed__simulate_output *output) {
  char path[FED__PATH_MAX];
  struct fed_clock *clock = output->invocation->context->clock;
  output->started_us = clock->monotonic_us(clock);
  if (output->invocation->mute) return FED_OK;
  output->observer.round_over = round_over;
  FED_TRY(fed__folder_make(output->folder));
  FED_TRY(fed__path_join(path, sizeof path, output->folder, "metrics.jsonl"));
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd >= 0) output->metrics = fdopen(fd, "r+");
  if (!output->metrics) {
    if (fd >= 0) close(fd);
    return FED_RAISE(FED_E_IO, "cannot write '%s': %s", path, strerror(errno));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return FED_OK;
  return FED_RAISE(
      FED_E_BUSY, "another process writes into '%s': wait for it, or let --out name another folder",
      output->folder);
}

int fed__simulate_output_empty(struct fed__simulate_output *output) {
  if (!output->metrics || ftruncate(fileno(output->metrics), 0) == 0) return FED_OK;
  return FED_RAISE(FED_E_IO, "cannot write '%s/metrics.jsonl': %s", output->folder,
                   strerror(errno));
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
    uint64_t down_bytes, up_bytes, failed_rounds, clamped;
    struct fed__simulated_round last;
  } state = {fed__simulate_seconds(output), output->down_bytes, output->up_bytes,
             output->failed_rounds,         output->clamped,    output->last};
  if (output->invocation->mute) return FED_OK;
  FED_TRY(carry_metrics(output, checkpoint));
  FED_TRY(fed__checkpoint_bytes(checkpoint, "output", &state, sizeof state));
  if (!checkpoint->is_reading) return FED_OK;
  output->seconds_before += state.seconds;
  output->down_bytes = state.down_bytes;
  output->up_bytes = state.up_bytes;
  output->failed_rounds = state.failed_rounds;
  output->clamped = state.clamped;
  output->last = state.last;
  return FED_OK;
}

int fed__simulate_output_finish(struct fed__simulate_output *output,
                                struct fed__simulation *simulation) {
  struct fed__final_figures figures;
  FED_TRY(fed__final_figures_init(&figures, simulation));
  const int mute = output->invocation->mute;
  const int code = mute ? FED_OK : write_all(output, simulation, &figures);
  if (code == FED_OK && !mute && !output->invocation->json && !output->title)
    fed__summary_print(output, simulation, &figures);
  fed__final_figures_clear(&figures);
  return code;
}

void fed__simulate_output_end(struct fed__simulate_output *output) {
  clear_line(output);
  if (output->metrics) fclose(output->metrics);
  output->metrics = NULL;
}
