/* SPDX-License-Identifier: Apache-2.0
 *
 * shared_examples.h: examples whose gathering changes nothing, seen by one more thread: what the
 * readers give out by fed_examples.share.
 */
#ifndef FED_DATA_SHARED_EXAMPLES_H
#define FED_DATA_SHARED_EXAMPLES_H

#include "fed/examples.h"

/* `owner` must outlive `*examples` and allow several threads to gather at once. FED_E_MEMORY. */
FED_MUST int fed__shared_examples_new(const struct fed_context *context, struct fed_examples *owner,
                                      struct fed_examples **examples);

#endif
