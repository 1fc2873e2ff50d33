/* SPDX-License-Identifier: Apache-2.0
 *
 * command_help.h: printing what a program can do.
 */
#ifndef FED_COMMAND_HELP_H
#define FED_COMMAND_HELP_H

#include "programs/command.h"

/* The options that every command takes. */
extern const struct fed__option fed__common_options[];

void fed__program_print_help(const struct fed__program *program, FILE *out);
void fed__command_print_help(const struct fed__program *program, const struct fed__command *command,
                             FILE *out);

#endif
