#include "lib/diffusion/patches.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

namespace vq {
namespace {

constexpr Grid kGrid{3, 5};
constexpr int64_t kCells = 2 * kGrid.height * kGrid.width;  // two grids

std::vector<int64_t> all_cells() {
  std::vector<int64_t> all(kCells);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// (B, C, height, width) <-> rows of cells
at::Tensor to_map(const at::Tensor& rows) {
  return rows.view({-1, kGrid.height, kGrid.width, rows.size(1)}).permute({0, 3, 1, 2});
}
at::Tensor to_rows(const at::Tensor& map) {
  return map.permute({0, 2, 3, 1}).reshape({-1, map.size(1)});
}

Conv2d some_convolution(int64_t in, int64_t out) {
  Conv2d conv;
  conv.weight = at::randn({out, in, 3, 3}, at::kDouble);
  conv.bias = at::randn({out}, at::kDouble);
  return conv;
}

at::Tensor product_of(const Conv2d& conv, const at::Tensor& rows, const at::Tensor& around) {
  const Linear product = as_product(conv);
  return at::linear(patches(edged(rows), around), product.weight, product.bias);
}

TEST(Patches, AreWhatAConvolutionMultiplies) {
  at::manual_seed(1);
  const Conv2d conv = some_convolution(4, 7);
  const at::Tensor rows = at::randn({kCells, 4}, at::kDouble);
  const at::Tensor expected = to_rows(conv(to_map(rows)));
  for (const std::vector<int64_t>& want :
       {all_cells(), {0}, {4, 14, 15}, {7, 22, 29}, {10, 16, 17, 25}}) {
    const at::Tensor got = product_of(conv, rows, neighbours(all_cells(), want, kGrid));
    EXPECT_TRUE(got.allclose(expected.index_select(0, at::tensor(want))));
  }
}

// Two convolutions, one after the other, at some cells, from no more than those that matter.
TEST(Patches, OfFewCellsNeedFewCells) {
  at::manual_seed(2);
  const Conv2d first = some_convolution(4, 7), second = some_convolution(7, 3);
  const at::Tensor rows = at::randn({kCells, 4}, at::kDouble);
  const at::Tensor expected = to_rows(second(first(to_map(rows))));
  const std::vector<int64_t> want = {5, 29}, near = grown(want, kGrid), far = grown(near, kGrid);
  EXPECT_EQ(near, (std::vector<int64_t>{0, 1, 5, 6, 10, 11, 23, 24, 28, 29}));
  EXPECT_EQ(far.size(), 18u);
  const at::Tensor there = rows.index_select(0, at::tensor(far));
  const at::Tensor between = product_of(first, there, neighbours(far, near, kGrid));
  const at::Tensor got = product_of(second, between, neighbours(near, want, kGrid));
  EXPECT_TRUE(got.allclose(expected.index_select(0, at::tensor(want))));
}

TEST(Patches, SomeAtOnceAreAllOfThem) {
  at::manual_seed(3);
  const at::Tensor rows = at::randn({kCells, 4}), weight = at::randn({5, 36});
  const auto product = [&](const at::Tensor& x) { return x.matmul(weight.t()); };
  const at::Tensor around = neighbours_everywhere(2, kGrid);
  EXPECT_TRUE(around.equal(neighbours(all_cells(), all_cells(), kGrid)));
  const at::Tensor all = product(patches(edged(rows), around));
  for (const int64_t at_once : {1, 7, 30, 100})
    EXPECT_TRUE(of_patches(rows, around, at_once, product).allclose(all));
}

TEST(Patches, OfNoCellsAreNone) {
  EXPECT_TRUE(grown({}, kGrid).empty());
  EXPECT_EQ(patches(edged(at::randn({kCells, 4})), neighbours(all_cells(), {}, kGrid)).size(0), 0);
}

}  // namespace
}  // namespace vq
