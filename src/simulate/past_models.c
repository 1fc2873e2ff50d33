/* SPDX-License-Identifier: Apache-2.0
 *
 * past_models.c: a ring of versions.
 */
#include "simulate/past_models.h"
#include "base/memory.h"

int fed__past_models_init(struct fed__past_models *past, const struct fed_context *context,
                          size_t count) {
  *past = (struct fed__past_models){.context = context, .count = count};
  if (!count) return FED_OK;
  past->models = fed__zalloc(context, count, sizeof *past->models);
  return past->models ? FED_OK : FED_E_MEMORY;
}

void fed__past_models_clear(struct fed__past_models *past) {
  for (size_t i = 0; past->models && i < past->count; i++)
    fed_params_clear(&past->models[i].params);
  if (past->context) fed__free(past->context, past->models);
  *past = (struct fed__past_models){0};
}

void fed__past_models_put(struct fed__past_models *past, uint64_t version,
                          struct fed_params *params) {
  if (past->count) {
    struct fed__past_model *place = &past->models[version % past->count];
    fed_params_clear(&place->params);
    place->version = version;
    place->params = *params;
    *params = (struct fed_params){0};
  } else {
    fed_params_clear(params);
  }
}

const struct fed_params *fed__past_models_find(const struct fed__past_models *past,
                                               uint64_t version) {
  if (!past->count) return NULL;
  const struct fed__past_model *place = &past->models[version % past->count];
  return place->params.count && place->version == version ? &place->params : NULL;
}
