/* SPDX-License-Identifier: Apache-2.0
 *
 * test_device.c: devices have the figures that settings or a trace give them, drop out as often as
 * declared, and are there when they should be; traces that are refused, with the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/raise.h"
#include "failing_alloc.h"
#include "simulate/device.h"
#include "simulate/partition.h"
#include "simulate/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER INT64_MAX

/* Devices of `clients` clients that are called client-0000 and so on. */
struct world {
  struct fed_context context;
  struct fed__job job;
  struct fed__partition clients;
  struct fed__devices devices;
};

static void begin(struct world *world, uint32_t clients) {
  *world = (struct world){.job = {.seed = 7}};
  fed_context_init(&world->context);
  world->clients = (struct fed__partition){.context = &world->context, .client_count = clients};
  world->job.simulate.device.available = 1;
}

static int open_devices(struct world *world) {
  return fed__devices_init(&world->devices, &world->context, &world->job, &world->clients);
}

static void must_open(struct world *world) {
  if (open_devices(world) != FED_OK) fail_msg("%s", fed_error_last()->message);
}

/* ---- by settings ---------------------------------------------------------------------------- */

static void a_task_takes_what_its_parts_take(void **state) {
  (void)state;
  const struct fed__device nothing = {0};
  const struct fed__device device = {
      .speed = 100, .latency_s = 0.5, .bandwidth_down = 1000, .bandwidth_up = 500};
  assert_true(fed__device_work_us(&nothing, 1000, 1000) == 0);
  assert_true(fed__device_down_us(&nothing, 1000) == 0 && fed__device_up_us(&nothing, 1000) == 0);
  /* 200 examples in 2 s, 30 in a third of 0.3 s */
  assert_true(fed__device_work_us(&device, 200, 30) == 2100000);
  assert_true(fed__device_down_us(&device, 4000) == 4500000);
  assert_true(fed__device_up_us(&device, 4000) == 8500000);
  const struct fed__device slow = {.speed = 1e-300};
  assert_true(fed__device_work_us(&slow, 1, 0) > 0); /* and no overflow */
}

static void speeds_are_log_normal_around_their_mean(void **state) {
  (void)state;
  enum { DEVICES = 20000 };
  static double logs[DEVICES];
  struct world world;
  struct fed__spread spread;
  double sum = 0;
  begin(&world, DEVICES);
  world.job.simulate.device.speed = 50;
  world.job.simulate.device.speed_spread = 0.4;
  must_open(&world);
  for (uint32_t c = 0; c < DEVICES; c++) {
    const double speed = fed__device_of(&world.devices, c).speed;
    assert_true(speed == fed__device_of(&world.devices, c).speed);
    sum += speed;
    logs[c] = log(speed);
  }
  fed__spread_of(logs, DEVICES, &spread);
  assert_true(fabs(sum / DEVICES / 50 - 1) < 0.02);
  assert_true(fabs(spread.deviation / 0.4 - 1) < 0.03);
  fed__devices_clear(&world.devices);
}

/* A uniform figure from m(1-s) to m(1+s) has the deviation m s / sqrt 3; the figures of a device
 * are independent of each other, but for the two bandwidths. */
static void uniform_figures_stay_within_their_bounds(void **state) {
  (void)state;
  enum { DEVICES = 20000 };
  static double memory[DEVICES], latency[DEVICES];
  struct world world;
  struct fed__spread spread;
  double both = 0;
  begin(&world, DEVICES);
  struct fed__device_settings *settings = &world.job.simulate.device;
  settings->distribution = FED__DEVICE_UNIFORM;
  settings->memory = 1000, settings->memory_spread = 0.5;
  settings->latency_s = 0.2, settings->latency_spread = 0.9;
  settings->bandwidth_down = 3000, settings->bandwidth_up = 1000, settings->bandwidth_spread = 0.1;
  must_open(&world);
  for (uint32_t c = 0; c < DEVICES; c++) {
    const struct fed__device device = fed__device_of(&world.devices, c);
    assert_true(device.memory >= 500 && device.memory <= 1500);
    assert_true(device.latency_s >= 0.02 && device.latency_s <= 0.38);
    assert_true(device.bandwidth_up >= 900 && device.bandwidth_up <= 1100);
    assert_float_equal(device.bandwidth_down, 3 * device.bandwidth_up, 1e-9);
    assert_true(device.speed == 0 && device.drop_out == 0);
    assert_true(fed__device_memory(&world.devices, c) == device.memory);
    memory[c] = device.memory;
    latency[c] = device.latency_s;
    both += (device.memory / 1000 - 1) * (device.latency_s / 0.2 - 1);
  }
  fed__spread_of(memory, DEVICES, &spread);
  assert_true(fabs(spread.mean / 1000 - 1) < 0.01);
  assert_true(fabs(spread.deviation / (500 / sqrt(3)) - 1) < 0.02);
  fed__spread_of(latency, DEVICES, &spread);
  assert_true(fabs(spread.deviation / (0.18 / sqrt(3)) - 1) < 0.02);
  /* correlation 0, deviation 1 / sqrt n */
  assert_true(fabs(both / DEVICES / (0.5 * 0.9 / 3)) < 5 / sqrt(DEVICES));
  fed__devices_clear(&world.devices);
}

