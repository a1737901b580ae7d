#include "lib/runtime/attention_bf16.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace vq {
namespace {

// Rows of an item, keys, width of a head. Sizes at, below and above every cut of the kernel: tiles
// of 8 rows, blocks of 32 keys, stretches of 256, vectors of 16 coordinates, an odd width.
class AttentionBf16 : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(AttentionBf16, IsAttention) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  const auto [rows, keys, width] = GetParam();
  constexpr int64_t heads = 3, batch = 2;
  const int64_t size = heads * width;
  // As a network has them: keys and values are thirds of one product, sharp enough to matter.
  const at::Tensor both = (at::randn({batch, keys, 3 * size}) * 1.5).to(at::kBFloat16);
  const at::Tensor key = both.slice(2, size, 2 * size), value = both.slice(2, 2 * size);
  const std::vector<int64_t> first = {0, rows, 2 * rows + 1};  // of different number
  const at::Tensor query = (at::randn({first[2], size}) * 1.5).to(at::kBFloat16);

  const at::Tensor exact = attention_plain(query.to(at::kDouble), first, key.to(at::kDouble),
                                           value.to(at::kDouble), heads);
  const at::Tensor ours = attention_bf16(query, first, key, value, heads);
  ASSERT_EQ(ours.sizes(), query.sizes());
  ASSERT_EQ(ours.scalar_type(), at::kBFloat16);
  // The weights (at most 1) and the result are rounded to 8 bits.
  const double largest = value.abs().max().item<double>();
  EXPECT_LT((ours.to(at::kDouble) - exact).abs().max().item<double>(), largest / 128);
  const double error = (ours.to(at::kDouble) - exact).norm().item<double>();
  EXPECT_LT(error / exact.norm().item<double>(), 0.004);
}

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionBf16,
                         testing::Combine(testing::Values(1, 8, 21),
                                          testing::Values(1, 31, 32, 77, 256, 300),
                                          testing::Values(7, 16, 32, 64, 88, 128)));

TEST(AttentionBf16, RowDoesNotDependOnItsNeighbours) {
  const at::NoGradGuard no_grad;
  at::manual_seed(2);
  const at::Tensor key = at::randn({1, 100, 64}).to(at::kBFloat16);
  const at::Tensor value = at::randn({1, 100, 64}).to(at::kBFloat16);
  const at::Tensor query = at::randn({19, 64}).to(at::kBFloat16);
  const at::Tensor all = attention_bf16(query, {0, 19}, key, value, 2);
  for (const int64_t row : {0, 7, 8, 18}) {
    const at::Tensor alone = attention_bf16(query.slice(0, row, row + 1), {0, 1}, key, value, 2);
    EXPECT_TRUE(alone[0].equal(all[row])) << row;
  }
}

// A head in pieces, where there are more threads than heads: as a codec has it.
TEST(AttentionBf16, OneWideHeadIsTheSameOnAnyNumberOfThreads) {
  const at::NoGradGuard no_grad;
  at::manual_seed(3);
  const int threads = at::get_num_threads();
  const at::Tensor key = at::randn({2, 70, 512}).to(at::kBFloat16);
  const at::Tensor value = at::randn({2, 70, 512}).to(at::kBFloat16);
  const at::Tensor query = at::randn({45, 512}).to(at::kBFloat16);
  const std::vector<int64_t> first = {0, 26, 45};
  at::set_num_threads(1);
  const at::Tensor one = attention_bf16(query, first, key, value, 1);
  for (const int many : {3, 8, 40}) {
    at::set_num_threads(many);
    EXPECT_TRUE(attention_bf16(query, first, key, value, 1).equal(one)) << many;
  }
  at::set_num_threads(threads);
  const at::Tensor exact =
      attention_plain(query.to(at::kDouble), first, key.to(at::kDouble), value.to(at::kDouble), 1);
  EXPECT_LT(((one.to(at::kDouble) - exact).norm() / exact.norm()).item<double>(), 0.004);
}

TEST(AttentionBf16, NoItemsHaveNoRows) {
  const at::Tensor none = at::empty({0, 8}).to(at::kBFloat16);
  const at::Tensor keys = at::empty({0, 5, 8}).to(at::kBFloat16);
  EXPECT_EQ(attention_bf16(none, {0}, keys, keys, 1).size(0), 0);
}

TEST(AttentionBf16, ScoresFarApartDoNotOverflow) {
  const at::NoGradGuard no_grad;
  const at::Tensor key = (at::randn({1, 600, 32}) * 100).to(at::kBFloat16);
  const at::Tensor query = (at::randn({9, 32}) * 100).to(at::kBFloat16);
  const at::Tensor value = at::randn({1, 600, 32}).to(at::kBFloat16);
  const at::Tensor ours = attention_bf16(query, {0, 9}, key, value, 1);
  // The softmax is one key's alone.
  const at::Tensor scores = query.to(at::kDouble).matmul(key[0].to(at::kDouble).t());
  EXPECT_TRUE(ours.equal(value[0].index_select(0, scores.argmax(1))));
}

// What the kernel does not take is LibTorch's.
TEST(AttentionBf16, OtherTypesTakeThePlainPath) {
  const at::Tensor key = at::randn({1, 10, 8}), query = at::randn({4, 8});
  EXPECT_TRUE(attention_bf16(query, {0, 4}, key, key, 2)
                  .equal(attention_plain(query, {0, 4}, key, key, 2)));
}

}  // namespace
}  // namespace vq
