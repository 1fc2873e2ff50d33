/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h: the messages of fed.proto as bytes. Decoding is bounded (in the size of the message and
 * in the memory it may take) and then checked field by field: a message that comes out of here
 * has strings of sane length in UTF-8, hashes of 32 bytes, finite numbers.
 *
 * Decoded messages are freed with fed__wire_free. Threads: none of this keeps state.
 */
#ifndef FED_WIRE_H
#define FED_WIRE_H

#include "fed.pb-c.h"
#include "fed/buffer.h"

#define FED__PROTOCOL_VERSION 1u
#define FED__MESSAGE_BYTES_MAX ((size_t)64 << 10) /* of every message but a job submission */
#define FED__SUBMISSION_BYTES_MAX ((size_t)512 << 20)
#define FED__HEADER_BYTES_MAX ((size_t)4 << 10) /* of an update's header */
#define FED__APPROVAL_BYTES_MAX ((size_t)32 << 10)
#define FED__NAME_MAX 64
#define FED__HASH_BYTES 32
#define FED__NONCE_BYTES 16

/* Append the message's bytes. */
FED_MUST int fed__wire_encode(const ProtobufCMessage *message, struct fed_buffer *out);

/* Decode and check one message of the type of `descriptor`. FED_E_TOO_LARGE, FED_E_SYNTAX,
 * FED_E_RANGE (a field's length or value), FED_E_NOT_FINITE, FED_E_MEMORY. */
FED_MUST int fed__wire_decode(const struct fed_context *context,
                              const ProtobufCMessageDescriptor *descriptor, struct fed_slice bytes,
                              ProtobufCMessage **message);
void fed__wire_free(const struct fed_context *context, void *message);

int fed__wire_is_utf8(const char *text);

/* FED_E_VERSION unless `protocol` is the one that this build speaks. */
FED_MUST int fed__wire_check_protocol(uint32_t protocol);

/* An update: header and elements. Encoding appends; decoding gives a view of the elements, and
 * checks that there are as many as the header says. */
FED_MUST int fed__update_encode(const Fed__UpdateHeader *header, struct fed_slice grid,
                                struct fed_buffer *out);
FED_MUST int fed__update_decode(const struct fed_context *context, struct fed_slice body,
                                Fed__UpdateHeader **header, struct fed_slice *grid);

static inline struct fed_slice fed__wire_slice(ProtobufCBinaryData bytes) {
  return fed_slice_of(bytes.data, bytes.len);
}

#endif
