/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_axes.c: lists and ranges of values, and their combinations.
 */
#include "programs/simulate_axes.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/hash.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 64

/* ---- values --------------------------------------------------------------------------------- */

static int add_value(const struct fed__axes *axes, struct fed__axis *axis, const char *text,
                     size_t length) {
  while (length && isspace((unsigned char)*text)) text++, length--;
  while (length && isspace((unsigned char)text[length - 1])) length--;
  if (!length) return FED_RAISE(FED_E_USAGE, "'%s' has an empty value", axis->key);
  if (axis->count == FED__COMBINATIONS_MAX)
    return FED_RAISE(FED_E_USAGE, "'%s' has more than %d values", axis->key, FED__COMBINATIONS_MAX);
  char **moved = fed__resize(axes->context, axis->values, axis->count + 1, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  axis->values = moved;
  char *copy = fed__copy_slice_text(axes->context, fed_slice_of(text, length));
  if (!copy) return FED_E_MEMORY;
  axis->values[axis->count++] = copy;
  for (size_t i = 0; i + 1 < axis->count; i++)
    if (strcmp(axis->values[i], copy) == 0)
      return FED_RAISE(FED_E_USAGE, "'%s' has the value '%s' twice", axis->key, copy);
  return FED_OK;
}

static int read_number(const char *text, size_t length, double *number) {
  char copy[NUMBER_BYTES], *end;
  if (length == 0 || length >= sizeof copy) return 0;
  memcpy(copy, text, length);
  copy[length] = '\0';
  *number = strtod(copy, &end);
  return !*end && isfinite(*number);
}

struct range {
  double from, to, step;
};

/* FROM..TO or FROM..TO:STEP; anything else is a value. */
static int read_range(const char *text, size_t length, struct range *range) {
  const char *dots = memmem(text, length, "..", 2);
  if (!dots) return 0;
  const char *to = dots + 2, *end = text + length;
  const char *colon = memchr(to, ':', (size_t)(end - to));
  range->step = 1;
  if (colon && (!read_number(colon + 1, (size_t)(end - colon - 1), &range->step))) return 0;
  return read_number(text, (size_t)(dots - text), &range->from) &&
         read_number(to, (size_t)((colon ? colon : end) - to), &range->to);
}

static int add_range(const struct fed__axes *axes, struct fed__axis *axis,
                     const struct range *range) {
  const double steps = (range->to - range->from) / range->step;
  char text[NUMBER_BYTES];
  if (range->step > 0 && steps > FED__COMBINATIONS_MAX)
    return FED_RAISE(FED_E_USAGE,
                     "'%s': a range of %.0f values, expected at most %d; take a larger step",
                     axis->key, floor(steps) + 1, FED__COMBINATIONS_MAX);
  if (!(range->step > 0) || !(steps >= 0))
    return FED_RAISE(FED_E_USAGE,
                     "'%s': a range goes from the smaller to the larger number by steps above 0, "
                     "such as 1..5 or 0.1..0.5:0.2",
                     axis->key);
  for (size_t i = 0; (double)i <= steps + 1e-9; i++) {
    const int length = snprintf(text, sizeof text, "%.12g", range->from + (double)i * range->step);
    FED_TRY(add_value(axes, axis, text, (size_t)length));
  }
  return FED_OK;
}

static int add_item(const struct fed__axes *axes, struct fed__axis *axis, const char *text,
                    size_t length) {
  struct range range;
  return read_range(text, length, &range) ? add_range(axes, axis, &range)
                                          : add_value(axes, axis, text, length);
}

/* Up to the next comma outside of brackets and quotes. */
static size_t item_length(const char *text) {
  int depth = 0;
  char quote = '\0';
  const char *at = text;
  for (; *at && (*at != ',' || depth > 0 || quote); at++) {
    if (quote)
      quote = *at == quote ? '\0' : quote;
    else if (*at == '"' || *at == '\'')
      quote = *at;
    else
      depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
  }
  return (size_t)(at - text);
}

static int add_items(const struct fed__axes *axes, struct fed__axis *axis, const char *text) {
  for (;;) {
    const size_t length = item_length(text);
    FED_TRY(add_item(axes, axis, text, length));
    if (!text[length]) return FED_OK;
    text += length + 1;
  }
}

/* ---- axes ----------------------------------------------------------------------------------- */

static struct fed__axis *add_axis(struct fed__axes *axes, const char *key, size_t length) {
  struct fed__axis *moved = fed__resize(axes->context, axes->items, axes->count + 1, sizeof *moved);
  if (!moved) return NULL;
  axes->items = moved;
  struct fed__axis *axis = &axes->items[axes->count];
  *axis = (struct fed__axis){.key = fed__copy_slice_text(axes->context, fed_slice_of(key, length))};
  if (!axis->key) return NULL;
  axes->count++;
  return axis;
}

static int read_axis(struct fed__axes *axes, const char *option, const char *text, int is_list) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text || !equals[1])
    return FED_RAISE(FED_E_USAGE, "--%s: expected %s, found '%s'", option,
                     is_list ? "KEY=VALUE,VALUE,... such as seed=1..5" : "KEY=VALUE such as seed=5",
                     text);
  for (size_t i = 0; i < axes->count; i++)
    if (strlen(axes->items[i].key) == (size_t)(equals - text) &&
        memcmp(axes->items[i].key, text, (size_t)(equals - text)) == 0)
      return FED_RAISE(FED_E_USAGE, "--%s: '%s' is given twice", option, axes->items[i].key);
  struct fed__axis *axis = add_axis(axes, text, (size_t)(equals - text));
  if (!axis) return FED_E_MEMORY;
  const int code = is_list ? add_items(axes, axis, equals + 1)
                           : add_value(axes, axis, equals + 1, strlen(equals + 1));
  return code == FED_OK || code == FED_E_MEMORY ? code : FED_WRAP("--%s", option);
}

