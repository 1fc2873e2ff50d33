/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c: views of tensors while writing, look-ups while reading.
 */
#include "simulate/checkpoint.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"

#define CAPACITY_MIN 32
#define COPIED_BYTES_MAX 4096

void fed__checkpoint_begin(struct fed__checkpoint *checkpoint, const struct fed_context *context) {
  *checkpoint = (struct fed__checkpoint){.context = context};
}

int fed__checkpoint_decode(struct fed__checkpoint *checkpoint, const struct fed_context *context,
                           struct fed_slice file) {
  *checkpoint = (struct fed__checkpoint){.context = context, .is_reading = 1};
  return fed_safetensors_decode(file, context, &checkpoint->file);
}

static int is_copied(const struct fed_tensor *tensor) {
  const size_t bytes = fed_tensor_bytes(tensor);
  return bytes > 0 && bytes <= COPIED_BYTES_MAX;
}

void fed__checkpoint_clear(struct fed__checkpoint *checkpoint) {
  if (!checkpoint->context) return;
  for (size_t i = 0; i < checkpoint->count; i++) {
    fed__free(checkpoint->context, checkpoint->tensors[i].name);
    if (is_copied(&checkpoint->tensors[i]))
      fed__free(checkpoint->context, checkpoint->tensors[i].data);
  }
  fed__free(checkpoint->context, checkpoint->tensors);
  fed_params_clear(&checkpoint->file);
  *checkpoint = (struct fed__checkpoint){0};
}

int fed__checkpoint_encode(const struct fed__checkpoint *checkpoint, struct fed_buffer *out) {
  const struct fed_params views = {.tensors = checkpoint->tensors, .count = checkpoint->count};
  return fed_safetensors_encode(&views, NULL, 0, out);
}

/* ---- one tensor ----------------------------------------------------------------------------- */

static int make_room(struct fed__checkpoint *checkpoint) {
  if (checkpoint->count < checkpoint->capacity) return FED_OK;
  const size_t capacity = checkpoint->capacity ? 2 * checkpoint->capacity : CAPACITY_MIN;
  struct fed_tensor *moved =
      fed__resize(checkpoint->context, checkpoint->tensors, capacity, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  checkpoint->tensors = moved;
  checkpoint->capacity = capacity;
  return FED_OK;
}

static int write_tensor(struct fed__checkpoint *checkpoint, const struct fed_tensor *tensor) {
  FED_TRY(make_room(checkpoint));
  struct fed_tensor view = *tensor;
  view.name = fed__copy_text(checkpoint->context, tensor->name);
  if (!view.name) return FED_E_MEMORY;
  if (is_copied(tensor)) {
    view.data = fed__alloc(checkpoint->context, fed_tensor_bytes(tensor));
    if (!view.data) {
      fed__free(checkpoint->context, view.name);
      return FED_E_MEMORY;
    }
    memcpy(view.data, tensor->data, fed_tensor_bytes(tensor));
  }
  checkpoint->tensors[checkpoint->count++] = view;
  return FED_OK;
}

static int read_tensor(const struct fed__checkpoint *checkpoint, const struct fed_tensor *tensor) {
  const struct fed_tensor *found = fed_params_find(&checkpoint->file, tensor->name);
  char wanted[96], there[96];
  if (!found)
    return FED_RAISE(FED_E_INPUT, "the checkpoint has no '%s': it is of another run", tensor->name);
  if (found->dtype != tensor->dtype || !fed_shape_equal(&found->shape, &tensor->shape))
    return FED_RAISE(
        FED_E_INPUT, "the checkpoint's '%s' is %s %s, expected %s %s", tensor->name,
        fed_dtype_name(found->dtype), fed_shape_format(&found->shape, there, sizeof there),
        fed_dtype_name(tensor->dtype), fed_shape_format(&tensor->shape, wanted, sizeof wanted));
  if (fed_tensor_bytes(tensor)) memcpy(tensor->data, found->data, fed_tensor_bytes(tensor));
  return FED_OK;
}

static int carry(struct fed__checkpoint *checkpoint, const struct fed_tensor *tensor) {
  return checkpoint->is_reading ? read_tensor(checkpoint, tensor)
                                : write_tensor(checkpoint, tensor);
}

int fed__checkpoint_array(struct fed__checkpoint *checkpoint, const char *name,
                          enum fed_dtype dtype, void *data, size_t count) {
  const struct fed_tensor tensor = {name, dtype, {1, {(int64_t)count}}, data};
  return carry(checkpoint, &tensor);
}

int fed__checkpoint_bytes(struct fed__checkpoint *checkpoint, const char *name, void *data,
                          size_t size) {
  return fed__checkpoint_array(checkpoint, name, FED_U8, data, size);
}

int fed__checkpoint_params(struct fed__checkpoint *checkpoint, const char *prefix,
                           struct fed_params *params) {
  int code = FED_OK;
  for (size_t i = 0; i < params->count && code == FED_OK; i++) {
    struct fed_tensor tensor = params->tensors[i];
    tensor.name = fed__format(checkpoint->context, "%s%s", prefix, params->tensors[i].name);
    code = tensor.name ? carry(checkpoint, &tensor) : FED_E_MEMORY;
    fed__free(checkpoint->context, tensor.name);
  }
  return code;
}
