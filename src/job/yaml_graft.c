/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml_graft.c: one tree's values in place of another's.
 */
#include "job/yaml.h"

#include <stdio.h>

static struct fed__yaml_node *node_at(const struct fed__yaml *yaml, uint32_t number) {
  return (struct fed__yaml_node *)(void *)yaml->nodes.data + number;
}

static uint32_t node_count(const struct fed__yaml *yaml) {
  return (uint32_t)(yaml->nodes.size / sizeof(struct fed__yaml_node));
}

static uint32_t find_child(const struct fed__yaml *yaml, uint32_t map, const char *key,
                           size_t length) {
  uint32_t child = node_at(yaml, map)->first;
  for (; child; child = node_at(yaml, child)->next) {
    const char *name = fed__yaml_key(yaml, node_at(yaml, child));
    if (strlen(name) == length && memcmp(name, key, length) == 0) return child;
  }
  return 0;
}

const char *fed__yaml_place(const struct fed__yaml *yaml, uint32_t line, uint32_t column,
                            char text[FED__YAML_PLACE_SIZE]) {
  if (line)
    snprintf(text, FED__YAML_PLACE_SIZE, "%s:%u:%u", yaml->name, line, column);
  else
    snprintf(text, FED__YAML_PLACE_SIZE, "%s, as changed on the command line", yaml->name);
  return text;
}

/* An empty map at the end of another, at no place in the file. */
static int add_child(struct fed__yaml *yaml, uint32_t map, const char *key, size_t length,
                     uint32_t *number) {
  const struct fed__yaml_node child = {.kind = FED__YAML_MAP, .key = yaml->texts.size};
  uint32_t last = node_at(yaml, map)->first;
  FED_TRY(fed_buffer_append(&yaml->texts, key, length));
  FED_TRY(fed_buffer_append(&yaml->texts, "", 1));
  *number = node_count(yaml);
  FED_TRY(fed_buffer_append(&yaml->nodes, &child, sizeof child));
  node_at(yaml, map)->count++;
  if (!last) {
    node_at(yaml, map)->first = *number;
    return FED_OK;
  }
  while (node_at(yaml, last)->next) last = node_at(yaml, last)->next;
  node_at(yaml, last)->next = *number;
  return FED_OK;
}

/* Copy all nodes behind those there are; the root's copy becomes the node `number`, which keeps its
 * key and its place among its siblings. */
static int copy_tree(struct fed__yaml *yaml, uint32_t number, const struct fed__yaml *value) {
  const uint32_t shift = node_count(yaml), count = node_count(value);
  const size_t text_shift = yaml->texts.size;
  FED_TRY(fed_buffer_append(&yaml->texts, value->texts.data, value->texts.size));
  FED_TRY(fed_buffer_append(&yaml->nodes, value->nodes.data, value->nodes.size));
  for (uint32_t i = 0; i < count; i++) {
    struct fed__yaml_node *node = node_at(yaml, shift + i);
    node->line = node->key_line = 0;
    node->text += text_shift;
    node->key += text_shift;
    if (node->first) node->first += shift;
    if (node->next) node->next += shift;
  }
  struct fed__yaml_node *place = node_at(yaml, number);
  const struct fed__yaml_node *root = node_at(yaml, shift);
  place->kind = root->kind;
  place->quoted = root->quoted;
  place->line = place->key_line = 0;
  place->text = root->text;
  place->first = root->first;
  place->count = root->count;
  return FED_OK;
}

int fed__yaml_graft(struct fed__yaml *yaml, const char *path, const struct fed__yaml *value) {
  uint32_t number = 0;
  for (const char *at = path; *at;) {
    const size_t length = strcspn(at, ".");
    if (node_at(yaml, number)->kind != FED__YAML_MAP)
      return FED__YAML_RAISE(yaml, node_at(yaml, number), FED_E_TYPE,
                             "there is no map here in which '%s' could be set", path);
    const uint32_t child = find_child(yaml, number, at, length);
    if (child)
      number = child;
    else
      FED_TRY(add_child(yaml, number, at, length, &number));
    at += length + (at[length] == '.');
  }
  return copy_tree(yaml, number, value);
}
