#include "formats/tensor_source.h"

#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

TEST(TensorSource, SafetensorsAreReadOneByOne) {
  const TempFolder folder;
  const std::vector<uint8_t> a = {1, 2, 3, 4, 5, 6}, b = {7, 0, 0, 0};
  write_safetensors(folder / "w", {{"a", DType::u8, {2, 3}, a}, {"b", DType::i32, {}, b}}, {},
                    false);
  const TensorSource source = TensorSource::open(folder / "w");
  ASSERT_EQ(source.tensors.size(), 2u);
  EXPECT_EQ(source.tensors[0].name, "a");
  EXPECT_EQ(source.tensors[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(source.tensors[0].bytes(), 6u);
  EXPECT_EQ(source.tensors[1].count(), 1u);
  std::vector<uint8_t> got;
  source.tensors[0].read(
      [&](std::span<const uint8_t> bytes) { got.assign(bytes.begin(), bytes.end()); });
  EXPECT_EQ(got, a);
}

TEST(TensorSource, ATensorOutlivesTheSource) {
  const TempFolder folder;
  const std::vector<uint8_t> a = {1, 2};
  write_safetensors(folder / "w", {{"a", DType::u8, {2}, a}}, {}, false);
  const SourceTensor tensor = TensorSource::open(folder / "w").tensors[0];
  tensor.read([&](std::span<const uint8_t> bytes) { EXPECT_EQ(bytes[1], 2); });
}

TEST(TensorSource, WhatHoldsNoWeightsIsNamed) {
  const TempFolder folder;
  const std::string path = folder.write("text", "hello\n");
  try {
    TensorSource::open(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "is text, not a file of weights");
  }
}

TEST(SafetensorsWriter, TensorsComeInPieces) {
  const TempFolder folder;
  SafetensorsWriter writer(folder / "w", {{"a", DType::u8, {3}}, {"b", DType::u8, {2}}},
                           {{"k", "v"}}, false);
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5};
  writer.write(std::span(bytes).first(2));
  EXPECT_FALSE(std::filesystem::exists(folder / "w"));
  EXPECT_THROW(SafetensorsWriter(folder / "v", {{"a", DType::u8, {3}}}, {}, false).close(), Error);
  writer.write(std::span(bytes).subspan(2));
  EXPECT_THROW(writer.write(bytes), Error);
  writer.close();
  const SafetensorsFile file(folder / "w");
  EXPECT_EQ(file.tensor("b").bytes[1], 5);
  EXPECT_EQ(file.metadata().at("k"), "v");
  EXPECT_FALSE(std::filesystem::exists(folder / "v"));
}

}  // namespace
}  // namespace vq
