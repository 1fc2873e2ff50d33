/* SPDX-License-Identifier: Apache-2.0
 *
 * model_files.h: a trained model as the files that every command leaves behind.
 */
#ifndef FED_MODEL_FILES_H
#define FED_MODEL_FILES_H

#include "fed/train.h"

/* Write folder/model.onnx, and the parameters alone as folder/model.safetensors. */
FED_MUST int fed__model_files_write(const struct fed_context *context, const char *folder,
                                    const struct fed_model *model, const struct fed_params *params);

#endif
