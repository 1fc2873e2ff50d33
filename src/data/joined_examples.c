/* SPDX-License-Identifier: Apache-2.0
 *
 * joined_examples.c: which part a row lies in is found by bisection; the part gathers it.
 */
#include "data/joined_examples.h"
#include "base/memory.h"
#include "base/raise.h"

struct joined {
  struct fed_examples examples;
  const struct fed_context *context;
  struct fed_examples **parts;
  size_t *starts; /* of each part, and of one behind the last */
  size_t part_count;
};

static size_t part_of(const struct joined *joined, uint32_t row) {
  size_t low = 0, high = joined->part_count - 1;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (joined->starts[middle + 1] > row)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* A view of `batch` from row `from` on; what is not wanted (NULL) stays so. */
static struct fed_batch shift(const struct fed_batch *batch, const struct fed_example_spec *spec,
                              size_t from) {
  struct fed_batch view = *batch;
  for (size_t i = 0; i < spec->input_count; i++)
    if (batch->inputs[i].data)
      view.inputs[i].data =
          (char *)batch->inputs[i].data + from * fed_tensor_bytes(&spec->inputs[i]);
  view.target.data = (char *)batch->target.data + from * fed_tensor_bytes(&spec->target);
  return view;
}

static int gather(struct fed_examples *self, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct joined *joined = (struct joined *)self;
  for (size_t i = 0; i < count; i++) {
    if (rows[i] >= self->count)
      return FED_RAISE(FED_E_RANGE, "there are %zu examples, there is no row %u", self->count,
                       rows[i]);
    const size_t part = part_of(joined, rows[i]);
    const uint32_t row = rows[i] - (uint32_t)joined->starts[part];
    struct fed_batch view = shift(batch, &self->spec, i);
    FED_TRY(joined->parts[part]->gather(joined->parts[part], &row, 1, &view));
  }
  return FED_OK;
}

static void begin_pass(struct fed_examples *self, uint64_t seed) {
  struct joined *joined = (struct joined *)self;
  for (size_t i = 0; i < joined->part_count; i++)
    if (joined->parts[i]->begin_pass) joined->parts[i]->begin_pass(joined->parts[i], seed);
}

static void end_pass(struct fed_examples *self) {
  struct joined *joined = (struct joined *)self;
  for (size_t i = 0; i < joined->part_count; i++)
    if (joined->parts[i]->end_pass) joined->parts[i]->end_pass(joined->parts[i]);
}

static void free_joined(struct fed_examples *self) {
  struct joined *joined = (struct joined *)self;
  for (size_t i = 0; joined->parts && i < joined->part_count; i++)
    fed_examples_free(joined->parts[i]);
  fed__free(joined->context, joined->parts);
  fed__free(joined->context, joined->starts);
  fed__free(joined->context, joined);
}

static int share_parts(const struct joined *joined, struct fed_examples **parts,
                       struct fed_examples **other) {
  for (size_t i = 0; i < joined->part_count; i++) {
    const int code = joined->parts[i]->share(joined->parts[i], &parts[i]);
    if (code == FED_OK) continue;
    while (i > 0) fed_examples_free(parts[--i]);
    return code;
  }
  return fed__joined_examples_new(joined->context, parts, joined->part_count, other);
}

static int share(struct fed_examples *self, struct fed_examples **other) {
  const struct joined *joined = (struct joined *)self;
  struct fed_examples **parts = fed__zalloc(joined->context, joined->part_count, sizeof *parts);
  if (!parts) return FED_E_MEMORY;
  const int code = share_parts(joined, parts, other);
  fed__free(joined->context, parts);
  return code;
}

static int is_alike(const struct fed_tensor *a, const struct fed_tensor *b) {
  return a->dtype == b->dtype && fed_shape_equal(&a->shape, &b->shape);
}

static int check_alike(const struct fed_example_spec *first, const struct fed_example_spec *other,
                       size_t part) {
  int alike = first->input_count == other->input_count && is_alike(&first->target, &other->target);
  for (size_t i = 0; alike && i < first->input_count; i++)
    alike = is_alike(&first->inputs[i], &other->inputs[i]);
  return alike ? FED_OK
               : FED_RAISE(FED_E_SHAPE, "the examples of part %zu look other than those of part 0",
                           part);
}

static int join(struct joined *joined, struct fed_examples *const *parts) {
  struct fed_examples *all = &joined->examples;
  joined->parts = fed__zalloc(joined->context, joined->part_count, sizeof(void *));
  joined->starts = fed__zalloc(joined->context, joined->part_count + 1, sizeof(size_t));
  if (!joined->parts || !joined->starts) return FED_E_MEMORY;
  all->spec = parts[0]->spec;
  all->share = share;
  for (size_t i = 0; i < joined->part_count; i++) {
    FED_TRY(check_alike(&all->spec, &parts[i]->spec, i));
    all->count += parts[i]->count;
    joined->starts[i + 1] = all->count;
    if (parts[i]->begin_pass) all->begin_pass = begin_pass;
    if (parts[i]->end_pass) all->end_pass = end_pass;
    if (!parts[i]->share) all->share = NULL;
  }
  if (all->count > UINT32_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%zu examples are more than can be numbered", all->count);
  for (size_t i = 0; i < joined->part_count; i++) joined->parts[i] = parts[i];
  return FED_OK;
}

int fed__joined_examples_new(const struct fed_context *context, struct fed_examples *const *parts,
                             size_t part_count, struct fed_examples **examples) {
  struct joined *joined = NULL;
  int code = part_count ? FED_OK : FED_RAISE(FED_E_EMPTY, "there are no examples to join");
  if (code == FED_OK && !(joined = fed__zalloc(context, 1, sizeof *joined))) code = FED_E_MEMORY;
  if (code == FED_OK) {
    *joined =
        (struct joined){{.gather = gather, .free = free_joined}, context, NULL, NULL, part_count};
    code = join(joined, parts);
  }
  if (code != FED_OK) {
    for (size_t i = 0; i < part_count; i++) fed_examples_free(parts[i]);
    if (joined) free_joined(&joined->examples);
    return code;
  }
  *examples = &joined->examples;
  return FED_OK;
}

size_t fed__joined_examples_part_count(const struct fed_examples *examples, size_t part) {
  return ((const struct joined *)examples)->parts[part]->count;
}
