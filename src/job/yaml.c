/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.c: builds the tree from libfyaml's events; the only file that includes it. Events, not its
 * documents, because they come one by one: anchors, depth and size are refused before anything
 * grows. Nodes lie in one array and texts in another, so a tree costs two allocations.
 */
#include "job/yaml.h"
#include "base/memory.h"

#include <libfyaml.h>
#include <stdio.h>

#define QUOTED_MAX 40 /* bytes of a file's text in a message */

/* A map or list that is still open. */
struct open {
  uint32_t node, last; /* its number, and that of its newest child (0: none) */
  int has_key;         /* of a map: its key has been read, its value has not */
  uint32_t key_line, key_column;
  size_t key;
};

struct place {
  uint32_t line, column;
};

struct builder {
  struct fed__yaml *yaml;
  struct fed_slice file;
  struct open stack[FED__YAML_DEPTH_MAX];
  size_t depth;
  int documents;
  struct place here; /* of the event at hand; empty values have none and keep the one before */
};

static int raise_here(const struct builder *builder, int code, const char *what) {
  return FED_RAISE(code, "%s:%u:%u: %s", builder->yaml->name, builder->here.line,
                   builder->here.column, what);
}

static struct fed__yaml_node *node_at(const struct fed__yaml *yaml, uint32_t number) {
  return (struct fed__yaml_node *)(void *)yaml->nodes.data + number;
}

static uint32_t node_count(const struct fed__yaml *yaml) {
  return (uint32_t)(yaml->nodes.size / sizeof(struct fed__yaml_node));
}

/* libfyaml's marks lie behind an opening quote and behind the '*' of an alias. */
static int has_sign(const struct fy_event *event) {
  if (event->type != FYET_SCALAR) return event->type == FYET_ALIAS;
  const enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
  return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static void move_here(struct builder *builder, struct fy_event *event) {
  const struct fy_mark *mark = fy_event_start_mark(event);
  if (!mark) return;
  builder->here.line = (uint32_t)mark->line + 1;
  builder->here.column = (uint32_t)(mark->column + !has_sign(event));
}

static int keep_text(struct builder *builder, struct fy_event *event, size_t *offset) {
  size_t length = 0;
  const char *text = event->scalar.value ? fy_token_get_text(event->scalar.value, &length) : "";
  if (!text) return FED_RAISE(FED_E_MEMORY, "out of memory: libfyaml could not get a text");
  if (memchr(text, '\0', length))
    return raise_here(builder, FED_E_SYNTAX, "a text contains a zero byte");
  struct fed_buffer *texts = &builder->yaml->texts;
  *offset = texts->size;
  FED_TRY(fed_buffer_append(texts, text, length));
  return fed_buffer_append(texts, "", 1);
}

static void link_child(struct builder *builder, uint32_t number) {
  if (!builder->depth) return;
  struct fed__yaml *yaml = builder->yaml;
  struct open *open = &builder->stack[builder->depth - 1];
  struct fed__yaml_node *parent = node_at(yaml, open->node), *child = node_at(yaml, number);
  child->key = open->key;
  child->key_line = open->key_line;
  child->key_column = open->key_column;
  if (open->last) {
    node_at(yaml, open->last)->next = number;
  } else {
    parent->first = number;
  }
  open->last = number;
  open->has_key = 0;
  parent->count++;
}

static int add_node(struct builder *builder, const struct fed__yaml_node *node) {
  const uint32_t number = node_count(builder->yaml);
  if (number >= FED__YAML_NODES_MAX)
    return raise_here(builder, FED_E_TOO_LARGE,
                      "too many values in one file: at most 65536 are read");
  FED_TRY(fed_buffer_append(&builder->yaml->nodes, node, sizeof *node));
  link_child(builder, number);
  return FED_OK;
}

static int awaits_key(const struct builder *builder) {
  if (!builder->depth) return 0;
  const struct open *open = &builder->stack[builder->depth - 1];
  return node_at(builder->yaml, open->node)->kind == FED__YAML_MAP && !open->has_key;
}

/* libfyaml 0.7 loses memory over texts in single quotes that hold several escaped ones side by
 * side. Its marks lie inside the quotes. */
static int refuse_escaped_quotes(struct builder *builder, struct fy_token *token) {
  static const char two_escaped[] = "''''";
  if (!token || fy_token_scalar_style(token) != FYSS_SINGLE_QUOTED) return FED_OK;
  const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);
  FED_REQUIRE(start && end && start->input_pos <= end->input_pos &&
              end->input_pos <= builder->file.size);
  if (!memmem(builder->file.data + start->input_pos, end->input_pos - start->input_pos, two_escaped,
              sizeof two_escaped - 1))
    return FED_OK;
  return raise_here(builder, FED_E_UNSUPPORTED,
                    "several quotes in a row inside single quotes; use double quotes around them");
}

