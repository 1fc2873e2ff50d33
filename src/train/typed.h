/* SPDX-License-Identifier: Apache-2.0
 *
 * typed.h: compile one text for float and for double. A file sets FED__TEMPLATE to a file (often
 * itself, in a part that is skipped unless REAL is defined) and includes this: the text is
 * compiled twice with REAL, TYPED(name) = name_f32 or name_f64, and REAL_FUNCTION(name) = the C
 * library's function for that type. Double is the oracle: it does without FED__WIDE's several
 * versions of a function, which would only make programs larger.
 */
#include "base/wide.h"

#define REAL float
#define TYPED(name) name##_f32
#define REAL_FUNCTION(name) name##f
#include FED__TEMPLATE
#undef REAL
#undef TYPED
#undef REAL_FUNCTION

#pragma push_macro("FED__WIDE")
#undef FED__WIDE
#define FED__WIDE
#define REAL double
#define TYPED(name) name##_f64
#define REAL_FUNCTION(name) name
#include FED__TEMPLATE
#pragma pop_macro("FED__WIDE")
#undef REAL
#undef TYPED
#undef REAL_FUNCTION
#undef FED__TEMPLATE
