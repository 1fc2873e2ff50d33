/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wire.c: the messages against bytes that Google's protobuf compiler made (vectors/wire),
 * and the refusal of everything that is not such a message.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "wire/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
  const char *name;
  const ProtobufCMessageDescriptor *descriptor;
} golden[] = {
    {"failure", &fed__failure__descriptor},
    {"enrol_request", &fed__enrol_request__descriptor},
    {"enrol_reply", &fed__enrol_reply__descriptor},
    {"check_in", &fed__check_in__descriptor},
    {"check_in_reply", &fed__check_in_reply__descriptor},
    {"update_header", &fed__update_header__descriptor},
    {"receipt", &fed__receipt__descriptor},
    {"task_failure", &fed__task_failure__descriptor},
    {"approval", &fed__approval__descriptor},
    {"job_submission", &fed__job_submission__descriptor},
    {"job_accepted", &fed__job_accepted__descriptor},
};
#define GOLDEN_COUNT (sizeof golden / sizeof golden[0])

/* Memory that counts what is out, and can fail at the n-th request. */
struct counting_alloc {
  struct fed_alloc alloc;
  long out, requests, fails_at;
};

static void *counting_resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct counting_alloc *counting = (struct counting_alloc *)self;
  if (size == 0) {
    counting->out--;
    free(pointer);
    return NULL;
  }
  if (counting->requests++ == counting->fails_at) return NULL;
  if (!pointer) counting->out++;
  return realloc(pointer, size);
}

struct world {
  struct fed_context context;
  struct counting_alloc alloc;
};

static int open_world(void **state) {
  struct world *world = test_calloc(1, sizeof *world);
  fed_context_init(&world->context);
  world->alloc = (struct counting_alloc){{counting_resize}, 0, 0, -1};
  world->context.alloc = &world->alloc.alloc;
  *state = world;
  return 0;
}

static int close_world(void **state) {
  struct world *world = *state;
  assert_int_equal(world->alloc.out, 0); /* nothing leaked */
  test_free(world);
  return 0;
}

static void read_golden(struct world *world, const char *name, struct fed_buffer *bytes) {
  char path[512];
  struct fed_buffer text;
  fed_buffer_init(&text, &world->context, 1 << 16);
  fed_buffer_init(bytes, &world->context, 1 << 20);
  snprintf(path, sizeof path, "%s/vectors/wire/%s.hex", FED_TESTS, name);
  assert_int_equal(fed__file_read(path, &text), FED_OK);
  for (size_t i = 0; i + 1 < text.size; i++) {
    if (text.data[i] == '\n') continue;
    char digits[3] = {(char)text.data[i], (char)text.data[i + 1], '\0'};
    const uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
    assert_int_equal(fed_buffer_append(bytes, &byte, 1), FED_OK);
    i++;
  }
  fed_buffer_clear(&text);
}

static void *decode_golden(struct world *world, const char *name) {
  struct fed_buffer bytes;
  ProtobufCMessage *message = NULL;
  for (size_t i = 0; i < GOLDEN_COUNT; i++) {
    if (strcmp(golden[i].name, name) != 0) continue;
    read_golden(world, name, &bytes);
    assert_int_equal(
        fed__wire_decode(&world->context, golden[i].descriptor, fed_buffer_slice(&bytes), &message),
        FED_OK);
    fed_buffer_clear(&bytes);
  }
  assert_non_null(message);
  return message;
}

static int decode_again(struct world *world, const ProtobufCMessage *message) {
  struct fed_buffer bytes;
  ProtobufCMessage *again = NULL;
  fed_buffer_init(&bytes, &world->context, (size_t)1 << 30);
  assert_int_equal(fed__wire_encode(message, &bytes), FED_OK);
  const int code =
      fed__wire_decode(&world->context, message->descriptor, fed_buffer_slice(&bytes), &again);
  assert_true((again != NULL) == (code == FED_OK));
  fed__wire_free(&world->context, again);
  fed_buffer_clear(&bytes);
  return code;
}

/* --- the bytes of another implementation --- */

