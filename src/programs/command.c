/* SPDX-License-Identifier: Apache-2.0
 *
 * command.c: the command line: which command, its options, and how failures are told.
 */
#include "programs/command.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "programs/command_help.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct fed__option fed__common_options[] = {
    {"help", NULL, "print this help", NULL},
    {"json", NULL, "print results as JSON", NULL},
    {"quiet", NULL, "print results only, no progress", NULL},
    {"log-level", "LEVEL", "debug, info, warning or error", "warning"},
    {"log-json", NULL, "write the log as JSON lines", NULL},
    {NULL, NULL, NULL, NULL},
};

/* ---- which command -------------------------------------------------------------------------- */

/* How many of the words name the command; 0: they do not. */
static int match_words(const struct fed__command *command, int count, char **words) {
  const char *at = command->words;
  int matched = 0;
  while (*at) {
    const size_t length = strcspn(at, " ");
    if (matched >= count || strlen(words[matched]) != length ||
        strncmp(words[matched], at, length) != 0)
      return 0;
    matched++;
    at += length;
    if (*at == ' ') at++;
  }
  return matched;
}

static const struct fed__command *find_command(const struct fed__program *program, int count,
                                               char **words, int *used) {
  for (size_t i = 0; i < program->command_count; i++) {
    const struct fed__command *command = &program->commands[i];
    *used = match_words(command, count, words);
    if (*used || (!command->words[0] && count >= 0)) return command;
  }
  return NULL;
}

/* ---- options -------------------------------------------------------------------------------- */

static int find_option(const struct fed__command *command, const char *name, size_t length,
                       int *index, const struct fed__option **option) {
  *index = 0;
  for (const struct fed__option *o = command->options; o && o->name; o++, (*index)++)
    if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) {
      *option = o;
      return 1;
    }
  for (const struct fed__option *o = fed__common_options; o->name; o++, (*index)++)
    if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) {
      *option = o;
      return 1;
    }
  return 0;
}

static void set_initial(struct fed__invocation *invocation) {
  int index = 0;
  for (const struct fed__option *o = invocation->command->options; o && o->name; o++)
    invocation->values[index++] = o->initial;
  for (const struct fed__option *o = fed__common_options; o->name; o++)
    invocation->values[index++] = o->initial;
}

/* One word that starts with "--"; takes the next word too if the option has a value. */
static int parse_option(struct fed__invocation *invocation, char **words, int count, int *at) {
  const char *name = words[*at] + 2;
  const char *equals = strchr(name, '=');
  const size_t length = equals ? (size_t)(equals - name) : strlen(name);
  const struct fed__option *option;
  int index;
  if (!find_option(invocation->command, name, length, &index, &option))
    return FED_RAISE(FED_E_USAGE, "unknown option '--%.*s'; --help shows those there are",
                     (int)length, name);
  if (!option->value && equals) return FED_RAISE(FED_E_USAGE, "--%s takes no value", option->name);
  if (option->value && !equals && *at + 1 >= count)
    return FED_RAISE(FED_E_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                     option->value);
  invocation->values[index] = !option->value ? "" : equals ? equals + 1 : words[++*at];
  if (invocation->given_count == FED__GIVEN_MAX)
    return FED_RAISE(FED_E_USAGE, "more than %d options are given", FED__GIVEN_MAX);
  invocation->given[invocation->given_count].option = option;
  invocation->given[invocation->given_count++].value = invocation->values[index];
  return FED_OK;
}

static int parse(struct fed__invocation *invocation, int count, char **words) {
  size_t kept = 0;
  int options_over = 0;
  set_initial(invocation);
  for (int i = 0; i < count; i++) {
    if (!options_over && strcmp(words[i], "--") == 0)
      options_over = 1;
    else if (!options_over && strncmp(words[i], "--", 2) == 0)
      FED_TRY(parse_option(invocation, words, count, &i));
    else
      words[kept++] = words[i];
  }
  invocation->arguments = (const char *const *)words;
  invocation->argument_count = kept;
  return FED_OK;
}

static int check_argument_count(const struct fed__invocation *invocation) {
  const struct fed__command *command = invocation->command;
  if (invocation->argument_count >= command->arguments_min &&
      invocation->argument_count <= command->arguments_max)
    return FED_OK;
  return FED_RAISE(FED_E_USAGE, "expected `%s %s %s`, found %zu arguments",
                   invocation->program->name, command->words, command->arguments,
                   invocation->argument_count);
}

