/* SPDX-License-Identifier: Apache-2.0
 *
 * test_algorithms.c: every algorithm against its closed form on quadratics. Client i has f_i(w) =
 * h_i / 2 * (w - b_i)^2, so K steps of gradient descent from x, drawn anywhere by terms linear in
 * w, end at p + (1 - eta * (h + pull))^K * (x - p) for the p where the drawn gradient is zero. A
 * round of each algorithm is then a short formula, written out here from its paper, and so is where
 * its rounds lead: SCAFFOLD and FedDyn to the minimum of the weighted sum of the f_i, FedAvg
 * elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "round/local_round.h"
#include "unit/train/graph_writer.h"

#include <math.h>
#include <stdio.h>

#define CLIENTS 3
#define ROWS_MAX 16
#define BATCH 2
#define ETA 0.05

/* All rows of a client are the same: input a, target a * b; the loss is the mean square error. */
struct client {
  double a, b;
  size_t rows;
};
static const struct client clients[CLIENTS] = {{1, 2, 4}, {2, -1, 10}, {0.5, 5, 16}};

static double curvature(int i) { return 2 * clients[i].a * clients[i].a; }
static double steps(int i) { return (double)clients[i].rows / BATCH; }
static double weight(int i) { return (double)clients[i].rows / 30; } /* of 4 + 10 + 16 */

/* What K steps from x lead to, when gradients are h * (w - b) + pull * w + offset. */
static double descend(int i, double x, double pull, double offset) {
  const double h = curvature(i) + pull;
  const double p = (curvature(i) * clients[i].b - offset) / h;
  return p + pow(1 - ETA * h, steps(i)) * (x - p);
}

/* ---- the library's side --------------------------------------------------------------------- */

struct world {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_examples *examples[CLIENTS];
  float inputs[CLIENTS][ROWS_MAX], targets[CLIENTS][ROWS_MAX];
  struct fed__job job;
  struct fed__plan plan;
  struct fed_trainer *trainer;
  struct fed__aggregate *aggregate;
  struct fed_params current, state, trained;
  float kept[CLIENTS], to_keep[CLIENTS], values[2];
  uint64_t round;
};

static void open_model(struct world *world) {
  static const float start = 0.75f;
  writer_init(&world->writer);
  writer_input(&world->writer, "x", 1, (const int64_t[]){1});
  writer_floats(&world->writer, "w", 2, (const int64_t[]){1, 1}, &start);
  writer_node(&world->writer, "MatMul", "x,w", "y");
  writer_output(&world->writer, "y");
  must(fed_model_load(&world->writer.context, writer_finish(&world->writer), NULL, &world->model));
}

static void open_client(struct world *world, int i) {
  const int64_t rows = (int64_t)clients[i].rows;
  for (int64_t row = 0; row < rows; row++) {
    world->inputs[i][row] = (float)clients[i].a;
    world->targets[i][row] = (float)(clients[i].a * clients[i].b);
  }
  const struct fed_tensor inputs = {"x", FED_F32, {2, {rows, 1}}, world->inputs[i]};
  const struct fed_tensor targets = {"t", FED_F32, {2, {rows, 1}}, world->targets[i]};
  must(fed_examples_of_arrays(&world->writer.context, &inputs, 1, &targets, &world->examples[i]));
}

#define FINE_GRID "grid_bits: 32, grid_step: 2^-24"

static void open_world_with(struct world *world, const char *train, const char *aggregate,
                            const char *update) {
  char text[1024];
  *world = (struct world){0};
  open_model(world);
  for (int i = 0; i < CLIENTS; i++) open_client(world, i);
  snprintf(text, sizeof text,
           "version: 1\nname: quadratic\nmodel: {file: m.onnx, loss: mean_squared_error}\n"
           "data: {name: d, format: npy, inputs: {file: x.npy, shape: [1]},"
           " target: {file: t.npy, kind: number, shape: [1]}}\n"
           "train: {batch_size: %d, learning_rate: %g%s}\nrounds: {count: 1, cohort: %d, "
           "minimum: 1}\nupdate: {%s}\naggregate: {%s}\nevaluate: {federated: false}\n",
           BATCH, ETA, train, CLIENTS, update, aggregate);
  if (fed__job_parse(&world->writer.context, "job.yaml", fed_slice_of_text(text), &world->job))
    fail_msg("%s", fed_error_last()->message);
  must(fed__plan_make(&world->job, 1, &world->plan));
  world->job.train.options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&world->writer.context, world->model, &world->job.train.options,
                       &world->trainer));
  must(world->plan.rule->init(&world->writer.context, &world->plan.shape, &world->aggregate));
  must(fed_params_copy(&world->current, &world->writer.context, fed_model_params(world->model)));
  must(fed_params_copy(&world->trained, &world->writer.context, fed_model_params(world->model)));
  must(fed__plan_start_state(&world->writer.context, &world->plan, &world->state));
}

