/* SPDX-License-Identifier: Apache-2.0
 *
 * test_augment.c: what changes in training does so by the seed alone and as declared, and is as it
 * was in evaluation; class probabilities; weights of balanced rows.
 */
#include "data_files.h"

#include "base/memory.h"
#include "data/augment.h"

#include <math.h>

#define ROWS 6
#define HEIGHT 3
#define WIDTH 4
#define PIXELS (HEIGHT * WIDTH)

static const int64_t labels_of_rows[ROWS] = {0, 1, 1, 2, 1, 1};

/* Row r has the pixels 20 r + 1, 20 r + 2 …, so that a pixel tells where it came from; 0 does not
 * occur. */
static int make_images(void **state) {
  uint8_t images[20 + ROWS * PIXELS] = {0, 0, 8, 4, 0, 0,      0, ROWS, 0, 0,
                                        0, 1, 0, 0, 0, HEIGHT, 0, 0,    0, WIDTH};
  uint8_t labels[8 + ROWS] = {0, 0, 8, 1, 0, 0, 0, ROWS};
  if (make_scratch(state) != 0) return -1;
  for (int r = 0; r < ROWS; r++) {
    for (int i = 0; i < PIXELS; i++) images[20 + r * PIXELS + i] = (uint8_t)(20 * r + 1 + i);
    labels[8 + r] = (uint8_t)labels_of_rows[r];
  }
  write_scratch("images.idx", images, sizeof images);
  write_scratch("labels.idx", labels, sizeof labels);
  return 0;
}

static const struct fed__input_schema input = {.file = "images.idx", .scale = 1};

static struct fed__dataset_schema schema_with(struct fed__augment_schema augment) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_IDX,
      .inputs = &input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = "labels.idx", .classes = 3},
      .augment = augment};
}

static const uint32_t all[ROWS] = {0, 1, 2, 3, 4, 5};

static void plain(const float *values, const int64_t *labels) {
  for (int i = 0; i < ROWS * PIXELS; i++)
    assert_true(values[i] == (float)(20 * (i / PIXELS) + 1 + i % PIXELS));
  assert_memory_equal(labels, labels_of_rows, sizeof labels_of_rows);
}

static void evaluation_sees_what_is_there(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = schema_with(
      (struct fed__augment_schema){.crop_padding = 1, .flip = 1, .rotate_degrees = 9, .noise = 1});
  struct fed_examples *examples = opens(scratch, &schema);
  float values[ROWS * PIXELS], changed[ROWS * PIXELS];
  int64_t labels[ROWS];
  gathers(examples, all, ROWS, values, labels);
  plain(values, labels);
  examples->begin_pass(examples, 5);
  gathers(examples, all, ROWS, changed, labels);
  assert_memory_equal(labels, labels_of_rows, sizeof labels);
  for (int r = 0; r < ROWS; r++)
    assert_true(memcmp(changed + r * PIXELS, values + r * PIXELS, PIXELS * sizeof(float)) != 0);
  examples->end_pass(examples);
  gathers(examples, all, ROWS, values, labels);
  plain(values, labels);
  fed_examples_free(examples);
}

static void the_seed_alone_decides(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = schema_with(
      (struct fed__augment_schema){.crop_padding = 2, .flip = 1, .rotate_degrees = 20, .noise = 2});
  struct fed_examples *examples = opens(scratch, &schema);
  float first[ROWS * PIXELS], second[ROWS * PIXELS], other[ROWS * PIXELS];
  int64_t labels[ROWS];
  examples->begin_pass(examples, 5);
  gathers(examples, all, ROWS, first, labels);
  gathers(examples, all, ROWS, other, labels); /* the same rows later in the pass */
  assert_true(memcmp(first, other, sizeof first) != 0);
  examples->begin_pass(examples, 5);
  for (size_t at = 0, count = 1; at < ROWS; at += count++) /* batches of 1, 2, 3 */
    gathers(examples, all + at, count, second + at * PIXELS, labels);
  assert_memory_equal(first, second, sizeof first);
  examples->begin_pass(examples, 6);
  gathers(examples, all, ROWS, other, labels);
  assert_true(memcmp(first, other, sizeof first) != 0);
  fed_examples_free(examples);
}

