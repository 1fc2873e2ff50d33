/* SPDX-License-Identifier: Apache-2.0
 *
 * image_png.c: PNG files, by libpng.
 *
 * libpng leaves a failed call with longjmp. Everything that must survive one lies in the struct
 * `reading`, and what it holds is freed in one place behind the jump.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#define CHUNK_BYTES_MAX ((size_t)1 << 20) /* of text, profiles … which are passed over */
#define CHUNKS_MAX 1000

struct reading {
  const struct fed_context *context;
  struct fed_slice file;
  size_t at;
  struct fed__image *image;
  png_structp png;
  png_infop info;
  int is_out_of_memory;
  char message[128];
};

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
  struct reading *reading = png_get_mem_ptr(png);
  void *memory = fed__alloc(reading->context, size);
  reading->is_out_of_memory |= !memory;
  return memory;
}

static void release(png_structp png, png_voidp memory) {
  const struct reading *reading = png_get_mem_ptr(png);
  fed__free(reading->context, memory);
}

static void PNGCBAPI fail(png_structp png, png_const_charp message) {
  struct reading *reading = png_get_error_ptr(png);
  snprintf(reading->message, sizeof reading->message, "%s", message);
  png_longjmp(png, 1);
}

/* About what does not touch the pixels. */
static void PNGCBAPI ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void PNGCBAPI read_bytes(png_structp png, png_bytep out, size_t size) {
  struct reading *reading = png_get_io_ptr(png);
  if (size > reading->file.size - reading->at) png_error(png, "the file ends too early");
  memcpy(out, reading->file.data + reading->at, size);
  reading->at += size;
}

/* Bytes of grey or colour, whatever the file has. */
static void set_form(struct reading *reading) {
  png_structp png = reading->png;
  const png_byte type = png_get_color_type(png, reading->info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  reading->image->channels = type & PNG_COLOR_MASK_COLOR ? 3 : 1;
}

static void read_rows(struct reading *reading) {
  const struct fed__image *image = reading->image;
  const size_t row = (size_t)image->width * image->channels;
  const int passes = png_set_interlace_handling(reading->png);
  png_read_update_info(reading->png, reading->info);
  if (png_get_rowbytes(reading->png, reading->info) != row)
    png_error(reading->png, "unexpected layout of pixels");
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < image->height; y++)
      png_read_row(reading->png, image->pixels + y * row, NULL);
  png_read_end(reading->png, NULL);
}

/* 0 when libpng failed in between. */
static int run(struct reading *reading, void (*step)(struct reading *reading)) {
  if (setjmp(png_jmpbuf(reading->png))) return 0;
  step(reading);
  return 1;
}

static void read_header(struct reading *reading) {
  png_structp png = reading->png;
  png_set_user_limits(png, FED__IMAGE_SIDE_MAX, FED__IMAGE_SIDE_MAX);
  png_set_chunk_malloc_max(png, CHUNK_BYTES_MAX);
  png_set_chunk_cache_max(png, CHUNKS_MAX);
  png_set_read_fn(png, reading, read_bytes);
  png_read_info(png, reading->info);
  reading->image->width = png_get_image_width(png, reading->info);
  reading->image->height = png_get_image_height(png, reading->info);
}

static int refuse(const struct reading *reading, const char *name) {
  if (reading->is_out_of_memory) return FED_RAISE(FED_E_MEMORY, "out of memory for '%s'", name);
  return FED_RAISE(FED_E_CORRUPT, "'%s' is a damaged PNG file: %s", name, reading->message);
}

static int read_image(struct reading *reading, const char *name) {
  reading->info = png_create_info_struct(reading->png);
  if (!reading->info) return FED_RAISE(FED_E_MEMORY, "out of memory for '%s'", name);
  if (!run(reading, read_header)) return refuse(reading, name);
  if (!run(reading, set_form)) return refuse(reading, name);
  FED_TRY(fed__image_make(name, reading->image));
  return run(reading, read_rows) ? FED_OK : refuse(reading, name);
}

int fed__image_decode_png(const char *name, struct fed_slice file, struct fed__image *image) {
  struct reading reading = {.context = image->context, .file = file, .image = image};
  reading.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reading, fail, ignore, &reading,
                                         allocate, release);
  if (!reading.png) return FED_RAISE(FED_E_MEMORY, "out of memory for '%s'", name);
  const int code = read_image(&reading, name);
  png_destroy_read_struct(&reading.png, &reading.info, NULL);
  return code;
}
