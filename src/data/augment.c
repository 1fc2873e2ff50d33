/* SPDX-License-Identifier: Apache-2.0
 *
 * augment.c: the wrapper. Memory: two examples.
 */
#include "data/augment.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include <math.h>

struct augmented {
  struct fed_examples examples;
  const struct fed_context *context;
  struct fed_examples *inner;
  struct fed__augment_schema augment;
  uint32_t classes; /* of probabilities; 0: targets stay as they are */
  int is_in_pass;
  uint64_t seed, drawn;    /* of the pass, and its examples so far */
  struct fed__plane plane; /* of the first input */
  size_t elements;         /* of the first input */
  float *scratch;          /* as large */
  struct fed_batch other;  /* the second example of mixup */
};

int fed__augment_is_wanted(const struct fed__dataset_schema *schema) {
  const struct fed__augment_schema *augment = &schema->augment;
  return schema->target.probabilities || augment->crop_padding || augment->flip ||
         augment->rotate_degrees > 0 || augment->noise > 0 || augment->mixup > 0;
}

/* ---- changing one example ------------------------------------------------------------------- */

static int is_geometric(const struct fed__augment_schema *augment) {
  return augment->crop_padding || augment->flip || augment->rotate_degrees > 0;
}

static int64_t draw_shift(struct fed_rng *rng, uint32_t padding) {
  return (int64_t)fed__rng_below(rng, 2 * (uint64_t)padding + 1) - padding;
}

static void move_planes(const struct augmented *self, struct fed_rng *rng, float *values) {
  const size_t plane = self->plane.height * self->plane.width;
  const int64_t down = draw_shift(rng, self->augment.crop_padding);
  const int64_t right = draw_shift(rng, self->augment.crop_padding);
  const int flip = self->augment.flip && fed__rng_below(rng, 2);
  memcpy(self->scratch, values, self->elements * sizeof *values);
  for (size_t at = 0; at < self->elements; at += plane)
    fed__augment_shift(&self->plane, self->scratch + at, down, right, flip, values + at);
}

static void turn_planes(const struct augmented *self, struct fed_rng *rng, float *values) {
  const size_t plane = self->plane.height * self->plane.width;
  const double degrees = self->augment.rotate_degrees * (2 * fed__rng_unit(rng) - 1);
  memcpy(self->scratch, values, self->elements * sizeof *values);
  for (size_t at = 0; at < self->elements; at += plane)
    fed__augment_rotate(&self->plane, self->scratch + at, degrees * (M_PI / 180), values + at);
}

static void change(const struct augmented *self, struct fed_rng *rng, float *values) {
  const struct fed__augment_schema *augment = &self->augment;
  if (augment->crop_padding || augment->flip) move_planes(self, rng, values);
  if (augment->rotate_degrees > 0) turn_planes(self, rng, values);
  for (size_t i = 0; i < self->elements && augment->noise > 0; i++)
    values[i] += (float)(augment->noise * fed__rng_normal(rng));
}

/* Beta(alpha, alpha). When both gammas underflow (tiny alpha) it is 0 or 1, the limit. */
static double draw_share(struct fed_rng *rng, double alpha) {
  const double first = fed__rng_gamma(rng, alpha), second = fed__rng_gamma(rng, alpha);
  if (first + second > 0) return first / (first + second);
  return (double)fed__rng_below(rng, 2);
}

static void blend(const struct fed_tensor *spec, double share, float *values, const float *other) {
  const size_t count = fed_tensor_elements(spec);
  for (size_t i = 0; i < count; i++)
    values[i] = (float)(share * (double)values[i] + (1 - share) * (double)other[i]);
}

/* ---- gathering ------------------------------------------------------------------------------ */

/* The batch from its at-th example on. */
static struct fed_batch shifted(const struct augmented *self, const struct fed_batch *batch,
                                size_t at) {
  const struct fed_example_spec *spec = &self->examples.spec;
  struct fed_batch view = {.count = 1};
  for (size_t k = 0; k < spec->input_count; k++)
    if (batch->inputs[k].data)
      view.inputs[k].data =
          (uint8_t *)batch->inputs[k].data + at * fed_tensor_bytes(&spec->inputs[k]);
  view.target.data = (uint8_t *)batch->target.data + at * fed_tensor_bytes(&spec->target);
  return view;
}

static int gather_plain(struct augmented *self, uint32_t row, const struct fed_batch *out) {
  struct fed_batch view = *out;
  int64_t label = 0;
  if (!self->classes) return self->inner->gather(self->inner, &row, 1, &view);
  view.target.data = &label;
  FED_TRY(self->inner->gather(self->inner, &row, 1, &view));
  float *probabilities = out->target.data;
  for (uint32_t i = 0; i < self->classes; i++) probabilities[i] = (int64_t)i == label;
  return FED_OK;
}

static int gather_changed(struct augmented *self, uint32_t row, uint64_t half,
                          const struct fed_batch *out) {
  struct fed_rng rng;
  FED_TRY(gather_plain(self, row, out));
  fed__rng_init(&rng, self->seed, "augment", self->drawn, half);
  if (out->inputs[0].data) change(self, &rng, out->inputs[0].data);
  return FED_OK;
}

