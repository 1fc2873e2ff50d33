/* SPDX-License-Identifier: Apache-2.0
 *
 * class_figures.c: classes to JSON and to a line.
 */
#include "programs/class_figures.h"

#include <math.h>
#include <stdio.h>

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

const char *fed__class_name(const struct fed__job *job, uint32_t class, char text[16]) {
  const struct fed__target_schema *target = &job->data.schema.target;
  if (target->names && class < target->name_count) return target->names[class];
  snprintf(text, 16, "%u", class);
  return text;
}

static json_t *class_json(const char *name, const struct fed__class_metrics *metrics) {
  return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "class", name, "examples",
                   (json_int_t)metrics->wanted_count, "recall", number(metrics->recall),
                   "precision", number(metrics->precision), "f1", number(metrics->f1), "auc",
                   number(metrics->auc), "average_precision", number(metrics->average_precision));
}

json_t *fed__classification_json(const struct fed__job *job,
                                 const struct fed__classification *found) {
  char text[16];
  if (!found->classes || !found->label_count) return json_null();
  json_t *classes = json_array();
  for (uint32_t i = 0; i < found->classes; i++)
    json_array_append_new(classes, class_json(fed__class_name(job, i, text), &found->each[i]));
  json_t *mean = class_json("mean", &found->mean);
  json_object_del(mean, "class");
  json_object_del(mean, "examples");
  return json_pack("{s:I, s:o, s:o, s:o}", "examples", (json_int_t)found->label_count, "accuracy",
                   number((double)found->correct_count / (double)found->label_count), "mean", mean,
                   "classes", classes);
}

json_t *fed__matrix_json(const struct fed__classification *found) {
  if (!found->classes || !found->label_count) return json_null();
  json_t *matrix = json_array();
  for (size_t i = 0; i < found->classes; i++) {
    json_t *row = json_array();
    for (size_t k = 0; k < found->classes; k++)
      json_array_append_new(row,
                            json_integer((json_int_t)found->confusion[i * found->classes + k]));
    json_array_append_new(matrix, row);
  }
  return matrix;
}

void fed__classification_print(const struct fed__classification *found) {
  if (!found->classes || !found->label_count) return;
  const struct fed__class_metrics *shown = found->classes == 2 ? &found->each[1] : &found->mean;
  printf("  %-12s %s: recall %.4f, precision %.4f", "classes",
         found->classes == 2 ? "class 1" : "mean of the classes", shown->recall, shown->precision);
  if (isfinite(shown->auc))
    printf(", AUC %.4f, average precision %.4f", shown->auc, shown->average_precision);
  putchar('\n');
}
