/* SPDX-License-Identifier: Apache-2.0
 *
 * image_examples.c: from files to the bytes of resized images, and from those to float32, channel
 * after channel, as models take them. Memory: the resized images or one image, and the names.
 */
#include "data/image_examples.h"
#include "base/memory.h"
#include "base/raise.h"
#include "data/data_source.h"
#include "data/dataset_examples.h"
#include "data/image.h"
#include "data/image_list.h"
#include "data/shared_examples.h"

#include <math.h>

#define BYTE_SCALE (1.0 / 255)

struct image_examples {
  struct fed_examples examples;
  const struct fed_context *context;
  char *folder;
  struct fed__image_list list;
  enum fed__image_fit fit;
  enum fed__target_kind target;
  struct fed__image size; /* of every example; its pixels are those of one */
  size_t bytes;           /* of one example */
  uint8_t *pixels;        /* of all examples, if they are in memory */
  struct fed_buffer file; /* the one read last */
  float values[3][256];   /* what a byte becomes, by channel */
};

/* ---- one image ------------------------------------------------------------------------------ */

static int read_source(struct fed__source *source, struct fed_buffer *bytes) {
  const uint64_t size = fed__source_bound(source);
  size_t got;
  bytes->size = 0;
  if (source->coding != FED__SOURCE_PLAIN || size > FED__IMAGE_FILE_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "'%s': expected an image file of at most %zu bytes",
                     source->name, FED__IMAGE_FILE_BYTES_MAX);
  FED_TRY(fed_buffer_reserve(bytes, (size_t)size));
  FED_TRY(fed__source_read(source, bytes->data, (size_t)size, &got));
  bytes->size = got;
  return FED_OK;
}

static int read_file(struct image_examples *self, const char *path) {
  struct fed__source source;
  FED_TRY(fed__source_open(self->context, self->folder, path, &source));
  const int code = read_source(&source, &self->file);
  fed__source_close(&source);
  return code;
}

/* The part of an image that is seen. */
static struct fed__image_box view(const struct image_examples *self,
                                  const struct fed__image *image) {
  const double right = (double)self->size.width / self->size.height;
  struct fed__image_box box = {0, 0, image->width, image->height};
  if (self->fit == FED__IMAGE_STRETCH) return box;
  const double width = floor(image->height * right + 0.5);
  const double height = floor(image->width / right + 0.5);
  if (width < image->width) box.width = width < 1 ? 1 : (uint32_t)width;
  if (height < image->height) box.height = height < 1 ? 1 : (uint32_t)height;
  box.x = (image->width - box.width) / 2;
  box.y = (image->height - box.height) / 2;
  return box;
}

/* Decode and resize into self->size.pixels. */
static int load(struct image_examples *self, size_t at) {
  const char *path = fed__image_list_path(&self->list, at);
  struct fed__image image;
  FED_TRY(read_file(self, path));
  FED_TRY(fed__image_decode(self->context, path, fed_buffer_slice(&self->file), self->size.channels,
                            &image));
  const struct fed__image_box box = view(self, &image);
  const int code = fed__image_resize(&image, &box, &self->size);
  fed__image_clear(&image);
  return code;
}

static void convert(const struct image_examples *self, const uint8_t *pixels, float *out) {
  const size_t channels = self->size.channels, count = self->bytes / channels;
  for (size_t c = 0; c < channels; c++)
    for (size_t i = 0; i < count; i++) *out++ = self->values[c][pixels[i * channels + c]];
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct image_examples *self = (struct image_examples *)examples;
  FED_TRY(fed__dataset_check_rows(examples, rows, count));
  for (size_t i = 0; i < count; i++) {
    const struct fed__image_entry *entry = fed__image_list_at(&self->list, rows[i]);
    const uint8_t *pixels = self->pixels ? self->pixels + rows[i] * self->bytes : self->size.pixels;
    if (self->target == FED__TARGET_CLASS)
      ((int64_t *)batch->target.data)[i] = entry->label;
    else
      ((float *)batch->target.data)[i] = entry->number;
    if (!batch->inputs[0].data) continue;
    if (!self->pixels) FED_TRY(load(self, rows[i]));
    convert(self, pixels, (float *)batch->inputs[0].data + i * self->bytes);
  }
  return FED_OK;
}

static int share(struct fed_examples *examples, struct fed_examples **other) {
  return fed__shared_examples_new(((struct image_examples *)examples)->context, examples, other);
}

/* ---- all images ----------------------------------------------------------------------------- */

static void free_images(struct fed_examples *examples) {
  struct image_examples *self = (struct image_examples *)examples;
  const struct fed_context *context = self->context;
  fed__image_list_clear(&self->list);
  fed_buffer_clear(&self->file);
  fed__free(context, self->size.pixels);
  fed__free(context, self->pixels);
  fed__free(context, self->folder);
  fed__free(context, examples->spec.inputs[0].name);
  fed__free(context, self);
}

