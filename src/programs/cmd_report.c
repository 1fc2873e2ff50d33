/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_report.c: fed report.
 */
#include "base/file.h"
#include "base/raise.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"
#include "programs/simulate_compare.h"
#include "report/report.h"

#include <jansson.h>
#include <stdlib.h>

#define EVENTS_BYTES_MAX ((size_t)1 << 30)
#define PAGE_BYTES_MAX ((size_t)32 << 20)
#define ANSWER_MS 60000

/* ---- what the server knows ------------------------------------------------------------------ */

/* The number of the last event of a page; 0 for an empty page. */
static uint64_t last_number(struct fed_slice lines) {
  size_t end = lines.size, start;
  while (end && lines.data[end - 1] == '\n') end--;
  for (start = end; start && lines.data[start - 1] != '\n';) start--;
  json_t *event = json_loadb((const char *)lines.data + start, end - start, 0, NULL);
  const json_int_t number = json_integer_value(json_object_get(event, "number"));
  json_decref(event);
  return number > 0 ? (uint64_t)number : 0;
}

static int fetch_page(struct fed__http_client *client, const char *job, uint64_t *after,
                      struct fed_buffer *events) {
  struct fed_buffer page;
  char path[256];
  snprintf(path, sizeof path, "/v1/jobs/%.100s/events?after=%llu", job, (unsigned long long)*after);
  fed_buffer_init(&page, events->context, PAGE_BYTES_MAX);
  int code = fed__federation_get(client, path, ANSWER_MS, &page);
  const uint64_t last = code == FED_OK && page.size ? last_number(fed_buffer_slice(&page)) : 0;
  if (code == FED_OK && page.size && last <= *after)
    code = FED_RAISE(FED_E_PROTOCOL,
                     "the server's answer to %s does not end with a later event; is it this "
                     "version's server?",
                     path);
  if (code == FED_OK && page.size) code = fed_buffer_append(events, page.data, page.size);
  fed_buffer_clear(&page);
  *after = last;
  return code;
}

static int fetch_events(struct fed__http_client *client, const char *job,
                        struct fed_buffer *events) {
  uint64_t after = 0;
  do FED_TRY(fetch_page(client, job, &after, events));
  while (after);
  return FED_OK;
}

static int fetch(struct fed__invocation *invocation, const char *job, struct fed_buffer *record,
                 struct fed_buffer *events) {
  struct fed__http_client *client = NULL;
  char path[128];
  snprintf(path, sizeof path, "/v1/jobs/%.100s", job);
  FED_TRY(fed__operator_connect(invocation->context, fed__option_text(invocation, "dir"), &client));
  int code = fed__federation_get(client, path, ANSWER_MS, record);
  if (code == FED_OK) code = fetch_events(client, job, events);
  fed__http_client_free(client);
  return code;
}

/* ---- the page ------------------------------------------------------------------------------- */

static void tell_page(const struct fed__invocation *invocation, const char *file, size_t size) {
  if (invocation->json) {
    json_t *answer = json_pack("{s:s, s:I}", "file", file, "bytes", (json_int_t)size);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    printf("%s\n", text ? text : "{}");
    free(text); /* jansson's */
    json_decref(answer);
  } else if (!invocation->quiet) {
    printf("wrote %s (%zu kB); open it in a browser\n", file, size / 1000);
  }
}

static int write_job(struct fed__invocation *invocation, struct fed_buffer *html) {
  const char *summary_file = fed__option_text(invocation, "summary");
  struct fed_buffer record, events, summary;
  fed_buffer_init(&record, invocation->context, PAGE_BYTES_MAX);
  fed_buffer_init(&events, invocation->context, EVENTS_BYTES_MAX);
  fed_buffer_init(&summary, invocation->context, PAGE_BYTES_MAX);
  int code = summary_file ? fed__file_read(summary_file, &summary) : FED_OK;
  if (code == FED_OK) code = fetch(invocation, invocation->arguments[0], &record, &events);
  const struct fed__report_input input = {fed_buffer_slice(&record), fed_buffer_slice(&events),
                                          fed_buffer_slice(&summary)};
  if (code == FED_OK) code = fed__report_write(invocation->context, &input, html);
  fed_buffer_clear(&record);
  fed_buffer_clear(&events);
  fed_buffer_clear(&summary);
  return code;
}

static int write_page(struct fed__invocation *invocation, struct fed_buffer *html) {
  const size_t count = invocation->argument_count;
  if (fed__option_on(invocation, "compare"))
    return fed__simulate_compare(invocation->context, invocation->arguments, count, html);
  if (count == 1) return write_job(invocation, html);
  return FED_RAISE(FED_E_USAGE, "expected one job, found %zu; --compare takes several simulations",
                   count);
}

static int report(struct fed__invocation *invocation) {
  const char *file = fed__option_text(invocation, "out");
  struct fed_buffer html;
  fed_buffer_init(&html, invocation->context, PAGE_BYTES_MAX);
  int code = write_page(invocation, &html);
  if (code == FED_OK) code = fed__file_write_quick(file, fed_buffer_slice(&html), FED__FILE_SHARED);
  if (code == FED_OK) tell_page(invocation, file, html.size);
  fed_buffer_clear(&html);
  return code;
}

static const struct fed__option report_options[] = {
    FED__DIR_OPTION,
    {"out", "FILE", "the page to write", "report.html"},
    {"compare", NULL, "the arguments are folders of simulations: put them on one page", NULL},
    {"summary", "FILE", "JSON that `fed demo` wrote: baselines, labels, processes", NULL},
    {0}};
static const char *const report_examples[] = {
    "fed report fashion-cnn-1", "write report.html about a job, finished or running",
    "fed report --compare rates/*/ --out rates.html",
    "curves and final figures of several simulations; those that differ in nothing but the seed "
    "as mean and standard deviation",
    NULL};

const struct fed__command fed__report_commands[1] = {
    {"report", "JOB | --compare RUN RUN ...", "write an HTML page with plots about a job",
     "The page needs no network and no script, and nothing else has to be sent with it. A "
     "simulation writes a page of its own; --compare sets several beside each other, by their "
     "folders.",
     report_options, report_examples, 1, FED__COMPARED_RUNS_MAX, report},
};
