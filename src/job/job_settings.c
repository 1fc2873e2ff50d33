/* SPDX-License-Identifier: Apache-2.0
 *
 * job_settings.c: every setting of a job file. The order is that of the manual; a key's place in
 * the file is its place here. Meanings are written for people: they are the manual.
 */
#include "job/data_section.h"
#include "job/job.h"
#include "job/selection_section.h"
#include "job/settings.h"
#include "job/simulate_section.h"

#include <math.h>

#define AT(field) .offset = offsetof(struct fed__job, field)
#define ROUNDS_MAX 1000000

static const char *const losses[] = {[FED_LOSS_SOFTMAX_CROSS_ENTROPY] = "softmax_cross_entropy",
                                     [FED_LOSS_SOFT_CROSS_ENTROPY] = "soft_cross_entropy",
                                     [FED_LOSS_BINARY_CROSS_ENTROPY] = "binary_cross_entropy",
                                     [FED_LOSS_MEAN_SQUARED_ERROR] = "mean_squared_error",
                                     [FED_LOSS_HUBER] = "huber",
                                     [FED_LOSS_OUTPUT] = "output",
                                     NULL};
static const char *const statistics[] = {[FED_STATISTICS_AS_EXPORTED] = "as_exported",
                                         [FED_STATISTICS_AVERAGE] = "average",
                                         [FED_STATISTICS_LOCAL] = "local",
                                         [FED_STATISTICS_FREEZE] = "freeze",
                                         NULL};
static const char *const optimizers[] = {
    [FED_OPTIMIZER_SGD] = "sgd",         [FED_OPTIMIZER_ADAM] = "adam",
    [FED_OPTIMIZER_ADAMW] = "adamw",     [FED_OPTIMIZER_ADAGRAD] = "adagrad",
    [FED_OPTIMIZER_RMSPROP] = "rmsprop", NULL};
static const char *const schedules[] = {[FED_SCHEDULE_CONSTANT] = "constant",
                                        [FED_SCHEDULE_LINEAR] = "linear",
                                        [FED_SCHEDULE_COSINE] = "cosine",
                                        [FED_SCHEDULE_STEP] = "step",
                                        NULL};
static const char *const precisions[] = {
    [FED_PRECISION_F32] = "f32", [FED_PRECISION_F64] = "f64", [FED_PRECISION_BF16] = "bf16", NULL};

const char *fed__job_precision_name(enum fed_precision precision) { return precisions[precision]; }

static const char *const kernels[] = {[FED_KERNELS_AUTO] = "auto",
                                      [FED_KERNELS_REFERENCE] = "reference",
                                      [FED_KERNELS_ONEDNN] = "onednn",
                                      [FED_KERNELS_DIRECT] = "direct",
                                      NULL};
static const char *const weights[] = {
    [FED__WEIGHTS_EXAMPLES] = "examples", [FED__WEIGHTS_UNIFORM] = "uniform", NULL};
static const char *const metrics[] = {[FED__METRIC_NONE] = "none",
                                      [FED__METRIC_ACCURACY] = "accuracy",
                                      [FED__METRIC_LOSS] = "loss",
                                      NULL};

static const struct fed__setting dimensions[] = {
    {"name", FED__SETTING_TEXT, .required = 1, .offset = offsetof(struct fed_dimension, name),
     .minimum = 1, .meaning = "as in the ONNX file"},
    {"extent", FED__SETTING_COUNT64, .required = 1,
     .offset = offsetof(struct fed_dimension, extent), .minimum = 1, .maximum = 1 << 30,
     .meaning = "how long it is in this job"},
    {NULL}};

