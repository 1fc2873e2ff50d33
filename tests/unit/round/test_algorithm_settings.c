/* SPDX-License-Identifier: Apache-2.0
 *
 * test_algorithm_settings.c: settings that do not go with an algorithm are refused, with the
 * reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "round/plan.h"

#include <stdio.h>
#include <string.h>

static void assert_refused(const char *train, const char *aggregate, const char *part) {
  struct fed_context context;
  struct fed__job job;
  struct fed__plan plan;
  char text[1024];
  fed_context_init(&context);
  snprintf(
      text, sizeof text,
      "version: 1\nname: q\nmodel: {file: m.onnx}\ndata: {name: d, format: npy, inputs: {file: "
      "x.npy, shape: [1]}, target: {file: t.npy, classes: 2}}\ntrain: {%s}\n"
      "rounds: {count: 1, cohort: 2, minimum: 2}\naggregate: {%s}\n",
      train, aggregate);
  assert_int_equal(fed__job_parse(&context, "job.yaml", fed_slice_of_text(text), &job), FED_OK);
  assert_int_equal(fed__plan_make(&job, 1, &plan), FED_E_INPUT);
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
  fed__job_clear(&job);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  assert_refused("epochs: 1", "algorithm: fedavgm", "needs aggregate.server_momentum above 0");
  assert_refused("epochs: 1", "algorithm: fedprox", "needs aggregate.proximal above 0");
  assert_refused("epochs: 1", "algorithm: feddyn", "needs aggregate.regularizer above 0");
  static const char *const unused[][2] = {
      {"proximal: 0.1", "aggregate.proximal, which is for fedprox"},
      {"algorithm: scaffold, server_momentum: 0.9",
       "aggregate.server_momentum, which is for fedavg,"},
      {"algorithm: fedasync, server_learning_rate: 0.5", "which is for all but fedasync"},
      {"algorithm: fedasync, buffer: 5", "aggregate.buffer, which is for fedbuff"},
      {"algorithm: fedbuff, mixing: 0.5", "aggregate.mixing, which is for fedasync"},
      {"algorithm: fedadagrad, beta2: 0.9", "aggregate.beta2, which is for fedadam and fedyogi"},
      {"beta1: 0", "aggregate.beta1, which is for fedadagrad, fedadam and fedyogi"},
      {"adaptivity: 0.1", "aggregate.adaptivity, which is for fedadagrad, fedadam and fedyogi"},
      {"population: 7", "aggregate.population, which is for scaffold and feddyn"},
      {"staleness_max: 3", "aggregate.staleness_max, which is for fedbuff and fedasync"},
      {"regularizer: 0.1", "aggregate.regularizer, which is for feddyn"}};
  for (size_t i = 0; i < sizeof unused / sizeof unused[0]; i++)
    assert_refused("epochs: 1", unused[i][0], unused[i][1]);
  assert_refused("epochs: 1, optimizer: adam", "algorithm: scaffold", "train.optimizer 'sgd'");
  assert_refused("epochs: 2", "algorithm: fedsgd", "train.epochs must be 1");
  assert_refused("epochs: 1, momentum: 0.9", "algorithm: fedsgd", "train.momentum");
  assert_refused("epochs: 0", "algorithm: fednova", "train.epochs of at least 1");
  assert_refused("epochs: 1", "algorithm: fedasync",
                 "makes a version of 1 updates, but rounds.minimum is 2");
  assert_refused("epochs: 1, trainer: mine", "algorithm: fedprox, proximal: 1", "external trainer");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_fit_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