static void open_world(struct world *world, const char *train, const char *aggregate) {
  open_world_with(world, train, aggregate, FINE_GRID);
}

static void close_world(struct world *world) {
  world->plan.rule->free(world->aggregate);
  fed_trainer_free(world->trainer);
  for (int i = 0; i < CLIENTS; i++) fed_examples_free(world->examples[i]);
  fed_params_clear(&world->current);
  fed_params_clear(&world->state);
  fed_params_clear(&world->trained);
  fed_model_free(world->model);
  fed__job_clear(&world->job);
  writer_clear(&world->writer);
}

static float model_of(const struct world *world) { return fed_params_floats(&world->current)[0]; }
static float state_of(const struct world *world, int i) {
  return *(const float *)world->state.tensors[i].data;
}

static void visit_with(struct world *world, int i, uint64_t weight_) {
  struct fed__local_result result;
  char grid[64];
  const struct fed__client_rule *rule = world->plan.algorithm->client;
  const struct fed__local_round local = {
      .job = &world->job,
      .plan = &world->plan,
      .trainer = world->trainer,
      .examples = world->examples[i],
      .row_count = clients[i].rows,
      .round = world->round,
      .client = "client",
      .received = &world->current,
      .from_server = rule->gets_vector ? fed_params_floats(&world->state) : NULL,
      .kept = world->round > 1 ? &world->kept[i] : NULL,
      .to_keep = &world->to_keep[i],
      .trained = &world->trained,
      .values = world->values,
      .grid = grid,
  };
  must(fed_trainer_reset(world->trainer, &world->current));
  if (fed__local_round_train(&local, &result)) fail_msg("%s", fed_error_last()->message);
  assert_int_equal(result.clamped_count, 0);
  must(world->plan.rule->add(world->aggregate,
                             fed_slice_of(grid, fed__plan_update_bytes(&world->plan)), weight_));
}

static void visit(struct world *world, int i) {
  visit_with(world, i, fed__plan_weight(&world->job, clients[i].rows));
}

/* A round of the clients from `first` on. */
static void run_round(struct world *world, int first) {
  struct fed_params next, next_state;
  const struct fed__plan_version version = {&world->current, &world->state,
                                            (uint64_t)(CLIENTS - first), CLIENTS};
  world->round++;
  world->plan.rule->begin(world->aggregate);
  for (int i = first; i < CLIENTS; i++) visit(world, i);
  must(fed__plan_next_model(&world->job, &world->plan, world->aggregate, &version, &next,
                            &next_state));
  for (int i = first; i < CLIENTS; i++) world->kept[i] = world->to_keep[i];
  fed_params_clear(&world->current);
  fed_params_clear(&world->state);
  world->current = next;
  world->state = next_state;
}

static void assert_near(double found, double expected) {
  if (fabs(found - expected) > 4e-6 * (1 + fabs(expected)))
    fail_msg("found %.9g, expected %.9g", found, expected);
}

/* ---- each algorithm's rounds, by its paper -------------------------------------------------- */

static void fedavg_averages_what_clients_reach(void **state) {
  (void)state;
  struct world world;
  double x = 0.75;
  open_world(&world, "", "");
  for (int round = 1; round <= 20; round++) {
    double next = 0;
    for (int i = 0; i < CLIENTS; i++) next += weight(i) * descend(i, x, 0, 0);
    run_round(&world, 0);
    assert_near((double)model_of(&world), x = next);
  }
  close_world(&world);
}

