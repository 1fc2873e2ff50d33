/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.c: the safetensors format, strict when reading and canonical when writing.
 */
#include "fed/safetensors.h"
#include "base/memory.h"
#include "base/raise.h"
#include "tensor/safetensors_place.h"

#include <jansson.h>
#include <stdlib.h>

#define HEADER_BYTES_MAX ((uint64_t)16 << 20)
#define TENSORS_MAX 10000 /* names are compared with each other */

struct entry {
  struct fed_tensor tensor; /* name owned by the JSON header */
  uint64_t begin, end;
};

static uint64_t read_u64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

int fed__safetensors_start_bytes(const uint8_t first[8], uint64_t file_size, size_t *bytes) {
  const uint64_t size = read_u64(first);
  if (size > HEADER_BYTES_MAX)
    return FED_RAISE(
        FED_E_TOO_LARGE,
        "safetensors: a header of %llu bytes, at most %llu are read; is this another kind of file?",
        (unsigned long long)size, (unsigned long long)HEADER_BYTES_MAX);
  if (file_size < 8 || size > file_size - 8)
    return FED_RAISE(FED_E_TRUNCATED, "safetensors: a header of %llu bytes in a file of %llu",
                     (unsigned long long)size, (unsigned long long)file_size);
  *bytes = 8 + (size_t)size;
  return FED_OK;
}

/* `file` holds at least what is in front of the data. */
static int parse_header(struct fed_slice file, uint64_t file_size, json_t **header,
                        size_t *data_at) {
  if (file_size < 8 || file.size < 8)
    return FED_RAISE(FED_E_TRUNCATED, "safetensors: %llu bytes, at least 8 are needed",
                     (unsigned long long)file_size);
  FED_TRY(fed__safetensors_start_bytes(file.data, file_size, data_at));
  if (*data_at == 8 || *data_at > file.size || file.data[8] != '{')
    return FED_RAISE(FED_E_SYNTAX, "safetensors: the header must begin with '{'");
  json_error_t error;
  *header = json_loadb((const char *)file.data + 8, *data_at - 8, JSON_REJECT_DUPLICATES, &error);
  if (!*header)
    return FED_RAISE(json_error_code(&error) == json_error_duplicate_key ? FED_E_DUPLICATE
                                                                         : FED_E_SYNTAX,
                     "safetensors: header: %s", error.text);
  if (!json_is_object(*header) || json_object_size(*header) > TENSORS_MAX)
    return FED_RAISE(FED_E_SYNTAX, "safetensors: the header must be an object of at most %d names",
                     TENSORS_MAX);
  return FED_OK;
}

static int parse_shape(const char *name, const json_t *dims, struct fed_shape *shape) {
  if (!json_is_array(dims) || json_array_size(dims) > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "safetensors: tensor '%s': 'shape' must be a list of at most %d",
                     name, FED_RANK_MAX);
  shape->rank = (uint32_t)json_array_size(dims);
  for (uint32_t i = 0; i < shape->rank; i++) {
    const json_t *dim = json_array_get(dims, i);
    if (!json_is_integer(dim) || json_integer_value(dim) < 0)
      return FED_RAISE(FED_E_RANGE, "safetensors: tensor '%s': dimension %u is not a count", name,
                       i);
    shape->dims[i] = json_integer_value(dim);
  }
  return FED_OK;
}

static int parse_offsets(const char *name, const json_t *offsets, uint64_t data_size,
                         struct entry *entry) {
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
      json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
    return FED_RAISE(FED_E_RANGE, "safetensors: tensor '%s': 'data_offsets' must be [begin, end]",
                     name);
  entry->begin = (uint64_t)json_integer_value(begin);
  entry->end = (uint64_t)json_integer_value(end);
  if (entry->end > data_size)
    return FED_RAISE(FED_E_RANGE, "safetensors: tensor '%s' ends at byte %llu of %llu", name,
                     (unsigned long long)entry->end, (unsigned long long)data_size);
  return FED_OK;
}

