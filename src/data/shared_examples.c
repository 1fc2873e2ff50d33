/* SPDX-License-Identifier: Apache-2.0
 *
 * shared_examples.c: passes each gathering on. Memory: itself.
 */
#include "data/shared_examples.h"
#include "base/memory.h"

struct shared {
  struct fed_examples examples;
  const struct fed_context *context;
  struct fed_examples *owner;
};

static int gather(struct fed_examples *self, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct fed_examples *owner = ((struct shared *)self)->owner;
  return owner->gather(owner, rows, count, batch);
}

static int share(struct fed_examples *self, struct fed_examples **other) {
  const struct shared *shared = (struct shared *)self;
  return fed__shared_examples_new(shared->context, shared->owner, other);
}

static void free_shared(struct fed_examples *self) {
  fed__free(((struct shared *)self)->context, self);
}

int fed__shared_examples_new(const struct fed_context *context, struct fed_examples *owner,
                             struct fed_examples **examples) {
  struct shared *shared = fed__zalloc(context, 1, sizeof *shared);
  if (!shared) return FED_E_MEMORY;
  *shared = (struct shared){{.gather = gather,
                             .free = free_shared,
                             .share = share,
                             .count = owner->count,
                             .spec = owner->spec},
                            context,
                            owner};
  *examples = &shared->examples;
  return FED_OK;
}
