/* SPDX-License-Identifier: Apache-2.0
 *
 * job.h: what a job file says, as one struct: read and checked once, then only looked at. The
 * server and every agent read the same bytes (the "plan", named by its hash), so nothing about a
 * job exists outside of it. docs/job-file.md is the manual, made from the same table of settings
 * that reads the file.
 */
#ifndef FED_JOB_H
#define FED_JOB_H

#include "crypto/certificate.h"
#include "data/dataset.h"
#include "fed/train.h"

enum fed__job_weights { FED__WEIGHTS_EXAMPLES, FED__WEIGHTS_UNIFORM };
/* docs/algorithms.md says each in full; round/algorithm.c has their two halves. */
enum fed__job_algorithm {
  FED__ALGORITHM_FEDAVG,
  FED__ALGORITHM_FEDSGD,
  FED__ALGORITHM_FEDAVGM,
  FED__ALGORITHM_FEDPROX,
  FED__ALGORITHM_SCAFFOLD,
  FED__ALGORITHM_FEDNOVA,
  FED__ALGORITHM_FEDDYN,
  FED__ALGORITHM_FEDADAGRAD,
  FED__ALGORITHM_FEDADAM,
  FED__ALGORITHM_FEDYOGI,
  FED__ALGORITHM_FEDBUFF,
  FED__ALGORITHM_FEDASYNC,
  FED__ALGORITHM_COUNT
};

enum fed__job_metric { FED__METRIC_NONE, FED__METRIC_ACCURACY, FED__METRIC_LOSS };

/* How a simulation divides one data set among its clients: docs/simulate.md says each in full. */
enum fed__partition_kind {
  FED__PARTITION_IID,
  FED__PARTITION_DIRICHLET,
  FED__PARTITION_SHARDS,
  FED__PARTITION_LABELS,
  FED__PARTITION_POWER_LAW,
  FED__PARTITION_LOG_NORMAL,
  FED__PARTITION_DRAWN,
  FED__PARTITION_FEATURE,
  FED__PARTITION_SORTED,
  FED__PARTITION_COLUMN,
  FED__PARTITION_FOLDERS,
  FED__PARTITION_FILE,
};
struct fed__partition_settings {
  enum fed__partition_kind kind;
  double alpha;      /* dirichlet */
  uint32_t shards;   /* shards: of one client */
  uint32_t labels;   /* labels: of one client */
  double exponent;   /* power_law: the size of the n-th client is as n^-exponent */
  double sigma;      /* log_normal: of the logarithm of the size */
  uint32_t examples; /* drawn: of one client */
  uint32_t minimum;  /* dirichlet, column: examples that each client has at least */
  double noise;      /* feature, or besides any other: the last client's deviation */
  char **columns;    /* column: each combination of their values is a client; sorted: the one */
  size_t column_count;
  char *file; /* file */
};

/* Who is asked to take part in a round: round/selection/ has a file for each. */
enum fed__selection_kind {
  FED__SELECTION_UNIFORM,
  FED__SELECTION_POISSON,
  FED__SELECTION_WEIGHTED,
  FED__SELECTION_ROUND_ROBIN,
  FED__SELECTION_POWER_OF_CHOICE,
  FED__SELECTION_OORT,
  FED__SELECTION_AVAILABILITY,
  FED__SELECTION_STRATIFIED,
};
struct fed__selection_settings {
  enum fed__selection_kind kind;
  uint32_t pool;       /* clients that a draw waits for; 0: as many as are invited */
  uint32_t candidates; /* power_of_choice; 0: twice as many as are invited */
  double exploration, exploration_decay, exploration_floor; /* oort */
  double duration_s, penalty;                               /* oort */
  char **groups;                                            /* stratified: patterns of names */
  size_t group_count;
};

/* How a figure differs among the simulated devices whose settings give it a spread. */
enum fed__device_spread { FED__DEVICE_LOG_NORMAL, FED__DEVICE_UNIFORM };

/* What simulated devices are like, unless a trace says it: zeros take no time. */
struct fed__device_settings {
  enum fed__device_spread distribution;
  double speed; /* examples a second that go through a training step; 0: any number */
  double speed_spread;
  uint64_t memory; /* bytes that training may take; 0: any number */
  double memory_spread;
  uint64_t bandwidth_down, bandwidth_up; /* bytes a second; 0: any number */
  double bandwidth_spread;
  double latency_s; /* of each message */
  double latency_spread;
  double available;          /* the part of each day in which a device is there */
  double available_at_s;     /* the time of day around which it is */
  double available_within_s; /* that time differs among the devices within this span */
  double drop_out;           /* the part of tasks that never come back */
  char *trace;               /* a CSV file with a row a device; NULL: none */
  char *availability;        /* a CSV file with intervals by client; NULL: none */
  double availability_repeats_s;
};

