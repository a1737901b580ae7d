// A moving average of the weights, which samples better than the weights themselves.
//
//   average <- decay_n * average + (1 - decay_n) * weights
//   decay_n  = min(decay, (1 + n) / (10 + n)) at step n
//
// The rising start keeps the random first weights out of a short run's average.
#pragma once

#include <vector>

#include "lib/weights/model_file.h"
#include "lib/weights/parameters.h"

namespace vq {

class Average {
 public:
  Average(const Parameters& parameters, double decay);
  void update();  // once a step
  std::vector<NamedTensor> tensors(
      const std::string& prefix = "") const;  // the averaged weights, and the buffers as they are
  void load(const SafetensorsFile& file, const std::string& prefix);
  // Exchanges the network's weights with the averaged ones; twice gives back the first state.
  void swap();
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  const Parameters& parameters_;
  double decay_;
  int64_t steps_ = 0;
  std::vector<at::Tensor> average_;
};

}  // namespace vq
