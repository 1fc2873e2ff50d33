/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_conv.c: which convolutions are done with images side by side, and the memory for it.
 */
#include "train/kernels/vector/lane_conv.h"

#include "base/memory.h"
#include "base/raise.h"
#include "train/kernels/instance.h"

#include <string.h>

const struct fed__lane_conv *fed__lane_conv_find(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return &fed__lane_conv_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &fed__lane_conv_avx2;
#endif
  return NULL;
}

struct state {
  const struct fed__lane_conv *code;
  struct fed__lane_room room;
};

/* ---- which shapes ---- */

static int fits_axis(const struct fed_window *window, int axis) {
  const int64_t kernel = window->kernel[axis];
  const int64_t padded = window->in[axis] + window->pad_before[axis] + window->pad_after[axis];
  return window->stride[axis] == 1 && window->dilation[axis] == 1 &&
         window->pad_before[axis] < kernel && window->pad_after[axis] < kernel &&
         window->out[axis] == padded - kernel + 1;
}

int fed__lane_conv_fits(const struct fed_conv *shape) {
  const struct fed_window *window = &shape->window;
  return shape->groups == 1 && window->in[0] == 1 && window->kernel[0] == 1 &&
         window->out[0] == 1 && fits_axis(window, 1) && fits_axis(window, 2);
}

/* ---- memory ---- */

#define BYTES_MAX (2 << 20) /* what a processor has close by */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static struct fed__framed_planes frame(int64_t count, const int64_t inside[FED_SPATIAL],
                                       const int64_t before[FED_SPATIAL],
                                       const int64_t after[FED_SPATIAL]) {
  const int64_t row = inside[2] + before[2] + after[2];
  return (struct fed__framed_planes){.row = row,
                                     .plane = row * (inside[1] + before[1] + after[1]),
                                     .above = before[1],
                                     .left = before[2],
                                     .count = count,
                                     .high = inside[1],
                                     .wide = inside[2]};
}

static int64_t weight_count(const struct fed_conv *shape) {
  return shape->in_channels * shape->out_channels * shape->window.kernel[1] *
         shape->window.kernel[2];
}

/* In vectors, of y or dx, whichever is larger. */
static int64_t out_count(const struct fed_conv *shape) {
  const struct fed_window *window = &shape->window;
  return larger(shape->in_channels * window->in[1] * window->in[2],
                shape->out_channels * window->out[1] * window->out[2]);
}

/* The planes' frames; what all of it takes. dx is a correlation with the kernel turned round, and
 * its padding is what x's lacks to a whole kernel. */
static size_t lay_out(const struct fed_conv *shape, int64_t lanes, struct fed__lane_room *room) {
  const struct fed_window *window = &shape->window;
  int64_t before[FED_SPATIAL], after[FED_SPATIAL];
  for (int axis = 0; axis < FED_SPATIAL; axis++) {
    before[axis] = window->kernel[axis] - 1 - window->pad_before[axis];
    after[axis] = window->kernel[axis] - 1 - window->pad_after[axis];
  }
  room->x = frame(shape->in_channels, window->in, window->pad_before, window->pad_after);
  room->dy = frame(shape->out_channels, window->out, before, after);
  const int64_t vectors = room->x.count * room->x.plane + room->dy.count * room->dy.plane +
                          out_count(shape) + weight_count(shape) + shape->out_channels + 1;
  return (size_t)(vectors * lanes + weight_count(shape)) * sizeof(float);
}

static int allocate(struct fed_kernel_instance *instance, struct state *state) {
  const struct fed_conv *shape = &instance->conv;
  struct fed__lane_room *room = &state->room;
  const int64_t lanes = state->code->lanes;
  const size_t bytes = lay_out(shape, lanes, room), vector = (size_t)lanes * sizeof(float);
  room->allocation = fed__zalloc(instance->context, 1, bytes);
  if (!room->allocation) return FED_E_MEMORY;
  instance->bytes += bytes;
  float *next = (float *)(((uintptr_t)room->allocation + vector - 1) / vector * vector);
  room->x.at = next;
  room->dy.at = next += room->x.count * room->x.plane * lanes;
  room->out = next += room->dy.count * room->dy.plane * lanes;
  room->sums = next += out_count(shape) * lanes;
  room->weights = next + (weight_count(shape) + shape->out_channels) * lanes;
  return FED_OK;
}

/* A batch that leaves more than half of the lanes empty is none; a vector of 16 channels has as
 * many empty ones if there are few. (Up to 3 in are images, whose gradient nobody wants.) */
int fed__lane_conv_pays(const struct fed_conv *shape, const struct fed__lane_conv *code) {
  struct fed__lane_room room;
  const int64_t groups = (shape->batch + code->lanes - 1) / code->lanes;
  const int few = shape->out_channels < 16 ||
                  (shape->in_channels > 3 && shape->in_channels < 16 && shape->out_channels <= 32);
  return few && fed__lane_conv_fits(shape) && 2 * shape->batch >= groups * code->lanes &&
         lay_out(shape, code->lanes, &room) <= BYTES_MAX;
}

static void free_state(struct fed_kernel_instance *instance) {
  struct state *state = instance->state;
  fed__free(instance->context, state->room.allocation);
  fed__free(instance->context, state);
}

static int attach_state(struct fed_kernel_instance *instance, const struct fed__lane_conv *code) {
  struct state *state = fed__zalloc(instance->context, 1, sizeof *state);
  if (!state) return FED_E_MEMORY;
  instance->state = state;
  instance->state_free = free_state;
  instance->bytes += sizeof *state;
  state->code = code;
  return allocate(instance, state);
}

int fed__lane_conv_new(const struct fed_context *context, const struct fed_conv *shape,
                       const struct fed__lane_conv *code, struct fed_kernel_instance **instance) {
  FED_TRY(fed__conv_instance_new(context, shape, instance));
  const int code_of_state = attach_state(*instance, code);
  if (code_of_state == FED_OK) return FED_OK;
  fed__kernel_instance_free(*instance);
  *instance = NULL;
  return code_of_state;
}

/* ---- running ---- */

int fed__lane_conv_made(const struct fed_kernel_instance *instance) {
  return instance->state_free == free_state;
}

void fed__lane_conv_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                            const void *bias, void *y) {
  const struct state *state = instance->state;
  state->code->forward(&instance->conv, &state->room, x, w, bias, y);
}

void fed__lane_conv_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                             const void *dy, void *dx, void *dw, void *dbias) {
  const struct state *state = instance->state;
  state->code->backward(&instance->conv, &state->room, x, w, dy, dx, dw, dbias);
}
