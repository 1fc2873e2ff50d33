/* SPDX-License-Identifier: Apache-2.0
 *
 * trainable.c: which initializers train. The options decide, or else the metadata entry
 * "fed.trainable", or else a rule: an initializer trains if it feeds a slot that trains, directly
 * or through operators that only rearrange it, and is no constant by what it meets and by its
 * values (constant_role.c). With adapters, only these train. Linear in the size of the graph.
 */
#include "base/memory.h"
#include "base/pattern.h"
#include "base/raise.h"
#include "train/constant_role.h"
#include "train/operator.h"

#define METADATA_KEY "fed.trainable"

struct choice {
  struct fed_model *model;
  const struct fed_model_options *options;
  struct fed__reads reads;
  struct fed__name_index names; /* of the initializers */
  unsigned char *slots;         /* per value: enum fed__slot, through rearranging operators, too */
};

static int is_candidate(const struct fed__value *value) {
  return value->initializer && value->role != FED__ROLE_UNREAD &&
         value->role != FED__ROLE_OTHER_TYPE && value->role != FED__ROLE_NARROW;
}

static int is_statistic(const struct fed__value *value) {
  return value->role == FED__ROLE_STATISTIC_FROZEN || value->role == FED__ROLE_STATISTIC_LOCAL ||
         value->role == FED__ROLE_STATISTIC_AVERAGED;
}

static int may_train(const struct fed__value *value) {
  return is_candidate(value) && !is_statistic(value);
}

static const struct {
  int trains;
  const char *words;
} roles[] = {
#define ROLE_ENTRY(name, trains, words) [FED__ROLE_##name] = {trains, words},
    FED__ROLE_LIST(ROLE_ENTRY)
#undef ROLE_ENTRY
};

int fed__role_trains(enum fed__role role) { return roles[role].trains; }

const char *fed__role_words(enum fed__role role) { return roles[role].words; }

/* ---- before any choice ---------------------------------------------------------------------- */

/* UNREAD is every initializer's role at first. */
static void mark_read(struct fed_model *model) {
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    for (uint32_t j = 0; j < node->input_count; j++) {
      if (node->inputs[j] == FED__NONE) continue;
      struct fed__value *value = &model->values[node->inputs[j]];
      if (!value->initializer) continue;
      const int real = fed__dtype_is_real(value->initializer->dtype) &&
                       fed_tensor_elements(value->initializer) > 0;
      value->role = real ? FED__ROLE_CONSTANT : FED__ROLE_OTHER_TYPE;
      if (real && fed__initializer_is_narrow(model, (size_t)(value - model->values)))
        value->role = FED__ROLE_NARROW;
    }
  }
}

int fed__node_measures(const struct fed_model *model, const struct fed__node *node) {
  if (!node->op->state_inputs || model->statistics == FED_STATISTICS_FREEZE) return 0;
  const Onnx__AttributeProto *mode = fed__attribute_find(node, "training_mode");
  return model->statistics != FED_STATISTICS_AS_EXPORTED || (mode && mode->i);
}

static void mark_statistics(struct fed_model *model) {
  const enum fed__role measured = model->statistics == FED_STATISTICS_LOCAL
                                      ? FED__ROLE_STATISTIC_LOCAL
                                      : FED__ROLE_STATISTIC_AVERAGED;
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    const enum fed__role role =
        fed__node_measures(model, node) ? measured : FED__ROLE_STATISTIC_FROZEN;
    for (uint32_t j = 0; j < node->input_count && j < 32; j++) {
      if (!(node->op->state_inputs >> j & 1) || node->inputs[j] == FED__NONE) continue;
      struct fed__value *value = &model->values[node->inputs[j]];
      if (is_candidate(value) && value->role < role) value->role = role;
    }
  }
}

/* ---- the rule ------------------------------------------------------------------------------- */

static unsigned char best_output(const struct choice *choice, const struct fed__node *node) {
  unsigned char best = FED__SLOT_NONE;
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != FED__NONE && choice->slots[node->outputs[i]] > best)
      best = choice->slots[node->outputs[i]];
  return best;
}

/* From the last node to the first, so that a slot is known before the nodes that feed it. */
static void mark_slots(struct choice *choice) {
  const struct fed_model *model = choice->model;
  for (uint32_t i = model->node_count; i-- > 0;) {
    const struct fed__node *node = &model->nodes[i];
    for (uint32_t j = 0; j < node->input_count; j++) {
      if (node->inputs[j] == FED__NONE) continue;
      const struct fed__value *value = &model->values[node->inputs[j]];
      const struct fed_shape *shape = is_candidate(value) ? &value->initializer->shape : NULL;
      const int lone = shape && shape->rank == 0; /* such as a start that is expanded */
      unsigned char slot = (unsigned char)fed__slot_find(&choice->reads, node, j, shape);
      if (!lone && j < 32 && (node->op->passes >> j & 1) && best_output(choice, node) > slot)
        slot = best_output(choice, node);
      if (slot > choice->slots[node->inputs[j]]) choice->slots[node->inputs[j]] = slot;
    }
  }
}

