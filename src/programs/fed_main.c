/* SPDX-License-Identifier: Apache-2.0
 *
 * fed_main.c: the program fed: its commands, gathered from one file a noun.
 */
#include "programs/fed_commands.h"

#include <string.h>

static const struct fed__command own_commands[] = {
    {"manual", "", "print the manual page (roff)", NULL, NULL, NULL, 0, 0, fed__command_manual},
    {"completion", "", "print the completion for bash", NULL, NULL, NULL, 0, 0,
     fed__command_completion},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(int count, char **words) {
  static const struct {
    const struct fed__command *commands;
    size_t count;
  } groups[] = {
      {fed__demo_commands, COUNT(fed__demo_commands)},
      {fed__server_commands, COUNT(fed__server_commands)},
      {fed__enroll_commands, COUNT(fed__enroll_commands)},
      {fed__operator_commands, COUNT(fed__operator_commands)},
      {fed__job_commands, COUNT(fed__job_commands)},
      {fed__model_commands, COUNT(fed__model_commands)},
      {fed__model_show_commands, COUNT(fed__model_show_commands)},
      {fed__verify_commands, COUNT(fed__verify_commands)},
      {fed__train_commands, COUNT(fed__train_commands)},
      {fed__simulate_commands, COUNT(fed__simulate_commands)},
      {fed__report_commands, COUNT(fed__report_commands)},
      {own_commands, COUNT(own_commands)},
  };
  struct fed__command commands[32];
  struct fed__program program = {"fed",
                                 "federated learning: one model, many data owners, no data "
                                 "moved",
                                 commands, 0};
  for (size_t i = 0; i < COUNT(groups); i++) {
    memcpy(commands + program.command_count, groups[i].commands,
           groups[i].count * sizeof commands[0]);
    program.command_count += groups[i].count;
  }
  return fed__program_main(&program, count, words);
}
