/* SPDX-License-Identifier: Apache-2.0
 *
 * test_local_statistics.c: running statistics that stay with their client. Training has hardly any
 * step here and all of a client's rows are one batch, so that after k rounds of momentum 1/2 a
 * client's statistics are 2^-k of the file's and the rest of its own rows' mean and variance; and
 * what the model says of rows follows from these.
 */
#include "made_up_job.h"

#include "base/memory.h"
#include "simulate/baselines.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define CLIENTS 10

/* The features, normalised; the first three are the classes' logits. */
static void normalise(struct made_up *made) {
  const int64_t wide[] = {FEATURES, CLASSES}, *narrow = &wide[0];
  const struct fed_model_options options = {.statistics = FED_STATISTICS_LOCAL};
  float weights[FEATURES * CLASSES] = {0};
  struct graph_writer writer;
  for (int i = 0; i < CLASSES; i++) weights[i * CLASSES + i] = 1;
  writer_init(&writer);
  writer_input(&writer, "x", 1, narrow);
  writer_floats(&writer, "scale", 1, narrow, (const float[]){1, 1, 1, 1});
  writer_floats(&writer, "bias", 1, narrow, (const float[]){0, 0, 0, 0});
  writer_floats(&writer, "mean", 1, narrow, (const float[]){3, 0, -1, 0});
  writer_floats(&writer, "variance", 1, narrow, (const float[]){1, 4, 2, 1});
  writer_floats(&writer, "weights", 2, wide, weights);
  writer_float_attribute(&writer, "momentum", 0.5F);
  writer_float_attribute(&writer, "epsilon", 0);
  writer_node(&writer, "BatchNormalization", "x,scale,bias,mean,variance", "z");
  writer_node(&writer, "MatMul", "z,weights", "y");
  writer_output(&writer, "y");
  fed_model_free(made->model);
  must(fed_model_load(&made->context, writer_finish(&writer), &options, &made->model));
  writer_clear(&writer);
}

struct statistics {
  double mean[FEATURES], variance[FEATURES];
};

static struct statistics of_file(void) { return (struct statistics){{3, 0, -1, 0}, {1, 4, 2, 1}}; }

static struct statistics of_rows(const struct made_up *made, const uint32_t *rows, size_t count) {
  struct statistics found = {0};
  for (int f = 0; f < FEATURES; f++) {
    for (size_t i = 0; i < count; i++)
      found.mean[f] += (double)made->points[rows[i] * FEATURES + f] / (double)count;
    for (size_t i = 0; i < count; i++)
      found.variance[f] +=
          pow((double)made->points[rows[i] * FEATURES + f] - found.mean[f], 2) / (double)count;
  }
  return found;
}

/* As they are after so many batches of these rows. */
static struct statistics after(const struct made_up *made, const uint32_t *rows, size_t count,
                               unsigned batches) {
  struct statistics found = of_file();
  const struct statistics own = of_rows(made, rows, count);
  for (int f = 0; f < FEATURES; f++) {
    found.mean[f] += (1 - ldexp(1, -(int)batches)) * (own.mean[f] - found.mean[f]);
    found.variance[f] += (1 - ldexp(1, -(int)batches)) * (own.variance[f] - found.variance[f]);
  }
  return found;
}

static uint64_t count_right(const struct made_up *made, const struct statistics *statistics,
                            const uint32_t *rows, size_t count) {
  uint64_t right = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t row = rows ? rows[i] : i;
    double z[CLASSES];
    int best = 0;
    for (int f = 0; f < CLASSES; f++) {
      z[f] = ((double)made->points[row * FEATURES + (size_t)f] - statistics->mean[f]) /
             sqrt(statistics->variance[f]);
      if (z[f] > z[best]) best = f;
    }
    right += best == made->labels[row];
  }
  return right;
}

static void prepare(struct made_up *made, const char *algorithm) {
  char more[256];
  snprintf(more, sizeof more,
           "aggregate: {algorithm: %s}\n"
           "simulate: {clients: %d, partition: {kind: dirichlet}, baselines: [centralised, "
           "local]}\n",
           algorithm, CLIENTS);
  make_up(made, "epochs: 1", "count: 6, cohort: 4, minimum: 4", more);
  made->job.train.options.batch_size = ROWS;
  made->job.train.options.learning_rate = 1e-9; /* SCAFFOLD divides by it */
  made->has_test = 1;
  normalise(made);
}