/* Where the pixel at the middle came from tells the shift; all others must agree. */
static void check_moved(const float *values, int row, int seen[5][5][2]) {
  for (int down = -2; down <= 2; down++)
    for (int right = -2; right <= 2; right++)
      for (int flip = 0; flip < 2; flip++) {
        int differs = 0;
        for (int y = 0; y < HEIGHT; y++)
          for (int x = 0; x < WIDTH; x++) {
            const int from_y = y + down, from_x = (flip ? WIDTH - 1 - x : x) + right;
            const int inside = from_y >= 0 && from_y < HEIGHT && from_x >= 0 && from_x < WIDTH;
            const int wanted = inside ? 20 * row + 1 + from_y * WIDTH + from_x : 0;
            differs |= values[y * WIDTH + x] != (float)wanted;
          }
        if (differs) continue;
        seen[down + 2][right + 2][flip]++;
        return;
      }
  fail_msg("row %d is no moved image", row);
}

static void crops_and_flips_are_all_there(void **state) {
  (void)state;
  const struct fed__dataset_schema schema =
      schema_with((struct fed__augment_schema){.crop_padding = 2, .flip = 1});
  struct fed_examples *examples = opens(scratch, &schema);
  int seen[5][5][2] = {{{0}}}, flips = 0;
  examples->begin_pass(examples, 1);
  for (int time = 0; time < 500; time++) {
    float values[ROWS * PIXELS];
    int64_t labels[ROWS];
    gathers(examples, all, ROWS, values, labels);
    for (int r = 0; r < ROWS; r++) check_moved(values + r * PIXELS, r, seen);
  }
  for (int i = 0; i < 50; i++) {
    const int times = seen[i / 10][i / 2 % 5][i % 2];
    flips += i % 2 ? times : 0;
    assert_in_range(times, 25, 95); /* 60 are expected, with a deviation of 7.7 */
  }
  assert_in_range(flips, 1350, 1650); /* 1500, 27 */
  fed_examples_free(examples);
}

static void turns_are_those_of_the_plane(void **state) {
  (void)state;
  const struct fed__plane square = {3, 3}, line = {1, 3};
  const float values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const float quarter[] = {3, 6, 9, 2, 5, 8, 1, 4, 7}; /* numpy.rot90 */
  float out[9];
  fed__augment_rotate(&square, values, 0, out);
  assert_memory_equal(out, values, sizeof values);
  fed__augment_rotate(&square, values, M_PI / 2, out);
  for (int i = 0; i < 9; i++) assert_float_equal(out[i], quarter[i], 1e-5);
  fed__augment_rotate(&square, values, -M_PI / 2, out);
  for (int i = 0; i < 9; i++) assert_float_equal(out[i], quarter[8 - i], 1e-5);
  /* By 60 degrees an end of the line comes from 0.5 to the right and 0.866 up: outside by that. */
  fed__augment_rotate(&line, values, M_PI / 3, out);
  const double left = (1 - sqrt(0.75)) * 1.5, right = (1 - sqrt(0.75)) * 2.5;
  assert_float_equal(out[0], left, 1e-5);
  assert_float_equal(out[1], 2, 1e-5);
  assert_float_equal(out[2], right, 1e-5);
}

static void rotations_stay_within_their_bound(void **state) {
  (void)state;
  const struct fed__dataset_schema schema =
      schema_with((struct fed__augment_schema){.rotate_degrees = 1e-4});
  struct fed_examples *examples = opens(scratch, &schema);
  float values[ROWS * PIXELS];
  int64_t labels[ROWS];
  examples->begin_pass(examples, 1);
  gathers(examples, all, ROWS, values, labels);
  for (int i = 0; i < ROWS * PIXELS; i++)
    assert_float_equal(values[i], (float)(20 * (i / PIXELS) + 1 + i % PIXELS), 1e-3);
  fed_examples_free(examples);
}

