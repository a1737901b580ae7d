#include "lib/codec/pictures.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

class PicturesTest : public testing::Test {
 protected:
  // Pictures of one colour each: picture i is grey i. Number `broken` is not a picture.
  std::vector<PictureSource> write_pictures(int count, int broken = -1) {
    std::vector<PictureSource> paths;
    for (int i = 0; i < count; ++i) {
      const std::string name = std::to_string(i) + ".png";
      if (i == broken) {
        paths.push_back(folder_.write(name, "this is no picture"));
        continue;
      }
      Image image{6, 4, std::vector<uint8_t>(72, static_cast<uint8_t>(i))};
      write_png(folder_ / name, image);
      paths.push_back(folder_ / name);
    }
    return paths;
  }
  TempFolder folder_;
};

std::vector<int64_t> greys(const at::Tensor& bytes) {
  std::vector<int64_t> list;
  for (int64_t i = 0; i < bytes.size(0); ++i) list.push_back(bytes[i][0][0][0].item<uint8_t>());
  return list;
}

TEST_F(PicturesTest, OrderDoesNotDependOnThreads) {
  const auto paths = write_pictures(37);
  for (int threads : {1, 4}) {
    const PictureBatch batch = read_pictures(paths, {.size = 4, .threads = threads});
    EXPECT_EQ(batch.bytes.sizes(), at::IntArrayRef({37, 4, 4, 3}));
    EXPECT_TRUE(batch.bad.empty());
    for (int64_t i = 0; i < 37; ++i) EXPECT_EQ(greys(batch.bytes)[i], i);
  }
}

TEST_F(PicturesTest, BadOnesAreNamed) {
  const auto paths = write_pictures(5, 3);
  const PictureBatch batch = read_pictures(paths, {.size = 4});
  ASSERT_EQ(batch.bad.size(), 1u);
  EXPECT_EQ(batch.bad[0].index, 3);
  EXPECT_NE(std::string(batch.bad[0].error.what()).find("3.png"), std::string::npos);
}

TEST_F(PicturesTest, MemoryAndFilesGiveTheSame) {
  const auto paths = write_pictures(9);
  TrainingPictures kept(paths, {.read = {.size = 4}});
  TrainingPictures read(paths, {.read = {.size = 4}, .max_bytes = 10});
  EXPECT_TRUE(kept.in_memory());
  EXPECT_FALSE(read.in_memory());
  for (const std::vector<int64_t>& which : {std::vector<int64_t>{4, 0, 8}, {7, 7}, {1}}) {
    EXPECT_TRUE(kept.batch(which).equal(read.batch(which)));
    read.prefetch({7, 7});
  }
}

TEST_F(PicturesTest, SomeBadOnesAreLeftOut) {
  const auto paths = write_pictures(5, 1);
  EXPECT_THROW(TrainingPictures(paths, {.read = {.size = 4}}), Error);
  TrainingPictures kept(paths, {.read = {.size = 4}, .max_bad = 1});
  EXPECT_EQ(kept.count(), 4);
  EXPECT_EQ(greys(kept.batch({0, 1, 2, 3})), (std::vector<int64_t>{0, 2, 3, 4}));
  TrainingPictures read(paths, {.read = {.size = 4}, .max_bytes = 0, .max_bad = 1});
  EXPECT_EQ(greys(read.batch({0, 1, 2})), (std::vector<int64_t>{0, 0, 2}));
  EXPECT_EQ(greys(read.batch({1, 4})), (std::vector<int64_t>{4, 4})) << "known already";
  EXPECT_EQ(read.bad().size(), 1u);
}

}  // namespace
}  // namespace vq
