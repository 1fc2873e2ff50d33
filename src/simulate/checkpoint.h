/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.h: the state of a run as named tensors in one safetensors file. The same list of calls
 * writes it and reads it again, so what is written and what is read cannot differ:
 *
 *   static int carry(struct thing *thing, struct fed__checkpoint *checkpoint) {
 *     FED_TRY(fed__checkpoint_bytes(checkpoint, "thing.counts", &thing->counts, sizeof …));
 *     return fed__checkpoint_params(checkpoint, "thing.mean.", &thing->mean);
 *   }
 *
 * While writing, a call copies small values and remembers where large ones lie (they must stay
 * until the end); while reading, it fills them in, and fails when the file has no such tensor of
 * that type and size. Names: model.*, server.<state>.*, client.<state> (of all clients together:
 * looking for a name takes time), round.*, queue.*, output.*.
 *
 * Plain structs travel as bytes: a checkpoint is for the program that wrote it, and its identity
 * (a hash of the caller's) is to include the version.
 */
#ifndef FED_SIMULATE_CHECKPOINT_H
#define FED_SIMULATE_CHECKPOINT_H

#include "fed/tensor.h"

struct fed__checkpoint {
  const struct fed_context *context;
  int is_reading;
  struct fed_params file;     /* reading: what the file has */
  struct fed_tensor *tensors; /* writing: what it will have; names and small values are owned */
  size_t count, capacity;
};

void fed__checkpoint_begin(struct fed__checkpoint *checkpoint, const struct fed_context *context);

/* Begin reading a file's bytes, which are copied. The errors of fed_safetensors_decode; nothing to
 * clear then. */
FED_MUST int fed__checkpoint_decode(struct fed__checkpoint *checkpoint,
                                    const struct fed_context *context, struct fed_slice file);
void fed__checkpoint_clear(struct fed__checkpoint *checkpoint);

/* The finished file, appended to `out`. */
FED_MUST int fed__checkpoint_encode(const struct fed__checkpoint *checkpoint,
                                    struct fed_buffer *out);

/* `count` elements at `data`. FED_E_INPUT while reading: there are none such. */
FED_MUST int fed__checkpoint_array(struct fed__checkpoint *checkpoint, const char *name,
                                   enum fed_dtype dtype, void *data, size_t count);
FED_MUST int fed__checkpoint_bytes(struct fed__checkpoint *checkpoint, const char *name, void *data,
                                   size_t size);

/* All tensors of a set, their names behind a prefix. */
FED_MUST int fed__checkpoint_params(struct fed__checkpoint *checkpoint, const char *prefix,
                                    struct fed_params *params);

#endif
