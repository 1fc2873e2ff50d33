/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_model_show.c: fed model show|operators: what an ONNX file computes, what of it trains and
 * why, how much memory training takes; and which operators there are.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/train.h"
#include "programs/fed_commands.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_BYTES_MAX ((size_t)2 << 30)
#define TABLE_BYTES_MAX ((size_t)256 << 20)
#define PATTERNS_MAX 64

/* Options that are lists, taken apart in one copy of their text. */
struct show_lists {
  const struct fed_context *context;
  char *texts[4];
  size_t text_count;
  const char *trainable[PATTERNS_MAX], *frozen[PATTERNS_MAX], *adapted[PATTERNS_MAX];
  const char *dimensions[PATTERNS_MAX];
  struct fed_dimension extents[PATTERNS_MAX];
};

/* The parts between commas; `*count` 0 if the option is not given. */
static int split_option(struct fed__invocation *invocation, struct show_lists *lists,
                        const char *option, const char **parts, size_t *count) {
  const char *given = fed__option_text(invocation, option);
  *count = 0;
  if (!given) return FED_OK;
  char *text = fed__copy_text(invocation->context, given);
  if (!text) return FED_E_MEMORY;
  lists->texts[lists->text_count++] = text;
  for (char *part = text; part;) {
    char *comma = strchr(part, ',');
    if (comma) *comma = '\0';
    if (*count == PATTERNS_MAX || !*part)
      return FED_RAISE(FED_E_USAGE, "--%s: expected up to %d words with commas between, found '%s'",
                       option, PATTERNS_MAX, given);
    parts[(*count)++] = part;
    part = comma ? comma + 1 : NULL;
  }
  return FED_OK;
}

static int parse_dimension(const char *text, struct fed_dimension *dimension) {
  char *equals = strchr(text, '='), *end;
  const long long extent = equals ? strtoll(equals + 1, &end, 10) : 0;
  if (!equals || equals == text || end == equals + 1 || *end || extent < 1)
    return FED_RAISE(FED_E_USAGE, "--dimension: expected NAME=NUMBER like sequence=80; found '%s'",
                     text);
  *equals = '\0';
  *dimension = (struct fed_dimension){text, extent};
  return FED_OK;
}

static int parse_statistics(struct fed__invocation *invocation, enum fed_statistics *statistics) {
  static const char *const words[] = {[FED_STATISTICS_AS_EXPORTED] = "as_exported",
                                      [FED_STATISTICS_AVERAGE] = "average",
                                      [FED_STATISTICS_LOCAL] = "local",
                                      [FED_STATISTICS_FREEZE] = "freeze"};
  const char *word = fed__option_text(invocation, "statistics");
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    *statistics = (enum fed_statistics)i;
    if (strcmp(word, words[i]) == 0) return FED_OK;
  }
  return FED_RAISE(FED_E_USAGE,
                   "--statistics: expected as_exported, average, local or freeze; found '%s'",
                   word);
}

static int read_options(struct fed__invocation *invocation, struct show_lists *lists,
                        struct fed_model_options *options) {
  double rank;
  FED_TRY(
      split_option(invocation, lists, "trainable", lists->trainable, &options->trainable_count));
  FED_TRY(split_option(invocation, lists, "frozen", lists->frozen, &options->frozen_count));
  FED_TRY(split_option(invocation, lists, "adapt", lists->adapted, &options->adapted_count));
  FED_TRY(
      split_option(invocation, lists, "dimension", lists->dimensions, &options->dimension_count));
  for (size_t i = 0; i < options->dimension_count; i++)
    FED_TRY(parse_dimension(lists->dimensions[i], &lists->extents[i]));
  FED_TRY(parse_statistics(invocation, &options->statistics));
  FED_TRY(fed__option_number(invocation, "rank", 1, 65536, &rank));
  options->adapter_rank = (uint32_t)rank;
  options->output = fed__option_text(invocation, "output");
  options->trainable = lists->trainable;
  options->frozen = lists->frozen;
  options->adapted = lists->adapted;
  options->dimensions = lists->extents;
  return FED_OK;
}

static int load_model(struct fed__invocation *invocation, const struct fed_model_options *options,
                      struct fed_model **model) {
  const char *file = invocation->arguments[0];
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, invocation->context, MODEL_BYTES_MAX);
  int code = fed__file_read(file, &onnx);
  if (code == FED_OK) {
    code = fed_model_load(invocation->context, fed_buffer_slice(&onnx), options, model);
    if (code != FED_OK) code = FED_WRAP("%s", file);
  }
  fed_buffer_clear(&onnx);
  return code;
}

/* What training with Adam takes in batches of this size. Squared error fits any output. */
static int measure(struct fed__invocation *invocation, const struct fed_model *model,
                   uint32_t batch_size, struct fed_memory *memory) {
  struct fed_train_options options;
  struct fed_trainer *trainer = NULL;
  fed_train_options_init(&options);
  options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  options.optimizer = FED_OPTIMIZER_ADAM;
  options.batch_size = batch_size;
  int code = fed_trainer_new(invocation->context, model, &options, &trainer);
  if (code == FED_E_SHAPE) { /* no batch in the output: it is a loss */
    options.loss = FED_LOSS_OUTPUT;
    code = fed_trainer_new(invocation->context, model, &options, &trainer);
  }
  if (code == FED_OK) fed_trainer_memory(trainer, memory);
  fed_trainer_free(trainer);
  return code;
}

static size_t all_bytes(const struct fed_memory *memory) {
  return memory->parameters + memory->gradients + memory->optimizer + memory->batch +
         memory->kernels + memory->activations;
}

