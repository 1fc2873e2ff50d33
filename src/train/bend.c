/* SPDX-License-Identifier: Apache-2.0
 *
 * bend.c: gradients that are drawn elsewhere: g + pull * p + offset. FedProx's proximal term,
 * SCAFFOLD's control variates and FedDyn's dynamic regulariser are all of this form. One more pass
 * over the parameters in each step; the offset is kept as long as the trainer.
 */
#ifndef REAL
#include "base/memory.h"
#include "base/raise.h"
#include "train/trainer.h"

#define FED__TEMPLATE "train/bend.c"
#include "train/typed.h"

void fed__gradient_bend(const struct fed_trainer *trainer) {
  if (trainer->kernels->precision == FED_PRECISION_F64)
    bend_f64(trainer->gradient, trainer->values, trainer->offset, trainer->pull,
             trainer->trained_count);
  else
    bend_f32(trainer->gradient, trainer->values, trainer->offset, trainer->pull,
             trainer->trained_count);
}

/* Each parameter's place in the offset is that of its gradient. */
static void set_offset(struct fed_trainer *trainer, const struct fed_params *offset) {
  const int is_wide = trainer->kernels->precision == FED_PRECISION_F64;
  for (size_t i = 0; i < trainer->model->trained_count; i++) {
    const float *from = offset->tensors[i].data;
    const size_t count = fed_tensor_elements(&offset->tensors[i]);
    char *to = (char *)trainer->offset +
               ((const char *)trainer->gradients[i] - (const char *)trainer->gradient);
    if (!is_wide)
      memcpy(to, from, count * sizeof *from);
    else
      for (size_t k = 0; k < count; k++) ((double *)to)[k] = (double)from[k];
  }
}

int fed_trainer_bend(struct fed_trainer *trainer, double pull, const struct fed_params *offset) {
  if (offset) FED_TRY(fed_params_match(&trainer->model->params, offset));
  if (!trainer->offset) trainer->offset = fed__zalloc(trainer->context, trainer->trained_bytes, 1);
  if (!trainer->offset) return FED_E_MEMORY;
  if (offset)
    set_offset(trainer, offset);
  else
    memset(trainer->offset, 0, trainer->trained_bytes);
  trainer->pull = pull;
  trainer->bends = 1;
  return FED_OK;
}

#else

FED__WIDE static void TYPED(bend)(void *gradients, const void *values, const void *offsets,
                                  double pull, size_t count) {
  REAL *gradient = gradients;
  const REAL *value = values, *offset = offsets, factor = (REAL)pull;
  for (size_t i = 0; i < count; i++) gradient[i] += factor * value[i] + offset[i];
}

#endif
