/* SPDX-License-Identifier: Apache-2.0
 *
 * test_loss.c: every loss with its options against PyTorch 2.15 in float64 (the literals: the
 * functions cross_entropy, binary_cross_entropy_with_logits, mse_loss and huber_loss of
 * torch.nn.functional, and autograd), against closed forms and finite differences; and what losses
 * refuse.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/loss.h"

#include <math.h>

#define COUNT_MAX 24

static const struct fed_shape classes_shape = {3, {2, 3, 4}}, numbers_shape = {2, {4, 2}};

/* 2 sin(3 i): torch.sin(3.0 * torch.arange(24)).reshape(2, 3, 4) * 2 */
static double class_logits[COUNT_MAX];
static const int64_t labels_all[8] = {0, 2, 1, 1, 2, 1, 0, 2},
                     labels[8] = {0, 2, 1, 1, 2, -100, 0, 2};
static const double weights[3] = {0.5, 2.0, 1.25}, positive_weights[2] = {2.5, 0.5};
static const float probabilities[COUNT_MAX] = {0.5f,  0.25f, 0.125f, 0, 0.25f, 0.5f,  0.125f, 1,
                                               0.25f, 0.25f, 0.75f,  0, 0.5f,  0.25f, 0.125f, 0,
                                               0.25f, 0.5f,  0.125f, 1, 0.25f, 0.25f, 0.75f,  0};
static const double extreme_logits[8] = {0.5, -2, 3, 0, -30, 30, 700, -700};
static const double numbers[8] = {0.5, -2, 3, 0, -0.25, 1, 1.5, -0.75};
static const float number_targets[8] = {0, 1, 0.25f, 1, 0.75f, 0, 1, 0.5f};

