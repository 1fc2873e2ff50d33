/* SPDX-License-Identifier: Apache-2.0
 *
 * parameter_product.c: plain SGD is itself a product: w = (1 - rate * decay) * w - rate * a * b.
 * For other optimisers some rows of the gradient are computed at a time, few enough for the cache.
 */
#include "train/operators/product/parameter_product.h"

#define PIECE_ELEMENTS 8192 /* of a gradient: 32 KiB of floats */

static size_t unit_of(const struct fed__operation *operation) {
  return operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

/* Whole rows: the last extent is one at most. */
static int64_t rows_of_piece(int64_t columns) {
  return columns < PIECE_ELEMENTS ? PIECE_ELEMENTS / columns : 1;
}

size_t fed__parameter_product_scratch(const struct fed__operation *operation, uint32_t slot) {
  const struct fed__operand *input = &operation->inputs[slot];
  if (!input->may_update || !input->shape.rank) return 0;
  const size_t columns = (size_t)input->shape.dims[input->shape.rank - 1];
  const size_t most = columns > PIECE_ELEMENTS ? columns : PIECE_ELEMENTS;
  return (most < input->elements ? most : input->elements) * unit_of(operation);
}

/* Row by row where they are not neighbours. */
static void update_rows(const struct fed__operation *operation, uint32_t slot, int64_t first,
                        const struct fed_gemm *piece) {
  const char *gradient = operation->scratch;
  const int64_t runs = piece->ldc == piece->n ? 1 : piece->m;
  const size_t count = (size_t)(piece->m * piece->n / runs);
  for (int64_t i = 0; i < runs; i++, gradient += count * unit_of(operation))
    fed__update_piece(operation, slot, (size_t)(first + i * piece->ldc), count, gradient);
}

static void update_by_pieces(const struct fed__operation *operation, uint32_t slot, int64_t first,
                             const struct fed_gemm *product, const void *a, const void *b) {
  const int64_t rows = rows_of_piece(product->n);
  const size_t step = unit_of(operation) * (size_t)(product->transpose_a ? 1 : product->lda);
  for (int64_t row = 0; row < product->m; row += rows) {
    struct fed_gemm piece = *product, dense;
    piece.m = product->m - row < rows ? product->m - row : rows;
    dense = piece;
    dense.ldc = product->n;
    operation->kernels->gemm(&dense, (const char *)a + (size_t)row * step, b, operation->scratch);
    update_rows(operation, slot, first + row * product->ldc, &piece);
  }
}

void fed__product_for_parameter(const struct fed__operation *operation, uint32_t slot,
                                int64_t first, const struct fed_gemm *product, const void *a,
                                const void *b) {
  const struct fed__operand *input = &operation->inputs[slot];
  const size_t offset = (size_t)first * unit_of(operation);
  double factor, keep;
  if (!fed__updates(operation, slot)) {
    operation->kernels->gemm(product, a, b, (char *)input->gradient + offset);
  } else if (fed__update_is_linear(operation, &factor, &keep)) {
    struct fed_gemm update = *product;
    update.alpha *= factor;
    update.beta = keep;
    operation->kernels->gemm(&update, a, b, (char *)input->data + offset);
  } else {
    update_by_pieces(operation, slot, first, product, a, b);
  }
}
