/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_model.c: fed model new|list|export.
 */
#include "base/file.h"
#include "base/raise.h"
#include "fed/safetensors.h"
#include "fed/train.h"
#include "job/job.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_BYTES_MAX ((size_t)2 << 30)

/* ---- new ------------------------------------------------------------------------------------ */

/* "1,28,28" or "1x28x28" as numbers; without the option none. */
static int parse_numbers(struct fed__invocation *invocation, const char *option, int64_t *numbers,
                         size_t max, size_t *count) {
  const char *text = fed__option_text(invocation, option);
  *count = 0;
  while (text && *text) {
    char *end;
    const long long number = strtoll(text, &end, 10);
    if (end == text || number < 1 || number > 1 << 24 || *count == max ||
        (*end && *end != ',' && *end != 'x'))
      return FED_RAISE(FED_E_USAGE, "--%s: expected up to %zu numbers like 1,28,28; found '%s'",
                       option, max, text);
    numbers[(*count)++] = number;
    text = *end ? end + 1 : end;
  }
  return FED_OK;
}

static int parse_small_numbers(struct fed__invocation *invocation, const char *option,
                               uint32_t *numbers, size_t max, size_t *count) {
  int64_t wide[FED_RECIPE_CATEGORIES_MAX] = {0};
  FED_TRY(parse_numbers(invocation, option, wide, max, count));
  for (size_t i = 0; i < *count; i++) numbers[i] = (uint32_t)wide[i];
  return FED_OK;
}

static int recipe_options(struct fed__invocation *invocation, struct fed_recipe_options *options) {
  double classes = 0, seed = 1;
  size_t rank;
  FED_TRY(parse_numbers(invocation, "input", options->input.dims, FED_RANK_MAX, &rank));
  options->input.rank = (uint32_t)rank;
  FED_TRY(parse_small_numbers(invocation, "hidden", options->hidden, FED_RECIPE_SIZES_MAX,
                              &options->hidden_count));
  FED_TRY(parse_small_numbers(invocation, "categories", options->categories,
                              FED_RECIPE_CATEGORIES_MAX, &options->category_count));
  FED_TRY(fed__option_number(invocation, "classes", 2, 1 << 20, &classes));
  FED_TRY(fed__option_number(invocation, "seed", 0, 9e15, &seed));
  options->classes = (uint32_t)classes;
  options->seed = (uint64_t)seed;
  options->recipe = invocation->arguments[0];
  return FED_OK;
}

static json_t *numbers_json(const uint32_t *numbers, size_t count) {
  json_t *list = json_array();
  for (size_t i = 0; i < count; i++) json_array_append_new(list, json_integer(numbers[i]));
  return list;
}

static json_t *recipe_json(const struct fed_recipe *recipe, const struct fed_recipe_cost *cost) {
  const struct fed_recipe_options *own = &recipe->own;
  json_t *input = json_array();
  for (uint32_t i = 0; i < own->input.rank; i++)
    json_array_append_new(input, json_integer(own->input.dims[i]));
  return json_pack("{s:s, s:s, s:o, s:I, s:o, s:s, s:o, s:I, s:f}", "recipe", own->recipe,
                   "summary", recipe->summary, "input", input, "classes", (json_int_t)own->classes,
                   "hidden", numbers_json(own->hidden, own->hidden_count), "hidden_meaning",
                   recipe->sizes, "categories", numbers_json(own->categories, own->category_count),
                   "parameters", (json_int_t)cost->parameters, "multiply_adds",
                   cost->multiply_adds);
}

static void print_numbers(const char *option, const uint32_t *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) printf("%s%" PRIu32, i ? "," : option, numbers[i]);
}

static void print_recipe(const struct fed_recipe *recipe, const struct fed_recipe_cost *cost) {
  const struct fed_recipe_options *own = &recipe->own;
  printf("%s: %s\n    --input ", own->recipe, recipe->summary);
  for (uint32_t i = 0; i < own->input.rank; i++)
    printf("%s%" PRId64, i ? "," : "", own->input.dims[i]);
  print_numbers(" --classes ", &own->classes, own->classes > 0);
  print_numbers(" --categories ", own->categories, own->category_count);
  print_numbers(" --hidden ", own->hidden, own->hidden_count);
  printf("\n    hidden: %s\n    %" PRIu64 " parameters, %.3g million multiply-adds an example\n",
         recipe->sizes, cost->parameters, cost->multiply_adds / 1e6);
}

