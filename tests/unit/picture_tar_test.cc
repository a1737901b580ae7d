// Decoded pictures in tar shards, read back as the data set they are.
#include "formats/dataset.h"
#include "formats/picture_writer.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

Picture picture(const std::string& key, Json more) {
  Image image{3, 2, Bytes(18)};
  for (size_t i = 0; i < 18; ++i) image.rgb[i] = static_cast<uint8_t>(i * key.size());
  return {key, image, std::move(more)};
}

std::vector<Example> read_all(const std::vector<std::string>& paths) {
  auto reader = open_examples(paths);
  std::vector<Example> all;
  for (Example e; reader->next(e);) all.push_back(e);
  return all;
}

TEST(PictureTar, IsADataSetAgain) {
  const TempFolder folder;
  const std::vector<Picture> pictures = {
      picture("a/b", {{"caption", "a small red bird"}, {"label", 7}, {"seed", 3}}),
      picture("a/c", {{"captions", {"one", "two"}}, {"label", 8}}),
      picture("v1.2/d.e", {{"label", 0}})};
  auto writer = open_pictures(folder / "out.tar", {.text = {{"vq:history", "[]"}}});
  for (const Picture& p : pictures) writer->put(p);
  writer->close();
  const auto back = read_all({folder / "out.tar"});
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[0].key, "a/b");
  EXPECT_EQ(back[0].captions, (std::vector<std::string>{"a small red bird"}));
  EXPECT_EQ(back[0].label, 7);
  EXPECT_EQ(back[0].more, (Json{{"seed", 3}}));
  EXPECT_EQ(back[1].captions, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(back[1].label, 8);
  EXPECT_EQ(back[2].key, "v1.2/d%2Ee");
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(back[i].picture.read().rgb, pictures[i].image.rgb);
}

TEST(PictureTar, ShardsHoldSoMany) {
  const TempFolder folder;
  auto writer = open_pictures(folder / "s.tar", {.per_shard = 2});
  for (int i = 0; i < 5; ++i) writer->put(picture("k" + std::to_string(i), Json::object()));
  writer->close();
  EXPECT_EQ(read_all({folder / "s-{000000..000002}.tar"}).size(), 5u);
  EXPECT_EQ(read_all({folder / "s-000002.tar"}).size(), 1u);
}

TEST(PictureTar, WrongNamesAreRefused) {
  const TempFolder folder;
  auto writer = open_pictures(folder / "out.tar", {});
  EXPECT_EQ(error_of([&] { writer->put(picture("../a", Json::object())); }),
            "the key '../a' is not a name inside a folder");
  EXPECT_NE(error_of([&] { open_pictures(folder / "out", {.per_shard = 2}); }).find("only tar"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
