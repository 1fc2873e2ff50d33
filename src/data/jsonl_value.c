/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonl_value.c: what a field of a JSON object means to a model.
 */
#include "base/raise.h"
#include "data/jsonl.h"

#include <math.h>

const char *fed__json_describe(const json_t *value) {
  if (!value) return "no such field";
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "a list";
  case JSON_STRING:
    return "a text";
  case JSON_INTEGER:
    return "a whole number";
  case JSON_REAL:
    return "a number";
  case JSON_NULL:
    return "null";
  default:
    return json_is_true(value) ? "true" : "false";
  }
}

#define REFUSE(place, code, format, ...)                                                           \
  FED_RAISE(code, "%s line %llu, field '%s': " format, (place)->file,                              \
            (unsigned long long)(place)->line, (place)->field, __VA_ARGS__)

static int refuse_type(const struct fed__json_place *place, const char *expected,
                       const json_t *found) {
  return REFUSE(place, place->value ? FED_E_TYPE : FED_E_MISSING, "expected %s, found %s", expected,
                fed__json_describe(found));
}

struct numbers {
  const struct fed__json_place *place;
  double scale, offset;
  size_t count, wanted;
  float *out;
};

static int add_number(struct numbers *numbers, const json_t *value) {
  const double number = json_number_value(value);
  const float scaled = (float)(number * numbers->scale + numbers->offset);
  if (!isfinite(scaled))
    return REFUSE(numbers->place, FED_E_NOT_FINITE, "expected a finite float32 number, found %g",
                  number);
  if (numbers->count < numbers->wanted) numbers->out[numbers->count] = scaled;
  numbers->count++;
  return FED_OK;
}

/* As deep as jansson's parser allows. */
static int add_numbers(struct numbers *numbers, const json_t *value) {
  if (json_is_number(value)) return add_number(numbers, value);
  if (!json_is_array(value))
    return refuse_type(numbers->place, "a number, or numbers in lists", value);
  for (size_t i = 0; i < json_array_size(value); i++)
    FED_TRY(add_numbers(numbers, json_array_get(value, i)));
  return FED_OK;
}

int fed__json_numbers(const struct fed__json_place *place, double scale, double offset,
                      size_t count, float *out) {
  struct numbers numbers = {place, scale, offset, 0, count, out};
  FED_TRY(add_numbers(&numbers, place->value));
  if (numbers.count == count) return FED_OK;
  return REFUSE(place, FED_E_SHAPE, "expected %zu numbers, found %zu", count, numbers.count);
}

static int add_index(const struct fed__json_place *place, const json_t *value, uint32_t limit,
                     struct fed_buffer *out) {
  const int64_t index = json_integer_value(value);
  if (!json_is_integer(value))
    return refuse_type(place, "a whole number, or a list of whole numbers", value);
  if (index < 0 || index >= (int64_t)limit)
    return REFUSE(place, FED_E_RANGE, "expected indices from 0 to %u, found %lld", limit - 1,
                  (long long)index);
  return fed_buffer_append(out, &index, sizeof index);
}

int fed__json_indices(const struct fed__json_place *place, uint32_t limit, struct fed_buffer *out) {
  if (!json_is_array(place->value)) return add_index(place, place->value, limit, out);
  for (size_t i = 0; i < json_array_size(place->value); i++)
    FED_TRY(add_index(place, json_array_get(place->value, i), limit, out));
  return FED_OK;
}

static int add_text(const struct fed__json_place *place, const json_t *value,
                    struct fed_buffer *out) {
  if (!json_is_string(value)) return refuse_type(place, "a text, or a list of texts", value);
  return fed_buffer_append(out, json_string_value(value), json_string_length(value));
}

int fed__json_text(const struct fed__json_place *place, struct fed_buffer *out) {
  if (!json_is_array(place->value)) return add_text(place, place->value, out);
  for (size_t i = 0; i < json_array_size(place->value); i++) {
    if (i) FED_TRY(fed_buffer_append(out, "\n", 1));
    FED_TRY(add_text(place, json_array_get(place->value, i), out));
  }
  return FED_OK;
}

static int find_name(const struct fed__json_place *place, const struct fed__target_schema *target,
                     int64_t *label) {
  const char *text = json_string_value(place->value);
  if (!text) return refuse_type(place, "the name of a class", place->value);
  for (size_t i = 0; i < target->name_count; i++)
    if (strcmp(target->names[i], text) == 0) {
      *label = (int64_t)i;
      return FED_OK;
    }
  return REFUSE(place, FED_E_RANGE,
                "expected one of the %zu classes that the job names, found "
                "'%.40s'",
                target->name_count, text);
}

int fed__json_label(const struct fed__json_place *place, const struct fed__target_schema *target,
                    int64_t *label) {
  if (target->name_count) return find_name(place, target, label);
  *label = json_integer_value(place->value);
  if (!json_is_integer(place->value))
    return refuse_type(place, "a class, a whole number", place->value);
  if (*label >= 0 && *label < (int64_t)target->classes) return FED_OK;
  return REFUSE(place, FED_E_RANGE, "expected a class from 0 to %u, found %lld",
                target->classes - 1, (long long)*label);
}

static int append_key(const json_t *value, struct fed_buffer *out) {
  if (json_is_integer(value))
    return fed_buffer_print(out, "%lld", (long long)json_integer_value(value));
  const char *text = json_is_string(value) ? json_string_value(value)
                     : json_is_true(value) ? "true"
                                           : "false";
  return fed_buffer_append(out, text, strlen(text));
}

int fed__json_key(const struct fed__json_place *place, struct fed_buffer *out) {
  const json_t *value = place->value;
  const char zero = 0;
  const int fits = json_is_string(value) ? json_string_length(value) > 0
                                         : json_is_integer(value) || json_is_boolean(value);
  if (!fits)
    return refuse_type(place, "a text that is not empty or a whole number, to divide by", value);
  FED_TRY(append_key(value, out));
  return fed_buffer_append(out, &zero, 1);
}
