/* SPDX-License-Identifier: Apache-2.0
 *
 * record_examples.c: examples of a text file, in memory or by an index.
 *
 * The index has the place of every `stride`-th example. When it is full every other place goes and
 * the stride doubles, so its size is bounded for files of any size; a row is found by reading on
 * from the place before it.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/dataset_examples.h"
#include "data/records.h"
#include "data/shared_examples.h"

#define PLACES_MAX ((size_t)1 << 21)
#define SAMPLE 4096                /* examples */
#define PARTS (FED_INPUTS_MAX + 1) /* the inputs, and at the end the target */

/* Where an example is: in the record at this offset and line, the at-th. */
struct place {
  uint64_t offset;
  uint32_t line; /* for messages only */
  uint32_t at;
};

struct record_examples {
  struct fed_examples examples;
  struct fed__records *records;
  size_t bytes[PARTS];              /* of one example; 0: there is no such input */
  struct fed_buffer columns[PARTS]; /* all examples, if they are in memory */
  int is_in_memory;
  struct fed_buffer index; /* of struct place */
  uint64_t stride;
  struct place record;                    /* the record read last */
  uint64_t record_first, record_examples; /* its examples */
};

static struct fed_tensor *part_spec(struct fed_example_spec *spec, size_t part) {
  return part < FED_INPUTS_MAX ? &spec->inputs[part] : &spec->target;
}

static struct place *place_at(const struct record_examples *self, size_t at) {
  return (struct place *)(void *)self->index.data + at;
}

static size_t place_count(const struct record_examples *self) {
  return self->index.size / sizeof(struct place);
}

static void thin_out(struct record_examples *self) {
  const size_t kept = (place_count(self) + 1) / 2;
  for (size_t i = 0; i < kept; i++) *place_at(self, i) = *place_at(self, 2 * i);
  self->index.size = kept * sizeof(struct place);
  self->stride *= 2;
}

static int add_place(struct record_examples *self, uint32_t at) {
  if (self->examples.count % self->stride) return FED_OK;
  if (place_count(self) == PLACES_MAX) thin_out(self);
  if (self->examples.count % self->stride) return FED_OK;
  const struct place place = {self->record.offset, self->record.line, at};
  return fed_buffer_append(&self->index, &place, sizeof place);
}

/* ---- reading all ---------------------------------------------------------------------------- */

static uint64_t memory_used(const struct record_examples *self) {
  uint64_t bytes = 0;
  for (size_t k = 0; k < PARTS; k++) bytes += self->columns[k].size;
  return bytes;
}

/* Too much: what is in memory goes, and the index remains. */
static int leave_memory(struct record_examples *self) {
  if (self->records->source.coding != FED__SOURCE_PLAIN)
    return FED_RAISE(FED_E_TOO_LARGE,
                     "'%s' needs more than %llu bytes of memory, the limit for packed files; "
                     "unpack it",
                     self->records->source.name, (unsigned long long)FED__DATA_BYTES_MAX);
  for (size_t k = 0; k < PARTS; k++) fed_buffer_clear(&self->columns[k]);
  self->is_in_memory = 0;
  return FED_OK;
}

static int keep_example(struct record_examples *self, size_t at) {
  struct fed__record_slots slots = {{NULL}, NULL};
  for (size_t k = 0; k < PARTS; k++) {
    if (!self->bytes[k]) continue;
    FED_TRY(fed_buffer_reserve(&self->columns[k], self->bytes[k]));
    uint8_t *end = self->columns[k].data + self->columns[k].size;
    *(k < FED_INPUTS_MAX ? &slots.inputs[k] : &slots.target) = end;
    self->columns[k].size += self->bytes[k];
  }
  self->records->get(self->records, at, &slots);
  return FED_OK;
}

static int next_record(struct record_examples *self, int *found) {
  struct fed__records *records = self->records;
  size_t count = 0;
  self->record_first += self->record_examples;
  self->record_examples = 0;
  self->record = (struct place){fed__text_offset(&records->text), (uint32_t)records->text.line, 0};
  FED_TRY(records->next(records, &count, found));
  self->record_examples = count;
  return FED_OK;
}

/* Will all of a plain file fit, if it goes on as it began? Knowing early saves filling memory
 * first. */
static int will_fit(const struct record_examples *self, uint64_t memory_max) {
  const struct fed__records *records = self->records;
  if (self->examples.count != SAMPLE || records->source.coding != FED__SOURCE_PLAIN) return 1;
  const double part = (double)fed__text_offset(&records->text) / (double)records->source.end;
  return (double)memory_used(self) <= (double)memory_max * part;
}

