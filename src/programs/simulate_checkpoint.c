/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_checkpoint.c: when a checkpoint is due, whether it is of this run, and its file.
 *
 * Its identity is a hash of all that decides about the result: the version, the job file, the
 * model, the options, the partition, and the examples (of many an evenly spaced part).
 */
#include "programs/simulate_checkpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "programs/simulate_identity.h"
#include "programs/simulate_sweep_results.h"

#include <errno.h>
#include <glob.h>
#include <unistd.h>

#define FILE_NAME "checkpoint.safetensors"
#define HASHED_EXAMPLES_MAX 4096 /* of a data set */
#define WRITING_SHARE 20         /* writing takes at most one part in so many of the time */

/* ---- identity ------------------------------------------------------------------------------- */

static void hash_partition(struct fed__sha256 *hash, const struct fed__partition *partition) {
  const size_t clients = partition->client_count;
  const uint64_t numbers[] = {clients, partition->example_count, partition->drawn_count,
                              partition->drawn_train_count, partition->seed};
  fed__sha256_update(hash, fed_slice_of(numbers, sizeof numbers));
  if (partition->names)
    fed__sha256_update(hash, fed_slice_of(partition->names, clients * sizeof *partition->names));
  if (!partition->rows) return;
  const size_t rows = partition->starts[clients];
  fed__sha256_update(hash, fed_slice_of(partition->rows, rows * sizeof *partition->rows));
  fed__sha256_update(hash, fed_slice_of(partition->starts, clients * sizeof *partition->starts));
  fed__sha256_update(hash, fed_slice_of(partition->train_counts, clients * sizeof(uint32_t)));
}

/* Room for one example. */
static int allocate_example(const struct fed_context *context, const struct fed_example_spec *spec,
                            struct fed_batch *batch) {
  *batch = (struct fed_batch){.count = 1};
  for (size_t k = 0; k < spec->input_count; k++)
    if (!(batch->inputs[k].data = fed__zalloc(context, 1, fed_tensor_bytes(&spec->inputs[k]))))
      return FED_E_MEMORY;
  batch->target.data = fed__zalloc(context, 1, fed_tensor_bytes(&spec->target));
  return batch->target.data ? FED_OK : FED_E_MEMORY;
}

/* What a trace says of devices; figures that are drawn follow from job and seed. */
static void hash_devices(struct fed__sha256 *hash, const struct fed__devices *devices,
                         size_t clients) {
  const struct fed__intervals *intervals = &devices->availability;
  fed__sha256_update(hash, fed_slice_of(devices->rows, devices->row_count * sizeof *devices->rows));
  if (devices->rows)
    fed__sha256_update(hash, fed_slice_of(devices->row_of, clients * sizeof *devices->row_of));
  for (size_t i = 0; i < intervals->count; i++) {
    const struct fed__interval *item = &intervals->items[i];
    const int64_t numbers[] = {item->client, item->from_us, item->to_us};
    fed__sha256_update(hash, fed_slice_of(numbers, sizeof numbers));
  }
}

static int hash_rows(struct fed__sha256 *hash, struct fed_examples *examples,
                     struct fed_batch *batch) {
  const struct fed_example_spec *spec = &examples->spec;
  const uint64_t count = examples->count;
  const uint64_t most = count < HASHED_EXAMPLES_MAX ? count : HASHED_EXAMPLES_MAX;
  fed__sha256_update(hash, fed_slice_of(&count, sizeof count));
  for (uint64_t i = 0; i < most; i++) {
    const uint32_t row = (uint32_t)(i * count / most);
    FED_TRY(examples->gather(examples, &row, 1, batch));
    for (size_t k = 0; k < spec->input_count; k++)
      fed__sha256_update(hash,
                         fed_slice_of(batch->inputs[k].data, fed_tensor_bytes(&spec->inputs[k])));
    fed__sha256_update(hash, fed_slice_of(batch->target.data, fed_tensor_bytes(&spec->target)));
  }
  return FED_OK;
}

static int hash_examples(const struct fed_context *context, struct fed__sha256 *hash,
                         struct fed_examples *examples) {
  struct fed_batch batch;
  if (!examples) return FED_OK;
  int code = allocate_example(context, &examples->spec, &batch);
  if (code == FED_OK) code = hash_rows(hash, examples, &batch);
  for (size_t k = 0; k < FED_INPUTS_MAX; k++) fed__free(context, batch.inputs[k].data);
  fed__free(context, batch.target.data);
  return code;
}