static void keeps_golden_bytes(void **state) {
  struct world *world = *state;
  for (size_t i = 0; i < GOLDEN_COUNT; i++) {
    struct fed_buffer bytes, encoded;
    read_golden(world, golden[i].name, &bytes);
    fed_buffer_init(&encoded, &world->context, 1 << 16);
    ProtobufCMessage *message = decode_golden(world, golden[i].name);
    assert_int_equal(fed__wire_encode(message, &encoded), FED_OK);
    assert_int_equal(encoded.size, bytes.size);
    assert_memory_equal(encoded.data, bytes.data, bytes.size);
    fed__wire_free(&world->context, message);
    fed_buffer_clear(&encoded);
    fed_buffer_clear(&bytes);
  }
}

static void check_filled(ProtobufCBinaryData bytes, uint8_t value) {
  assert_int_equal(bytes.len, 32);
  for (size_t i = 0; i < bytes.len; i++) assert_int_equal(bytes.data[i], value);
}

static void check_nonce(ProtobufCBinaryData nonce) {
  assert_int_equal(nonce.len, 16);
  for (size_t i = 0; i < nonce.len; i++) assert_int_equal(nonce.data[i], i + 1);
}

static void reads_golden_task(void **state) {
  struct world *world = *state;
  Fed__CheckInReply *reply = decode_golden(world, "check_in_reply");
  const Fed__Task *task = reply->task;
  assert_non_null(task);
  assert_string_equal(task->job, "digits-1");
  assert_true(task->round == UINT64_MAX);
  assert_int_equal(task->attempt, 2);
  assert_int_equal(task->exchange, 1);
  assert_int_equal(task->kind, FED__TASK_KIND__EVALUATE);
  check_filled(task->plan, 0x11);
  check_filled(task->graph, 0x22);
  check_filled(task->parameters, 0x33);
  check_nonce(task->nonce);
  check_filled(task->approval, 0x44);
  assert_int_equal(task->cohort, 10);
  assert_int_equal(task->deadline_ms, 600000);
  assert_true(task->evaluate);
  assert_int_equal(reply->come_back_ms, 0);
  fed__wire_free(&world->context, reply);
}

static void reads_golden_check_in(void **state) {
  struct world *world = *state;
  Fed__CheckIn *hello = decode_golden(world, "check_in");
  assert_int_equal(hello->protocol, 1);
  assert_string_equal(hello->version, "fed-agent 0.1.0");
  assert_int_equal(hello->wait_ms, 30000);
  assert_int_equal(hello->n_datasets, 2);
  assert_string_equal(hello->datasets[0]->name, "digits");
  assert_true(hello->datasets[0]->example_count == 5000000000u);
  assert_string_equal(hello->datasets[1]->name, "empty");
  assert_int_equal(hello->datasets[1]->example_count, 0);
  assert_int_equal(hello->n_refusals, 1);
  assert_string_equal(hello->refusals[0]->job, "digits-1");
  assert_int_equal(hello->refusals[0]->code, FED_E_DENIED);
  fed__wire_free(&world->context, hello);
}

static void reads_golden_update_header(void **state) {
  struct world *world = *state;
  Fed__UpdateHeader *header = decode_golden(world, "update_header");
  check_nonce(header->nonce);
  assert_int_equal(header->example_count, 600);
  assert_int_equal(header->train->correct_count, 412);
  assert_true(header->train->loss_sum == 345.6789);
  assert_true(header->evaluate->loss_sum == -0.5);
  assert_int_equal(header->grid_bits, 16);
  assert_int_equal(header->element_count, 101770);
  assert_true(header->train_s == 1.25);
  assert_int_equal(header->peak_bytes, 104857600);
  assert_true(header->norm == 3.5e-05);
  assert_int_equal(header->clamped_count, 3);
  fed__wire_free(&world->context, header);
}

