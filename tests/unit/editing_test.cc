#include "lib/sampling/editing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "tests/unit/brute_force.h"

namespace vq {
namespace {

Image dark(int width, int height) {
  Image image;
  image.width = width, image.height = height;
  image.rgb.assign(static_cast<size_t>(width * height * 3), 0);
  return image;
}

void light(Image& image, int x, int y, uint8_t grey = 255) {
  for (int c = 0; c < 3; ++c)
    image.rgb[static_cast<size_t>((y * image.width + x) * 3 + c)] = grey;
}

std::string drawing(const std::vector<bool>& free) {
  std::string s;
  for (const bool cell : free) s += cell ? '#' : '.';
  return s;
}

TEST(FreeCells, AnyBrightPixelFreesItsCell) {
  Image mask = dark(8, 8);
  EXPECT_EQ(drawing(free_cells(mask, 4, 4, 0)), "................");
  light(mask, 5, 2);
  EXPECT_EQ(drawing(free_cells(mask, 4, 4, 0)), "......#.........");
  light(mask, 0, 7, 128);  // brighter than the middle
  light(mask, 7, 7, 127);  // not
  EXPECT_EQ(drawing(free_cells(mask, 4, 4, 0)), "......#.....#...");
}

TEST(FreeCells, GrowTakesNeighboursAndDiagonals) {
  Image mask = dark(8, 8);
  light(mask, 5, 2);
  EXPECT_EQ(drawing(free_cells(mask, 4, 4, 1)), ".###.###.###....");
  EXPECT_EQ(drawing(free_cells(mask, 4, 4, 9)), "################");
}

TEST(FreeCells, ThePictureMayHaveAnySize) {
  Image small = dark(2, 1);
  light(small, 1, 0);
  EXPECT_EQ(drawing(free_cells(small, 2, 4, 0)), "..##..##");
  // Three pixels over two cells: the one in the middle belongs to both.
  Image odd = dark(3, 1);
  light(odd, 1, 0);
  EXPECT_EQ(drawing(free_cells(odd, 1, 2, 0)), "##");
}

TEST(StartFrom, InpaintingBeginsWithMasksAtTheEndOfTime) {
  const Schedule schedule = Schedule::make("linear", 10, 5);
  const at::Tensor tokens = at::tensor({0, 1, 5, 3}, at::kLong).unsqueeze(0);
  const at::Tensor free = at::tensor({0, 1, 0, 0}, at::kLong).to(at::kBool).unsqueeze(0);
  const Start start = start_from(schedule, tokens, free, 1, 0, {0});
  EXPECT_EQ(start.time, 10);
  EXPECT_TRUE(at::equal(start.tokens, at::tensor({0, 5, 5, 3}, at::kLong).unsqueeze(0)));
  EXPECT_TRUE(
      at::equal(start.frozen.to(at::kLong), at::tensor({1, 0, 0, 1}, at::kLong).unsqueeze(0)));
}

// Variations start from q(x_t | x_0), Eq. 4, where they are free.
TEST(StartFrom, AVariationBeginsWithTheForwardProcess) {
  const int k = 4;
  const Schedule schedule = Schedule::make("replace", 10, k);
  const int64_t rows = 20000;
  std::vector<uint64_t> records;
  for (uint64_t i = 0; i < static_cast<uint64_t>(rows); ++i) records.push_back(i);
  const at::Tensor tokens = at::full({rows, 2}, 2, at::kLong);
  at::Tensor free = at::zeros({rows, 2}, at::kBool);
  free.select(1, 1).fill_(true);
  const Start start = start_from(schedule, tokens, free, 0.6, 5, records);
  EXPECT_EQ(start.time, 6);
  EXPECT_TRUE(start.tokens.select(1, 0).eq(2).all().item<bool>());
  const at::Tensor counts = at::bincount(start.tokens.select(1, 1), {}, k + 1).to(at::kDouble);
  std::vector<double> share(k + 1, schedule.beta_bar(6));
  share[2] += schedule.alpha_bar(6), share[k] = schedule.gamma_bar(6);
  EXPECT_TRUE(
      testing::chi_square({counts.data_ptr<double>(), counts.data_ptr<double>() + k + 1}, share)
          .plausible());
}

TEST(StartFrom, TheNoiseBelongsToTheRecord) {
  const Schedule schedule = Schedule::make("replace", 10, 50);
  const at::Tensor tokens = at::arange(12).view({2, 6});
  const at::Tensor free = at::ones({2, 6}, at::kBool);
  const at::Tensor both = start_from(schedule, tokens, free, 0.5, 1, {4, 9}).tokens;
  const at::Tensor one =
      start_from(schedule, tokens.narrow(0, 1, 1), free.narrow(0, 1, 1), 0.5, 1, {9}).tokens;
  EXPECT_TRUE(at::equal(both[1], one[0]));
  EXPECT_THROW(start_from(schedule, tokens, free, 0, 1, {4, 9}), Error);
  EXPECT_THROW(start_from(schedule, tokens, free, 1.1, 1, {4, 9}), Error);
}

}  // namespace
}  // namespace vq