static void devices_drop_out_as_often_as_declared(void **state) {
  (void)state;
  enum { DEVICES = 50, ROUNDS = 400 };
  const struct fed__device device = {.drop_out = 0.2}, reliable = {0};
  struct world world;
  uint32_t dropped = 0, twice = 0;
  begin(&world, DEVICES);
  must_open(&world);
  for (uint64_t round = 1; round <= ROUNDS; round++)
    for (uint32_t c = 0; c < DEVICES; c++) {
      const int now = fed__device_drops_out(&world.devices, &device, c, round, 1);
      assert_int_equal(now, fed__device_drops_out(&world.devices, &device, c, round, 1));
      dropped += (uint32_t)now;
      twice += now && fed__device_drops_out(&world.devices, &device, c, round, 2);
    }
  /* binomial: 20,000 * 0.2, deviation 57; and attempts are independent: 0.04, deviation 28 */
  assert_in_range(dropped, 4000 - 5 * 57, 4000 + 5 * 57);
  assert_in_range(twice, 800 - 5 * 28, 800 + 5 * 28);
  assert_false(fed__device_drops_out(&world.devices, &reliable, 3, 1, 1));
  fed__devices_clear(&world.devices);
}

/* ---- availability --------------------------------------------------------------------------- */

static void must_be(struct fed__presence found, int is_there, int64_t until_us) {
  assert_int_equal(found.is_there, is_there);
  assert_true(found.until_us == until_us);
}

static const int64_t hour_us = (int64_t)3600 * 1000000;

static void a_stretch_of_each_day(void **state) {
  (void)state;
  const int64_t day_us = 24 * hour_us;
  /* from 20 to 4 o'clock */
  must_be(fed__presence_daily(20 * hour_us, 8 * hour_us, 0), 1, 4 * hour_us);
  must_be(fed__presence_daily(20 * hour_us, 8 * hour_us, 4 * hour_us), 0, 20 * hour_us);
  must_be(fed__presence_daily(20 * hour_us, 8 * hour_us, 20 * hour_us - 1), 0, 20 * hour_us);
  must_be(fed__presence_daily(20 * hour_us, 8 * hour_us, 20 * hour_us), 1, 28 * hour_us);
  must_be(fed__presence_daily(-4 * hour_us, 8 * hour_us, 10 * day_us), 1,
          10 * day_us + 4 * hour_us);
  must_be(fed__presence_daily(5, day_us, 77), 1, NEVER);
  must_be(fed__presence_daily(5, 0, 77), 0, NEVER);
}

/* Of many devices that are there 6 hours around 2 ± 1 o'clock: at 2 all, at 12 nobody, at 5 half of
 * them. */
static void devices_are_there_around_an_hour(void **state) {
  (void)state;
  enum { DEVICES = 4000 };
  struct world world;
  uint32_t early = 0, late = 0, half = 0;
  begin(&world, DEVICES);
  world.job.simulate.device.available = 0.25;
  world.job.simulate.device.available_at_s = 2 * 3600;
  world.job.simulate.device.available_within_s = 2 * 3600;
  must_open(&world);
  for (uint32_t c = 0; c < DEVICES; c++) {
    early += (uint32_t)fed__device_presence(&world.devices, c, 74 * hour_us).is_there;
    late += (uint32_t)fed__device_presence(&world.devices, c, 12 * hour_us).is_there;
    half += (uint32_t)fed__device_presence(&world.devices, c, 5 * hour_us).is_there;
  }
  assert_int_equal(early, DEVICES);
  assert_int_equal(late, 0);
  assert_in_range(half, DEVICES / 2 - 5 * 32, DEVICES / 2 + 5 * 32);
  assert_true(fed__devices_period_us(&world.devices) == 24 * hour_us);
  fed__devices_clear(&world.devices);
}

