/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_sweep.c: all combinations, one after the other, each as if it ran alone.
 */
#include "programs/simulate_sweep.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "programs/simulate_compare.h"
#include "programs/simulate_identity.h"
#include "programs/simulate_output.h"
#include "programs/simulate_sweep_results.h"

#include <stdio.h>

struct sweep {
  struct fed__invocation *invocation;
  const struct fed__axes *set, *axes;
  const struct fed__simulate_runner *runner;
  const char *folder;
  char job[FED__NAME_MAX + 1];
  struct fed__sweep_result *results; /* by combination */
  size_t count, done;
  size_t run_now; /* by this process, */
  double seconds; /* and how long those took */
};

/* The settings of a combination: those of --set, then the axes'. */
static size_t pick(const struct sweep *sweep, size_t combination,
                   struct fed__job_override overrides[2 * FED__GIVEN_MAX]) {
  fed__axes_pick(sweep->set, 0, overrides);
  fed__axes_pick(sweep->axes, combination, overrides + sweep->set->count);
  return fed__axes_add_test(sweep->invocation, overrides, sweep->set->count + sweep->axes->count);
}

static int run_folder(const struct sweep *sweep, size_t combination, char path[FED__PATH_MAX]) {
  return fed__path_join(path, FED__PATH_MAX, sweep->folder, sweep->results[combination].name);
}

/* All processes know whether a run is finished, the first one its figures. */
static int read_result(const struct sweep *sweep, const char *folder,
                       struct fed__sweep_result *result) {
  struct fed__ranks *ranks = sweep->runner->ranks;
  const int code = fed__ranks_is_first(ranks) ? fed__sweep_result_read(folder, result) : FED_OK;
  FED_TRY(fed__ranks_agree(ranks, code));
  if (ranks) fed__ranks_merge(ranks, result->end, sizeof result->end);
  return FED_OK;
}

/* ---- before the first run ------------------------------------------------------------------- */

static void describe(const struct sweep *sweep, const struct fed__job_files *files,
                     struct fed__sweep_result *result) {
  const struct fed__job *job = &files->job;
  result->target = job->stop.metric;
  result->target_value =
      job->stop.metric == FED__METRIC_ACCURACY ? job->stop.at_least : job->stop.at_most;
  fed__simulate_identity(sweep->invocation, files, result->identity);
}