static int read_all(struct record_examples *self, uint64_t memory_max) {
  const int is_packed = self->records->source.coding != FED__SOURCE_PLAIN;
  const uint64_t memory = is_packed ? FED__DATA_BYTES_MAX : memory_max;
  uint64_t example_bytes = 0;
  for (size_t k = 0; k < PARTS; k++) example_bytes += self->bytes[k];
  for (int found = 1;;) {
    FED_TRY(next_record(self, &found));
    if (!found) break;
    for (size_t at = 0; at < self->record_examples; at++) {
      if (self->is_in_memory &&
          (memory_used(self) + example_bytes > memory || !will_fit(self, memory)))
        FED_TRY(leave_memory(self));
      if (self->is_in_memory) FED_TRY(keep_example(self, at));
      if (!is_packed) FED_TRY(add_place(self, (uint32_t)at));
      self->examples.count++;
    }
  }
  return fed__dataset_check_count(self->records->source.name, self->examples.count);
}

/* ---- giving rows ---------------------------------------------------------------------------- */

/* Make the record with this row the one read last. */
static int find_row(struct record_examples *self, uint32_t row) {
  const size_t at = row / self->stride;
  const struct place *place = place_at(self, at);
  const uint64_t place_first = at * self->stride - place->at; /* the record's first example */
  int found = 1;
  if (row < self->record_first || place_first > self->record_first) {
    fed__text_seek(&self->records->text, place->offset, place->line);
    self->record_first = place_first;
    self->record_examples = 0;
  }
  while (row >= self->record_first + self->record_examples) {
    const int code = next_record(self, &found);
    if (code != FED_OK) return FED_WRAP("'%s' changed while in use", self->records->source.name);
    if (!found)
      return FED_RAISE(FED_E_TRUNCATED, "'%s' became shorter while it was in use",
                       self->records->source.name);
  }
  return FED_OK;
}

/* A reading that failed has left no record to go on from. */
static int read_row(struct record_examples *self, uint32_t row,
                    const struct fed__record_slots *slots) {
  const int code = find_row(self, row);
  if (code == FED_OK) self->records->get(self->records, row - self->record_first, slots);
  if (code != FED_OK) self->record_first = UINT64_MAX;
  return code;
}

static void copy_row(const struct record_examples *self, uint32_t row,
                     const struct fed__record_slots *slots) {
  for (size_t k = 0; k < PARTS; k++) {
    void *out = k < FED_INPUTS_MAX ? slots->inputs[k] : slots->target;
    if (out && self->bytes[k])
      memcpy(out, self->columns[k].data + row * self->bytes[k], self->bytes[k]);
  }
}

static int gather(struct fed_examples *examples, const uint32_t *rows, size_t count,
                  struct fed_batch *batch) {
  struct record_examples *self = (struct record_examples *)examples;
  FED_TRY(fed__dataset_check_rows(examples, rows, count));
  for (size_t i = 0; i < count; i++) {
    struct fed__record_slots slots = {{NULL}, NULL};
    for (size_t k = 0; k < examples->spec.input_count; k++)
      if (batch->inputs[k].data)
        slots.inputs[k] = (uint8_t *)batch->inputs[k].data + i * self->bytes[k];
    slots.target = (uint8_t *)batch->target.data + i * self->bytes[FED_INPUTS_MAX];
    if (self->is_in_memory) {
      copy_row(self, rows[i], &slots);
    } else {
      FED_TRY(read_row(self, rows[i], &slots));
    }
  }
  return FED_OK;
}

static int share(struct fed_examples *examples, struct fed_examples **other) {
  const struct record_examples *self = (struct record_examples *)examples;
  return fed__shared_examples_new(self->records->context, examples, other);
}

static void free_shell(struct record_examples *self) {
  for (size_t k = 0; k < PARTS; k++) fed_buffer_clear(&self->columns[k]);
  fed_buffer_clear(&self->index);
  fed__free(self->records->context, self);
}

static void free_examples(struct fed_examples *examples) {
  struct record_examples *self = (struct record_examples *)examples;
  struct fed__records *records = self->records;
  free_shell(self);
  records->free(records);
}

/* What is not needed once all is read. */
static void settle(struct record_examples *self) {
  self->record_first += self->record_examples;
  self->record_examples = 0;
  if (self->is_in_memory) {
    self->examples.share = share;
    fed_buffer_clear(&self->index);
  } else {
    fed__text_expect_jumps(&self->records->text);
  }
}

int fed__record_examples_new(struct fed__records *records, uint64_t memory_max,
                             struct fed_examples **examples) {
  struct record_examples *self = fed__zalloc(records->context, 1, sizeof *self);
  if (!self) return FED_E_MEMORY;
  self->examples =
      (struct fed_examples){.gather = gather, .free = free_examples, .spec = records->spec};
  self->records = records;
  self->is_in_memory = 1;
  self->stride = 1;
  fed_buffer_init(&self->index, records->context, PLACES_MAX * sizeof(struct place));
  for (size_t k = 0; k < PARTS; k++) {
    fed_buffer_init(&self->columns[k], records->context, FED__DATA_BYTES_MAX);
    if (k < records->spec.input_count || k == FED_INPUTS_MAX)
      self->bytes[k] = fed_tensor_bytes(part_spec(&records->spec, k));
  }
  const int code = read_all(self, memory_max);
  if (code != FED_OK) {
    free_shell(self);
    return code;
  }
  settle(self);
  *examples = &self->examples;
  return FED_OK;
}
