/* SPDX-License-Identifier: Apache-2.0
 *
 * model_doubts.c: what is allowed, trains, and is hardly meant: a Softmax or Sigmoid in front of a
 * loss that applies its own, and single numbers that look like a bias and are taken for constants.
 * Linear in the size of the graph.
 */
#include "base/raise.h"
#include "train/constant_role.h"
#include "train/loss.h"
#include "train/operator.h"

#include <stdio.h>

/* What the output comes from, through nodes that only rearrange; NULL: an input. */
static const struct fed__node *find_end(const struct fed_model *model) {
  int32_t value = model->output;
  while (model->values[value].producer != FED__NONE) {
    const struct fed__node *node = &model->nodes[model->values[value].producer];
    if (!node->op->view && !(node->op->passes & 1)) return node;
    if (node->inputs[0] == FED__NONE) return NULL;
    value = node->inputs[0];
  }
  return NULL;
}

static int is_probabilities(const struct fed__node *node) {
  return strcmp(node->op->type, "Softmax") == 0 || strcmp(node->op->type, "Sigmoid") == 0;
}

/* The losses that take logits. */
static int takes_logits(enum fed_loss loss) {
  return loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY || loss == FED_LOSS_SOFT_CROSS_ENTROPY ||
         loss == FED_LOSS_BINARY_CROSS_ENTROPY;
}

static int doubt_end(const struct fed_model *model, const struct fed_train_options *options,
                     struct fed_buffer *out) {
  const struct fed__loss *loss = NULL;
  const struct fed__node *end = find_end(model);
  if (!end || !is_probabilities(end) || end->inputs[0] == FED__NONE) return FED_OK;
  if (options && !takes_logits(options->loss)) return FED_OK;
  if (options) FED_TRY(fed__loss_find(options, &loss));
  char applies[96] = "the cross entropy losses apply by themselves";
  if (loss) snprintf(applies, sizeof applies, "the loss %s applies by itself", loss->name);
  return fed_buffer_print(
      out,
      "the graph ends in %s (node '%s'), which %s: training would see it twice and learn "
      "slowly. Train what goes into it (model.output: \"%s\", or --output), export the model "
      "without that node, or take the loss mean_squared_error\n",
      end->op->type, end->name, applies, model->values[end->inputs[0]].name);
}

/* Epsilons of normalisations, and the 1 of many formulas. */
static int is_usual_constant(double number) {
  return (number > 0 && number <= 0.01) || number == 1;
}

static int doubt_singles(const struct fed_model *model, struct fed_buffer *out) {
  for (uint32_t i = 0; i < model->initializer_count; i++)
    if (model->values[i].role == FED__ROLE_SINGLE &&
        !is_usual_constant(fed__real_at(model->values[i].initializer, 0)))
      FED_TRY(fed_buffer_print(
          out,
          "'%s' is one number and does not train: constants look like that, and so does the bias "
          "of a layer with one output. If it is one, say what trains (model.trainable, or "
          "--trainable)\n",
          model->values[i].name));
  return FED_OK;
}

int fed_model_doubts(const struct fed_model *model, const struct fed_train_options *options,
                     struct fed_buffer *out) {
  FED_TRY(doubt_end(model, options, out));
  return doubt_singles(model, out);
}
