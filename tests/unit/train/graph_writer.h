/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_writer.h: small ONNX files for the tests, written field by field (protobuf's wire format
 * and the field numbers of onnx.proto), so that broken ones can be written, too.
 */
#ifndef FED_TESTS_GRAPH_WRITER_H
#define FED_TESTS_GRAPH_WRITER_H

#include "fed/buffer.h"

#include <stdlib.h>

struct graph_writer {
  struct fed_context context;
  struct fed_buffer graph, attributes, metadata, file;
  uint64_t opset;
};

static inline void must(int code) {
  if (code != FED_OK) fail_msg("%s", fed_error_last()->message);
}

static inline void put_varint(struct fed_buffer *out, uint64_t value) {
  do {
    const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    must(fed_buffer_append(out, &byte, 1));
    value >>= 7;
  } while (value);
}

static inline void put_number(struct fed_buffer *out, unsigned field, uint64_t value) {
  put_varint(out, field << 3);
  put_varint(out, value);
}

static inline void put_bytes(struct fed_buffer *out, unsigned field, const void *data,
                             size_t size) {
  put_varint(out, field << 3 | 2);
  put_varint(out, size);
  must(fed_buffer_append(out, data, size));
}

static inline void put_text(struct fed_buffer *out, unsigned field, const char *text) {
  put_bytes(out, field, text, strlen(text));
}

/* Append the message in `part` as a field and empty it. */
static inline void put_part(struct fed_buffer *out, unsigned field, struct fed_buffer *part) {
  put_bytes(out, field, part->data, part->size);
  fed_buffer_clear(part);
}

static inline void writer_init(struct graph_writer *writer) {
  fed_context_init(&writer->context);
  fed_buffer_init(&writer->graph, &writer->context, 1 << 24);
  fed_buffer_init(&writer->attributes, &writer->context, 1 << 20);
  fed_buffer_init(&writer->metadata, &writer->context, 1 << 20);
  fed_buffer_init(&writer->file, &writer->context, 1 << 24);
  writer->opset = 17;
}

static inline void writer_clear(struct graph_writer *writer) {
  fed_buffer_clear(&writer->graph);
  fed_buffer_clear(&writer->attributes);
  fed_buffer_clear(&writer->metadata);
  fed_buffer_clear(&writer->file);
}

/* An input or output of shape [batch, dims…]; ONNX type 1 is float, 7 is int64. */
static inline void writer_value(struct graph_writer *writer, unsigned field, const char *name,
                                unsigned onnx_type, size_t rank, const int64_t *dims) {
  struct fed_buffer dim, shape, tensor, type, info;
  struct fed_buffer *all[] = {&dim, &shape, &tensor, &type, &info};
  for (size_t i = 0; i < 5; i++) fed_buffer_init(all[i], &writer->context, 1 << 16);
  put_text(&dim, 2, "batch");
  put_part(&shape, 1, &dim);
  for (size_t i = 0; i < rank; i++) {
    put_number(&dim, 1, (uint64_t)dims[i]);
    put_part(&shape, 1, &dim);
  }
  put_number(&tensor, 1, onnx_type);
  put_part(&tensor, 2, &shape);
  put_part(&type, 1, &tensor);
  put_text(&info, 1, name);
  put_part(&info, 2, &type);
  put_part(&writer->graph, field, &info);
}

static inline void writer_input(struct graph_writer *writer, const char *name, size_t rank,
                                const int64_t *dims) {
  writer_value(writer, 11, name, 1, rank, dims);
}

static inline void writer_output(struct graph_writer *writer, const char *name) {
  struct fed_buffer info;
  fed_buffer_init(&info, &writer->context, 1 << 16);
  put_text(&info, 1, name);
  put_part(&writer->graph, 12, &info);
}

static inline void writer_tensor(struct graph_writer *writer, const char *name, unsigned onnx_type,
                                 size_t rank, const int64_t *dims, const void *data, size_t size) {
  struct fed_buffer tensor;
  fed_buffer_init(&tensor, &writer->context, 1 << 22);
  for (size_t i = 0; i < rank; i++) put_number(&tensor, 1, (uint64_t)dims[i]);
  put_number(&tensor, 2, onnx_type);
  put_text(&tensor, 8, name);
  put_bytes(&tensor, 9, data, size);
  put_part(&writer->graph, 5, &tensor);
}

