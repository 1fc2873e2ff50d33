/* SPDX-License-Identifier: Apache-2.0
 *
 * image_jpeg.c: JPEG files, by libjpeg-turbo, with its exact integer transform.
 *
 * libjpeg leaves a failed call over the error manager, which must not return: longjmp. Everything
 * that must survive one lies in the struct `reading`.
 */
#include "base/raise.h"
#include "data/image.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h> /* needs stdio.h */

#include <jerror.h> /* needs jpeglib.h */

#define MEMORY_MAX ((long)512 << 20)
#define SCANS_MAX 200 /* a small file with very many scans keeps a decoder busy for hours */

struct reading {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  struct fed_slice file;
  struct fed__image *image;
  char message[JMSG_LENGTH_MAX];
};

static _Noreturn void fail(j_common_ptr jpeg) {
  struct reading *reading = jpeg->client_data;
  jpeg->err->format_message(jpeg, reading->message);
  longjmp(reading->failed, 1);
}

/* Warnings are about missing or invented pixels: no such image is trained on. */
static void take_message(j_common_ptr jpeg, int level) {
  if (level < 0) fail(jpeg);
}

static void print_nothing(j_common_ptr jpeg) { (void)jpeg; }

static void count_scans(j_common_ptr jpeg) {
  struct reading *reading = jpeg->client_data;
  if (reading->jpeg.input_scan_number <= SCANS_MAX) return;
  snprintf(reading->message, sizeof reading->message, "more than %d scans", SCANS_MAX);
  longjmp(reading->failed, 1);
}

static void read_header(struct reading *reading) {
  struct jpeg_decompress_struct *jpeg = &reading->jpeg;
  jpeg_create_decompress(jpeg); /* keeps err and client_data */
  jpeg->mem->max_memory_to_use = MEMORY_MAX;
  jpeg->progress = &reading->progress;
  jpeg_mem_src(jpeg, reading->file.data, reading->file.size);
  jpeg_read_header(jpeg, TRUE);
  reading->image->width = jpeg->image_width;
  reading->image->height = jpeg->image_height;
}

static void read_rows(struct reading *reading) {
  struct jpeg_decompress_struct *jpeg = &reading->jpeg;
  const size_t row = (size_t)reading->image->width * reading->image->channels;
  jpeg->out_color_space = reading->image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;
  jpeg_start_decompress(jpeg);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW out = reading->image->pixels + jpeg->output_scanline * row;
    jpeg_read_scanlines(jpeg, &out, 1);
  }
  jpeg_finish_decompress(jpeg);
}

/* 0 when libjpeg failed in between. */
static int run(struct reading *reading, void (*step)(struct reading *reading)) {
  if (setjmp(reading->failed)) return 0;
  step(reading);
  return 1;
}

static int refuse(const struct reading *reading, const char *name) {
  if (reading->errors.msg_code == JERR_OUT_OF_MEMORY)
    return FED_RAISE(FED_E_MEMORY, "out of memory for '%s'", name);
  return FED_RAISE(FED_E_CORRUPT, "'%s' is a damaged JPEG file: %s", name, reading->message);
}

static int read_image(struct reading *reading, const char *name) {
  if (!run(reading, read_header)) return refuse(reading, name);
  const J_COLOR_SPACE space = reading->jpeg.jpeg_color_space;
  if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "'%s' is a JPEG file of other colours than grey, YCbCr and RGB (CMYK?): "
                     "convert it to RGB",
                     name);
  reading->image->channels = space == JCS_GRAYSCALE ? 1 : 3;
  FED_TRY(fed__image_make(name, reading->image));
  return run(reading, read_rows) ? FED_OK : refuse(reading, name);
}

int fed__image_decode_jpeg(const char *name, struct fed_slice file, struct fed__image *image) {
  struct reading reading = {.file = file, .image = image};
  reading.jpeg.err = jpeg_std_error(&reading.errors);
  reading.jpeg.client_data = &reading;
  reading.errors.error_exit = fail;
  reading.errors.emit_message = take_message;
  reading.errors.output_message = print_nothing;
  reading.progress.progress_monitor = count_scans;
  const int code = read_image(&reading, name);
  jpeg_destroy_decompress(&reading.jpeg); /* also what was never created */
  return code;
}
