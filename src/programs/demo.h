/* SPDX-License-Identifier: Apache-2.0
 *
 * demo.h: what the files of `fed demo` share: a federation of real processes in a scratch
 * folder, trained on real data while things go wrong, and measured beside its alternatives.
 *
 *   DIR/federation/       the server's folder     DIR/agents/client-1/ …   one folder an agent
 *   DIR/job/              job file and model      DIR/report.html, model.onnx, …   the results
 */
#ifndef FED_DEMO_H
#define FED_DEMO_H

#include "base/file.h"
#include "fed/train.h"
#include "job/job.h"
#include "programs/command.h"

#include <pthread.h>
#include <sys/types.h>

#define FED__DEMO_CLIENTS 10
#define FED__DEMO_CLASSES 10

struct fed__demo_process {
  char name[32];
  pid_t pid;           /* 0: not running */
  uint64_t peak_bytes; /* the most seen */
  int restarts;
};

struct fed__demo_client {
  size_t example_count;
  size_t label_counts[FED__DEMO_CLASSES];
  double accuracy;       /* of the final model on its held-out rows; below 0: not known */
  double local_accuracy; /* of a model of its own data only, on the test set */
  uint64_t trainer_peak_bytes;
};

struct fed__demo {
  struct fed__invocation *invocation;
  const struct fed_context *context;
  char folder[FED__PATH_MAX / 4], programs[FED__PATH_MAX / 4];
  const char *data_folder; /* Fashion-MNIST as the Debian package installs it */
  int quick, colour;
  uint64_t seed;
  char job_id[65];
  struct fed__job job;
  struct fed_buffer onnx; /* the model at the start */
  struct fed__demo_process server, agents[FED__DEMO_CLIENTS];
  struct fed__demo_client clients[FED__DEMO_CLIENTS];
  pthread_mutex_t lock; /* of the processes */
  int64_t started_us;
  pthread_t trouble;
  int trouble_started;
  _Atomic int job_over, ending;
  double federated_accuracy, centralised_accuracy, train_seconds;
  uint64_t bytes_up, bytes_down;
  long long rounds, interrupted_rounds;
};

/* `format` below the demo's folder. */
const char *fed__demo_path(const struct fed__demo *demo, char path[FED__PATH_MAX],
                           const char *format, ...) FED_PRINTF(3, 4);
/* "== 3.1 s  TITLE" on stderr or stdout, unless quiet. */
void fed__demo_step(const struct fed__demo *demo, const char *format, ...) FED_PRINTF(2, 3);
double fed__demo_seconds(const struct fed__demo *demo);

/* demo_data.c: split the training set over the clients, write each its part, and the test set. */
FED_MUST int fed__demo_split_data(struct fed__demo *demo);

/* demo_federation.c: folders, identities, the job file and the model. */
FED_MUST int fed__demo_create(struct fed__demo *demo);

/* demo_process.c */
FED_MUST int fed__demo_run(const struct fed__demo *demo, const char *const *words);
FED_MUST int fed__demo_start_server(struct fed__demo *demo);
FED_MUST int fed__demo_start_agent(struct fed__demo *demo, int index);
void fed__demo_kill(struct fed__demo_process *process);
void fed__demo_note_peaks(struct fed__demo *demo);
void fed__demo_stop_all(struct fed__demo *demo);

/* demo_trouble.c: kill one agent and the server while the job runs, and start them again. */
FED_MUST int fed__demo_trouble_start(struct fed__demo *demo);

/* demo_baselines.c: the same model on pooled data, and on each client's data alone. */
FED_MUST int fed__demo_baselines(struct fed__demo *demo);

/* demo_results.c: event log, models, summary.json, report.html; the table. */
FED_MUST int fed__demo_collect(struct fed__demo *demo);
FED_MUST int fed__demo_write_results(struct fed__demo *demo);
void fed__demo_print_results(const struct fed__demo *demo);

#endif