static inline void writer_floats(struct graph_writer *writer, const char *name, size_t rank,
                                 const int64_t *dims, const float *values) {
  size_t count = 1;
  for (size_t i = 0; i < rank; i++) count *= (size_t)dims[i];
  writer_tensor(writer, name, 1, rank, dims, values, count * sizeof *values);
}

static inline void writer_ints(struct graph_writer *writer, const char *name, size_t count,
                               const int64_t *values) {
  const int64_t dim = (int64_t)count;
  writer_tensor(writer, name, 7, 1, &dim, values, count * sizeof *values);
}

/* Attributes of the node that is written next. */
static inline void writer_attribute(struct graph_writer *writer, struct fed_buffer *attribute,
                                    const char *name, unsigned type) {
  put_text(attribute, 1, name);
  put_number(attribute, 20, type);
  put_part(&writer->attributes, 5, attribute);
}

static inline void writer_ints_attribute(struct graph_writer *writer, const char *name,
                                         size_t count, const int64_t *values) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  for (size_t i = 0; i < count; i++) put_number(&attribute, 8, (uint64_t)values[i]);
  writer_attribute(writer, &attribute, name, 7);
}

static inline void writer_int_attribute(struct graph_writer *writer, const char *name,
                                        int64_t value) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  put_number(&attribute, 3, (uint64_t)value);
  writer_attribute(writer, &attribute, name, 2);
}

static inline void writer_float_attribute(struct graph_writer *writer, const char *name,
                                          float value) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  put_varint(&attribute, 2 << 3 | 5);
  must(fed_buffer_append(&attribute, &value, sizeof value));
  writer_attribute(writer, &attribute, name, 1);
}

static inline void writer_text_attribute(struct graph_writer *writer, const char *name,
                                         const char *value) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  put_text(&attribute, 4, value);
  writer_attribute(writer, &attribute, name, 3);
}

static inline void writer_floats_attribute(struct graph_writer *writer, const char *name,
                                           size_t count, const float *values) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  for (size_t i = 0; i < count; i++) {
    put_varint(&attribute, 7 << 3 | 5);
    must(fed_buffer_append(&attribute, &values[i], sizeof values[i]));
  }
  writer_attribute(writer, &attribute, name, 6);
}

static inline void writer_texts_attribute(struct graph_writer *writer, const char *name,
                                          size_t count, const char *const *values) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  for (size_t i = 0; i < count; i++) put_text(&attribute, 9, values[i]);
  writer_attribute(writer, &attribute, name, 8);
}

static inline void put_names(struct fed_buffer *out, unsigned field, const char *names) {
  while (*names) {
    const size_t length = strcspn(names, ",");
    put_bytes(out, field, names, length);
    names += length + (names[length] == ',');
  }
}

/* A node with the attributes written since the last one; names are separated by commas. */
static inline void writer_node(struct graph_writer *writer, const char *type, const char *inputs,
                               const char *outputs) {
  struct fed_buffer node;
  char name[64];
  fed_buffer_init(&node, &writer->context, 1 << 20);
  put_names(&node, 1, inputs);
  put_names(&node, 2, outputs);
  snprintf(name, sizeof name, "node_%s", outputs);
  put_text(&node, 3, name);
  put_text(&node, 4, type);
  must(fed_buffer_append(&node, writer->attributes.data, writer->attributes.size));
  fed_buffer_clear(&writer->attributes);
  put_part(&writer->graph, 1, &node);
}

/* The metadata entry fed.trainable. */
static inline void writer_trainable(struct graph_writer *writer, const char *names) {
  struct fed_buffer entry;
  fed_buffer_init(&entry, &writer->context, 1 << 16);
  put_text(&entry, 1, "fed.trainable");
  put_text(&entry, 2, names);
  put_part(&writer->metadata, 14, &entry);
}

/* The whole file, in writer->file. */
static inline struct fed_slice writer_finish(struct graph_writer *writer) {
  struct fed_buffer opset;
  fed_buffer_init(&opset, &writer->context, 64);
  put_number(&opset, 2, writer->opset);
  put_number(&writer->file, 1, 8);
  put_part(&writer->file, 8, &opset);
  must(fed_buffer_append(&writer->file, writer->metadata.data, writer->metadata.size));
  put_bytes(&writer->file, 7, writer->graph.data, writer->graph.size);
  return fed_buffer_slice(&writer->file);
}

#endif