static const struct fed__setting adapters[] = {
    {"nodes", FED__SETTING_TEXTS, .required = 1, AT(model.adapted),
     .more_offset = offsetof(struct fed__job, model.adapted_count), .minimum = 1,
     .meaning =
         "names of Gemm and MatMul nodes, or of their weights; '*' is any run of characters"},
    {"rank", FED__SETTING_COUNT, .required = 1, AT(model.adapter_rank), .minimum = 1,
     .maximum = 65536, .meaning = "of the two factors: the smaller, the less travels"},
    {"alpha", FED__SETTING_NUMBER, AT(model.adapter_alpha), .initial = "0", .maximum = 1e6,
     .meaning = "alpha / rank multiplies the adapter; 0: the rank, so that this is 1"},
    {NULL}};

#define OPTION(field) AT(train.options.field)
static const struct fed__setting model[] = {
    {"file", FED__SETTING_TEXT, .required = 1, AT(model.file), .minimum = 1,
     .meaning = "the ONNX file, relative to the job file"},
    {"loss", FED__SETTING_WORD, OPTION(loss), .initial = "softmax_cross_entropy", .words = losses,
     .meaning = "what training makes small; output: the model computes its loss itself"},
    {"class_axis", FED__SETTING_COUNT, OPTION(class_axis), .initial = "1", .minimum = 1,
     .maximum = FED_RANK_MAX - 1,
     .meaning = "softmax, soft: where in the output the classes are; the batch is 0"},
    {"output", FED__SETTING_TEXT, AT(model.output), .minimum = 1,
     .meaning = "the value of the graph that training looks at, such as the logits in front of a "
                "Softmax; left out: the graph's first output"},
    {"trainable", FED__SETTING_TEXTS, AT(model.trainable),
     .more_offset = offsetof(struct fed__job, model.trainable_count), .minimum = 1,
     .meaning = "names of the parameters that train, '*' is any run of characters; left out: as "
                "the file says, else every weight, bias, scale and table"},
    {"frozen", FED__SETTING_TEXTS, AT(model.frozen),
     .more_offset = offsetof(struct fed__job, model.frozen_count), .minimum = 1,
     .meaning = "names of those that do not train after all"},
    {"dimensions", FED__SETTING_ITEMS, AT(model.dimensions),
     .more_offset = offsetof(struct fed__job, model.dimension_count),
     .item_size = sizeof(struct fed_dimension), .inner = dimensions, .minimum = 1, .maximum = 64,
     .meaning = "extents of the dimensions that the file only names, besides the batch"},
    {"statistics", FED__SETTING_WORD, AT(model.statistics), .initial = "as_exported",
     .words = statistics,
     .meaning = "batch normalisation's running mean and variance; average: they travel as "
                "parameters do; local: each agent keeps its own; freeze: the file's"},
    {"adapters", FED__SETTING_SECTION, .inner = adapters,
     .meaning = "low-rank adapters (LoRA): only they train and travel"},
    {NULL}};

