/* SPDX-License-Identifier: Apache-2.0
 *
 * operator_table.c: all operators that the engine trains.
 */
#include "base/raise.h"
#include "train/operator.h"

static const struct fed__operator *const operators[] = {
#define OPERATOR_ENTRY(name) &fed__op_##name,
    FED__OPERATOR_LIST(OPERATOR_ENTRY)
#undef OPERATOR_ENTRY
};

#define OPERATOR_COUNT (sizeof operators / sizeof operators[0])

/* Operators whose definition in opset 13 is older than that, with the opset that it came with: a
 * model of such an opset means the same by them. */
static const struct {
  const char *type;
  int opset;
} older[] = {
    {"And", 7},
    {"AveragePool", 11},
    {"BatchNormalization", 9},
    {"Celu", 12},
    {"Compress", 11},
    {"ConstantOfShape", 9},
    {"Conv", 11},
    {"ConvTranspose", 11},
    {"Cos", 7},
    {"CumSum", 11},
    {"Einsum", 12},
    {"Elu", 6},
    {"EyeLike", 9},
    {"GRU", 7},
    {"GlobalAveragePool", 1},
    {"GlobalLpPool", 2},
    {"GlobalMaxPool", 1},
    {"GreaterOrEqual", 12},
    {"HardSigmoid", 6},
    {"InstanceNormalization", 6},
    {"IsInf", 10},
    {"LSTM", 7},
    {"LeakyRelu", 6},
    {"LessOrEqual", 12},
    {"LpNormalization", 1},
    {"LpPool", 11},
    {"MaxPool", 12},
    {"Not", 1},
    {"OneHot", 11},
    {"Or", 7},
    {"PRelu", 9},
    {"RNN", 7},
    {"Range", 11},
    {"Round", 11},
    {"Selu", 6},
    {"Sin", 7},
    {"Softplus", 1},
    {"Softsign", 1},
    {"ThresholdedRelu", 10},
    {"TopK", 11},
    {"Where", 9},
    {"Xor", 7},
};

int fed__operator_first_opset(const struct fed__operator *op) {
  for (size_t i = 0; i < sizeof older / sizeof older[0] && op->opset_min == 13; i++)
    if (strcmp(older[i].type, op->type) == 0) return older[i].opset;
  return op->opset_min;
}

/* What scikit-learn's converter writes, and what to do about it; the last is for the rest. */
static const char *help_scikit_learn(const char *type) {
  static const struct {
    const char *part, *help;
  } kinds[] = {
      {"Linear", "convert with skl2onnx's black_op={'LinearClassifier', 'LinearRegressor', "
                 "'Scaler', 'Normalizer'}, which writes ONNX's own operators"},
      {"Scaler", "convert with skl2onnx's black_op={'LinearClassifier', 'LinearRegressor', "
                 "'Scaler', 'Normalizer'}, which writes ONNX's own operators"},
      {"Tree", "trees do not train by gradients; a built-in model (fed model new logreg, mlp) may "
               "take their place"},
      {"SVM", "it has support vectors in place of weights; a built-in model (fed model new logreg, "
              "mlp) may take its place"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strstr(type, kinds[i].part)) return kinds[i].help;
  return "of classifiers, train the scores in place of the label: model.output, or --output, names "
         "what goes into Softmax (linear ones: raw_scores=True, then the graph's second output)";
}

static int refuse_domain(const struct fed__node *node, const char *domain, const char *type) {
  const char *help = "it is a runtime's or a converter's own: export with ONNX's operators only";
  if (strncmp(domain, "com.microsoft", 13) == 0)
    help = "an optimiser of onnxruntime made it: use the model as it was exported, without "
           "optimisation";
  if (strncmp(domain, "ai.onnx.ml", 10) == 0) help = help_scikit_learn(type);
  if (strncmp(domain, "ai.onnx.preview.training", 24) == 0)
    help = "it trains, which fed does itself: export the forward graph alone";
  return FED_RAISE(FED_E_UNSUPPORTED, "node '%.100s': operator %.60s of domain %.60s: %s",
                   node->name, type, domain, help);
}

static int refuse_opset(const struct fed__node *node, const struct fed__operator *op,
                        int64_t opset) {
  return FED_RAISE(
      FED_E_UNSUPPORTED,
      "node '%.100s': operator %s of opset %lld is not supported, that of opsets %d to "
      "%d is: export the model with opset %d",
      node->name, op->type, (long long)opset, fed__operator_first_opset(op), op->opset_max,
      opset < op->opset_min ? op->opset_min : op->opset_max);
}

static int refuse_type(const struct fed__node *node, const char *type, int64_t opset) {
  static const char *const control_flow[] = {"If", "Loop", "Scan", "SequenceMap"};
  const char *help = "`fed model operators` lists those that are";
  for (size_t i = 0; i < sizeof control_flow / sizeof *control_flow; i++)
    if (strcmp(type, control_flow[i]) == 0)
      help = "export with the loop unrolled and the branch taken, or use layers that become LSTM, "
             "GRU or RNN";
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "node '%.100s': operator %.60s of opset %lld is not supported; %s", node->name,
                   type, (long long)opset, help);
}

const struct fed__operator *fed__operator_find(const struct fed__node *node, int64_t opset) {
  const char *type = node->message->op_type ? node->message->op_type : "";
  const char *domain = node->message->domain ? node->message->domain : "";
  if (!fed__domain_is_standard(domain)) {
    refuse_domain(node, domain, type);
    return NULL;
  }
  const struct fed__operator *other = NULL;
  for (size_t i = 0; i < OPERATOR_COUNT; i++) {
    if (strcmp(operators[i]->type, type) != 0) continue;
    other = operators[i];
    if (opset >= fed__operator_first_opset(other) && opset <= other->opset_max) return other;
  }
  if (other)
    refuse_opset(node, other, opset);
  else
    refuse_type(node, type, opset);
  return NULL;
}

const struct fed__operator *fed__operator_at(size_t index) {
  return index < OPERATOR_COUNT ? operators[index] : NULL;
}