static int check_schema(const struct fed__dataset_schema *schema) {
  const struct fed__input_schema *input = &schema->inputs[0];
  const int64_t *dims = input->shape.dims;
  if (schema->input_count != 1 || input->kind != FED__INPUT_NUMBERS)
    return FED_RAISE(FED_E_INPUT, "a dataset of images has one input, of numbers");
  if (schema->target.kind == FED__TARGET_NEXT || schema->target.shape.rank)
    return FED_RAISE(FED_E_INPUT, "the target of images is a class or one number");
  if (input->shape.rank != 3 || (dims[0] != 1 && dims[0] != 3) || dims[1] < 1 || dims[2] < 1 ||
      dims[1] > FED__IMAGE_SIDE_MAX || dims[2] > FED__IMAGE_SIDE_MAX ||
      (uint64_t)dims[1] * (uint64_t)dims[2] > FED__IMAGE_PIXELS_MAX)
    return FED_RAISE(FED_E_SHAPE,
                     "'%s': images need a shape [channels, height, width] with 1 or 3 channels and "
                     "sides up to %u",
                     input->file, FED__IMAGE_SIDE_MAX);
  return fed__dataset_check_scale(input->file, input);
}

/* (byte * scale + offset - mean) / std */
static int make_values(struct image_examples *self, const struct fed__dataset_schema *schema) {
  const struct fed__images_schema *images = &schema->images;
  const struct fed__input_schema *input = &schema->inputs[0];
  const double scale = input->scale != 0 ? input->scale : BYTE_SCALE;
  for (uint32_t c = 0; c < self->size.channels; c++) {
    const double mean = images->mean ? images->mean[c] : 0, std = images->std ? images->std[c] : 1;
    for (int byte = 0; byte < 256; byte++) {
      self->values[c][byte] = (float)((byte * scale + input->offset - mean) / std);
      if (!isfinite(self->values[c][byte]))
        return FED_RAISE(FED_E_NOT_FINITE,
                         "'%s': channel %u with mean %g and standard deviation %g is not finite",
                         input->file, c, mean, std);
    }
  }
  return FED_OK;
}

static int check_channels(const struct fed__images_schema *images, uint32_t channels) {
  if ((!images->mean || images->mean_count == channels) &&
      (!images->std || images->std_count == channels))
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "expected a mean and a standard deviation for each of %u channels, the job has "
                   "%zu and %zu",
                   channels, images->mean_count, images->std_count);
}

static int set_up(struct image_examples *self, const struct fed__dataset_schema *schema) {
  const struct fed__input_schema *input = &schema->inputs[0];
  struct fed_example_spec *spec = &self->examples.spec;
  spec->input_count = 1;
  spec->inputs[0].dtype = FED_F32;
  spec->inputs[0].shape = input->shape;
  spec->target.dtype = schema->target.kind == FED__TARGET_CLASS ? FED_I64 : FED_F32;
  self->target = schema->target.kind;
  self->fit = schema->images.fit;
  self->size = (struct fed__image){.context = self->context,
                                   .channels = (uint32_t)input->shape.dims[0],
                                   .height = (uint32_t)input->shape.dims[1],
                                   .width = (uint32_t)input->shape.dims[2]};
  self->bytes = (size_t)self->size.channels * self->size.height * self->size.width;
  FED_TRY(check_channels(&schema->images, self->size.channels));
  FED_TRY(make_values(self, schema));
  self->size.pixels = fed__alloc(self->context, self->bytes);
  if (!self->size.pixels) return FED_E_MEMORY;
  if (input->name && !(spec->inputs[0].name = fed__copy_text(self->context, input->name)))
    return FED_E_MEMORY;
  return FED_OK;
}

static int load_all(struct image_examples *self, uint64_t memory_max) {
  const size_t count = self->examples.count;
  if (count <= memory_max / self->bytes) {
    self->pixels = fed__alloc(self->context, count * self->bytes);
    if (!self->pixels) return FED_E_MEMORY;
  }
  for (size_t i = 0; i < count; i++) {
    FED_TRY(load(self, i));
    if (self->pixels) memcpy(self->pixels + i * self->bytes, self->size.pixels, self->bytes);
  }
  if (self->pixels) {
    self->examples.share = share;
    fed_buffer_clear(&self->file);
  }
  return FED_OK;
}

static int open_all(struct image_examples *self, const char *folder,
                    const struct fed__dataset_schema *schema, uint64_t memory_max) {
  self->folder = fed__copy_text(self->context, folder);
  if (!self->folder) return FED_E_MEMORY;
  fed_buffer_init(&self->file, self->context, FED__IMAGE_FILE_BYTES_MAX);
  FED_TRY(set_up(self, schema));
  FED_TRY(fed__image_list_init(&self->list, self->context, folder, schema));
  FED_TRY(fed__dataset_check_count(schema->inputs[0].file, self->list.count));
  self->examples.count = self->list.count;
  return load_all(self, memory_max);
}

int fed__image_examples_open(const struct fed_context *context, const char *folder,
                             const struct fed__dataset_schema *schema, uint64_t memory_max,
                             struct fed_examples **examples) {
  FED_TRY(check_schema(schema));
  struct image_examples *self = fed__zalloc(context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  self->context = context;
  self->examples = (struct fed_examples){.gather = gather, .free = free_images};
  const int code = open_all(self, folder, schema, memory_max);
  if (code == FED_OK) {
    *examples = &self->examples;
  } else {
    free_images(&self->examples);
  }
  return code;
}
