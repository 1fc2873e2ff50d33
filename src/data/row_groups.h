/* SPDX-License-Identifier: Apache-2.0
 *
 * row_groups.h: which examples of a data set have the same value in a column: the same hospital,
 * speaker, customer. The column need not be among the model's inputs. What a column is:
 *
 *   csv, images with an index    a column of the table
 *   jsonl                        a field: a text, a whole number, true or false
 *   npz, safetensors             an array of integers, in the target's file
 *   npy, idx                     a file of integers
 *
 * Several columns together make a group of each combination. The file is read once from beginning
 * to end. Memory: 4 bytes an example, and each value that is there once, whatever the size of the
 * file.
 */
#ifndef FED_DATA_ROW_GROUPS_H
#define FED_DATA_ROW_GROUPS_H

#include "data/dataset.h"

#define FED__GROUP_COLUMNS_MAX 8

struct fed__row_groups {
  const struct fed_context *context;
  size_t column_count;
  size_t example_count;
  uint32_t count; /* groups, in the order in which they first appear */
  /* internal */
  struct fed_buffer group_of; /* uint32_t, by example */
  struct fed_buffer values;   /* texts, each with a zero byte: of each group one a column */
  struct fed_buffer starts;   /* size_t, by group and one more: where its values begin */
  struct fed_buffer key;      /* the values of the record read last */
  uint32_t *slots;            /* of a hash table: group + 1, or 0 */
  size_t slot_count;          /* a power of two */
};

/* 1 to FED__GROUP_COLUMNS_MAX columns. FED_E_MISSING for a column that is not there, with the name
 * that comes nearest, and for a row without a value; FED_E_TYPE, FED_E_SHAPE for what is no column;
 * FED_E_UNSUPPORTED for images in folders; the errors of fed__dataset_open. Nothing is left to
 * clear after a failure. */
FED_MUST int fed__row_groups_read(const struct fed_context *context, const char *folder,
                                  const struct fed__dataset_schema *schema,
                                  const char *const *columns, size_t column_count,
                                  struct fed__row_groups *groups);
void fed__row_groups_clear(struct fed__row_groups *groups);

/* An example's group, by example; and a group's value in the at-th column. */
const uint32_t *fed__row_groups_of(const struct fed__row_groups *groups);
const char *fed__row_groups_value(const struct fed__row_groups *groups, uint32_t group, size_t at);

#endif
