// Sampling never asks a device what came out, so a device with a queue always has work in it.

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <tuple>

#include "lib/random.h"
#include "lib/sampling/sampler.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

// ---- shapes of operations that LibTorch's "meta" device has from Python only

using testing::count_up;
using testing::every_order;
using testing::tiny_config;

using torch::CppFunction;
using torch::jit::Stack;

// The result, or the last argument, which is to hold it, has the first argument's shape.
void like_first(const c10::OperatorHandle& op, Stack* stack) {
  const at::Tensor result =
      at::empty_like(torch::jit::peek(*stack, 0, op.schema().arguments().size()).toTensor());
  torch::jit::drop(*stack, op.schema().arguments().size());
  torch::jit::push(*stack, result);
}

void out_like_first(const c10::OperatorHandle& op, Stack* stack) {
  const size_t count = op.schema().arguments().size();
  const at::Tensor first = torch::jit::peek(*stack, 0, count).toTensor();
  at::Tensor out = torch::jit::peek(*stack, count - 1, count).toTensor();
  out.resize_(first.sizes());
  torch::jit::drop(*stack, count);
  torch::jit::push(*stack, out);
}

at::Tensor& and_shape(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  out.resize_(at::infer_size(a.sizes(), b.sizes()));
  return out;
}

at::Tensor where_shape(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  const auto shape = at::infer_size(at::infer_size(c.sizes(), a.sizes()), b.sizes());
  return at::empty(shape, a.options());
}

at::Tensor& where_out_shape(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b,
                            at::Tensor& out) {
  out.resize_(at::infer_size(at::infer_size(c.sizes(), a.sizes()), b.sizes()));
  return out;
}

at::Tensor index_select_shape(const at::Tensor& t, int64_t dimension, const at::Tensor& index) {
  std::vector<int64_t> shape = t.sizes().vec();
  shape[static_cast<size_t>(dimension)] = index.numel();
  return at::empty(shape, t.options());
}

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
Three layer_norm_shape(const at::Tensor& t, at::SymIntArrayRef, const std::optional<at::Tensor>&,
                       const std::optional<at::Tensor>&, double) {
  return {at::empty_like(t), at::Tensor(), at::Tensor()};
}

at::Tensor searchsorted_shape(const at::Tensor&, const at::Tensor& values, bool, bool,
                              std::optional<std::string_view>, const std::optional<at::Tensor>&) {
  return at::empty_like(values, values.options().dtype(at::kLong));
}

TORCH_LIBRARY_IMPL(aten, Meta, m) {
  m.impl("searchsorted.Tensor", searchsorted_shape);
  m.impl("logical_not.out", CppFunction::makeFromBoxedFunction<&out_like_first>());
  m.impl("nan_to_num.out", CppFunction::makeFromBoxedFunction<&out_like_first>());
  m.impl("roll", CppFunction::makeFromBoxedFunction<&like_first>());
  m.impl("logical_and.out", and_shape);
  m.impl("where.self", where_shape);
  m.impl("where.self_out", where_out_shape);
  m.impl("index_select", index_select_shape);
  m.impl("native_layer_norm", layer_norm_shape);
}

// ---- the test

std::string name_of(const SamplerOptions& options) {
  return order_words()[static_cast<size_t>(options.order)];
}

// LibTorch's device without values takes every operation but reading one: where the host asks what
// came out, it throws. A device with a queue would have to be waited for there.
TEST(Sample, ReadsNothingBackFromTheDevice) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    DiffusionModelConfig config = tiny_config(3, 4, 9, 12);
    config.condition.kind = ConditionKind::label;
    config.condition.classes = {"cat", "dog"};
    const auto model = std::make_unique<DiffusionModel>(config, std::nullopt, 1, Fill::shapes);
    model->parameters().set_requires_grad(false);
    model->make_engine(precision);
    ASSERT_EQ(model->engine() != nullptr, precision == Precision::bf16);
    Request request;
    request.records = count_up(3);
    request.prepared = at::tensor({0, 1, 0}, at::kLong).view({3, 1});
    for (SamplerOptions options : every_order()) {
      options.guidance.scale = 2, options.guidance.high = 0.5;
      SamplerReport report;
      EXPECT_NO_THROW(sample(*model, request, options, &report)) << name_of(options);
      EXPECT_GT(report.network_calls, 0);
    }
    SamplerOptions asks;
    asks.order = Order::remask, asks.remask_rule = "confidence";
    EXPECT_THROW(sample(*model, request, asks), std::exception) << "the test would see nothing";
    asks = {};
    asks.guidance.scale = 2, asks.guidance.on_posterior = true;
    EXPECT_THROW(sample(*model, request, asks), std::exception);
  }
}

}  // namespace
}  // namespace vq
