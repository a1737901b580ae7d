#include "formats/image_stream.h"

#include "formats/token_grid.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

Image picture(int width, int height) {
  Image image{width, height, Bytes(size_t{3} * width * height)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 7);
  return image;
}

Bytes as_ppm(const Image& image) {
  Bytes bytes;
  Output output = Output::memory(&bytes);
  write_ppm(output, image);
  return bytes;
}

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(ImageStream, PngAndPpmOneBehindTheOther) {
  const Bytes a = encode_png(picture(5, 3), {{"vq:key", "a"}}), b = as_ppm(picture(2, 2)),
              c = encode_png(picture(1, 7));
  const std::string_view grey = "P5 2 1 65535\n\1\2\3\4";
  const Bytes d(grey.begin(), grey.end());
  Input input = Input::memory(joined({a, b, c, d}), "stream");
  Bytes bytes;
  for (const Bytes& wanted : {a, b, c, d}) {
    ASSERT_TRUE(take_picture(input, bytes));
    EXPECT_EQ(bytes, wanted);
    EXPECT_GT(decode_image(bytes, "x").width, 0);
  }
  EXPECT_FALSE(take_picture(input, bytes));
}

TEST(ImageStream, AJpegIsTheRest) {
  const std::string_view rest = "\xff\xd8\xff\xe0 whatever";
  Input input =
      Input::memory(joined({as_ppm(picture(2, 2)), {rest.begin(), rest.end()}}), "stream");
  Bytes bytes;
  ASSERT_TRUE(take_picture(input, bytes));
  ASSERT_TRUE(take_picture(input, bytes));
  EXPECT_EQ(as_text(bytes), rest);
  EXPECT_FALSE(take_picture(input, bytes));
}

TEST(ImageStream, EveryCutIsAnErrorWithItsPlace) {
  const Bytes first = as_ppm(picture(2, 2));
  for (const Bytes& second : {encode_png(picture(5, 3)), as_ppm(picture(3, 1))}) {
    for (size_t n = 1; n < second.size(); ++n) {
      Bytes cut = joined({first, second});
      cut.resize(first.size() + n);
      Input input = Input::memory(cut, "stream");
      Bytes bytes;
      ASSERT_TRUE(take_picture(input, bytes));
      const std::string said = error_of([&] { take_picture(input, bytes); });
      EXPECT_TRUE(said.starts_with("stream: picture at byte 23: ")) << said;
    }
  }
}

TEST(ImageStream, WhatIsNoPictureIsNamed) {
  const auto error = [](std::string_view bytes) {
    const std::span<const uint8_t> all = as_bytes(bytes);
    Input input = Input::memory(Bytes(all.begin(), all.end()), "stream");
    Bytes picture;
    return error_of([&] { take_picture(input, picture); });
  };
  const std::string no_picture = "stream: is not a PNG, JPEG, WebP or PPM image";
  EXPECT_EQ(error("hi"), no_picture);
  for (const char* start : {"R", "RIFF", "RIFF1234", "RIFF1234WEB", "RIFF1234WAVEfmt "}) {
    EXPECT_EQ(error(start), no_picture) << start;
  }
  Bytes grid, picture;
  GridHeader header;
  header.height = header.width = 1, header.codebook_size = 2;
  TokenWriter writer(Output::memory(&grid, "grid"), header);
  writer.write({"a", {1}, Json::object()});
  writer.close();
  Input input = Input::memory(grid, "stream");
  try {
    take_picture(input, picture);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.hint(), "to turn tokens into images, use vq-decode");
  }
}

TEST(ImageStream, ALyingLengthTakesNoMemory) {
  Bytes png = encode_png(picture(1, 1));
  png.resize(8);
  for (const char c : std::string_view("\x7f\xff\xff\xffIDAT"))
    png.push_back(static_cast<uint8_t>(c));
  Input input = Input::memory(png, "stream");
  Bytes bytes;
  EXPECT_EQ(error_of([&] { take_picture(input, bytes); }),
            "stream: the picture has more than 1073741824 bytes");
}

TEST(ImageStream, IsADataSetWithNumbersForKeys) {
  auto set = read_picture_stream(
      Input::memory(joined({as_ppm(picture(2, 2)), encode_png(picture(4, 1))}), "stream"));
  Example example;
  ASSERT_TRUE(set->next(example));
  EXPECT_EQ(example.key, "000000");
  ASSERT_TRUE(set->next(example));
  EXPECT_EQ(example.key, "000001");
  EXPECT_EQ(example.picture.name(), "stream: picture 1");
  EXPECT_EQ(example.picture.read().rgb, picture(4, 1).rgb);
  EXPECT_FALSE(set->next(example));
}

}  // namespace
}  // namespace vq
