/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_conv.c: convolutions on oneDNN. Its fast code wants channels in blocks of 8 or 16, so each
 * pass copies its operands into the layout that oneDNN asks for and its result back. On a Zen 5
 * core (batch 32, 16 → 32 channels, 14 × 14, 5 × 5) a pass makes 250 Gflop/s so, 90 without.
 *
 * An instance owns room for one blocked copy each of x, y and w (shared by the passes, which come
 * one after the other) and oneDNN's scratch memory: about the bytes of x + y + w in all. Calls
 * allocate nothing but the few words of oneDNN's argument list.
 *
 * Kernels of 3 × 3 over 32 channels and more may go by Winograd's F(4 × 4, 3 × 3), forward and back
 * to the data, where oneDNN has it (AVX-512): a quarter of the products. Its transforms amplify
 * rounding, each error being a part of its tile's results. Root mean squares, relative to that of
 * the results (tests/unit/train/test_winograd.c bounds them):
 *
 *   channels        32        64       128       256
 *   tiles       6.2e-7    7.8e-7    1.1e-6    1.5e-6
 *   direct      2.1e-7    2.1e-7    2.2e-7    2.2e-7
 *   plain C     3.0e-7    4.1e-7    5.9e-7    8.0e-7
 *
 * Back to the weights it is always direct: by tiles a gradient that is zero would be what rounding
 * leaves of its neighbours', which Adam turns into steps.
 *
 * What oneDNN does not implement, and what fails inside it, is left to the reference.
 */
#include "train/kernels/onednn/onednn_conv.h"

#include "base/memory.h"
#include "base/raise.h"
#include "train/kernels/instance.h"
#include "train/kernels/onednn/onednn_library.h"

enum region { REGION_X, REGION_Y, REGION_W, REGION_BIAS, REGION_SCRATCH, REGION_COUNT };
enum pass_name { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, PASS_COUNT };

/* One argument of a primitive: the caller's array and, if oneDNN wants another layout, the blocked
 * copy with the primitive that makes it (or, for a result, copies it back). */
struct port {
  enum region region;
  int argument, is_result;
  dnnl_memory_t plain, blocked;
  dnnl_primitive_t reorder;
  int is_there; /* if the pass before has run: it wanted the same copy of dy */
};

struct pass {
  dnnl_primitive_t primitive;
  dnnl_memory_t scratch;
  struct port ports[4];
  int port_count;
};

struct onednn_conv {
  const struct fed__onednn *library;
  dnnl_stream_t stream;
  struct pass passes[PASS_COUNT];
  dnnl_memory_desc_t dy_for_data;    /* its layout in the pass backward to data */
  size_t region_bytes[REGION_COUNT]; /* the largest that any pass needs */
  void *workspace;
  void *unwanted_bias; /* in the workspace */
};

#define DNNL_TRY(call)                                                                             \
  do {                                                                                             \
    const dnnl_status_t dnnl_try_status_ = (call);                                                 \
    if (dnnl_try_status_ != dnnl_success) return dnnl_try_status_;                                 \
  } while (0)

/* ---- making the primitives ---- */

/* The operands as the caller has them, and as oneDNN may have what it writes (float32) and what it
 * reads (float32 or bfloat16). */
struct layouts {
  dnnl_memory_desc_t plain[REGION_SCRATCH];
  dnnl_memory_desc_t result[REGION_SCRATCH];
  dnnl_memory_desc_t operand[REGION_SCRATCH];
};

/* The first spatial dimension that oneDNN is told about: two are its fastest case. */
static int first_axis(const struct fed_window *window) {
  return window->in[0] == 1 && window->out[0] == 1 && window->kernel[0] == 1 &&
         window->pad_before[0] == 0;
}

/* [a, b, spatial…] */
static int set_dims(dnnl_dims_t dims, int64_t a, int64_t b, const int64_t *spatial, int first) {
  int rank = 0;
  dims[rank++] = a;
  dims[rank++] = b;
  for (int axis = first; axis < FED_SPATIAL; axis++) dims[rank++] = spatial[axis];
  return rank;
}

