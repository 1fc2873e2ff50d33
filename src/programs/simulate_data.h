/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_data.h: the data of a simulation: one folder that is divided, or a folder with one
 * folder for each client.
 */
#ifndef FED_SIMULATE_DATA_H
#define FED_SIMULATE_DATA_H

#include "simulate/simulation.h"

struct fed__simulate_data {
  struct fed__simulation_source source; /* first: opens what the rest describes */
  const struct fed_context *context;
  const struct fed__job *job;
  const char *folder, *test_base, *out;
  char (*names)[FED__CLIENT_NAME_BYTES]; /* of the clients' folders, sorted; NULL: one folder */
  uint32_t client_count;
};

/* Describe the data below `folder`; the test set is `test` if that is not NULL, else the job's,
 * below `folder`. With the partition `folders` each folder in it is a client's, named as the
 * client; its data is in `data` below it if that exists. `out` and what simulations wrote are no
 * clients. FED_E_EMPTY, FED_E_NOT_FOUND, FED_E_TOO_LARGE for a name over 64 bytes. To be cleared
 * whatever comes back. */
FED_MUST int fed__simulate_data_init(struct fed__simulate_data *data, struct fed__job *job,
                                     const char *folder, const char *test, const char *out);
void fed__simulate_data_clear(struct fed__simulate_data *data);

/* Open what is divided, without the test set. */
FED_MUST int fed__simulate_data_open(const struct fed__simulate_data *data,
                                     struct fed_examples **training);

/* Divide it as the job's partition says. `examples` are the training examples that were opened. */
FED_MUST int fed__simulate_data_divide(const struct fed__simulate_data *data,
                                       struct fed_examples *examples,
                                       struct fed__partition *partition);

#endif
