/* SPDX-License-Identifier: Apache-2.0
 *
 * augment_image.c: moving, mirroring and turning one plane of an image.
 */
#include "data/augment.h"

#include <math.h>

static float pixel(const struct fed__plane *plane, const float *in, int64_t y, int64_t x) {
  if (y < 0 || x < 0 || y >= (int64_t)plane->height || x >= (int64_t)plane->width) return 0;
  return in[(size_t)y * plane->width + (size_t)x];
}

void fed__augment_shift(const struct fed__plane *plane, const float *in, int64_t down,
                        int64_t right, int flip, float *out) {
  for (size_t y = 0; y < plane->height; y++)
    for (size_t x = 0; x < plane->width; x++)
      *out++ =
          pixel(plane, in, (int64_t)y + down, (int64_t)(flip ? plane->width - 1 - x : x) + right);
}

static float between(const struct fed__plane *plane, const float *in, double y, double x) {
  const double top = floor(y), left = floor(x), down = y - top, right = x - left;
  const int64_t row = (int64_t)top, column = (int64_t)left;
  const double above = (1 - right) * (double)pixel(plane, in, row, column) +
                       right * (double)pixel(plane, in, row, column + 1);
  const double below = (1 - right) * (double)pixel(plane, in, row + 1, column) +
                       right * (double)pixel(plane, in, row + 1, column + 1);
  return (float)((1 - down) * above + down * below);
}

void fed__augment_rotate(const struct fed__plane *plane, const float *in, double radians,
                         float *out) {
  const double middle_y = ((double)plane->height - 1) / 2,
               middle_x = ((double)plane->width - 1) / 2;
  const double cosine = cos(radians), sine = sin(radians);
  for (size_t y = 0; y < plane->height; y++)
    for (size_t x = 0; x < plane->width; x++) {
      const double from_y = (double)y - middle_y, from_x = (double)x - middle_x;
      *out++ = between(plane, in, middle_y + sine * from_x + cosine * from_y,
                       middle_x + cosine * from_x - sine * from_y);
    }
}
