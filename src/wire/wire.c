/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.c: encodes, decodes and checks the protobuf messages. The checks are one table, a row a
 * field that needs more than being well-formed, applied to a message and to those inside it.
 */
#include "wire/wire.h"
#include "base/memory.h"
#include "base/raise.h"

#include <math.h>

#define TEXT_MAX 1024
#define CERTIFICATE_MAX 16384
#define SIGNATURE_BYTES 64
#define LIST_MAX 64

/* protobuf-c allocates through this; what a message may take in memory is bounded. */
struct bounded_allocator {
  ProtobufCAllocator base;
  const struct fed_context *context;
  size_t bytes_left;
  int code; /* why it failed */
};

static void *bounded_alloc(void *data, size_t size) {
  struct bounded_allocator *self = data;
  if (size > self->bytes_left) {
    self->code = FED_RAISE(FED_E_TOO_LARGE, "a message that takes too much memory");
    return NULL;
  }
  self->bytes_left -= size;
  void *pointer = fed__alloc(self->context, size);
  if (!pointer) self->code = FED_E_MEMORY;
  return pointer;
}

static void bounded_free(void *data, void *pointer) {
  struct bounded_allocator *self = data;
  fed__free(self->context, pointer);
}

static struct bounded_allocator make_allocator(const struct fed_context *context, size_t bytes) {
  return (struct bounded_allocator){{bounded_alloc, bounded_free, NULL}, context, bytes, FED_OK};
}

int fed__wire_encode(const ProtobufCMessage *message, struct fed_buffer *out) {
  const size_t size = protobuf_c_message_get_packed_size(message);
  FED_TRY(fed_buffer_reserve(out, size));
  protobuf_c_message_pack(message, out->data + out->size);
  out->size += size;
  return FED_OK;
}

/* Fields with a fixed or special length; text is otherwise at most TEXT_MAX bytes and other
 * bytes fields are as long as the whole message may be. */
static const struct {
  const ProtobufCMessageDescriptor *message;
  const char *field;
  size_t size_min, size_max;
} length_rules[] = {
    {&fed__enrol_request__descriptor, "secret", FED__HASH_BYTES, FED__HASH_BYTES},
    {&fed__enrol_request__descriptor, "request", 1, CERTIFICATE_MAX},
    {&fed__enrol_reply__descriptor, "name", 1, FED__NAME_MAX},
    {&fed__enrol_reply__descriptor, "certificate", 1, CERTIFICATE_MAX},
    {&fed__dataset__descriptor, "name", 1, FED__NAME_MAX},
    {&fed__refusal__descriptor, "job", 1, FED__NAME_MAX},
    {&fed__task__descriptor, "job", 1, FED__NAME_MAX},
    {&fed__task__descriptor, "plan", FED__HASH_BYTES, FED__HASH_BYTES},
    {&fed__task__descriptor, "graph", FED__HASH_BYTES, FED__HASH_BYTES},
    {&fed__task__descriptor, "parameters", FED__HASH_BYTES, FED__HASH_BYTES},
    {&fed__task__descriptor, "nonce", FED__NONCE_BYTES, FED__NONCE_BYTES},
    {&fed__task__descriptor, "approval", FED__HASH_BYTES, FED__HASH_BYTES},
    {&fed__task__descriptor, "server_state", 0, FED__HASH_BYTES},
    {&fed__task_failure__descriptor, "job", 1, FED__NAME_MAX},
    {&fed__task_failure__descriptor, "nonce", FED__NONCE_BYTES, FED__NONCE_BYTES},
    {&fed__update_header__descriptor, "nonce", FED__NONCE_BYTES, FED__NONCE_BYTES},
    {&fed__approval__descriptor, "certificate", 1, CERTIFICATE_MAX},
    {&fed__approval__descriptor, "signature", SIGNATURE_BYTES, SIGNATURE_BYTES},
    {&fed__job_submission__descriptor, "plan", 1, (size_t)1 << 20},
    {&fed__job_submission__descriptor, "graph", 1, FED__SUBMISSION_BYTES_MAX},
    {&fed__job_submission__descriptor, "approval", 1, FED__APPROVAL_BYTES_MAX},
    {&fed__job_accepted__descriptor, "job", 1, FED__NAME_MAX},
};

static int check_length(const ProtobufCMessageDescriptor *descriptor,
                        const ProtobufCFieldDescriptor *field, size_t size) {
  size_t size_min = 0, size_max = field->type == PROTOBUF_C_TYPE_STRING ? TEXT_MAX : SIZE_MAX;
  for (size_t i = 0; i < sizeof length_rules / sizeof length_rules[0]; i++)
    if (length_rules[i].message == descriptor && strcmp(length_rules[i].field, field->name) == 0) {
      size_min = length_rules[i].size_min;
      size_max = length_rules[i].size_max;
    }
  if (size >= size_min && size <= size_max) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "%s.%s: expected %zu to %zu bytes, found %zu", descriptor->name,
                   field->name, size_min, size_max, size);
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
int fed__wire_is_utf8(const char *text) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    const int more = *at < 0x80       ? 0
                     : *at >> 5 == 6  ? 1
                     : *at >> 4 == 14 ? 2
                     : *at >> 3 == 30 ? 3
                                      : -1;
    if (more < 0) return 0;
    uint32_t point = more ? *at & (0x3Fu >> more) : *at;
    for (int i = 0; i < more; i++) {
      if (*++at >> 6 != 2) return 0; /* also the end of the text */
      point = point << 6 | (*at & 0x3Fu);
    }
    if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return 0;
  }
  return 1;
}