static const struct loss_case {
  const char *name;
  struct fed_train_options options;
  const struct fed_shape *shape;
  const double *output;
  const void *target;
  uint64_t count;
  double loss;
  double gradient[COUNT_MAX];
} cases[] = {
    {"plain",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY},
     &classes_shape,
     class_logits,
     labels_all,
     8,
     1.2081627261806689,
     {-0.04196537586243722,  0.01408439463156526,  0.07660319269278054,  0.01900410713033783,
      0.028392125712930625,  0.03899381660401962,  -0.09517057689862082, -0.08057824054745005,
      0.013573250149506588,  -0.05307821123558487, 0.018567384205840278, 0.061574133417112216,
      0.019187781072002218,  0.07105266539538167,  -0.11107186899713142, 0.07905259931642054,
      0.03000374052879019,   -0.08550046311849445, 0.02848494227057323,  0.03448884389808007,
      -0.049191521600792404, 0.014447797723112775, 0.08258692672655818,  -0.11354144321450062}},
    {"weighted",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY, .class_weights = weights, .class_weight_count = 3},
     &classes_shape,
     class_logits,
     labels_all,
     8,
     1.194753819094182,
     {-0.015615023576720824, 0.013101762447967683,  0.11401405424041755,  0.028285182705619097,
      0.010564511893183488,  0.03627331777118104,   -0.14164923073283098, -0.11993040453573962,
      0.005050511683537335,  -0.049375080219148715, 0.027635176492413437, 0.09164522183012051,
      0.01784909867162997,   0.10575280430940528,   -0.04132906753381634, 0.07353730168969352,
      0.027910456305851337,  -0.12725650324613128,  0.010599048286724923, 0.03208264548658611,
      -0.045759554977481305, 0.02150369893672599,   0.030730019247091414, -0.10561994717627964}},
    {"ignored",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY,
      .class_weights = weights,
      .class_weight_count = 3,
      .has_ignored_label = 1,
      .ignored_label = -100},
     &classes_shape,
     class_logits,
     labels,
     7,
     1.2045204543196397,
     {-0.01918417182282844, 0.016096451007503152,
      0.14007440949537012,  0.034750367324046315,
      0.012979257468768286, 0.04456436183316528,
      -0.17402619775747807, -0.14734306842962297,
      0.006204914354060154, -0.06066081284066842,
      0.033951788262107936, 0.11259270110557662,
      0.02192889265371682,  0.0,
      -0.05077571154154579, 0.0903458277901949,
      0.03428998917576021,  0.0,
      0.013021687895119191, 0.03941582159780579,
      -0.05621888182947703, 0.0,
      0.0377540236464266,   -0.1297616493880007}},
    {"ignored_unweighted",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY, .has_ignored_label = 1, .ignored_label = -100},
     &classes_shape,
     class_logits,
     labels,
     7,
     1.2161824313517922,
     {-0.0479604295570711,  0.016096451007503152,
      0.08754650593460633,  0.021718979577528948,
      0.03244814367192071,  0.04456436183316528,
      -0.10876637359842378, -0.09208941776851434,
      0.015512285885150386, -0.06066081284066842,
      0.02121986766381746,  0.07037043819098539,
      0.02192889265371682,  0.0,
      -0.12693927885386447, 0.0903458277901949,
      0.03428998917576021,  0.0,
      0.03255421973779798,  0.03941582159780579,
      -0.05621888182947703, 0.0,
      0.09438505911606648,  -0.1297616493880007}},
    {"smoothed",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY, .label_smoothing = 0.1},
     &classes_shape,
     class_logits,
     labels_all,
     8,
     1.2180429560675756,
     {-0.03363204252910389, 0.009917727964898593, 0.07243652602611388,  0.014837440463671164,
      0.02422545904626396,  0.034827149937352954, -0.08683724356528749, -0.07224490721411672,
      0.00940658348283992,  -0.04474487790225154, 0.014400717539173612, 0.05740746675044555,
      0.015021114405335552, 0.06688599872871501,  -0.10273853566379809, 0.07488593264975388,
      0.025837073862123524, -0.07716712978516112, 0.024318275603906564, 0.0303221772314134,
      -0.04085818826745907, 0.010281131056446107, 0.07842026005989151,  -0.10520810988116729}},
    {"everything",
     {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY,
      .class_weights = weights,
      .class_weight_count = 3,
      .has_ignored_label = 1,
      .ignored_label = -100,
      .label_smoothing = 0.1},
     &classes_shape,
     class_logits,
     labels,
     7,
     1.214458779421899,
     {-0.009680845215300327, 0.014191689102741248,
      0.13291685723453184,   0.03154246664463268,
      0.007307098470035909,  0.03694531421411766,
      -0.16083354867490596,  -0.13515103669684542,
      0.0023737467452644148, -0.0511370033168589,
      0.027916691440374126,  0.10360857005221275,
      0.020024130748954913,  0.0,
      -0.04601111589182527,  0.088441065885433,
      0.026670941556712596,  0.0,
      0.007355893460339449,  0.03179677397875817,
      -0.04669507230566751,  0.0,
      0.03865522243148582,   -0.12023783986419118}},
    {"soft",
     {.loss = FED_LOSS_SOFT_CROSS_ENTROPY},
     &classes_shape,
     class_logits,
     probabilities,
     8,
     1.2293528947553996,
     {0.020534624137562782,   -0.01716560536843474,  0.06097819269278054,    0.01900410713033783,
      -0.002857874287069375,  -0.02350618339598038,  0.01420442310137918,    -0.08057824054745005,
      -0.01767674985049341,   0.04067178876441513,   -0.07518261579415972,   0.061574133417112216,
      -0.04331221892799778,   0.03980266539538167,   -0.0016968689971314163, 0.07905259931642054,
      -0.0012462594712098103, -0.02300046311849445,  0.01285994227057323,    -0.09051115610191993,
      0.044558478399207596,   -0.016802202276887224, -0.01116307327344182,   0.011458556785499384}},
    {"soft_weighted",
     {.loss = FED_LOSS_SOFT_CROSS_ENTROPY, .class_weights = weights, .class_weight_count = 3},
     &classes_shape,
     class_logits,
     probabilities,
     8,
     1.7624322436630877,
     {0.05697428814616046,   0.004621317282875062,  0.08794149086597568,   0.03800821426067566,
      -0.03233336643001121,  -0.0689463886317218,   0.006036778876723975,  -0.1611564810949001,
      -0.02464092171614925,  0.06432507134884674,   -0.09397826974269965,  0.12314826683422443,
      -0.010862982610997643, 0.08651320650586115,   0.00959766375358573,   0.1581051986328411,
      -0.030621025688160424, -0.06821941573283577,  0.004356177838216537,  -0.18102231220383985,
      0.04148400829915807,   -0.018293790773025388, -0.013953841591802275, 0.02291711357099877}},
    {"soft_everything",
     {.loss = FED_LOSS_SOFT_CROSS_ENTROPY,
      .class_weights = weights,
      .class_weight_count = 3,
      .label_smoothing = 0.1},
     &classes_shape,
     class_logits,
     probabilities,
     8,
     1.7508189472387778,
     {0.05957285401540643,   0.0038364015501998806, 0.08663940753264235,    0.03449957289256699,
      -0.0338843474062271,   -0.06551085602638049,  0.0008284455433906395,  -0.1478214463871747,
      -0.025688506609179335, 0.06167445447618064,   -0.087467853076033,     0.11332187349460769,
      -0.009461545049230935, 0.08466013569636442,   0.008295580420252396,   0.1500929203507762,
      -0.03214178888657895,  -0.06479336538269732,  -0.0008521554951167985, -0.1669423088295292,
      0.04160333393580988,   -0.019866770313667084, -0.007443424925135618,  0.01684938847875298}},
    {"binary",
     {.loss = FED_LOSS_BINARY_CROSS_ENTROPY},
     &numbers_shape,
     extreme_logits,
     number_targets,
     8,
     51.07409244091962,
     {0.07780741640023182, -0.1100996347472353, 0.08782176585280417, -0.0625, -0.0937499999999883,
      0.12499999999998831, 0.0, -0.0625}},
    {"binary_weighted",
     {.loss = FED_LOSS_BINARY_CROSS_ENTROPY,
      .class_weights = positive_weights,
      .class_weight_count = 2},
     &numbers_shape,
     extreme_logits,
     number_targets,
     8,
     33.24386527354947,
     {0.07780741640023182, -0.05504981737361765, 0.08559867804760574, -0.03125,
      -0.23437499999997513, 0.12499999999998831, 0.0, -0.03125}},
    {"squared",
     {.loss = FED_LOSS_MEAN_SQUARED_ERROR},
     &numbers_shape,
     numbers,
     number_targets,
     8,
     2.703125,
     {0.125, -0.75, 0.6875, -0.25, -0.25, 0.25, 0.125, -0.3125}},
    {"huber",
     {.loss = FED_LOSS_HUBER, .huber_delta = 0.7},
     &numbers_shape,
     numbers,
     number_targets,
     8,
     0.7224999999999999,
     {0.0625, -0.0875, 0.0875, -0.0875, -0.0875, 0.0875, 0.0625, -0.0875}},
};

