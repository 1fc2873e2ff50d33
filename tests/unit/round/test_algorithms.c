/* SPDX-License-Identifier: Apache-2.0
 *
 * test_algorithms.c: every algorithm of rounds in step against its closed form on quadratics,
 * written out here from its paper, and where its rounds lead: SCAFFOLD and FedDyn to the minimum of
 * the weighted sum of the f_i, FedAvg elsewhere.
 */
#include "quadratic_world.h"

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

/* All clients take part in the first rounds, later only the last two, whose changes count by their
 * weights among all: with equal ones that is |S| / N. */
static void scaffold_corrects_by_its_variates(void **state) {
  (void)state;
  struct world world;
  double x = 0.75, c = 0, own[CLIENTS] = {0};
  open_world(&world, "", "algorithm: scaffold");
  for (int round = 1; round <= 30; round++) {
    const int first = round > 20;
    const double all = first ? 1 - weight(0) : 1;
    double next = 0, change = 0;
    for (int i = first; i < CLIENTS; i++) {
      const double y = descend(i, x, 0, c - own[i]);
      const double renewed = own[i] - c + (x - y) / (steps(i) * ETA);
      next += weight(i) / all * y;
      change += weight(i) * (renewed - own[i]);
      own[i] = renewed;
    }
    run_round(&world, first);
    c += change;
    assert_near((double)model_of(&world), x = next);
    assert_near((double)state_of(&world, 0) / 30, c);
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
    const double all = first ? 1 - weight(0) : 1;
    double mean = 0;
    for (int i = first; i < CLIENTS; i++) {
      const double y = descend(i, x, alpha, -own[i] - alpha * x);
      own[i] -= alpha * (y - x);
      mean += weight(i) / all * (y - x);
    }
    run_round(&world, first);
    h -= alpha * all * mean;
    assert_near((double)model_of(&world), x += mean - h / alpha);
    assert_near((double)state_of(&world, 0) / 30, h);
  }
  close_world(&world);
}

/* Whoever takes part, and by whichever weights: cohorts of two in turn. */
static void cohorts_in_turn_find_the_minimum(void **state) {
  (void)state;
  static const unsigned cohorts[] = {3, 6, 5};
  static const char *const algorithms[] = {"algorithm: scaffold",
                                           "algorithm: feddyn, regularizer: 0.5"};
  struct world world;
  for (int a = 0; a < 2; a++) {
    open_world(&world, "", algorithms[a]);
    for (int round = 0; round < 900; round++) run_round_of(&world, cohorts[round % 3]);
    if (fabs((double)model_of(&world) - optimum()) > 1e-4)
      fail_msg("%s: %g, expected %g", algorithms[a], (double)model_of(&world), optimum());
    close_world(&world);
  }
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
      assert_near((double)state_of(&world, 0) / 30, mean);
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
      assert_near((double)state_of(&world, 0) / 30, c);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fedavg_averages_what_clients_reach),
      cmocka_unit_test(fedavgm_keeps_a_velocity),
      cmocka_unit_test(fedsgd_is_gradient_descent),
      cmocka_unit_test(fedprox_is_drawn_to_what_it_received),
      cmocka_unit_test(scaffold_corrects_by_its_variates),
      cmocka_unit_test(scaffold_and_feddyn_find_the_minimum_where_fedavg_does_not),
      cmocka_unit_test(feddyn_regularises_dynamically),
      cmocka_unit_test(cohorts_in_turn_find_the_minimum),
      cmocka_unit_test(what_clients_keep_is_what_the_server_adds),
      cmocka_unit_test(fednova_divides_by_the_steps),
      cmocka_unit_test(fednova_knows_how_far_momentum_carries),
      cmocka_unit_test(fednova_does_as_well_on_a_coarse_grid),
      cmocka_unit_test(scaffold_knows_how_far_momentum_carries),
      cmocka_unit_test(adaptive_rules_follow_their_recursions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
