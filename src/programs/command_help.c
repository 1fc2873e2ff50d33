/* SPDX-License-Identifier: Apache-2.0
 *
 * command_help.c: help, manual page and shell completion from the tables of commands.
 */
#include "programs/command_help.h"

#include <string.h>

void fed__program_print_help(const struct fed__program *program, FILE *out) {
  fprintf(out, "%s: %s\n\nCommands:\n", program->name, program->summary);
  for (size_t i = 0; i < program->command_count; i++)
    fprintf(out, "  %s %-18s %s\n", program->name, program->commands[i].words,
            program->commands[i].summary);
  fprintf(out, "\n`%s COMMAND --help` says more. Manual: man %s\n", program->name, program->name);
}

static void print_options(const struct fed__option *options, FILE *out) {
  for (const struct fed__option *o = options; o && o->name; o++) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    fprintf(out, "  %-24s %s", left, o->meaning);
    if (o->initial) fprintf(out, " (default %s)", o->initial);
    fputc('\n', out);
  }
}

void fed__command_print_help(const struct fed__program *program, const struct fed__command *command,
                             FILE *out) {
  fprintf(out, "%s\n\nUsage: %s %s%s%s [OPTIONS]\n", command->summary, program->name,
          command->words, command->arguments[0] ? " " : "", command->arguments);
  if (command->text) fprintf(out, "\n%s\n", command->text);
  if (command->options && command->options->name) fprintf(out, "\nOptions:\n");
  print_options(command->options, out);
  fprintf(out, "\nCommon options:\n");
  print_options(fed__common_options, out);
  if (command->examples) fprintf(out, "\nExamples:\n");
  for (const char *const *e = command->examples; e && e[0]; e += 2)
    fprintf(out, "  %s\n      %s\n", e[0], e[1]);
}

/* ---- the manual page ------------------------------------------------------------------------ */

/* Text with roff's own characters made harmless. */
static void print_roff(const char *text, FILE *out) {
  for (const char *at = text; *at; at++) {
    if (*at == '\\')
      fputs("\\e", out);
    else if (*at == '-')
      fputs("\\-", out);
    else if ((*at == '.' || *at == '\'') && (at == text || at[-1] == '\n'))
      fprintf(out, "\\&%c", *at);
    else
      fputc(*at, out);
  }
}

static void print_roff_options(const struct fed__option *options, FILE *out) {
  for (const struct fed__option *o = options; o && o->name; o++) {
    fputs(".TP\n.B \\-\\-", out);
    print_roff(o->name, out);
    if (o->value) fprintf(out, " \\fI%s\\fR", o->value);
    fputc('\n', out);
    print_roff(o->meaning, out);
    if (o->initial) {
      fputs(" (default ", out);
      print_roff(o->initial, out);
      fputc(')', out);
    }
    fputc('\n', out);
  }
}

static void print_roff_example(const char *line, const char *meaning, FILE *out) {
  fputs(".PP\nExample: ", out);
  print_roff(meaning, out);
  fputs("\n.RS\n.nf\n", out);
  print_roff(line, out);
  fputs("\n.fi\n.RE\n", out);
}

static void print_roff_command(const struct fed__program *program,
                               const struct fed__command *command, FILE *out) {
  fprintf(out, ".SS \"%s %s%s%s\"\n", program->name, command->words,
          command->arguments[0] ? " " : "", command->arguments);
  print_roff(command->summary, out);
  fputs(".\n", out);
  if (command->text) {
    fputs(".PP\n", out);
    print_roff(command->text, out);
    fputc('\n', out);
  }
  print_roff_options(command->options, out);
  for (const char *const *e = command->examples; e && e[0]; e += 2)
    print_roff_example(e[0], e[1], out);
}

