/* SPDX-License-Identifier: Apache-2.0
 *
 * test_asynchronous_algorithms.c: FedBuff and FedAsync against their closed forms on quadratics,
 * with updates of any staleness.
 */
#include "quadratic_world.h"

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
  must(fed__plan_next_model(&world->plan, world->aggregate, &version, &next, &next_state));
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
      cmocka_unit_test(fedbuff_adds_what_is_stale_at_a_discount),
      cmocka_unit_test(fedasync_mixes_models),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