static int on_scalar(struct builder *builder, struct fy_event *event) {
  size_t text = 0;
  FED_TRY(refuse_escaped_quotes(builder, event->scalar.value));
  FED_TRY(keep_text(builder, event, &text));
  if (awaits_key(builder)) {
    struct open *open = &builder->stack[builder->depth - 1];
    *open =
        (struct open){open->node, open->last, 1, builder->here.line, builder->here.column, text};
    return FED_OK;
  }
  const struct fed__yaml_node node = {
      .kind = FED__YAML_SCALAR,
      .quoted = fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN,
      .line = builder->here.line,
      .column = builder->here.column,
      .text = text,
  };
  return add_node(builder, &node);
}

static int on_start(struct builder *builder, enum fed__yaml_kind kind) {
  if (awaits_key(builder))
    return raise_here(builder, FED_E_SYNTAX, "a key must be a plain word, not a map or list");
  if (builder->depth == FED__YAML_DEPTH_MAX)
    return raise_here(builder, FED_E_TOO_LARGE, "nested too deeply: at most 16 levels are read");
  const struct fed__yaml_node node = {
      .kind = kind, .line = builder->here.line, .column = builder->here.column};
  const uint32_t number = node_count(builder->yaml);
  FED_TRY(add_node(builder, &node));
  builder->stack[builder->depth++] = (struct open){.node = number};
  return FED_OK;
}

static int on_document(struct builder *builder) {
  if (builder->documents++ == 0) return FED_OK;
  return raise_here(builder, FED_E_UNSUPPORTED,
                    "a second document follows (after '---' or '...'); a file holds exactly one");
}

static int refuse_decoration(struct builder *builder, struct fy_event *event) {
  struct fy_token *anchor = fy_event_get_anchor_token(event), *tag = fy_event_get_tag_token(event);
  if (anchor)
    return raise_here(builder, FED_E_UNSUPPORTED,
                      "anchors ('&name') are not supported; write the value out");
  if (tag)
    return raise_here(builder, FED_E_UNSUPPORTED,
                      "tags ('!name') are not supported; leave the tag out");
  return FED_OK;
}

static int on_event(struct builder *builder, struct fy_event *event) {
  switch (event->type) {
  case FYET_DOCUMENT_START:
    return on_document(builder);
  case FYET_ALIAS:
    return raise_here(builder, FED_E_UNSUPPORTED,
                      "aliases ('*name') are not supported; write the value out");
  case FYET_SCALAR:
    FED_TRY(refuse_decoration(builder, event));
    return on_scalar(builder, event);
  case FYET_MAPPING_START:
    FED_TRY(refuse_decoration(builder, event));
    return on_start(builder, FED__YAML_MAP);
  case FYET_SEQUENCE_START:
    FED_TRY(refuse_decoration(builder, event));
    return on_start(builder, FED__YAML_LIST);
  case FYET_MAPPING_END:
  case FYET_SEQUENCE_END:
    builder->depth--;
    return FED_OK;
  default:
    return FED_OK; /* begin and end of the stream, end of the document */
  }
}

static int raise_syntax(const struct builder *builder, struct fy_diag *diag) {
  void *cursor = NULL;
  const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &cursor);
  if (!error) return FED_RAISE(FED_E_SYNTAX, "%s: not well-formed YAML", builder->yaml->name);
  const struct place place = {(uint32_t)error->line, (uint32_t)error->column};
  return FED_RAISE(FED_E_SYNTAX, "%s:%u:%u: not well-formed YAML: %s", builder->yaml->name,
                   place.line, place.column, error->msg);
}