static const struct fed__setting train[] = {
    {"trainer", FED__SETTING_NAME, AT(train.trainer), .initial = "native",
     .meaning = "native, or an external one, as the agents' policies call it"},
    {"epochs", FED__SETTING_COUNT, AT(train.epochs), .initial = "1", .maximum = 100000,
     .unit = "epochs", .meaning = "through an agent's examples in each round; 0: do not train"},
    {"steps_max", FED__SETTING_COUNT64, AT(train.steps_max), .initial = "0", .unit = "steps",
     .meaning = "end a round's training after so many; 0: no limit"},
    {"batch_size", FED__SETTING_COUNT, OPTION(batch_size), .initial = "32", .minimum = 1,
     .maximum = 1000000, .unit = "examples", .meaning = "of a step"},
    {"optimizer", FED__SETTING_WORD, OPTION(optimizer), .initial = "sgd", .words = optimizers,
     .meaning = "of the agents' steps; it forgets its state after each round"},
    {"learning_rate", FED__SETTING_NUMBER, OPTION(learning_rate), .initial = "0.1", .above = 1,
     .maximum = 1e6, .meaning = "of the agents' steps"},
    {"momentum", FED__SETTING_NUMBER, OPTION(momentum), .initial = "0", .maximum = 1, .below = 1,
     .meaning = "sgd: buffer = momentum * buffer + gradient; rmsprop; 0: none"},
    {"nesterov", FED__SETTING_FLAG, OPTION(nesterov), .initial = "false",
     .meaning = "sgd: look ahead along the momentum"},
    {"weight_decay", FED__SETTING_NUMBER, OPTION(weight_decay), .initial = "0", .maximum = 1e6,
     .meaning = "times the parameters, added to the gradient; adamw: times the learning rate, "
                "taken off the parameters"},
    {"beta1", FED__SETTING_NUMBER, OPTION(beta1), .initial = "0.9", .maximum = 1, .below = 1,
     .meaning = "adam, adamw: of the mean of gradients"},
    {"beta2", FED__SETTING_NUMBER, OPTION(beta2), .initial = "0.999", .maximum = 1, .below = 1,
     .meaning = "adam, adamw: of the mean of their squares"},
    {"epsilon", FED__SETTING_NUMBER, OPTION(epsilon), .initial = "1e-8", .above = 1, .maximum = 1,
     .meaning = "all but sgd: keeps the division finite"},
    {"rho", FED__SETTING_NUMBER, OPTION(rho), .initial = "0.99", .maximum = 1, .below = 1,
     .meaning = "rmsprop: of the mean of squared gradients"},
    {"clip_value", FED__SETTING_NUMBER, OPTION(clip_value), .initial = "0", .maximum = 1e9,
     .meaning = "clip each element of a batch's gradient to plus or minus this; 0: do not"},
    {"clip_norm", FED__SETTING_NUMBER, OPTION(clip_norm), .initial = "0", .maximum = 1e9,
     .meaning = "then clip each batch's gradient to this L2 norm; 0: do not"},
    {"label_smoothing", FED__SETTING_NUMBER, OPTION(label_smoothing), .initial = "0", .maximum = 1,
     .below = 1, .meaning = "softmax, soft: this much of each target is spread over all classes"},
    {"class_weights", FED__SETTING_NUMBERS, OPTION(class_weights),
     .more_offset = offsetof(struct fed__job, train.options.class_weight_count), .maximum = 1e9,
     .meaning = "what each class counts; binary: what a positive target counts, by the output's "
                "last dimension; left out: 1"},
    {"ignored_label", FED__SETTING_INTEGER, OPTION(ignored_label),
     .more_offset = offsetof(struct fed__job, train.options.has_ignored_label),
     .meaning = "softmax: a label that does not count, such as -100"},
    {"huber_delta", FED__SETTING_NUMBER, OPTION(huber_delta), .initial = "1", .above = 1,
     .maximum = 1e9, .meaning = "huber: from this distance on the loss grows linearly"},
    {"warmup_steps", FED__SETTING_COUNT64, OPTION(warmup_steps), .initial = "0", .unit = "steps",
     .meaning = "the learning rate rises linearly over so many before the schedule begins"},
    {"schedule", FED__SETTING_WORD, OPTION(schedule), .initial = "constant", .words = schedules,
     .meaning = "of the learning rate within a round"},
    {"schedule_floor", FED__SETTING_NUMBER, OPTION(schedule_floor), .initial = "0", .maximum = 1,
     .meaning = "linear, cosine: the part of the learning rate that is left at the "
                "end"},
    {"schedule_factor", FED__SETTING_NUMBER, OPTION(schedule_factor), .initial = "0.1", .above = 1,
     .maximum = 1, .meaning = "step: multiplies the learning rate"},
    {"schedule_every", FED__SETTING_COUNT64, OPTION(schedule_every), .initial = "0",
     .unit = "steps", .meaning = "step: after every so many"},
    {"schedule_steps", FED__SETTING_COUNT64, OPTION(schedule_steps), .initial = "0",
     .unit = "steps", .meaning = "linear, cosine: how many the schedule spans"},
    {"precision", FED__SETTING_WORD, OPTION(precision), .initial = "f32", .words = precisions,
     .meaning = "f32; bf16: products of bfloat16 summed in float32, where the machine can; or f64 "
                "to check results: plain C, slow"},
    {"kernels", FED__SETTING_WORD, OPTION(kernels), .initial = "auto", .words = kernels,
     .meaning = "auto: the fastest that each machine has; direct: the same without Winograd's "
                "tiles for 3 x 3 convolutions; reference: plain C, so that all machines agree "
                "bit for bit"},
    {"checkpoint", FED__SETTING_FLAG, OPTION(checkpoint), .initial = "false",
     .meaning = "compute activations again where that saves memory"},
    {"memory_max", FED__SETTING_SIZE, OPTION(memory_bytes_max), .initial = "0 B",
     .meaning = "refuse to train if it takes more; 0: no limit"},
    {NULL}};

