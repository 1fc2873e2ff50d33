/* SPDX-License-Identifier: Apache-2.0
 *
 * attention.h: the extents and options of an Attention node, read from its attributes and the
 * shapes of its inputs.
 */
#ifndef FED_TRAIN_OPERATORS_ATTENTION_H
#define FED_TRAIN_OPERATORS_ATTENTION_H

#include "train/operator.h"

enum {
  FED__ATTENTION_QUERY,
  FED__ATTENTION_KEY,
  FED__ATTENTION_VALUE,
  FED__ATTENTION_MASK,
  FED__ATTENTION_PAST_KEY,
  FED__ATTENTION_PAST_VALUE,
  FED__ATTENTION_USED_KEYS
};
enum {
  FED__ATTENTION_Y,
  FED__ATTENTION_PRESENT_KEY,
  FED__ATTENTION_PRESENT_VALUE,
  FED__ATTENTION_SCORES
};

/* When the output of scores is taken, and what has not happened then. */
enum {
  FED__ATTENTION_BEFORE_CAP,
  FED__ATTENTION_BEFORE_MASK,
  FED__ATTENTION_BEFORE_SOFTMAX,
  FED__ATTENTION_AFTER_SOFTMAX
};

struct fed__attention {
  int64_t batch, heads, key_heads, queries, keys, width, value_width;
  int64_t past; /* so many of the keys come before the first query */
  int joins;    /* keys and values are joined with the past's, [batch, heads, keys, width] */
  int64_t before, after; /* how far from its own place a query looks; below 0: to the end */
  int64_t scores_when;
  int heads_inside; /* inputs of three dimensions: heads lie beside one another in a row */
  double scale, cap;
  int64_t mask_step[4]; /* by example, head, query, key; 0: broadcast */
  int64_t mask_keys;    /* the mask lets nobody look at later ones */
};

/* FED_E_SHAPE, FED_E_RANGE, FED_E_TOO_LARGE: the inputs do not fit each other or the attributes.
 * `shapes` of the inputs up to FED__ATTENTION_USED_KEYS in turn, NULL for one that is left out. */
FED_MUST int fed__attention_read(const struct fed__node *node,
                                 const struct fed_shape *const *shapes,
                                 struct fed__attention *layer);

/* The same for infer, which checks types, too. */
FED_MUST int fed__attention_infer(const struct fed__inference *inference,
                                  struct fed__attention *layer);

/* How many scores there are, and numbers in joined keys or values of a width. */
int64_t fed__attention_scores(const struct fed__attention *layer);
int64_t fed__attention_joined(const struct fed__attention *layer, int64_t width);

#endif