static size_t elements_of(const struct fed_shape *shape) {
  size_t count;
  assert_int_equal(fed_shape_elements(shape, &count), FED_OK);
  return count;
}

static const struct fed__loss *find(const struct fed_train_options *options) {
  const struct fed__loss *loss;
  if (fed__loss_find(options, &loss) != FED_OK) fail_msg("%s", fed_error_last()->message);
  return loss;
}

/* The mean loss. */
static double run_loss(const struct fed_train_options *options, const struct fed_shape *shape,
                       const double *output, const void *target, double *gradient,
                       struct fed_metrics *metrics) {
  const struct fed__loss *loss = find(options);
  const struct fed__loss_call call = {
      .options = options,
      .shape = shape,
      .batch_count = shape->rank ? (size_t)shape->dims[0] : 1,
      .output = output,
      .target = target,
      .gradient = gradient,
      .metrics = metrics,
  };
  *metrics = (struct fed_metrics){0};
  if (loss->check) assert_int_equal(loss->check(&call), FED_OK);
  loss->run[FED_PRECISION_F64](&call);
  return metrics->loss_sum / (double)metrics->example_count;
}

static void check_near(const char *name, size_t i, double found, double expected,
                       double tolerance) {
  if (!(fabs(found - expected) <= tolerance))
    fail_msg("%s [%zu]: expected %.17g, found %.17g", name, i, expected, found);
}

