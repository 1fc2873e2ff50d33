/* SPDX-License-Identifier: Apache-2.0
 *
 * image_resize.c: resizing in two passes with weights in fixed point: the same bits on every
 * machine.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/image.h"

#include <math.h>

#define WEIGHT_BITS 22 /* a sum of weights times a byte stays below 2^31 */

/* The source pixels of one target pixel along a line, and their weights. */
struct taps {
  uint32_t first, count;
  const int32_t *weights;
};

/* Of all pixels of a line. */
struct filter {
  const struct fed_context *context;
  struct taps *taps;
  int32_t *weights;
};

static double triangle(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

/* Pixels are squares: the middle of target pixel i lies at (i + 0.5) * scale in the source. */
static void fill_taps(struct taps *taps, int32_t *weights, double centre, double support,
                      uint32_t size) {
  const double low = centre - support + 0.5, high = centre + support + 0.5;
  const uint32_t first = low > 0 ? (uint32_t)low : 0;
  const uint32_t end = high < size ? (uint32_t)high : size;
  double sum = 0;
  for (uint32_t i = first; i < end; i++)
    sum += triangle(((double)i - centre + 0.5) * (1 / support));
  for (uint32_t i = first; i < end; i++) {
    const double weight = triangle(((double)i - centre + 0.5) * (1 / support)) / sum;
    weights[i - first] = (int32_t)(0.5 + weight * (1 << WEIGHT_BITS));
  }
  *taps = (struct taps){first, end - first, weights};
}

static int filter_init(struct filter *filter, const struct fed_context *context, uint32_t from,
                       uint32_t to) {
  const double scale = (double)from / to, support = scale > 1 ? scale : 1;
  const size_t taps_max = (size_t)ceil(support) * 2 + 1;
  *filter = (struct filter){.context = context};
  filter->taps = fed__zalloc(context, to, sizeof *filter->taps);
  filter->weights = fed__zalloc(context, to * taps_max, sizeof *filter->weights);
  if (!filter->taps || !filter->weights) return FED_E_MEMORY;
  for (uint32_t i = 0; i < to; i++)
    fill_taps(&filter->taps[i], filter->weights + i * taps_max, (i + 0.5) * scale, support, from);
  return FED_OK;
}

static void filter_clear(struct filter *filter) {
  if (filter->taps) fed__free(filter->context, filter->taps);
  if (filter->weights) fed__free(filter->context, filter->weights);
}

/* The weighted sum of bytes that lie `step` apart. */
static uint8_t apply(const struct taps *taps, const uint8_t *bytes, size_t step) {
  int32_t sum = 1 << (WEIGHT_BITS - 1);
  bytes += taps->first * step;
  for (uint32_t i = 0; i < taps->count; i++) sum += taps->weights[i] * bytes[i * step];
  sum >>= WEIGHT_BITS;
  return (uint8_t)(sum > 255 ? 255 : sum);
}

static void shrink_rows(const struct fed__image *image, const struct fed__image_box *box,
                        const struct filter *filter, uint32_t width, uint8_t *out) {
  const size_t channels = image->channels, row = image->width * channels;
  for (uint32_t y = 0; y < box->height; y++) {
    const uint8_t *from = image->pixels + (box->y + y) * row + box->x * channels;
    for (uint32_t x = 0; x < width; x++)
      for (size_t c = 0; c < channels; c++) *out++ = apply(&filter->taps[x], from + c, channels);
  }
}

static void shrink_columns(const uint8_t *from, const struct filter *filter,
                           const struct fed__image *out) {
  const size_t row = (size_t)out->width * out->channels;
  for (uint32_t y = 0; y < out->height; y++)
    for (size_t x = 0; x < row; x++)
      out->pixels[y * row + x] = apply(&filter->taps[y], from + x, row);
}

int fed__image_resize(const struct fed__image *image, const struct fed__image_box *box,
                      struct fed__image *out) {
  struct filter rows, columns = {0};
  uint8_t *between = NULL;
  out->channels = image->channels;
  int code = filter_init(&rows, image->context, box->width, out->width);
  if (code == FED_OK) code = filter_init(&columns, image->context, box->height, out->height);
  if (code == FED_OK) {
    between = fed__zalloc(image->context, (size_t)box->height * out->width, image->channels);
    code = between ? FED_OK : FED_E_MEMORY;
  }
  if (code == FED_OK) {
    shrink_rows(image, box, &rows, out->width, between);
    shrink_columns(between, &columns, out);
  }
  fed__free(image->context, between);
  filter_clear(&rows);
  filter_clear(&columns);
  return code;
}
