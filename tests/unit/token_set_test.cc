#include "lib/training/token_set.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

GridHeader header() {
  GridHeader h;
  h.height = 1, h.width = 3, h.codebook_size = 65536, h.codec = std::string(64, 'a'), h.mask = true;
  h.more["classes"] = {"cat", "dog"};
  return h;
}

std::string write(const TempFolder& folder, const char* name,
                  const std::vector<TokenRecord>& records) {
  TokenWriter writer(Output::open(folder / name, false), header());
  for (const TokenRecord& record : records) writer.write(record);
  writer.close();
  return folder / name;
}

TokenRecord record(const char* key, std::vector<int32_t> tokens, Json more) {
  return {key, std::move(tokens), std::move(more)};
}

TEST(TokenSet, KeepsTokensCaptionsAndLabels) {
  const TempFolder folder;
  const std::string a =
      write(folder, "a", {record("1", {0, 40000, 65535}, {{"caption", "x"}, {"label", 1}})});
  const std::string b =
      write(folder, "b", {record("2", {7, 8, 9}, {{"captions", {"y", "z"}}, {"label", 0}})});
  const TokenSet set = read_token_set({a, b});
  EXPECT_EQ(set.size(), 2);
  EXPECT_TRUE(
      at::equal(set.batch({1, 0}), at::tensor({7, 8, 9, 0, 40000, 65535}, at::kLong).view({2, 3})));
  EXPECT_EQ(set.captions, (std::vector<std::vector<std::string>>{{"x"}, {"y", "z"}}));
  EXPECT_EQ(set.labels, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(set.classes, (std::vector<std::string>{"cat", "dog"}));
}

TEST(TokenSet, RefusesWhatCannotBeTrainedOn) {
  const TempFolder folder;
  const auto refused = [&](const char* name, const std::vector<TokenRecord>& records) {
    try {
      read_token_set({write(folder, name, records)});
    } catch (const Error& e) {
      return e.message();
    }
    return std::string();
  };
  EXPECT_NE(refused("a", {}).find("no records"), std::string::npos);
  EXPECT_NE(refused("b", {record("1", {0, 65536, 0}, Json::object())}).find("[mask]"),
            std::string::npos);
  const std::string some = refused(
      "c", {record("1", {0, 0, 0}, {{"caption", "x"}}), record("2", {0, 0, 0}, Json::object())});
  EXPECT_NE(some.find("1 of 2 records have no caption"), std::string::npos) << some;
  EXPECT_EQ(refused("d", {record("1", {0, 0, 0}, Json::object())}), "");
}

}  // namespace
}  // namespace vq