static int mix(struct augmented *self, const uint32_t *rows, size_t count,
               const struct fed_batch *out) {
  const struct fed_example_spec *spec = &self->examples.spec;
  struct fed_rng rng;
  fed__rng_init(&rng, self->seed, "augment.mixup", self->drawn, 0);
  const uint32_t row = rows[fed__rng_below(&rng, count)];
  const double share = draw_share(&rng, self->augment.mixup);
  FED_TRY(gather_changed(self, row, 1, &self->other));
  for (size_t k = 0; k < spec->input_count; k++)
    if (out->inputs[k].data)
      blend(&spec->inputs[k], share, out->inputs[k].data, self->other.inputs[k].data);
  blend(&spec->target, share, out->target.data, self->other.target.data);
  return FED_OK;
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct augmented *self = (struct augmented *)examples;
  for (size_t i = 0; i < count; i++) {
    const struct fed_batch out = shifted(self, batch, i);
    if (!self->is_in_pass) {
      FED_TRY(gather_plain(self, rows[i], &out));
      continue;
    }
    FED_TRY(gather_changed(self, rows[i], 0, &out));
    if (self->augment.mixup > 0) FED_TRY(mix(self, rows, count, &out));
    self->drawn++;
  }
  return FED_OK;
}

static void begin_pass(struct fed_examples *examples, uint64_t seed) {
  struct augmented *self = (struct augmented *)examples;
  self->is_in_pass = 1;
  self->seed = seed;
  self->drawn = 0;
}

static void end_pass(struct fed_examples *examples) {
  ((struct augmented *)examples)->is_in_pass = 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void free_shell(struct augmented *self) {
  for (size_t k = 0; k < FED_INPUTS_MAX; k++) fed__free(self->context, self->other.inputs[k].data);
  fed__free(self->context, self->other.target.data);
  fed__free(self->context, self->scratch);
  fed__free(self->context, self);
}

static void free_augmented(struct fed_examples *examples) {
  struct augmented *self = (struct augmented *)examples;
  fed_examples_free(self->inner);
  free_shell(self);
}

static int use_plane(struct augmented *self) {
  const struct fed_shape *shape = &self->examples.spec.inputs[0].shape;
  char text[96];
  if (!is_geometric(&self->augment)) return FED_OK;
  if (shape->rank != 2 && shape->rank != 3)
    return FED_RAISE(FED_E_SHAPE,
                     "crops, flips and rotations need an input of shape [channels, height, width] "
                     "or [height, width], the first input has %s",
                     fed_shape_format(shape, text, sizeof text));
  self->plane.height = (size_t)shape->dims[shape->rank - 2];
  self->plane.width = (size_t)shape->dims[shape->rank - 1];
  return FED_OK;
}

static int use_probabilities(struct augmented *self, const struct fed__target_schema *target) {
  struct fed_tensor *spec = &self->examples.spec.target;
  if (!target->probabilities && self->augment.mixup > 0)
    return FED_RAISE(FED_E_INPUT, "mixup makes class probabilities, which the loss must want");
  if (!target->probabilities) return FED_OK;
  if (target->kind != FED__TARGET_CLASS || target->classes == 0)
    return FED_RAISE(FED_E_INPUT, "only a class target has class probabilities");
  self->classes = target->classes;
  spec->dtype = FED_F32;
  spec->shape = (struct fed_shape){1, {target->classes}};
  return FED_OK;
}

static int make_room(struct augmented *self) {
  const struct fed_example_spec *spec = &self->examples.spec;
  self->scratch = fed__zalloc(self->context, self->elements, sizeof *self->scratch);
  if (!self->scratch) return FED_E_MEMORY;
  for (size_t k = 0; k < spec->input_count && self->augment.mixup > 0; k++) {
    if (spec->inputs[k].dtype != FED_F32)
      return FED_RAISE(FED_E_INPUT, "mixup needs inputs of numbers, input %zu has indices", k);
    self->other.inputs[k].data = fed__alloc(self->context, fed_tensor_bytes(&spec->inputs[k]));
    if (!self->other.inputs[k].data) return FED_E_MEMORY;
  }
  self->other.target.data = fed__alloc(self->context, fed_tensor_bytes(&spec->target));
  return self->other.target.data ? FED_OK : FED_E_MEMORY;
}

static int set_up(struct augmented *self, const struct fed__dataset_schema *schema) {
  const struct fed_tensor *first = &self->examples.spec.inputs[0];
  const int changes = is_geometric(&self->augment) || self->augment.noise > 0;
  if (changes && first->dtype != FED_F32)
    return FED_RAISE(FED_E_INPUT, "the first input has indices: there is nothing to augment");
  self->elements = fed_tensor_elements(first);
  FED_TRY(use_plane(self));
  FED_TRY(use_probabilities(self, &schema->target));
  return make_room(self);
}

static int share(struct fed_examples *examples, struct fed_examples **other) {
  const struct augmented *self = (struct augmented *)examples;
  struct augmented *made = fed__zalloc(self->context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->examples = self->examples;
  made->context = self->context;
  made->augment = self->augment;
  made->classes = self->classes;
  made->plane = self->plane;
  made->elements = self->elements;
  int code = make_room(made);
  if (code == FED_OK) code = self->inner->share(self->inner, &made->inner);
  if (code == FED_OK)
    *other = &made->examples;
  else
    free_shell(made);
  return code;
}

int fed__augment_new(const struct fed_context *context, const struct fed__dataset_schema *schema,
                     struct fed_examples *inner, struct fed_examples **examples) {
  struct augmented *self = fed__zalloc(context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  self->examples = (struct fed_examples){.gather = gather,
                                         .begin_pass = begin_pass,
                                         .end_pass = end_pass,
                                         .free = free_augmented,
                                         .share = inner->share ? share : NULL,
                                         .count = inner->count,
                                         .spec = inner->spec};
  self->context = context;
  self->inner = inner;
  self->augment = schema->augment;
  const int code = set_up(self, schema);
  if (code != FED_OK) {
    free_shell(self);
    return code;
  }
  *examples = &self->examples;
  return FED_OK;
}
