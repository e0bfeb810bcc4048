// Samples tunes from an exported model without Python: TensorFlow's C++ loader, the one that TensorFlow Serving is built on.
//
//     ./client saved_models/nottingham/2 4 0
//
// prints the tokens of four tunes, one tune a line, for the seeds (0, 0) to (0, 3): those of `generator.generate(4, seed=0)`.
// A fourth argument is the temperature.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

using tensorflow::Tensor;

namespace {

int Fail(const absl::Status& status) {
  std::cerr << status << std::endl;
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: client FOLDER_OF_A_VERSION NUMBER_OF_TUNES SEED [TEMPERATURE]" << std::endl;
    return 2;
  }
  const int64_t rows = std::atoll(argv[2]);
  const int32_t seed = std::atoi(argv[3]);
  const float heat = argc == 5 ? std::atof(argv[4]) : 1.0f;

  tensorflow::SavedModelBundleLite bundle;
  const std::unordered_set<std::string> tags = {"serve"};
  absl::Status status = tensorflow::LoadSavedModel({}, {}, argv[1], tags, &bundle);
  if (!status.ok()) return Fail(status);
  const auto& signature = bundle.GetSignatures().at("sample");

  Tensor seeds(tensorflow::DT_INT32, {rows, 2}), top_k(tensorflow::DT_INT32, {rows});
  Tensor temperature(tensorflow::DT_FLOAT, {rows}), top_p(tensorflow::DT_FLOAT, {rows});
  for (int64_t row = 0; row < rows; ++row) {
    seeds.matrix<int32_t>()(row, 0) = seed;
    seeds.matrix<int32_t>()(row, 1) = static_cast<int32_t>(row);
    temperature.vec<float>()(row) = heat;
    top_k.vec<int32_t>()(row) = 0;  // all tokens
    top_p.vec<float>()(row) = 1.0f;
  }
  std::vector<std::pair<std::string, Tensor>> inputs = {{signature.inputs().at("seed").name(), seeds},
                                                        {signature.inputs().at("temperature").name(), temperature},
                                                        {signature.inputs().at("top_k").name(), top_k},
                                                        {signature.inputs().at("top_p").name(), top_p}};
  if (signature.inputs().contains("controls")) {  // the tunes say what they are: all of it is drawn, without guidance
    Tensor controls(tensorflow::DT_INT32, {rows, 4}), guidance(tensorflow::DT_FLOAT, {rows});
    controls.matrix<int32_t>().setZero();
    guidance.vec<float>().setZero();
    inputs.emplace_back(signature.inputs().at("controls").name(), controls);
    inputs.emplace_back(signature.inputs().at("guidance").name(), guidance);
  }
  std::vector<Tensor> outputs;
  status = bundle.GetSession()->Run(inputs, {signature.outputs().at("tokens").name()}, {}, &outputs);
  if (!status.ok()) return Fail(status);

  const auto tokens = outputs[0].matrix<int32_t>();
  for (int64_t row = 0; row < tokens.dimension(0); ++row) {
    for (int64_t step = 0; step < tokens.dimension(1); ++step) std::cout << (step ? " " : "") << tokens(row, step);
    std::cout << "\n";
  }
  return 0;
}