static int list_recipes(struct fed__invocation *invocation) {
  const struct fed_recipe *recipe;
  json_t *list = json_array();
  int code = FED_OK;
  for (size_t i = 0; (recipe = fed_recipe_at(i)) && code == FED_OK; i++) {
    struct fed_recipe_cost cost = {0};
    code = fed_recipe_measure(invocation->context, &recipe->own, &cost);
    if (code == FED_OK && !invocation->json) print_recipe(recipe, &cost);
    if (code == FED_OK) json_array_append_new(list, recipe_json(recipe, &cost));
  }
  char *text = invocation->json ? json_dumps(list, JSON_INDENT(2)) : NULL;
  if (text) printf("%s\n", text);
  free(text); /* jansson's */
  json_decref(list);
  return code;
}

static int new_model(struct fed__invocation *invocation) {
  struct fed_recipe_options options = {0};
  struct fed_buffer onnx;
  if (!invocation->argument_count) return list_recipes(invocation);
  FED_TRY(recipe_options(invocation, &options));
  fed_buffer_init(&onnx, invocation->context, MODEL_BYTES_MAX);
  int code = fed_recipe_write(invocation->context, &options, &onnx);
  if (code == FED_OK)
    code = fed__file_write(fed__option_text(invocation, "out"), fed_buffer_slice(&onnx),
                           FED__FILE_SHARED);
  if (code == FED_OK && !invocation->quiet)
    printf("wrote %s (%zu bytes)\n", fed__option_text(invocation, "out"), onnx.size);
  fed_buffer_clear(&onnx);
  return code;
}

/* ---- versions on the server ----------------------------------------------------------------- */

static json_t *get_json(const struct fed_context *context, struct fed__http_client *client,
                        const char *path) {
  struct fed_buffer answer;
  fed_buffer_init(&answer, context, (size_t)64 << 20);
  json_t *json = NULL;
  if (fed__federation_get(client, path, 30000, &answer) == FED_OK) {
    json = json_loadb((char *)answer.data, answer.size, 0, NULL);
    if (!json) FED_RAISE(FED_E_PROTOCOL, "the server's answer to %s is not JSON", path);
  }
  fed_buffer_clear(&answer);
  return json;
}

static int download(const struct fed_context *context, struct fed__http_client *client,
                    const char *hex, struct fed_buffer *out) {
  struct fed__digest digest;
  fed_buffer_init(out, context, MODEL_BYTES_MAX);
  FED_TRY(fed__digest_decode(fed_slice_of_text(hex), &digest));
  return fed__federation_download(client, context, &digest, out);
}

/* What makes an ONNX file of a version: the server has these as the job was submitted. */
struct version {
  struct fed_buffer plan, graph, parameters;
};

static int download_part(const struct fed_context *context, struct fed__http_client *client,
                         const json_t *job, const char *part, struct fed_buffer *out) {
  return download(context, client, json_string_value(json_object_get(job, part)), out);
}

static int export_version(const struct fed_context *context, const struct version *version,
                          const struct fed_model *model, const char *file) {
  struct fed_params params = {0};
  struct fed_buffer onnx;
  fed_buffer_init(&onnx, context, MODEL_BYTES_MAX);
  int code = fed_safetensors_decode(fed_buffer_slice(&version->parameters), context, &params);
  if (code == FED_OK) code = fed_model_export(model, &params, &onnx);
  if (code == FED_OK) code = fed__file_write(file, fed_buffer_slice(&onnx), FED__FILE_SHARED);
  fed_buffer_clear(&onnx);
  fed_params_clear(&params);
  return code;
}

/* With the job's model options, which say what trained. */
static int write_onnx(const struct fed_context *context, const struct version *version,
                      const char *file) {
  struct fed_model *model = NULL;
  struct fed_model_options options;
  struct fed__job job = {0};
  int code = fed__job_parse(context, "job.yaml", fed_buffer_slice(&version->plan), &job);
  if (code == FED_OK) {
    fed__job_model_options(&job, &options);
    code = fed_model_load(context, fed_buffer_slice(&version->graph), &options, &model);
  }
  if (code == FED_OK) code = export_version(context, version, model, file);
  fed_model_free(model);
  fed__job_clear(&job);
  return code;
}