static int read_events(struct builder *builder, struct fy_parser *parser, struct fy_diag *diag) {
  for (;;) {
    struct fy_event *event = fy_parser_parse(parser);
    if (!event)
      return fy_diag_got_error(diag) || fy_parser_get_stream_error(parser)
                 ? raise_syntax(builder, diag)
                 : FED_OK;
    move_here(builder, event);
    const int code = on_event(builder, event);
    fy_parser_event_free(parser, event);
    if (code != FED_OK) return code;
  }
}

static int read_with(struct builder *builder, struct fed_slice bytes, struct fy_diag *diag) {
  const struct fy_parse_cfg settings = {
      .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE, .diag = diag};
  struct fy_parser *parser = fy_parser_create(&settings);
  if (!parser) return FED_RAISE(FED_E_MEMORY, "out of memory: libfyaml could not start");
  int code = fy_parser_set_string(parser, (const char *)bytes.data, bytes.size) == 0
                 ? read_events(builder, parser, diag)
                 : FED_RAISE(FED_E_MEMORY, "out of memory: libfyaml could not take the file");
  fy_parser_destroy(parser);
  return code;
}

/* The bytes of the character that begins here, or 0 if it is not UTF-8 (RFC 3629). */
static size_t character_length(const uint8_t *bytes, size_t size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const size_t length = bytes[0] < 0x80             ? 1
                        : (bytes[0] & 0xe0) == 0xc0 ? 2
                        : (bytes[0] & 0xf0) == 0xe0 ? 3
                        : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                    : 0;
  if (length == 1 || length == 0 || length > size) return length > size ? 0 : length;
  uint32_t code = bytes[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (bytes[i] & 0x3f);
  }
  return code < least[length] || code > 0x10ffff || (code >> 11) == 0x1b ? 0 : length;
}

/* libfyaml lets some broken characters pass, and messages are to be UTF-8. */
static int check_utf8(const char *name, struct fed_slice bytes) {
  struct place place = {1, 1};
  for (size_t i = 0, length; i < bytes.size; i += length) {
    length = character_length(bytes.data + i, bytes.size - i);
    if (!length || !bytes.data[i])
      return FED_RAISE(FED_E_SYNTAX, "%s:%u:%u: expected text in UTF-8, found the byte 0x%02x",
                       name, place.line, place.column, bytes.data[i]);
    place.column++;
    if (bytes.data[i] == '\n') place = (struct place){place.line + 1, 1};
  }
  return FED_OK;
}

/* Without this libfyaml writes to stderr what it cannot put in its list of errors. */
static void drop_output(struct fy_diag *diag, void *user, const char *text, size_t size) {
  (void)diag, (void)user, (void)text, (void)size;
}

static int check_size(const char *name, struct fed_slice bytes) {
  if (bytes.size > FED__YAML_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%s: %zu bytes; a settings file has at most %zu", name,
                     bytes.size, FED__YAML_BYTES_MAX);
  return bytes.size ? FED_OK : FED_RAISE(FED_E_EMPTY, "%s: the file is empty", name);
}

static int build(struct fed__yaml *yaml, struct fed_slice bytes) {
  FED_TRY(check_size(yaml->name, bytes));
  FED_TRY(check_utf8(yaml->name, bytes));
  struct builder builder = {.yaml = yaml, .file = bytes, .here = {1, 1}};
  struct fy_diag_cfg quiet;
  fy_diag_cfg_default(&quiet);
  quiet.fp = NULL;
  quiet.output_fn = drop_output;
  struct fy_diag *diag = fy_diag_create(&quiet);
  if (!diag) return FED_RAISE(FED_E_MEMORY, "out of memory: libfyaml could not start");
  fy_diag_set_collect_errors(diag, true);
  const int code = read_with(&builder, bytes, diag);
  fy_diag_destroy(diag);
  if (code == FED_OK && !node_count(yaml))
    return FED_RAISE(FED_E_EMPTY, "%s: the file says nothing", yaml->name);
  return code;
}

