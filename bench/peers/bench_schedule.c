/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_schedule.c: which clients a simulation visits in which round, and in which order each goes
 * through its examples, so that other simulators can be given the same work.
 *
 *   bench_schedule JOB.yaml MODEL.onnx DATA ROUNDS
 *
 * prints a line for each visit: round, client, then the rows of the data in the order in which the
 * client trains on them (of one epoch after the other). Nothing is trained: the simulation runs
 * with train.epochs 0, which leaves cohorts and orders as they are.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "simulate/simulation.h"

#include <stdio.h>
#include <stdlib.h>

struct teller {
  struct fed__simulation_source source;
  struct fed__simulation_observer observer;
  const struct fed_context *context;
  const char *folder;
  struct fed__job job;
  struct fed_model *model;
  uint32_t epochs;
  uint64_t rounds, rounds_told;
  uint32_t *drawn, *order; /* room for every row */
};

static int open_data(struct fed__simulation_source *self, struct fed_examples **training,
                     struct fed_examples **test) {
  const struct teller *teller = (struct teller *)self;
  *test = NULL;
  return fed__dataset_open(teller->context, teller->folder, &teller->job.data.schema, training);
}

static struct teller *observed(struct fed__simulation_observer *self) {
  return (struct teller *)((char *)self - offsetof(struct teller, observer));
}

/* As the walk through an epoch draws it (train/epochs.c). */
static void tell_epoch(const struct teller *teller, const struct fed__client_rows *rows,
                       uint64_t seed, uint32_t epoch) {
  struct fed_rng rng;
  memcpy(teller->order, rows->train, rows->train_count * sizeof *teller->order);
  fed__rng_init(&rng, seed, "train.order", epoch, 0);
  fed__rng_shuffle(&rng, teller->order, rows->train_count);
  for (size_t i = 0; i < rows->train_count; i++) printf(" %u", teller->order[i]);
}

static void tell_round(struct fed__simulation_observer *self,
                       const struct fed__simulation *simulation,
                       const struct fed__simulated_round *round) {
  struct teller *teller = observed(self);
  const struct fed__partition *partition = &simulation->partition;
  char name[FED__CLIENT_NAME_BYTES];
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const uint32_t client = simulation->visits[i].client;
    const struct fed__client_rows rows = fed__partition_rows(partition, client, teller->drawn);
    const uint64_t seed = fed__plan_train_seed(&teller->job, round->round,
                                               fed__partition_name(partition, client, name));
    printf("%llu %u", (unsigned long long)round->round, client);
    for (uint32_t epoch = 0; epoch < teller->epochs; epoch++)
      tell_epoch(teller, &rows, seed, epoch);
    putchar('\n');
  }
  teller->rounds_told++;
}

static int is_over(struct fed__simulation_observer *self) {
  const struct teller *teller = observed(self);
  return teller->rounds_told >= teller->rounds;
}

static int read_job(struct teller *teller, const char *path) {
  struct fed_buffer file;
  fed_buffer_init(&file, teller->context, (size_t)1 << 20);
  int code = fed__file_read(path, &file);
  if (code == FED_OK)
    code = fed__job_parse(teller->context, path, fed_buffer_slice(&file), &teller->job);
  fed_buffer_clear(&file);
  FED_TRY(code);
  teller->epochs = teller->job.train.epochs;
  teller->job.train.epochs = 0;
  return FED_OK;
}

static int read_model(struct teller *teller, const char *path) {
  struct fed_buffer graph;
  fed_buffer_init(&graph, teller->context, (size_t)1 << 30);
  int code = fed__file_read(path, &graph);
  if (code == FED_OK)
    code = fed_model_load(teller->context, fed_buffer_slice(&graph), NULL, &teller->model);
  fed_buffer_clear(&graph);
  return code;
}

static int tell(struct teller *teller) {
  struct fed__simulation simulation;
  const struct fed__simulation_setting setting = {teller->context, &teller->job,      teller->model,
                                                  &teller->source, &teller->observer, 1};
  FED_TRY(fed__simulation_init(&simulation, &setting));
  int code = fed__simulation_divide(&simulation);
  const size_t rows = simulation.partition.example_count;
  teller->drawn = fed__alloc(teller->context, (rows + 1) * sizeof *teller->drawn);
  teller->order = fed__alloc(teller->context, (rows + 1) * sizeof *teller->order);
  if (code == FED_OK && (!teller->drawn || !teller->order)) code = FED_E_MEMORY;
  if (code == FED_OK) code = fed__simulation_run(&simulation);
  fed__free(teller->context, teller->drawn);
  fed__free(teller->context, teller->order);
  fed__simulation_clear(&simulation);
  return code;
}

int main(int argc, char **argv) {
  struct fed_context context;
  if (argc != 5) {
    fprintf(stderr, "bench_schedule JOB.yaml MODEL.onnx DATA ROUNDS\n");
    return 2;
  }
  fed_context_init(&context);
  struct teller teller = {.source = {open_data},
                          .observer = {tell_round, is_over},
                          .context = &context,
                          .folder = argv[3],
                          .rounds = strtoull(argv[4], NULL, 10)};
  int code = read_job(&teller, argv[1]);
  if (code == FED_OK) code = read_model(&teller, argv[2]);
  if (code == FED_OK) code = tell(&teller);
  if (code != FED_OK) fprintf(stderr, "bench_schedule: %s\n", fed_error_last()->message);
  fed_model_free(teller.model);
  fed__job_clear(&teller.job);
  return (int)fed_error_class(code);
}
