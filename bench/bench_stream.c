/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_stream.c: training on a file that does not fit into memory: makes a data set of so many GB
 * in a folder, trains logistic regression on it for one epoch in random order, and prints how long
 * checking and training took and the most memory that was used. Fails above 200 MB.
 *
 *   bench_stream FOLDER npy|idx|csv|jsonl [GB, 10]
 *
 * An NPY or IDX file is sparse: it takes no disk, and reads as zeros. A text is really written. The
 * files are removed at the end.
 */
#include "data/dataset.h"
#include "fed/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define VALUES 784
#define TEXT_VALUES 64 /* of a line */
#define CLASSES 10
#define PEAK_MB_MAX 200

struct bench {
  struct fed_context context;
  enum fed__data_format format;
  const char *folder;
  double gigabytes;
  size_t values;
  uint64_t rows;
};

static double seconds(const struct bench *bench) {
  return (double)bench->context.clock->monotonic_us(bench->context.clock) * 1e-6;
}

/* ---- making files --------------------------------------------------------------------------- */

static FILE *create(const struct bench *bench, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", bench->folder, name);
  FILE *file = fopen(path, "wb");
  if (!file) perror(path);
  return file;
}

static int finish(FILE *file, uint64_t size) {
  const int fine = fflush(file) == 0 && (!size || ftruncate(fileno(file), (off_t)size) == 0);
  if (!fine) perror("writing");
  fclose(file);
  return fine;
}

static int make_npy(const struct bench *bench, const char *name, const char *descr, size_t values,
                    size_t bytes) {
  char header[128];
  FILE *file = create(bench, name);
  if (!file) return 0;
  char shape[48];
  snprintf(shape, sizeof shape, values ? "(%llu, %zu)" : "(%llu,)", (unsigned long long)bench->rows,
           values);
  const int size = snprintf(header, sizeof header,
                            "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
  fwrite("\x93NUMPY\1\0\x76\0", 1, 10, file);
  fprintf(file, "%s%*s\n", header, 117 - size, "");
  return finish(file, 128 + bench->rows * (values ? values : 1) * bytes);
}

static void put_u32(FILE *file, uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(value >> shift & 255), file);
}

static int make_idx(const struct bench *bench, const char *name, size_t values) {
  FILE *file = create(bench, name);
  if (!file) return 0;
  fwrite(values ? "\0\0\x08\2" : "\0\0\x08\1", 1, 4, file);
  put_u32(file, bench->rows);
  if (values) put_u32(file, values);
  return finish(file, (values ? 12 : 8) + bench->rows * (values ? values : 1));
}

static void write_line(FILE *file, int is_json, uint64_t row) {
  fprintf(file, is_json ? "{\"y\": %u, \"x\": [" : "%u", (unsigned)(row % CLASSES));
  for (unsigned i = 0; i < TEXT_VALUES; i++)
    fprintf(file, is_json && i == 0 ? "0.%05u" : ",0.%05u",
            (unsigned)((row * 7919 + i * 104729) % 100000));
  fputs(is_json ? "]}\n" : "\n", file);
}

static int make_text(struct bench *bench) {
  const int is_json = bench->format == FED__DATA_JSONL;
  FILE *file = create(bench, "inputs");
  if (!file) return 0;
  if (!is_json) {
    fprintf(file, "y");
    for (int i = 0; i < TEXT_VALUES; i++) fprintf(file, ",x%d", i);
    fputc('\n', file);
  }
  for (bench->rows = 0; (double)ftello(file) < bench->gigabytes * 1e9; bench->rows++)
    write_line(file, is_json, bench->rows);
  return finish(file, 0);
}

static int make_files(struct bench *bench) {
  bench->values = VALUES;
  switch (bench->format) {
  case FED__DATA_NPY:
    bench->rows = (uint64_t)(bench->gigabytes * 1e9 / (VALUES * 4));
    return make_npy(bench, "inputs", "<f4", VALUES, 4) && make_npy(bench, "labels", "|u1", 0, 1);
  case FED__DATA_IDX:
    bench->rows = (uint64_t)(bench->gigabytes * 1e9 / VALUES);
    return make_idx(bench, "inputs", VALUES) && make_idx(bench, "labels", 0);
  default:
    bench->values = TEXT_VALUES;
    return make_text(bench);
  }
}

static void remove_files(const struct bench *bench) {
  char path[4096];
  snprintf(path, sizeof path, "%s/inputs", bench->folder);
  unlink(path);
  snprintf(path, sizeof path, "%s/labels", bench->folder);
  unlink(path);
}

