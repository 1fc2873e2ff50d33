/* SPDX-License-Identifier: Apache-2.0
 *
 * joined_examples.h: several sources of examples, one after the other, as one.
 */
#ifndef FED_DATA_JOINED_EXAMPLES_H
#define FED_DATA_JOINED_EXAMPLES_H

#include "fed/examples.h"

/* Takes the parts over, also when it fails. Row 0 of a part follows the last row of the part before
 * it. FED_E_SHAPE if the parts' examples do not look alike, FED_E_EMPTY without parts,
 * FED_E_TOO_LARGE for more rows than row numbers, FED_E_MEMORY. */
FED_MUST int fed__joined_examples_new(const struct fed_context *context,
                                      struct fed_examples *const *parts, size_t part_count,
                                      struct fed_examples **examples);

/* How many examples a part has; `examples` are joined ones, and the part is one of theirs. */
size_t fed__joined_examples_part_count(const struct fed_examples *examples, size_t part);

#endif
