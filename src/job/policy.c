/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c: a data owner's policy file, and the decision whether a job may run under it. The
 * decision is a function of its arguments alone: the same policy always gives the same answer.
 */
#include "base/pattern.h"
#include "job/job.h"
#include "job/settings.h"

/* Texts of 64 hex digits: `what` they are. */
static int check_hex(const struct fed__yaml *yaml, const char *path, const char *what,
                     char *const *texts, size_t count) {
  char quoted[FED__YAML_QUOTE_SIZE];
  for (size_t i = 0; i < count; i++) {
    if (strlen(texts[i]) == 64 && texts[i][strspn(texts[i], "0123456789abcdef")] == '\0') continue;
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, path), FED_E_INPUT,
                           "'%s[%zu]' must be %s, 64 hex digits in lower case, found %s", path, i,
                           what, fed__yaml_quote(texts[i], quoted));
  }
  return FED_OK;
}

static int check_names(const struct fed__policy *policy, const struct fed__yaml *yaml) {
  for (size_t i = 0; i < policy->dataset_count; i++)
    for (size_t j = 0; j < i; j++)
      if (!strcmp(policy->datasets[i].name, policy->datasets[j].name))
        return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "data"), FED_E_DUPLICATE,
                               "the data set '%s' is given twice", policy->datasets[i].name);
  for (size_t i = 0; i < policy->trainer_count; i++) {
    if (!strcmp(policy->trainers[i].name, "native"))
      return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "trainers"), FED_E_INPUT,
                             "'%s' is the built-in trainer; give this one another name", "native");
    for (size_t j = 0; j < i; j++)
      if (!strcmp(policy->trainers[i].name, policy->trainers[j].name))
        return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "trainers"), FED_E_DUPLICATE,
                               "the trainer '%s' is given twice", policy->trainers[i].name);
  }
  return FED_OK;
}

static int read_policy(const struct fed__yaml *yaml, struct fed__policy *policy) {
  FED_TRY(fed__settings_read(policy->context, fed__policy_settings, yaml, policy));
  int code = check_hex(yaml, "allow.plans", "a SHA-256 hash", policy->plans, policy->plan_count);
  if (code == FED_OK)
    code = check_hex(yaml, "allow.signer_keys", "an Ed25519 public key", policy->signer_keys,
                     policy->signer_key_count);
  if (code == FED_OK) code = check_names(policy, yaml);
  if (code != FED_OK) fed__policy_clear(policy);
  return code;
}

int fed__policy_parse(const struct fed_context *context, const char *name, struct fed_slice yaml,
                      struct fed__policy *policy) {
  *policy = (struct fed__policy){.context = context};
  struct fed__yaml tree;
  FED_TRY(fed__yaml_read(context, name, yaml, &tree));
  const int code = read_policy(&tree, policy);
  fed__yaml_clear(&tree);
  return code;
}

void fed__policy_clear(struct fed__policy *policy) {
  if (policy->context) fed__settings_clear(policy->context, fed__policy_settings, policy);
}

int fed__policy_explain(const struct fed_context *context, const struct fed__policy *policy,
                        int json, struct fed_buffer *out) {
  return fed__settings_explain(context, fed__policy_settings, policy,
                               json ? FED__SETTINGS_JSON : FED__SETTINGS_TEXT, out);
}

static int allow_name(const struct fed__policy *policy, const struct fed__job *job) {
  for (size_t i = 0; i < policy->job_count; i++)
    if (fed__pattern_matches(policy->jobs[i], job->name)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' is not among the jobs that this site's policy allows; its owner can "
                   "add it to 'allow.jobs'",
                   job->name);
}

static int allow_plan(const struct fed__policy *policy, const struct fed__job *job,
                      const char *plan) {
  if (!policy->plan_count) return FED_OK;
  for (size_t i = 0; i < policy->plan_count; i++)
    if (!strcmp(policy->plans[i], plan)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' has the plan %s, which is not among the plans that this site's "
                   "policy allows",
                   job->name, plan);
}

