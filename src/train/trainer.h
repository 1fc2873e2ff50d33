/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.h: what the engine's other files need to know of a trainer.
 */
#ifndef FED_TRAIN_TRAINER_H
#define FED_TRAIN_TRAINER_H

#include "fed/train.h"

const struct fed_context *fed__trainer_context(const struct fed_trainer *trainer);

#endif