static dnnl_status_t describe(const struct fed__onednn *library, const struct fed_conv *conv,
                              struct layouts *layouts) {
  static const dnnl_format_tag_t dense[] = {
      [1] = dnnl_a, [4] = dnnl_abcd, [5] = dnnl_abcde, [6] = dnnl_abcdef};
  const struct fed_window *window = &conv->window;
  const int64_t groups = conv->groups, ins = conv->in_channels / groups;
  const int first = first_axis(window), grouped = groups > 1;
  dnnl_dims_t dims[REGION_SCRATCH] = {[REGION_BIAS] = {conv->out_channels}, [REGION_W] = {groups}};
  const int ranks[REGION_SCRATCH] = {
      [REGION_X] = set_dims(dims[REGION_X], conv->batch, conv->in_channels, window->in, first),
      [REGION_Y] = set_dims(dims[REGION_Y], conv->batch, conv->out_channels, window->out, first),
      [REGION_W] = set_dims(dims[REGION_W] + grouped, conv->out_channels / groups, ins,
                            window->kernel, first) +
                   grouped,
      [REGION_BIAS] = 1,
  };
  for (int i = 0; i < REGION_SCRATCH; i++) {
    DNNL_TRY(library->memory_desc_init_by_tag(&layouts->plain[i], ranks[i], dims[i], dnnl_f32,
                                              dense[ranks[i]]));
    DNNL_TRY(library->memory_desc_init_by_tag(&layouts->result[i], ranks[i], dims[i], dnnl_f32,
                                              dnnl_format_tag_any));
    DNNL_TRY(library->memory_desc_init_by_tag(&layouts->operand[i], ranks[i], dims[i],
                                              conv->rounds ? dnnl_bf16 : dnnl_f32,
                                              dnnl_format_tag_any));
  }
  return dnnl_success;
}

struct geometry {
  dnnl_dims_t stride, gap, before, after;
};

/* The padding behind goes exactly as far as the last window reaches; oneDNN insists on it. */
static struct geometry describe_window(const struct fed_window *window) {
  struct geometry geometry = {{0}};
  const int first = first_axis(window);
  for (int axis = first; axis < FED_SPATIAL; axis++) {
    const int64_t covered = (window->kernel[axis] - 1) * window->dilation[axis] + 1;
    geometry.stride[axis - first] = window->stride[axis];
    geometry.gap[axis - first] = window->dilation[axis] - 1;
    geometry.before[axis - first] = window->pad_before[axis];
    geometry.after[axis - first] = (window->out[axis] - 1) * window->stride[axis] + covered -
                                   window->in[axis] - window->pad_before[axis];
  }
  return geometry;
}

static dnnl_status_t init_descriptor(const struct fed__onednn *library, const struct fed_conv *conv,
                                     const struct layouts *layouts, dnnl_alg_kind_t algorithm,
                                     enum pass_name name, dnnl_convolution_desc_t *descriptor) {
  const struct geometry g = describe_window(&conv->window);
  const dnnl_memory_desc_t *in = layouts->operand, *out = layouts->result;
  const dnnl_memory_desc_t *bias = conv->has_bias ? &layouts->plain[REGION_BIAS] : NULL;
  if (name == FORWARD)
    return library->dilated_convolution_forward_desc_init(
        descriptor, dnnl_forward_training, algorithm, &in[REGION_X], &in[REGION_W], bias,
        &out[REGION_Y], g.stride, g.gap, g.before, g.after);
  if (name == BACKWARD_WEIGHTS)
    return library->dilated_convolution_backward_weights_desc_init(
        descriptor, dnnl_convolution_direct, &in[REGION_X], &out[REGION_W], bias, &in[REGION_Y],
        g.stride, g.gap, g.before, g.after);
  /* With few input channels a block of 16 is mostly padding; the plain layout is faster then. */
  if (conv->in_channels / conv->groups < 8 && conv->groups == 1 && !conv->rounds)
    in = out = layouts->plain;
  return library->dilated_convolution_backward_data_desc_init(
      descriptor, algorithm, &out[REGION_X], &layouts->operand[REGION_W], &in[REGION_Y], g.stride,
      g.gap, g.before, g.after);
}

