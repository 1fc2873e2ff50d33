/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_wire.c: any bytes as a message; the first byte chooses the type. What decodes can be
 * encoded, and those bytes decode and encode to themselves.
 */
#include "fuzz_target.h"

#include "wire/wire.h"

/* The order is part of the corpus: add at the end. */
static const ProtobufCMessageDescriptor *const types[] = {
    &fed__failure__descriptor,        &fed__enrol_request__descriptor,
    &fed__enrol_reply__descriptor,    &fed__check_in__descriptor,
    &fed__check_in_reply__descriptor, &fed__update_header__descriptor,
    &fed__receipt__descriptor,        &fed__task_failure__descriptor,
    &fed__job_submission__descriptor, &fed__job_accepted__descriptor,
    &fed__approval__descriptor,
};

static void check_round_trip(const struct fed_context *context, const ProtobufCMessage *message) {
  struct fed_buffer first, second;
  ProtobufCMessage *again;
  fed_buffer_init(&first, context, SIZE_MAX);
  fed_buffer_init(&second, context, SIZE_MAX);
  HOLDS(fed__wire_encode(message, &first) == FED_OK);
  HOLDS(fed__wire_decode(context, message->descriptor, fed_buffer_slice(&first), &again) == FED_OK);
  HOLDS(fed__wire_encode(again, &second) == FED_OK);
  HOLDS(fuzz_equal(fed_buffer_slice(&first), fed_buffer_slice(&second)));
  fed__wire_free(context, again);
  fed_buffer_clear(&second);
  fed_buffer_clear(&first);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  ProtobufCMessage *message;
  if (!size) return 0;
  const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof types[0])];
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 512 * size);
  const int code =
      fed__wire_decode(&memory.context, type, fed_slice_of(data + 1, size - 1), &message);
  HOLDS(!memory.exceeded);
  if (code == FED_OK) check_round_trip(&memory.context, message);
  fed__wire_free(&memory.context, message);
  fuzz_memory_end(&memory);
  return 0;
}
