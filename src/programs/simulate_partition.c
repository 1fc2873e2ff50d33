/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_partition.c: a partition as a table for the terminal, as JSON, and as a page.
 */
#include "programs/simulate_partition.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/raise.h"
#include "job/simulate_section.h"
#include "report/partition_page.h"
#include "simulate/partition_summary.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define ROWS_MAX FED__PARTITION_PAGE_ROWS /* clients of the table */
#define LISTED_MAX 1000                   /* clients of the JSON */
#define NUMBERED_MAX 16                   /* classes that fit into a line in percent */
#define COLUMNS_MAX 80                    /* characters for classes that do not */
#define NAME_WIDTH 24
#define BAR_WIDTH 20

struct show {
  const struct fed__invocation *invocation;
  const struct fed__job *job;
  const struct fed__partition *partition;
  struct fed__partition_summary summary;
  const char *description; /* "dirichlet:0.5", "column:play,role" */
};

static uint32_t at_most(uint32_t count, uint32_t most) { return count < most ? count : most; }

/* The at-th of `wanted` clients, evenly spaced. */
static uint32_t client_at(const struct show *show, uint32_t at, uint32_t wanted) {
  return (uint32_t)((uint64_t)at * show->partition->client_count / wanted);
}

/* That of the client's numbers; 0: there is none. */
static double noise_of(const struct show *show, uint32_t client) {
  return fed__partition_noise(show->partition, show->job->simulate.partition.noise, client);
}

static int has_noise(const struct show *show) { return show->job->simulate.partition.noise > 0; }

/* ---- for the terminal ----------------------------------------------------------------------- */

static void print_spread(const char *what, const struct fed__spread *spread, const char *format) {
  const double values[] = {spread->mean, spread->lowest, spread->median, spread->highest};
  if (!spread->count) return;
  printf("%-24s", what);
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) printf(format, values[i]);
  putchar('\n');
}

static void print_totals(const struct show *show) {
  const struct fed__partition_summary *summary = &show->summary;
  printf("%s: %u client%s by %s; %zu of %zu examples", show->job->name,
         show->partition->client_count, fed__plural(show->partition->client_count),
         show->description, summary->divided_count, show->partition->example_count);
  if (summary->classes) printf(", %u classes", summary->classes);
  printf("\n\n%-24s %10s %10s %10s %10s\n", "of a client", "mean", "lowest", "median", "highest");
  print_spread("examples", &summary->sizes, " %10.6g");
  print_spread("classes", &summary->class_counts, " %10.4g");
  print_spread("distance", &summary->distances, " %10.3f");
  if (summary->classes)
    printf(
        "\nThe distance is that of its mixture of classes from the mixture of all clients: 0 the "
        "same, 1\nnothing in common (total variation).\n");
  if (has_noise(show))
    printf(
        "\nThe noise is the standard deviation of what is added to each of the client's numbers, "
        "as the\nmodel sees them.\n");
}

/* Few classes: percent. Many: a character each, or for some neighbours together. */
static void print_mixture(const struct show *show, const uint64_t *counts, double size) {
  static const char shades[] = " .:-=+*#%@";
  const uint32_t classes = show->summary.classes, columns = at_most(classes, COLUMNS_MAX);
  for (uint32_t i = 0; i < columns; i++) {
    uint64_t count = 0;
    for (uint32_t k = (uint32_t)((uint64_t)i * classes / columns);
         k < (uint32_t)((uint64_t)(i + 1) * classes / columns); k++)
      count += counts[k];
    const double share = size > 0 ? (double)count / size : 0;
    if (classes > NUMBERED_MAX)
      putchar(count ? shades[(int)fmin(ceil(sqrt(share) * 9), 9)] : ' ');
    else if (count)
      printf(share < 0.005 ? "   <" : "%4.0f", share * 100);
    else
      printf("   .");
  }
}

static void print_bar(double part) {
  char bar[BAR_WIDTH + 1];
  const int width = (int)ceil(part * BAR_WIDTH);
  memset(bar, '#', sizeof bar);
  bar[width] = '\0';
  printf("%s", bar);
}

static void print_client(const struct show *show, uint32_t client, uint64_t *counts) {
  const struct fed__client_summary *found = &show->summary.clients[client];
  char text[FED__CLIENT_NAME_BYTES];
  printf("%-*.*s %9zu", NAME_WIDTH, NAME_WIDTH, fed__partition_name(show->partition, client, text),
         found->size);
  if (has_noise(show)) printf(" %9.4g", noise_of(show, client));
  if (show->summary.classes) {
    fed__partition_summary_counts(&show->summary, client, counts);
    printf("   %7.3f  ", found->distance);
    print_mixture(show, counts, (double)found->size);
  } else {
    printf("  ");
    print_bar(show->summary.sizes.highest > 0 ? (double)found->size / show->summary.sizes.highest
                                              : 0);
  }
  putchar('\n');
}