static int parse_entry(const char *name, const json_t *value, uint64_t data_size,
                       struct entry *entry) {
  const char *dtype = json_string_value(json_object_get(value, "dtype"));
  size_t elements, bytes;
  if (!dtype || json_object_size(value) != 3)
    return FED_RAISE(FED_E_SYNTAX,
                     "safetensors: tensor '%s' must have dtype, shape and "
                     "data_offsets, nothing else",
                     name);
  entry->tensor.name = name;
  if (fed_dtype_parse(fed_slice_of_text(dtype), &entry->tensor.dtype) != FED_OK)
    return FED_WRAP("safetensors: tensor '%s'", name);
  FED_TRY(parse_shape(name, json_object_get(value, "shape"), &entry->tensor.shape));
  FED_TRY(parse_offsets(name, json_object_get(value, "data_offsets"), data_size, entry));
  if (fed_shape_elements(&entry->tensor.shape, &elements) != FED_OK)
    return FED_WRAP("safetensors: tensor '%s'", name);
  if (__builtin_mul_overflow(elements, fed_dtype_size(entry->tensor.dtype), &bytes) ||
      bytes != entry->end - entry->begin)
    return FED_RAISE(FED_E_SHAPE,
                     "safetensors: tensor '%s': shape and type need other bytes than "
                     "the %llu that its offsets give",
                     name, (unsigned long long)(entry->end - entry->begin));
  return FED_OK;
}

static int compare_entries(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->tensor.name, y->tensor.name);
}

static int check_contiguous(const struct entry *entries, size_t count, uint64_t data_size) {
  uint64_t at = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].begin != at)
      return FED_RAISE(FED_E_RANGE,
                       "safetensors: tensor '%s' begins at byte %llu, expected %llu: "
                       "tensors must neither overlap nor leave gaps",
                       entries[i].tensor.name, (unsigned long long)entries[i].begin,
                       (unsigned long long)at);
    at = entries[i].end;
  }
  if (at != data_size)
    return FED_RAISE(FED_E_RANGE, "safetensors: %llu bytes of data, the header accounts for %llu",
                     (unsigned long long)data_size, (unsigned long long)at);
  return FED_OK;
}

static int check_notes(json_t *notes) {
  const char *key;
  json_t *value;
  if (!json_is_object(notes))
    return FED_RAISE(FED_E_SYNTAX, "safetensors: '__metadata__' must be an object");
  json_object_foreach(notes, key, value) {
    if (!json_is_string(value))
      return FED_RAISE(FED_E_SYNTAX, "safetensors: '__metadata__': '%s' is not a text", key);
  }
  return FED_OK;
}

static int collect_entries(json_t *header, uint64_t data_size, struct entry *entries,
                           size_t *count) {
  const char *name;
  json_t *value;
  json_object_foreach(header, name, value) {
    if (strcmp(name, "__metadata__") == 0) {
      FED_TRY(check_notes(value));
      continue;
    }
    FED_TRY(parse_entry(name, value, data_size, &entries[*count]));
    (*count)++;
  }
  if (*count) qsort(entries, *count, sizeof *entries, compare_entries);
  return check_contiguous(entries, *count, data_size);
}

static int copy_tensors(const struct entry *entries, size_t count, struct fed_slice data,
                        const struct fed_context *context, struct fed_params *params) {
  struct fed_tensor *like = fed__zalloc(context, count, sizeof *like);
  if (!like) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) like[i] = entries[i].tensor;
  int code = fed_params_init(params, context, like, count);
  fed__free(context, like);
  if (code != FED_OK) return code;
  for (size_t i = 0; i < count; i++)
    if (entries[i].end > entries[i].begin)
      memcpy(params->tensors[i].data, data.data + entries[i].begin,
             (size_t)(entries[i].end - entries[i].begin));
  return FED_OK;
}

int fed_safetensors_decode(struct fed_slice file, const struct fed_context *context,
                           struct fed_params *params) {
  json_t *header = NULL;
  struct entry *entries = NULL;
  size_t count = 0, data_at = 0;
  int code;
  *params = (struct fed_params){0};
  FED_TRY_GOTO(code, done, parse_header(file, file.size, &header, &data_at));
  const struct fed_slice data = fed_slice_of(file.data + data_at, file.size - data_at);
  entries = fed__zalloc(context, json_object_size(header), sizeof *entries);
  code = entries ? collect_entries(header, data.size, entries, &count) : FED_E_MEMORY;
  if (code == FED_OK) code = copy_tensors(entries, count, data, context, params);
done:
  fed__free(context, entries);
  json_decref(header);
  return code;
}

static int find_entry(const struct entry *entries, size_t count, const char *name,
                      struct fed_tensor *tensor, uint64_t *offset) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(entries[i].tensor.name, name) != 0) continue;
    *tensor = entries[i].tensor;
    tensor->name = NULL; /* the header's */
    *offset = entries[i].begin;
    return FED_OK;
  }
  return FED_RAISE(FED_E_MISSING, "safetensors: expected a tensor '%s', found none of that name",
                   name);
}