static enum fed__role role_in_slot(const struct fed_tensor *tensor, enum fed__slot slot,
                                   int others_train) {
  switch (slot) {
  case FED__SLOT_SINGLE:
    return FED__ROLE_SINGLE;
  case FED__SLOT_GROUP_NORM:
    return FED__ROLE_GROUP_NORM;
  case FED__SLOT_FORMULA:
    return FED__ROLE_FORMULA;
  case FED__SLOT_PREPROCESSING:
    return others_train ? FED__ROLE_PREPROCESSING : fed__role_by_values(tensor);
  case FED__SLOT_BY_VALUES:
    return fed__role_by_values(tensor);
  case FED__SLOT_TRAINS:
    return FED__ROLE_SLOT;
  default:
    return FED__ROLE_CONSTANT;
  }
}

static int choose_by_rule(struct choice *choice) {
  struct fed_model *model = choice->model;
  int others_train = 0;
  FED_TRY(fed__reads_init(&choice->reads, model));
  mark_slots(choice);
  for (uint32_t i = 0; i < model->value_count; i++)
    if (may_train(&model->values[i]) && choice->slots[i] == FED__SLOT_TRAINS) others_train = 1;
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (may_train(value))
      value->role =
          role_in_slot(value->initializer, (enum fed__slot)choice->slots[i], others_train);
  }
  return FED_OK;
}

/* ---- lists and patterns --------------------------------------------------------------------- */

static struct fed_slice find_metadata(const struct fed_model *model) {
  for (size_t i = 0; i < model->message->n_metadata_props; i++) {
    const Onnx__StringStringEntryProto *entry = model->message->metadata_props[i];
    if (entry->key && entry->value && strcmp(entry->key, METADATA_KEY) == 0)
      return fed_slice_of_text(entry->value);
  }
  return fed_slice_of(NULL, 0);
}

static int mark_name(struct choice *choice, struct fed_slice name) {
  const struct fed_context *context = choice->model->context;
  char *text = fed__copy_slice_text(context, name);
  if (!text) return FED_E_MEMORY;
  const int32_t at = fed__name_index_find(&choice->names, text);
  fed__free(context, text);
  if (at == FED__NONE || !is_candidate(&choice->model->values[at]))
    return FED_RAISE(
        FED_E_MISSING,
        "metadata '%s' names '%.*s', which is not a float initializer that the output depends on",
        METADATA_KEY, (int)(name.size < 200 ? name.size : 200), (const char *)name.data);
  if (may_train(&choice->model->values[at])) choice->model->values[at].role = FED__ROLE_LISTED;
  return FED_OK;
}

static int choose_by_metadata(struct choice *choice, struct fed_slice list) {
  struct fed_model *model = choice->model;
  FED_TRY(fed__name_index_init(&choice->names, model->context, model->initializer_count));
  for (size_t i = 0; i < model->initializer_count; i++)
    fed__name_index_add(&choice->names, model->values[i].name, (int32_t)i);
  for (uint32_t i = 0; i < model->value_count; i++)
    if (may_train(&model->values[i])) model->values[i].role = FED__ROLE_UNLISTED;
  while (list.size) {
    const uint8_t *comma = memchr(list.data, ',', list.size);
    const size_t length = comma ? (size_t)(comma - list.data) : list.size;
    FED_TRY(mark_name(choice, fed_slice_of(list.data, length)));
    const size_t used = length + (comma ? 1 : 0);
    list = fed_slice_of(list.data + used, list.size - used);
  }
  return FED_OK;
}

static int choose_fitting(struct fed_model *model, const char *pattern) {
  size_t fitting = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (!may_train(value) || !fed__pattern_matches(pattern, value->name)) continue;
    value->role = FED__ROLE_CHOSEN;
    fitting++;
  }
  if (fitting) return FED_OK;
  return FED_RAISE(FED_E_MISSING,
                   "trainable: '%.200s' fits no float initializer that the output depends on; `fed "
                   "model show` lists them",
                   pattern);
}

/* A pattern may fit what an earlier one froze; one that freezes nothing is a mistake. */
static int freeze_fitting(struct fed_model *model, const char *pattern) {
  size_t fitting = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (!may_train(value) || !fed__pattern_matches(pattern, value->name)) continue;
    if (fed__role_trains(value->role)) value->role = FED__ROLE_FROZEN;
    fitting += value->role == FED__ROLE_FROZEN;
  }
  if (fitting) return FED_OK;
  return FED_RAISE(FED_E_MISSING,
                   "frozen: '%.200s' fits no trained parameter; `fed model show` lists them",
                   pattern);
}

static int choose_by_options(struct choice *choice) {
  struct fed_model *model = choice->model;
  for (uint32_t i = 0; i < model->value_count; i++)
    if (may_train(&model->values[i])) model->values[i].role = FED__ROLE_UNLISTED;
  for (size_t i = 0; i < choice->options->trainable_count; i++)
    FED_TRY(choose_fitting(model, choice->options->trainable[i]));
  return FED_OK;
}

