/* SPDX-License-Identifier: Apache-2.0
 *
 * device_trace.c: rows of figures, and who has which.
 */
#include "simulate/device_trace.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "simulate/client_index.h"
#include "simulate/trace_file.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400
#define ROWS_MAX 100000000

enum column {
  CLIENT,
  SPEED,
  MEMORY,
  BANDWIDTH_DOWN,
  BANDWIDTH_UP,
  LATENCY,
  DROP_OUT,
  AVAILABLE_FROM,
  AVAILABLE_TO,
  COLUMN_COUNT
};

static const struct fed__trace_column columns[] = {[CLIENT] = {"client", 0, 0},
                                                   [SPEED] = {"speed", 1e12, 0},
                                                   [MEMORY] = {"memory", 1e18, 0},
                                                   [BANDWIDTH_DOWN] = {"bandwidth_down", 1e18, 0},
                                                   [BANDWIDTH_UP] = {"bandwidth_up", 1e18, 0},
                                                   [LATENCY] = {"latency", DAY_S, 0},
                                                   [DROP_OUT] = {"drop_out", 1, 0},
                                                   [AVAILABLE_FROM] = {"available_from", DAY_S, 0},
                                                   [AVAILABLE_TO] = {"available_to", DAY_S, 0}};

struct reading {
  struct fed__devices *devices;
  const struct fed__partition *clients;
  struct fed__trace_file file;
  struct fed__client_index index;
  size_t capacity;
};

/* ---- rows ----------------------------------------------------------------------------------- */

static int read_figures(const struct fed__trace_file *file, struct fed__device_row *row) {
  struct fed__device *device = &row->device;
  double *const figures[COLUMN_COUNT] = {[SPEED] = &device->speed,
                                         [MEMORY] = &device->memory,
                                         [BANDWIDTH_DOWN] = &device->bandwidth_down,
                                         [BANDWIDTH_UP] = &device->bandwidth_up,
                                         [LATENCY] = &device->latency_s,
                                         [DROP_OUT] = &device->drop_out,
                                         [AVAILABLE_FROM] = &row->from_s,
                                         [AVAILABLE_TO] = &row->to_s};
  for (size_t i = SPEED; i < COLUMN_COUNT; i++)
    FED_TRY(fed__trace_file_number(file, i, figures[i]));
  if ((row->from_s < 0) != (row->to_s < 0))
    return fed__trace_file_raise(file, row->from_s < 0 ? AVAILABLE_FROM : AVAILABLE_TO,
                                 FED_E_MISSING, "the other end of the device's time of day, too");
  return FED_OK;
}

static int make_room(struct reading *reading) {
  struct fed__devices *devices = reading->devices;
  if (devices->row_count < reading->capacity) return FED_OK;
  if (reading->capacity >= ROWS_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%s: more than %d rows", reading->file.path, ROWS_MAX);
  const size_t capacity = reading->capacity ? 2 * reading->capacity : 64;
  struct fed__device_row *moved =
      fed__resize(devices->context, devices->rows, capacity, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  devices->rows = moved;
  reading->capacity = capacity;
  return FED_OK;
}

/* The row that was read last belongs to the client that it names, if there is one. */
static int give_by_name(struct reading *reading) {
  const struct fed__trace_file *file = &reading->file;
  struct fed__devices *devices = reading->devices;
  if (!file->place[CLIENT]) return FED_OK;
  const char *text = fed__trace_file_text(file, CLIENT);
  if (!text) return fed__trace_file_raise(file, CLIENT, FED_E_MISSING, "a client's name");
  const uint32_t client = fed__client_index_find(&reading->index, text);
  if (client == FED__CLIENT_NONE) return FED_OK;
  if (devices->row_of[client] != FED__CLIENT_NONE)
    return fed__trace_file_raise(file, CLIENT, FED_E_DUPLICATE, "a client that has no row yet");
  devices->row_of[client] = (uint32_t)devices->row_count;
  return FED_OK;
}

static int read_rows(struct reading *reading) {
  struct fed__devices *devices = reading->devices;
  int found;
  for (;;) {
    FED_TRY(fed__trace_file_next(&reading->file, &found));
    if (!found) break;
    FED_TRY(make_room(reading));
    FED_TRY(read_figures(&reading->file, &devices->rows[devices->row_count]));
    FED_TRY(give_by_name(reading));
    devices->row_count++;
  }
  if (devices->row_count == 0)
    return FED_RAISE(FED_E_EMPTY, "'%s' has no rows: expected one for each device",
                     reading->file.path);
  return FED_OK;
}

/* ---- who has which -------------------------------------------------------------------------- */

/* All rows in one order, then all in another, and so on, as far as there are clients. */
static int deal(struct fed__devices *devices, uint32_t client_count) {
  const size_t rows = devices->row_count;
  uint32_t *order = fed__alloc(devices->context, rows * sizeof *order);
  if (!order) return FED_E_MEMORY;
  for (size_t i = 0; i < rows; i++) order[i] = (uint32_t)i;
  for (size_t client = 0; client < client_count; client += rows) {
    const size_t left = client_count - client;
    struct fed_rng rng;
    fed__rng_init(&rng, devices->seed, "device.trace", client, 0);
    fed__rng_shuffle(&rng, order, rows);
    memcpy(devices->row_of + client, order, (left < rows ? left : rows) * sizeof *order);
  }
  fed__free(devices->context, order);
  return FED_OK;
}

static int check_all_have_one(const struct reading *reading) {
  char name[FED__CLIENT_NAME_BYTES];
  for (uint32_t client = 0; client < reading->clients->client_count; client++)
    if (reading->devices->row_of[client] == FED__CLIENT_NONE)
      return FED_RAISE(FED_E_MISSING,
                       "%s: no row for client '%s'; without a column 'client' the rows are dealt "
                       "out",
                       reading->file.path, fed__partition_name(reading->clients, client, name));
  return FED_OK;
}

static int read_and_give(struct reading *reading) {
  const uint32_t count = reading->clients->client_count;
  struct fed__devices *devices = reading->devices;
  devices->row_of = fed__alloc(devices->context, count * sizeof *devices->row_of);
  if (!devices->row_of) return FED_E_MEMORY;
  memset(devices->row_of, 0xff, count * sizeof *devices->row_of);
  FED_TRY(read_rows(reading));
  if (reading->file.place[CLIENT]) return check_all_have_one(reading);
  return deal(devices, count);
}

int fed__device_trace_read(struct fed__devices *devices, const struct fed__partition *clients) {
  struct reading reading = {.devices = devices, .clients = clients};
  FED_TRY(fed__trace_file_open(devices->context, devices->settings->trace, columns, COLUMN_COUNT,
                               &reading.file));
  int code = reading.file.place[CLIENT] ? fed__client_index_init(&reading.index, clients) : FED_OK;
  if (code == FED_OK) code = read_and_give(&reading);
  fed__client_index_clear(&reading.index);
  fed__trace_file_close(&reading.file);
  return code;
}
