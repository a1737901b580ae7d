#include "lib/scoring/statistics_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

SavedStatistics small() {
  SavedStatistics saved;
  const at::Tensor x = at::randn({9, 3}, at::kDouble);
  saved.statistics.count = 9;
  saved.statistics.mean = x.mean(0);
  saved.statistics.covariance = x.t().mm(x) / 8;
  saved.statistics.sample = x.to(at::kFloat);
  saved.network = "inception", saved.network_id = "0123";
  saved.preprocessing = "clean", saved.reference_id = "abcd";
  return saved;
}

std::span<const uint8_t> bytes_of(const at::Tensor& t) {
  return {static_cast<const uint8_t*>(t.data_ptr()), t.nbytes()};
}

TEST(StatisticsFile, GivesBackWhatWasSaved) {
  const TempFolder folder;
  const SavedStatistics saved = small();
  write_statistics(Output::open(folder / "s.npz", false), saved);
  const NpzFile file(folder / "s.npz");
  ASSERT_TRUE(holds_statistics(file));
  const SavedStatistics read = read_statistics(file);
  EXPECT_EQ(read.statistics.count, 9);
  EXPECT_TRUE(at::equal(read.statistics.mean, saved.statistics.mean));
  EXPECT_TRUE(at::equal(read.statistics.covariance, saved.statistics.covariance));
  EXPECT_TRUE(at::equal(read.statistics.sample, saved.statistics.sample));
  EXPECT_EQ(read.network, "inception");
  EXPECT_EQ(read.network_id, "0123");
  EXPECT_EQ(read.preprocessing, "clean");
  EXPECT_EQ(read.reference_id, "abcd");
}

TEST(StatisticsFile, TakesThoseOfOtherPrograms) {
  const TempFolder folder;
  const at::Tensor mu = at::tensor({1.0, 2.0}), sigma = at::eye(2, at::kDouble);
  const auto write = [&](const at::Tensor& m, const at::Tensor& s) {
    write_npz(Output::open(folder / "x.npz", true),
              {{"mu", DType::f64, m.sizes().vec(), bytes_of(m)},
               {"sigma", DType::f64, s.sizes().vec(), bytes_of(s)}});
    return NpzFile(folder / "x.npz");
  };
  const SavedStatistics read = read_statistics(write(mu, sigma));
  EXPECT_EQ(read.statistics.count, 0);
  EXPECT_EQ(read.statistics.sample.size(0), 0);
  EXPECT_EQ(read.network_id, "");
  EXPECT_EQ(read.reference_id.size(), 64u);
  EXPECT_NE(read.reference_id, read_statistics(write(mu + 1, sigma)).reference_id);
  EXPECT_NE(error_of([&] { read_statistics(write(mu, at::eye(3, at::kDouble))); }).find("fit"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_statistics(write(mu / 0, sigma)); }).find("not finite"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