/* x+ = x + v+, v+ = m * v + rate * mean. */
static void fedavgm_keeps_a_velocity(void **state) {
  (void)state;
  struct world world;
  double x = 0.75, v = 0;
  open_world(&world, "", "algorithm: fedavgm, server_momentum: 0.5, server_learning_rate: 0.7");
  for (int round = 1; round <= 20; round++) {
    double mean = 0;
    for (int i = 0; i < CLIENTS; i++) mean += weight(i) * (descend(i, x, 0, 0) - x);
    run_round(&world, 0);
    v = 0.5 * v + 0.7 * mean;
    assert_near((double)model_of(&world), x += v);
    assert_near((double)state_of(&world, 0), v);
  }
  close_world(&world);
}

static void fedsgd_is_gradient_descent(void **state) {
  (void)state;
  struct world world;
  double x = 0.75;
  open_world(&world, "", "algorithm: fedsgd");
  for (int round = 1; round <= 20; round++) {
    double gradient = 0;
    for (int i = 0; i < CLIENTS; i++) gradient += weight(i) * curvature(i) * (x - clients[i].b);
    run_round(&world, 0);
    assert_near((double)model_of(&world), x -= ETA * gradient);
  }
  close_world(&world);
}

static void fedprox_is_drawn_to_what_it_received(void **state) {
  (void)state;
  const double mu = 1.5;
  struct world world;
  double x = 0.75;
  open_world(&world, "", "algorithm: fedprox, proximal: 1.5");
  for (int round = 1; round <= 20; round++) {
    double next = 0;
    for (int i = 0; i < CLIENTS; i++) next += weight(i) * descend(i, x, mu, -mu * x);
    run_round(&world, 0);
    assert_near((double)model_of(&world), x = next);
  }
  close_world(&world);
}

/* The minimum of the weighted sum of the f_i. */
static double optimum(void) {
  double top = 0, bottom = 0;
  for (int i = 0; i < CLIENTS; i++) {
    top += weight(i) * curvature(i) * clients[i].b;
    bottom += weight(i) * curvature(i);
  }
  return top / bottom;
}

/* All clients take part in the first rounds, later only the last two: |S| / N counts. */
static void scaffold_corrects_by_its_variates(void **state) {
  (void)state;
  struct world world;
  double x = 0.75, c = 0, own[CLIENTS] = {0};
  open_world(&world, "", "algorithm: scaffold");
  for (int round = 1; round <= 30; round++) {
    const int first = round > 20;
    const double all = first ? 1 - weight(0) : 1, part = first ? 2.0 / 3 : 1;
    double next = 0, change = 0;
    for (int i = first; i < CLIENTS; i++) {
      const double y = descend(i, x, 0, c - own[i]);
      const double renewed = own[i] - c + (x - y) / (steps(i) * ETA);
      next += weight(i) / all * y;
      change += weight(i) / all * (renewed - own[i]);
      own[i] = renewed;
    }
    run_round(&world, first);
    c += part * change;
    assert_near((double)model_of(&world), x = next);
    assert_near((double)state_of(&world, 0), c);
    for (int i = first; i < CLIENTS; i++) assert_near((double)world.kept[i], own[i]);
  }
  close_world(&world);
}

static void scaffold_and_feddyn_find_the_minimum_where_fedavg_does_not(void **state) {
  (void)state;
  static const char *const algorithms[] = {"algorithm: scaffold",
                                           "algorithm: feddyn, regularizer: 0.5"};
  struct world world;
  for (int a = 0; a < 4; a++) {
    open_world(&world, a < 2 ? "" : ", momentum: 0.9", algorithms[a % 2]);
    for (int round = 1; round <= 300; round++) run_round(&world, 0);
    if (fabs((double)model_of(&world) - optimum()) > 1e-4)
      fail_msg("%s: %g, expected %g", algorithms[a], (double)model_of(&world), optimum());
    close_world(&world);
  }
  open_world(&world, "", "");
  for (int round = 1; round <= 300; round++) run_round(&world, 0);
  assert_true(fabs((double)model_of(&world) - optimum()) > 0.05);
  close_world(&world);
}