static void note_region(struct onednn_conv *state, enum region region, size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  if (state->region_bytes[region] < rounded) state->region_bytes[region] = rounded;
}

static dnnl_status_t make_reorder(const struct fed__onednn *library, struct port *port,
                                  const dnnl_memory_desc_t *plain,
                                  const dnnl_memory_desc_t *blocked) {
  const dnnl_memory_desc_t *from = port->is_result ? blocked : plain;
  const dnnl_memory_desc_t *to = port->is_result ? plain : blocked;
  dnnl_primitive_desc_t made;
  DNNL_TRY(library->reorder_primitive_desc_create(&made, from, library->engine, to, library->engine,
                                                  NULL));
  const dnnl_status_t status = library->primitive_create(&port->reorder, made);
  library->primitive_desc_destroy(made);
  return status;
}

static dnnl_status_t add_port(struct onednn_conv *state, struct pass *pass,
                              const_dnnl_primitive_desc_t made, const struct layouts *layouts,
                              struct port wanted) {
  const struct fed__onednn *library = state->library;
  const dnnl_memory_desc_t *plain = &layouts->plain[wanted.region];
  const dnnl_memory_desc_t *blocked =
      library->primitive_desc_query_md(made, dnnl_query_exec_arg_md, wanted.argument);
  struct port *port = &pass->ports[pass->port_count++];
  *port = wanted;
  DNNL_TRY(library->memory_create(&port->plain, plain, library->engine, DNNL_MEMORY_NONE));
  if (wanted.argument == DNNL_ARG_DIFF_DST) {
    port->is_there = library->memory_desc_equal(&state->dy_for_data, blocked);
    state->dy_for_data = *blocked;
  }
  if (library->memory_desc_equal(plain, blocked)) return dnnl_success;
  DNNL_TRY(library->memory_create(&port->blocked, blocked, library->engine, DNNL_MEMORY_NONE));
  note_region(state, port->region, library->memory_desc_get_size(blocked));
  return make_reorder(library, port, plain, blocked);
}

static const struct port ports_of_pass[PASS_COUNT][4] = {
    [FORWARD] = {{REGION_X, DNNL_ARG_SRC, 0},
                 {REGION_W, DNNL_ARG_WEIGHTS, 0},
                 {REGION_Y, DNNL_ARG_DST, 1},
                 {REGION_BIAS, DNNL_ARG_BIAS, 0}},
    [BACKWARD_DATA] = {{REGION_Y, DNNL_ARG_DIFF_DST, 0},
                       {REGION_W, DNNL_ARG_WEIGHTS, 0},
                       {REGION_X, DNNL_ARG_DIFF_SRC, 1}},
    [BACKWARD_WEIGHTS] = {{REGION_X, DNNL_ARG_SRC, 0},
                          {REGION_Y, DNNL_ARG_DIFF_DST, 0},
                          {REGION_W, DNNL_ARG_DIFF_WEIGHTS, 1},
                          {REGION_BIAS, DNNL_ARG_DIFF_BIAS, 1}},
};

static dnnl_status_t make_pass(struct onednn_conv *state, enum pass_name name,
                               const_dnnl_primitive_desc_t made, const struct layouts *layouts,
                               int has_bias) {
  const struct fed__onednn *library = state->library;
  struct pass *pass = &state->passes[name];
  const int count = name != BACKWARD_DATA && has_bias ? 4 : 3;
  for (int i = 0; i < count; i++)
    DNNL_TRY(add_port(state, pass, made, layouts, ports_of_pass[name][i]));
  const dnnl_memory_desc_t *scratch =
      library->primitive_desc_query_md(made, dnnl_query_scratchpad_md, 0);
  DNNL_TRY(library->memory_create(&pass->scratch, scratch, library->engine, DNNL_MEMORY_NONE));
  note_region(state, REGION_SCRATCH, library->memory_desc_get_size(scratch));
  note_region(state, REGION_BIAS, library->memory_desc_get_size(&layouts->plain[REGION_BIAS]));
  return library->primitive_create(&pass->primitive, made);
}

