/* SPDX-License-Identifier: Apache-2.0
 *
 * model_files.c: model.onnx and model.safetensors.
 */
#include "programs/model_files.h"
#include "base/file.h"
#include "base/raise.h"
#include "fed/safetensors.h"

static int write_file(const char *folder, const char *name, const struct fed_buffer *bytes) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_write(path, fed_buffer_slice(bytes), FED__FILE_SHARED);
}

int fed__model_files_write(const struct fed_context *context, const char *folder,
                           const struct fed_model *model, const struct fed_params *params) {
  struct fed_buffer onnx, tensors;
  fed_buffer_init(&onnx, context, SIZE_MAX);
  fed_buffer_init(&tensors, context, SIZE_MAX);
  int code = fed_model_export(model, params, &onnx);
  if (code == FED_OK) code = fed_safetensors_encode(params, NULL, 0, &tensors);
  if (code == FED_OK) code = write_file(folder, "model.onnx", &onnx);
  if (code == FED_OK) code = write_file(folder, "model.safetensors", &tensors);
  fed_buffer_clear(&onnx);
  fed_buffer_clear(&tensors);
  return code;
}