static void print_manual(const struct fed__program *program, FILE *out) {
  fprintf(out, ".TH %s 1 \"\" \"fed %s\" \"User Commands\"\n.SH NAME\n", program->name,
          FED_VERSION);
  print_roff(program->name, out);
  fputs(" \\- ", out);
  print_roff(program->summary, out);
  fprintf(out, "\n.SH SYNOPSIS\n.B %s\n.I COMMAND\n[OPTIONS]\n.SH COMMANDS\n", program->name);
  for (size_t i = 0; i < program->command_count; i++)
    print_roff_command(program, &program->commands[i], out);
  fputs(".SH COMMON OPTIONS\n", out);
  print_roff_options(fed__common_options, out);
  fputs(
      ".SH EXIT STATUS\n0 success; 2 wrong use; 3 invalid input; 4 protocol; 5 certificate, token "
      "or signature; 6 input or output; 7 busy, come back later; 8 out of memory or over a "
      "limit; 9 forbidden by policy or role; 10 a defect of fed.\n"
      ".SH ENVIRONMENT\n.TP\n.B https_proxy\nthe proxy to reach the server through.\n"
      ".TP\n.B NO_COLOR\nif set, no colours and no line that is rewritten.\n"
      ".SH SEE ALSO\n.BR fed (1),\n.BR fed\\-agent (1),\n.BR fed\\-job (5)\n",
      out);
}

/* ---- bash completion ------------------------------------------------------------------------ */

static void print_option_words(const struct fed__option *options, FILE *out) {
  for (const struct fed__option *o = options; o && o->name; o++) fprintf(out, "--%s ", o->name);
}

static size_t first_word(const struct fed__command *command) {
  return strcspn(command->words, " ");
}

static int same_first_word(const struct fed__command *one, const struct fed__command *other) {
  return first_word(one) == first_word(other) &&
         strncmp(one->words, other->words, first_word(one)) == 0;
}

static int is_first_of_its_word(const struct fed__program *program, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (same_first_word(&program->commands[i], &program->commands[index])) return 0;
  return 1;
}

/* After a command of two words: its options. */
static void print_second_words_cases(const struct fed__program *program, FILE *out) {
  for (size_t i = 0; i < program->command_count; i++) {
    const struct fed__command *command = &program->commands[i];
    if (!command->words[first_word(command)]) continue;
    fprintf(out, "  '%s '*) words='", command->words);
    print_option_words(command->options, out);
    print_option_words(fed__common_options, out);
    fputs("' ;;\n", out);
  }
}

/* After one word: the words that may follow, and options where the word is a command by itself. */
static void print_first_word_case(const struct fed__program *program, size_t index, FILE *out) {
  const struct fed__command *first = &program->commands[index];
  fprintf(out, "  '%.*s '*) words='", (int)first_word(first), first->words);
  for (size_t i = index; i < program->command_count; i++) {
    const struct fed__command *command = &program->commands[i];
    if (!same_first_word(command, first)) continue;
    const char *rest = command->words + first_word(command);
    if (*rest) {
      fprintf(out, "%s ", rest + 1);
      continue;
    }
    print_option_words(command->options, out);
    print_option_words(fed__common_options, out);
  }
  fputs("' ;;\n", out);
}

static void print_first_words(const struct fed__program *program, FILE *out) {
  for (size_t i = 0; i < program->command_count; i++)
    if (is_first_of_its_word(program, i))
      fprintf(out, "%.*s ", (int)first_word(&program->commands[i]), program->commands[i].words);
}

/* "fed-agent" as "fed_agent": both programs' functions live in one shell. */
static void print_function_name(const struct fed__program *program, FILE *out) {
  fputc('_', out);
  for (const char *at = program->name; *at; at++) fputc(*at == '-' ? '_' : *at, out);
}

static void print_completion(const struct fed__program *program, FILE *out) {
  fprintf(out, "# bash completion for %s, printed by `%s completion`\n", program->name,
          program->name);
  print_function_name(program, out);
  fputs(
      "() {\n"
      "  local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" word=\"${COMP_WORDS[COMP_CWORD]}\" words=\n"
      "  case \"$line \" in\n",
      out);
  print_second_words_cases(program, out);
  for (size_t i = 0; i < program->command_count; i++)
    if (is_first_of_its_word(program, i)) print_first_word_case(program, i, out);
  fputs("  ' ') words='", out);
  print_first_words(program, out);
  fputs("' ;;\n  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\n"
        "complete -o default -F ",
        out);
  print_function_name(program, out);
  fprintf(out, " %s\n", program->name);
}

int fed__command_manual(struct fed__invocation *invocation) {
  print_manual(invocation->program, stdout);
  return FED_OK;
}

int fed__command_completion(struct fed__invocation *invocation) {
  print_completion(invocation->program, stdout);
  return FED_OK;
}