int fed__safetensors_locate(const struct fed_context *context, struct fed_slice start,
                            uint64_t file_size, const char *name, struct fed_tensor *tensor,
                            uint64_t *offset) {
  json_t *header = NULL;
  struct entry *entries = NULL;
  size_t count = 0, data_at = 0;
  int code;
  *offset = 0;
  FED_TRY_GOTO(code, done, parse_header(start, file_size, &header, &data_at));
  entries = fed__zalloc(context, json_object_size(header), sizeof *entries);
  code = entries ? collect_entries(header, file_size - data_at, entries, &count) : FED_E_MEMORY;
  if (code == FED_OK) code = find_entry(entries, count, name, tensor, offset);
  *offset += data_at;
done:
  fed__free(context, entries);
  json_decref(header);
  return code;
}

/* Takes `value`. A name or text that is not UTF-8 cannot be put. */
static int put_value(json_t *object, const char *name, json_t *value) {
  if (json_object_set_new(object, name, value) == 0) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "safetensors: '%s' cannot be written: not UTF-8, or out of memory",
                   name);
}

static int put_notes(json_t *header, const struct fed_safetensors_note *notes, size_t note_count) {
  if (note_count == 0) return FED_OK;
  FED_TRY(put_value(header, "__metadata__", json_object()));
  json_t *object = json_object_get(header, "__metadata__");
  for (size_t i = 0; i < note_count; i++)
    FED_TRY(put_value(object, notes[i].key, json_string(notes[i].value)));
  return FED_OK;
}

static int put_tensor(json_t *header, const struct fed_tensor *tensor, json_int_t begin,
                      json_int_t end) {
  json_t *dims = json_array();
  if (strcmp(tensor->name, "__metadata__") == 0) {
    json_decref(dims);
    return FED_RAISE(FED_E_INPUT, "safetensors: no tensor can be named '__metadata__'");
  }
  for (uint32_t d = 0; d < tensor->shape.rank; d++)
    json_array_append_new(dims, json_integer(tensor->shape.dims[d]));
  json_t *value = json_pack("{s:s, s:o, s:[I, I]}", "dtype", fed_dtype_name(tensor->dtype), "shape",
                            dims, "data_offsets", begin, end);
  if (json_array_size(json_object_get(value, "shape")) == tensor->shape.rank)
    return put_value(header, tensor->name, value);
  json_decref(value);
  return FED_RAISE(FED_E_MEMORY, "out of memory while writing safetensors");
}

static int put_all(json_t *header, const struct fed_params *params,
                   const struct fed_safetensors_note *notes, size_t note_count) {
  json_int_t at = 0;
  FED_TRY(put_notes(header, notes, note_count));
  for (size_t i = 0; i < params->count; i++) {
    const json_int_t end = at + (json_int_t)fed_tensor_bytes(&params->tensors[i]);
    FED_TRY(put_tensor(header, &params->tensors[i], at, end));
    at = end;
  }
  return FED_OK;
}

static int append_header(const char *text, struct fed_buffer *out) {
  static const char padding[] = "       ";
  const size_t size = strlen(text), padded = (size + 7) / 8 * 8;
  uint8_t prefix[8];
  for (int i = 0; i < 8; i++) prefix[i] = (uint8_t)((uint64_t)padded >> (8 * i));
  FED_TRY(fed_buffer_append(out, prefix, sizeof prefix));
  FED_TRY(fed_buffer_append(out, text, size));
  return fed_buffer_append(out, padding, padded - size);
}

static int append_file(const char *header, const struct fed_params *params,
                       struct fed_buffer *out) {
  FED_TRY(append_header(header, out));
  for (size_t i = 0; i < params->count; i++)
    FED_TRY(fed_buffer_append(out, params->tensors[i].data, fed_tensor_bytes(&params->tensors[i])));
  return FED_OK;
}

int fed_safetensors_encode(const struct fed_params *params,
                           const struct fed_safetensors_note *notes, size_t note_count,
                           struct fed_buffer *out) {
  const size_t start = out->size;
  json_t *header = json_object();
  char *text = NULL;
  int code = put_all(header, params, notes, note_count);
  if (code == FED_OK) {
    text = json_dumps(header, JSON_COMPACT);
    code = text ? append_file(text, params, out)
                : FED_RAISE(FED_E_MEMORY, "out of memory while writing safetensors");
  }
  if (code != FED_OK) out->size = start;
  free(text); /* jansson's */
  json_decref(header);
  return code;
}
