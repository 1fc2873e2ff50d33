/* SPDX-License-Identifier: Apache-2.0
 *
 * embed.c: a program that trains an ONNX model on arrays of its own, in C.
 *   embed MODEL.onnx TRAINED.onnx
 *
 * The library sees the model as bytes; files are this program's business. The examples are points
 * of the plane: which are inside of a circle?
 */
#include <fed/train.h>

#include <stdio.h>
#include <stdlib.h>

#define ROWS 1000
#define MODEL_BYTES_MAX 100000000

struct points {
  float at[ROWS][2];
  int64_t inside[ROWS];
};

/* A larger program would go on: whatever fails can be freed and tried again. */
static void must(int code) {
  if (code == FED_OK) return;
  fprintf(stderr, "embed: %s\n", fed_error_last()->message);
  exit(fed_error_class(code));
}

static void read_file(const char *path, struct fed_buffer *bytes) {
  unsigned char part[4096];
  size_t got;
  FILE *file = fopen(path, "rb");
  if (!file) exit((perror(path), FED_CLASS_IO));
  while ((got = fread(part, 1, sizeof part, file)) > 0) must(fed_buffer_append(bytes, part, got));
  fclose(file);
}

static void write_file(const char *path, struct fed_slice bytes) {
  FILE *file = fopen(path, "wb");
  const size_t put = file ? fwrite(bytes.data, 1, bytes.size, file) : 0;
  if (!file || fclose(file) || put != bytes.size) exit((perror(path), FED_CLASS_IO));
}

/* Points that are spread evenly, from the first on (steps: powers of the plastic number). */
static void make_points(struct points *points, int first) {
  for (int i = 0; i < ROWS; i++) {
    const double x = (first + i) * 0.7548776662466927, y = (first + i) * 0.5698402909980532;
    const double right = 2 * (x - (int)x) - 1, up = 2 * (y - (int)y) - 1;
    points->at[i][0] = (float)right;
    points->at[i][1] = (float)up;
    points->inside[i] = right * right + up * up < 0.6;
  }
}

/* The library reads them where they are. */
static struct fed_examples *view(const struct fed_context *context, struct points *points) {
  const struct fed_tensor at = {.dtype = FED_F32, .shape = {2, {ROWS, 2}}, .data = points->at};
  const struct fed_tensor inside = {.dtype = FED_I64, .shape = {1, {ROWS}}, .data = points->inside};
  struct fed_examples *examples;
  must(fed_examples_of_arrays(context, &at, 1, &inside, &examples));
  return examples;
}

static void report(const char *when, const struct fed_metrics *metrics) {
  const double count = (double)metrics->example_count;
  printf("%s: loss %.4f, %.1f %% right\n", when, metrics->loss_sum / count,
         100 * (double)metrics->correct_count / count);
}

/* Load, evaluate, train, evaluate, write back. */
static void train(const struct fed_context *context, struct fed_slice onnx,
                  struct fed_examples *seen, struct fed_examples *unseen, struct fed_buffer *out) {
  struct fed_metrics before = {0}, learned = {0}, after = {0};
  const struct fed_epochs epochs = {.epochs = 40, .seed = 1};
  struct fed_train_options options;
  struct fed_trainer *trainer;
  struct fed_params params;
  struct fed_model *model;

  must(fed_model_load(context, onnx, NULL, &model));
  fed_train_options_init(&options);
  options.momentum = 0.9;
  must(fed_trainer_new(context, model, &options, &trainer));
  must(fed_evaluate(trainer, unseen, NULL, 0, &before));
  must(fed_train_epochs(trainer, seen, &epochs, &learned));
  must(fed_evaluate(trainer, unseen, NULL, 0, &after));
  report("before", &before);
  report("after", &after);

  must(fed_params_copy(&params, context, fed_model_params(model)));
  must(fed_trainer_params(trainer, &params));
  must(fed_model_export(model, &params, out));
  fed_params_clear(&params);
  fed_trainer_free(trainer);
  fed_model_free(model);
}

int main(int argc, char **argv) {
  static struct points seen, unseen;
  struct fed_context context;
  struct fed_buffer model, trained;
  if (argc != 3) return fputs("usage: embed MODEL.onnx TRAINED.onnx\n", stderr), FED_CLASS_USAGE;
  fed_context_init(&context);
  fed_buffer_init(&model, &context, MODEL_BYTES_MAX);
  fed_buffer_init(&trained, &context, MODEL_BYTES_MAX);
  make_points(&seen, 0);
  make_points(&unseen, ROWS);
  struct fed_examples *seen_examples = view(&context, &seen);
  struct fed_examples *unseen_examples = view(&context, &unseen);

  read_file(argv[1], &model);
  train(&context, fed_buffer_slice(&model), seen_examples, unseen_examples, &trained);
  write_file(argv[2], fed_buffer_slice(&trained));

  fed_examples_free(unseen_examples);
  fed_examples_free(seen_examples);
  fed_buffer_clear(&trained);
  fed_buffer_clear(&model);
  return 0;
}
