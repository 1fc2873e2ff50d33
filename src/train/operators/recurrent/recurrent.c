/* SPDX-License-Identifier: Apache-2.0
 *
 * recurrent.c: types, shapes and attributes of recurrent layers, and how much memory they want.
 */
#include "train/operators/recurrent/recurrent.h"
#include "base/raise.h"

static int read_directions(const struct fed__node *node, struct fed__recurrent *layer) {
  static const char *const names[] = {"forward", "reverse", "bidirectional", NULL};
  size_t direction;
  FED_TRY(fed__attribute_choice(node, "direction", names, &direction));
  layer->directions = direction == 2 ? 2 : 1;
  layer->reversed[0] = direction == 1;
  layer->reversed[1] = 1;
  return FED_OK;
}

static int read_attributes(const struct fed__node *node, const struct fed__recurrent_kind *kind,
                           struct fed__recurrent *layer) {
  FED_TRY(read_directions(node, layer));
  FED_TRY(fed__attribute_int(node, "layout", 0, &layer->batch_first));
  FED_TRY(fed__attribute_int(node, "hidden_size", 0, &layer->hidden));
  FED_TRY(fed__attribute_float(node, "clip", 0, &layer->clip));
  if (layer->batch_first != 0 && layer->batch_first != 1)
    return FED_RAISE(FED_E_UNSUPPORTED, "attribute 'layout' is %lld; supported are 0 and 1",
                     (long long)layer->batch_first);
  if (!(layer->clip >= 0))
    return FED_RAISE(FED_E_RANGE, "attribute 'clip' is %g; expected a positive number",
                     layer->clip);
  layer->variant = 0;
  if (kind->variant) FED_TRY(fed__attribute_int(node, kind->variant, 0, &layer->variant));
  return fed__gates_read(node, (size_t)layer->directions, kind->activations, kind->absent,
                         layer->activations);
}

static int expect_shape(const char *what, const struct fed_shape *found,
                        const struct fed_shape *expected) {
  char left[128], right[128];
  if (fed_shape_equal(found, expected)) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "input %s has shape %s; expected %s", what,
                   fed_shape_format(found, left, sizeof left),
                   fed_shape_format(expected, right, sizeof right));
}

static int read_extents(const struct fed_shape *x, const struct fed_shape *r,
                        const struct fed__recurrent_kind *kind, struct fed__recurrent *layer) {
  char text[128];
  if (x->rank != 3 || x->dims[0] < 1 || x->dims[1] < 1 || x->dims[2] < 1)
    return FED_RAISE(FED_E_SHAPE, "input X has shape %s; expected %s",
                     fed_shape_format(x, text, sizeof text),
                     layer->batch_first ? "[batch, steps, input]" : "[steps, batch, input]");
  layer->steps = x->dims[layer->batch_first];
  layer->batch = x->dims[!layer->batch_first];
  layer->input = x->dims[2];
  layer->gates = kind->gates;
  layer->states = kind->states;
  layer->kept = kind->kept;
  if (layer->hidden == 0 && r->rank == 3) layer->hidden = r->dims[2];
  if (r->rank != 3 || layer->hidden < 1 || r->dims[2] != layer->hidden)
    return FED_RAISE(FED_E_SHAPE, "input R has shape %s; expected [%lld, %lld * hidden, hidden]",
                     fed_shape_format(r, text, sizeof text), (long long)layer->directions,
                     (long long)layer->gates);
  return FED_OK;
}

static int read_layer(const struct fed__node *node, const struct fed_shape *x,
                      const struct fed_shape *r, const struct fed__recurrent_kind *kind,
                      struct fed__recurrent *layer) {
  FED_TRY(read_attributes(node, kind, layer));
  FED_TRY(read_extents(x, r, kind, layer));
  layer->ranges[0] = (struct fed__gate_range){0, layer->gates};
  layer->range_count = 1;
  return FED_OK;
}

static struct fed_shape state_shape(const struct fed__recurrent *layer) {
  if (layer->batch_first)
    return (struct fed_shape){3, {layer->batch, layer->directions, layer->hidden}};
  return (struct fed_shape){3, {layer->directions, layer->batch, layer->hidden}};
}

static struct fed_shape output_shape(const struct fed__recurrent *layer) {
  if (layer->batch_first)
    return (struct fed_shape){4, {layer->batch, layer->steps, layer->directions, layer->hidden}};
  return (struct fed_shape){4, {layer->steps, layer->directions, layer->batch, layer->hidden}};
}

