/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_verify.c: fed model verify: a model trained beside another framework's answers, as a table of
 * differences. Where float32 differs by more than its tolerance, the same is trained in float64 and
 * with other kernels, which tells a mistake from rounding that training amplified; it changes
 * nothing about the failure.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "programs/fed_commands.h"
#include "train/known_answers.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1 << 32)
#define ROWS_MAX 16 /* parts times kinds */
#define STEPS_SHOWN 7

/* A row of the table: the worst tensor of those of one kind. */
struct row {
  struct fed__known_check worst;
  char name[256];
  size_t tensors, failures;
};

struct verification {
  struct row rows[ROWS_MAX];
  size_t row_count, failures, checks;
  json_t *all; /* with --json */
};

/* ---- gathering ------------------------------------------------------------------------------ */

static struct row *find_row(struct verification *verification,
                            const struct fed__known_check *check) {
  for (size_t i = 0; i < verification->row_count; i++)
    if (strcmp(verification->rows[i].worst.part, check->part) == 0 &&
        strcmp(verification->rows[i].worst.kind, check->kind) == 0)
      return &verification->rows[i];
  return verification->row_count < ROWS_MAX ? &verification->rows[verification->row_count++] : NULL;
}

static double severity(const struct fed__known_check *check) {
  return check->tolerance > 0 ? check->difference / check->tolerance : check->difference;
}

static int add_to_array(struct verification *verification, const struct fed__known_check *check) {
  json_t *number = isfinite(check->difference) ? json_real(check->difference) : json_null();
  json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:f, s:b}", "part", check->part, "kind",
                             check->kind, "name", check->name, "difference", number, "tolerance",
                             check->tolerance, "ok", fed__known_check_holds(check));
  if (json_array_append_new(verification->all, object) == 0) return FED_OK;
  return FED_RAISE(FED_E_MEMORY, "out of memory: writing JSON");
}

static int add_check(void *data, const struct fed__known_check *check) {
  struct verification *verification = data;
  struct row *row = find_row(verification, check);
  FED_REQUIRE(row);
  if (row->tensors++ == 0 || severity(check) > severity(&row->worst)) {
    row->worst = *check;
    snprintf(row->name, sizeof row->name, "%s", check->name);
  }
  verification->checks++;
  if (!fed__known_check_holds(check)) {
    row->failures++;
    verification->failures++;
  }
  return verification->all ? add_to_array(verification, check) : FED_OK;
}

/* ---- files and options ---------------------------------------------------------------------- */

static int find_word(const struct fed__invocation *invocation, const char *option,
                     const char *const *words, unsigned *found) {
  const char *text = fed__option_text(invocation, option);
  for (*found = 0; words[*found]; ++*found)
    if (strcmp(words[*found], text) == 0) return FED_OK;
  return FED_RAISE(FED_E_USAGE, "--%s: '%s' is not one of those that --help names", option, text);
}

static const char *const kernel_words[] = {[FED_KERNELS_AUTO] = "auto",
                                           [FED_KERNELS_REFERENCE] = "reference",
                                           [FED_KERNELS_ONEDNN] = "onednn",
                                           [FED_KERNELS_DIRECT] = "direct",
                                           NULL};

static int read_setting(const struct fed__invocation *invocation,
                        struct fed__known_setting *setting) {
  static const char *const precisions[] = {
      [FED_PRECISION_F32] = "f32", [FED_PRECISION_F64] = "f64", NULL};
  unsigned precision, table;
  FED_TRY(find_word(invocation, "precision", precisions, &precision));
  FED_TRY(find_word(invocation, "kernels", kernel_words, &table));
  FED_TRY(fed__option_number(invocation, "factor", 1e-12, 1e12, &setting->factor));
  setting->precision = (enum fed_precision)precision;
  setting->kernels = (enum fed_kernels)table;
  return FED_OK;
}

static int read_file(const char *folder, const char *name, struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_read(path, out);
}

static int open_folder(const struct fed_context *context, const char *folder,
                       struct fed__known_answers **answers) {
  enum { MODEL, DATA, EXPECT, SPEC, COUNT };
  static const char *const names[COUNT] = {"model.onnx", "data.safetensors", "expect.safetensors",
                                           "spec.json"};
  struct fed_buffer files[COUNT];
  int code = FED_OK;
  for (int i = 0; i < COUNT; i++) fed_buffer_init(&files[i], context, FILE_BYTES_MAX);
  for (int i = 0; i < COUNT && code == FED_OK; i++) code = read_file(folder, names[i], &files[i]);
  const struct fed__known_files slices = {
      fed_buffer_slice(&files[MODEL]), fed_buffer_slice(&files[DATA]),
      fed_buffer_slice(&files[EXPECT]), fed_buffer_slice(&files[SPEC])};
  if (code == FED_OK) code = fed__known_answers_open(context, &slices, answers);
  for (int i = 0; i < COUNT; i++) fed_buffer_clear(&files[i]);
  return code;
}