static const struct fed__setting rounds[] = {
    {"count", FED__SETTING_COUNT, .required = 1, AT(rounds.count), .minimum = 1,
     .maximum = ROUNDS_MAX, .unit = "rounds", .meaning = "rounds of the whole run"},
    {"cohort", FED__SETTING_COUNT, .required = 1, AT(rounds.cohort), .minimum = 1,
     .maximum = FED__CLIENTS_MAX, .unit = "clients", .meaning = "wanted in each round"},
    {"over_selection", FED__SETTING_NUMBER, AT(rounds.over_selection), .initial = "1", .minimum = 1,
     .maximum = 10, .meaning = "invite the cohort times this, to make up for those that drop out"},
    {"minimum", FED__SETTING_COUNT, .required = 1, AT(rounds.minimum), .minimum = 1,
     .maximum = FED__CLIENTS_MAX, .unit = "clients",
     .meaning = "a round with fewer updates at its deadline fails"},
    {"deadline", FED__SETTING_DURATION, AT(rounds.deadline_s), .initial = "10 min", .above = 1,
     .maximum = 2592000, .unit = "s", .meaning = "for the cohort to report"},
    {"gather", FED__SETTING_DURATION, AT(rounds.gather_s), .initial = "10 s", .maximum = 2592000,
     .unit = "s", .meaning = "the wait for a full cohort before a round begins with the minimum"},
    {"back_off", FED__SETTING_DURATION, AT(rounds.back_off_s), .initial = "5 s", .maximum = 86400,
     .unit = "s", .meaning = "the wait after a failed round; doubles with each in a row"},
    {"back_off_max", FED__SETTING_DURATION, AT(rounds.back_off_max_s), .initial = "5 min",
     .maximum = 86400, .unit = "s", .meaning = "but is never longer than this"},
    {"failures_max", FED__SETTING_COUNT, AT(rounds.failures_max), .initial = "10", .minimum = 1,
     .maximum = ROUNDS_MAX, .unit = "rounds",
     .meaning = "so many failed rounds in a row end the job"},
    {"selection", FED__SETTING_SECTION, .inner = fed__selection_section,
     .meaning = "who of those that are there takes part"},
    {NULL}};

static const struct fed__setting update[] = {
    {"clip_norm", FED__SETTING_NUMBER, AT(update.clip_norm), .initial = "0", .maximum = 1e9,
     .meaning = "clip a client's whole update to this L2 norm; 0: do not"},
    {"grid_bits", FED__SETTING_COUNT, AT(update.grid_bits), .initial = "16", .minimum = 8,
     .maximum = 32, .unit = "bits", .meaning = "of an element on the wire: 8, 16 or 32"},
    {"grid_step", FED__SETTING_POWER, AT(update.grid_step), .initial = "2^-13", .minimum = 0x1p-60,
     .maximum = 0x1p20,
     .meaning = "the distance of two grid points: updates are rounded to whole steps, so that "
                "sums are exact"},
    {NULL}};