static void test_against_torch(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct loss_case *c = &cases[i];
    double gradient[COUNT_MAX];
    struct fed_metrics metrics;
    const double loss = run_loss(&c->options, c->shape, c->output, c->target, gradient, &metrics);
    check_near(c->name, 0, loss, c->loss, 1e-14 * (1 + fabs(c->loss)));
    assert_int_equal(metrics.example_count, c->count);
    for (size_t j = 0; j < elements_of(c->shape); j++)
      check_near(c->name, j, gradient[j], c->gradient[j], 1e-15);
  }
}

/* The same in float, within its rounding. */
static void test_float(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct loss_case *c = &cases[i];
    float output[COUNT_MAX], gradient[COUNT_MAX];
    struct fed_metrics metrics = {0};
    for (size_t j = 0; j < elements_of(c->shape); j++) output[j] = (float)c->output[j];
    const struct fed__loss_call call = {
        &c->options, c->shape, (size_t)c->shape->dims[0], output, c->target, gradient, &metrics};
    find(&c->options)->run[FED_PRECISION_F32](&call);
    check_near(c->name, 0, metrics.loss_sum / (double)metrics.example_count, c->loss,
               1e-6 * (1 + fabs(c->loss)));
    for (size_t j = 0; j < elements_of(c->shape); j++)
      check_near(c->name, j, (double)gradient[j], c->gradient[j], 1e-7);
  }
}

static void test_finite_differences(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct loss_case *c = &cases[i];
    if (c->output == extreme_logits) continue; /* too large for differences */
    double output[COUNT_MAX], gradient[COUNT_MAX];
    struct fed_metrics metrics;
    memcpy(output, c->output, elements_of(c->shape) * sizeof *output);
    run_loss(&c->options, c->shape, output, c->target, gradient, &metrics);
    for (size_t j = 0; j < elements_of(c->shape); j++) {
      const double before = output[j], step = 1e-5;
      output[j] = before + step;
      const double above = run_loss(&c->options, c->shape, output, c->target, NULL, &metrics);
      output[j] = before - step;
      const double below = run_loss(&c->options, c->shape, output, c->target, NULL, &metrics);
      output[j] = before;
      check_near(c->name, j, (above - below) / (2 * step), gradient[j], 1e-9);
    }
  }
}

/* The classes along the last axis: the same numbers, transposed, the same result. */
static void test_class_axis(void **state) {
  (void)state;
  const struct fed_shape shape = {3, {2, 4, 3}};
  double output[COUNT_MAX], gradient[COUNT_MAX];
  struct fed_metrics metrics;
  for (size_t i = 0; i < COUNT_MAX; i++)
    output[i / 12 * 12 + i % 4 * 3 + i / 4 % 3] = class_logits[i];
  struct fed_train_options options = cases[5].options;
  options.class_axis = 2;
  assert_string_equal(cases[5].name, "everything");
  const double loss = run_loss(&options, &shape, output, labels, gradient, &metrics);
  check_near("axis 2", 0, loss, cases[5].loss, 1e-14);
  for (size_t i = 0; i < COUNT_MAX; i++)
    check_near("axis 2", i, gradient[i / 12 * 12 + i % 4 * 3 + i / 4 % 3], cases[5].gradient[i],
               1e-15);
}

