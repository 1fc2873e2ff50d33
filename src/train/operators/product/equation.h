/* SPDX-License-Identifier: Apache-2.0
 *
 * equation.h: the equation of Einsum, "ij,jk->ik". A dimension has a label: its letter, or, where
 * an ellipsis stands for it, a number counted from the ellipsis' end.
 */
#ifndef FED_TRAIN_EQUATION_H
#define FED_TRAIN_EQUATION_H

#include "train/operator.h"

#define FED__LABELS 128 /* letters, and numbers from 1 on */
#define FED__TERMS_MAX 2

/* Labels of an operand's or the result's dimensions, outermost first. */
struct fed__term {
  uint32_t rank;
  uint8_t labels[FED_RANK_MAX];
};

struct fed__equation {
  uint32_t operand_count;
  struct fed__term operands[FED__TERMS_MAX], result;
  int64_t extents[FED__LABELS]; /* by label; 0: does not occur */
};

/* Operands may have extent 1 where another has more, and are then repeated. FED_E_SYNTAX,
 * FED_E_SHAPE; FED_E_UNSUPPORTED for diagonals (a letter twice in a term). */
FED_MUST int fed__equation_read(struct fed_slice text, const struct fed_shape *const *shapes,
                                uint32_t count, struct fed__equation *equation);

#endif