/* The backward passes are told about the forward one: oneDNN wants it as a hint. */
static dnnl_status_t make_passes(struct onednn_conv *state, const struct fed_conv *conv,
                                 dnnl_alg_kind_t algorithm,
                                 const_dnnl_primitive_attr_t attributes) {
  const struct fed__onednn *library = state->library;
  struct layouts layouts;
  dnnl_primitive_desc_t made[PASS_COUNT] = {NULL};
  dnnl_status_t status = describe(library, conv, &layouts);
  for (int name = 0; name < PASS_COUNT && status == dnnl_success; name++) {
    dnnl_convolution_desc_t descriptor;
    status = init_descriptor(library, conv, &layouts, algorithm, name, &descriptor);
    if (status != dnnl_success) break;
    status = library->primitive_desc_create(&made[name], &descriptor, attributes, library->engine,
                                            made[FORWARD]);
    if (status == dnnl_success)
      status = make_pass(state, name, made[name], &layouts, conv->has_bias);
  }
  for (int name = 0; name < PASS_COUNT; name++)
    if (made[name]) library->primitive_desc_destroy(made[name]);
  return status;
}

static void free_pass(const struct fed__onednn *library, struct pass *pass) {
  for (int i = 0; i < pass->port_count; i++) {
    library->memory_destroy(pass->ports[i].plain);
    library->memory_destroy(pass->ports[i].blocked);
    library->primitive_destroy(pass->ports[i].reorder);
  }
  library->memory_destroy(pass->scratch);
  library->primitive_destroy(pass->primitive);
}

static void free_passes(struct onednn_conv *state) {
  for (int name = 0; name < PASS_COUNT; name++) free_pass(state->library, &state->passes[name]);
  memset(state->passes, 0, sizeof state->passes);
  memset(state->region_bytes, 0, sizeof state->region_bytes);
}

/* For few or small channels the tiles' overhead is more than what they save. */
static int winograd_pays(const struct fed_conv *conv) {
  const struct fed_window *window = &conv->window;
  int fits = conv->tiles && conv->groups == 1 && first_axis(window) == 1;
  for (int axis = 1; axis < FED_SPATIAL; axis++)
    fits &= window->kernel[axis] == 3 && window->stride[axis] == 1 && window->dilation[axis] == 1;
  return fits && conv->in_channels >= 32 && conv->out_channels >= 32 &&
         conv->in_channels * window->in[1] * window->in[2] >= 4096;
}

static dnnl_status_t make_state(struct onednn_conv *state, const struct fed_conv *conv) {
  const struct fed__onednn *library = state->library;
  dnnl_primitive_attr_t attributes;
  const dnnl_alg_kind_t algorithm =
      winograd_pays(conv) ? dnnl_convolution_winograd : dnnl_convolution_direct;
  DNNL_TRY(library->stream_create(&state->stream, library->engine, dnnl_stream_default_flags));
  DNNL_TRY(library->primitive_attr_create(&attributes));
  dnnl_status_t status =
      library->primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success) status = make_passes(state, conv, algorithm, attributes);
  if (status == dnnl_unimplemented && algorithm == dnnl_convolution_winograd) {
    free_passes(state);
    status = make_passes(state, conv, dnnl_convolution_direct, attributes);
  }
  library->primitive_attr_destroy(attributes);
  return status;
}

/* ---- the workspace ---- */

static dnnl_status_t place_pass(const struct fed__onednn *library, struct pass *pass,
                                void *const *regions) {
  for (int i = 0; i < pass->port_count; i++)
    if (pass->ports[i].blocked)
      DNNL_TRY(
          library->memory_set_data_handle(pass->ports[i].blocked, regions[pass->ports[i].region]));
  return library->memory_set_data_handle(pass->scratch, regions[REGION_SCRATCH]);
}

