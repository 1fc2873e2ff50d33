/* SPDX-License-Identifier: Apache-2.0
 *
 * class_figures.h: how well a model tells classes apart, for those who ask a program.
 */
#ifndef FED_CLASS_FIGURES_H
#define FED_CLASS_FIGURES_H

#include "job/job.h"
#include "train/class_metrics.h"

#include <jansson.h>

/* The class's name, or its number in `text`. */
const char *fed__class_name(const struct fed__job *job, uint32_t class, char text[16]);

/* The classes with their figures, and their means, without the matrix; and the matrix as a list of
 * rows. What is not known is null, all of it where there are no classes. NULL when out of memory;
 * the caller's. */
json_t *fed__classification_json(const struct fed__job *job,
                                 const struct fed__classification *found);
json_t *fed__matrix_json(const struct fed__classification *found);

/* A line: of two classes the second, which is the one that one looks for; of more, their mean. */
void fed__classification_print(const struct fed__classification *found);

#endif