static const uint32_t batch_sizes[] = {1, 8, 32, 128};
#define BATCH_SIZES (sizeof batch_sizes / sizeof batch_sizes[0])

static int write_memory(const struct fed_memory *measured, struct fed_buffer *out) {
  const double kb = 1024;
  FED_TRY(fed_buffer_print(out, "\nmemory of training, KiB\n%8s %12s %12s %12s %12s %12s %12s\n",
                           "batch", "parameters", "gradients", "Adam", "activations", "(at least)",
                           "all"));
  for (size_t i = 0; i < BATCH_SIZES; i++) {
    const struct fed_memory *memory = &measured[i];
    FED_TRY(fed_buffer_print(out, "%8u %12.1f %12.1f %12.1f %12.1f %12.1f %12.1f\n", batch_sizes[i],
                             (double)memory->parameters / kb, (double)memory->gradients / kb,
                             (double)memory->optimizer / kb, (double)memory->activations / kb,
                             (double)memory->activations_bound / kb,
                             (double)all_bytes(memory) / kb));
  }
  return FED_OK;
}

/* A key `memory` in the model's JSON object, in bytes. */
static int add_memory_json(const struct fed_memory *measured, struct fed_buffer *text) {
  json_t *model = json_loadb((const char *)text->data, text->size, 0, NULL), *rows = json_array();
  for (size_t i = 0; i < BATCH_SIZES; i++) {
    const struct fed_memory *memory = &measured[i];
    json_array_append_new(
        rows,
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "batch_size",
                  (json_int_t)batch_sizes[i], "parameters", (json_int_t)memory->parameters,
                  "gradients", (json_int_t)memory->gradients, "adam", (json_int_t)memory->optimizer,
                  "examples", (json_int_t)memory->batch, "kernels", (json_int_t)memory->kernels,
                  "activations", (json_int_t)memory->activations, "activations_at_least",
                  (json_int_t)memory->activations_bound, "all", (json_int_t)all_bytes(memory)));
  }
  json_object_set_new(model, "memory", rows);
  char *whole = json_dumps(model, JSON_INDENT(2));
  json_decref(model);
  if (!whole) return FED_RAISE(FED_E_MEMORY, "out of memory writing JSON");
  fed_buffer_clear(text);
  const int code = fed_buffer_print(text, "%s\n", whole);
  free(whole); /* jansson's */
  return code;
}

static int add_memory(struct fed__invocation *invocation, const struct fed_model *model,
                      struct fed_buffer *text) {
  struct fed_memory measured[BATCH_SIZES] = {{0}};
  for (size_t i = 0; i < BATCH_SIZES; i++)
    FED_TRY(measure(invocation, model, batch_sizes[i], &measured[i]));
  return invocation->json ? add_memory_json(measured, text) : write_memory(measured, text);
}

static int show_loaded(struct fed__invocation *invocation, const struct fed_model *model) {
  struct fed_buffer text;
  fed_buffer_init(&text, invocation->context, TABLE_BYTES_MAX);
  int code =
      invocation->json ? fed_model_describe_json(model, &text) : fed_model_describe(model, &text);
  if (code == FED_OK && fed__option_on(invocation, "memory"))
    code = add_memory(invocation, model, &text);
  if (code == FED_OK) fwrite(text.data, 1, text.size, stdout);
  fed_buffer_clear(&text);
  return code;
}

static int show_model(struct fed__invocation *invocation) {
  struct fed_model_options options = {0};
  struct show_lists lists = {.context = invocation->context};
  struct fed_model *model = NULL;
  int code = read_options(invocation, &lists, &options);
  if (code == FED_OK) code = load_model(invocation, &options, &model);
  if (code == FED_OK) code = show_loaded(invocation, model);
  fed_model_free(model);
  for (size_t i = 0; i < lists.text_count; i++) fed__free(invocation->context, lists.texts[i]);
  return code;
}

static int show_operators(struct fed__invocation *invocation) {
  struct fed_buffer text;
  fed_buffer_init(&text, invocation->context, TABLE_BYTES_MAX);
  const int code = fed_operators_describe(invocation->json, &text);
  if (code == FED_OK) fwrite(text.data, 1, text.size, stdout);
  fed_buffer_clear(&text);
  return code;
}

static const struct fed__option show_options[] = {
    {"output", "NAME", "the value of the graph that training looks at; else its first output",
     NULL},
    {"trainable", "NAMES", "what trains, with commas between; * for any characters", NULL},
    {"frozen", "NAMES", "what does not train after all", NULL},
    {"dimension", "NAME=NUMBER", "extents of symbolic dimensions, with commas between", NULL},
    {"statistics", "WORD", "running statistics: as_exported, average, local, freeze",
     "as_exported"},
    {"adapt", "NAMES", "nodes or weights that get low-rank adapters", NULL},
    {"rank", "NUMBER", "of the adapters", "8"},
    {"memory", NULL, "what training takes, for batches of 1, 8, 32 and 128 and Adam", NULL},
    {0}};
static const char *const show_examples[] = {
    "fed model show cnn.onnx", "what the model computes, what of it trains, and why",
    "fed model show --dimension sequence=80 --memory text.onnx",
    "for sequences of 80; and what training takes", NULL};

const struct fed__command fed__model_show_commands[2] = {
    {"model show", "FILE", "show what an ONNX model computes, and what of it trains and why", NULL,
     show_options, show_examples, 1, 1, show_model},
    {"model operators", "", "list the supported ONNX operators and their opsets", NULL, NULL, NULL,
     0, 0, show_operators},
};
