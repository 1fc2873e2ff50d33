/* SPDX-License-Identifier: Apache-2.0
 *
 * trainable.c: which initializers train. Exporters store constants as float initializers, too,
 * and a name tells nothing; so the caller's patterns decide, or the metadata entry "fed.trainable",
 * or else the slot that an initializer feeds: directly, or through operators that only rearrange
 * it.
 */
#include "base/memory.h"
#include "base/pattern.h"
#include "base/raise.h"
#include "train/operator.h"

#define METADATA_KEY "fed.trainable"

struct choice {
  struct fed_model *model;
  char *slot;       /* per value: feeds a slot that trains, through rearranging operators */
  char *statistics; /* per value: a node measures it */
};

static int is_candidate(const struct fed__value *value) {
  return value->initializer && value->initializer->dtype == FED_F32 &&
         fed_tensor_elements(value->initializer) > 0;
}

static int any_output(const struct choice *choice, const struct fed__node *node) {
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != FED__NONE && choice->slot[node->outputs[i]]) return 1;
  return 0;
}

int fed__node_measures(const struct fed_model *model, const struct fed__node *node) {
  if (!node->op->state_inputs || model->statistics == FED_STATISTICS_FREEZE) return 0;
  const Onnx__AttributeProto *mode = fed__attribute_find(node, "training_mode");
  return model->statistics != FED_STATISTICS_AS_EXPORTED || (mode && mode->i);
}

static void mark_statistics(struct choice *choice) {
  const struct fed_model *model = choice->model;
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (!node->needed || !fed__node_measures(model, node)) continue;
    for (uint32_t j = 0; j < node->input_count && j < 32; j++)
      if ((node->op->state_inputs >> j & 1) && node->inputs[j] != FED__NONE)
        choice->statistics[node->inputs[j]] = 1;
  }
}

/* From the last node to the first, so that a slot is known before the nodes that feed it. */
static void mark_slots(struct choice *choice) {
  const struct fed_model *model = choice->model;
  for (uint32_t i = model->node_count; i-- > 0;) {
    const struct fed__node *node = &model->nodes[i];
    for (uint32_t j = 0; j < node->input_count && node->needed; j++) {
      if (node->inputs[j] == FED__NONE) continue;
      const struct fed__value *value = &model->values[node->inputs[j]];
      const int passes = j < 32 && (node->op->passes >> j & 1) && any_output(choice, node);
      const struct fed_shape *shape = is_candidate(value) ? &value->initializer->shape : NULL;
      if (shape && shape->rank == 0) continue; /* a lone number, such as a start that is expanded */
      if (passes || (node->op->trains && node->op->trains(j, shape)))
        choice->slot[node->inputs[j]] = 1;
    }
  }
}

static struct fed_slice find_metadata(const struct fed_model *model) {
  for (size_t i = 0; i < model->message->n_metadata_props; i++) {
    const Onnx__StringStringEntryProto *entry = model->message->metadata_props[i];
    if (entry->key && entry->value && strcmp(entry->key, METADATA_KEY) == 0)
      return fed_slice_of_text(entry->value);
  }
  return fed_slice_of(NULL, 0);
}

static int is_read(const struct fed_model *model, uint32_t value) {
  for (uint32_t i = 0; i < model->node_count; i++)
    for (uint32_t j = 0; j < model->nodes[i].input_count && model->nodes[i].needed; j++)
      if (model->nodes[i].inputs[j] == (int32_t)value) return 1;
  return 0;
}

static int mark_name(struct choice *choice, struct fed_slice name) {
  const struct fed_model *model = choice->model;
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (strlen(value->name) != name.size || memcmp(value->name, name.data, name.size) != 0)
      continue;
    if (!is_candidate(value) || !is_read(model, i)) break;
    choice->slot[i] = 1;
    return FED_OK;
  }
  return FED_RAISE(FED_E_MISSING,
                   "metadata '%s' names '%.*s', which is not a float32 initializer "
                   "that the output depends on",
                   METADATA_KEY, (int)(name.size < 200 ? name.size : 200), (const char *)name.data);
}