/* ---- telling -------------------------------------------------------------------------------- */

static void print_table(const struct verification *verification) {
  printf("%-12s %-11s %7s  %-10s %-10s %-7s %s\n", "part", "what", "tensors", "difference",
         "tolerance", "result", "worst");
  for (size_t i = 0; i < verification->row_count; i++) {
    const struct row *row = &verification->rows[i];
    printf("%-12s %-11s %7zu  %-10.3g %-10.3g %-7s %s\n", row->worst.part, row->worst.kind,
           row->tensors, row->worst.difference, row->worst.tolerance,
           row->failures ? "FAILED" : "ok", row->name);
  }
}

static int print_json(const struct verification *verification) {
  char *text = json_dumps(verification->all, JSON_INDENT(2));
  if (!text) return FED_RAISE(FED_E_MEMORY, "out of memory: writing JSON");
  printf("%s\n", text);
  free(text); /* jansson's */
  return FED_OK;
}

/* ---- why float32 differs -------------------------------------------------------------------- */

static const char *const parts[] = {"first batch", "sgd", "adam"};
static const enum fed_kernels compared[] = {FED_KERNELS_AUTO, FED_KERNELS_DIRECT,
                                            FED_KERNELS_REFERENCE};

static size_t count_failures(const struct verification *verification, const char *part) {
  size_t failures = 0;
  for (size_t i = 0; i < verification->row_count; i++)
    if (strcmp(verification->rows[i].worst.part, part) == 0)
      failures += verification->rows[i].failures;
  return failures;
}

/* 1, 2, 5, 10, 20, 50 and the last step. */
static size_t choose_steps(size_t steps, size_t shown[STEPS_SHOWN]) {
  size_t count = 0;
  for (size_t step = 1; step < steps; step = count % 3 == 2 ? step / 2 * 5 : step * 2) {
    if (count == STEPS_SHOWN - 1) break;
    shown[count++] = step;
  }
  shown[count++] = steps;
  return count;
}

/* The step after which the differences are the most times what they were at most before. */
static size_t find_leap(const double *differences, size_t steps, double *times) {
  double most = differences[0];
  size_t leap = 0;
  *times = 1;
  for (size_t i = 1; i < steps; i++) {
    if (differences[i] > most * *times) *times = differences[i] / most, leap = i;
    if (differences[i] > most) most = differences[i];
  }
  return leap;
}

static int print_trace(const struct fed__known_answers *answers, const char *run,
                       enum fed_kernels kernels, double *differences) {
  const size_t steps = fed__known_answers_steps(answers);
  size_t shown[STEPS_SHOWN];
  double times;
  FED_TRY(fed__known_answers_trace(answers, run, kernels, differences));
  const size_t count = choose_steps(steps, shown), leap = find_leap(differences, steps, &times);
  printf("%-5s %-10s", run, kernel_words[kernels]);
  for (size_t i = 0; i < count; i++) printf(" %-8.2g", differences[shown[i] - 1]);
  printf(" %.2g times in step %zu\n", times, leap + 1);
  return FED_OK;
}

static int print_run(const struct fed__known_answers *answers, const char *run,
                     double *differences) {
  size_t shown[STEPS_SHOWN];
  const size_t count = choose_steps(fed__known_answers_steps(answers), shown);
  printf("\nParameters in float32 less those in float64, after step\n%-5s %-10s", "run", "kernels");
  for (size_t i = 0; i < count; i++) printf(" %-8zu", shown[i]);
  printf(" largest leap\n");
  for (size_t i = 0; i < sizeof compared / sizeof compared[0]; i++)
    FED_TRY(print_trace(answers, run, compared[i], differences));
  return FED_OK;
}

static int print_runs(const struct fed_context *context, const struct fed__known_answers *answers,
                      const struct verification *verification) {
  double *differences =
      fed__alloc(context, fed__known_answers_steps(answers) * sizeof *differences);
  if (!differences) return FED_E_MEMORY;
  int code = FED_OK;
  for (size_t i = 1; i < sizeof parts / sizeof parts[0] && code == FED_OK; i++)
    if (count_failures(verification, parts[i])) code = print_run(answers, parts[i], differences);
  fed__free(context, differences);
  return code;
}

/* The same answers, otherwise computed: how many tensors of each part differ. */
static int print_counts(const struct fed__known_answers *answers,
                        const struct fed__known_setting *setting,
                        struct verification *verification) {
  struct fed__known_setting other = *setting;
  other.data = verification;
  FED_TRY(fed__known_answers_check(answers, &other));
  printf("%s %-10s", other.precision == FED_PRECISION_F64 ? "f64" : "f32",
         kernel_words[other.kernels]);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    printf(" %-11zu", count_failures(verification, parts[i]));
  printf("\n");
  return FED_OK;
}