static void noise_has_its_deviation(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = schema_with((struct fed__augment_schema){.noise = 0.5});
  struct fed_examples *examples = opens(scratch, &schema);
  double sum = 0, squares = 0, count = 0;
  examples->begin_pass(examples, 1);
  for (int time = 0; time < 500; time++) {
    float values[ROWS * PIXELS];
    int64_t labels[ROWS];
    gathers(examples, all, ROWS, values, labels);
    for (int i = 0; i < ROWS * PIXELS; i++, count++) {
      const double noise = (double)values[i] - (20 * (i / PIXELS) + 1 + i % PIXELS);
      sum += noise;
      squares += noise * noise;
    }
  }
  assert_float_equal(sum / count, 0, 5 * 0.5 / sqrt(count));
  assert_float_equal(squares / count, 0.25, 5 * 0.25 * sqrt(2 / count));
  fed_examples_free(examples);
}

/* ---- class probabilities -------------------------------------------------------------------- */

static void classes_become_probabilities(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_with((struct fed__augment_schema){.flip = 0});
  schema.target.probabilities = 1;
  struct fed_examples *examples = opens(scratch, &schema);
  assert_int_equal(examples->spec.target.dtype, FED_F32);
  assert_int_equal(examples->spec.target.shape.rank, 1);
  assert_int_equal(examples->spec.target.shape.dims[0], 3);
  float values[ROWS * PIXELS], targets[ROWS][3];
  gathers(examples, all, ROWS, values, targets);
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < 3; c++) assert_true(targets[r][c] == (labels_of_rows[r] == c));
  fed_examples_free(examples);
}

/* Rows differ by a constant and classes by their probabilities, so the share of each row can be
 * read from the pixels, and the probabilities must have the same. */
static void mixup_blends_inputs_and_targets_alike(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_with((struct fed__augment_schema){.mixup = 1});
  schema.target.probabilities = 1;
  struct fed_examples *examples = opens(scratch, &schema);
  const uint32_t rows[] = {0, 3}; /* classes 0 and 2, 60 apart */
  double sum = 0, squares = 0;
  int mixed = 0;
  examples->begin_pass(examples, 3);
  for (int time = 0; time < 2000; time++) {
    float values[2 * PIXELS], targets[2][3];
    gathers(examples, rows, 2, values, targets);
    const double share = 1 - ((double)values[0] - 1) / 60;
    assert_float_equal(targets[0][0], share, 1e-5);
    assert_float_equal(targets[0][2], 1 - share, 1e-5);
    assert_true(targets[0][1] == 0);
    for (int i = 0; i < PIXELS; i++) assert_float_equal(values[i], 1 + i + 60 * (1 - share), 1e-4);
    if (targets[0][0] == 1) continue; /* the other half is the row itself */
    sum += share;
    squares += share * share;
    mixed++;
  }
  assert_in_range(mixed, 900, 1100);
  const double mean = sum / mixed; /* Beta(1, 1) is uniform */
  assert_float_equal(mean, 0.5, 0.05);
  assert_float_equal(squares / mixed - mean * mean, 1.0 / 12, 0.01);
  examples->end_pass(examples);
  float values[2 * PIXELS], targets[2][3];
  gathers(examples, rows, 2, values, targets);
  assert_true(values[0] == 1 && values[PIXELS] == 61 && targets[0][0] == 1 && targets[1][2] == 1);
  fed_examples_free(examples);
}