/* What the client keeps, and what the model says of its held-out rows. */
static void check_client(const struct made_up *made, const struct fed__simulation *simulation,
                         uint32_t client, const struct fed_metrics *evaluation) {
  const size_t before = fed__kept_by_rule(&simulation->plan);
  const struct fed__client_rows rows = fed__partition_rows(&simulation->partition, client, NULL);
  const struct statistics expected =
      after(made, rows.train, rows.train_count, simulation->rounds_trained[client]);
  const float *kept = fed__client_memory_of(&simulation->memory, client);
  assert_int_equal(kept != NULL, simulation->rounds_trained[client] > 0);
  for (int f = 0; kept && f < FEATURES; f++) {
    assert_float_equal(kept[before + (size_t)f], expected.mean[f], 1e-5);
    assert_float_equal(kept[before + FEATURES + (size_t)f], expected.variance[f], 1e-5);
  }
  assert_int_equal(evaluation->example_count, rows.held_out_count);
  assert_int_equal(evaluation->correct_count,
                   count_right(made, &expected, rows.held_out, rows.held_out_count));
}

static uint64_t check_clients(const struct made_up *made, struct fed__simulation *simulation) {
  struct fed__client_figures figures;
  struct fed__visit *visits;
  struct fed__classification found;
  size_t count;
  uint64_t right = 0;
  must(fed__simulation_measure_clients(simulation, UINT32_MAX, &figures, &visits, &count));
  assert_int_equal(count, CLIENTS);
  for (size_t i = 0; i < count; i++) {
    check_client(made, simulation, visits[i].client, &visits[i].evaluation);
    right += visits[i].evaluation.correct_count;
  }
  must(fed__simulation_classify_held_out(simulation, visits, count, &found));
  assert_int_equal(found.correct_count, right);
  fed__classification_clear(&found);
  fed__free(&made->context, visits);
  return right;
}

/* The server's test set is nobody's: the model has the file's statistics there. */
static void check_test(const struct made_up *made, struct fed__simulation *simulation) {
  struct fed__metric_sums tested;
  const struct statistics file = of_file();
  must(fed__pool_test(simulation->pool, &simulation->current, &tested, NULL));
  assert_int_equal(tested.correct_count, count_right(made, &file, NULL, ROWS));
}

/* One place with all rows in one batch; the federated model as its clients have it. */
static void check_baselines(const struct made_up *made, struct fed__simulation *simulation,
                            uint64_t right) {
  struct fed__baselines baselines;
  uint32_t rows[ROWS];
  size_t count = 0, held_out = 0;
  double mean = 0;
  must(fed__baselines_make(simulation, &baselines));
  for (uint32_t c = 0; c < CLIENTS; c++) {
    const struct fed__client_rows own = fed__partition_rows(&simulation->partition, c, NULL);
    for (size_t i = 0; i < own.train_count; i++) rows[count++] = own.train[i];
    held_out += own.held_out_count;
    const struct statistics now =
        after(made, own.train, own.train_count, simulation->rounds_trained[c]);
    mean += (double)count_right(made, &now, own.held_out, own.held_out_count) /
            (double)own.held_out_count / CLIENTS;
  }
  assert_true(right > 0 && right < held_out);
  assert_float_equal(baselines.federated_clients.accuracy.mean, mean, 1e-9);
  const struct statistics pooled = after(made, rows, count, (unsigned)baselines.passes);
  const struct statistics file = of_file();
  assert_int_equal(baselines.centralised.sums.correct_count,
                   count_right(made, &pooled, NULL, ROWS));
  assert_int_equal(baselines.federated.sums.correct_count, count_right(made, &file, NULL, ROWS));
  for (uint32_t i = 0; i < baselines.local_count; i++) {
    const struct fed__local_figures *local = &baselines.local[i];
    const struct fed__client_rows own =
        fed__partition_rows(&simulation->partition, local->client, NULL);
    const struct statistics alone =
        after(made, own.train, own.train_count, (unsigned)baselines.passes);
    assert_int_equal(local->common.sums.correct_count, count_right(made, &alone, NULL, ROWS));
    assert_int_equal(local->own.correct_count,
                     count_right(made, &alone, own.held_out, own.held_out_count));
  }
  fed__baselines_clear(&baselines);
}

static void each_client_has_its_own(void **state) {
  (void)state;
  static const char *const algorithms[] = {"fedavg", "scaffold"};
  for (int i = 0; i < 2; i++)
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
      static struct made_up made;
      struct fed__simulation simulation;
      prepare(&made, algorithms[i]);
      simulate(&made, threads, &simulation);
      const uint64_t right = check_clients(&made, &simulation);
      check_test(&made, &simulation);
      check_baselines(&made, &simulation, right);
      check_test(&made, &simulation);
      assert_int_equal(check_clients(&made, &simulation), right);
      fed__simulation_clear(&simulation);
      take_down(&made);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_client_has_its_own)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
