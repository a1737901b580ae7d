#include "lib/scoring/usage.h"

#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

TEST(CodeUsage, CountsCodesAndLeavesMasksOut) {
  CodeUsage usage(4);
  EXPECT_TRUE(std::isnan(usage.perplexity()));
  usage.add({"a", {0, 0, 1, 4}});
  usage.add({"b", {1, 4, 4, 4}});
  EXPECT_EQ(usage.records(), 2);
  EXPECT_EQ(usage.tokens(), 4);
  EXPECT_EQ(usage.masked(), 4);
  EXPECT_EQ(usage.used(), 2);
  EXPECT_NEAR(usage.perplexity(), 2, 1e-12);
  usage.add({"c", {2, 2, 3, 3}});
  EXPECT_NEAR(usage.perplexity(), 4, 1e-12);
  usage.add({"d", {0, 0, 0, 0}});
  EXPECT_LT(usage.perplexity(), 4);
}

TEST(MeasureUsage, ReadsAStream) {
  const TempFolder folder;
  GridHeader header;
  header.height = 1, header.width = 2, header.codebook_size = 8;
  header.codec = std::string(64, 'c');
  const auto write = [&](const char* name, int records) {
    TokenWriter writer(Output::open(folder / name, true), header);
    for (int i = 0; i < records; ++i) writer.write({"r" + std::to_string(i), {i, i}});
    writer.close();
    return TokenReader(Input::open(folder / name));
  };
  TokenReader three = write("three.vqt", 3);
  const Json line = measure_usage(three);
  EXPECT_EQ(line["metric"], "usage");
  EXPECT_NEAR(line["value"].get<double>(), 3, 1e-12);
  EXPECT_EQ(line["codes_used"], 3);
  EXPECT_EQ(line["codes"], 8);
  EXPECT_EQ(line["tokens"], 6);
  EXPECT_EQ(line["network_id"], header.codec);
  TokenReader none = write("none.vqt", 0);
  EXPECT_NE(error_of([&] { measure_usage(none); }).find("no token grids"), std::string::npos);
}

}  // namespace
}  // namespace vq
