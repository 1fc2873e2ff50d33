/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_scan.c: a look at a protobuf file before the decoder sees it. The decoder recurses along
 * nested messages (ONNX's graphs contain nodes that contain graphs …) and merges a message given
 * twice by copying; both are harmless in real files, and neither may be a hostile file's lever.
 * One pass over the bytes, no allocation; recursion is bounded by DEPTH_MAX.
 */
#include "base/raise.h"
#include "train/graph.h"

#define DEPTH_MAX 16 /* a plain model's deepest path has 7 levels */
#define MESSAGES_MAX 4000000
#define FILE_BYTES_MAX ((size_t)INT32_MAX) /* protobuf's own limit */

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static int read_varint(struct fed_slice *in, uint64_t *value) {
  *value = 0;
  for (unsigned i = 0; i < 10; i++) {
    if (i == in->size)
      return FED_RAISE(FED_E_TRUNCATED, "the ONNX file ends in the middle of a number");
    *value |= (uint64_t)(in->data[i] & 0x7f) << (7 * i);
    if (!(in->data[i] & 0x80)) {
      *in = fed_slice_of(in->data + i + 1, in->size - i - 1);
      return FED_OK;
    }
  }
  return FED_RAISE(FED_E_SYNTAX, "not an ONNX file: a number is longer than 10 bytes");
}

static int take_bytes(struct fed_slice *in, uint64_t size, struct fed_slice *taken) {
  if (size > in->size)
    return FED_RAISE(FED_E_TRUNCATED,
                     "the ONNX file ends too early: a field of %llu bytes has "
                     "only %zu",
                     (unsigned long long)size, in->size);
  *taken = fed_slice_of(in->data, (size_t)size);
  *in = fed_slice_of(in->data + size, in->size - (size_t)size);
  return FED_OK;
}

static int take_payload(struct fed_slice *in, unsigned wire, struct fed_slice *payload) {
  uint64_t size = 0;
  switch (wire) {
  case WIRE_VARINT:
    *payload = fed_slice_of(NULL, 0);
    return read_varint(in, &size);
  case WIRE_FIXED64:
    return take_bytes(in, 8, payload);
  case WIRE_FIXED32:
    return take_bytes(in, 4, payload);
  case WIRE_BYTES:
    FED_TRY(read_varint(in, &size));
    return take_bytes(in, size, payload);
  default:
    return FED_RAISE(FED_E_SYNTAX, "not an ONNX file: unknown protobuf wire type %u", wire);
  }
}

/* A field that holds one message may come once. */
static int check_single(const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field, uint64_t *seen) {
  const uint64_t bit = UINT64_C(1) << ((size_t)(field - type->fields) % 64);
  if (field->label != PROTOBUF_C_LABEL_REPEATED && (*seen & bit))
    return FED_RAISE(FED_E_SYNTAX, "field '%s' of %s is given twice", field->name, type->name);
  *seen |= bit;
  return FED_OK;
}

static int scan_message(const ProtobufCMessageDescriptor *type, struct fed_slice bytes,
                        unsigned depth, size_t *messages) {
  uint64_t tag, seen = 0;
  if (depth > DEPTH_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the ONNX file nests messages deeper than %d", DEPTH_MAX);
  if (++*messages > MESSAGES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the ONNX file has more than %d parts", MESSAGES_MAX);
  while (bytes.size) {
    struct fed_slice payload;
    FED_TRY(read_varint(&bytes, &tag));
    FED_TRY(take_payload(&bytes, tag & 7, &payload));
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    if ((tag & 7) != WIRE_BYTES || !field || field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
    FED_TRY(check_single(type, field, &seen));
    FED_TRY(scan_message(field->descriptor, payload, depth + 1, messages));
  }
  return FED_OK;
}

int fed__onnx_scan(const ProtobufCMessageDescriptor *type, struct fed_slice bytes) {
  size_t messages = 0;
  if (bytes.size > FILE_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "the ONNX file has %zu bytes, at most %zu are possible",
                     bytes.size, FILE_BYTES_MAX);
  return scan_message(type, bytes, 0, &messages);
}