static void reads_other_golden(void **state) {
  struct world *world = *state;
  Fed__Failure *failure = decode_golden(world, "failure");
  assert_int_equal(failure->code, FED_E_STALE);
  assert_string_equal(failure->name, "STALE");
  assert_string_equal(failure->message, "round 7 of digits-1 is over \xe2\x80\x93 t\xc3\xa4glich");
  assert_int_equal(failure->come_back_ms, 2500);
  fed__wire_free(&world->context, failure);
  Fed__EnrolRequest *request = decode_golden(world, "enrol_request");
  check_filled(request->secret, 0xA5);
  assert_int_equal(request->request.len, 5);
  fed__wire_free(&world->context, request);
  Fed__Receipt *receipt = decode_golden(world, "receipt");
  assert_int_equal(receipt->verdict, FED__VERDICT__DISMISSED);
  assert_int_equal(receipt->come_back_ms, 1500);
  fed__wire_free(&world->context, receipt);
  Fed__TaskFailure *task_failure = decode_golden(world, "task_failure");
  assert_int_equal(task_failure->code, FED_E_NOT_FINITE);
  check_nonce(task_failure->nonce);
  fed__wire_free(&world->context, task_failure);
  Fed__JobSubmission *submission = decode_golden(world, "job_submission");
  assert_memory_equal(submission->plan.data, "name: digits\n", 13);
  assert_int_equal(submission->graph.len, 2);
  assert_int_equal(submission->approval.len, 3);
  fed__wire_free(&world->context, submission);
  Fed__Approval *approval = decode_golden(world, "approval");
  assert_memory_equal(approval->certificate.data, "\x30\x03\x02\x01\x07", 5);
  assert_int_equal(approval->signature.data[63], 63);
  fed__wire_free(&world->context, approval);
}

/* --- lengths --- */

/* The first message of this type in `message` or inside it. */
static ProtobufCMessage *find_inside(ProtobufCMessage *message, const char *type) {
  if (strcmp(message->descriptor->short_name, type) == 0) return message;
  for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
    ProtobufCMessage **inner = (ProtobufCMessage **)(void *)((char *)message + field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) inner = *(ProtobufCMessage ***)(void *)inner;
    ProtobufCMessage *found = inner && *inner ? find_inside(*inner, type) : NULL;
    if (found) return found;
  }
  return NULL;
}

/* Decode the message with the field's content replaced by `size` letters. */
static int decode_resized(struct world *world, const char *name, const char *type,
                          const char *field_name, size_t size) {
  ProtobufCMessage *message = decode_golden(world, name);
  ProtobufCMessage *inner = find_inside(message, type);
  assert_non_null(inner);
  const ProtobufCFieldDescriptor *field =
      protobuf_c_message_descriptor_get_field_by_name(inner->descriptor, field_name);
  assert_non_null(field);
  char *letters = test_malloc(size + 1);
  memset(letters, 'a', size);
  letters[size] = '\0';
  void *place = (char *)inner + field->offset;
  int code;
  if (field->type == PROTOBUF_C_TYPE_STRING) {
    char **text = place, *kept = *text;
    *text = letters;
    code = decode_again(world, message);
    *text = kept;
  } else {
    ProtobufCBinaryData *bytes = place, kept = *bytes;
    *bytes = (ProtobufCBinaryData){size, (uint8_t *)letters};
    code = decode_again(world, message);
    *bytes = kept;
  }
  test_free(letters);
  fed__wire_free(&world->context, message);
  return code;
}

static void bounds_lengths(void **state) {
  static const struct {
    const char *name, *type, *field;
    size_t size_min, size_max;
  } rules[] = {
      {"enrol_request", "EnrolRequest", "secret", 32, 32},
      {"enrol_request", "EnrolRequest", "request", 1, 16384},
      {"enrol_reply", "EnrolReply", "name", 1, 64},
      {"enrol_reply", "EnrolReply", "certificate", 1, 16384},
      {"check_in", "CheckIn", "version", 0, 1024},
      {"check_in", "Dataset", "name", 1, 64},
      {"check_in", "Refusal", "job", 1, 64},
      {"check_in", "Refusal", "reason", 0, 1024},
      {"check_in_reply", "Task", "job", 1, 64},
      {"check_in_reply", "Task", "plan", 32, 32},
      {"check_in_reply", "Task", "graph", 32, 32},
      {"check_in_reply", "Task", "parameters", 32, 32},
      {"check_in_reply", "Task", "nonce", 16, 16},
      {"check_in_reply", "Task", "approval", 32, 32},
      {"approval", "Approval", "certificate", 1, 16384},
      {"approval", "Approval", "signature", 64, 64},
      {"update_header", "UpdateHeader", "nonce", 16, 16},
      {"receipt", "Receipt", "reason", 0, 1024},
      {"task_failure", "TaskFailure", "job", 1, 64},
      {"task_failure", "TaskFailure", "nonce", 16, 16},
      {"task_failure", "TaskFailure", "message", 0, 1024},
      {"job_submission", "JobSubmission", "plan", 1, 1 << 20},
      {"job_submission", "JobSubmission", "approval", 1, 32768},
      {"job_accepted", "JobAccepted", "job", 1, 64},
      {"failure", "Failure", "message", 0, 1024},
  };
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    const size_t least = rules[i].size_min, most = rules[i].size_max;
    const char *name = rules[i].name, *type = rules[i].type, *field = rules[i].field;
    assert_int_equal(decode_resized(*state, name, type, field, least), FED_OK);
    assert_int_equal(decode_resized(*state, name, type, field, most), FED_OK);
    assert_int_equal(decode_resized(*state, name, type, field, most + 1), FED_E_RANGE);
    if (least > 0)
      assert_int_equal(decode_resized(*state, name, type, field, least - 1), FED_E_RANGE);
  }
}