static void add(const struct fed_context *context, struct fed__intervals *intervals,
                uint32_t client, int64_t from_us, int64_t to_us) {
  const struct fed__interval interval = {from_us, to_us, client};
  assert_int_equal(fed__intervals_add(context, intervals, &interval), FED_OK);
}

static void intervals_are_merged_and_may_repeat(void **state) {
  (void)state;
  struct fed_context context;
  struct fed__intervals intervals = {0};
  fed_context_init(&context);
  add(&context, &intervals, 2, 50, 100);
  add(&context, &intervals, 1, 30, 40);
  add(&context, &intervals, 1, 10, 20);
  add(&context, &intervals, 2, 0, 5);
  add(&context, &intervals, 1, 15, 30);
  add(&context, &intervals, 3, 0, 60);
  add(&context, &intervals, 3, 10, 100);
  fed__intervals_sort(&intervals);
  assert_int_equal(intervals.count, 4);
  must_be(fed__presence_in(&intervals, 1, 0), 0, 10);
  must_be(fed__presence_in(&intervals, 1, 25), 1, 40);
  must_be(fed__presence_in(&intervals, 1, 40), 0, NEVER);
  must_be(fed__presence_in(&intervals, 2, 7), 0, 50);
  must_be(fed__presence_in(&intervals, 0, 7), 0, NEVER);
  must_be(fed__presence_in(&intervals, 9, 7), 0, NEVER);
  intervals.repeats_us = 100;
  must_be(fed__presence_in(&intervals, 1, 40), 0, 110);
  must_be(fed__presence_in(&intervals, 1, 1010), 1, 1040);
  must_be(fed__presence_in(&intervals, 2, 260), 1, 305); /* over the end into the next */
  must_be(fed__presence_in(&intervals, 2, 300), 1, 305);
  must_be(fed__presence_in(&intervals, 3, 555), 1, NEVER); /* always */
  must_be(fed__presence_in(&intervals, 0, 7), 0, NEVER);
  fed__intervals_clear(&context, &intervals);
}

/* ---- traces --------------------------------------------------------------------------------- */

/* In the working folder of the test. */
static char trace_path[64], availability_path[64];

static void write_file(char path[64], const char *name, const char *text) {
  snprintf(path, 64, "%s.%ld.csv", name, (long)getpid());
  assert_int_equal(fed__file_write_quick(path, fed_slice_of_text(text), FED__FILE_SHARED), FED_OK);
}

static void use_trace(struct world *world, uint32_t clients, const char *text) {
  begin(world, clients);
  write_file(trace_path, "devices", text);
  world->job.simulate.device.trace = trace_path;
}

static void use_availability(struct world *world, uint32_t clients, const char *text) {
  begin(world, clients);
  write_file(availability_path, "availability", text);
  world->job.simulate.device.availability = availability_path;
}

static void rows_go_to_clients_by_name(void **state) {
  (void)state;
  struct world world;
  use_trace(&world, 3,
            "latency, client,speed,bandwidth_up,bandwidth_down,memory,drop_out,available_from,"
            "available_to\n"
            "0.25,client-0002,5e1,1000,2000.5,4096,0.5,79200,14400\n"
            "0,somebody-else,1,1,1,1,0,0,1\n"
            ",client-0000,,,,,,,\r\n"
            "\n"
            "1,\"client-0001\",7,,,,,0,0\n");
  world.job.simulate.device.speed = 3;
  world.job.simulate.device.latency_s = 9;
  must_open(&world);
  const struct fed__device first = fed__device_of(&world.devices, 0);
  assert_true(first.speed == 3 && first.latency_s == 9 && first.memory == 0);
  must_be(fed__device_presence(&world.devices, 0, 5), 1, NEVER);
  const struct fed__device second = fed__device_of(&world.devices, 1);
  assert_true(second.speed == 7 && second.latency_s == 1 && second.bandwidth_up == 0);
  must_be(fed__device_presence(&world.devices, 1, 5), 1, NEVER); /* the same time: always */
  const struct fed__device third = fed__device_of(&world.devices, 2);
  assert_true(third.speed == 50 && third.latency_s == 0.25 && third.bandwidth_up == 1000);
  assert_true(fed__device_memory(&world.devices, 2) == 4096);
  assert_true(fed__device_memory(&world.devices, 0) == 0);
  assert_true(third.bandwidth_down == 2000.5 && third.memory == 4096 && third.drop_out == 0.5);
  must_be(fed__device_presence(&world.devices, 2, 0), 1, 4 * hour_us);
  must_be(fed__device_presence(&world.devices, 2, 4 * hour_us), 0, 22 * hour_us);
  fed__devices_clear(&world.devices);
}

