/* SPDX-License-Identifier: Apache-2.0
 *
 * function_default.c: defaults of a function's attributes (FunctionProto.attribute_proto, field
 * 11, of ONNX 1.13). Debian's schema is older, so that the decoder keeps the field as bytes; those
 * are decoded here, once, for calls that leave the attribute out.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/flat_graph.h"

#define FIELD_ATTRIBUTE_PROTO 11

/* The message's bytes behind their length. */
static int payload_of(const ProtobufCMessageUnknownField *field, struct fed_slice *payload) {
  size_t at = 0;
  while (at < field->len && at < 9 && (field->data[at] & 0x80)) at++;
  if (field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || at >= field->len)
    return FED_RAISE(FED_E_SYNTAX, "a default of a function's attribute is no message");
  *payload = fed_slice_of(field->data + at + 1, field->len - at - 1);
  return FED_OK;
}

/* The decoded message stays with the model. */
static int decode(struct fed_model *model, const Onnx__FunctionProto *function,
                  struct fed_slice bytes) {
  struct fed__function_default *decoded = fed__model_alloc(model, 1, sizeof *decoded);
  if (!decoded) return FED_E_MEMORY;
  FED_TRY(fed__onnx_scan(&onnx__attribute_proto__descriptor, bytes));
  decoded->function = function;
  decoded->attribute =
      onnx__attribute_proto__unpack(&model->memory.allocator, bytes.size, bytes.data);
  if (model->memory.exhausted)
    return FED_RAISE(FED_E_MEMORY, "out of memory decoding the ONNX file");
  if (!decoded->attribute)
    return FED_RAISE(FED_E_SYNTAX, "a default of a function's attribute is no attribute");
  decoded->next = model->defaults;
  model->defaults = decoded;
  return FED_OK;
}

int fed__function_defaults_decode(struct fed_model *model, const Onnx__FunctionProto *function) {
  for (unsigned i = 0; i < function->base.n_unknown_fields; i++) {
    struct fed_slice payload = {0};
    if (function->base.unknown_fields[i].tag != FIELD_ATTRIBUTE_PROTO) continue;
    FED_TRY(payload_of(&function->base.unknown_fields[i], &payload));
    FED_TRY(decode(model, function, payload));
  }
  return FED_OK;
}

const Onnx__AttributeProto *fed__function_default(const struct fed_model *model,
                                                  const Onnx__FunctionProto *function,
                                                  const char *name) {
  for (const struct fed__function_default *at = model->defaults; at; at = at->next)
    if (at->function == function && strcmp(fed__text_of(at->attribute->name), name) == 0)
      return at->attribute;
  return NULL;
}

void fed__function_defaults_clear(struct fed_model *model) {
  for (struct fed__function_default *at = model->defaults; at; at = at->next)
    if (at->attribute)
      onnx__attribute_proto__free_unpacked(at->attribute, &model->memory.allocator);
  model->defaults = NULL;
}