static int print_all_counts(const struct fed__known_answers *answers,
                            const struct fed__known_setting *setting,
                            struct verification *precise) {
  struct fed__known_setting other = *setting;
  printf("\nTensors that differ\n%-14s", "computed in");
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) printf(" %-11s", parts[i]);
  printf("\n");
  other.precision = FED_PRECISION_F64;
  other.kernels = FED_KERNELS_REFERENCE;
  FED_TRY(print_counts(answers, &other, precise));
  other.precision = FED_PRECISION_F32;
  for (size_t i = 0; i < sizeof compared / sizeof compared[0]; i++) {
    struct verification counted = {0};
    other.kernels = compared[i];
    FED_TRY(print_counts(answers, &other, &counted));
  }
  return FED_OK;
}

static void print_cause(const struct fed__known_setting *setting,
                        const struct verification *verification,
                        const struct verification *precise) {
  if (setting->factor < 1)
    printf("\nTolerances are what float32 can meet; --factor asks for %g of that.\n",
           setting->factor);
  if (precise->failures)
    printf(
        "\nfloat64 differs, too: this is not rounding. Either the answers were made with another "
        "model, other data or other settings, or fed computes one of its operators otherwise: "
        "please report that with the folder.\n");
  else if (count_failures(verification, "first batch"))
    printf(
        "\nfloat64 agrees, but in float32 the first batch differs, before training could amplify "
        "anything. Either a ReLU or a maximum in it is within rounding of its edge: then other "
        "kernels agree, and so do answers of another seed. Or these kernels are wrong: please "
        "report that with the folder.\n");
  else
    printf("\nfloat64 agrees, and so does the first batch in float32: model, gradients and "
           "optimisers are right. Training amplifies rounding when a ReLU, a maximum or Adam's "
           "division by a gradient near zero falls to the other side: differences leap in one step "
           "and grow from there, in other steps or by other amounts with other kernels, and in the "
           "other framework's float32, too. Kernels that are wrong differ from the first step. "
           "Answers for fewer steps, or of another seed, do not have that leap.\n");
}

static int explain(const struct fed_context *context, const struct fed__known_answers *answers,
                   const struct fed__known_setting *setting,
                   const struct verification *verification) {
  struct verification precise = {0};
  FED_TRY(print_all_counts(answers, setting, &precise));
  if (!precise.failures) FED_TRY(print_runs(context, answers, verification));
  print_cause(setting, verification, &precise);
  return FED_OK;
}

static int verify_answers(struct fed__invocation *invocation,
                          const struct fed__known_answers *answers,
                          struct verification *verification) {
  struct fed__known_setting setting = {.report = add_check, .data = verification};
  FED_TRY(read_setting(invocation, &setting));
  FED_TRY(fed__known_answers_check(answers, &setting));
  if (invocation->json) FED_TRY(print_json(verification));
  if (!invocation->json) {
    print_table(verification);
    if (verification->failures && setting.precision == FED_PRECISION_F32 && !invocation->quiet)
      FED_TRY(explain(invocation->context, answers, &setting, verification));
  }
  if (!verification->failures) return FED_OK;
  fflush(stdout);
  return FED_RAISE(FED_E_INPUT, "%zu of %zu tensors differ by more than their tolerance",
                   verification->failures, verification->checks);
}

static int verify_model(struct fed__invocation *invocation) {
  struct verification verification = {0};
  struct fed__known_answers *answers = NULL;
  FED_TRY(open_folder(invocation->context, invocation->arguments[0], &answers));
  if (invocation->json) verification.all = json_array();
  const int code = verify_answers(invocation, answers, &verification);
  json_decref(verification.all);
  fed__known_answers_free(answers);
  return code;
}

static const struct fed__option verify_options[] = {
    {"precision", "PRECISION", "f32 or f64", "f32"},
    {"kernels", "KERNELS", "auto, as training takes by default, direct, reference or onednn",
     "auto"},
    {"factor", "NUMBER", "times the answers' tolerances, which are for f32", "1"},
    {0}};
static const char *const verify_examples[] = {
    "fed model verify tests/vectors/onnx/cnn", "is training the same here as in PyTorch?",
    "fed model verify tests/vectors/onnx/cnn --precision f64 --factor 1e-4 --json",
    "every tensor's difference, in double precision and ten thousand times closer", NULL};

const struct fed__command fed__verify_commands[1] = {
    {"model verify", "FOLDER", "train a model beside another framework's answers",
     "FOLDER holds model.onnx, data.safetensors, expect.safetensors and spec.json, as "
     "docs/training.md describes them. Compares the first batch's output, loss and gradients, and "
     "the losses, final parameters and running statistics of a run with SGD and one with Adam. "
     "Exit status 0 only if every difference is within its tolerance. If one in float32 is not, "
     "says "
     "how float64 and other kernels do, and in which step they part.",
     verify_options, verify_examples, 1, 1, verify_model},
};
