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

const struct fed__operator *fed__operator_find(const struct fed__node *node, int64_t opset) {
  char list[3000];
  const char *type = node->message->op_type ? node->message->op_type : "";
  const char *domain = node->message->domain ? node->message->domain : "";
  const int standard = !*domain || strcmp(domain, "ai.onnx") == 0;
  for (size_t i = 0; standard && i < OPERATOR_COUNT; i++)
    if (strcmp(operators[i]->type, type) == 0 && opset >= operators[i]->opset_min &&
        opset <= operators[i]->opset_max)
      return operators[i];
  FED_RAISE(FED_E_UNSUPPORTED,
            "node '%.100s': operator %.60s%s%.60s of opset %lld is not supported; supported are %s",
            node->name, domain, *domain ? "." : "", type, (long long)opset,
            list_operators(list, sizeof list));
  return NULL;
}