/* Equal logits: log(classes), whatever their size; the first class counts as the answer. */
static void test_equal_logits(void **state) {
  (void)state;
  static const double sizes[] = {0, 700, -1e5};
  static const struct fed_train_options options = {0};
  for (size_t i = 0; i < 3; i++) {
    double output[6], gradient[6];
    static const int64_t wanted[2] = {0, 2};
    struct fed_metrics metrics;
    for (size_t j = 0; j < 6; j++) output[j] = sizes[i];
    const struct fed_shape shape = {2, {2, 3}};
    const double loss = run_loss(&options, &shape, output, wanted, gradient, &metrics);
    check_near("equal", 0, loss, log(3), 1e-9);
    assert_int_equal(metrics.example_count, 2);
    assert_int_equal(metrics.correct_count, 1);
    check_near("equal", 0, gradient[0], (1.0 / 3 - 1) / 2, 1e-15);
    check_near("equal", 1, gradient[1], 1.0 / 3 / 2, 1e-15);
  }
}

/* A class that is ruled out (a mask of minus infinity) costs nothing where it is not wanted. */
static void test_masked_class(void **state) {
  (void)state;
  static const struct fed_train_options options = {0};
  const struct fed_shape shape = {2, {1, 3}};
  const double output[3] = {1, -INFINITY, 1};
  static const int64_t label = 0;
  struct fed_metrics metrics;
  double gradient[3];
  const double loss = run_loss(&options, &shape, output, &label, gradient, &metrics);
  check_near("masked", 0, loss, log(2), 1e-15);
  assert_true(gradient[1] == 0);
}

/* A batch in which no label counts: no loss, no gradient. */
static void test_all_ignored(void **state) {
  (void)state;
  static const struct fed_train_options options = {.has_ignored_label = 1, .ignored_label = 7};
  static const int64_t ignored[8] = {7, 7, 7, 7, 7, 7, 7, 7};
  double gradient[COUNT_MAX];
  struct fed_metrics metrics;
  for (size_t i = 0; i < COUNT_MAX; i++) gradient[i] = NAN;
  run_loss(&options, &classes_shape, class_logits, ignored, gradient, &metrics);
  assert_int_equal(metrics.example_count, 0);
  assert_int_equal(metrics.correct_count, 0);
  assert_true(metrics.loss_sum == 0);
  for (size_t i = 0; i < COUNT_MAX; i++) assert_true(gradient[i] == 0);
}

static void test_correct_counts(void **state) {
  (void)state;
  static const struct fed_train_options hard = {.has_ignored_label = 1, .ignored_label = -1},
                                        soft = {.loss = FED_LOSS_SOFT_CROSS_ENTROPY},
                                        binary = {.loss = FED_LOSS_BINARY_CROSS_ENTROPY};
  const struct fed_shape shape = {3, {1, 2, 2}};
  static const double output[4] = {5, -1, 0, 5}; /* position 0: class 0; position 1: class 1 */
  static const int64_t right[2] = {0, 1}, wrong[2] = {1, 0}, half[2] = {0, -1};
  static const float likely[4] = {0.6f, 0.9f, 0.4f, 0.1f}, yes[4] = {1, 0, 0, 0.75f};
  struct fed_metrics metrics;
  run_loss(&hard, &shape, output, right, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 2);
  run_loss(&hard, &shape, output, wrong, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 0);
  run_loss(&hard, &shape, output, half, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 1);
  assert_int_equal(metrics.example_count, 1);
  run_loss(&soft, &shape, output, likely, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 1);
  run_loss(&binary, &shape, output, yes, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 4);
}