static void feddyn_regularises_dynamically(void **state) {
  (void)state;
  const double alpha = 0.5;
  struct world world;
  double x = 0.75, h = 0, own[CLIENTS] = {0};
  open_world(&world, "", "algorithm: feddyn, regularizer: 0.5");
  for (int round = 1; round <= 20; round++) {
    const int first = round > 10;
    const double all = first ? 1 - weight(0) : 1, part = first ? 2.0 / 3 : 1;
    double mean = 0;
    for (int i = first; i < CLIENTS; i++) {
      const double y = descend(i, x, alpha, -own[i] - alpha * x);
      own[i] -= alpha * (y - x);
      mean += weight(i) / all * (y - x);
    }
    run_round(&world, first);
    h -= alpha * part * mean;
    assert_near((double)model_of(&world), x += mean - h / alpha);
    assert_near((double)state_of(&world, 0), h);
  }
  close_world(&world);
}

/* c is the mean of the c_i, h that of the g_i: only so do corrections cancel. Rounding and clipping
 * must not set them apart, however many rounds there are. */
static void what_clients_keep_is_what_the_server_adds(void **state) {
  (void)state;
  static const char *const algorithms[] = {"algorithm: scaffold",
                                           "algorithm: feddyn, regularizer: 0.5"};
  static const char *const updates[] = {"grid_bits: 16, grid_step: 2^-9",
                                        FINE_GRID ", clip_norm: 0.05",
                                        "grid_bits: 8, grid_step: 2^-9, clip_norm: 0.2"};
  struct world world;
  for (size_t a = 0; a < 2; a++)
    for (size_t u = 0; u < sizeof updates / sizeof updates[0]; u++) {
      double mean = 0;
      open_world_with(&world, "", algorithms[a], updates[u]);
      for (int round = 1; round <= 200; round++) run_round(&world, 0);
      for (int i = 0; i < CLIENTS; i++) mean += weight(i) * (double)world.kept[i];
      assert_near((double)state_of(&world, 0), mean);
      close_world(&world);
    }
}

static void fednova_divides_by_the_steps(void **state) {
  (void)state;
  struct world world;
  double x = 0.75;
  open_world(&world, "", "algorithm: fednova");
  for (int round = 1; round <= 20; round++) {
    double direction = 0, reach = 0;
    for (int i = 0; i < CLIENTS; i++) {
      direction += weight(i) * (descend(i, x, 0, 0) - x) / steps(i);
      reach += weight(i) * steps(i);
    }
    run_round(&world, 0);
    assert_near((double)model_of(&world), x += reach * direction);
  }
  close_world(&world);
}

/* ---- momentum ------------------------------------------------------------------------------- */

#define MOMENTUM 0.6

/* Heavy ball, or Nesterov's, as PyTorch's SGD, from x, step by step. */
static double roll(int i, double x, double offset, int nesterov) {
  double y = x, v = 0;
  for (int s = 0; s < (int)steps(i); s++) {
    const double g = curvature(i) * (y - clients[i].b) + offset;
    v = MOMENTUM * v + g;
    y -= ETA * (nesterov ? g + MOMENTUM * v : v);
  }
  return y;
}

/* |a|_1: the sum of what each step's gradient is moved by in the end. */
static double reach_of(int i, int nesterov) {
  double reach = 0;
  for (int s = 0; s < (int)steps(i); s++) {
    reach += nesterov;
    for (int later = 0; later < (int)steps(i) - s; later++)
      reach += pow(MOMENTUM, later + nesterov);
  }
  return reach;
}

static void fednova_knows_how_far_momentum_carries(void **state) {
  (void)state;
  static const char *const training[] = {", momentum: 0.6", ", momentum: 0.6, nesterov: true"};
  for (int nesterov = 0; nesterov < 2; nesterov++) {
    struct world world;
    double x = 0.75, direction = 0, reach = 0;
    open_world(&world, training[nesterov], "algorithm: fednova");
    for (int i = 0; i < CLIENTS; i++) {
      direction += weight(i) * (roll(i, x, 0, nesterov) - x) / reach_of(i, nesterov);
      reach += weight(i) * reach_of(i, nesterov);
    }
    run_round(&world, 0);
    assert_near((double)model_of(&world), x + reach * direction);
    close_world(&world);
  }
}