static int check_combination(struct sweep *sweep, size_t combination) {
  struct fed__job_override overrides[2 * FED__GIVEN_MAX];
  struct fed__sweep_result *result = &sweep->results[combination];
  struct fed__invocation *invocation = sweep->invocation;
  struct fed__job_files files;
  char folder[FED__PATH_MAX];
  const size_t count = pick(sweep, combination, overrides);
  fed__combination_name(overrides + sweep->set->count, sweep->axes->count, result->name);
  int code = fed__job_files_read_with(invocation->context, invocation->arguments[0], overrides,
                                      count, &files);
  if (code == FED_OK) {
    describe(sweep, &files, result);
    snprintf(sweep->job, sizeof sweep->job, "%s", files.job.name);
  }
  fed__job_files_clear(&files);
  if (code != FED_OK) return FED_WRAP("with %s", result->name);
  FED_TRY(run_folder(sweep, combination, folder));
  FED_TRY(read_result(sweep, folder, result));
  if (fed__option_on(invocation, "restart")) result->end[0] = '\0';
  sweep->done += result->end[0] != '\0';
  return FED_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

static double seconds_now(const struct sweep *sweep) {
  struct fed_clock *clock = sweep->invocation->context->clock;
  return (double)clock->monotonic_us(clock) * 1e-6;
}

static int tells(const struct sweep *sweep) {
  return !sweep->invocation->quiet && !sweep->invocation->json;
}

static void tell_run(const struct sweep *sweep, const struct fed__sweep_result *result) {
  const double *figures = result->figures;
  const size_t left = sweep->count - sweep->done;
  char took[24], rest[24];
  if (!tells(sweep)) return;
  printf("%s[%zu/%zu] %s: ", sweep->invocation->colour ? "\r\033[K" : "", sweep->done, sweep->count,
         result->name);
  if (figures[FED__FIGURE_FINAL_ACCURACY] >= 0)
    printf("accuracy %.2f %%, ", figures[FED__FIGURE_FINAL_ACCURACY] * 100);
  printf("loss %.4f, %.0f rounds, %s", figures[FED__FIGURE_FINAL_LOSS], figures[FED__FIGURE_ROUNDS],
         fed__format_seconds(figures[FED__FIGURE_SECONDS], took));
  if (left)
    printf("; %s left",
           fed__format_seconds(sweep->seconds / (double)sweep->run_now * (double)left, rest));
  putchar('\n');
  fflush(stdout);
}

/* As `fed simulate` alone would, in the combination's folder. */
static int simulate(struct sweep *sweep, size_t combination, const char *folder) {
  struct fed__job_override overrides[2 * FED__GIVEN_MAX];
  struct fed__invocation alone = *sweep->invocation;
  char title[FED__COMBINATION_NAME_BYTES + 64];
  alone.quiet = 1;
  alone.json = 0;
  alone.colour = tells(sweep) && sweep->invocation->colour;
  fed__option_set(&alone, "out", folder);
  if (!fed__option_on(&alone, "restart")) fed__option_set(&alone, "resume", "");
  const size_t count = pick(sweep, combination, overrides);
  snprintf(title, sizeof title, "[%zu/%zu] %s", sweep->done + 1, sweep->count,
           sweep->results[combination].name);
  return sweep->runner->run(sweep->runner, &alone, overrides, count, title);
}

#define NOT_RUN "could not run"

static int is_end(const struct fed__sweep_result *result, const char *end) {
  return strcmp(result->end, end) == 0;
}

/* Without results: the others go on, and the table has a line for it. */
static void note_not_run(struct sweep *sweep, struct fed__sweep_result *result) {
  snprintf(result->end, sizeof result->end, NOT_RUN);
  sweep->done++;
  if (!sweep->invocation->mute)
    fprintf(stderr, "%s%s: %s: %s\n", sweep->invocation->colour ? "\r\033[K" : "",
            sweep->invocation->program->name, result->name, fed_error_last()->message);
}

static int run_combination(struct sweep *sweep, size_t combination) {
  struct fed__sweep_result *result = &sweep->results[combination];
  const double began = seconds_now(sweep);
  char folder[FED__PATH_MAX];
  FED_TRY(run_folder(sweep, combination, folder));
  const int code = simulate(sweep, combination, folder);
  if (code != FED_OK && code != FED_E_INPUT) return FED_WRAP("%s", result->name);
  FED_TRY(read_result(sweep, folder, result));
  if (!result->end[0] && code != FED_OK) {
    note_not_run(sweep, result);
    return FED_OK;
  }
  FED_REQUIRE(result->end[0]);
  sweep->seconds += seconds_now(sweep) - began;
  sweep->run_now++;
  sweep->done++;
  tell_run(sweep, result);
  return FED_OK;
}

/* ---- the results ---------------------------------------------------------------------------- */

typedef int write_fn(const struct fed__sweep_results *results, struct fed_buffer *out);

static int write_file(const struct sweep *sweep, const struct fed__sweep_results *results,
                      const char *name, write_fn *write, int is_shown) {
  char path[FED__PATH_MAX];
  struct fed_buffer text;
  FED_TRY(fed__path_join(path, sizeof path, sweep->folder, name));
  fed_buffer_init(&text, results->context, SIZE_MAX);
  int code = write(results, &text);
  if (code == FED_OK) code = fed__file_write_quick(path, fed_buffer_slice(&text), FED__FILE_SHARED);
  if (code == FED_OK && is_shown) fwrite(text.data, 1, text.size, stdout);
  fed_buffer_clear(&text);
  return code;
}

static int compare_runs(const struct sweep *sweep, char (*paths)[FED__PATH_MAX],
                        const char **folders, struct fed_buffer *html) {
  char path[FED__PATH_MAX];
  size_t count = 0;
  for (size_t i = 0; i < sweep->count; i++) {
    if (is_end(&sweep->results[i], NOT_RUN)) continue;
    FED_TRY(run_folder(sweep, i, paths[count]));
    folders[count] = paths[count];
    count++;
  }
  if (count < 2) return FED_OK;
  FED_TRY(fed__simulate_compare(sweep->invocation->context, folders, count, html));
  FED_TRY(fed__path_join(path, sizeof path, sweep->folder, "report.html"));
  return fed__file_write_quick(path, fed_buffer_slice(html), FED__FILE_SHARED);
}

/* A page with all runs, if there are several, and not too many. */
static int write_page(const struct sweep *sweep) {
  const struct fed_context *context = sweep->invocation->context;
  struct fed_buffer html;
  if (sweep->count < 2 || sweep->count > FED__COMPARED_RUNS_MAX) return FED_OK;
  char(*paths)[FED__PATH_MAX] = fed__alloc(context, sweep->count * sizeof *paths);
  const char **folders = fed__zalloc(context, sweep->count, sizeof *folders);
  fed_buffer_init(&html, context, SIZE_MAX);
  const int code = paths && folders ? compare_runs(sweep, paths, folders, &html) : FED_E_MEMORY;
  fed_buffer_clear(&html);
  fed__free(context, paths);
  fed__free(context, folders);
  return code;
}

static int write_results(const struct sweep *sweep) {
  const struct fed__sweep_results results = {.context = sweep->invocation->context,
                                             .job = sweep->job,
                                             .axes = sweep->axes,
                                             .items = sweep->results};
  FED_TRY(write_file(sweep, &results, "runs.csv", fed__sweep_runs_csv, 0));
  FED_TRY(write_file(sweep, &results, "table.csv", fed__sweep_table_csv, 0));
  FED_TRY(write_page(sweep));
  FED_TRY(write_file(sweep, &results, "sweep.json", fed__sweep_json, sweep->invocation->json));
  return sweep->invocation->json ? FED_OK : fed__sweep_print(&results, stdout);
}

static int run_all(struct sweep *sweep) {
  size_t failed = 0, not_run = 0;
  for (size_t i = 0; i < sweep->count; i++) FED_TRY(check_combination(sweep, i));
  FED_TRY(fed__folder_make(sweep->folder));
  if (sweep->done && tells(sweep))
    printf("%zu of %zu combinations are finished already\n", sweep->done, sweep->count);
  for (size_t i = 0; i < sweep->count; i++)
    if (!sweep->results[i].end[0]) FED_TRY(run_combination(sweep, i));
  if (fed__ranks_is_first(sweep->runner->ranks)) FED_TRY(write_results(sweep));
  for (size_t i = 0; i < sweep->count; i++) {
    failed += is_end(&sweep->results[i], fed__round_end_name(FED__END_FAILURES));
    not_run += is_end(&sweep->results[i], NOT_RUN);
  }
  if (not_run)
    return FED_RAISE(FED_E_INPUT, "%zu of %zu combinations could not run; above is why", not_run,
                     sweep->count);
  if (!failed) return FED_OK;
  return FED_RAISE(FED_E_INPUT,
                   "%zu of %zu combinations ended with too many failed rounds; their "
                   "metrics.jsonl say why",
                   failed, sweep->count);
}

int fed__simulate_sweep(struct fed__invocation *invocation, const struct fed__axes *set,
                        const struct fed__axes *axes, const struct fed__simulate_runner *runner) {
  struct sweep sweep = {.invocation = invocation,
                        .set = set,
                        .axes = axes,
                        .runner = runner,
                        .folder = fed__option_text(invocation, "out"),
                        .count = fed__axes_combinations(axes)};
  sweep.results = fed__zalloc(invocation->context, sweep.count, sizeof *sweep.results);
  if (!sweep.results) return FED_E_MEMORY;
  const int code = run_all(&sweep);
  fed__free(invocation->context, sweep.results);
  return code;
}
