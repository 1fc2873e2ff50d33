/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_section.h: the section `simulate` of a job file: the world that `fed simulate` makes up.
 * Servers and agents check it and look no further.
 */
#ifndef FED_JOB_SIMULATE_SECTION_H
#define FED_JOB_SIMULATE_SECTION_H

#include "job/job.h"
#include "job/settings.h"

extern const struct fed__setting fed__simulate_settings[], fed__simulate_device_settings[],
    fed__simulate_fault_settings[];

/* What a kind of partition is called. Static. */
const char *fed__partition_kind_name(enum fed__partition_kind kind);

/* FED_E_MISSING with the place in the tree for a kind without what it needs. */
FED_MUST int fed__simulate_section_check(const struct fed__job *job, const struct fed__yaml *yaml);

/* FED_E_RANGE, FED_E_INPUT with the place in the tree for devices that cannot be. */
FED_MUST int fed__simulate_world_check(const struct fed__job *job, const struct fed__yaml *yaml);

/* "iid", "dirichlet:0.5", "shards:2", "file:partition.safetensors" …: the kind, and after a colon
 * the one setting that is its own, in place of what the job says. FED_E_USAGE. */
FED_MUST int fed__partition_choose(struct fed__job *job, const char *text);

/* What the result is measured against (simulate/baselines.h). */
enum fed__baseline {
  FED__BASELINE_CENTRALISED = 1, /* all rows in one place */
  FED__BASELINE_LOCAL = 2,       /* each client alone */
  FED__BASELINE_BEST = 4,        /* the best of those */
};

/* Those that the job names, as bits. */
unsigned fed__baselines_wanted(const struct fed__job *job);

/* "centralised,local,best" in place of the job's. FED_E_USAGE. */
FED_MUST int fed__baselines_choose(struct fed__job *job, const char *text);

/* The other way round: the job's partition in such a word, appended. */
FED_MUST int fed__partition_print(const struct fed__job *job, struct fed_buffer *out);

#endif
