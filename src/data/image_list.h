/* SPDX-License-Identifier: Apache-2.0
 *
 * image_list.h: which image files a dataset has, and their targets: from folders named like the
 * classes, or from a CSV file with the columns `file` and `label`. Memory: the names.
 */
#ifndef FED_DATA_IMAGE_LIST_H
#define FED_DATA_IMAGE_LIST_H

#include "data/dataset.h"

struct fed__image_entry {
  size_t path;   /* where in `paths` its name below the data folder is */
  int64_t label; /* FED__TARGET_CLASS */
  float number;  /* FED__TARGET_NUMBER */
};

struct fed__image_list {
  struct fed_buffer paths;   /* zero-terminated, one after the other */
  struct fed_buffer entries; /* struct fed__image_entry each */
  size_t count;
};

/* List the folder inputs[0].file below `folder`, or the index target.file of files in it. Folders
 * list their classes' files by name, in the order of the classes. FED_E_RANGE for a folder or label
 * that is no class; FED_E_MISSING without names of classes; the errors of csv.h. */
FED_MUST int fed__image_list_init(struct fed__image_list *list, const struct fed_context *context,
                                  const char *folder, const struct fed__dataset_schema *schema);
void fed__image_list_clear(struct fed__image_list *list);

const struct fed__image_entry *fed__image_list_at(const struct fed__image_list *list, size_t at);
const char *fed__image_list_path(const struct fed__image_list *list, size_t at);

/* The same from the index only. */
FED_MUST int fed__image_list_index(struct fed__image_list *list, const struct fed_context *context,
                                   const char *folder, const struct fed__dataset_schema *schema);

/* Add a file of the dataset's folder. */
FED_MUST int fed__image_list_add(struct fed__image_list *list, const char *folder, const char *name,
                                 struct fed__image_entry entry);

#endif
