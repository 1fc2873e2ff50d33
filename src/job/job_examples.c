/* SPDX-License-Identifier: Apache-2.0
 *
 * job_examples.c: from a job and a folder to rows that are ready for training.
 */
#include "job/job_examples.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include <string.h>

int fed__job_hold_out(const struct fed__job *job, const char *owner, size_t count,
                      struct fed__split *split) {
  struct fed_rng rng;
  fed__rng_init(&rng, job->seed, "holdout", fed__name_number(owner), 0);
  return fed__split_holdout(job->context, count, job->data.holdout, fed__rng_next(&rng), split);
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
  FED_TRY(fed__job_hold_out(job, owner, opened->examples->count, &opened->split));
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

/* The agents' schema with the test set's file names. */
static int open_test_set(const struct fed__job *job, const char *folder,
                         struct fed__input_schema *inputs, struct fed_examples **examples) {
  struct fed__dataset_schema schema = job->data.schema;
  const char *first = schema.inputs[0].file;
  for (size_t i = 0; i < schema.input_count; i++) {
    inputs[i] = schema.inputs[i];
    if (job->evaluate.test_inputs && first && inputs[i].file && !strcmp(inputs[i].file, first))
      inputs[i].file = job->evaluate.test_inputs;
  }
  if (job->evaluate.test_target) schema.target.file = job->evaluate.test_target;
  schema.inputs = inputs;
  return fed__dataset_open(job->context, folder, &schema, examples);
}

int fed__job_test_set_open(const struct fed__job *job, const char *base,
                           struct fed_examples **examples) {
  char folder[FED__PATH_MAX];
  *examples = NULL;
  if (!job->evaluate.test_folder || !job->evaluate.every) return FED_OK;
  FED_TRY(fed__path_join(folder, sizeof folder, base, job->evaluate.test_folder));
  const int absolute = job->evaluate.test_folder[0] == '/';
  struct fed__input_schema *inputs =
      fed__alloc(job->context, job->data.schema.input_count * sizeof *inputs);
  if (!inputs) return FED_E_MEMORY;
  const int code =
      open_test_set(job, absolute ? job->evaluate.test_folder : folder, inputs, examples);
  fed__free(job->context, inputs);
  return code == FED_OK ? code : FED_WRAP("the test set");
}

void fed__job_examples_close(struct fed__job_examples *opened) {
  if (!opened->context) return;
  fed_examples_free(opened->examples);
  fed__split_clear(&opened->split);
  fed__free(opened->context, opened->row_weights);
  *opened = (struct fed__job_examples){0};
}
