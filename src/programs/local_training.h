/* SPDX-License-Identifier: Apache-2.0
 *
 * local_training.h: a job's model trained in one place, step by step, with a log of losses and
 * checkpoints. A run that was stopped goes on from its last checkpoint bit for bit.
 *
 *   folder/  losses.jsonl  checkpoint.safetensors  model.onnx  model.safetensors
 */
#ifndef FED_LOCAL_TRAINING_H
#define FED_LOCAL_TRAINING_H

#include "crypto/hash.h"
#include "job/job_examples.h"
#include "train/class_metrics.h"
#include "train/epochs.h"

#include <stdio.h>

/* What happened in one epoch. */
struct fed__local_epoch {
  uint32_t number; /* from 1 */
  uint64_t steps;
  struct fed_metrics trained, evaluated;
};

struct fed__local_training {
  const struct fed_context *context;
  const struct fed__job *job;
  const char *folder;
  struct fed__digest identity; /* of the job file and the graph: a checkpoint's must be the same */
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed__job_examples data;
  struct fed_examples *test; /* another folder's; NULL: what `data` holds out, if anything */
  struct fed_epochs epochs;
  struct fed__walk walk;
  uint64_t checkpoint_steps;  /* after so many steps; 0: only … */
  uint32_t checkpoint_epochs; /* … after so many epochs; 0: at the end */
  FILE *log;

  uint64_t step;
  int64_t started_us;
  double seconds_before; /* spent before the checkpoint that this run began with */
  struct fed__local_epoch current;
  double rate; /* of the last step */
  struct fed_metrics last;

  /* Called after each step, and after each epoch (with its figures); either may be NULL. */
  void (*stepped)(struct fed__local_training *training);
  void (*epoch_ended)(struct fed__local_training *training, const struct fed__local_epoch *epoch);
  void *data_of_caller;
  int (*stopping)(void); /* asked after each step */
};

/* Begin at the first step, or where the checkpoint stands. FED_E_EXISTS, FED_E_NOT_FOUND,
 * FED_E_INPUT if the checkpoint is of another job, model, data or seed. `job`, `model`, `data`,
 * `trainer`, `epochs` … are set, and stay the caller's. */
FED_MUST int fed__local_training_begin(struct fed__local_training *training, int resume);

/* Train to the end, or until asked to stop; either way with a checkpoint of the last step. */
FED_MUST int fed__local_training_run(struct fed__local_training *training);

/* The model now, class by class, on what is evaluated after each epoch. classes 0: nothing is, or
 * there are no classes, or its outputs are not finite. The caller's to clear. */
FED_MUST int fed__local_training_classify(const struct fed__local_training *training,
                                          struct fed__classification *found);

/* Write model.onnx and model.safetensors. */
FED_MUST int fed__local_training_export(const struct fed__local_training *training);
void fed__local_training_end(struct fed__local_training *training);

double fed__local_training_seconds(const struct fed__local_training *training);

/* checkpoint.safetensors (local_checkpoint.c). */
FED_MUST int fed__local_checkpoint_write(const struct fed__local_training *training);
FED_MUST int fed__local_checkpoint_read(struct fed__local_training *training, uint64_t *log_bytes);

#endif
