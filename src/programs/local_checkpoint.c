/* SPDX-License-Identifier: Apache-2.0
 *
 * local_checkpoint.c: checkpoint.safetensors, replaced as a whole: "progress" (counters),
 * "identity" (of job and model), "param.<name>" for each parameter and "state.<name>" for each
 * array of the trainer's state. Any safetensors reader can look into it.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"
#include "programs/local_training.h"

#define FILE_NAME "checkpoint.safetensors"

enum {
  FORM, /* of this file */
  STEP,
  SEED,
  ROWS,      /* that are trained on */
  LOG_BYTES, /* of losses.jsonl so far */
  MICROSECONDS,
  EPOCH_STEPS, /* the current epoch's, and its metrics */
  EPOCH_EXAMPLES,
  EPOCH_CORRECT,
  EPOCH_LOSS, /* the bits of a double */
  COUNTER_COUNT
};

/* The tensors of a checkpoint, for putting together. */
struct parts {
  const struct fed_context *context;
  struct fed_tensor *tensors;
  size_t count;
};

static int add_part(struct parts *parts, const char *prefix, const struct fed_tensor *tensor) {
  struct fed_tensor *part = &parts->tensors[parts->count];
  *part = *tensor;
  part->name = fed__format(parts->context, "%s%s", prefix, tensor->name);
  if (!part->name) return FED_E_MEMORY;
  parts->count++;
  return FED_OK;
}

static int add_set(struct parts *parts, const char *prefix, const struct fed_params *set) {
  for (size_t i = 0; i < set->count; i++) FED_TRY(add_part(parts, prefix, &set->tensors[i]));
  return FED_OK;
}

static int join_parts(struct parts *parts, struct fed_params *joined) {
  FED_TRY(fed_params_init(joined, parts->context, parts->tensors, parts->count));
  for (size_t i = 0; i < parts->count; i++)
    memcpy(joined->tensors[i].data, parts->tensors[i].data, fed_tensor_bytes(&parts->tensors[i]));
  return FED_OK;
}

static void count_progress(const struct fed__local_training *training,
                           uint64_t counters[COUNTER_COUNT]) {
  const struct fed_metrics *metrics = &training->current.trained;
  counters[FORM] = 1;
  counters[STEP] = training->step;
  counters[SEED] = training->epochs.seed;
  counters[ROWS] = training->epochs.row_count;
  counters[LOG_BYTES] = (uint64_t)ftello(training->log);
  counters[MICROSECONDS] = (uint64_t)(fed__local_training_seconds(training) * 1e6);
  counters[EPOCH_STEPS] = training->current.steps;
  counters[EPOCH_EXAMPLES] = metrics->example_count;
  counters[EPOCH_CORRECT] = metrics->correct_count;
  memcpy(&counters[EPOCH_LOSS], &metrics->loss_sum, sizeof metrics->loss_sum);
}

static int gather_parts(const struct fed__local_training *training, const struct fed_params *params,
                        const struct fed_params *state, struct parts *parts,
                        struct fed_params *joined) {
  uint64_t counters[COUNTER_COUNT];
  struct fed__digest identity = training->identity;
  count_progress(training, counters);
  const struct fed_tensor progress = {"progress", FED_U64, {1, {COUNTER_COUNT}}, counters};
  const struct fed_tensor digest = {
      "identity", FED_U8, {1, {sizeof identity.bytes}}, identity.bytes};
  FED_TRY(add_part(parts, "", &progress));
  FED_TRY(add_part(parts, "", &digest));
  FED_TRY(add_set(parts, "param.", params));
  FED_TRY(add_set(parts, "state.", state));
  return join_parts(parts, joined);
}

static int encode(const struct fed__local_training *training, const struct fed_params *params,
                  const struct fed_params *state, struct fed_buffer *out) {
  struct parts parts = {.context = training->context};
  struct fed_params joined = {0};
  parts.tensors =
      fed__zalloc(training->context, params->count + state->count + 2, sizeof *parts.tensors);
  int code = parts.tensors ? gather_parts(training, params, state, &parts, &joined) : FED_E_MEMORY;
  if (code == FED_OK) code = fed_safetensors_encode(&joined, NULL, 0, out);
  for (size_t i = 0; i < parts.count; i++) fed__free(training->context, parts.tensors[i].name);
  fed__free(training->context, parts.tensors);
  fed_params_clear(&joined);
  return code;
}

static int write_encoded(const struct fed__local_training *training,
                         const struct fed_params *params, const struct fed_params *state) {
  char path[FED__PATH_MAX];
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, training->context, SIZE_MAX);
  int code = fed__path_join(path, sizeof path, training->folder, FILE_NAME);
  if (code == FED_OK) code = encode(training, params, state, &bytes);
  if (code == FED_OK) code = fed__file_write(path, fed_buffer_slice(&bytes), FED__FILE_PRIVATE);
  fed_buffer_clear(&bytes);
  return code;
}