/* A change by step is hundreds of times smaller than an update; it must not fall through the grid.
 */
static void fednova_does_as_well_on_a_coarse_grid(void **state) {
  (void)state;
  struct world fine, usual;
  open_world(&fine, ", momentum: 0.9, epochs: 10", "algorithm: fednova");
  open_world_with(&usual, ", momentum: 0.9, epochs: 10", "algorithm: fednova",
                  "grid_bits: 16, grid_step: 2^-9");
  for (int round = 1; round <= 20; round++) {
    run_round(&fine, 0);
    run_round(&usual, 0);
    assert_true(fabs((double)model_of(&fine) - (double)model_of(&usual)) < 0x1p-9);
  }
  close_world(&fine);
  close_world(&usual);
}

/* A variate is a mean of gradients, whatever carries them. */
static void scaffold_knows_how_far_momentum_carries(void **state) {
  (void)state;
  static const char *const training[] = {", momentum: 0.6", ", momentum: 0.6, nesterov: true"};
  for (int nesterov = 0; nesterov < 2; nesterov++) {
    struct world world;
    double x = 0.75, c = 0, own[CLIENTS] = {0};
    open_world(&world, training[nesterov], "algorithm: scaffold");
    for (int round = 1; round <= 30; round++) {
      double next = 0, change = 0;
      for (int i = 0; i < CLIENTS; i++) {
        const double y = roll(i, x, c - own[i], nesterov);
        const double renewed = own[i] - c + (x - y) / (ETA * reach_of(i, nesterov));
        next += weight(i) * y;
        change += weight(i) * (renewed - own[i]);
        own[i] = renewed;
      }
      run_round(&world, 0);
      c += change;
      assert_near((double)model_of(&world), x = next);
      assert_near((double)state_of(&world, 0), c);
      for (int i = 0; i < CLIENTS; i++) assert_near((double)world.kept[i], own[i]);
    }
    close_world(&world);
  }
}

/* Reddi et al. 2021, algorithm 2; `rule` 0: Adagrad, 1: Adam, 2: Yogi. */
static void check_adaptive(const char *name, int rule) {
  const double beta1 = 0.8, beta2 = 0.95, tau = 0.01, rate = 0.1;
  struct world world;
  char aggregate[160];
  double x = 0.75, d = 0, v = tau * tau;
  snprintf(aggregate, sizeof aggregate,
           "algorithm: %s, server_learning_rate: 0.1, beta1: 0.8, adaptivity: 0.01%s", name,
           rule ? ", beta2: 0.95" : "");
  open_world(&world, "", aggregate);
  for (int round = 1; round <= 20; round++) {
    double mean = 0;
    for (int i = 0; i < CLIENTS; i++) mean += weight(i) * (descend(i, x, 0, 0) - x);
    run_round(&world, 0);
    d = beta1 * d + (1 - beta1) * mean;
    if (rule == 0) v += d * d;
    if (rule == 1) v = beta2 * v + (1 - beta2) * d * d;
    if (rule == 2) v -= (1 - beta2) * d * d * (v > d * d ? 1 : v < d * d ? -1 : 0);
    assert_near((double)model_of(&world), x += rate * d / (sqrt(v) + tau));
    assert_near((double)state_of(&world, 0), d);
    assert_near((double)state_of(&world, 1), v);
  }
  close_world(&world);
}

static void adaptive_rules_follow_their_recursions(void **state) {
  (void)state;
  check_adaptive("fedadagrad", 0);
  check_adaptive("fedadam", 1);
  check_adaptive("fedyogi", 2);
}

/* ---- without a common pace ------------------------------------------------------------------ */

/* A version made of single answers: client i began with a version that `staleness` have followed.
 */
struct answer {
  int client;
  uint64_t staleness;
};