const char *fed__option_text(const struct fed__invocation *invocation, const char *name) {
  const struct fed__option *option;
  int index;
  if (!find_option(invocation->command, name, strlen(name), &index, &option)) return NULL;
  return invocation->values[index];
}

const char *fed__option_given(const struct fed__invocation *invocation, const char *name,
                              size_t index) {
  for (size_t i = 0; i < invocation->given_count; i++)
    if (strcmp(invocation->given[i].option->name, name) == 0 && index-- == 0)
      return invocation->given[i].value;
  return NULL;
}

void fed__option_set(struct fed__invocation *invocation, const char *name, const char *value) {
  const struct fed__option *option;
  int index;
  if (find_option(invocation->command, name, strlen(name), &index, &option))
    invocation->values[index] = value;
}

int fed__option_on(const struct fed__invocation *invocation, const char *name) {
  return fed__option_text(invocation, name) != NULL;
}

int fed__option_number(const struct fed__invocation *invocation, const char *name, double min,
                       double max, double *number) {
  const char *text = fed__option_text(invocation, name);
  char *end = NULL;
  if (!text) return FED_OK;
  *number = strtod(text, &end);
  if (end == text || *end || !(*number >= min && *number <= max))
    return FED_RAISE(FED_E_USAGE, "--%s: expected a number from %g to %g, found '%s'", name, min,
                     max, text);
  return FED_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

static int tell_failure(const struct fed__invocation *invocation, int code) {
  const struct fed_error *error = fed_error_last();
  if (invocation->json) {
    json_t *json = json_pack("{s:{s:s, s:s, s:i}}", "error", "code", fed_error_name(code),
                             "message", error->message, "status", (int)fed_error_class(code));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    fprintf(stderr, "%s\n", text ? text : "{\"error\":{}}");
    free(text); /* jansson's */
    json_decref(json);
  } else {
    const int colour = isatty(STDERR_FILENO);
    fprintf(stderr, "%s%s: %s%s\n", colour ? "\033[31m" : "", invocation->program->name,
            error->code == code ? error->message : fed_error_text(code), colour ? "\033[0m" : "");
  }
  return (int)fed_error_class(code);
}

static int start_log(const struct fed__invocation *invocation, struct fed_context *context,
                     struct fed__stream_sink *sink) {
  enum fed_log_level level;
  FED_TRY(fed__log_level_parse(fed__option_text(invocation, "log-level"), &level));
  fed__stream_sink_init(sink, stderr, level, fed__option_on(invocation, "log-json"));
  context->log = &sink->sink;
  return FED_OK;
}

static int run(struct fed__invocation *invocation, struct fed_context *context, int count,
               char **words) {
  struct fed__stream_sink sink;
  invocation->mute = invocation->command->is_mute && invocation->command->is_mute();
  int code = parse(invocation, count, words);
  invocation->json = fed__option_on(invocation, "json");
  invocation->quiet = fed__option_on(invocation, "quiet");
  invocation->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
  if (code == FED_OK && fed__option_on(invocation, "help")) {
    if (!invocation->mute)
      fed__command_print_help(invocation->program, invocation->command, stdout);
    return 0;
  }
  if (code == FED_OK) code = check_argument_count(invocation);
  if (code == FED_OK) code = start_log(invocation, context, &sink);
  if (code == FED_OK) code = invocation->command->run(invocation);
  return code == FED_OK || invocation->mute ? 0 : tell_failure(invocation, code);
}

static int is_word(const char *word, const char *name) { return strcmp(word, name) == 0; }

int fed__program_main(const struct fed__program *program, int count, char **words) {
  struct fed_context context;
  struct fed__invocation invocation = {.context = &context, .program = program};
  int used = 0;
  fed_context_init(&context);
  if (count < 2 || is_word(words[1], "--help") || is_word(words[1], "help")) {
    fed__program_print_help(program, count < 2 ? stderr : stdout);
    return count < 2 ? FED_CLASS_USAGE : 0;
  }
  if (is_word(words[1], "--version") || is_word(words[1], "version")) {
    printf("%s %s\n", program->name, FED_VERSION);
    return 0;
  }
  invocation.command = find_command(program, count - 1, words + 1, &used);
  if (invocation.command) return run(&invocation, &context, count - 1 - used, words + 1 + used);
  fprintf(stderr, "%s: there is no command '%s%s%s'; `%s --help` lists all\n", program->name,
          words[1], count > 2 ? " " : "", count > 2 ? words[2] : "", program->name);
  return FED_CLASS_USAGE;
}
