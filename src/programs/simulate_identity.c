/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_identity.c: the hash of job, model and options.
 */
#include "programs/simulate_identity.h"

#include <string.h>

/* Options that change nothing of the result, or are hashed by what they stand for. */
static const char *const other_options[] = {
    "data",   "test",    "threads",          "out", "set", "sweep", "save-partition",
    "resume", "restart", "checkpoint-every", NULL};

static void hash_text(struct fed__sha256 *hash, const char *text) {
  fed__sha256_update(hash, fed_slice_of(text, strlen(text) + 1));
}

static void hash_options(struct fed__sha256 *hash, const struct fed__invocation *invocation) {
  for (const struct fed__option *option = invocation->command->options; option->name; option++) {
    const char *text = fed__option_text(invocation, option->name);
    size_t other = 0;
    while (other_options[other] && strcmp(other_options[other], option->name) != 0) other++;
    if (!text || other_options[other]) continue;
    hash_text(hash, option->name);
    hash_text(hash, text);
  }
}

void fed__simulate_hash_settings(const struct fed__invocation *invocation,
                                 const struct fed__job_files *files, struct fed__sha256 *hash) {
  hash_text(hash, FED_VERSION);
  fed__sha256_update(hash, fed_buffer_slice(&files->plan));
  for (size_t i = 0; i < files->override_count; i++) {
    if (files->overrides[i].is_implied) continue;
    hash_text(hash, files->overrides[i].key);
    hash_text(hash, files->overrides[i].value);
  }
  fed__sha256_update(hash, fed_buffer_slice(&files->graph));
  hash_options(hash, invocation);
}

void fed__simulate_identity(const struct fed__invocation *invocation,
                            const struct fed__job_files *files, char hex[FED__DIGEST_HEX_SIZE]) {
  const char *data = fed__option_text(invocation, "data"),
             *test = fed__option_text(invocation, "test");
  struct fed__sha256 hash;
  fed__sha256_init(&hash);
  hash_text(&hash, data ? data : "");
  hash_text(&hash, test ? test : "");
  fed__simulate_hash_settings(invocation, files, &hash);
  const struct fed__digest digest = fed__sha256_finish(&hash);
  fed__digest_encode(&digest, hex);
}

json_t *fed__overrides_json(const struct fed__job_override *overrides, size_t count) {
  json_t *json = json_object();
  for (size_t i = 0; i < count; i++)
    if (!overrides[i].is_implied)
      json_object_set_new(json, overrides[i].key, json_string(overrides[i].value));
  return json;
}
