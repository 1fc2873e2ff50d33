/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_writer.h: small ONNX files for the tests, written field by field (protobuf's wire format
 * and the field numbers of onnx.proto), so that broken ones can be written, too.
 */
#ifndef FED_TESTS_GRAPH_WRITER_H
#define FED_TESTS_GRAPH_WRITER_H

#include "fed/buffer.h"

#include <stdio.h>
#include <stdlib.h>

struct graph_writer {
  struct fed_context context;
  struct fed_buffer graph, attributes, metadata, file;
  struct fed_buffer body, functions; /* the nodes of a function; functions that are finished */
  const char *domain;                /* of the nodes to come; NULL: ONNX's own */
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
  fed_buffer_init(&writer->body, &writer->context, 1 << 24);
  fed_buffer_init(&writer->functions, &writer->context, 1 << 24);
  writer->domain = NULL;
  writer->opset = 17;
}

static inline void writer_clear(struct graph_writer *writer) {
  fed_buffer_clear(&writer->graph);
  fed_buffer_clear(&writer->attributes);
  fed_buffer_clear(&writer->metadata);
  fed_buffer_clear(&writer->file);
  fed_buffer_clear(&writer->body);
  fed_buffer_clear(&writer->functions);
}

/* An input or output with a shape that was written dimension by dimension. */
static inline void writer_shaped(struct graph_writer *writer, unsigned field, const char *name,
                                 unsigned onnx_type, struct fed_buffer *shape) {
  struct fed_buffer tensor, type, info;
  struct fed_buffer *all[] = {&tensor, &type, &info};
  for (size_t i = 0; i < 3; i++) fed_buffer_init(all[i], &writer->context, 1 << 16);
  put_number(&tensor, 1, onnx_type);
  put_part(&tensor, 2, shape);
  put_part(&type, 1, &tensor);
  put_text(&info, 1, name);
  put_part(&info, 2, &type);
  put_part(&writer->graph, field, &info);
}

/* One of shape [batch, dims…]; ONNX type 1 is float, 7 is int64. */
static inline void writer_value(struct graph_writer *writer, unsigned field, const char *name,
                                unsigned onnx_type, size_t rank, const int64_t *dims) {
  struct fed_buffer dim, shape;
  fed_buffer_init(&dim, &writer->context, 1 << 16);
  fed_buffer_init(&shape, &writer->context, 1 << 16);
  put_text(&dim, 2, "batch");
  put_part(&shape, 1, &dim);
  for (size_t i = 0; i < rank; i++) {
    put_number(&dim, 1, (uint64_t)dims[i]);
    put_part(&shape, 1, &dim);
  }
  writer_shaped(writer, field, name, onnx_type, &shape);
}

/* An input whose dimensions are names or numbers, with commas between; "?" is neither. */
static inline void writer_symbolic(struct graph_writer *writer, const char *name,
                                   unsigned onnx_type, const char *dims) {
  struct fed_buffer dim, shape;
  fed_buffer_init(&dim, &writer->context, 1 << 16);
  fed_buffer_init(&shape, &writer->context, 1 << 16);
  while (*dims) {
    const size_t length = strcspn(dims, ",");
    if (*dims >= '0' && *dims <= '9')
      put_number(&dim, 1, strtoull(dims, NULL, 10));
    else if (*dims != '?')
      put_bytes(&dim, 2, dims, length);
    put_part(&shape, 1, &dim);
    dims += length + (dims[length] == ',');
  }
  writer_shaped(writer, 11, name, onnx_type, &shape);
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

static inline void put_node(struct graph_writer *writer, struct fed_buffer *out, unsigned field,
                            const char *type, const char *inputs, const char *outputs) {
  struct fed_buffer node;
  char name[128];
  fed_buffer_init(&node, &writer->context, 1 << 20);
  put_names(&node, 1, inputs);
  put_names(&node, 2, outputs);
  snprintf(name, sizeof name, "node_%s", outputs);
  put_text(&node, 3, name);
  put_text(&node, 4, type);
  if (writer->domain) put_text(&node, 7, writer->domain);
  must(fed_buffer_append(&node, writer->attributes.data, writer->attributes.size));
  fed_buffer_clear(&writer->attributes);
  put_part(out, field, &node);
}

/* A node with the attributes written since the last one; names are separated by commas. */
static inline void writer_node(struct graph_writer *writer, const char *type, const char *inputs,
                               const char *outputs) {
  put_node(writer, &writer->graph, 1, type, inputs, outputs);
}

/* The same in a function, which writer_function finishes. */
static inline void writer_body(struct graph_writer *writer, const char *type, const char *inputs,
                               const char *outputs) {
  put_node(writer, &writer->body, 7, type, inputs, outputs);
}

/* An attribute of the next node that stands for one of its function's. */
static inline void writer_reference(struct graph_writer *writer, const char *name,
                                    const char *reference, unsigned type) {
  struct fed_buffer attribute;
  fed_buffer_init(&attribute, &writer->context, 1 << 16);
  put_text(&attribute, 21, reference);
  writer_attribute(writer, &attribute, name, type);
}

/* A function of the domain "local" with the nodes written to its body. Attributes written since
 * the last node are its attributes' defaults. */
static inline void writer_function(struct graph_writer *writer, const char *name,
                                   const char *inputs, const char *outputs,
                                   const char *attributes) {
  struct fed_buffer function, opset;
  fed_buffer_init(&function, &writer->context, 1 << 24);
  fed_buffer_init(&opset, &writer->context, 1 << 10);
  put_text(&function, 1, name);
  put_names(&function, 4, inputs);
  put_names(&function, 5, outputs);
  put_names(&function, 6, attributes);
  must(fed_buffer_append(&function, writer->body.data, writer->body.size));
  fed_buffer_clear(&writer->body);
  put_number(&opset, 2, writer->opset);
  put_part(&function, 9, &opset);
  put_text(&function, 10, "local");
  /* Defaults are fields 11 here, where nodes have their attributes as fields 5: one tag byte. */
  for (size_t i = 0; i < writer->attributes.size; i += 2 + writer->attributes.data[i + 1]) {
    assert_true(writer->attributes.data[i] == (5 << 3 | 2));
    assert_true(writer->attributes.data[i + 1] < 128);
    writer->attributes.data[i] = 11 << 3 | 2;
  }
  must(fed_buffer_append(&function, writer->attributes.data, writer->attributes.size));
  fed_buffer_clear(&writer->attributes);
  put_part(&writer->functions, 25, &function);
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
  must(fed_buffer_append(&writer->file, writer->functions.data, writer->functions.size));
  return fed_buffer_slice(&writer->file);
}

#endif
