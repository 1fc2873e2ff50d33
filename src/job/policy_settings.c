/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_settings.c: every setting of a data owner's policy file. What is not said is not
 * allowed: there is no default that lets a job run or a metric leave.
 */
#include "job/job.h"
#include "job/settings.h"

#define AT(field) .offset = offsetof(struct fed__policy, field)
#define COUNTED(field) .more_offset = offsetof(struct fed__policy, field)

static const struct fed__setting allow[] = {
    {"jobs", FED__SETTING_TEXTS, .required = 1, AT(jobs), COUNTED(job_count), .minimum = 1,
     .meaning = "names of jobs that may run; '*' stands for any characters"},
    {"plans", FED__SETTING_TEXTS, AT(plans), COUNTED(plan_count),
     .meaning = "if any: only job files with one of these SHA-256 hashes (64 hex digits) may run"},
    {"signers", FED__SETTING_TEXTS, AT(signers), COUNTED(signer_count),
     .meaning = "if any: only jobs that operators of these names signed may run; '*' as in jobs"},
    {"signer_keys", FED__SETTING_TEXTS, AT(signer_keys), COUNTED(signer_key_count),
     .meaning = "if any: only jobs signed with one of these keys (64 hex digits) may run"},
    {NULL}};

#define DATASET(field) .offset = offsetof(struct fed__policy_dataset, field)
static const struct fed__setting datasets[] = {
    {"name", FED__SETTING_NAME, .required = 1, DATASET(name), .meaning = "as jobs call it"},
    {"folder", FED__SETTING_TEXT, .required = 1, DATASET(folder), .minimum = 1,
     .meaning = "where its files lie; jobs see nothing else"},
    {NULL}};

#define TRAINER(field) .offset = offsetof(struct fed__policy_trainer, field)
static const struct fed__setting trainers[] = {
    {"name", FED__SETTING_NAME, .required = 1, TRAINER(name), .meaning = "as jobs call it"},
    {"command", FED__SETTING_TEXTS, .required = 1, TRAINER(command),
     .more_offset = offsetof(struct fed__policy_trainer, command_count), .minimum = 1,
     .meaning = "the program and its arguments; no shell is involved"},
    {NULL}};

static const struct fed__setting demand[] = {
    {"cohort_min", FED__SETTING_COUNT, AT(cohort_min), .initial = "2", .minimum = 1,
     .maximum = 1000000, .unit = "clients",
     .meaning = "refuse jobs whose rounds may succeed with fewer"},
    {"clip_norm_max", FED__SETTING_NUMBER, AT(clip_norm_max), .initial = "0", .maximum = 1e9,
     .meaning = "refuse jobs that do not clip updates to this L2 norm or less; 0: no demand"},
    {NULL}};

static const struct fed__setting share[] = {
    {"metrics", FED__SETTING_FLAG, AT(share_metrics), .initial = "false",
     .meaning = "may sums of loss and of right answers leave?"},
    {"examples_counted_max", FED__SETTING_COUNT64, AT(examples_counted_max), .initial = "0",
     .unit = "examples", .meaning = "never report more examples than this; 0: no limit"},
    {NULL}};

static const struct fed__setting limits[] = {
    {"memory", FED__SETTING_SIZE, AT(memory_bytes_max), .initial = "0 B", .unit = "bytes",
     .meaning =
         "of a training process; a plan that needs more is refused with the figures; 0: no limit"},
    {"cpu", FED__SETTING_DURATION, AT(cpu_s_max), .initial = "0 s", .maximum = 31536000,
     .unit = "s", .meaning = "processor time of a round's training; 0: no limit"},
    {"train", FED__SETTING_DURATION, AT(train_s_max), .initial = "0 s", .maximum = 31536000,
     .unit = "s", .meaning = "wall clock of a round's training; 0: no limit"},
    {"download", FED__SETTING_SIZE, AT(download_bytes_max), .initial = "1 GiB", .unit = "bytes",
     .minimum = 1, .meaning = "the largest message to take in"},
    {"upload", FED__SETTING_SIZE, AT(upload_bytes_max), .initial = "1 GiB", .unit = "bytes",
     .minimum = 1, .meaning = "the largest message to send"},
    {"network", FED__SETTING_SIZE, AT(network_bytes_per_s_max), .initial = "0 B", .unit = "bytes/s",
     .meaning = "at most so many bytes a second, each way; 0: no limit"},
    {NULL}};

static const struct fed__setting schedule[] = {
    {"hours", FED__SETTING_HOURS, AT(hour_from), .initial = "always",
     .meaning = "train only from the first to before the second local hour; 20-6 goes over "
                "midnight"},
    {NULL}};
_Static_assert(offsetof(struct fed__policy, hour_to) ==
                   offsetof(struct fed__policy, hour_from) + sizeof(uint32_t),
               "hours are two numbers in a row");

const struct fed__setting fed__policy_settings[] = {
    {"allow", FED__SETTING_SECTION, .required = 1, .inner = allow, .meaning = "what may run"},
    {"data", FED__SETTING_ITEMS, .required = 1, AT(datasets), COUNTED(dataset_count),
     .item_size = sizeof(struct fed__policy_dataset), .inner = datasets, .maximum = 1024,
     .meaning = "what jobs may train on; one map if there is one"},
    {"trainers", FED__SETTING_ITEMS, AT(trainers), COUNTED(trainer_count),
     .item_size = sizeof(struct fed__policy_trainer), .inner = trainers, .maximum = 1024,
     .meaning = "programs that may train in place of the native trainer"},
    {"demand", FED__SETTING_SECTION, .inner = demand, .meaning = "what every job must do"},
    {"share", FED__SETTING_SECTION, .inner = share,
     .meaning = "what may leave beside the update itself"},
    {"limits", FED__SETTING_SECTION, .inner = limits, .meaning = "what training may use"},
    {"schedule", FED__SETTING_SECTION, .inner = schedule, .meaning = "when"},
    {NULL}};