/* The graph's own loss: its mean; one number for a batch counts for each example. */
static void test_graph_output(void **state) {
  (void)state;
  static const struct fed_train_options options = {.loss = FED_LOSS_OUTPUT};
  static const double output[3] = {1, 2, 6};
  const struct fed_shape each = {1, {3}}, scalar = {0};
  double gradient[3];
  struct fed_metrics metrics = {0};
  check_near("each", 0, run_loss(&options, &each, output, NULL, gradient, &metrics), 3, 1e-15);
  assert_int_equal(metrics.example_count, 3);
  for (size_t i = 0; i < 3; i++) check_near("each", i, gradient[i], 1.0 / 3, 1e-15);
  metrics = (struct fed_metrics){0};
  const struct fed__loss_call call = {&options, &scalar, 5, output + 2, NULL, gradient, &metrics};
  find(&options)->run[FED_PRECISION_F64](&call);
  assert_int_equal(metrics.example_count, 5);
  assert_true(metrics.loss_sum == 30);
  assert_true(gradient[0] == 1);
}

static void check_target(struct fed_train_options options, const struct fed_shape *output, int code,
                         const struct fed_shape *expected) {
  struct fed_shape target;
  assert_int_equal(find(&options)->target_shape(&options, output, &target), code);
  if (code == FED_OK) assert_true(fed_shape_equal(&target, expected));
}

static void test_shapes(void **state) {
  (void)state;
  const struct fed_shape output = {4, {8, 10, 3, 2}}, bad = {1, {8}}, scalar = {0};
  const struct fed_shape numbers_target = {3, {10, 3, 2}};
  struct fed_train_options options = {.loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY};
  check_target(options, &output, FED_OK, &(struct fed_shape){2, {3, 2}});
  check_target(options, &bad, FED_E_SHAPE, NULL);
  options.class_axis = 3;
  check_target(options, &output, FED_OK, &(struct fed_shape){2, {10, 3}});
  options.class_axis = 4;
  check_target(options, &output, FED_E_SHAPE, NULL);
  options = (struct fed_train_options){.loss = FED_LOSS_SOFT_CROSS_ENTROPY};
  check_target(options, &output, FED_OK, &numbers_target);
  check_target(options, &bad, FED_E_SHAPE, NULL);
  static const enum fed_loss others[] = {FED_LOSS_BINARY_CROSS_ENTROPY, FED_LOSS_MEAN_SQUARED_ERROR,
                                         FED_LOSS_HUBER};
  for (size_t i = 0; i < 3; i++) {
    options = (struct fed_train_options){.loss = others[i], .huber_delta = 1};
    check_target(options, &output, FED_OK, &numbers_target);
    check_target(options, &bad, FED_OK, &(struct fed_shape){0});
    check_target(options, &scalar, FED_E_SHAPE, NULL);
  }
  options = (struct fed_train_options){.loss = FED_LOSS_OUTPUT};
  check_target(options, &output, FED_OK, &(struct fed_shape){0});
  check_target(options, &scalar, FED_OK, &(struct fed_shape){0});
}

static void test_weight_counts(void **state) {
  (void)state;
  const struct fed_shape output = {3, {8, 3, 2}}, flat = {1, {8}};
  struct fed_train_options options = {.class_weights = weights, .class_weight_count = 3};
  check_target(options, &output, FED_OK, &(struct fed_shape){1, {2}});
  options.class_weight_count = 2;
  check_target(options, &output, FED_E_RANGE, NULL);
  options.loss = FED_LOSS_BINARY_CROSS_ENTROPY;
  check_target(options, &output, FED_OK, &(struct fed_shape){2, {3, 2}});
  check_target(options, &flat, FED_E_RANGE, NULL);
  options.class_weight_count = 1;
  check_target(options, &flat, FED_OK, &(struct fed_shape){0});
}

static void check_refused(struct fed_train_options options, int code) {
  const struct fed__loss *loss;
  assert_int_equal(fed__loss_find(&options, &loss), code);
}