static void bounds_messages(void **state) {
  assert_int_equal(decode_resized(*state, "enrol_request", "EnrolRequest", "request", 70000),
                   FED_E_TOO_LARGE);
  assert_int_equal(decode_resized(*state, "job_submission", "JobSubmission", "graph", 70000),
                   FED_OK);
}

/* 32768 empty datasets are 64 KiB on the wire, but far more in memory. */
static void bounds_memory(void **state) {
  struct world *world = *state;
  ProtobufCMessage *message;
  uint8_t *bytes = test_malloc(FED__MESSAGE_BYTES_MAX);
  for (size_t i = 0; i < FED__MESSAGE_BYTES_MAX; i += 2) {
    bytes[i] = 0x22;
    bytes[i + 1] = 0;
  }
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(bytes, FED__MESSAGE_BYTES_MAX), &message),
                   FED_E_TOO_LARGE);
  assert_null(message);
  test_free(bytes);
}

static void bounds_lists(void **state) {
  struct world *world = *state;
  ProtobufCMessage *message;
  uint8_t bytes[65 * 5];
  for (size_t i = 0; i < 65; i++) memcpy(bytes + 5 * i, "\x22\x03\x0a\x01x", 5);
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(bytes, 64 * 5), &message),
                   FED_OK);
  assert_int_equal(((Fed__CheckIn *)message)->n_datasets, 64);
  fed__wire_free(&world->context, message);
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(bytes, 65 * 5), &message),
                   FED_E_TOO_LARGE);
}

/* --- values --- */

static void refuses_numbers_that_are_not_finite(void **state) {
  struct world *world = *state;
  static const double bad[] = {NAN, INFINITY, -INFINITY};
  Fed__UpdateHeader *header = decode_golden(world, "update_header");
  double *const fields[] = {&header->norm, &header->train_s, &header->train->loss_sum,
                            &header->evaluate->loss_sum};
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < 3; k++) {
      const double kept = *fields[i];
      *fields[i] = bad[k];
      assert_int_equal(decode_again(world, &header->base), FED_E_NOT_FINITE);
      *fields[i] = kept;
    }
  fed__wire_free(&world->context, header);
}

static void refuses_other_encodings(void **state) {
  /* Field 1 of JobAccepted: text. */
  static const struct {
    const char *bytes;
    int code;
  } cases[] = {
      {"\x0a\x02\xc3\xa4", FED_OK},               /* ä */
      {"\x0a\x04\xf0\x9f\x8c\x8d", FED_OK},       /* U+1F30D */
      {"\x0a\x01\xe4", FED_E_SYNTAX},             /* Latin-1 */
      {"\x0a\x02\xc0\xaf", FED_E_SYNTAX},         /* overlong '/' */
      {"\x0a\x03\xed\xa0\x80", FED_E_SYNTAX},     /* a surrogate */
      {"\x0a\x04\xf4\x90\x80\x80", FED_E_SYNTAX}, /* above U+10FFFF */
      {"\x0a\x02\xe2\x82", FED_E_SYNTAX},         /* ends early */
      {"\x0a\x01\x80", FED_E_SYNTAX},             /* a continuation alone */
  };
  struct world *world = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ProtobufCMessage *message;
    const int code = fed__wire_decode(&world->context, &fed__job_accepted__descriptor,
                                      fed_slice_of_text(cases[i].bytes), &message);
    assert_int_equal(code, cases[i].code);
    fed__wire_free(&world->context, message);
  }
}

