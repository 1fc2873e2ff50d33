/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_summary.c: two passes over the clients' rows: all classes' totals, then each client
 * beside them. Memory: some words a client and a class, never clients times classes.
 */
#include "simulate/partition_summary.h"
#include "base/memory.h"

#include <math.h>

static size_t size_of(const struct fed__partition *partition, uint32_t client) {
  return fed__partition_train_count(partition, client) +
         fed__partition_held_out_count(partition, client);
}

static void add_counts(const struct fed__partition_summary *summary, uint32_t client,
                       uint64_t *counts) {
  if (!summary->labels) return;
  const struct fed__client_rows rows =
      fed__partition_rows(summary->partition, client, summary->scratch);
  for (size_t i = 0; i < rows.train_count; i++) counts[summary->labels[rows.train[i]]]++;
  for (size_t i = 0; i < rows.held_out_count; i++) counts[summary->labels[rows.held_out[i]]]++;
}

void fed__partition_summary_counts(const struct fed__partition_summary *summary, uint32_t client,
                                   uint64_t *counts) {
  for (uint32_t k = 0; k < summary->classes; k++) counts[k] = 0;
  add_counts(summary, client, counts);
}

static void compare_mixtures(const struct fed__partition_summary *summary, const uint64_t *counts,
                             struct fed__client_summary *client) {
  double sum = 0;
  for (uint32_t k = 0; k < summary->classes; k++) {
    client->classes += counts[k] != 0;
    sum += fabs((double)counts[k] / (double)client->size -
                (double)summary->totals[k] / (double)summary->divided_count);
  }
  client->distance = sum / 2;
}

static void measure(struct fed__partition_summary *summary, uint64_t *counts, double *values) {
  const uint32_t clients = summary->partition->client_count;
  size_t measured = 0;
  for (uint32_t c = 0; c < clients; c++) {
    summary->clients[c].size = size_of(summary->partition, c);
    summary->divided_count += summary->clients[c].size;
    values[c] = (double)summary->clients[c].size;
    add_counts(summary, c, summary->totals);
  }
  fed__spread_of(values, clients, &summary->sizes);
  for (uint32_t c = 0; c < clients && summary->labels; c++) {
    if (!summary->clients[c].size) continue;
    fed__partition_summary_counts(summary, c, counts);
    compare_mixtures(summary, counts, &summary->clients[c]);
    values[measured] = summary->clients[c].classes;
    values[clients + measured++] = summary->clients[c].distance;
  }
  fed__spread_of(values, measured, &summary->class_counts);
  fed__spread_of(values + clients, measured, &summary->distances);
}

static int allocate(struct fed__partition_summary *summary) {
  const struct fed__partition *partition = summary->partition;
  const struct fed_context *context = summary->context;
  summary->clients = fed__zalloc(context, partition->client_count, sizeof *summary->clients);
  summary->totals = fed__zalloc(context, (size_t)summary->classes + 1, sizeof *summary->totals);
  summary->scratch =
      fed__zalloc(context, (size_t)partition->drawn_count + 1, sizeof *summary->scratch);
  return summary->clients && summary->totals && summary->scratch ? FED_OK : FED_E_MEMORY;
}

int fed__partition_summary_init(const struct fed__partition *partition, const int64_t *labels,
                                uint32_t classes, struct fed__partition_summary *summary) {
  const struct fed_context *context = partition->context;
  *summary = (struct fed__partition_summary){.context = context,
                                             .partition = partition,
                                             .labels = labels,
                                             .classes = labels ? classes : 0};
  int code = allocate(summary);
  uint64_t *counts = fed__zalloc(context, (size_t)summary->classes + 1, sizeof *counts);
  double *values = fed__zalloc(context, 2 * (size_t)partition->client_count, sizeof *values);
  if (!counts || !values) code = FED_E_MEMORY;
  if (code == FED_OK) measure(summary, counts, values);
  fed__free(context, counts);
  fed__free(context, values);
  if (code != FED_OK) fed__partition_summary_clear(summary);
  return code;
}

void fed__partition_summary_clear(struct fed__partition_summary *summary) {
  if (!summary->context) return;
  fed__free(summary->context, summary->clients);
  fed__free(summary->context, summary->totals);
  fed__free(summary->context, summary->scratch);
  *summary = (struct fed__partition_summary){0};
}