static const char *const algorithms[] = {
    [FED__ALGORITHM_FEDAVG] = "fedavg",     [FED__ALGORITHM_FEDSGD] = "fedsgd",
    [FED__ALGORITHM_FEDAVGM] = "fedavgm",   [FED__ALGORITHM_FEDPROX] = "fedprox",
    [FED__ALGORITHM_SCAFFOLD] = "scaffold", [FED__ALGORITHM_FEDNOVA] = "fednova",
    [FED__ALGORITHM_FEDDYN] = "feddyn",     [FED__ALGORITHM_FEDADAGRAD] = "fedadagrad",
    [FED__ALGORITHM_FEDADAM] = "fedadam",   [FED__ALGORITHM_FEDYOGI] = "fedyogi",
    [FED__ALGORITHM_FEDBUFF] = "fedbuff",   [FED__ALGORITHM_FEDASYNC] = "fedasync",
    [FED__ALGORITHM_COUNT] = NULL};

const char *fed__job_algorithm_name(enum fed__job_algorithm algorithm) {
  return algorithms[algorithm];
}

uint32_t fed__job_buffer(const struct fed__job *job) {
  if (job->aggregate.algorithm == FED__ALGORITHM_FEDASYNC) return 1;
  return job->aggregate.algorithm == FED__ALGORITHM_FEDBUFF ? job->aggregate.buffer : 0;
}

static const struct fed__setting aggregate[] = {
    {"algorithm", FED__SETTING_WORD, AT(aggregate.algorithm), .initial = "fedavg",
     .words = algorithms, .meaning = "what clients and server do with a model and its updates"},
    {"proximal", FED__SETTING_NUMBER, AT(aggregate.proximal), .initial = "0", .maximum = 1e6,
     .meaning = "fedprox: mu, how much training is drawn towards the received model"},
    {"regularizer", FED__SETTING_NUMBER, AT(aggregate.regularizer), .initial = "0", .maximum = 1e6,
     .meaning = "feddyn: alpha, the weight of the dynamic regulariser"},
    {"beta1", FED__SETTING_NUMBER, AT(aggregate.beta1), .initial = "0.9", .maximum = 1, .below = 1,
     .meaning = "fedadagrad (0 in its paper), fedadam, fedyogi: of the mean direction; 0: none"},
    {"beta2", FED__SETTING_NUMBER, AT(aggregate.beta2), .initial = "0.99", .maximum = 1, .below = 1,
     .meaning = "fedadam, fedyogi: of the mean square"},
    {"adaptivity", FED__SETTING_NUMBER, AT(aggregate.adaptivity), .initial = "0.001", .above = 1,
     .maximum = 1e6,
     .meaning = "fedadagrad, fedadam, fedyogi: tau, added to the root of the mean square"},
    {"buffer", FED__SETTING_COUNT, AT(aggregate.buffer), .initial = "10", .minimum = 1,
     .maximum = 1000000, .unit = "updates", .meaning = "fedbuff: that make a version"},
    {"staleness_max", FED__SETTING_COUNT, AT(aggregate.staleness_max), .initial = "10",
     .maximum = 1000, .unit = "versions",
     .meaning = "fedbuff, fedasync: an update is dropped if more were made since its client began"},
    {"mixing", FED__SETTING_NUMBER, AT(aggregate.mixing), .initial = "0.6", .above = 1,
     .maximum = 1, .meaning = "fedasync: alpha, the part of a client's model in the next version"},
    {"population", FED__SETTING_COUNT, AT(aggregate.population), .initial = "0",
     .maximum = 1000000000, .unit = "clients",
     .meaning = "scaffold, feddyn: how many there are; 0: all that are enrolled (or simulated)"},
    {"rule", FED__SETTING_TEXT, AT(aggregate.rule), .initial = "mean",
     .meaning = "how a cohort's updates become one: mean"},
    {"weights", FED__SETTING_WORD, AT(aggregate.weights), .initial = "examples", .words = weights,
     .meaning = "a client counts by its examples, or all alike"},
    {"weight_max", FED__SETTING_COUNT64, AT(aggregate.weight_max), .initial = "1000000",
     .minimum = 1, .maximum = 0x1p40, .unit = "examples",
     .meaning = "more examples than this count as this many"},
    {"server_learning_rate", FED__SETTING_NUMBER, AT(aggregate.server_learning_rate),
     .initial = "1", .above = 1, .maximum = 1e6,
     .meaning = "times the aggregate, is what the model moves by; 1: the plain mean"},
    {"server_momentum", FED__SETTING_NUMBER, AT(aggregate.server_momentum), .initial = "0",
     .maximum = 1, .below = 1, .meaning = "across rounds; 0: none"},
    {NULL}};