static void print_heads(const struct show *show, uint32_t rows) {
  const uint32_t classes = show->summary.classes;
  if (rows < show->partition->client_count) printf("\n%u of the clients, evenly spaced:\n", rows);
  printf("\n%-*s %9s", NAME_WIDTH, "client", "examples");
  if (has_noise(show)) printf(" %9s", "noise");
  if (classes) printf("   distance  ");
  for (uint32_t k = 0; k < classes && classes <= NUMBERED_MAX; k++) printf("%4u", k);
  if (classes > NUMBERED_MAX)
    printf("classes 0 to %u%s", classes - 1,
           classes > COLUMNS_MAX ? ", some neighbours together" : "");
  else if (classes)
    printf("   %% of class");
  putchar('\n');
}

static void print_clients(const struct show *show, uint64_t *counts) {
  const uint32_t rows = at_most(show->partition->client_count, ROWS_MAX);
  print_heads(show, rows);
  for (uint32_t i = 0; i < rows; i++) print_client(show, client_at(show, i, rows), counts);
  if (!show->summary.classes) return;
  printf("%-*s %9zu %*s  %7s  ", NAME_WIDTH, "all together", show->summary.divided_count,
         has_noise(show) ? 10 : 0, "", "");
  print_mixture(show, show->summary.totals, (double)show->summary.divided_count);
  putchar('\n');
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static json_t *spread_json(const struct fed__spread *spread) {
  if (!spread->count) return json_null();
  return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean", spread->mean, "deviation",
                   spread->deviation, "lowest", spread->lowest, "median", spread->median, "highest",
                   spread->highest);
}

static json_t *counts_json(const uint64_t *counts, uint32_t classes) {
  json_t *list = json_array();
  for (uint32_t k = 0; k < classes; k++)
    json_array_append_new(list, json_integer((json_int_t)counts[k]));
  return list;
}

static json_t *clients_json(const struct show *show, uint64_t *counts) {
  const struct fed__partition_summary *summary = &show->summary;
  const uint32_t listed = at_most(show->partition->client_count, LISTED_MAX);
  json_t *list = json_array();
  for (uint32_t i = 0; i < listed; i++) {
    const uint32_t client = client_at(show, i, listed);
    char text[FED__CLIENT_NAME_BYTES];
    json_t *json =
        json_pack("{s:s, s:I}", "name", fed__partition_name(show->partition, client, text),
                  "examples", (json_int_t)summary->clients[client].size);
    if (has_noise(show)) json_object_set_new(json, "noise", json_real(noise_of(show, client)));
    if (summary->classes) {
      fed__partition_summary_counts(summary, client, counts);
      json_object_set_new(json, "distance", json_real(summary->clients[client].distance));
      json_object_set_new(json, "classes", counts_json(counts, summary->classes));
    }
    json_array_append_new(list, json);
  }
  return list;
}

static int print_json(const struct show *show, uint64_t *counts) {
  const struct fed__partition_summary *summary = &show->summary;
  json_t *json = json_pack(
      "{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "job", show->job->name,
      "partition", show->description, "noise", show->job->simulate.partition.noise, "seed",
      (json_int_t)show->job->seed, "clients", (json_int_t)show->partition->client_count, "examples",
      (json_int_t)show->partition->example_count, "divided", (json_int_t)summary->divided_count,
      "client_examples", spread_json(&summary->sizes), "client_classes",
      spread_json(&summary->class_counts), "client_distance", spread_json(&summary->distances),
      "classes", counts_json(summary->totals, summary->classes), "listed",
      clients_json(show, counts));
  char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(json);
  if (!text) return FED_RAISE(FED_E_MEMORY, "out of memory for the partition's JSON");
  printf("%s\n", text);
  free(text); /* jansson's */
  return FED_OK;
}

/* ---- as a page ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* What the page looks at beside the summary. */
struct page_parts {
  struct fed__partition_row rows[ROWS_MAX];
  char names[ROWS_MAX][FED__CLIENT_NAME_BYTES];
  uint64_t *counts; /* by row and class */
  double *sizes, *distances;
};

static void fill_rows(const struct show *show, struct page_parts *parts, uint32_t rows) {
  for (uint32_t i = 0; i < rows; i++) {
    const uint32_t client = client_at(show, i, rows);
    uint64_t *counts = parts->counts + (size_t)i * show->summary.classes;
    fed__partition_summary_counts(&show->summary, client, counts);
    parts->rows[i] = (struct fed__partition_row){
        fed__partition_name(show->partition, client, parts->names[i]),
        (double)show->summary.clients[client].size, show->summary.clients[client].distance, counts};
  }
}

