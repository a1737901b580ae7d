#include "lib/scoring/side.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/image.h"
#include "formats/token_grid.h"
#include "temp_folder.h"

namespace vq {
namespace {

Image flat(int side, uint8_t value) {
  return {side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3, value)};
}

SideOptions options(int64_t batch = 2) {
  SideOptions o;
  o.size = 8;
  o.batch = batch;
  return o;
}

// All keys and all first bytes of a side; checks the size of every batch but the last.
struct Content {
  std::vector<std::string> keys;
  std::vector<int> values;
};
Content read(Side& side, const SideOptions& o) {
  Content content;
  bool last = false;
  for (SideBatch batch; side.next(batch);) {
    EXPECT_FALSE(last);
    EXPECT_EQ(batch.bytes.sizes().slice(1), (at::IntArrayRef{o.size, o.size, 3}));
    last = batch.bytes.size(0) < o.batch;
    content.keys.insert(content.keys.end(), batch.keys.begin(), batch.keys.end());
    for (int64_t i = 0; i < batch.bytes.size(0); ++i) {
      content.values.push_back(batch.bytes[i][0][0][0].item<int>());
    }
  }
  SideBatch more;
  EXPECT_FALSE(side.next(more));
  return content;
}

TEST(Side, ReadsAFolderInBatchesAndResizes) {
  const TempFolder folder;
  for (int i = 1; i <= 5; ++i) {
    write_png(folder / ("p" + std::to_string(i) + ".png"),
              flat(6 + i, static_cast<uint8_t>(10 * i)));
  }
  for (int64_t batch : {1, 2, 5, 9}) {
    const auto side = open_side(folder.path(), options(batch));
    EXPECT_EQ(side->total(), 5);
    const Content content = read(*side, options(batch));
    EXPECT_EQ(content.keys, (std::vector<std::string>{"p1", "p2", "p3", "p4", "p5"}));
    EXPECT_EQ(content.values, (std::vector<int>{10, 20, 30, 40, 50}));
  }
}

TEST(Side, TakesAnOrderAndNamesWhatItLacks) {
  const TempFolder folder;
  for (const char* name : {"a.png", "b.png"}) write_png(folder / name, flat(8, name[0]));
  const auto side = open_side(folder.path(), options());
  side->order_by({"b", "a"});
  EXPECT_EQ(read(*side, options()).values, (std::vector<int>{'b', 'a'}));
  EXPECT_NE(error_of([&] { side->order_by({"c"}); }).find("has no picture 'c'"), std::string::npos);
}

TEST(Side, AnUnreadablePictureIsToldAndLeftOut) {
  const TempFolder folder;
  for (const char* name : {"a.png", "c.png"}) write_png(folder / name, flat(8, name[0]));
  folder.write("b.png", "not a picture");
  const auto strict = open_side(folder.path(), options(3));
  SideBatch batch;
  EXPECT_NE(error_of([&] { strict->next(batch); }).find("b.png"), std::string::npos);
  SideOptions lenient = options(3);
  int told = 0;
  lenient.on_bad = [&](const Error&) { ++told; };
  EXPECT_EQ(read(*open_side(folder.path(), lenient), lenient).keys,
            (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(told, 1);
}

TEST(Side, ReadsAPpmStream) {
  const TempFolder folder;
  Output output = Output::open(folder / "many.ppm", false);
  for (int i = 1; i <= 3; ++i) write_ppm(output, flat(8, static_cast<uint8_t>(i)));
  output.close();
  const auto side = open_side(folder / "many.ppm", options());
  const Content content = read(*side, options());
  EXPECT_EQ(content.values, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(content.keys.empty());
}

TEST(Side, DecodesTokenGridsWithTheirCodecOnly) {
  const TempFolder folder;
  CodecConfig config;
  config.image_size = 16, config.channels = 16, config.codes = 8;
  const auto codec = std::make_shared<Codec>(std::make_unique<CodecNetwork>(config, 1));
  const int side = static_cast<int>(codec->grid_side(16));
  GridHeader header;
  header.height = header.width = side, header.codebook_size = 8, header.codec = codec->identity();
  header.mask = true;
  const auto write = [&](const std::string& name, const GridHeader& h, int32_t token) {
    TokenWriter writer(Output::open(folder / name, true), h);
    for (const char* key : {"a", "b", "c"}) {
      writer.write({key, std::vector<int32_t>(static_cast<size_t>(h.length()), token)});
    }
    writer.close();
  };
  write("good.vqt", header, 3);
  write("masked.vqt", header, 8);
  GridHeader foreign = header;
  foreign.codec = std::string(64, 'f');
  write("foreign.vqt", foreign, 3);

  SideOptions o = options();
  const auto open_and_read = [&](const std::string& name) {
    return read(*open_side(folder / name, o), o);
  };
  EXPECT_NE(error_of([&] { open_and_read("good.vqt"); }).find("codec"), std::string::npos);
  o.codec = codec;
  o.codec_path = "codec.safetensors";
  EXPECT_EQ(open_and_read("good.vqt").keys, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_NE(error_of([&] { open_and_read("masked.vqt"); }).find("[mask]"), std::string::npos);
  EXPECT_NE(error_of([&] { open_and_read("foreign.vqt"); }).find("codec.safetensors"),
            std::string::npos);
}

TEST(Side, RefusesWhatHoldsNoPictures) {
  const TempFolder folder;
  folder.write("empty/readme", "");
  EXPECT_NE(error_of([&] { open_side(folder / "empty", options()); }), "no error");
  EXPECT_NE(error_of([&] { open_side(folder / "absent", options()); }).find("absent"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_side(folder.write("x.bin", "\xff\x01"), options()); }), "no error");
}

}  // namespace
}  // namespace vq
