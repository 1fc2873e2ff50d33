/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow_type.h: ONNX's types of fewer bits than the engine works in: reals of 4 to 16 bits and
 * integers of 2 and 4. Values are held as float32 (or double) and int64; a cast rounds them to what
 * the type can hold, and tensors stored in these types are decoded.
 */
#ifndef FED_TRAIN_NARROW_TYPE_H
#define FED_TRAIN_NARROW_TYPE_H

#include "onnx.pb-c.h"

#include "fed/tensor.h"

/* What becomes of a real number that is too large. */
enum fed__overflow {
  FED__OVERFLOW_INFINITE,
  FED__OVERFLOW_NAN,
  FED__OVERFLOW_LARGEST, /* the largest of the type: also what "saturate" makes of the others */
};

struct fed__narrow_type {
  const char *name;
  double largest; /* of reals, as are the last four */
  int32_t onnx;   /* its number */
  unsigned bits;
  int is_real, is_signed;
  unsigned fraction_bits;
  int exponent_min; /* of normal numbers; at and below it numbers are equally far apart */
  enum fed__overflow overflow;
  int one_zero; /* the code of minus zero is the NaN */
};

/* NULL: no such type. */
const struct fed__narrow_type *fed__narrow_type_find(int32_t onnx_type);

/* The type's nearest number, of two the even one; `saturate`: large ones become the largest. */
double fed__narrow_real(const struct fed__narrow_type *type, double value, int saturate);

/* The low bits, as the type reads them. */
int64_t fed__narrow_integer(const struct fed__narrow_type *type, int64_t value);

/* Bytes of `count` elements as ONNX packs them, the first in the lowest bits. */
size_t fed__narrow_bytes(const struct fed__narrow_type *type, size_t count);

/* The elements of packed bytes: reals to floats, integers to int8_t or uint8_t. */
void fed__narrow_decode(const struct fed__narrow_type *type, const uint8_t *bytes, size_t count,
                        void *to);

#endif
