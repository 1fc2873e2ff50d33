/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c: loading an ONNX file, and what a model tells about itself. The decoded message stays
 * with the model (names, constants, everything that export writes back); the parameters exist
 * once, in the parameter set.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

static void *message_alloc(void *self, size_t size) {
  struct fed__message_memory *memory = self;
  void *pointer = fed__alloc(memory->context, size);
  if (!pointer) memory->exhausted = 1;
  return pointer;
}

static void message_free(void *self, void *pointer) {
  struct fed__message_memory *memory = self;
  fed__free(memory->context, pointer);
}

int fed__onnx_decode(struct fed_model *model, struct fed_slice onnx) {
  struct fed__message_memory *memory = &model->memory;
  *memory = (struct fed__message_memory){.context = model->context};
  memory->allocator = (ProtobufCAllocator){message_alloc, message_free, memory};
  if (onnx.size == 0) return FED_RAISE(FED_E_EMPTY, "the ONNX file is empty");
  FED_TRY(fed__onnx_scan(&onnx__model_proto__descriptor, onnx));
  model->file_bytes = onnx.size;
  model->message = onnx__model_proto__unpack(&memory->allocator, onnx.size, onnx.data);
  if (memory->exhausted) return FED_RAISE(FED_E_MEMORY, "out of memory decoding the ONNX file");
  if (!model->message)
    return FED_RAISE(FED_E_SYNTAX, "not an ONNX file: the protobuf decoder refused it");
  return FED_OK;
}

struct fed__made {
  struct fed__made *next;
  _Alignas(16) unsigned char bytes[];
};

void *fed__model_alloc(struct fed_model *model, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
    FED_RAISE(FED_E_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
    return NULL;
  }
  struct fed__made *content = fed__zalloc(model->context, sizeof *content + bytes, 1);
  if (!content) return NULL;
  content->next = model->made;
  model->made = content;
  return content->bytes;
}

/* Cross entropy's target: one label for every position of the output, [N, classes, positions…]. */
static void derive_target(struct fed_model *model) {
  const struct fed_shape *output = &model->shapes.values[model->output].shape;
  struct fed_tensor *target = &model->spec.target;
  *target = (struct fed_tensor){.name = "target", .dtype = FED_I64};
  for (uint32_t i = 2; i < output->rank; i++)
    target->shape.dims[target->shape.rank++] = output->dims[i];
}

static int check_output(const struct fed_model *model) {
  const struct fed__known *output = &model->shapes.values[model->output];
  char shape[128];
  if (output->dtype != FED_F32 || (output->shape.rank && output->shape.dims[0] != 1))
    return FED_RAISE(FED_E_SHAPE,
                     "output '%s' should be float32 with the batch as first dimension (or a "
                     "single number, a loss), but is %s %s for a batch of 1",
                     model->values[model->output].name, fed_dtype_name(output->dtype),
                     fed_shape_format(&output->shape, shape, sizeof shape));
  return FED_OK;
}

static int load(struct fed_model *model, struct fed_slice onnx,
                const struct fed_model_options *options) {
  model->statistics = options->statistics;
  FED_TRY(fed__onnx_decode(model, onnx));
  FED_TRY(fed__graph_build(model, options, NULL, 0));
  FED_TRY(fed__trainable_choose(model, options));
  FED_TRY(fed__shapes_infer(model, 1, &model->shapes));
  FED_TRY(check_output(model));
  derive_target(model);
  return FED_OK;
}

int fed_model_load(const struct fed_context *context, struct fed_slice onnx,
                   const struct fed_model_options *options, struct fed_model **model) {
  const struct fed_model_options as_the_file_says = {0};
  *model = NULL;
  struct fed_model *loading = fed__zalloc(context, 1, sizeof *loading);
  if (!loading) return FED_E_MEMORY;
  loading->context = context;
  int code = load(loading, onnx, options ? options : &as_the_file_says);
  if (code == FED_OK)
    *model = loading;
  else
    fed_model_free(loading);
  return code;
}

void fed_model_free(struct fed_model *model) {
  if (!model) return;
  const struct fed_context *context = model->context;
  fed__shapes_clear(&model->shapes);
  fed_params_clear(&model->params);
  fed_params_clear(&model->local_params);
  fed__free(context, model->edges);
  fed__free(context, model->nodes);
  fed__free(context, model->values);
  fed__free(context, model->initializers);
  fed__function_defaults_clear(model);
  while (model->made) {
    struct fed__made *made = model->made;
    model->made = made->next;
    fed__free(context, made);
  }
  if (model->message) onnx__model_proto__free_unpacked(model->message, &model->memory.allocator);
  fed__free(context, model);
}

const struct fed_params *fed_model_params(const struct fed_model *model) { return &model->params; }

size_t fed_model_trained_count(const struct fed_model *model) { return model->trained_count; }

const struct fed_params *fed_model_local_params(const struct fed_model *model) {
  return &model->local_params;
}

const struct fed_example_spec *fed_model_inputs(const struct fed_model *model) {
  return &model->spec;
}
