/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_tables.c: JSON to rows of cells.
 */
#include "programs/simulate_tables.h"
#include "base/raise.h"

#include <string.h>

#define SPREAD(of)                                                                                 \
  of ".mean", of ".deviation", of ".lowest", of ".p5", of ".p25", of ".median", of ".p75",         \
      of ".p95", of ".highest", of ".lowest_tenth", of ".highest_tenth", of ".jain"

static const char *const round_heads[] = {"round",
                                          "attempt",
                                          "kind",
                                          "failure",
                                          "virtual_s",
                                          "seconds",
                                          "down_bytes",
                                          "up_bytes",
                                          "cohort",
                                          "reported",
                                          "diverged",
                                          "clamped",
                                          "trouble.late",
                                          "trouble.repeated",
                                          "trouble.lost",
                                          "trouble.delayed",
                                          "trouble.reordered",
                                          "trouble.dropped_out",
                                          "trouble.went_away",
                                          "trouble.client_crashes",
                                          "trouble.server_crashes",
                                          "trained.examples",
                                          "trained.loss",
                                          "trained.accuracy",
                                          "evaluated.examples",
                                          "evaluated.loss",
                                          "evaluated.accuracy",
                                          "tested.examples",
                                          "tested.loss",
                                          "tested.accuracy",
                                          "tested.recall",
                                          "tested.precision",
                                          "tested.auc",
                                          "tested.average_precision",
                                          "tested.lowest_recall",
                                          "drift.mean",
                                          "drift.largest",
                                          "drift.step",
                                          "drift.agreement",
                                          "clients.version",
                                          "clients.loss.clients",
                                          SPREAD("clients.accuracy"),
                                          SPREAD("clients.loss"),
                                          NULL};

static const char *const client_heads[] = {
    "client", "train_examples", "held_out_examples", "rounds", "accuracy", "loss", NULL};

/* ---- cells ---------------------------------------------------------------------------------- */

/* The member at "a.b.c"; NULL: there is none. */
static const json_t *member(const json_t *json, const char *path) {
  char key[64];
  while (json && *path) {
    const size_t length = strcspn(path, ".");
    snprintf(key, sizeof key, "%.*s", (int)length, path);
    json = json_object_get(json, key);
    path += length + (path[length] == '.');
  }
  return json;
}

static int put_text(struct fed_buffer *out, const char *text) {
  if (!text[strcspn(text, ",\"\r\n")]) return fed_buffer_print(out, "%s", text);
  FED_TRY(fed_buffer_print(out, "\""));
  for (; *text; text++) FED_TRY(fed_buffer_print(out, *text == '"' ? "\"\"" : "%c", *text));
  return fed_buffer_print(out, "\"");
}

static int put_value(struct fed_buffer *out, const json_t *value) {
  if (json_is_integer(value))
    return fed_buffer_print(out, "%lld", (long long)json_integer_value(value));
  if (json_is_real(value)) return fed_buffer_print(out, "%.9g", json_real_value(value));
  return json_is_string(value) ? put_text(out, json_string_value(value)) : FED_OK;
}

static int put_heads(struct fed_buffer *out, const char *const *heads) {
  for (size_t i = 0; heads[i]; i++) FED_TRY(fed_buffer_print(out, "%s%s", i ? "," : "", heads[i]));
  return fed_buffer_print(out, "\r\n");
}

static int put_row(struct fed_buffer *out, const char *const *heads, const json_t *row) {
  for (size_t i = 0; heads[i]; i++) {
    if (i) FED_TRY(fed_buffer_print(out, ","));
    FED_TRY(put_value(out, member(row, heads[i])));
  }
  return fed_buffer_print(out, "\r\n");
}

/* ---- tables --------------------------------------------------------------------------------- */

static int put_line(struct fed_buffer *out, const char *start, size_t length) {
  json_t *round = json_loadb(start, length, 0, NULL);
  const int code = round ? put_row(out, round_heads, round) : FED_OK;
  json_decref(round);
  return code;
}

int fed__metrics_csv_encode(struct fed_slice lines, struct fed_buffer *out) {
  const char *at = (const char *)lines.data, *end = at + lines.size;
  FED_TRY(put_heads(out, round_heads));
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const size_t length = newline ? (size_t)(newline - at) : (size_t)(end - at);
    FED_TRY(put_line(out, at, length));
    at += length + 1;
  }
  return FED_OK;
}

int fed__clients_csv_encode(const json_t *details, struct fed_buffer *out) {
  const json_t *client;
  size_t index;
  FED_TRY(put_heads(out, client_heads));
  json_array_foreach(json_object_get(details, "clients"), index, client)
      FED_TRY(put_row(out, client_heads, client));
  return FED_OK;
}

static int put_matrix(const struct fed__job *job, const char *of, const json_t *matrix,
                      struct fed_buffer *out) {
  const json_t *row, *count;
  size_t class, named;
  char text[16];
  json_array_foreach(matrix, class, row) {
    FED_TRY(fed_buffer_print(out, "%s,", of));
    FED_TRY(put_text(out, fed__class_name(job, (uint32_t) class, text)));
    json_array_foreach(row, named, count) {
      FED_TRY(fed_buffer_print(out, ","));
      FED_TRY(put_value(out, count));
    }
    FED_TRY(fed_buffer_print(out, "\r\n"));
  }
  return FED_OK;
}

int fed__confusion_csv_encode(const struct fed__job *job, const json_t *details,
                              struct fed_buffer *out) {
  const json_t *test = json_object_get(details, "test");
  const json_t *held_out = json_object_get(details, "held_out");
  const size_t classes = json_array_size(json_is_array(test) ? test : held_out);
  char text[16];
  FED_TRY(fed_buffer_print(out, "rows,class"));
  for (uint32_t i = 0; i < classes; i++) {
    FED_TRY(fed_buffer_print(out, ","));
    FED_TRY(put_text(out, fed__class_name(job, i, text)));
  }
  FED_TRY(fed_buffer_print(out, "\r\n"));
  FED_TRY(put_matrix(job, "test", test, out));
  return put_matrix(job, "held_out", held_out, out);
}