static int identify(struct fed__simulate_checkpoint *self,
                    const struct fed__simulation *simulation) {
  const struct fed_context *context = self->invocation->context;
  struct fed__sha256 hash;
  if (self->has_identity) return FED_OK;
  fed__sha256_init(&hash);
  fed__simulate_hash_settings(self->invocation, self->files, &hash);
  hash_partition(&hash, &simulation->partition);
  hash_devices(&hash, &simulation->devices, simulation->partition.client_count);
  FED_TRY(hash_examples(context, &hash, fed__pool_examples(simulation->pool)));
  FED_TRY(hash_examples(context, &hash, fed__pool_test_set(simulation->pool)));
  self->identity = fed__sha256_finish(&hash);
  self->has_identity = 1;
  return FED_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int64_t now_us(const struct fed__simulate_checkpoint *self) {
  struct fed_clock *clock = self->invocation->context->clock;
  return clock->monotonic_us(clock);
}

static int carry_all(struct fed__simulate_checkpoint *self, struct fed__simulation *simulation,
                     struct fed__checkpoint *checkpoint) {
  FED_TRY(self->carry_output(self->output, checkpoint));
  return fed__simulation_carry(simulation, checkpoint);
}

static int encode(struct fed__simulate_checkpoint *self, struct fed__simulation *simulation,
                  struct fed_buffer *out) {
  struct fed__checkpoint checkpoint;
  fed__checkpoint_begin(&checkpoint, self->invocation->context);
  int code = fed__checkpoint_bytes(&checkpoint, "identity", self->identity.bytes,
                                   sizeof self->identity.bytes);
  if (code == FED_OK) code = carry_all(self, simulation, &checkpoint);
  if (code == FED_OK) code = fed__checkpoint_encode(&checkpoint, out);
  fed__checkpoint_clear(&checkpoint);
  return code;
}

static int write_file(struct fed__simulate_checkpoint *self, struct fed__simulation *simulation) {
  char path[FED__PATH_MAX];
  struct fed_buffer bytes;
  FED_TRY(identify(self, simulation));
  FED_TRY(fed__path_join(path, sizeof path, self->folder, FILE_NAME));
  fed_buffer_init(&bytes, self->invocation->context, SIZE_MAX);
  int code = encode(self, simulation, &bytes);
  if (code == FED_OK) code = fed__file_write(path, fed_buffer_slice(&bytes), FED__FILE_PRIVATE);
  fed_buffer_clear(&bytes);
  if (code == FED_OK) self->is_written = 1;
  return code;
}

int fed__simulate_checkpoint_write(struct fed__simulate_checkpoint *self,
                                   struct fed__simulation *simulation, int at_once) {
  const int64_t began_us = now_us(self);
  if (!fed__ranks_is_first(self->ranks)) return FED_OK;
  if (!at_once && began_us < self->due_us) return FED_OK;
  FED_TRY(write_file(self, simulation));
  const int64_t took_us = now_us(self) - began_us, rest_us = took_us * WRITING_SHARE;
  self->due_us =
      began_us + took_us + (self->every_us && rest_us > self->every_us ? rest_us : self->every_us);
  return FED_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int check_identity(const struct fed__simulate_checkpoint *self,
                          struct fed__checkpoint *checkpoint) {
  struct fed__digest found;
  FED_TRY(fed__checkpoint_bytes(checkpoint, "identity", found.bytes, sizeof found.bytes));
  if (fed__digest_equal(&found, &self->identity)) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "the interrupted run has another job, model, data, partition or "
                                "options, or was by another version of fed: begin anew, in another "
                                "folder (--out) or with --restart");
}

static int take(struct fed__simulate_checkpoint *self, struct fed__simulation *simulation,
                struct fed_slice file) {
  struct fed__checkpoint checkpoint;
  FED_TRY(fed__checkpoint_decode(&checkpoint, self->invocation->context, file));
  int code = check_identity(self, &checkpoint);
  if (code == FED_OK) code = carry_all(self, simulation, &checkpoint);
  fed__checkpoint_clear(&checkpoint);
  return code;
}

/* The same everywhere? */
static int compare_identities(struct fed__simulate_checkpoint *self,
                              const struct fed__simulation *simulation) {
  struct fed__digest first = {{0}};
  if (!self->ranks) return FED_OK;
  FED_TRY(fed__ranks_agree(self->ranks, identify(self, simulation)));
  if (self->ranks->rank == 0) first = self->identity;
  fed__ranks_merge(self->ranks, first.bytes, sizeof first.bytes);
  if (fed__digest_equal(&first, &self->identity)) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "here are other files than where the first process runs: job, "
                                "model, data and fed's version must be the same on all machines");
}