int fed__yaml_read(const struct fed_context *context, const char *name, struct fed_slice bytes,
                   struct fed__yaml *yaml) {
  yaml->name = name;
  fed_buffer_init(&yaml->nodes, context, FED__YAML_NODES_MAX * sizeof(struct fed__yaml_node));
  fed_buffer_init(&yaml->texts, context, 4 * FED__YAML_BYTES_MAX);
  const int code = build(yaml, bytes);
  if (code != FED_OK) fed__yaml_clear(yaml);
  return code;
}

void fed__yaml_clear(struct fed__yaml *yaml) {
  fed_buffer_clear(&yaml->nodes);
  fed_buffer_clear(&yaml->texts);
}

const struct fed__yaml_node *fed__yaml_root(const struct fed__yaml *yaml) {
  return node_at(yaml, 0);
}

const struct fed__yaml_node *fed__yaml_first(const struct fed__yaml *yaml,
                                             const struct fed__yaml_node *node) {
  return node->first ? node_at(yaml, node->first) : NULL;
}

const struct fed__yaml_node *fed__yaml_next(const struct fed__yaml *yaml,
                                            const struct fed__yaml_node *node) {
  return node->next ? node_at(yaml, node->next) : NULL;
}

const char *fed__yaml_text(const struct fed__yaml *yaml, const struct fed__yaml_node *node) {
  return (const char *)yaml->texts.data + node->text;
}

const char *fed__yaml_key(const struct fed__yaml *yaml, const struct fed__yaml_node *node) {
  return (const char *)yaml->texts.data + node->key;
}

static const struct fed__yaml_node *get_slice(const struct fed__yaml *yaml,
                                              const struct fed__yaml_node *map, const char *key,
                                              size_t length) {
  if (map->kind != FED__YAML_MAP) return NULL;
  const struct fed__yaml_node *child = fed__yaml_first(yaml, map);
  for (; child; child = fed__yaml_next(yaml, child)) {
    const char *name = fed__yaml_key(yaml, child);
    if (strlen(name) == length && memcmp(name, key, length) == 0) return child;
  }
  return NULL;
}

const struct fed__yaml_node *fed__yaml_get(const struct fed__yaml *yaml,
                                           const struct fed__yaml_node *map, const char *key) {
  return get_slice(yaml, map, key, strlen(key));
}

const struct fed__yaml_node *fed__yaml_nearest(const struct fed__yaml *yaml, const char *path) {
  const struct fed__yaml_node *node = fed__yaml_root(yaml);
  while (*path) {
    const size_t length = strcspn(path, ".");
    const struct fed__yaml_node *child = get_slice(yaml, node, path, length);
    if (!child) return node;
    node = child;
    path += length + (path[length] == '.');
  }
  return node;
}

int fed__yaml_is_nothing(const struct fed__yaml *yaml, const struct fed__yaml_node *node) {
  if (node->kind != FED__YAML_SCALAR || node->quoted) return 0;
  const char *text = fed__yaml_text(yaml, node);
  return !*text || !strcmp(text, "~") || !strcmp(text, "null");
}

const char *fed__yaml_quote(const char *value, char text[FED__YAML_QUOTE_SIZE]) {
  size_t length = strlen(value);
  if (length > QUOTED_MAX)
    for (length = QUOTED_MAX; ((uint8_t)value[length] & 0xc0) == 0x80;) length--;
  snprintf(text, FED__YAML_QUOTE_SIZE, "'%.*s%s'", (int)length, value, value[length] ? "…" : "");
  for (char *c = text; *c; c++)
    if ((uint8_t)*c < ' ' || *c == 0x7f) *c = '.';
  return text;
}

const char *fed__yaml_describe(const struct fed__yaml *yaml, const struct fed__yaml_node *node,
                               char text[FED__YAML_QUOTE_SIZE]) {
  if (node->kind == FED__YAML_MAP) return "a map";
  if (node->kind == FED__YAML_LIST) return "a list";
  if (fed__yaml_is_nothing(yaml, node)) return "nothing";
  return fed__yaml_quote(fed__yaml_text(yaml, node), text);
}
