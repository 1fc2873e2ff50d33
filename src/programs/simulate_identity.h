/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_identity.h: what decides about a simulation's result, as a hash: the version, the job
 * file and the settings in its place, the model, the options.
 */
#ifndef FED_SIMULATE_IDENTITY_H
#define FED_SIMULATE_IDENTITY_H

#include "crypto/hash.h"
#include "programs/command.h"
#include "programs/job_files.h"

#include <jansson.h>

/* All but what lies in the folders that --data and --test name. */
void fed__simulate_hash_settings(const struct fed__invocation *invocation,
                                 const struct fed__job_files *files, struct fed__sha256 *hash);

/* The hash of that and of the folders' names: what a finished run is known by. */
void fed__simulate_identity(const struct fed__invocation *invocation,
                            const struct fed__job_files *files, char hex[FED__DIGEST_HEX_SIZE]);

/* The settings in place of the job file's, as an object of texts. NULL: out of memory. */
json_t *fed__overrides_json(const struct fed__job_override *overrides, size_t count);

#endif