/* The protobuf specification has no field number 0, in no encoding of the number. */
static void refuses_field_number_zero(void **state) {
  static const uint8_t short_form[] = {0x00, 0x00}, long_form[] = {0x80, 0x00, 0x00},
                       other_field[] = {0x80, 0x40, 0x00}; /* 1024, of a newer version */
  struct world *world = *state;
  ProtobufCMessage *message;
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(short_form, sizeof short_form), &message),
                   FED_E_SYNTAX);
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(long_form, sizeof long_form), &message),
                   FED_E_SYNTAX);
  assert_int_equal(fed__wire_decode(&world->context, &fed__check_in__descriptor,
                                    fed_slice_of(other_field, sizeof other_field), &message),
                   FED_OK);
  fed__wire_free(&world->context, message);
}

static void checks_protocol(void **state) {
  (void)state;
  assert_int_equal(fed__wire_check_protocol(1), FED_OK);
  assert_int_equal(fed__wire_check_protocol(0), FED_E_VERSION);
  assert_non_null(strstr(fed_error_last()->message, "update the agent"));
  assert_int_equal(fed__wire_check_protocol(2), FED_E_VERSION);
  assert_non_null(strstr(fed_error_last()->message, "update the server"));
}

/* --- damage --- */

/* Whatever comes out of a decoder goes through it again unchanged. */
static void check_bytes(struct world *world, const ProtobufCMessageDescriptor *descriptor,
                        struct fed_slice bytes) {
  ProtobufCMessage *message;
  const int code = fed__wire_decode(&world->context, descriptor, bytes, &message);
  assert_true((message != NULL) == (code == FED_OK));
  if (message) assert_int_equal(decode_again(world, message), FED_OK);
  fed__wire_free(&world->context, message);
}

static void survives_truncation(void **state) {
  struct world *world = *state;
  for (size_t i = 0; i < GOLDEN_COUNT; i++) {
    struct fed_buffer bytes;
    read_golden(world, golden[i].name, &bytes);
    for (size_t size = 0; size < bytes.size; size++)
      check_bytes(world, golden[i].descriptor, fed_slice_of(bytes.data, size));
    fed_buffer_clear(&bytes);
  }
}

static void survives_flipped_bits(void **state) {
  struct world *world = *state;
  struct fed_rng rng;
  fed__rng_init(&rng, 7, "flips", 0, 0);
  for (size_t i = 0; i < GOLDEN_COUNT; i++) {
    struct fed_buffer bytes;
    read_golden(world, golden[i].name, &bytes);
    for (int round = 0; round < 2000; round++) {
      uint8_t damaged[2048];
      assert_true(bytes.size <= sizeof damaged);
      memcpy(damaged, bytes.data, bytes.size);
      for (uint64_t flips = 1 + fed__rng_below(&rng, 4); flips > 0; flips--)
        damaged[fed__rng_below(&rng, bytes.size)] ^= (uint8_t)(1u << fed__rng_below(&rng, 8));
      check_bytes(world, golden[i].descriptor, fed_slice_of(damaged, bytes.size));
    }
    fed_buffer_clear(&bytes);
  }
}

static void survives_want_of_memory(void **state) {
  struct world *world = *state;
  for (size_t i = 0; i < GOLDEN_COUNT; i++) {
    struct fed_buffer bytes;
    ProtobufCMessage *message;
    int code = FED_E_MEMORY;
    read_golden(world, golden[i].name, &bytes);
    for (long nth = 0; code != FED_OK; nth++) {
      world->alloc.fails_at = world->alloc.requests + nth;
      code = fed__wire_decode(&world->context, golden[i].descriptor, fed_buffer_slice(&bytes),
                              &message);
      if (code != FED_OK) assert_int_equal(code, FED_E_MEMORY);
      assert_true(nth < 100);
    }
    world->alloc.fails_at = -1;
    fed__wire_free(&world->context, message);
    fed_buffer_clear(&bytes);
  }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(keeps_golden_bytes),
      TEST(reads_golden_task),
      TEST(reads_golden_check_in),
      TEST(reads_golden_update_header),
      TEST(reads_other_golden),
      TEST(bounds_lengths),
      TEST(bounds_messages),
      TEST(bounds_memory),
      TEST(bounds_lists),
      TEST(refuses_numbers_that_are_not_finite),
      TEST(refuses_other_encodings),
      TEST(refuses_field_number_zero),
      TEST(checks_protocol),
      TEST(survives_truncation),
      TEST(survives_flipped_bits),
      TEST(survives_want_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