/* Without names: of 3 rows among 8 clients two go to three clients and one to two; of 3 rows among
 * 2 clients no row goes to both; another seed deals otherwise. */
static void rows_are_dealt_evenly(void **state) {
  (void)state;
  struct world world;
  int differs = 0;
  for (uint64_t seed = 0; seed < 30; seed++) {
    uint32_t clients_of[4] = {0};
    use_trace(&world, 8, "speed\n1\n2\n3\n");
    world.job.seed = seed;
    must_open(&world);
    for (uint32_t c = 0; c < 8; c++) clients_of[(int)fed__device_of(&world.devices, c).speed]++;
    for (int i = 1; i <= 3; i++) assert_in_range(clients_of[i], 2, 3);
    differs |= fed__device_of(&world.devices, 0).speed != 1;
    fed__devices_clear(&world.devices);
    world.clients.client_count = 2;
    must_open(&world);
    assert_true(fed__device_of(&world.devices, 0).speed != fed__device_of(&world.devices, 1).speed);
    fed__devices_clear(&world.devices);
  }
  assert_true(differs);
}

static void intervals_come_from_a_file(void **state) {
  (void)state;
  struct world world;
  use_availability(&world, 3,
                   "client,from,to\nclient-0001,0,60\nnobody,5,6\nclient-0002,30.5,90\n");
  must_open(&world);
  must_be(fed__device_presence(&world.devices, 1, 0), 1, 60000000);
  must_be(fed__device_presence(&world.devices, 2, 0), 0, 30500000);
  must_be(fed__device_presence(&world.devices, 0, 0), 0, NEVER);
  assert_true(fed__devices_period_us(&world.devices) == NEVER);
  fed__devices_clear(&world.devices);
  world.job.simulate.device.availability_repeats_s = 100;
  must_open(&world);
  must_be(fed__device_presence(&world.devices, 1, 70000000), 0, 100000000);
  assert_true(fed__devices_period_us(&world.devices) == 100000000);
  fed__devices_clear(&world.devices);
}

static void refuses(struct world *world, int code, const char *message) {
  assert_int_equal(open_devices(world), code);
  if (!strstr(fed_error_last()->message, message))
    fail_msg("'%s' is not in: %s", message, fed_error_last()->message);
}

static void refuses_trace(const char *text, int code, const char *message) {
  struct world world;
  use_trace(&world, 2, text);
  refuses(&world, code, message);
  assert_non_null(strstr(fed_error_last()->message, trace_path));
}

static void traces_that_are_refused(void **state) {
  (void)state;
  refuses_trace("", FED_E_EMPTY, "the columns' names");
  refuses_trace("speed\n", FED_E_EMPTY, "has no rows");
  refuses_trace("speed,memry\n1,2\n", FED_E_INPUT,
                "line 1, column 2: 'memry' is not known: did you mean 'memory'?");
  refuses_trace("speed,colour\n1,2\n", FED_E_INPUT, "'colour' is not known; 'client' is");
  refuses_trace("speed,speed\n1,2\n", FED_E_DUPLICATE, "'speed' is column 1 already");
  refuses_trace("speed,latency\n1,2\n\n3\n", FED_E_INPUT, "line 4: expected 2 fields, found 1");
  refuses_trace("speed\n1\nfast\n", FED_E_TYPE,
                "line 3, column 'speed': expected a number from 0 to 1000000000000, found 'fast'");
  refuses_trace("speed\nnan\n", FED_E_TYPE, "found 'nan'");
  refuses_trace("speed\n0x10\n", FED_E_TYPE, "found '0x10'");
  refuses_trace("speed\n1e999\n", FED_E_TYPE, "found '1e999'");
  refuses_trace("speed\n-1\n", FED_E_RANGE, "found '-1'");
  refuses_trace("drop_out\n1.5\n", FED_E_RANGE, "from 0 to 1, found '1.5'");
  refuses_trace("client,speed\nclient-0000,1\n", FED_E_MISSING, "no row for client 'client-0001'");
  refuses_trace("client,speed\nclient-0000,1\n,4\n", FED_E_MISSING, "line 3, column 'client'");
  refuses_trace(
      "client,speed\nclient-0000,1\nclient-0000,4\n", FED_E_DUPLICATE,
      "line 3, column 'client': expected a client that has no row yet, found 'client-0000'");
  refuses_trace("available_from,available_to\n5,\n", FED_E_MISSING,
                "line 2, column 'available_to'");
  refuses_trace("speed\n\"1\n", FED_E_TRUNCATED, "within quotes");
  struct world world;
  begin(&world, 2);
  world.job.simulate.device.trace = (char[]){"no/such/file.csv"};
  refuses(&world, FED_E_NOT_FOUND, "no/such/file.csv");
  world.job.simulate.device.trace = (char[]){"/"};
  assert_int_not_equal(open_devices(&world), FED_OK);
}