/* What goes wrong in a simulation: parts of all cases, and durations. */
struct fed__fault_settings {
  double lost, resend_s;
  double duplicated, delayed, reordered, delay_s;
  double client_crash, client_restart_s;
  double server_crash, server_crash_waiting, server_restart_s;
};

/* At which clients a version is measured while a simulation runs. */
enum fed__evaluated_clients { FED__EVALUATED_COHORT, FED__EVALUATED_SAMPLE, FED__EVALUATED_ALL };
struct fed__client_evaluation {
  enum fed__evaluated_clients clients; /* cohort: what it finds of the version that it receives */
  uint32_t sample;
};

struct fed__job {
  const struct fed_context *context;
  uint32_t version;  /* of the job file's schema: 1 */
  char *name;        /* letters, digits, '-', '_' and '.', at most 64 */
  char *description; /* for people; may be empty */
  uint64_t seed;     /* of every random choice in the run */

  struct {
    char *file;       /* the ONNX file, relative to the job file */
    char *output;     /* the value of the graph that is the output; NULL: its first output */
    char **trainable; /* patterns, in place of the file's list or the rule */
    size_t trainable_count;
    char **frozen; /* these do not train after all */
    size_t frozen_count;
    struct fed_dimension *dimensions;
    size_t dimension_count;
    enum fed_statistics statistics;
    char **adapted; /* nodes that get an adapter */
    size_t adapted_count;
    uint32_t adapter_rank;
    double adapter_alpha;
  } model; /* the loss is among train.options */

  struct {
    char *name; /* of the data set at the agent, as its policy names it; NULL: the job needs none,
                   and the schema is empty */
    struct fed__dataset_schema schema; /* files, columns, types; strings owned by the job */
    double holdout;                    /* the part of each agent's rows kept for evaluation */
    uint64_t examples_min;             /* an agent with fewer is not eligible */
  } data;

  struct {
    char *trainer;                    /* "native", or the name of an external one in the policy */
    struct fed_train_options options; /* loss, optimiser, batch size, schedule … */
    uint32_t epochs;                  /* local epochs a round */
    uint64_t steps_max;               /* 0: no limit; a round that only moves bytes: epochs 0 */
  } train;

  struct {
    uint32_t count;        /* rounds of the run */
    uint32_t cohort;       /* clients wanted in each round */
    double over_selection; /* invite cohort * this many, to make up for drop-outs; 1.0: none */
    uint32_t minimum;      /* a round with fewer updates at the deadline fails */
    double deadline_s;     /* for the cohort to report */
    double back_off_s;     /* the wait after a failed round; doubles with each in a row */
    double back_off_max_s;
    uint32_t failures_max; /* so many failed rounds in a row end the job */
    double gather_s;       /* how long to wait for a full cohort before starting with the minimum */
    struct fed__selection_settings selection;
  } rounds;

  struct {
    double clip_norm;   /* clip the update to this L2 norm; 0: do not */
    uint32_t grid_bits; /* 8, 16 or 32: the width of an element on the wire */
    double grid_step;   /* the distance of two grid points; a power of two */
  } update;

  struct {
    enum fed__job_algorithm algorithm;
    double proximal;                 /* fedprox: mu */
    double regularizer;              /* feddyn: alpha */
    double beta1, beta2, adaptivity; /* fedadagrad, fedadam, fedyogi */
    uint32_t buffer;                 /* fedbuff: updates that make a version */
    uint32_t staleness_max;          /* fedbuff, fedasync: versions */
    double mixing;                   /* fedasync: alpha */
    uint32_t population; /* scaffold, feddyn: clients in all; 0: all that are enrolled */
    char *rule;          /* "mean" */
    enum fed__job_weights weights;
    uint64_t weight_max;         /* examples above this count as this many */
    double server_learning_rate; /* 1.0: the plain mean */
    double server_momentum;
  } aggregate;

  struct {
    uint32_t every;    /* evaluate the global model every so many rounds; 0: never */
    int federated;     /* on the agents' held-out rows */
    char *test_folder; /* a server test set (same schema), below the server's data folder, or
                          absolute; NULL: none */
    char *test_inputs, *test_target; /* its files; NULL: named as in the schema */
  } evaluate;

  struct {
    enum fed__job_metric metric;
    double at_least, at_most; /* stop when accuracy >= at_least, or loss <= at_most */
    double seconds;           /* 0: no limit */
  } stop;

  struct { /* of `fed simulate` only */
    uint32_t clients;
    struct fed__partition_settings partition;
    struct fed__device_settings device;
    struct fed__fault_settings faults;
    struct fed__client_evaluation evaluate;
    char **baselines; /* words: fed__baselines_wanted */
    size_t baseline_count;
  } simulate;
};