static int write_file(const struct fed_context *context, struct fed__http_client *client,
                      const json_t *job, const char *file, struct version *version) {
  const size_t length = strlen(file);
  FED_TRY(download_part(context, client, job, "parameters", &version->parameters));
  if (length > 12 && strcmp(file + length - 12, ".safetensors") == 0)
    return fed__file_write(file, fed_buffer_slice(&version->parameters), FED__FILE_SHARED);
  FED_TRY(download_part(context, client, job, "graph", &version->graph));
  FED_TRY(download_part(context, client, job, "plan", &version->plan));
  return write_onnx(context, version, file);
}

static int write_version(struct fed__invocation *invocation, struct fed__http_client *client,
                         const json_t *job) {
  const char *file = fed__option_text(invocation, "out");
  struct version version = {0};
  const int code = write_file(invocation->context, client, job, file, &version);
  if (code == FED_OK && !invocation->quiet)
    printf("wrote version %lld of job %s to %s\n",
           (long long)json_integer_value(json_object_get(job, "version")),
           json_string_value(json_object_get(job, "id")), file);
  fed_buffer_clear(&version.plan);
  fed_buffer_clear(&version.graph);
  fed_buffer_clear(&version.parameters);
  return code;
}

static int export_model(struct fed__invocation *invocation) {
  struct fed__http_client *client = NULL;
  char path[128];
  snprintf(path, sizeof path, "/v1/jobs/%.100s", invocation->arguments[0]);
  FED_TRY(fed__operator_connect(invocation->context, fed__option_text(invocation, "dir"), &client));
  json_t *job = get_json(invocation->context, client, path);
  const int code = job ? write_version(invocation, client, job) : fed_error_last()->code;
  json_decref(job);
  fed__http_client_free(client);
  return code;
}

static void print_versions(const void *jobs) {
  size_t index;
  const json_t *job;
  json_array_foreach((const json_t *)jobs, index, job) {
    printf("%-24s version %-5lld %.16s  %s\n", json_string_value(json_object_get(job, "id")),
           (long long)json_integer_value(json_object_get(job, "version")),
           json_string_value(json_object_get(job, "parameters")),
           json_string_value(json_object_get(job, "state")));
  }
}

static int list_models(struct fed__invocation *invocation) {
  return fed__operator_show(invocation, "/v1/jobs", print_versions);
}

static const struct fed__option new_options[] = {
    {"input", "SHAPE", "of one example, like 1,28,28 or 13", NULL},
    {"classes", "COUNT", "classes to tell apart; of text: different tokens", NULL},
    {"hidden", "NUMBERS", "widths, channels, layers: fed model new lists what each model takes",
     NULL},
    {"categories", "COUNTS", "tabular: how many values each column of categories has", NULL},
    {"seed", "NUMBER", "of the start values", "1"},
    {"out", "FILE", "the file to write", "model.onnx"},
    {0}};
static const struct fed__option export_options[] = {
    FED__DIR_OPTION,
    {"out", "FILE", "the file to write: .onnx or .safetensors", "model.onnx"},
    {0}};
static const struct fed__option dir_options[] = {FED__DIR_OPTION, {0}};
static const char *const new_examples[] = {
    "fed model new", "list the built-in models, with their own options, parameters and cost",
    "fed model new cnn --input 1,28,28 --classes 10 --out cnn.onnx",
    "a small convolutional network for 28 by 28 images", NULL};
static const char *const export_examples[] = {"fed model export fashion-cnn-1 --out model.onnx",
                                              "the newest version, same graph and names", NULL};

const struct fed__command fed__model_commands[3] = {
    {"model new", "[RECIPE]", "write a built-in model as an ONNX file", NULL, new_options,
     new_examples, 0, 1, new_model},
    {"model list", "", "list the newest version of each job's model", NULL, dir_options, NULL, 0, 0,
     list_models},
    {"model export", "JOB", "write a job's newest model version to a file", NULL, export_options,
     export_examples, 1, 1, export_model},
};