static int place_regions(struct fed_kernel_instance *instance) {
  struct onednn_conv *state = instance->state;
  size_t bytes = 64;
  for (int i = 0; i < REGION_COUNT; i++) bytes += state->region_bytes[i];
  state->workspace = fed__alloc(instance->context, bytes);
  if (!state->workspace) return FED_E_MEMORY;
  instance->bytes += bytes;
  void *regions[REGION_COUNT];
  uint8_t *next = (uint8_t *)(((uintptr_t)state->workspace + 63) / 64 * 64);
  for (int i = 0; i < REGION_COUNT; next += state->region_bytes[i++]) regions[i] = next;
  state->unwanted_bias = regions[REGION_BIAS];
  for (int name = 0; name < PASS_COUNT; name++)
    if (place_pass(state->library, &state->passes[name], regions) != dnnl_success)
      return FED_RAISE(FED_E_INTERNAL, "oneDNN refused the memory for a convolution");
  return FED_OK;
}

/* ---- instances ---- */

static void free_state(struct fed_kernel_instance *instance) {
  struct onednn_conv *state = instance->state;
  free_passes(state);
  state->library->stream_destroy(state->stream);
  fed__free(instance->context, state->workspace);
  fed__free(instance->context, state);
  instance->state = NULL;
}

/* The state stays NULL when oneDNN does not implement the shape. */
static int fill_state(struct fed_kernel_instance *instance) {
  struct onednn_conv *state = instance->state;
  const dnnl_status_t status = make_state(state, &instance->conv);
  if (status == dnnl_success) return place_regions(instance);
  if (status == dnnl_out_of_memory)
    return FED_RAISE(FED_E_MEMORY, "out of memory: oneDNN could not prepare a convolution");
  if (status != dnnl_unimplemented && status != dnnl_invalid_arguments)
    return FED_RAISE(FED_E_INTERNAL, "oneDNN refused a convolution with status %d", (int)status);
  instance->bytes -= sizeof *state;
  instance->state_free = NULL;
  free_state(instance);
  return FED_OK;
}

static int attach_state(struct fed_kernel_instance *instance) {
  const struct fed__onednn *library;
  FED_TRY(fed__onednn_load(&library));
  struct onednn_conv *state = fed__zalloc(instance->context, 1, sizeof *state);
  if (!state) return FED_E_MEMORY;
  state->library = library;
  instance->state = state;
  instance->state_free = free_state;
  instance->bytes += sizeof *state;
  const int thread_count = fed__onednn_begin(library);
  const int code = fill_state(instance);
  fed__onednn_end(library, thread_count);
  return code;
}

/* Groups of so few channels go through matrix products in oneDNN, most of which is overhead; only
 * for one to one channel over two dimensions it has code of its own. On a Zen 5 core the reference
 * takes a fifth to the same of the time then. */
static int reference_is_faster(const struct fed_conv *conv) {
  const int64_t ins = conv->in_channels / conv->groups, outs = conv->out_channels / conv->groups;
  const int is_volume = first_axis(&conv->window) == 0;
  if (conv->groups == 1 || (!is_volume && ins == 1 && outs == 1)) return 0;
  return ins < (is_volume ? 4 : 3);
}

int fed__onednn_conv_new(const struct fed_context *context, const struct fed_conv *shape,
                         struct fed_kernel_instance **instance) {
  FED_TRY(fed__conv_instance_new(context, shape, instance));
  if (reference_is_faster(shape)) return FED_OK;
  const int code = attach_state(*instance);
  if (code == FED_OK) return FED_OK;
  fed__kernel_instance_free(*instance);
  *instance = NULL;
  return code;
}

int fed__onednn_conv_new_tiled(const struct fed_context *context, const struct fed_conv *shape,
                               struct fed_kernel_instance **instance) {
  struct fed_conv tiled = *shape;
  tiled.tiles = 1;
  return fed__onednn_conv_new(context, &tiled, instance);
}

int fed__onednn_conv_new_bf16(const struct fed_context *context, const struct fed_conv *shape,
                              struct fed_kernel_instance **instance) {
  struct fed_conv rounding = *shape;
  rounding.rounds = 1;
  FED_TRY(fed__onednn_conv_new(context, &rounding, instance));
  if ((*instance)->state) return FED_OK;
  fed__kernel_instance_free(*instance);
  return fed__onednn_conv_new(context, shape, instance);
}

