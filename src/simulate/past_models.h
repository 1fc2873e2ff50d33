/* SPDX-License-Identifier: Apache-2.0
 *
 * past_models.h: the last versions of the model, which clients of asynchronous training may still
 * be working from. As many as an answer may be stale. Threads: one at a time.
 */
#ifndef FED_SIMULATE_PAST_MODELS_H
#define FED_SIMULATE_PAST_MODELS_H

#include "fed/tensor.h"

struct fed__past_models {
  const struct fed_context *context;
  size_t count; /* that are kept; 0: none */
  struct fed__past_model {
    uint64_t version;
    struct fed_params params; /* without tensors: none yet */
  } * models;                 /* version v at v modulo count */
};

FED_MUST int fed__past_models_init(struct fed__past_models *past, const struct fed_context *context,
                                   size_t count);
void fed__past_models_clear(struct fed__past_models *past);

/* Take the parameters over, in place of the oldest. */
void fed__past_models_put(struct fed__past_models *past, uint64_t version,
                          struct fed_params *params);

/* NULL: not there. */
const struct fed_params *fed__past_models_find(const struct fed__past_models *past,
                                               uint64_t version);

#endif
