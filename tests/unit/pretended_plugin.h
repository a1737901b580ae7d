// A plugin that does on a CPU what a CUDA device's does, by LibTorch's operators, and counts: what
// is checked with it is what it is given, and when.
#pragma once

#include <ATen/ATen.h>

#include <utility>

#include "lib/runtime/cuda_plugin.h"
#include "lib/runtime/norm_bf16.h"
#include "tests/unit/draw_rows.h"

namespace vq::testing {

class PretendedPlugin : public CudaPlugin {
 public:
  mutable int captures = 0, replays = 0, draws = 0, norms = 0, noises = 0;
  bool captures_fail = false;

  at::Tensor uniforms(uint64_t seed, uint32_t purpose, uint32_t step, const at::Tensor& records,
                      const at::Tensor& positions) const override {
    ++noises;
    at::Tensor both = at::empty({2, records.numel()}, at::kDouble);
    for (int64_t i = 0; i < records.numel(); ++i) {
      const Counter at{static_cast<uint64_t>(records[i].item<int64_t>()), step,
                       static_cast<uint32_t>(positions[i].item<int64_t>())};
      const Pair pair = uniform_pair(seed, static_cast<Purpose>(purpose), at);
      both[0][i] = pair.first, both[1][i] = pair.second;
    }
    return both;
  }

  at::Tensor draw(const RowDrawing& rows) const override {
    ++draws;
    return chain_draw(rows, chain_guess(rows, at::kFloat, rows.top_p), rows.first, rows.second);
  }

  at::Tensor add_norm(at::Tensor& x, const at::Tensor& delta, const at::Tensor& gain,
                      const at::Tensor& shift, int64_t rows_each) const override {
    ++norms;
    std::vector<int64_t> first = {0};
    while (first.back() < x.size(0)) first.push_back(std::min(first.back() + rows_each, x.size(0)));
    return add_norm_plain(x, delta, {gain, shift, first});
  }

  // Does the work anew in every replay: a graph would do it with the tensors of the capture.
  std::unique_ptr<DeviceGraph> capture(at::Device,
                                       const std::function<void()>& work) const override {
    ++captures;
    TORCH_CHECK(!captures_fail, "this cannot be captured");
    work();
    return std::make_unique<Again>(work, replays);
  }

 private:
  class Again : public DeviceGraph {
   public:
    Again(std::function<void()> work, int& count) : work_(std::move(work)), count_(count) {}
    void replay() override { ++count_, work_(); }

   private:
    std::function<void()> work_;
    int& count_;
  };
};

}  // namespace vq::testing
