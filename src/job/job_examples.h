/* SPDX-License-Identifier: Apache-2.0
 *
 * job_examples.h: a data owner's examples as a job wants them: opened and checked, with the part
 * that is held out for evaluation, and how often each row is drawn. The one way from a job to what
 * fed_train_epochs and fed_evaluate take, for agents and for training in one place.
 */
#ifndef FED_JOB_JOB_EXAMPLES_H
#define FED_JOB_JOB_EXAMPLES_H

#include "data/split.h"
#include "job/job.h"

struct fed__job_examples {
  const struct fed_context *context;
  struct fed_examples *examples; /* NULL: the job needs none */
  struct fed__split split;
  double *row_weights; /* of the rows of split.train, for struct fed_epochs; NULL: all alike */
};

/* Open what the job declares below `folder`. Which rows are held out follows from the job's seed
 * and the owner's name. FED_E_EMPTY if nothing is left to train on, or less than data.examples_min;
 * the errors of fed__dataset_open. After a failure there is nothing to close. The job must outlive
 * the examples. */
FED_MUST int fed__job_examples_open(const struct fed__job *job, const char *folder,
                                    const char *owner, struct fed__job_examples *opened);
/* Which of an owner's rows are held out: from the job's seed and the owner's name. */
FED_MUST int fed__job_hold_out(const struct fed__job *job, const char *owner, size_t count,
                               struct fed__split *split);

/* Open the job's test set: evaluate.test.folder, below `base` unless it is absolute, in the form of
 * the agents' data. NULL if the job has none. FED_E_UNSUPPORTED for more than one input. */
FED_MUST int fed__job_test_set_open(const struct fed__job *job, const char *base,
                                    struct fed_examples **examples);

void fed__job_examples_close(struct fed__job_examples *opened);

#endif
