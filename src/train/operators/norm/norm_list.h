/* SPDX-License-Identifier: Apache-2.0
 *
 * norm_list.h: normalisation, softmax and reductions.
 */
#ifndef FED_TRAIN_NORM_LIST_H
#define FED_TRAIN_NORM_LIST_H

#define FED__OPERATORS_NORM(X)

#endif