/* The log first: the checkpoint says how much of it counts. */
int fed__local_checkpoint_write(const struct fed__local_training *training) {
  struct fed_params params, state;
  uint64_t step;
  if (fflush(training->log) != 0 || ferror(training->log))
    return FED_RAISE(FED_E_IO, "cannot write '%s/losses.jsonl'", training->folder);
  FED_TRY(fed_params_copy(&params, training->context, fed_model_params(training->model)));
  int code = fed_trainer_params(training->trainer, &params);
  if (code == FED_OK) code = fed_trainer_state(training->trainer, &state, &step);
  if (code == FED_OK) {
    code = write_encoded(training, &params, &state);
    fed_params_clear(&state);
  }
  fed_params_clear(&params);
  return code;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Fill a set from the file's tensors of the same names, behind a prefix. */
static int take_set(const struct fed_params *file, const char *prefix, struct fed_params *set) {
  for (size_t i = 0; i < set->count; i++) {
    char *name = fed__format(set->context, "%s%s", prefix, set->tensors[i].name);
    if (!name) return FED_E_MEMORY;
    const struct fed_tensor *found = fed_params_find(file, name);
    fed__free(set->context, name);
    if (!found || found->dtype != set->tensors[i].dtype ||
        !fed_shape_equal(&found->shape, &set->tensors[i].shape))
      return FED_RAISE(FED_E_INPUT, FILE_NAME " has no fitting '%s%s'", prefix,
                       set->tensors[i].name);
    memcpy(set->tensors[i].data, found->data, fed_tensor_bytes(found));
  }
  return FED_OK;
}

static int check_counters(const struct fed__local_training *training,
                          const uint64_t counters[COUNTER_COUNT]) {
  if (counters[FORM] != 1)
    return FED_RAISE(FED_E_VERSION, FILE_NAME " is of form %llu, this program knows 1",
                     (unsigned long long)counters[FORM]);
  if (counters[SEED] != training->epochs.seed)
    return FED_RAISE(FED_E_INPUT, "the checkpoint's seed is %llu, not %llu",
                     (unsigned long long)counters[SEED], (unsigned long long)training->epochs.seed);
  if (counters[ROWS] != training->epochs.row_count)
    return FED_RAISE(FED_E_INPUT, "the checkpoint is of %llu examples, the data has %zu",
                     (unsigned long long)counters[ROWS], training->epochs.row_count);
  return FED_OK;
}

static void take_counters(struct fed__local_training *training,
                          const uint64_t counters[COUNTER_COUNT]) {
  struct fed_metrics *metrics = &training->current.trained;
  training->step = counters[STEP];
  training->seconds_before = (double)counters[MICROSECONDS] * 1e-6;
  training->current.steps = counters[EPOCH_STEPS];
  metrics->example_count = counters[EPOCH_EXAMPLES];
  metrics->correct_count = counters[EPOCH_CORRECT];
  memcpy(&metrics->loss_sum, &counters[EPOCH_LOSS], sizeof metrics->loss_sum);
}

static int take_progress(struct fed__local_training *training, const struct fed_params *file,
                         uint64_t *log_bytes) {
  const struct fed_tensor *progress = fed_params_find(file, "progress");
  const struct fed_tensor *identity = fed_params_find(file, "identity");
  if (!progress || progress->dtype != FED_U64 || fed_tensor_elements(progress) != COUNTER_COUNT ||
      !identity || fed_tensor_bytes(identity) != sizeof training->identity.bytes)
    return FED_RAISE(FED_E_INPUT, FILE_NAME " is not a checkpoint of fed train");
  FED_TRY(check_counters(training, progress->data));
  if (memcmp(identity->data, training->identity.bytes, sizeof training->identity.bytes) != 0)
    return FED_RAISE(FED_E_INPUT, "the checkpoint is of another job file or model; begin anew in "
                                  "another folder (--out)");
  take_counters(training, progress->data);
  *log_bytes = ((const uint64_t *)progress->data)[LOG_BYTES];
  return FED_OK;
}

static int take_trainer(struct fed__local_training *training, const struct fed_params *file) {
  struct fed_params params, state;
  uint64_t step;
  FED_TRY(fed_params_copy(&params, training->context, fed_model_params(training->model)));
  int code = take_set(file, "param.", &params);
  if (code == FED_OK) code = fed_trainer_reset(training->trainer, &params);
  fed_params_clear(&params);
  FED_TRY(code);
  FED_TRY(fed_trainer_state(training->trainer, &state, &step));
  code = take_set(file, "state.", &state);
  if (code == FED_OK) code = fed_trainer_restore(training->trainer, &state, training->step);
  fed_params_clear(&state);
  return code;
}

static int take_all(struct fed__local_training *training, struct fed_slice bytes,
                    uint64_t *log_bytes) {
  struct fed_params file = {0};
  FED_TRY(fed_safetensors_decode(bytes, training->context, &file));
  int code = take_progress(training, &file, log_bytes);
  if (code == FED_OK) code = take_trainer(training, &file);
  fed_params_clear(&file);
  return code;
}

int fed__local_checkpoint_read(struct fed__local_training *training, uint64_t *log_bytes) {
  char path[FED__PATH_MAX];
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, training->context, SIZE_MAX);
  int code = fed__path_join(path, sizeof path, training->folder, FILE_NAME);
  if (code == FED_OK) code = fed__file_read(path, &bytes);
  if (code == FED_OK) {
    code = take_all(training, fed_buffer_slice(&bytes), log_bytes);
    if (code != FED_OK) code = FED_WRAP("%s", path);
  }
  fed_buffer_clear(&bytes);
  return code;
}