static int mark_listed(struct choice *choice, struct fed_slice list) {
  while (list.size) {
    const uint8_t *comma = memchr(list.data, ',', list.size);
    const size_t length = comma ? (size_t)(comma - list.data) : list.size;
    FED_TRY(mark_name(choice, fed_slice_of(list.data, length)));
    const size_t used = length + (comma ? 1 : 0);
    list = fed_slice_of(list.data + used, list.size - used);
  }
  return FED_OK;
}

/* The set's own copy of the values replaces the message's, which is given back. */
static void give_back_content(struct fed_model *model, uint32_t value, void *data) {
  ProtobufCAllocator *allocator = &model->memory.allocator;
  /* Initializers are the first values, in the message's order. */
  Onnx__TensorProto *message = model->message->graph->initializer[value];
  allocator->free(allocator->allocator_data, message->raw_data.data);
  allocator->free(allocator->allocator_data, message->float_data);
  message->raw_data = (ProtobufCBinaryData){0, NULL};
  message->float_data = NULL;
  message->n_float_data = 0;
  model->initializers[value].data = data;
}

static int copy_set(struct fed_params *params, const struct fed_context *context,
                    const struct fed_tensor *chosen, size_t count) {
  FED_TRY(fed_params_init(params, context, chosen, count));
  for (size_t i = 0; i < count; i++)
    memcpy(params->tensors[i].data, chosen[i].data, fed_tensor_bytes(&chosen[i]));
  return FED_OK;
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
static int collect(struct choice *choice) {
  struct fed_model *model = choice->model;
  const int stay = model->statistics == FED_STATISTICS_LOCAL;
  struct fed_tensor *chosen = fed__zalloc(model->context, model->value_count, sizeof *chosen);
  if (!chosen) return FED_E_MEMORY;
  size_t count = 0, measured = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    if (!choice->slot[i] || choice->statistics[i] || !is_candidate(&model->values[i])) continue;
    model->values[i].parameter = (int32_t)count;
    chosen[count++] = *model->values[i].initializer;
  }
  model->trained_count = count;
  for (uint32_t i = 0; i < model->value_count; i++) {
    if (!choice->statistics[i] || !is_candidate(&model->values[i])) continue;
    *(stay ? &model->values[i].local : &model->values[i].parameter) =
        (int32_t)(stay ? measured : count + measured);
    chosen[count + measured++] = *model->values[i].initializer;
  }
  int code = stay ? move_content(model, chosen, count, measured)
                  : move_content(model, chosen, count + measured, 0);
  fed__free(model->context, chosen);
  return code;
}

/* Say of all initializers that the pattern fits whether they train. Freezing: of those that do. */
static int mark_pattern(struct choice *choice, const char *pattern, int trains) {
  const struct fed_model *model = choice->model;
  size_t count = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    if (!is_candidate(value) || choice->statistics[i] || !is_read(model, i)) continue;
    if (!fed__pattern_matches(pattern, value->name) || (!trains && !choice->slot[i])) continue;
    choice->slot[i] = (char)trains;
    count++;
  }
  if (count) return FED_OK;
  return FED_RAISE(FED_E_MISSING, "'%.200s' fits no %s", pattern,
                   trains ? "float32 initializer that the output depends on" : "trained parameter");
}

static int choose(struct choice *choice, const struct fed_model_options *options) {
  const struct fed_slice listed = find_metadata(choice->model);
  mark_statistics(choice);
  for (size_t i = 0; i < options->trainable_count; i++)
    FED_TRY(mark_pattern(choice, options->trainable[i], 1));
  if (!options->trainable_count && listed.size)
    FED_TRY(mark_listed(choice, listed));
  else if (!options->trainable_count)
    mark_slots(choice);
  for (size_t i = 0; i < options->frozen_count; i++)
    FED_TRY(mark_pattern(choice, options->frozen[i], 0));
  return collect(choice);
}

int fed__trainable_choose(struct fed_model *model, const struct fed_model_options *options) {
  struct choice choice = {model, fed__zalloc(model->context, model->value_count, 1),
                          fed__zalloc(model->context, model->value_count, 1)};
  int code = choice.slot && choice.statistics ? choose(&choice, options) : FED_E_MEMORY;
  fed__free(model->context, choice.slot);
  fed__free(model->context, choice.statistics);
  return code;
}
