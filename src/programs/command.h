/* SPDX-License-Identifier: Apache-2.0
 *
 * command.h: a program's commands as tables: words, options, help, examples. The same tables
 * parse the command line and print --help, the manual page and the shell completion, so that
 * these cannot differ.
 */
#ifndef FED_COMMAND_H
#define FED_COMMAND_H

#include "fed/buffer.h"

#include <stdio.h>

/* One option, --name or --name VALUE (value NULL: a switch). */
struct fed__option {
  const char *name, *value, *meaning;
  const char *initial; /* as text; NULL: none */
};

struct fed__invocation;

struct fed__command {
  const char *words;                 /* "job submit" */
  const char *arguments;             /* "FILE [FILE]"; "" for none */
  const char *summary;               /* one line */
  const char *text;                  /* paragraphs for --help and the manual; NULL: none */
  const struct fed__option *options; /* up to a NULL name */
  const char *const *examples;       /* pairs of a command line and what it does; NULL-ended */
  size_t arguments_min, arguments_max;
  int (*run)(struct fed__invocation *invocation);
  int (*is_mute)(void); /* NULL: never. 1: this is one of several processes of this command, and
                           another one prints help, and tells that it was called wrongly */
};

struct fed__program {
  const char *name, *summary;
  const struct fed__command *commands;
  size_t command_count;
};

#define FED__OPTIONS_MAX 32
#define FED__GIVEN_MAX 256

struct fed__invocation {
  const struct fed_context *context;
  const struct fed__program *program;
  const struct fed__command *command;
  const char *values[FED__OPTIONS_MAX]; /* by option: given (last), or initial, or NULL */
  struct {
    const struct fed__option *option;
    const char *value;
  } given[FED__GIVEN_MAX]; /* in order */
  size_t given_count;
  const char *const *arguments;
  size_t argument_count;
  int json, quiet, colour; /* --json, --quiet; colour: stdout is a terminal */
  int mute;                /* failures are told by another process, by text and exit status */
};

/* Parse, run, print a failure: returns the exit status (docs/operations.md). Every command also
 * takes --help, --json, --quiet, --log-level and --log-json. */
int fed__program_main(const struct fed__program *program, int count, char **words);

/* The value of an option; "" for a switch that is on; NULL if neither given nor initial. */
const char *fed__option_text(const struct fed__invocation *invocation, const char *name);
/* The value that an option was given as the `index`-th time, from 0; NULL: not so often. */
const char *fed__option_given(const struct fed__invocation *invocation, const char *name,
                              size_t index);
/* As if the option had been given. */
void fed__option_set(struct fed__invocation *invocation, const char *name, const char *value);
int fed__option_on(const struct fed__invocation *invocation, const char *name);
FED_MUST int fed__option_number(const struct fed__invocation *invocation, const char *name,
                                double min, double max, double *number);

/* What the commands `manual` and `completion` do: the whole program as a manual page (roff), and
 * as a bash completion, on standard output. */
int fed__command_manual(struct fed__invocation *invocation);
int fed__command_completion(struct fed__invocation *invocation);

#endif
