#include "lib/runtime/cuda/norm_row.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/runtime/norm_bf16.h"
#include "tests/unit/thread_block.h"

namespace vq {
namespace {

struct Rows {
  at::Tensor x, delta, gain, shift;  // delta may be undefined
  int64_t rows_each;
};

Rows some_rows(int64_t rows, int64_t width, int64_t groups, bool add) {
  return {at::randn({rows, width}) * 3 + 1,
          add ? at::randn({rows, width}).to(at::kBFloat16) : at::Tensor(),
          at::randn({groups, width}) + 1, at::randn({groups, width}), (rows + groups - 1) / groups};
}

// As norm_kernel goes through the rows. `row` null: x itself is the room to work in.
template <typename Block>
void norm_rows(const Block& block, BlockScratch& scratch, float* row, Rows& of, at::Tensor& to) {
  Together<Block> all(block, scratch);
  const int64_t width = of.x.size(1);
  const auto* const delta =
      of.delta.defined() ? static_cast<const Bf16Bits*>(of.delta.const_data_ptr()) : nullptr;
  for (int64_t n = 0; n < of.x.size(0); ++n) {
    const int64_t at = n * width, group = n / of.rows_each * width;
    float* const x = of.x.mutable_data_ptr<float>() + at;
    add_norm_one(
        all, row == nullptr ? x : row,
        NormRow{x, delta == nullptr ? nullptr : delta + at, of.gain.const_data_ptr<float>() + group,
                of.shift.const_data_ptr<float>() + group,
                static_cast<Bf16Bits*>(to.mutable_data_ptr()) + at, width});
  }
}

void expect_plain(const Rows& start, const at::Tensor& x, const at::Tensor& result) {
  std::vector<int64_t> first;
  for (int64_t g = 0; g <= start.gain.size(0); ++g)
    first.push_back(std::min(start.x.size(0), g * start.rows_each));
  at::Tensor plain_x = start.x.clone();
  const at::Tensor plain = add_norm_plain(plain_x, start.delta, {start.gain, start.shift, first});
  EXPECT_TRUE(x.equal(plain_x));
  EXPECT_TRUE(result.to(at::kFloat).allclose(plain.to(at::kFloat), 1.0 / 128, 1e-4));
  // Nearly all of them bit by bit: not a hair less exact.
  if (result.numel() > 1000) {
    EXPECT_GT(result.eq(plain).to(at::kDouble).mean().item<double>(), 0.99);
  }
}

TEST(NormRow, IsTheSumNormalisedAndScaled) {
  at::manual_seed(1);
  for (const int64_t width : {1, 5, 64, 1408}) {
    for (const bool add : {false, true}) {
      for (const bool in_place : {false, true}) {
        const Rows start = some_rows(33, width, 3, add);
        Rows rows = start;
        rows.x = start.x.clone();
        at::Tensor to = at::empty({33, width}, at::kBFloat16);
        std::vector<float> row(static_cast<size_t>(width));
        BlockScratch scratch;
        norm_rows(testing::LoneThread(), scratch, in_place ? nullptr : row.data(), rows, to);
        expect_plain(start, rows.x, to);
      }
    }
  }
}

TEST(NormRow, IsTheSameByManyThreads) {
  at::manual_seed(2);
  for (const int64_t width : {3, 200}) {
    const Rows start = some_rows(20, width, 2, true);
    Rows rows = start;
    rows.x = start.x.clone();
    at::Tensor to = at::empty({20, width}, at::kBFloat16);
    std::vector<float> row(static_cast<size_t>(width));
    BlockScratch scratch;
    testing::run_block(32, 8, [&](const testing::HostBlock& block) {
      norm_rows(block, scratch, row.data(), rows, to);
    });
    expect_plain(start, rows.x, to);
  }
}

}  // namespace
}  // namespace vq
