#include "lib/weights/tensor_book.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/safetensors.h"
#include "temp_folder.h"

namespace vq {
namespace {

std::span<const uint8_t> bytes_of(const at::Tensor& t) {
  return {static_cast<const uint8_t*>(t.data_ptr()), t.nbytes()};
}

// PyTorch's checkpoints are read as torch_archive_test.cc says; here is what is made of them.
TEST(TensorBook, TakesTensorsAndKnowsWhatIsLeft) {
  const TempFolder folder;
  const at::Tensor a = at::arange(6, at::kFloat).view({2, 3}), b = at::ones({2}, at::kHalf);
  const at::Tensor c = at::ones({2}, at::kLong);
  write_safetensors(folder / "x.safetensors",
                    {{"a", DType::f32, {2, 3}, bytes_of(a)},
                     {"b", DType::f16, {2}, bytes_of(b)},
                     {"c", DType::i64, {2}, bytes_of(c)}},
                    {}, false);
  TensorBook book(folder / "x.safetensors");
  EXPECT_EQ(book.names().size(), 3u);
  EXPECT_TRUE(at::equal(book.take("a", {2, 3}), a));
  EXPECT_TRUE(at::equal(book.take("b"), at::ones({2}, at::kFloat)));
  EXPECT_EQ(book.left(), (std::set<std::string>{"c"}));
  EXPECT_FALSE(book.contains("d"));
  EXPECT_NE(error_of([&] { book.take("d"); }).find("d is missing"), std::string::npos);
  EXPECT_NE(error_of([&] { book.take("a", {3, 2}); }).find("[2, 3]"), std::string::npos);
  EXPECT_NE(error_of([&] { book.take("c"); }).find("floating point"), std::string::npos);
}

}  // namespace
}  // namespace vq