/* The first process's file. */
static int read_file(struct fed__simulate_checkpoint *self, struct fed_buffer *bytes) {
  char path[FED__PATH_MAX];
  int code = fed__path_join(path, sizeof path, self->folder, FILE_NAME);
  if (code == FED_OK && fed__ranks_is_first(self->ranks)) code = fed__file_read(path, bytes);
  FED_TRY(fed__ranks_agree(self->ranks, code));
  return fed__ranks_share(self->ranks, bytes);
}

int fed__simulate_checkpoint_read(struct fed__simulate_checkpoint *self,
                                  struct fed__simulation *simulation) {
  struct fed_buffer bytes;
  FED_TRY(fed__ranks_agree(self->ranks, compare_identities(self, simulation)));
  if (!self->is_resuming) return FED_OK;
  FED_TRY(identify(self, simulation));
  fed_buffer_init(&bytes, self->invocation->context, SIZE_MAX);
  int code = read_file(self, &bytes);
  if (code == FED_OK) code = take(self, simulation, fed_buffer_slice(&bytes));
  fed_buffer_clear(&bytes);
  return code == FED_OK ? code : FED_WRAP("%s/" FILE_NAME, self->folder);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int remove_file(const char *path) {
  if (unlink(path) == 0 || errno == ENOENT) return FED_OK;
  return FED_RAISE(FED_E_IO, "cannot remove '%s': %s", path, strerror(errno));
}

/* What was being written when a process was killed. */
static void remove_unfinished(const char *path) {
  char pattern[FED__PATH_MAX];
  glob_t found;
  if (snprintf(pattern, sizeof pattern, "%s.*.tmp", path) >= (int)sizeof pattern) return;
  if (glob(pattern, GLOB_NOESCAPE, NULL, &found) != 0) return;
  for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
  globfree(&found);
}

static int remove_in(const char *folder, const char *name) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return remove_file(path);
}

/* --resume without a checkpoint: what is there may be finished already. */
static int look_for_end(struct fed__simulate_checkpoint *self) {
  struct fed__sweep_result result;
  fed__simulate_identity(self->invocation, self->files, result.identity);
  FED_TRY(fed__sweep_result_read(self->folder, &result));
  self->is_finished = result.end[0] != 0;
  return FED_OK;
}

static int look(struct fed__simulate_checkpoint *self) {
  double every_s = 60;
  char path[FED__PATH_MAX];
  const int resumes = fed__option_on(self->invocation, "resume");
  const int restarts = fed__option_on(self->invocation, "restart");
  FED_TRY(fed__option_number(self->invocation, "checkpoint-every", 0, 1e9, &every_s));
  if (resumes && restarts) return FED_RAISE(FED_E_USAGE, "--resume and --restart: which one?");
  self->every_us = (int64_t)(every_s * 1e6);
  self->due_us = now_us(self) + self->every_us;
  FED_TRY(fed__path_join(path, sizeof path, self->folder, FILE_NAME));
  remove_unfinished(path);
  self->is_written = fed__file_exists(path);
  self->is_resuming = self->is_written && resumes;
  if (self->is_resuming) return FED_OK;
  if (resumes) FED_TRY(look_for_end(self));
  if (self->is_finished) return FED_OK;
  if (!self->is_written || restarts) return FED_OK;
  return FED_RAISE(
      FED_E_USAGE,
      "'%s' has a run that was interrupted: --resume goes on with it, --restart begins "
      "anew, --out takes another folder",
      self->folder);
}

int fed__simulate_checkpoint_begin(struct fed__simulate_checkpoint *self) {
  int code = fed__ranks_is_first(self->ranks) ? look(self) : FED_OK;
  if (!self->ranks) return code;
  FED_TRY(fed__ranks_agree(self->ranks, code));
  int64_t found[2] = {self->is_resuming, self->is_finished};
  self->ranks->sum(self->ranks, found, 2);
  self->is_resuming = found[0] != 0;
  self->is_finished = found[1] != 0;
  return FED_OK;
}

int fed__simulate_checkpoint_forget(const struct fed__simulate_checkpoint *self) {
  if (self->is_resuming || !fed__ranks_is_first(self->ranks)) return FED_OK;
  FED_TRY(remove_in(self->folder, FILE_NAME));
  return remove_in(self->folder, "summary.json");
}

int fed__simulate_checkpoint_end(struct fed__simulate_checkpoint *self) {
  return self->is_written ? remove_in(self->folder, FILE_NAME) : FED_OK;
}
