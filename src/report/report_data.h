/* SPDX-License-Identifier: Apache-2.0
 *
 * report_data.h: a job as series: by version, by client, and what went wrong, read from its
 * events. A number that is not known is NAN here and never printed.
 *
 * Round r makes version r; version 0 is the start. The clients of round r measure version r - 1
 * on their held-out rows before they train it, so a version's `held_out` comes from the next
 * round.
 */
#ifndef FED_REPORT_DATA_H
#define FED_REPORT_DATA_H

#include "report/report.h"

#include <jansson.h>

struct fed__report_version {
  int committed; /* the round that makes it has ended well */
  int64_t committed_ms;
  uint32_t attempts, cohort, reported, lost; /* lost: clients failed in the round */
  double seconds, bytes_up, bytes_down;
  double train_loss, test_accuracy, test_loss; /* server's test set */
  double held_out, held_out_loss;              /* over all held-out rows of the cohort */
  double worst, best;                          /* of the single clients */
  /* of simulations */
  double virtual_s, bytes_so_far;   /* when it was made, of both ways */
  double p5, p25, median, p75, p95; /* of single clients' accuracies, or losses without those */
  double spread_clients;            /* so many of them */
  double drift, drift_largest, agreement;
};

struct fed__report_client {
  char *name;
  double examples;       /* it trains on */
  double accuracy;       /* its newest measure on held-out rows */
  uint64_t version;      /* that it measured then */
  double local_accuracy; /* of a model of its data alone, on the test set: not held-out rows */
  double loss, held_out; /* of simulations: its newest loss, rows that it holds out */
  double train_s_sum;    /* over its answers */
  double peak_bytes;     /* largest */
  uint64_t answers, failures, clamped;
  int refused;
  double *labels; /* label_count counts, from the summary; or NULL */
};

enum fed__report_trouble {
  FED__TROUBLE_INTERRUPTED, /* round.void: the server was restarted */
  FED__TROUBLE_ROUND,       /* round.failed */
  FED__TROUBLE_CLIENT,      /* client.failed */
  FED__TROUBLE_REFUSED,     /* client.refused */
  FED__TROUBLE_KINDS,
};

struct fed__report_incident {
  enum fed__report_trouble kind;
  int64_t time_ms;
  uint64_t round; /* 0: none */
  char *client;   /* or NULL */
  char *text;
};

struct fed__report_baseline {
  const char *name;      /* the summary's */
  double accuracy, loss; /* NAN: not said */
};

#define FED__REPORT_VERSIONS_MAX 100000
#define FED__REPORT_CLIENTS_MAX 100000
#define FED__REPORT_INCIDENTS_MAX 1000 /* kept; all are counted */
#define FED__REPORT_BASELINES_MAX 16
#define FED__REPORT_LABELS_MAX 64

struct fed__report_data {
  const struct fed_context *context;
  json_t *record, *summary; /* objects, owned; summary may be NULL, a simulation has no record */
  json_t *details;          /* of a simulation: matrices, clients; or NULL */
  int is_simulated;
  json_t *client_numbers; /* name -> index into clients, owned */
  json_t *failures;       /* of a simulation: reason -> failed attempts, owned; or NULL */

  struct fed__report_version *versions; /* by number, from 0 */
  size_t version_count, version_capacity;
  struct fed__report_client *clients; /* by first appearance */
  size_t client_count, client_capacity;
  struct fed__report_incident *incidents;
  size_t incident_count, incident_capacity;
  uint64_t trouble[FED__TROUBLE_KINDS];
  struct fed__report_baseline baselines[FED__REPORT_BASELINES_MAX];
  size_t baseline_count, label_count;

  uint64_t newest;         /* the newest committed version */
  uint64_t rounds_wanted;  /* 0: unknown */
  double model_parameters; /* numbers in the model */
  char precision[8];       /* of training: "f32", "bf16" … */
  double reduced_accuracy; /* of the last version that was measured in that precision, too */
  uint64_t reduced_version;
  int64_t first_ms, last_ms;
  uint64_t event_count, skipped_count; /* lines understood, lines left out */
  uint64_t last_number;
};

FED_MUST int fed__report_data_init(struct fed__report_data *data, const struct fed_context *context,
                                   const struct fed__report_input *input);
void fed__report_data_clear(struct fed__report_data *data);

/* A simulation, from what its folder holds (report_run_data.c). */
FED_MUST int fed__report_data_init_run(struct fed__report_data *data,
                                       const struct fed_context *context,
                                       const struct fed__run_input *run);

/* The version of that number, which is made with all before it. FED_E_MEMORY. */
FED_MUST int fed__report_version_at(struct fed__report_data *data, uint64_t number,
                                    struct fed__report_version **version);

/* The client of this name, made if new; NULL when out of memory or of numbers. */
struct fed__report_client *fed__report_client(struct fed__report_data *data, const char *name);

/* Baselines, labels and local accuracies into the data (report_summary.c). */
FED_MUST int fed__report_take_summary(struct fed__report_data *data, struct fed_slice text);

/* The summary's baselines, each {"name", "accuracy", "loss"}. */
void fed__report_take_baselines(struct fed__report_data *data);

/* A member as a number at least 0 and at most `max`; NAN if it is anything else. */
double fed__report_number(const json_t *object, const char *key, double max);

/* The same from -max: losses can be below zero. */
double fed__report_signed(const json_t *object, const char *key, double max);

/* A member as text; `otherwise` if it is anything else. */
const char *fed__report_text(const json_t *object, const char *key, const char *otherwise);

#endif
