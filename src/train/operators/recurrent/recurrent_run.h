/* SPDX-License-Identifier: Apache-2.0
 *
 * recurrent_run.h: one direction of a recurrent layer in one call, and what its cell does; text
 * that recurrent.h includes for float and for double.
 */

/* By step: gates, raw, kept; states before the first or after the last step, too. In backward,
 * gates turn into the gradients of what the activations got. */
struct TYPED(fed__recurrent_run) {
  const struct fed__operation *operation;
  const struct fed__recurrent *layer;
  int64_t direction, reversed;
  REAL *gates;            /* [steps, batch, gates * hidden] */
  REAL *raw;              /* the same before they were limited; NULL: no limit */
  REAL *hidden;           /* [steps + 1, batch, hidden] */
  REAL *cells;            /* the same, if the kind has two states */
  REAL *kept;             /* [steps, batch, kept * hidden] */
  REAL *dhidden, *dcells; /* [batch, hidden]: the gradient of the states after, then before */
  REAL *row, *wide;       /* scratch: [gates * hidden]; [batch, gates * hidden], */
  REAL *extra;            /* [batch, hidden] */
  struct fed_gemm products[2];
  void *packed[2]; /* R, by range */
};

/* A cell: a step from the states before to those after it. Backward, it turns the gradient of the
 * states after into that of the states before, the gates into their gradient, and adds to the
 * gradients of parameters that only this kind has. In the end, R's gradient and its bias's; in the
 * beginning, gradients that are added to are set to 0 (NULL: there are none). */
struct TYPED(fed__recurrent_cell) {
  void (*step)(const struct TYPED(fed__recurrent_run) * run, int64_t step);
  void (*step_back)(const struct TYPED(fed__recurrent_run) * run, int64_t step);
  void (*finish_back)(const struct TYPED(fed__recurrent_run) * run);
  void (*begin_back)(const struct TYPED(fed__recurrent_run) * run);
};

/* Sizes of saved and scratch. */
void TYPED(fed__recurrent_measure)(struct fed__operation *operation);

void TYPED(fed__recurrent_forward)(const struct fed__operation *operation,
                                   const struct TYPED(fed__recurrent_cell) * cell);
void TYPED(fed__recurrent_backward)(const struct fed__operation *operation,
                                    const struct TYPED(fed__recurrent_cell) * cell);

/* For cells. The states of an example that the step starts from, and leaves. */
static inline int64_t TYPED(fed__state_before)(const struct TYPED(fed__recurrent_run) * run,
                                               int64_t step, int64_t example) {
  return ((step + run->reversed) * run->layer->batch + example) * run->layer->hidden;
}
static inline int64_t TYPED(fed__state_after)(const struct TYPED(fed__recurrent_run) * run,
                                              int64_t step, int64_t example) {
  return ((step + !run->reversed) * run->layer->batch + example) * run->layer->hidden;
}

/* Does the example take part in the step? */
int TYPED(fed__recurrent_active)(const struct TYPED(fed__recurrent_run) * run, int64_t step,
                                 int64_t example);

/* c = a * R' (in backward a * R) + beta * c for all examples, with one range's rows of R. */
void TYPED(fed__recurrent_multiply)(const struct TYPED(fed__recurrent_run) * run, size_t range,
                                    const REAL *a, double beta, REAL *c);

/* Activate some numbers of the gates, limited beforehand; backward, from their gradient to that of
 * what the activation got. In place. */
void TYPED(fed__recurrent_activate)(const struct TYPED(fed__recurrent_run) * run, size_t activation,
                                    int64_t count, REAL *gates);
void TYPED(fed__recurrent_derive)(const struct TYPED(fed__recurrent_run) * run, size_t activation,
                                  int64_t count, const REAL *dy, REAL *gates);

/* For finish_back: some of R's rows have the gradient `gradient`' * `states` over all steps and
 * examples; their bias has the sums of `gradient`, whose rows are `width` apart. */
void TYPED(fed__recurrent_rows)(const struct TYPED(fed__recurrent_run) * run,
                                struct fed__gate_range rows, const REAL *gradient, int64_t width,
                                const REAL *states);
