// A matrix product made ready for inference: weights rounded once and, on a CPU, laid out as the
// matrix library wants them, so that nothing is converted or moved while sampling.
//
//   x (..., in) bf16 -> x weight^T + bias (..., out) bf16
//
// `activated` is an MLP's first half: y sigmoid(1.702 y) of that, the released models' GELU2, done
// in the product's own last pass. The library's swish is z sigmoid(z), so the first half's weights
// are multiplied by 1.702 before they are rounded, and the second half's by its inverse (`factor`);
// what lies between is 1.702 times what it is elsewhere.
//
// In int8 each row of x and each row of the weight is rounded to 8 bits with a scale of its own and
// the sums are exact: half the time of bf16, and about 1 % off where bf16 is 0.2 %.
//
// Law: within the precision's rounding of Linear; a row depends on that row alone.
// (product_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include "lib/runtime/device.h"
#include "lib/weights/layers.h"

namespace vq {

constexpr double kGelu2Slope = 1.702;

class Product {
 public:
  Product() = default;
  // Memory that one layer's rounded weights lie in until they are laid out, and then the next
  // one's: the kernel takes longer to hand out fresh memory than rounding does.
  using Room = at::Tensor;
  // bf16 or int8. `rows`: about how many rows it will be given at once.
  Product(const Linear& layer, int64_t rows, Precision precision, double weight_factor = 1,
          double bias_factor = 1, Room* room = nullptr);

  at::Tensor operator()(const at::Tensor& x) const { return compute(x, false); }
  at::Tensor activated(const at::Tensor& x) const { return compute(x, true); }

 private:
  at::Tensor compute(const at::Tensor& x, bool swish) const;
  at::Tensor of_rows(const at::Tensor& rows, bool swish) const;

  at::Tensor weight_, bias_;
  at::Tensor scale_;  // (out) of the weight's rows: int8 only
  bool packed_ = false;
};

}  // namespace vq