/* ---- training ------------------------------------------------------------------------------- */

static int open_examples(const struct bench *bench, struct fed_examples **examples) {
  static struct fed__column_schema columns[TEXT_VALUES + 1] = {
      {.name = "y", .kind = FED__COLUMN_TARGET}};
  static char names[TEXT_VALUES][8];
  const int is_text = bench->format == FED__DATA_CSV || bench->format == FED__DATA_JSONL;
  const struct fed__input_schema input = {
      .file = "inputs", .array = "x", .shape = {1, {(int64_t)bench->values}}};
  for (int i = 0; i < TEXT_VALUES; i++) {
    snprintf(names[i], sizeof names[i], "x%d", i);
    columns[i + 1] = (struct fed__column_schema){.name = names[i], .kind = FED__COLUMN_NUMBER};
  }
  const struct fed__dataset_schema schema = {
      .format = bench->format,
      .inputs = &input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS,
                 .file = is_text ? NULL : "labels",
                 .array = "y",
                 .classes = CLASSES},
      .csv = {.has_header = 1, .columns = columns, .column_count = TEXT_VALUES + 1}};
  return fed__dataset_open(&bench->context, bench->folder, &schema, examples);
}

static int train_model(const struct bench *bench, const struct fed_model *model,
                       struct fed_examples *examples, struct fed_metrics *metrics) {
  struct fed_train_options options;
  struct fed_trainer *trainer = NULL;
  const struct fed_epochs epochs = {.epochs = 1, .seed = 1};
  fed_train_options_init(&options);
  int code = fed_trainer_new(&bench->context, model, &options, &trainer);
  if (code == FED_OK) code = fed_train_epochs(trainer, examples, &epochs, metrics);
  fed_trainer_free(trainer);
  return code;
}

static int train(const struct bench *bench, struct fed_examples *examples,
                 struct fed_metrics *metrics) {
  const struct fed_recipe_options options = {
      .recipe = "logreg", .input = {1, {(int64_t)bench->values}}, .classes = CLASSES, .seed = 1};
  struct fed_buffer onnx;
  struct fed_model *model = NULL;
  fed_buffer_init(&onnx, &bench->context, 1 << 20);
  int code = fed_recipe_write(&bench->context, &options, &onnx);
  if (code == FED_OK) code = fed_model_load(&bench->context, fed_buffer_slice(&onnx), NULL, &model);
  if (code == FED_OK) code = train_model(bench, model, examples, metrics);
  fed_model_free(model);
  fed_buffer_clear(&onnx);
  return code;
}

static double peak_mb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss * 1024e-6;
}

static int run(const struct bench *bench, const char *format) {
  struct fed_examples *examples = NULL;
  struct fed_metrics metrics = {0};
  const double start = seconds(bench);
  int code = open_examples(bench, &examples);
  const double opened = seconds(bench);
  if (code == FED_OK) code = train(bench, examples, &metrics);
  const double trained = seconds(bench);
  if (code == FED_OK)
    printf("stream, %s of %.1f GB, %zu rows: checked in %.1f s, an epoch in random order in %.1f s "
           "(loss %.3f), peak RSS %.0f MB\n",
           format, bench->gigabytes, examples->count, opened - start, trained - opened,
           metrics.loss_sum / (double)metrics.example_count, peak_mb());
  else
    fprintf(stderr, "bench_stream: %s\n", fed_error_last()->message);
  fed_examples_free(examples);
  if (peak_mb() > PEAK_MB_MAX) {
    fprintf(stderr, "bench_stream: more than %d MB\n", PEAK_MB_MAX);
    return 1;
  }
  return code != FED_OK;
}

int main(int argc, char **argv) {
  struct bench bench = {.gigabytes = argc > 3 ? strtod(argv[3], NULL) : 10};
  fed_context_init(&bench.context);
  if (argc < 3 || fed__data_format_parse(argv[2], &bench.format) != FED_OK ||
      (bench.format != FED__DATA_NPY && bench.format != FED__DATA_IDX &&
       bench.format != FED__DATA_CSV && bench.format != FED__DATA_JSONL)) {
    fprintf(stderr, "usage: bench_stream FOLDER npy|idx|csv|jsonl [GB, 10]\n");
    return 2;
  }
  bench.folder = argv[1];
  const int failed = !make_files(&bench) || run(&bench, argv[2]);
  remove_files(&bench);
  return failed;
}