static int check_message(const ProtobufCMessage *message, int depth);

static int check_value(const ProtobufCMessageDescriptor *descriptor,
                       const ProtobufCFieldDescriptor *field, const void *value, int depth) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_STRING:
    if (!fed__wire_is_utf8(*(char *const *)value))
      return FED_RAISE(FED_E_SYNTAX, "%s.%s: not UTF-8", descriptor->name, field->name);
    return check_length(descriptor, field, strlen(*(char *const *)value));
  case PROTOBUF_C_TYPE_BYTES:
    return check_length(descriptor, field, ((const ProtobufCBinaryData *)value)->len);
  case PROTOBUF_C_TYPE_DOUBLE:
    if (isfinite(*(const double *)value)) return FED_OK;
    return FED_RAISE(FED_E_NOT_FINITE, "%s.%s: expected a finite number", descriptor->name,
                     field->name);
  case PROTOBUF_C_TYPE_MESSAGE: {
    const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
    return inner ? check_message(inner, depth + 1) : FED_OK;
  }
  default:
    return FED_OK;
  }
}

static int check_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       int depth) {
  const char *base = (const char *)message;
  const char *value = base + field->offset;
  if (field->label != PROTOBUF_C_LABEL_REPEATED)
    return check_value(message->descriptor, field, value, depth);
  const size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
  if (count > LIST_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%s.%s: %zu entries, at most %d are read",
                     message->descriptor->name, field->name, count, LIST_MAX);
  void *const *items = *(void *const *const *)(const void *)value;
  for (size_t i = 0; i < count; i++)
    FED_TRY(check_value(message->descriptor, field, &items[i], depth));
  return FED_OK;
}

/* Fields of newer versions are kept; but protobuf-c also keeps a field number 0 in a long form,
 * which no message has and which it could not read again. */
static int check_unknown(const ProtobufCMessage *message) {
  for (unsigned i = 0; i < message->n_unknown_fields; i++)
    if (message->unknown_fields[i].tag == 0)
      return FED_RAISE(FED_E_SYNTAX, "%s: a field of number 0", message->descriptor->name);
  return FED_OK;
}

static int check_message(const ProtobufCMessage *message, int depth) {
  if (depth > 4) return FED_RAISE(FED_E_SYNTAX, "messages nested too deeply");
  FED_TRY(check_unknown(message));
  for (unsigned i = 0; i < message->descriptor->n_fields; i++)
    FED_TRY(check_field(message, &message->descriptor->fields[i], depth));
  return FED_OK;
}

static size_t message_bytes_max(const ProtobufCMessageDescriptor *descriptor) {
  if (descriptor == &fed__job_submission__descriptor) return FED__SUBMISSION_BYTES_MAX;
  if (descriptor == &fed__update_header__descriptor) return FED__HEADER_BYTES_MAX;
  if (descriptor == &fed__approval__descriptor) return FED__APPROVAL_BYTES_MAX;
  return FED__MESSAGE_BYTES_MAX;
}

int fed__wire_decode(const struct fed_context *context,
                     const ProtobufCMessageDescriptor *descriptor, struct fed_slice bytes,
                     ProtobufCMessage **message) {
  const size_t size_max = message_bytes_max(descriptor);
  *message = NULL;
  if (bytes.size > size_max)
    return FED_RAISE(FED_E_TOO_LARGE, "%s: %zu bytes, at most %zu are read", descriptor->name,
                     bytes.size, size_max);
  struct bounded_allocator allocator = make_allocator(context, size_max * 4);
  allocator.base.allocator_data = &allocator;
  *message = protobuf_c_message_unpack(descriptor, &allocator.base, bytes.size, bytes.data);
  if (!*message && allocator.code != FED_OK) return allocator.code;
  if (!*message)
    return FED_RAISE(FED_E_SYNTAX, "%s: %zu bytes that are not such a message", descriptor->name,
                     bytes.size);
  int code = check_message(*message, 0);
  if (code == FED_OK) return FED_OK;
  fed__wire_free(context, *message);
  *message = NULL;
  return code;
}

void fed__wire_free(const struct fed_context *context, void *message) {
  if (!message) return;
  struct bounded_allocator allocator = make_allocator(context, 0);
  allocator.base.allocator_data = &allocator;
  protobuf_c_message_free_unpacked(message, &allocator.base);
}

int fed__wire_check_protocol(uint32_t protocol) {
  if (protocol == FED__PROTOCOL_VERSION) return FED_OK;
  return FED_RAISE(FED_E_VERSION, "protocol version %u came, this server speaks %u: update the %s",
                   protocol, FED__PROTOCOL_VERSION,
                   protocol < FED__PROTOCOL_VERSION ? "agent" : "server");
}
