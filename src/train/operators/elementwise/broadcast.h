/* SPDX-License-Identifier: Apache-2.0
 *
 * broadcast.h: one loop for all operators whose operands are broadcast together. An operator only
 * writes what happens to a run of neighbouring elements (a row function); this walks the arrays,
 * merges dimensions that all of them walk alike, repeats an operand that does not change along the
 * run, and sums where the result is smaller than what is walked (the gradient of an operand that
 * was broadcast). The cost is that of reading the arrays, once; nothing is prepared or allocated.
 */
#ifndef FED_TRAIN_BROADCAST_H
#define FED_TRAIN_BROADCAST_H

#include "base/wide.h"
#include "train/operator.h"

#define FED__BROADCAST_INPUTS 4

/* A dense array; `unit`: bytes an element. */
struct fed__array {
  const struct fed_shape *shape;
  size_t unit;
  void *data;
};

/* An operand's data, and its gradient. */
struct fed__array fed__array_of(const struct fed__operation *operation,
                                const struct fed__operand *operand);
struct fed__array fed__gradient_of(const struct fed__operation *operation,
                                   const struct fed__operand *operand);

/* out[i] from in[0][i], in[1][i] …; `out` may be one of the inputs. */
typedef void fed__row(size_t count, const void *const *in, void *out);

/* Call `row` for all elements of `shape`, to which the inputs are broadcast. If `out` is of this
 * shape, the results go there. If it has fewer elements, it is overwritten with the sums of the
 * results that fall on each of them; its elements are then float or double, as the unit says. */
void fed__broadcast(const struct fed_shape *shape, const struct fed__array *out,
                    const struct fed__array *in, uint32_t count, fed__row *row);

/* The two cases that operators of two operands need: output 0 from inputs 0 and 1, … */
void fed__broadcast_forward(const struct fed__operation *operation, fed__row *row);
/* … and the gradient of one of them from input 0, input 1 and output 0's gradient. Does nothing if
 * nobody needs it. */
void fed__broadcast_backward(const struct fed__operation *operation, uint32_t slot, fed__row *row);

/* Row functions: `value` in terms of x; of x and y; of x, y and z. */
#define FED__ROW1(name, to, from_x, value)                                                         \
  static void name(size_t count, const void *const *in, void *out) {                               \
    const from_x *xs = in[0];                                                                      \
    to *results = out;                                                                             \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const from_x x = xs[i];                                                                      \
      results[i] = (value);                                                                        \
    }                                                                                              \
  }
#define FED__ROW2(name, to, from_x, from_y, value)                                                 \
  static void name(size_t count, const void *const *in, void *out) {                               \
    const from_x *xs = in[0];                                                                      \
    const from_y *ys = in[1];                                                                      \
    to *results = out;                                                                             \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const from_x x = xs[i];                                                                      \
      const from_y y = ys[i];                                                                      \
      (void)x, (void)y;                                                                            \
      results[i] = (value);                                                                        \
    }                                                                                              \
  }
#define FED__ROW3(name, to, from_x, from_y, from_z, value)                                         \
  static void name(size_t count, const void *const *in, void *out) {                               \
    const from_x *xs = in[0];                                                                      \
    const from_y *ys = in[1];                                                                      \
    const from_z *zs = in[2];                                                                      \
    to *results = out;                                                                             \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const from_x x = xs[i];                                                                      \
      const from_y y = ys[i];                                                                      \
      const from_z z = zs[i];                                                                      \
      (void)x, (void)y, (void)z;                                                                   \
      results[i] = (value);                                                                        \
    }                                                                                              \
  }

#endif
