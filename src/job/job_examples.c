/* SPDX-License-Identifier: Apache-2.0
 *
 * job_examples.c: from a job and a folder to rows that are ready for training.
 */
#include "job/job_examples.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

static int split_rows(const struct fed__job *job, const char *owner,
                      struct fed__job_examples *opened) {
  struct fed_rng rng;
  fed__rng_init(&rng, job->seed, "holdout", fed__name_number(owner), 0);
  return fed__split_holdout(opened->context, opened->examples->count, job->data.holdout,
                            fed__rng_next(&rng), &opened->split);
}

static int check_enough(const struct fed__job *job, const struct fed__job_examples *opened) {
  const size_t count = opened->examples->count;
  if (opened->split.train_count == 0)
    return FED_RAISE(FED_E_EMPTY, "no examples are left for training after holding out %g of %zu",
                     job->data.holdout, count);
  if (count < job->data.examples_min)
    return FED_RAISE(FED_E_EMPTY, "this site has %zu examples, the job wants at least %llu", count,
                     (unsigned long long)job->data.examples_min);
  return FED_OK;
}

static int open_all(const struct fed__job *job, const char *folder, const char *owner,
                    struct fed__job_examples *opened) {
  const struct fed__dataset_schema *schema = &job->data.schema;
  FED_TRY(fed__dataset_open(opened->context, folder, schema, &opened->examples));
  FED_TRY(split_rows(job, owner, opened));
  FED_TRY(check_enough(job, opened));
  return fed__dataset_row_weights(opened->context, schema, opened->examples, opened->split.train,
                                  opened->split.train_count, &opened->row_weights);
}

int fed__job_examples_open(const struct fed__job *job, const char *folder, const char *owner,
                           struct fed__job_examples *opened) {
  *opened = (struct fed__job_examples){.context = job->context};
  if (!job->data.name) return FED_OK;
  const int code = open_all(job, folder, owner, opened);
  if (code != FED_OK) fed__job_examples_close(opened);
  return code;
}

void fed__job_examples_close(struct fed__job_examples *opened) {
  if (!opened->context) return;
  fed_examples_free(opened->examples);
  fed__split_clear(&opened->split);
  fed__free(opened->context, opened->row_weights);
  *opened = (struct fed__job_examples){0};
}