static void choose_adapters(struct fed_model *model) {
  for (uint32_t i = 0; i < model->value_count; i++)
    if (may_train(&model->values[i]) && fed__role_trains(model->values[i].role))
      model->values[i].role = FED__ROLE_ADAPTED;
  for (size_t i = 0; i < model->adapter_count; i++) {
    model->values[model->adapters[i].weight].role = FED__ROLE_ADAPTED;
    model->values[model->adapters[i].down].role = FED__ROLE_ADAPTER;
    model->values[model->adapters[i].up].role = FED__ROLE_ADAPTER;
  }
}

static int choose(struct choice *choice) {
  const struct fed_slice listed = find_metadata(choice->model);
  mark_read(choice->model);
  mark_statistics(choice->model);
  if (choice->options->trainable_count)
    FED_TRY(choose_by_options(choice));
  else if (listed.size)
    FED_TRY(choose_by_metadata(choice, listed));
  else
    FED_TRY(choose_by_rule(choice));
  for (size_t i = 0; i < choice->options->frozen_count; i++)
    FED_TRY(freeze_fitting(choice->model, choice->options->frozen[i]));
  if (choice->model->adapter_count) choose_adapters(choice->model);
  return FED_OK;
}

/* ---- the sets of parameters ----------------------------------------------------------------- */

/* The set's own copy of the values replaces the message's, which is given back. */
static void give_back_content(struct fed_model *model, uint32_t value, void *data) {
  ProtobufCAllocator *allocator = &model->memory.allocator;
  Onnx__GraphProto *graph = model->message->graph;
  model->initializers[value].data = data;
  model->initializers[value].dtype = FED_F32;
  if (value >= graph->n_initializer) return; /* an adapter's */
  /* Initializers are the first values, in the message's order. */
  Onnx__TensorProto *message = graph->initializer[value];
  allocator->free(allocator->allocator_data, message->raw_data.data);
  allocator->free(allocator->allocator_data, message->float_data);
  message->raw_data = (ProtobufCBinaryData){0, NULL};
  message->float_data = NULL;
  message->n_float_data = 0;
}

static int copy_set(struct fed_params *params, const struct fed_context *context,
                    const struct fed_tensor *chosen, size_t count) {
  struct fed_tensor *like = fed__zalloc(context, count, sizeof *like);
  if (!like) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) {
    like[i] = chosen[i];
    like[i].dtype = FED_F32;
  }
  const int code = fed_params_init(params, context, like, count);
  for (size_t i = 0; i < count && code == FED_OK; i++)
    fed__floats_widen(&chosen[i], fed_tensor_elements(&chosen[i]), params->tensors[i].data);
  fed__free(context, like);
  return code;
}

static int move_content(struct fed_model *model, const struct fed_tensor *chosen, size_t count,
                        size_t local_count) {
  FED_TRY(copy_set(&model->params, model->context, chosen, count));
  FED_TRY(copy_set(&model->local_params, model->context, chosen + count, local_count));
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (value->parameter != FED__NONE)
      give_back_content(model, i, model->params.tensors[value->parameter].data);
    else if (value->local != FED__NONE)
      give_back_content(model, i, model->local_params.tensors[value->local].data);
  }
  return FED_OK;
}

/* Parameters, then the statistics that travel, then those that stay. */
static int collect(struct fed_model *model) {
  struct fed_tensor *chosen = fed__zalloc(model->context, model->value_count, sizeof *chosen);
  if (!chosen) return FED_E_MEMORY;
  size_t count = 0, local = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (!value->initializer || !fed__role_trains(value->role)) continue;
    value->parameter = (int32_t)count;
    chosen[count++] = *value->initializer;
  }
  model->trained_count = count;
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (!value->initializer || value->role != FED__ROLE_STATISTIC_AVERAGED) continue;
    value->parameter = (int32_t)count;
    chosen[count++] = *value->initializer;
  }
  for (uint32_t i = 0; i < model->value_count; i++) {
    struct fed__value *value = &model->values[i];
    if (!value->initializer || value->role != FED__ROLE_STATISTIC_LOCAL) continue;
    value->local = (int32_t)local;
    chosen[count + local++] = *value->initializer;
  }
  const int code = move_content(model, chosen, count, local);
  fed__free(model->context, chosen);
  return code;
}

int fed__trainable_choose(struct fed_model *model, const struct fed_model_options *options) {
  struct choice choice = {.model = model, .options = options};
  choice.slots = fed__zalloc(model->context, model->value_count, 1);
  int code = choice.slots ? choose(&choice) : FED_E_MEMORY;
  fed__reads_clear(&choice.reads);
  fed__name_index_clear(&choice.names);
  fed__free(model->context, choice.slots);
  return code == FED_OK ? collect(model) : code;
}
