/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.h: a YAML file as a small tree in which every node knows its line and column. Only what a
 * settings file needs: one document of maps, lists and scalars. Anchors, aliases, tags, further
 * documents, deep nesting and large files are refused, so the tree is never larger than the file.
 */
#ifndef FED_JOB_YAML_H
#define FED_JOB_YAML_H

#include "base/raise.h"
#include "fed/buffer.h"

enum fed__yaml_kind { FED__YAML_SCALAR, FED__YAML_MAP, FED__YAML_LIST };

#define FED__YAML_BYTES_MAX ((size_t)1 << 20)
#define FED__YAML_NODES_MAX ((size_t)1 << 16)
#define FED__YAML_DEPTH_MAX 16

/* Lines and columns count from 1. `text` and `key` are offsets into the tree's texts. */
struct fed__yaml_node {
  enum fed__yaml_kind kind;
  int quoted;                    /* a scalar in quotes or a block: always text, never a number */
  uint32_t line, column;         /* from 1; line 0: grafted, it is in no file */
  uint32_t key_line, key_column; /* of the node's own key, if it lies in a map */
  size_t text, key;
  uint32_t first, next; /* child and sibling, as numbers of nodes; 0: none */
  uint32_t count;       /* of children */
};

struct fed__yaml {
  const char *name;        /* the file's name in messages; the caller's */
  struct fed_buffer nodes; /* of struct fed__yaml_node; the root is number 0 */
  struct fed_buffer texts; /* zero-terminated, one after the other */
};

/* Read a file into a tree. FED_E_SYNTAX, FED_E_EMPTY, FED_E_TOO_LARGE, FED_E_UNSUPPORTED,
 * FED_E_MEMORY; the messages begin with "name:line:column: ". */
FED_MUST int fed__yaml_read(const struct fed_context *context, const char *name,
                            struct fed_slice bytes, struct fed__yaml *yaml);
void fed__yaml_clear(struct fed__yaml *yaml);

const struct fed__yaml_node *fed__yaml_root(const struct fed__yaml *yaml);
/* The first child and the next sibling, or NULL. */
const struct fed__yaml_node *fed__yaml_first(const struct fed__yaml *yaml,
                                             const struct fed__yaml_node *node);
const struct fed__yaml_node *fed__yaml_next(const struct fed__yaml *yaml,
                                            const struct fed__yaml_node *node);
const char *fed__yaml_text(const struct fed__yaml *yaml, const struct fed__yaml_node *node);
const char *fed__yaml_key(const struct fed__yaml *yaml, const struct fed__yaml_node *node);
/* The child of that key, or NULL. */
const struct fed__yaml_node *fed__yaml_get(const struct fed__yaml *yaml,
                                           const struct fed__yaml_node *map, const char *key);

/* The node at a path such as "rounds.minimum"; where the file says nothing about it, the nearest
 * one around it. Never NULL: for messages about settings that were left at their default. */
const struct fed__yaml_node *fed__yaml_nearest(const struct fed__yaml *yaml, const char *path);

/* Put the root of `value` at a path such as "rounds.minimum", in place of what is there or as a new
 * node; maps on the way are made. Messages say that it is not from the file.
 * FED_E_TYPE where something on the way is no map; FED_E_MEMORY, FED_E_TOO_LARGE. */
FED_MUST int fed__yaml_graft(struct fed__yaml *yaml, const char *path,
                             const struct fed__yaml *value);

/* A text of the file for a message: in quotes, cut to 40 bytes between two characters, control
 * characters as '.'. Returns `text`. */
#define FED__YAML_QUOTE_SIZE 64
const char *fed__yaml_quote(const char *value, char text[FED__YAML_QUOTE_SIZE]);

/* "a map", "a list", "nothing" or the scalar, quoted into `text`. */
const char *fed__yaml_describe(const struct fed__yaml *yaml, const struct fed__yaml_node *node,
                               char text[FED__YAML_QUOTE_SIZE]);

/* Is it an empty value, "null" or "~"? */
int fed__yaml_is_nothing(const struct fed__yaml *yaml, const struct fed__yaml_node *node);

/* "file:line:column", or what stands for it where a value was grafted. Returns `text`. */
#define FED__YAML_PLACE_SIZE 512
const char *fed__yaml_place(const struct fed__yaml *yaml, uint32_t line, uint32_t column,
                            char text[FED__YAML_PLACE_SIZE]);

/* Raise a failure about a node, or about its key. */
#define FED__YAML_RAISE(yaml, node, code, format, ...)                                             \
  FED_RAISE(code, "%s: " format,                                                                   \
            fed__yaml_place(yaml, (node)->line, (node)->column, (char[FED__YAML_PLACE_SIZE]){0}),  \
            __VA_ARGS__)
#define FED__YAML_RAISE_KEY(yaml, node, code, format, ...)                                         \
  FED_RAISE(code, "%s: " format,                                                                   \
            fed__yaml_place(yaml, (node)->key_line, (node)->key_column,                            \
                            (char[FED__YAML_PLACE_SIZE]){0}),                                      \
            __VA_ARGS__)

#endif