static size_t fill_sorted(const struct show *show, struct page_parts *parts) {
  const uint32_t clients = show->partition->client_count;
  size_t count = 0;
  for (uint32_t c = 0; c < clients; c++) {
    parts->sizes[c] = (double)show->summary.clients[c].size;
    if (show->summary.classes && show->summary.clients[c].size)
      parts->distances[count++] = show->summary.clients[c].distance;
  }
  qsort(parts->sizes, clients, sizeof *parts->sizes, compare);
  qsort(parts->distances, count, sizeof *parts->distances, compare);
  return count;
}

static int write_parts(const struct show *show, struct page_parts *parts, struct fed_buffer *html) {
  const struct fed__partition_summary *summary = &show->summary;
  const uint32_t clients = show->partition->client_count, rows = at_most(clients, ROWS_MAX);
  fill_rows(show, parts, rows);
  const struct fed__partition_page page = {.title = show->job->name,
                                           .partition = show->description,
                                           .client_count = clients,
                                           .example_count = (double)show->partition->example_count,
                                           .divided_count = (double)summary->divided_count,
                                           .classes = summary->classes,
                                           .mean_distance = summary->distances.mean,
                                           .worst_distance = summary->distances.highest,
                                           .rows = parts->rows,
                                           .row_count = rows,
                                           .totals = summary->totals,
                                           .distance_count = fill_sorted(show, parts),
                                           .noise = show->job->simulate.partition.noise,
                                           .sizes = parts->sizes,
                                           .distances = parts->distances};
  return fed__partition_page_write(summary->context, &page, html);
}

static int make_page(const struct show *show, struct fed_buffer *html) {
  const struct fed_context *context = show->summary.context;
  const size_t clients = show->partition->client_count;
  struct page_parts *parts = fed__zalloc(context, 1, sizeof *parts);
  int code = FED_E_MEMORY;
  if (!parts) return FED_E_MEMORY;
  parts->counts =
      fed__zalloc(context, (size_t)ROWS_MAX * show->summary.classes + 1, sizeof *parts->counts);
  parts->sizes = fed__zalloc(context, clients, sizeof *parts->sizes);
  parts->distances = fed__zalloc(context, clients, sizeof *parts->distances);
  if (parts->counts && parts->sizes && parts->distances) code = write_parts(show, parts, html);
  fed__free(context, parts->counts);
  fed__free(context, parts->sizes);
  fed__free(context, parts->distances);
  fed__free(context, parts);
  return code;
}

static int write_page(const struct show *show) {
  const char *folder = fed__option_text(show->invocation, "out");
  struct fed_buffer html;
  FED_TRY(fed__folder_make(folder));
  fed_buffer_init(&html, show->summary.context, (size_t)1 << 30);
  int code = make_page(show, &html);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "partition.html", fed_buffer_slice(&html), FED__FILE_SHARED);
  fed_buffer_clear(&html);
  if (code == FED_OK && !show->invocation->json && !show->invocation->quiet)
    printf("\n%s/partition.html\n", folder);
  return code;
}

/* ---- all ------------------------------------------------------------------------------------ */

static int show_summary(const struct show *show) {
  uint64_t *counts =
      fed__zalloc(show->summary.context, (size_t)show->summary.classes + 1, sizeof *counts);
  int code = FED_OK;
  if (!counts) return FED_E_MEMORY;
  if (show->invocation->json) {
    code = print_json(show, counts);
  } else {
    print_totals(show);
    print_clients(show, counts);
  }
  fed__free(show->summary.context, counts);
  return code == FED_OK ? write_page(show) : code;
}

static int summarise(struct show *show, struct fed_examples *examples, int64_t *labels) {
  const struct fed__dataset_schema *schema = &show->job->data.schema;
  if (labels)
    FED_TRY(
        fed__dataset_labels(show->job->context, schema, examples, NULL, examples->count, labels));
  FED_TRY(
      fed__partition_summary_init(show->partition, labels, schema->target.classes, &show->summary));
  const int code = show_summary(show);
  fed__partition_summary_clear(&show->summary);
  return code;
}

int fed__simulate_partition_show(const struct fed__invocation *invocation,
                                 const struct fed__job *job, const struct fed__partition *partition,
                                 struct fed_examples *examples) {
  struct show show = {.invocation = invocation, .job = job, .partition = partition};
  const int has_classes = job->data.schema.target.kind == FED__TARGET_CLASS;
  struct fed_buffer description;
  int64_t *labels = NULL;
  fed_buffer_init(&description, job->context, 65536);
  int code = fed__partition_print(job, &description);
  if (code == FED_OK && !(show.description = fed_buffer_text(&description))) code = FED_E_MEMORY;
  if (code == FED_OK && has_classes &&
      !(labels = fed__alloc(job->context, examples->count * sizeof *labels)))
    code = FED_E_MEMORY;
  if (code == FED_OK) code = summarise(&show, examples, labels);
  fed__free(job->context, labels);
  fed_buffer_clear(&description);
  return code;
}
