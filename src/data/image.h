/* SPDX-License-Identifier: Apache-2.0
 *
 * image.h: PNG and JPEG files as bytes, and resizing. Sizes are checked before anything is decoded,
 * damage is a failure rather than grey pixels, and the libraries neither print nor stop the
 * program.
 *
 * Memory while decoding: up to 3 bytes a pixel, and libjpeg's own (progressive files: 6 a pixel).
 */
#ifndef FED_DATA_IMAGE_H
#define FED_DATA_IMAGE_H

#include "fed/buffer.h"

#define FED__IMAGE_SIDE_MAX 32768u
#define FED__IMAGE_PIXELS_MAX ((uint64_t)1 << 25)
#define FED__IMAGE_FILE_BYTES_MAX ((size_t)64 << 20)

/* Row after row, the channels of a pixel side by side. */
struct fed__image {
  const struct fed_context *context;
  uint32_t width, height;
  uint32_t channels; /* 1: grey; 3: red, green, blue */
  uint8_t *pixels;   /* owned */
};

struct fed__image_box {
  uint32_t x, y, width, height;
};

/* Decode a file of either format into an image of so many channels; `name` is for messages. Alpha
 * is left out, 16 bits become 8. FED_E_SYNTAX for another format, FED_E_TOO_LARGE,
 * FED_E_UNSUPPORTED (CMYK), FED_E_CORRUPT. `image` is to be cleared after a success. */
FED_MUST int fed__image_decode(const struct fed_context *context, const char *name,
                               struct fed_slice file, uint32_t channels, struct fed__image *image);
void fed__image_clear(struct fed__image *image);

/* Resize a part of an image to width × height of `out`, whose `pixels` have room: a triangle filter
 * (bilinear) whose support grows with the scale when shrinking, in 22-bit fixed point, horizontally
 * then vertically with bytes in between. Bit for bit what Image.crop(box).resize(size,
 * BILINEAR) gives in Pillow 11 (12 and later may begin vertically, which can round by one
 * differently). */
FED_MUST int fed__image_resize(const struct fed__image *image, const struct fed__image_box *box,
                               struct fed__image *out);

/* Of one format each; image->channels is the file's afterwards. */
FED_MUST int fed__image_decode_png(const char *name, struct fed_slice file,
                                   struct fed__image *image);
FED_MUST int fed__image_decode_jpeg(const char *name, struct fed_slice file,
                                    struct fed__image *image);

/* Check the size and allocate the pixels. */
FED_MUST int fed__image_make(const char *name, struct fed__image *image);

#endif