static const struct fed__setting test[] = {
    {"folder", FED__SETTING_TEXT, .required = 1, AT(evaluate.test_folder), .minimum = 1,
     .meaning = "of the server's test set, below the server's data folder, or absolute"},
    {"inputs", FED__SETTING_TEXT, AT(evaluate.test_inputs), .minimum = 1,
     .meaning =
         "its file in place of the first input's, and of those that share it; left out: the same"},
    {"target", FED__SETTING_TEXT, AT(evaluate.test_target), .minimum = 1,
     .meaning = "its file in place of the target's; left out: the same name"},
    {NULL}};

static const struct fed__setting evaluate[] = {
    {"every", FED__SETTING_COUNT, AT(evaluate.every), .initial = "1", .maximum = ROUNDS_MAX,
     .unit = "rounds", .meaning = "evaluate after every so many; 0: never"},
    {"federated", FED__SETTING_FLAG, AT(evaluate.federated), .initial = "true",
     .meaning = "on what the agents hold out; they report sums, if their policies let them"},
    {"test", FED__SETTING_SECTION, .inner = test,
     .meaning = "a test set at the server, of the same form as the agents' data"},
    {NULL}};

static const struct fed__setting stop[] = {
    {"metric", FED__SETTING_WORD, AT(stop.metric), .initial = "none", .words = metrics,
     .meaning = "stop early by this one"},
    {"at_least", FED__SETTING_NUMBER, AT(stop.at_least), .initial = "0", .maximum = 1,
     .meaning = "with metric: accuracy; the part that is right"},
    {"at_most", FED__SETTING_NUMBER, AT(stop.at_most), .initial = "0", .maximum = 1e9,
     .meaning = "with metric: loss; the mean over examples"},
    {"seconds", FED__SETTING_DURATION, AT(stop.seconds), .initial = "0 s", .maximum = 31536000,
     .unit = "s", .meaning = "stop after this time; 0: no limit"},
    {NULL}};

const struct fed__setting fed__job_settings[] = {
    {"version", FED__SETTING_COUNT, .required = 1, AT(version), .minimum = 1, .maximum = 1,
     .meaning = "of this form of job files"},
    {"name", FED__SETTING_NAME, .required = 1, AT(name), .meaning = "of the job"},
    {"description", FED__SETTING_TEXT, AT(description), .initial = "", .meaning = "for people"},
    {"seed", FED__SETTING_COUNT64, AT(seed), .initial = "1",
     .meaning = "of every random choice: the same seed, the same run"},
    {"model", FED__SETTING_SECTION, .required = 1, .inner = model, .meaning = "what is trained"},
    {"data", FED__SETTING_SECTION, .inner = fed__data_settings,
     .meaning = "what it is trained on; may be left out if nothing trains or evaluates"},
    {"train", FED__SETTING_SECTION, .inner = train, .meaning = "how an agent trains in a round"},
    {"rounds", FED__SETTING_SECTION, .required = 1, .inner = rounds,
     .meaning = "how many, with whom, how long"},
    {"update", FED__SETTING_SECTION, .inner = update,
     .meaning = "what happens to an update before it leaves an agent"},
    {"aggregate", FED__SETTING_SECTION, .inner = aggregate,
     .meaning = "how updates become the next model"},
    {"evaluate", FED__SETTING_SECTION, .inner = evaluate, .meaning = "how good the model is"},
    {"stop", FED__SETTING_SECTION, .inner = stop, .meaning = "when to end before the last round"},
    {"simulate", FED__SETTING_SECTION, .inner = fed__simulate_settings,
     .meaning = "of fed simulate only: the clients that it makes up"},
    {NULL}};