/* ---- running ---- */

static dnnl_status_t run_reorder(const struct onednn_conv *state, const struct port *port) {
  const dnnl_exec_arg_t arguments[2] = {
      {DNNL_ARG_FROM, port->is_result ? port->blocked : port->plain},
      {DNNL_ARG_TO, port->is_result ? port->plain : port->blocked},
  };
  return state->library->primitive_execute(port->reorder, state->stream, 2, arguments);
}

static dnnl_status_t run_reorders(const struct onednn_conv *state, const struct pass *pass,
                                  int results, int follows) {
  for (int i = 0; i < pass->port_count; i++)
    if (pass->ports[i].reorder && pass->ports[i].is_result == results &&
        !(follows && pass->ports[i].is_there))
      DNNL_TRY(run_reorder(state, &pass->ports[i]));
  return dnnl_success;
}

/* `follows`: backward to the weights after backward to data. */
static dnnl_status_t run_pass(const struct onednn_conv *state, enum pass_name name,
                              void *const *operands, int follows) {
  const struct fed__onednn *library = state->library;
  const struct pass *pass = &state->passes[name];
  dnnl_exec_arg_t arguments[5];
  for (int i = 0; i < pass->port_count; i++) {
    const struct port *port = &pass->ports[i];
    DNNL_TRY(library->memory_set_data_handle(port->plain, operands[port->region]));
    arguments[i] = (dnnl_exec_arg_t){port->argument, port->blocked ? port->blocked : port->plain};
  }
  arguments[pass->port_count] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, pass->scratch};
  DNNL_TRY(run_reorders(state, pass, 0, follows));
  DNNL_TRY(
      library->primitive_execute(pass->primitive, state->stream, pass->port_count + 1, arguments));
  return run_reorders(state, pass, 1, 0);
}

/* oneDNN takes operands that it only reads without const, too. */
static void *without_const(const void *pointer) { return (void *)(uintptr_t)pointer; }

void fed__onednn_conv_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                              const void *bias, void *y) {
  const struct onednn_conv *state = instance->state;
  dnnl_status_t status = dnnl_unimplemented;
  if (state) {
    void *operands[] = {without_const(x), y, without_const(w), without_const(bias)};
    const int thread_count = fed__onednn_begin(state->library);
    status = run_pass(state, FORWARD, operands, 0);
    fed__onednn_end(state->library, thread_count);
  }
  if (status != dnnl_success) fed__kernels_reference_f32.conv_forward(instance, x, w, bias, y);
}

/* A gradient by the bias that nobody wants comes with that of the weights nevertheless. */
static dnnl_status_t run_backward(const struct onednn_conv *state, const void *x, const void *w,
                                  const void *dy, void *dx, void *dw, void *dbias) {
  void *for_data[] = {dx, without_const(dy), without_const(w), NULL};
  void *for_weights[] = {without_const(x), without_const(dy), dw,
                         dbias ? dbias : state->unwanted_bias};
  if (dx) DNNL_TRY(run_pass(state, BACKWARD_DATA, for_data, 0));
  return dw ? run_pass(state, BACKWARD_WEIGHTS, for_weights, dx != NULL) : dnnl_success;
}

void fed__onednn_conv_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                               const void *dy, void *dx, void *dw, void *dbias) {
  const struct onednn_conv *state = instance->state;
  dnnl_status_t status = dnnl_unimplemented;
  if (state) {
    const int thread_count = fed__onednn_begin(state->library);
    status = run_backward(state, x, w, dy, dx, dw, dbias);
    fed__onednn_end(state->library, thread_count);
  }
  if (status != dnnl_success)
    fed__kernels_reference_f32.conv_backward(instance, x, w, dy, dx, dw, dbias);
  else if (dbias && !dw)
    fed__kernels_reference_f32.conv_backward(instance, x, w, dy, NULL, NULL, dbias);
}
