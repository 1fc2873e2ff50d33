/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_main.c: the program fed-agent.
 */
#include "agent/agent.h"
#include "base/file.h"
#include "base/raise.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "job/job.h"
#include "programs/command.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number) {
  (void)number;
  stop_asked = 1;
}

static int stopping(void *data) {
  (void)data;
  return stop_asked;
}

static int enroll(struct fed__invocation *invocation) {
  const char *file = fed__option_text(invocation, "token");
  struct fed_buffer token;
  if (!file) return FED_RAISE(FED_E_USAGE, "--token FILE is needed ('-' reads standard input)");
  fed_buffer_init(&token, invocation->context, FED__TOKEN_TEXT_MAX);
  int code = fed__file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, &token);
  if (code == FED_OK)
    code = fed__agent_enrol(invocation->context, fed__option_text(invocation, "dir"),
                            fed_buffer_slice(&token), fed__option_text(invocation, "proxy"));
  fed__secret_buffer_clear(&token);
  if (code == FED_OK && !invocation->quiet)
    printf("enrolled; the identity is in %s\n", fed__option_text(invocation, "dir"));
  return code;
}

static int run_agent(struct fed__invocation *invocation) {
  const struct fed__agent_options options = {.folder = fed__option_text(invocation, "dir"),
                                             .policy_file = fed__option_text(invocation, "policy"),
                                             .proxy = fed__option_text(invocation, "proxy"),
                                             .stopping = stopping};
  signal(SIGINT, ask_to_stop);
  signal(SIGTERM, ask_to_stop);
  return fed__agent_run(invocation->context, &options);
}

static int check_policy(struct fed__invocation *invocation) {
  struct fed__policy policy;
  struct fed_buffer text, out;
  const char *file = invocation->argument_count ? invocation->arguments[0]
                                                : fed__option_text(invocation, "policy");
  fed_buffer_init(&text, invocation->context, FED__JOB_BYTES_MAX);
  fed_buffer_init(&out, invocation->context, FED__JOB_BYTES_MAX);
  int code = fed__file_read(file, &text);
  if (code == FED_OK)
    code = fed__policy_parse(invocation->context, file, fed_buffer_slice(&text), &policy);
  if (code == FED_OK) {
    code = fed__policy_explain(invocation->context, &policy, invocation->json, &out);
    fed__policy_clear(&policy);
  }
  if (code == FED_OK) fwrite(out.data, 1, out.size, stdout);
  fed_buffer_clear(&text);
  fed_buffer_clear(&out);
  return code;
}

static const struct fed__option enroll_options[] = {
    {"dir", "FOLDER", "the agent's folder, made if missing", "agent"},
    {"token", "FILE", "the enrolment token; '-' reads standard input", NULL},
    {"proxy", "URL", "HTTP proxy; else https_proxy of the environment", NULL},
    {0}};
static const struct fed__option run_options[] = {
    {"dir", "FOLDER", "the agent's folder", "agent"},
    {"policy", "FILE", "what the data owner allows", "policy.yaml"},
    {"proxy", "URL", "HTTP proxy; else https_proxy of the environment", NULL},
    {0}};
static const struct fed__option policy_options[] = {
    {"policy", "FILE", "the policy file", "policy.yaml"}, {0}};

static const char *const enroll_examples[] = {
    "fed-agent enroll --dir agent --token hospital-a.token",
    "make a key, trade the token for a certificate", NULL};
static const char *const run_examples[] = {
    "fed-agent run --dir agent --policy policy.yaml --log-level info",
    "work for the federation, telling what happens", NULL};
static const char *const policy_examples[] = {
    "fed-agent policy policy.yaml", "print every setting with its value, default and meaning",
    NULL};

static const struct fed__command commands[] = {
    {"enroll", "", "join a federation with a token",
     "The private key is made here and never leaves the folder.", enroll_options, enroll_examples,
     0, 0, enroll},
    {"run", "", "work for the federation until told to stop",
     "Training happens in a child process under the limits of the policy. SIGTERM or SIGINT "
     "ends the agent.",
     run_options, run_examples, 0, 0, run_agent},
    {"policy", "[FILE]", "check a policy file and explain every setting", NULL, policy_options,
     policy_examples, 0, 1, check_policy},
    {"manual", "", "print the manual page (roff)", NULL, NULL, NULL, 0, 0, fed__command_manual},
    {"completion", "", "print the completion for bash", NULL, NULL, NULL, 0, 0,
     fed__command_completion},
};

/* Libraries that libcurl can use, and here does not, bring GnuTLS along, which would prepare itself
 * before main (700 KiB of memory) if this did not say no. */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void) { return 1; }

int main(int count, char **words) {
  static const struct fed__program program = {
      "fed-agent", "train on your data for a federation, without the data leaving", commands,
      sizeof commands / sizeof commands[0]};
  return fed__program_main(&program, count, words);
}