static int allow_signer(const struct fed__policy *policy, const struct fed__job *job,
                        const struct fed__identity *signer) {
  if (!policy->signer_count) return FED_OK;
  for (size_t i = 0; i < policy->signer_count; i++)
    if (fed__pattern_matches(policy->signers[i], signer->name)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' is signed by '%s', who is not among the signers that this site's "
                   "policy allows; its owner can add them to 'allow.signers'",
                   job->name, signer->name);
}

static int allow_signer_key(const struct fed__policy *policy, const struct fed__job *job,
                            const struct fed__identity *signer) {
  char hex[FED__PUBLIC_KEY_HEX_SIZE];
  if (!policy->signer_key_count) return FED_OK;
  fed__public_key_encode(&signer->key, hex);
  for (size_t i = 0; i < policy->signer_key_count; i++)
    if (!strcmp(policy->signer_keys[i], hex)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' is signed by '%s' with the key %s, which is not among the keys that "
                   "this site's policy allows",
                   job->name, signer->name, hex);
}

static int allow_data(const struct fed__policy *policy, const struct fed__job *job) {
  if (!job->data.name) return FED_OK;
  for (size_t i = 0; i < policy->dataset_count; i++)
    if (!strcmp(policy->datasets[i].name, job->data.name)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' asks for the data set '%s', which this site's policy does not offer",
                   job->name, job->data.name);
}

static int allow_trainer(const struct fed__policy *policy, const struct fed__job *job) {
  if (!strcmp(job->train.trainer, "native")) return FED_OK;
  for (size_t i = 0; i < policy->trainer_count; i++)
    if (!strcmp(policy->trainers[i].name, job->train.trainer)) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' asks for the trainer '%s', which this site's policy does not allow",
                   job->name, job->train.trainer);
}

static int allow_cohort(const struct fed__policy *policy, const struct fed__job *job) {
  if (job->rounds.minimum >= policy->cohort_min) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' has a minimum cohort of %u; this site's policy demands at least %u",
                   job->name, job->rounds.minimum, policy->cohort_min);
}

static int allow_clip(const struct fed__policy *policy, const struct fed__job *job) {
  const double clip = job->update.clip_norm, most = policy->clip_norm_max;
  if (most == 0 || (clip > 0 && clip <= most)) return FED_OK;
  if (clip == 0)
    return FED_RAISE(FED_E_DENIED,
                     "job '%s' does not clip updates; this site's policy demands a norm of at "
                     "most %g",
                     job->name, most);
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' clips updates to a norm of %g; this site's policy demands at most %g",
                   job->name, clip, most);
}

static int allow_hour(const struct fed__policy *policy, const struct fed__job *job, uint32_t hour) {
  const uint32_t from = policy->hour_from, to = policy->hour_to;
  const int inside = from == to  ? 1
                     : from < to ? from <= hour && hour < to
                                 : hour >= from || hour < to;
  if (inside) return FED_OK;
  return FED_RAISE(FED_E_DENIED,
                   "job '%s' came at %u:00; this site's policy trains only from %u:00 to %u:00",
                   job->name, hour, from, to);
}

int fed__policy_allows(const struct fed__policy *policy, const struct fed__job *job,
                       const char *plan, const struct fed__identity *signer, uint32_t hour) {
  FED_TRY(allow_name(policy, job));
  FED_TRY(allow_plan(policy, job, plan));
  FED_TRY(allow_signer(policy, job, signer));
  FED_TRY(allow_signer_key(policy, job, signer));
  FED_TRY(allow_data(policy, job));
  FED_TRY(allow_trainer(policy, job));
  FED_TRY(allow_cohort(policy, job));
  FED_TRY(allow_clip(policy, job));
  return allow_hour(policy, job, hour);
}
