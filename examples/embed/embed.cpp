/* SPDX-License-Identifier: Apache-2.0
 *
 * embed.cpp: a program that trains an ONNX model on arrays of its own, in C++17.
 *   embed++ MODEL.onnx TRAINED.onnx
 *
 * The same as embed.c. The library is C: codes become exceptions here, and what it allocates
 * belongs to pointers that free it.
 */
#include <fed/train.h>

#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void must(int code) {
  if (code != FED_OK) throw std::runtime_error(fed_error_last()->message);
}

template <auto release> struct Release {
  template <class T> void operator()(T *object) const { release(object); }
};
using Model = std::unique_ptr<fed_model, Release<fed_model_free>>;
using Trainer = std::unique_ptr<fed_trainer, Release<fed_trainer_free>>;
using Examples = std::unique_ptr<fed_examples, Release<fed_examples_free>>;

/* Points of the plane: which are inside of a circle? */
struct Points {
  std::vector<float> at;
  std::vector<int64_t> inside;

  Points(int first, int count) {
    const auto spread = [](double value) { return 2 * (value - std::floor(value)) - 1; };
    for (int i = first; i < first + count; i++) {
      const double right = spread(i * 0.7548776662466927), up = spread(i * 0.5698402909980532);
      at.push_back(static_cast<float>(right));
      at.push_back(static_cast<float>(up));
      inside.push_back(right * right + up * up < 0.6);
    }
  }

  /* The library reads them where they are. */
  Examples view(const fed_context &context) {
    const int64_t rows = static_cast<int64_t>(inside.size());
    const fed_tensor inputs{"at", FED_F32, {2, {rows, 2}}, at.data()};
    const fed_tensor target{"inside", FED_I64, {1, {rows}}, inside.data()};
    fed_examples *examples;
    must(fed_examples_of_arrays(&context, &inputs, 1, &target, &examples));
    return Examples(examples);
  }
};

void report(const char *when, const fed_metrics &metrics) {
  const double count = static_cast<double>(metrics.example_count);
  std::cout << std::setprecision(3) << when << ": loss " << metrics.loss_sum / count << ", "
            << 100 * static_cast<double>(metrics.correct_count) / count << " % right\n";
}

std::string train(const fed_context &context, const std::string &onnx) {
  Points seen(0, 1000), unseen(1000, 1000);
  const Examples seen_examples = seen.view(context), unseen_examples = unseen.view(context);
  fed_metrics before{}, learned{}, after{};
  fed_train_options options;
  fed_epochs epochs{};
  fed_trainer *new_trainer;
  fed_model *new_model;
  fed_params params;
  fed_buffer out;

  must(fed_model_load(&context, fed_slice_of(onnx.data(), onnx.size()), nullptr, &new_model));
  const Model model(new_model);
  fed_train_options_init(&options);
  options.momentum = 0.9;
  must(fed_trainer_new(&context, model.get(), &options, &new_trainer));
  const Trainer trainer(new_trainer);
  epochs.epochs = 40;
  epochs.seed = 1;
  must(fed_evaluate(trainer.get(), unseen_examples.get(), nullptr, 0, &before));
  must(fed_train_epochs(trainer.get(), seen_examples.get(), &epochs, &learned));
  must(fed_evaluate(trainer.get(), unseen_examples.get(), nullptr, 0, &after));
  report("before", before);
  report("after", after);

  must(fed_params_copy(&params, &context, fed_model_params(model.get())));
  const std::unique_ptr<fed_params, Release<fed_params_clear>> clear_params(&params);
  must(fed_trainer_params(trainer.get(), &params));
  fed_buffer_init(&out, &context, 100'000'000);
  const std::unique_ptr<fed_buffer, Release<fed_buffer_clear>> clear_out(&out);
  must(fed_model_export(model.get(), &params, &out));
  return std::string(out.data, out.data + out.size);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: embed++ MODEL.onnx TRAINED.onnx\n";
    return FED_CLASS_USAGE;
  }
  try {
    std::ifstream file(argv[1], std::ios::binary);
    if (!file) throw std::runtime_error(std::string("cannot read ") + argv[1]);
    const std::string onnx(std::istreambuf_iterator<char>(file), {});
    fed_context context;
    fed_context_init(&context);
    const std::string trained = train(context, onnx);
    if (!std::ofstream(argv[2], std::ios::binary).write(trained.data(), trained.size()).flush())
      throw std::runtime_error(std::string("cannot write ") + argv[2]);
    return 0;
  } catch (const std::exception &error) {
    std::cerr << "embed++: " << error.what() << '\n';
    return FED_CLASS_INPUT;
  }
}
