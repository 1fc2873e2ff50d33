/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_sweep_results.c: from the files of finished runs to a table. Standard deviations are
 * those of a sample, divided by one less than the number of runs.
 */
#include "programs/simulate_sweep_results.h"
#include "base/file.h"
#include "base/raise.h"
#include "programs/simulate_identity.h"
#include "programs/simulate_output.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- one run -------------------------------------------------------------------------------- */

static double number_in(const json_t *json, const char *key) {
  const json_t *value = json_object_get(json, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A run's versions on the test set, or on held-out rows: two quantities that are not mixed. */
struct course {
  size_t count;
  double final[2], best[2]; /* accuracy, loss */
  double target_round, target_s;
};

struct reading {
  const struct fed__sweep_result *result;
  struct course tested, held_out;
  double made_s; /* when the newest version was made */
};

static int reaches_target(const struct fed__sweep_result *result, double accuracy, double loss) {
  return result->target == FED__METRIC_ACCURACY ? accuracy >= result->target_value
         : result->target == FED__METRIC_LOSS   ? loss <= result->target_value
                                                : 0;
}

/* fmin and fmax pass over a NAN. */
static void note_version(struct reading *reading, struct course *course, const json_t *found,
                         double version, double virtual_s) {
  const double accuracy = number_in(found, "accuracy"), loss = number_in(found, "loss");
  course->best[0] = course->count ? fmax(course->best[0], accuracy) : accuracy;
  course->best[1] = course->count ? fmin(course->best[1], loss) : loss;
  course->final[0] = accuracy;
  course->final[1] = loss;
  if (!course->count++) course->target_round = course->target_s = NAN;
  if (isfinite(course->target_round) || !reaches_target(reading->result, accuracy, loss)) return;
  course->target_round = version;
  course->target_s = virtual_s;
}

/* Held-out rows see the version that the round began with, the test set the one that it made. */
static void note_round(struct reading *reading, const json_t *line) {
  const double round = number_in(line, "round"), virtual_s = number_in(line, "virtual_s");
  const json_t *tested = json_object_get(line, "tested");
  const json_t *held_out = json_object_get(line, "evaluated");
  if (json_object_get(line, "failure")) return;
  if (json_is_object(held_out))
    note_version(reading, &reading->held_out, held_out, round - 1, reading->made_s);
  if (strcmp(json_string_value(json_object_get(line, "kind")), "train") == 0)
    reading->made_s = virtual_s;
  if (json_is_object(tested)) note_version(reading, &reading->tested, tested, round, virtual_s);
}

static void take_course(struct fed__sweep_result *result, const struct course *course) {
  double *figures = result->figures;
  if (!course->count) return;
  figures[FED__FIGURE_FINAL_ACCURACY] = course->final[0];
  figures[FED__FIGURE_FINAL_LOSS] = course->final[1];
  figures[FED__FIGURE_BEST_ACCURACY] = course->best[0];
  figures[FED__FIGURE_BEST_LOSS] = course->best[1];
  figures[FED__FIGURE_TARGET_ROUNDS] = course->target_round;
  figures[FED__FIGURE_TARGET_VIRTUAL_S] = course->target_s;
}

static int read_rounds(const char *folder, struct fed__sweep_result *result) {
  char path[FED__PATH_MAX];
  json_error_t error;
  struct reading reading = {.result = result};
  int code = FED_OK, next;
  FED_TRY(fed__path_join(path, sizeof path, folder, "metrics.jsonl"));
  FILE *file = fopen(path, "r");
  if (!file) return FED_RAISE(FED_E_IO, "cannot read '%s': %s", path, strerror(errno));
  for (int line = 1; code == FED_OK && (next = fgetc(file)) != EOF; line++) {
    if (next == '\n') continue;
    ungetc(next, file);
    json_t *json = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
    if (!json_is_string(json_object_get(json, "kind")))
      code = FED_RAISE(FED_E_INPUT, "%s:%d: expected an object for a round: %s", path, line,
                       json ? "it has no kind" : error.text);
    else
      note_round(&reading, json);
    json_decref(json);
  }
  fclose(file);
  take_course(result, reading.tested.count ? &reading.tested : &reading.held_out);
  return code;
}

static int read_figures(const char *folder, const json_t *summary,
                        struct fed__sweep_result *result) {
  const char *end = json_string_value(json_object_get(summary, "end"));
  const char *identity = json_string_value(json_object_get(summary, "identity"));
  if (!end || !identity || strcmp(identity, result->identity) != 0 ||
      strcmp(end, fed__round_end_name(FED__END_STOPPED)) == 0)
    return FED_OK;
  result->figures[FED__FIGURE_ROUNDS] = number_in(summary, "rounds");
  result->figures[FED__FIGURE_VIRTUAL_S] = number_in(summary, "virtual_s");
  result->figures[FED__FIGURE_SECONDS] = number_in(summary, "seconds");
  FED_TRY(read_rounds(folder, result));
  snprintf(result->end, sizeof result->end, "%s", end);
  return FED_OK;
}

int fed__sweep_result_read(const char *folder, struct fed__sweep_result *result) {
  char path[FED__PATH_MAX];
  json_error_t error;
  result->end[0] = '\0';
  for (int i = 0; i < FED__FIGURE_COUNT; i++) result->figures[i] = NAN;
  FED_TRY(fed__path_join(path, sizeof path, folder, "summary.json"));
  if (!fed__file_exists(path)) return FED_OK;
  json_t *summary = json_load_file(path, 0, &error);
  if (!summary) return FED_RAISE(FED_E_INPUT, "%s:%d: %s", path, error.line, error.text);
  const int code = read_figures(folder, summary, result);
  json_decref(summary);
  return code;
}

/* ---- means over seeds ----------------------------------------------------------------------- */

static size_t seed_axis(const struct fed__axes *axes) {
  size_t i = 0;
  while (i < axes->count && strcmp(axes->items[i].key, "seed") != 0) i++;
  return i;
}

static size_t seed_count(const struct fed__axes *axes) {
  const size_t axis = seed_axis(axes);
  return axis < axes->count ? axes->items[axis].count : 1;
}

static size_t row_count(const struct fed__axes *axes) {
  return fed__axes_combinations(axes) / seed_count(axes);
}

/* The combination of a row's `seed`-th run: the seed's axis turns `after` times slower than the
 * last axis. */
static size_t combination_of(const struct fed__axes *axes, size_t row, size_t seed) {
  size_t after = 1;
  for (size_t i = seed_axis(axes) + 1; i < axes->count; i++) after *= axes->items[i].count;
  return (row / after * seed_count(axes) + seed) * after + row % after;
}

struct statistic {
  size_t count;
  double mean, deviation; /* of one run: NAN */
};

static struct statistic statistic_of(const struct fed__sweep_results *results, size_t row,
                                     enum fed__sweep_figure figure) {
  const size_t seeds = seed_count(results->axes);
  struct statistic statistic = {0, NAN, NAN};
  double sum = 0, squares = 0;
  for (size_t seed = 0; seed < seeds; seed++) {
    const double value = results->items[combination_of(results->axes, row, seed)].figures[figure];
    if (!isfinite(value)) continue;
    statistic.count++;
    sum += value;
  }
  if (statistic.count) statistic.mean = sum / (double)statistic.count;
  for (size_t seed = 0; seed < seeds; seed++) {
    const double value = results->items[combination_of(results->axes, row, seed)].figures[figure];
    if (isfinite(value)) squares += (value - statistic.mean) * (value - statistic.mean);
  }
  if (statistic.count > 1) statistic.deviation = sqrt(squares / (double)(statistic.count - 1));
  return statistic;
}

/* ---- figures -------------------------------------------------------------------------------- */

enum kind { PART, VALUE, COUNT, TIME };

static const struct {
  const char *name, *heading; /* no heading: not for people */
  enum kind kind;
} figures[FED__FIGURE_COUNT] = {
    [FED__FIGURE_FINAL_ACCURACY] = {"final_accuracy", "accuracy", PART},
    [FED__FIGURE_BEST_ACCURACY] = {"best_accuracy", "best accuracy", PART},
    [FED__FIGURE_FINAL_LOSS] = {"final_loss", "loss", VALUE},
    [FED__FIGURE_BEST_LOSS] = {"best_loss", "best loss", VALUE},
    [FED__FIGURE_ROUNDS] = {"rounds", "rounds", COUNT},
    [FED__FIGURE_VIRTUAL_S] = {"virtual_s", "virtual time", TIME},
    [FED__FIGURE_TARGET_ROUNDS] = {"target_rounds", "rounds to target", COUNT},
    [FED__FIGURE_TARGET_VIRTUAL_S] = {"target_virtual_s", "virtual time to target", TIME},
    [FED__FIGURE_SECONDS] = {"seconds", NULL, TIME}};

#define CELL_BYTES 256

static void format_value(enum kind kind, double value, char text[32]) {
  if (kind == PART)
    snprintf(text, 32, "%.2f", value * 100);
  else if (kind == VALUE)
    snprintf(text, 32, "%.4f", value);
  else if (kind == COUNT)
    snprintf(text, 32, value == floor(value) ? "%.0f" : "%.1f", value);
  else
    fed__format_seconds(value, text);
}

static void format_statistic(enum kind kind, const struct statistic *statistic, size_t runs,
                             char text[CELL_BYTES]) {
  char mean[32], deviation[32], part[48] = "";
  if (!statistic->count) {
    snprintf(text, CELL_BYTES, "-");
    return;
  }
  format_value(kind, statistic->mean, mean);
  format_value(kind, statistic->deviation, deviation);
  if (statistic->count < runs) snprintf(part, sizeof part, " (%zu of %zu)", statistic->count, runs);
  snprintf(text, CELL_BYTES, "%s%s%s%s%s", mean, statistic->count > 1 ? " ± " : "",
           statistic->count > 1 ? deviation : "", kind == PART ? " %" : "", part);
}

/* ---- the table for people ------------------------------------------------------------------- */

struct table {
  const struct fed__sweep_results *results;
  int is_shown[FED__FIGURE_COUNT];
};

static int is_shown(const struct fed__sweep_results *results, enum fed__sweep_figure figure) {
  if (!figures[figure].heading) return 0;
  for (size_t row = 0; row < row_count(results->axes); row++) {
    const struct statistic found = statistic_of(results, row, figure);
    if (found.count && (figures[figure].kind != TIME || found.mean > 0)) return 1;
  }
  return 0;
}

/* The columns are the axes, then the figures; row -1 is the heading. Empty: no such column. */
static void cell_text(const struct table *table, ptrdiff_t row, size_t column,
                      char text[CELL_BYTES]) {
  const struct fed__axes *axes = table->results->axes;
  struct fed__job_override overrides[FED__GIVEN_MAX];
  text[0] = '\0';
  if (column < axes->count) {
    if (column == seed_axis(axes)) return;
    fed__axes_pick(axes, combination_of(axes, row < 0 ? 0 : (size_t)row, 0), overrides);
    snprintf(text, CELL_BYTES, "%s", row < 0 ? overrides[column].key : overrides[column].value);
    return;
  }
  const enum fed__sweep_figure figure = (enum fed__sweep_figure)(column - axes->count);
  if (!table->is_shown[figure]) return;
  if (row < 0) {
    snprintf(text, CELL_BYTES, "%s", figures[figure].heading);
    return;
  }
  const struct statistic statistic = statistic_of(table->results, (size_t)row, figure);
  format_statistic(figures[figure].kind, &statistic, seed_count(axes), text);
}

static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

static size_t column_width(const struct table *table, size_t column) {
  char text[CELL_BYTES];
  size_t width = 0;
  for (ptrdiff_t row = -1; row < (ptrdiff_t)row_count(table->results->axes); row++) {
    cell_text(table, row, column, text);
    width = width_of(text) > width ? width_of(text) : width;
  }
  return width;
}

int fed__sweep_print(const struct fed__sweep_results *results, FILE *out) {
  const size_t columns = results->axes->count + FED__FIGURE_COUNT;
  size_t widths[FED__GIVEN_MAX + FED__FIGURE_COUNT];
  struct table table = {results, {0}};
  char text[CELL_BYTES];
  for (int i = 0; i < FED__FIGURE_COUNT; i++)
    table.is_shown[i] = is_shown(results, (enum fed__sweep_figure)i);
  for (size_t column = 0; column < columns; column++) widths[column] = column_width(&table, column);
  for (ptrdiff_t row = -1; row < (ptrdiff_t)row_count(results->axes); row++) {
    const char *gap = "";
    for (size_t column = 0; column < columns; column++) {
      if (!widths[column]) continue;
      cell_text(&table, row, column, text);
      fprintf(out, "%s%*s%s", gap, (int)(widths[column] - width_of(text)), "", text);
      gap = "  ";
    }
    fputc('\n', out);
  }
  return fflush(out) == 0 ? FED_OK : FED_RAISE(FED_E_IO, "cannot write the table");
}

/* ---- CSV (RFC 4180) ------------------------------------------------------------------------- */

static int csv_text(struct fed_buffer *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) return fed_buffer_print(out, "%s", text);
  FED_TRY(fed_buffer_append(out, "\"", 1));
  for (; *text; text++)
    FED_TRY(fed_buffer_append(out, *text == '"' ? "\"\"" : text, 1 + (*text == '"')));
  return fed_buffer_append(out, "\"", 1);
}

static int csv_number(struct fed_buffer *out, double value) {
  return isfinite(value) ? fed_buffer_print(out, ",%.9g", value) : fed_buffer_print(out, ",");
}

/* The values of a combination, or the keys, but for one axis. */
static int csv_axes(const struct fed__axes *axes, size_t combination, size_t but, int keys,
                    struct fed_buffer *out) {
  struct fed__job_override overrides[FED__GIVEN_MAX];
  fed__axes_pick(axes, combination, overrides);
  for (size_t i = 0; i < axes->count; i++) {
    if (i == but) continue;
    FED_TRY(csv_text(out, keys ? overrides[i].key : overrides[i].value));
    FED_TRY(fed_buffer_print(out, ","));
  }
  return FED_OK;
}

int fed__sweep_runs_csv(const struct fed__sweep_results *results, struct fed_buffer *out) {
  const struct fed__axes *axes = results->axes;
  FED_TRY(csv_axes(axes, 0, axes->count, 1, out));
  FED_TRY(fed_buffer_print(out, "folder,end"));
  for (int i = 0; i < FED__FIGURE_COUNT; i++)
    FED_TRY(fed_buffer_print(out, ",%s", figures[i].name));
  FED_TRY(fed_buffer_print(out, "\n"));
  for (size_t c = 0; c < fed__axes_combinations(axes); c++) {
    const struct fed__sweep_result *result = &results->items[c];
    FED_TRY(csv_axes(axes, c, axes->count, 0, out));
    FED_TRY(csv_text(out, result->name));
    FED_TRY(fed_buffer_print(out, ",%s", result->end));
    for (int i = 0; i < FED__FIGURE_COUNT; i++) FED_TRY(csv_number(out, result->figures[i]));
    FED_TRY(fed_buffer_print(out, "\n"));
  }
  return FED_OK;
}

int fed__sweep_table_csv(const struct fed__sweep_results *results, struct fed_buffer *out) {
  const struct fed__axes *axes = results->axes;
  FED_TRY(csv_axes(axes, 0, seed_axis(axes), 1, out));
  FED_TRY(fed_buffer_print(out, "runs"));
  for (int i = 0; i < FED__FIGURE_COUNT; i++)
    FED_TRY(fed_buffer_print(out, ",%s_mean,%s_deviation,%s_count", figures[i].name,
                             figures[i].name, figures[i].name));
  FED_TRY(fed_buffer_print(out, "\n"));
  for (size_t row = 0; row < row_count(axes); row++) {
    FED_TRY(csv_axes(axes, combination_of(axes, row, 0), seed_axis(axes), 0, out));
    FED_TRY(fed_buffer_print(out, "%zu", seed_count(axes)));
    for (int i = 0; i < FED__FIGURE_COUNT; i++) {
      const struct statistic found = statistic_of(results, row, (enum fed__sweep_figure)i);
      FED_TRY(csv_number(out, found.mean));
      FED_TRY(csv_number(out, found.deviation));
      FED_TRY(fed_buffer_print(out, ",%zu", found.count));
    }
    FED_TRY(fed_buffer_print(out, "\n"));
  }
  return FED_OK;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *set_json(const struct fed__axes *axes, size_t combination, size_t but) {
  struct fed__job_override overrides[FED__GIVEN_MAX];
  fed__axes_pick(axes, combination, overrides);
  json_t *json = fed__overrides_json(overrides, axes->count);
  if (but < axes->count) json_object_del(json, axes->items[but].key);
  return json;
}

static json_t *run_json(const struct fed__sweep_results *results, size_t combination) {
  const struct fed__sweep_result *result = &results->items[combination];
  json_t *json = json_pack("{s:s, s:s, s:o}", "folder", result->name, "end", result->end, "set",
                           set_json(results->axes, combination, results->axes->count));
  for (int i = 0; i < FED__FIGURE_COUNT; i++)
    json_object_set_new(json, figures[i].name, number(result->figures[i]));
  return json;
}

static json_t *row_json(const struct fed__sweep_results *results, size_t row) {
  const struct fed__axes *axes = results->axes;
  json_t *json =
      json_pack("{s:o, s:I}", "set", set_json(axes, combination_of(axes, row, 0), seed_axis(axes)),
                "runs", (json_int_t)seed_count(axes));
  for (int i = 0; i < FED__FIGURE_COUNT; i++) {
    const struct statistic found = statistic_of(results, row, (enum fed__sweep_figure)i);
    json_object_set_new(json, figures[i].name,
                        json_pack("{s:o, s:o, s:I}", "mean", number(found.mean), "deviation",
                                  number(found.deviation), "count", (json_int_t)found.count));
  }
  return json;
}

static json_t *axes_json(const struct fed__axes *axes) {
  json_t *json = json_object();
  for (size_t i = 0; i < axes->count; i++) {
    json_t *values = json_array();
    for (size_t k = 0; k < axes->items[i].count; k++)
      json_array_append_new(values, json_string(axes->items[i].values[k]));
    json_object_set_new(json, axes->items[i].key, values);
  }
  return json;
}

int fed__sweep_json(const struct fed__sweep_results *results, struct fed_buffer *out) {
  json_t *runs = json_array(), *table = json_array();
  for (size_t i = 0; i < fed__axes_combinations(results->axes); i++)
    json_array_append_new(runs, run_json(results, i));
  for (size_t i = 0; i < row_count(results->axes); i++)
    json_array_append_new(table, row_json(results, i));
  json_t *json = json_pack("{s:s, s:o, s:o, s:o}", "job", results->job, "sweep",
                           axes_json(results->axes), "runs", runs, "table", table);
  char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  const int code = text ? fed_buffer_print(out, "%s\n", text)
                        : FED_RAISE(FED_E_MEMORY, "out of memory for sweep.json");
  free(text); /* jansson's */
  json_decref(json);
  return code;
}
