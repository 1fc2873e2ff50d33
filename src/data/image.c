/* SPDX-License-Identifier: Apache-2.0
 *
 * image.c: which format a file is in, and its channels.
 */
#include "data/image.h"
#include "base/memory.h"
#include "base/raise.h"

int fed__image_make(const char *name, struct fed__image *image) {
  if (image->width == 0 || image->height == 0 || image->width > FED__IMAGE_SIDE_MAX ||
      image->height > FED__IMAGE_SIDE_MAX ||
      (uint64_t)image->width * image->height > FED__IMAGE_PIXELS_MAX)
    return FED_RAISE(FED_E_TOO_LARGE,
                     "'%s' is an image of %u x %u pixels: expected sides from 1 to %u and at most "
                     "%llu pixels",
                     name, image->width, image->height, FED__IMAGE_SIDE_MAX,
                     (unsigned long long)FED__IMAGE_PIXELS_MAX);
  image->pixels =
      fed__zalloc(image->context, (size_t)image->width * image->height, image->channels);
  return image->pixels ? FED_OK : FED_E_MEMORY;
}

void fed__image_clear(struct fed__image *image) {
  if (image->pixels) fed__free(image->context, image->pixels);
  image->pixels = NULL;
}

/* ITU-R BT.601 luma, as 16-bit fixed point, rounded; in place. */
static void make_grey(struct fed__image *image) {
  const size_t count = (size_t)image->width * image->height;
  const uint8_t *from = image->pixels;
  for (size_t i = 0; i < count; i++, from += 3)
    image->pixels[i] =
        (uint8_t)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >> 16);
  image->channels = 1;
}

static int make_colour(struct fed__image *image) {
  const size_t count = (size_t)image->width * image->height;
  uint8_t *pixels = fed__zalloc(image->context, count, 3);
  if (!pixels) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++)
    pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = image->pixels[i];
  fed__image_clear(image);
  image->pixels = pixels;
  image->channels = 3;
  return FED_OK;
}

int fed__image_decode(const struct fed_context *context, const char *name, struct fed_slice file,
                      uint32_t channels, struct fed__image *image) {
  int code;
  *image = (struct fed__image){.context = context};
  if (file.size >= 8 && memcmp(file.data, "\x89PNG\r\n\x1a\n", 8) == 0)
    code = fed__image_decode_png(name, file, image);
  else if (file.size >= 3 && memcmp(file.data, "\xff\xd8\xff", 3) == 0)
    code = fed__image_decode_jpeg(name, file, image);
  else
    return FED_RAISE(FED_E_SYNTAX, "'%s' is neither a PNG nor a JPEG file", name);
  if (code == FED_OK && channels == 1 && image->channels == 3) make_grey(image);
  if (code == FED_OK && channels == 3 && image->channels == 1) code = make_colour(image);
  if (code != FED_OK) fed__image_clear(image);
  return code;
}
