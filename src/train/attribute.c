/* SPDX-License-Identifier: Apache-2.0
 *
 * attribute.c: reading a node's attributes, with their types checked.
 */
#include "base/raise.h"
#include "train/graph.h"

#include <stdio.h>

#define ATTRIBUTE_TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

const Onnx__AttributeProto *fed__attribute_find(const struct fed__node *node, const char *name) {
  for (size_t i = 0; i < node->message->n_attribute; i++) {
    const Onnx__AttributeProto *attribute = node->message->attribute[i];
    if (attribute->name && strcmp(attribute->name, name) == 0) return attribute;
  }
  return NULL;
}

static int find_typed(const struct fed__node *node, const char *name, int type, const char *wanted,
                      const Onnx__AttributeProto **attribute) {
  *attribute = fed__attribute_find(node, name);
  if (*attribute && (int)(*attribute)->type != type)
    return FED_RAISE(FED_E_TYPE, "attribute '%s' should be %s", name, wanted);
  return FED_OK;
}

int fed__attribute_int(const struct fed__node *node, const char *name, int64_t absent,
                       int64_t *value) {
  const Onnx__AttributeProto *attribute;
  FED_TRY(find_typed(node, name, ATTRIBUTE_TYPE(INT), "an integer", &attribute));
  *value = attribute ? attribute->i : absent;
  return FED_OK;
}

int fed__attribute_float(const struct fed__node *node, const char *name, double absent,
                         double *value) {
  const Onnx__AttributeProto *attribute;
  FED_TRY(find_typed(node, name, ATTRIBUTE_TYPE(FLOAT), "a number", &attribute));
  *value = attribute ? (double)attribute->f : absent;
  return FED_OK;
}

int fed__attribute_ints(const struct fed__node *node, const char *name, int64_t *values,
                        size_t size, size_t *count) {
  const Onnx__AttributeProto *attribute;
  FED_TRY(find_typed(node, name, ATTRIBUTE_TYPE(INTS), "a list of integers", &attribute));
  *count = attribute ? attribute->n_ints : 0;
  if (*count > size)
    return FED_RAISE(FED_E_TOO_LARGE, "attribute '%s' has %zu values, at most %zu make sense", name,
                     *count, size);
  for (size_t i = 0; i < *count; i++) values[i] = attribute->ints[i];
  return FED_OK;
}

int fed__attribute_floats(const struct fed__node *node, const char *name, float *values,
                          size_t size, size_t *count) {
  const Onnx__AttributeProto *attribute;
  FED_TRY(find_typed(node, name, ATTRIBUTE_TYPE(FLOATS), "a list of numbers", &attribute));
  *count = attribute ? attribute->n_floats : 0;
  if (*count > size)
    return FED_RAISE(FED_E_TOO_LARGE, "attribute '%s' has %zu values, at most %zu make sense", name,
                     *count, size);
  for (size_t i = 0; i < *count; i++) values[i] = attribute->floats[i];
  return FED_OK;
}

int fed__attribute_text(const struct fed__node *node, const char *name, const char *absent,
                        struct fed_slice *value) {
  const Onnx__AttributeProto *attribute;
  FED_TRY(find_typed(node, name, ATTRIBUTE_TYPE(STRING), "text", &attribute));
  *value =
      attribute ? fed_slice_of(attribute->s.data, attribute->s.len) : fed_slice_of_text(absent);
  return FED_OK;
}

static const char *list_choices(const char *const *choices, char *text, size_t size) {
  size_t at = 0;
  for (size_t i = 0; choices[i] && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", choices[i]);
  return text;
}

int fed__attribute_choice(const struct fed__node *node, const char *name,
                          const char *const *choices, size_t *choice) {
  struct fed_slice value;
  char list[300];
  FED_TRY(fed__attribute_text(node, name, choices[0], &value));
  for (*choice = 0; choices[*choice]; ++*choice)
    if (strlen(choices[*choice]) == value.size &&
        memcmp(choices[*choice], value.data, value.size) == 0)
      return FED_OK;
  return FED_RAISE(FED_E_UNSUPPORTED, "attribute '%s' is '%.*s'; supported are %s", name,
                   (int)(value.size < 100 ? value.size : 100), (const char *)value.data,
                   list_choices(choices, list, sizeof list));
}