static int read_axes(const struct fed__invocation *invocation, const char *option, int is_list,
                     struct fed__axes *axes) {
  const char *text;
  size_t combinations = 1;
  *axes = (struct fed__axes){.context = invocation->context};
  for (size_t i = 0; (text = fed__option_given(invocation, option, i)); i++) {
    FED_TRY(read_axis(axes, option, text, is_list));
    combinations *= axes->items[i].count;
    if (combinations > FED__COMBINATIONS_MAX)
      return FED_RAISE(FED_E_USAGE, "--%s: more than %d combinations", option,
                       FED__COMBINATIONS_MAX);
  }
  return FED_OK;
}

int fed__axes_of_set(const struct fed__invocation *invocation, struct fed__axes *axes) {
  return read_axes(invocation, "set", 0, axes);
}

int fed__axes_of_sweep(const struct fed__invocation *invocation, struct fed__axes *axes) {
  return read_axes(invocation, "sweep", 1, axes);
}

void fed__axes_clear(struct fed__axes *axes) {
  for (size_t i = 0; i < axes->count; i++) {
    for (size_t k = 0; k < axes->items[i].count; k++)
      fed__free(axes->context, axes->items[i].values[k]);
    fed__free(axes->context, axes->items[i].values);
    fed__free(axes->context, axes->items[i].key);
  }
  if (axes->context) fed__free(axes->context, axes->items);
  *axes = (struct fed__axes){0};
}

/* ---- what goes together --------------------------------------------------------------------- */

/* --partition names the kind and the kind's own setting; these may be set besides. */
static int goes_with_partition(const char *partition, const char *key) {
  return strcmp(key, "simulate.partition.minimum") == 0 ||
         (strcmp(key, "simulate.partition.noise") == 0 && strncmp(partition, "feature", 7) != 0);
}

static int check_key(const struct fed__invocation *invocation, const char *key) {
  static const struct {
    const char *option, *key;
  } same[] = {
      {"seed", "seed"}, {"clients", "simulate.clients"}, {"partition", "simulate.partition"}};
  const char *partition = fed__option_text(invocation, "partition");
  if (partition && goes_with_partition(partition, key)) return FED_OK;
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
    if (fed__option_text(invocation, same[i].option) &&
        strncmp(key, same[i].key, strlen(same[i].key)) == 0)
      return FED_RAISE(FED_E_USAGE, "--%s and the setting '%s': which one?", same[i].option, key);
  return FED_OK;
}

int fed__axes_check(const struct fed__invocation *invocation, const struct fed__axes *set,
                    const struct fed__axes *sweep) {
  for (size_t i = 0; i < set->count; i++) FED_TRY(check_key(invocation, set->items[i].key));
  for (size_t i = 0; i < sweep->count; i++) {
    FED_TRY(check_key(invocation, sweep->items[i].key));
    for (size_t k = 0; k < set->count; k++)
      if (strcmp(set->items[k].key, sweep->items[i].key) == 0)
        return FED_RAISE(FED_E_USAGE, "--set and --sweep both have '%s'", set->items[k].key);
  }
  return FED_OK;
}

/* ---- combinations --------------------------------------------------------------------------- */

size_t fed__axes_combinations(const struct fed__axes *axes) {
  size_t combinations = 1;
  for (size_t i = 0; i < axes->count; i++) combinations *= axes->items[i].count;
  return combinations;
}

void fed__axes_pick(const struct fed__axes *axes, size_t combination,
                    struct fed__job_override *overrides) {
  for (size_t i = axes->count; i-- > 0;) {
    const struct fed__axis *axis = &axes->items[i];
    overrides[i] = (struct fed__job_override){axis->key, axis->values[combination % axis->count]};
    combination /= axis->count;
  }
}

static int is_plain(char c) { return isalnum((unsigned char)c) || strchr("._=,+-", c); }

/* What does not fit, in length or in its characters, ends with a part of the hash of all of it. */
size_t fed__axes_add_test(const struct fed__invocation *invocation,
                          struct fed__job_override *overrides, size_t count) {
  if (!fed__option_text(invocation, "test")) return count;
  overrides[count] = (struct fed__job_override){"evaluate.test.folder", ".", 1};
  return count + 1;
}

void fed__combination_name(const struct fed__job_override *overrides, size_t count,
                           char name[FED__COMBINATION_NAME_BYTES]) {
  struct fed__sha256 hash;
  char hex[FED__DIGEST_HEX_SIZE];
  size_t length = 0;
  int changed = 0;
  fed__sha256_init(&hash);
  for (size_t i = 0; i < count; i++) {
    const char *const parts[] = {i ? "," : "", overrides[i].key, "=", overrides[i].value};
    for (size_t k = 0; k < 4; k++) {
      fed__sha256_update(&hash, fed_slice_of(parts[k], strlen(parts[k]) + 1));
      for (const char *at = parts[k]; *at; at++) {
        if (length + 12 < FED__COMBINATION_NAME_BYTES) name[length++] = is_plain(*at) ? *at : '_';
        changed |= !is_plain(*at) || length + 12 >= FED__COMBINATION_NAME_BYTES;
      }
    }
  }
  const struct fed__digest digest = fed__sha256_finish(&hash);
  fed__digest_encode(&digest, hex);
  snprintf(name + length, FED__COMBINATION_NAME_BYTES - length, "%s%.8s", changed ? "-" : "",
           changed ? hex : "");
}