static int check_lengths(const struct fed__inference *inference,
                         const struct fed__recurrent *layer) {
  const struct fed__known *lengths = fed__infer_input(inference, FED__RECURRENT_LENGTHS);
  if (!lengths) return FED_OK;
  if (lengths->dtype != FED_I64)
    return FED_RAISE(FED_E_TYPE, "input sequence_lens should be integers, but is %s",
                     fed_dtype_name(lengths->dtype));
  FED_TRY(expect_shape("sequence_lens", &lengths->shape, &(struct fed_shape){1, {layer->batch}}));
  const int64_t *known = lengths->content;
  for (int64_t i = 0; known && i < layer->batch; i++)
    if (known[i] < 0 || known[i] > layer->steps)
      return FED_RAISE(FED_E_RANGE, "sequence_lens has %lld; expected 0 to %lld, the steps of X",
                       (long long)known[i], (long long)layer->steps);
  return FED_OK;
}

/* All inputs that are there against their shapes. */
static int check_inputs(const struct fed__inference *inference,
                        const struct fed__recurrent *layer) {
  static const char *const names[] = {"X",         "W",         "R", "B", "sequence_lens",
                                      "initial_h", "initial_c", "P"};
  const int64_t d = layer->directions, rows = layer->gates * layer->hidden;
  const struct fed_shape states = state_shape(layer);
  const struct fed_shape expected[] = {
      [FED__RECURRENT_X] = fed__infer_input(inference, FED__RECURRENT_X)->shape,
      [FED__RECURRENT_W] = {3, {d, rows, layer->input}},
      [FED__RECURRENT_R] = {3, {d, rows, layer->hidden}},
      [FED__RECURRENT_B] = {2, {d, 2 * rows}},
      [FED__RECURRENT_HIDDEN] = states,
      [FED__RECURRENT_CELLS] = states,
      [FED__RECURRENT_PEEPHOLES] = {2, {d, 3 * layer->hidden}},
  };
  for (uint32_t i = 0; i < inference->node->input_count; i++) {
    const struct fed__known *input = fed__infer_input(inference, i);
    if (!input || i == FED__RECURRENT_LENGTHS) continue;
    FED_TRY(fed__infer_real(inference, i));
    FED_TRY(expect_shape(names[i], &input->shape, &expected[i]));
  }
  return check_lengths(inference, layer);
}

static int infer_layer(const struct fed__inference *inference,
                       const struct fed__recurrent_kind *kind, struct fed__recurrent *layer) {
  const struct fed__known *x = fed__infer_input(inference, FED__RECURRENT_X);
  const struct fed__known *r = fed__infer_input(inference, FED__RECURRENT_R);
  FED_TRY(read_layer(inference->node, &x->shape, &r->shape, kind, layer));
  return check_inputs(inference, layer);
}

int fed__recurrent_infer(const struct fed__inference *inference,
                         const struct fed__recurrent_kind *kind) {
  struct fed__recurrent layer = {0};
  FED_TRY(infer_layer(inference, kind, &layer));
  const struct fed_shape outputs = output_shape(&layer), states = state_shape(&layer);
  FED_TRY(fed__infer_output(inference, 0, FED_F32, &outputs, NULL));
  for (uint32_t i = 1; i <= kind->states; i++)
    FED_TRY(fed__infer_output(inference, i, FED_F32, &states, NULL));
  return FED_OK;
}

int fed__recurrent_read(struct fed__operation *operation, const struct fed__recurrent_kind *kind) {
  return read_layer(operation->node, &operation->inputs[FED__RECURRENT_X].shape,
                    &operation->inputs[FED__RECURRENT_R].shape, kind, operation->state);
}

void fed__recurrent_finish(struct fed__operation *operation) {
  if (operation->kernels->precision == FED_PRECISION_F32)
    fed__recurrent_measure_f32(operation);
  else
    fed__recurrent_measure_f64(operation);
}

int fed__recurrent_trains(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == FED__RECURRENT_W || slot == FED__RECURRENT_R || slot == FED__RECURRENT_B ||
         slot == FED__RECURRENT_PEEPHOLES;
}

double fed__recurrent_work(const struct fed__inference *inference) {
  const struct fed__known *x = fed__infer_input(inference, FED__RECURRENT_X);
  const struct fed__known *w = fed__infer_input(inference, FED__RECURRENT_W);
  const struct fed__known *r = fed__infer_input(inference, FED__RECURRENT_R);
  const int64_t rows = x->shape.dims[0] * x->shape.dims[1];
  return 2 * (double)rows * (double)(w->elements + r->elements);
}