static void run_version(struct world *world, const struct answer *answers, int count,
                        struct fed_params *versions) {
  struct fed__plan_version version = {.model = &world->current, .state = &world->state};
  struct fed_params next, next_state;
  const struct fed_params newest = world->current;
  world->round++;
  world->plan.rule->begin(world->aggregate);
  for (int k = 0; k < count; k++) {
    const int i = answers[k].client;
    world->current = versions[world->round - 1 - answers[k].staleness];
    version.base = &versions[world->round - 1 - answers[k].staleness];
    visit_with(world, i,
               fed__plan_stale_weight(&world->job, clients[i].rows, answers[k].staleness));
    version.fresh_weight += fed__plan_stale_weight(&world->job, clients[i].rows, 0);
  }
  world->current = newest;
  must(fed__plan_next_model(&world->job, &world->plan, world->aggregate, &version, &next,
                            &next_state));
  fed_params_clear(&world->state);
  world->current = versions[world->round] = next;
  world->state = next_state;
}

/* s(t) = 1 / sqrt(1 + t), in steps of 1/256. */
static double discount(uint64_t staleness) {
  return round(256 / sqrt(1 + (double)staleness)) / 256;
}

static const struct answer stale[4][2] = {
    {{0, 0}, {1, 0}}, {{2, 1}, {1, 0}}, {{0, 2}, {2, 1}}, {{1, 0}, {0, 3}}};

static void clear_versions(struct world *world, struct fed_params *versions, int count) {
  for (int i = 0; i < count; i++) fed_params_clear(&versions[i]);
  world->current = (struct fed_params){0};
}

/* Nguyen et al. 2022: x+ = x + rate / K * sum of s_i * delta_i; weighted by examples, K is theirs.
 */
static void fedbuff_adds_what_is_stale_at_a_discount(void **state) {
  (void)state;
  struct world world;
  struct fed_params versions[5];
  double x[5] = {0.75};
  open_world(&world, "", "algorithm: fedbuff, buffer: 2, server_learning_rate: 0.8");
  versions[0] = world.current;
  for (int t = 1; t < 5; t++) {
    double sum = 0, all = 0;
    for (int k = 0; k < 2; k++) {
      const struct answer *answer = &stale[t - 1][k];
      const double base = x[(uint64_t)t - 1 - answer->staleness];
      sum += weight(answer->client) * discount(answer->staleness) *
             (descend(answer->client, base, 0, 0) - base);
      all += weight(answer->client);
    }
    run_version(&world, stale[t - 1], 2, versions);
    assert_near((double)model_of(&world), x[t] = x[t - 1] + 0.8 * sum / all);
  }
  clear_versions(&world, versions, 5);
  close_world(&world);
}

/* Xie et al. 2019: x+ = (1 - a) x + a y with a = alpha * s. */
static void fedasync_mixes_models(void **state) {
  (void)state;
  struct world world;
  struct fed_params versions[5];
  double x[5] = {0.75};
  open_world(&world, "", "algorithm: fedasync, mixing: 0.5");
  versions[0] = world.current;
  for (int t = 1; t < 5; t++) {
    const struct answer *answer = &stale[t - 1][1];
    const double y = descend(answer->client, x[(uint64_t)t - 1 - answer->staleness], 0, 0);
    const double a = 0.5 * discount(answer->staleness);
    run_version(&world, answer, 1, versions);
    assert_near((double)model_of(&world), x[t] = (1 - a) * x[t - 1] + a * y);
  }
  clear_versions(&world, versions, 5);
  close_world(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fedavg_averages_what_clients_reach),
      cmocka_unit_test(fedavgm_keeps_a_velocity),
      cmocka_unit_test(fedsgd_is_gradient_descent),
      cmocka_unit_test(fedprox_is_drawn_to_what_it_received),
      cmocka_unit_test(scaffold_corrects_by_its_variates),
      cmocka_unit_test(scaffold_and_feddyn_find_the_minimum_where_fedavg_does_not),
      cmocka_unit_test(feddyn_regularises_dynamically),
      cmocka_unit_test(what_clients_keep_is_what_the_server_adds),
      cmocka_unit_test(fednova_divides_by_the_steps),
      cmocka_unit_test(fednova_knows_how_far_momentum_carries),
      cmocka_unit_test(fednova_does_as_well_on_a_coarse_grid),
      cmocka_unit_test(scaffold_knows_how_far_momentum_carries),
      cmocka_unit_test(adaptive_rules_follow_their_recursions),
      cmocka_unit_test(fedbuff_adds_what_is_stale_at_a_discount),
      cmocka_unit_test(fedasync_mixes_models),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
