#include "formats/picture_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/dataset.h"
#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

namespace fs = std::filesystem;

class PictureWriterTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  TempFolder folder_;
};

Picture picture(std::string key, uint8_t grey, Json more = Json::object()) {
  Picture p{std::move(key), {4, 4, {}}, std::move(more)};
  p.image.rgb.assign(48, grey);
  return p;
}

TEST_F(PictureWriterTest, AFolderIsADataSetAgain) {
  auto writer = open_pictures(path("out"), {.force = false, .text = {{"Software", "test"}}});
  writer->put(picture("bird/1", 10, {{"caption", "a red bird"}, {"label", 3}, {"seed", 7}}));
  EXPECT_TRUE(fs::exists(path("out/bird/1.png"))) << "there as soon as put() returns";
  writer->put(picture("2", 20, {{"captions", {"one", "two"}}, {"label", 4}}));
  writer->close();

  const Dataset set = open_dataset(path("out/captions.jsonl"));
  ASSERT_EQ(set.examples.size(), 2u);
  EXPECT_EQ(set.examples[0].key, "bird/1");
  EXPECT_EQ(set.examples[0].captions, std::vector<std::string>{"a red bird"});
  EXPECT_EQ(set.examples[0].label, 3);
  EXPECT_EQ(set.examples[0].more["seed"], 7);
  EXPECT_EQ(set.examples[1].captions.size(), 2u);
  EXPECT_EQ(read_image(set.examples[1].picture.path).rgb[0], 20);

  const PngText text = read_png_text(path("out/bird/1.png"));
  const auto has = [&](const char* key, const char* value) {
    return std::find(text.begin(), text.end(), std::pair<std::string, std::string>(key, value)) !=
           text.end();
  };
  EXPECT_TRUE(has("Software", "test"));
  EXPECT_TRUE(has("vq:key", "bird/1"));
  EXPECT_TRUE(has("vq:caption", "a red bird"));
  EXPECT_TRUE(has("vq:seed", "7"));
}

TEST_F(PictureWriterTest, ExistingPicturesNeedForce) {
  for (bool force : {false, true}) {
    auto writer = open_pictures(path("out"), {.force = force, .text = {}});
    writer->put(picture("a", 1));
    writer->close();
  }
  EXPECT_THROW(open_pictures(path("out"), {})->put(picture("b", 1)), Error);
}

TEST_F(PictureWriterTest, KeysCannotLeaveTheFolder) {
  EXPECT_EQ(picture_file_name("a/b..c/d"), "a/b..c/d.png");
  for (const char* key : {"", "/a", "a/../b", "..", "a//b", "a/", "./a"}) {
    EXPECT_THROW(picture_file_name(key), Error) << key;
  }
}

TEST_F(PictureWriterTest, OnePngTakesOnePicture) {
  auto writer = open_pictures(path("one.png"), {});
  writer->put(picture("a", 77));
  EXPECT_THROW(writer->put(picture("b", 1)), Error);
  writer.reset();
  EXPECT_FALSE(fs::exists(path("one.png"))) << "not closed, so it does not appear";
  writer = open_pictures(path("one.png"), {});
  writer->put(picture("a", 77));
  writer->close();
  EXPECT_EQ(read_image(path("one.png")).rgb[0], 77);
  EXPECT_THROW(open_pictures(path("none.png"), {})->close(), Error);
}

TEST_F(PictureWriterTest, PpmStreamHoldsAll) {
  auto writer = open_pictures(path("all.ppm"), {});
  writer->put(picture("a", 1));
  writer->put(picture("b", 2));
  writer->close();
  Input input = Input::open(path("all.ppm"));
  Image image;
  for (int i = 1; i <= 2; ++i) {
    ASSERT_TRUE(read_ppm(input, image));
    EXPECT_EQ(image.rgb[0], i);
  }
  EXPECT_FALSE(read_ppm(input, image));
}

TEST_F(PictureWriterTest, SheetIsOnePicture) {
  auto writer = open_sheet(path("sheet.png"), {.columns = 2, .scale = 2}, {});
  writer->put(picture("a", 1));
  writer->put(picture("b", 2));
  writer->close();
  EXPECT_EQ(read_image(path("sheet.png")).width, 8 + 2 * (8 + 8));
}

}  // namespace
}  // namespace vq