static void what_cannot_be_augmented(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_with((struct fed__augment_schema){.mixup = 1});
  refuses(scratch, &schema, FED_E_INPUT, "mixup makes class probabilities");
  schema.target.probabilities = 1;
  schema.target.kind = FED__TARGET_NUMBER;
  refuses(scratch, &schema, FED_E_INPUT, "only a class target has class probabilities");
  struct fed__input_schema other = {.file = "labels.idx"};
  schema = schema_with((struct fed__augment_schema){.flip = 1});
  schema.inputs = &other;
  refuses(scratch, &schema, FED_E_SHAPE, "[channels, height, width] or [height, width]");
  other.kind = FED__INPUT_INDICES;
  other.limit = 3;
  refuses(scratch, &schema, FED_E_INPUT, "the first input has indices");
  schema = schema_with((struct fed__augment_schema){.mixup = 1});
  schema.target.probabilities = 1;
  schema.inputs = &other;
  refuses(scratch, &schema, FED_E_INPUT, "mixup needs inputs of numbers, input 0 has indices");
}

/* ---- balance -------------------------------------------------------------------------------- */

static void balanced_rows(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_with((struct fed__augment_schema){.flip = 0});
  const uint32_t rows[] = {0, 1, 2, 4}; /* classes 0, 1, 1, 1 */
  double *weights = NULL;
  for (int probabilities = 0; probabilities < 2; probabilities++) {
    schema.target.probabilities = probabilities;
    schema.resample = FED__RESAMPLE_NONE;
    struct fed_examples *examples = opens(scratch, &schema);
    assert_int_equal(fed__dataset_row_weights(&context, &schema, examples, rows, 4, &weights),
                     FED_OK);
    assert_null(weights);
    schema.resample = FED__RESAMPLE_BALANCED;
    assert_int_equal(fed__dataset_row_weights(&context, &schema, examples, rows, 4, &weights),
                     FED_OK);
    assert_non_null(weights);
    assert_true(weights[0] == 1);
    for (int i = 1; i < 4; i++) assert_float_equal(weights[i], 1.0 / 3, 1e-12);
    fed__free(&context, weights);
    fed_examples_free(examples);
  }
  struct fed_examples *examples = opens(scratch, &schema);
  schema.target.kind = FED__TARGET_NUMBER;
  assert_int_equal(fed__dataset_row_weights(&context, &schema, examples, rows, 4, &weights),
                   FED_E_INPUT);
  fed_examples_free(examples);
}

/* Two threads' examples of the same data: a pass of one is none of the other. */
static void shared_examples_have_their_own_pass(void **state) {
  (void)state;
  struct fed__dataset_schema schema =
      schema_with((struct fed__augment_schema){.rotate_degrees = 20, .noise = 2, .mixup = 0.5});
  schema.target.probabilities = 1;
  struct fed_examples *examples = opens(scratch, &schema), *other;
  float values[ROWS * PIXELS], changed[ROWS * PIXELS], same[ROWS * PIXELS];
  float targets[ROWS * 3];
  assert_int_equal(examples->share(examples, &other), FED_OK);
  assert_int_equal(other->count, ROWS);
  examples->begin_pass(examples, 5);
  gathers(examples, all, ROWS, changed, targets);
  gathers(other, all, ROWS, values, targets);
  for (int i = 0; i < ROWS * PIXELS; i++)
    assert_true(values[i] == (float)(20 * (i / PIXELS) + 1 + i % PIXELS));
  other->begin_pass(other, 5);
  gathers(other, all, ROWS, same, targets);
  assert_memory_equal(same, changed, sizeof same);
  fed_examples_free(other);
  fed_examples_free(examples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(evaluation_sees_what_is_there),
      cmocka_unit_test(the_seed_alone_decides),
      cmocka_unit_test(crops_and_flips_are_all_there),
      cmocka_unit_test(turns_are_those_of_the_plane),
      cmocka_unit_test(rotations_stay_within_their_bound),
      cmocka_unit_test(noise_has_its_deviation),
      cmocka_unit_test(classes_become_probabilities),
      cmocka_unit_test(mixup_blends_inputs_and_targets_alike),
      cmocka_unit_test(what_cannot_be_augmented),
      cmocka_unit_test(balanced_rows),
      cmocka_unit_test(shared_examples_have_their_own_pass),
  };
  return cmocka_run_group_tests(tests, make_images, remove_scratch);
}
