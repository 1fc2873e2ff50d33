/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_evaluate.h: run an ONNX graph once on inputs whose contents are known, as ONNX says it
 * must behave; without batches, parameters or plans. This is constant folding of the whole graph,
 * so it also proves the folding. For conformance tests and for checking exported models.
 */
#ifndef FED_TRAIN_GRAPH_EVALUATE_H
#define FED_TRAIN_GRAPH_EVALUATE_H

#include "fed/train.h"

/* `inputs`: by name, as many as the graph has. `outputs`: all of the graph's, named, float32, int64
 * or bool; the caller's to clear. Reference kernels in float32. Errors as fed_model_load;
 * FED_E_UNSUPPORTED if an output depends on randomness. */
FED_MUST int fed__graph_evaluate(const struct fed_context *context, struct fed_slice onnx,
                                 const struct fed_tensor *inputs, size_t input_count,
                                 struct fed_params *outputs);

#endif
