/* SPDX-License-Identifier: Apache-2.0
 *
 * recurrent_list.h: recurrent layers.
 */
#ifndef FED_TRAIN_RECURRENT_LIST_H
#define FED_TRAIN_RECURRENT_LIST_H

#define FED__OPERATORS_RECURRENT(X)                                                                \
  X(gru)                                                                                           \
  X(lstm)                                                                                          \
  X(rnn)

#endif