static void refuses_availability(const char *text, int code, const char *message) {
  struct world world;
  use_availability(&world, 2, text);
  world.job.simulate.device.availability_repeats_s = 100;
  refuses(&world, code, message);
}

static void availability_that_is_refused(void **state) {
  (void)state;
  refuses_availability("client,from\nclient-0000,1\n", FED_E_MISSING, "the column 'to' is missing");
  refuses_availability("client,from,to\nnobody,1,2\n", FED_E_EMPTY, "no interval of any client");
  refuses_availability("client,from,to\nclient-0000,1,1\n", FED_E_RANGE,
                       "line 2, column 'to': expected more than 1, the column 'from', found '1'");
  refuses_availability("client,from,to\nclient-0000,,1\n", FED_E_MISSING, "column 'from'");
  refuses_availability("client,from,to\nclient-0000,1,\n", FED_E_RANGE, "column 'to'");
  refuses_availability("client,from,to\nclient-0000,1,101\n", FED_E_RANGE, "at most 100");
  refuses_availability("client,from,to\n,1,2\n", FED_E_MISSING, "column 'client'");
}

static void only_one_file_says_when_devices_are_there(void **state) {
  (void)state;
  struct world world;
  use_trace(&world, 2, "speed,available_from,available_to\n1,,\n2,5,6\n");
  write_file(availability_path, "availability", "client,from,to\nclient-0001,0,60\n");
  world.job.simulate.device.availability = availability_path;
  refuses(&world, FED_E_INPUT, "both say when devices are there");
  use_trace(&world, 2, "speed,available_from,available_to\n1,,\n2,,\n");
  world.job.simulate.device.availability = availability_path;
  must_open(&world);
  must_be(fed__device_presence(&world.devices, 1, 0), 1, 60000000);
  fed__devices_clear(&world.devices);
}

static void memory_may_fail(void **state) {
  (void)state;
  struct world world;
  int code = FED_E_MEMORY;
  use_trace(&world, 300, "speed\n1\n2\n3\n");
  write_file(availability_path, "availability", "client,from,to\nclient-0001,0,60\n");
  world.job.simulate.device.availability = availability_path;
  for (long allowed = 0; code != FED_OK; allowed++) {
    struct failing_alloc memory;
    failing_alloc_init(&memory, &world.context, allowed);
    code = open_devices(&world);
    if (code == FED_OK) fed__devices_clear(&world.devices);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    assert_int_equal(memory.living, 0);
  }
}

static int remove_files(void **state) {
  (void)state;
  unlink(trace_path);
  unlink(availability_path);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_task_takes_what_its_parts_take),
      cmocka_unit_test(speeds_are_log_normal_around_their_mean),
      cmocka_unit_test(uniform_figures_stay_within_their_bounds),
      cmocka_unit_test(devices_drop_out_as_often_as_declared),
      cmocka_unit_test(a_stretch_of_each_day),
      cmocka_unit_test(devices_are_there_around_an_hour),
      cmocka_unit_test(intervals_are_merged_and_may_repeat),
      cmocka_unit_test(rows_go_to_clients_by_name),
      cmocka_unit_test(rows_are_dealt_evenly),
      cmocka_unit_test(intervals_come_from_a_file),
      cmocka_unit_test(traces_that_are_refused),
      cmocka_unit_test(availability_that_is_refused),
      cmocka_unit_test(only_one_file_says_when_devices_are_there),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, remove_files);
}
