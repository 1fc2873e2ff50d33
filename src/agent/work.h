/* SPDX-License-Identifier: Apache-2.0
 *
 * work.h: one task's work on the owner's data: open, evaluate, train, run the client's stages.
 * A session keeps the model, the data and the training plan between the rounds of a job.
 * Deterministic: the same request gives the same bytes.
 */
#ifndef FED_AGENT_WORK_H
#define FED_AGENT_WORK_H

#include "fed/train.h"
#include "job/job.h"

struct fed__work_request {
  struct fed_slice plan, graph, parameters; /* the bytes of the objects */
  struct fed_slice server_state; /* the vector that the algorithm sends along; empty: none */
  struct fed_slice kept; /* running statistics that stay, and what the algorithm's rule keeps, as
                            this agent left them in an earlier round (safetensors); empty or of
                            another model: the graph's, and zeros */
  const char *data_folder;
  const char *client;        /* this agent's name in the federation */
  uint64_t memory_bytes_max; /* the owner's limit: a plan that needs more is refused; 0: none */
  uint64_t round;
  int train;    /* train and make an update; else evaluate only */
  int evaluate; /* evaluate the received model on the held-out rows */
};

struct fed__work_result {
  struct fed_buffer grid; /* the update's elements; empty without training */
  struct fed_buffer kept; /* after training, if something stays here; else empty */
  uint32_t grid_bits;
  uint64_t element_count, example_count;
  struct fed_metrics train_metrics, evaluate_metrics;
  double train_s, norm;
  uint64_t clamped_count, peak_bytes;
};

struct fed__work_session;

FED_MUST int fed__work_session_new(const struct fed_context *context,
                                   struct fed__work_session **session);
void fed__work_session_free(struct fed__work_session *session);

/* `result` is cleared first; its buffers are the caller's to clear. Opens model and data when the
 * plan, graph or folder are others than before. */
FED_MUST int fed__work_do(struct fed__work_session *session,
                          const struct fed__work_request *request, struct fed__work_result *result);

void fed__work_result_init(struct fed__work_result *result, const struct fed_context *context);
void fed__work_result_clear(struct fed__work_result *result);
/* Everything but the buffers, which are emptied. */
void fed__work_result_set(struct fed__work_result *result, const struct fed__work_result *values);

/* The client's stages from the received parameters to the trained ones (changed in place). */
FED_MUST int fed__work_finish(const struct fed__job *job, const struct fed_params *received,
                              struct fed_params *trained, struct fed__work_result *result);

#endif