static void test_options(void **state) {
  (void)state;
  static const double negative[2] = {1, -1}, endless[2] = {1, INFINITY}, zeros[2] = {0, 0};
  static const double *const bad[] = {negative, endless, zeros};
  for (size_t i = 0; i < 3; i++)
    check_refused((struct fed_train_options){.class_weights = bad[i], .class_weight_count = 2},
                  FED_E_RANGE);
  check_refused((struct fed_train_options){.label_smoothing = 1}, FED_E_RANGE);
  check_refused((struct fed_train_options){.label_smoothing = -0.1}, FED_E_RANGE);
  check_refused((struct fed_train_options){.label_smoothing = NAN}, FED_E_RANGE);
  static const double deltas[] = {0, -1, NAN, INFINITY};
  for (size_t i = 0; i < 4; i++)
    check_refused((struct fed_train_options){.loss = FED_LOSS_HUBER, .huber_delta = deltas[i]},
                  FED_E_RANGE);
  check_refused((struct fed_train_options){.loss = (enum fed_loss)(FED_LOSS_OUTPUT + 1)},
                FED_E_USAGE);
  static const enum fed_loss others[] = {FED_LOSS_MEAN_SQUARED_ERROR, FED_LOSS_HUBER,
                                         FED_LOSS_OUTPUT};
  for (size_t i = 0; i < 3; i++) {
    const struct fed_train_options plain = {.loss = others[i], .huber_delta = 1};
    struct fed_train_options options = plain;
    options.class_weights = weights, options.class_weight_count = 3;
    check_refused(options, FED_E_RANGE);
    options = plain, options.label_smoothing = 0.1;
    check_refused(options, FED_E_RANGE);
    options = plain, options.has_ignored_label = 1;
    check_refused(options, FED_E_RANGE);
  }
}

static void check_bad_target(struct fed_train_options options, const struct fed_shape *shape,
                             const void *target, const char *part) {
  struct fed_metrics metrics = {0};
  const struct fed__loss_call call = {&options, shape, 2, class_logits, target, NULL, &metrics};
  assert_int_equal(find(&options)->check(&call), FED_E_RANGE);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
}

static void test_bad_targets(void **state) {
  (void)state;
  const struct fed_shape shape = {3, {2, 3, 1}};
  static const int64_t high[2] = {2, 3}, low[2] = {-1, 0}, other[2] = {-100, -99};
  check_bad_target((struct fed_train_options){0}, &shape, high, "label 3 of example 1");
  check_bad_target((struct fed_train_options){0}, &shape, low, "label -1 of example 0");
  check_bad_target((struct fed_train_options){.has_ignored_label = 1, .ignored_label = -100},
                   &shape, other, "label -99 of example 1");
  static const float over[6] = {0, 1, 0, 0, 1.5f, 0}, under[6] = {-0.5f}, none[6] = {NAN};
  static const float *const bad[] = {over, under, none};
  static const char *const parts[] = {"1.5 of example 1", "-0.5 of example 0", "nan of example 0"};
  for (size_t i = 0; i < 3; i++) {
    check_bad_target((struct fed_train_options){.loss = FED_LOSS_SOFT_CROSS_ENTROPY}, &shape,
                     bad[i], parts[i]);
    check_bad_target((struct fed_train_options){.loss = FED_LOSS_BINARY_CROSS_ENTROPY}, &shape,
                     bad[i], parts[i]);
  }
}

int main(void) {
  for (size_t i = 0; i < COUNT_MAX; i++) class_logits[i] = 2 * sin(3.0 * (double)i);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_torch),      cmocka_unit_test(test_float),
      cmocka_unit_test(test_finite_differences), cmocka_unit_test(test_class_axis),
      cmocka_unit_test(test_equal_logits),       cmocka_unit_test(test_masked_class),
      cmocka_unit_test(test_all_ignored),        cmocka_unit_test(test_correct_counts),
      cmocka_unit_test(test_graph_output),       cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_weight_counts),      cmocka_unit_test(test_options),
      cmocka_unit_test(test_bad_targets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
