/* SPDX-License-Identifier: Apache-2.0
 *
 * fused_update.c: pieces of an update. An optimiser goes element by element, so that any piece of
 * the arrays can be updated by itself.
 */
#include "train/fused_update.h"
#include "train/optimizer.h"

int fed__updates(const struct fed__operation *operation, uint32_t slot) {
  return operation->step->update && operation->inputs[slot].may_update;
}

int fed__update_is_linear(const struct fed__operation *operation, double *factor, double *keep) {
  const struct fed__update *update = operation->step->update;
  if (update->options->optimizer != FED_OPTIMIZER_SGD || update->states[0]) return 0;
  *factor = -update->learning_rate * update->gradient_scale;
  *keep = 1 - update->learning_rate * update->options->weight_decay;
  return 1;
}

void fed__update_piece(const struct fed__operation *operation, uint32_t slot, size_t first,
                       size_t count, const void *gradient) {
  const enum fed_precision precision = operation->kernels->precision;
  const size_t unit = precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
  struct fed__update piece = *operation->step->update;
  const char *parameter = operation->inputs[slot].data, *all = piece.parameters;
  fed__update_shift(&piece, precision, (size_t)(parameter - all) / unit + first);
  piece.gradients = gradient;
  piece.count = count;
  piece.optimizer->update[precision](&piece);
}
