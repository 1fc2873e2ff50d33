/* SPDX-License-Identifier: Apache-2.0
 *
 * operator_table.c: all operators that the engine trains.
 */
#include "base/raise.h"
#include "train/operator.h"

#include <stdio.h>

static const struct fed__operator *const operators[] = {
#define OPERATOR_ENTRY(name) &fed__op_##name,
    FED__OPERATOR_LIST(OPERATOR_ENTRY)
#undef OPERATOR_ENTRY
};

#define OPERATOR_COUNT (sizeof operators / sizeof operators[0])

static const char *list_operators(char *text, size_t size) {
  size_t at = 0;
  for (size_t i = 0; i < OPERATOR_COUNT && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", operators[i]->type);
  return text;
}

/* What helps against an operator that is not there. */
static const char *advice(const char *domain, const char *type) {
  static const char *const control_flow[] = {"If", "Loop", "Scan", "SequenceMap"};
  if (strcmp(domain, "ai.onnx.ml") == 0)
    return "trees and scikit-learn's own operators do not train by gradients: a built-in model "
           "(fed model new logreg, mlp) takes their place; ";
  for (size_t i = 0; i < sizeof control_flow / sizeof *control_flow; i++)
    if (strcmp(type, control_flow[i]) == 0)
      return "export with the loop unrolled and the branch taken, or use layers that become LSTM, "
             "GRU or RNN; ";
  return "";
}

static int raise_missing(const struct fed__node *node, const char *domain, const char *type,
                         int64_t opset) {
  char list[3000];
  return FED_RAISE(
      FED_E_UNSUPPORTED,
      "node '%.100s': operator %.60s%s%.60s of opset %lld is not supported; %ssupported are %s",
      node->name, domain, *domain ? "." : "", type, (long long)opset, advice(domain, type),
      list_operators(list, sizeof list));
}

static int raise_opset(const struct fed__node *node, const struct fed__operator *op,
                       int64_t opset) {
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "node '%.100s': operator %s of opset %lld is not supported, that of opsets %d "
                   "to %d is; export with one of these",
                   node->name, op->type, (long long)opset, op->opset_min, op->opset_max);
}

const struct fed__operator *fed__operator_find(const struct fed__node *node, int64_t opset) {
  const char *type = node->message->op_type ? node->message->op_type : "";
  const char *domain = node->message->domain ? node->message->domain : "";
  const int standard = !*domain || strcmp(domain, "ai.onnx") == 0;
  for (size_t i = 0; standard && i < OPERATOR_COUNT; i++) {
    const struct fed__operator *op = operators[i];
    if (strcmp(op->type, type) != 0) continue;
    if (opset >= op->opset_min && opset <= op->opset_max) return op;
    (void)raise_opset(node, op, opset);
    return NULL;
  }
  (void)raise_missing(node, domain, type, opset);
  return NULL;
}