#define FED__CLIENTS_MAX 1000000 /* of a round, and of a simulation */
#define FED__JOB_BYTES_MAX ((size_t)1 << 20)

/* Read and check a job file. `name` is what messages call it ("job.yaml"); they give line and
 * column, what was expected and what was found. FED_E_SYNTAX, FED_E_TOO_LARGE, FED_E_EMPTY;
 * unknown keys FED_E_INPUT with the nearest valid name; FED_E_DUPLICATE, FED_E_MISSING, FED_E_TYPE,
 * FED_E_RANGE, FED_E_UNSUPPORTED (not one of the words); impossible combinations FED_E_INPUT. On
 * failure nothing is left to clear. */
FED_MUST int fed__job_parse(const struct fed_context *context, const char *name,
                            struct fed_slice yaml, struct fed__job *job);
void fed__job_clear(struct fed__job *job);

/* A setting by its dotted name, and its value as it would stand in the file: "train.learning_rate"
 * and "0.1", "model.frozen" and "[a, b]". */
struct fed__job_override {
  const char *key, *value;
  int is_implied; /* by another option: not one of those that were given */
};

/* The same with settings in place of those in the file, the last where one is named twice;
 * they are checked like the others. FED_E_INPUT for a name that no setting has, with the nearest.
 */
FED_MUST int fed__job_parse_with(const struct fed_context *context, const char *name,
                                 struct fed_slice yaml, const struct fed__job_override *overrides,
                                 size_t override_count, struct fed__job *job);

/* The words for them in a job file. */
const char *fed__job_algorithm_name(enum fed__job_algorithm algorithm);
const char *fed__job_precision_name(enum fed_precision precision);

/* The updates that make a version, where clients do not keep pace; 0: rounds in step. */
uint32_t fed__job_buffer(const struct fed__job *job);

/* How the job's model is to be loaded; borrows from the job. */
void fed__job_model_options(const struct fed__job *job, struct fed_model_options *options);

/* Every setting with its value here, its default, its unit and its meaning, as a table for people
 * or as a JSON array. `job` NULL: the defaults only. */
FED_MUST int fed__job_explain(const struct fed_context *context, const struct fed__job *job,
                              int json, struct fed_buffer *out);

/* What a data owner allows, from the agent's policy file: docs/policy.md. Same reader. */
struct fed__policy_dataset {
  char *name, *folder;
};
struct fed__policy_trainer {
  char *name;
  char **command; /* program and arguments, NULL-terminated */
  size_t command_count;
};
struct fed__policy {
  const struct fed_context *context;
  char **jobs; /* names of jobs that may run; '*' matches any run of characters */
  size_t job_count;
  char **plans; /* if any: only plans with these SHA-256 hashes may run */
  size_t plan_count;
  char **signers; /* if any: only jobs signed by these operators; '*' as in jobs */
  size_t signer_count;
  char **signer_keys; /* if any: only jobs signed with these keys, 64 hex digits each */
  size_t signer_key_count;
  struct fed__policy_dataset *datasets;
  size_t dataset_count;
  struct fed__policy_trainer *trainers;
  size_t trainer_count;
  uint32_t cohort_min;           /* refuse jobs whose minimum cohort is smaller */
  double clip_norm_max;          /* refuse jobs that do not clip to at most this; 0: no demand */
  int share_metrics;             /* may loss and accuracy leave? */
  uint64_t examples_counted_max; /* never report more examples than this; 0: no limit */
  uint64_t memory_bytes_max;     /* of a training process; 0: no limit */
  double cpu_s_max;              /* a round */
  double train_s_max;            /* wall clock of a round */
  uint64_t download_bytes_max, upload_bytes_max; /* a message */
  uint64_t network_bytes_per_s_max;              /* each way; 0: no limit */
  uint32_t hour_from, hour_to; /* train only between these local hours; equal: always */
};

FED_MUST int fed__policy_parse(const struct fed_context *context, const char *name,
                               struct fed_slice yaml, struct fed__policy *policy);
void fed__policy_clear(struct fed__policy *policy);
FED_MUST int fed__policy_explain(const struct fed_context *context,
                                 const struct fed__policy *policy, int json,
                                 struct fed_buffer *out);

/* FED_E_DENIED with the reason if the owner's policy forbids the job, else FED_OK. `plan` is the
 * job file's SHA-256 in hex; `signer` who signed it, verified; `hour` the local hour. Pure. */
FED_MUST int fed__policy_allows(const struct fed__policy *policy, const struct fed__job *job,
                                const char *plan, const struct fed__identity *signer,
                                uint32_t hour);

#endif
