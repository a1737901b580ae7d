// WebP: the files are made by libwebp's own writers.
#include <webp/encode.h>
#include <webp/mux.h>

#include "formats/image.h"
#include "formats/image_parts.h"
#include "tests/unit/image_files.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

constexpr int kWidth = 21, kHeight = 13;

// RGBA, every pixel different; alpha runs from 0 to 255 where `clear`.
Bytes samples(bool clear) {
  Bytes out;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      out.insert(out.end(),
                 {static_cast<uint8_t>(12 * x), static_cast<uint8_t>(19 * y),
                  static_cast<uint8_t>(x * 7 + y * 5), static_cast<uint8_t>(clear ? 12 * x : 255)});
    }
  }
  return out;
}

Bytes lossless(const Bytes& rgba) {
  WebPConfig config;
  EXPECT_TRUE(WebPConfigInit(&config));
  EXPECT_TRUE(WebPConfigLosslessPreset(&config, 0));
  config.exact = 1;  // keeps the colours of pixels that nobody sees
  WebPPicture picture;
  WebPMemoryWriter writer;
  EXPECT_TRUE(WebPPictureInit(&picture));
  WebPMemoryWriterInit(&writer);
  picture.use_argb = 1, picture.width = kWidth, picture.height = kHeight;
  picture.writer = WebPMemoryWrite, picture.custom_ptr = &writer;
  EXPECT_TRUE(WebPPictureImportRGBA(&picture, rgba.data(), 4 * kWidth));
  EXPECT_TRUE(WebPEncode(&config, &picture));
  WebPPictureFree(&picture);
  Bytes out(writer.mem, writer.mem + writer.size);
  WebPMemoryWriterClear(&writer);
  return out;
}

Bytes with_exif(const Bytes& webp, const Bytes& exif) {
  const WebPData image = {webp.data(), webp.size()}, chunk = {exif.data(), exif.size()};
  WebPMux* mux = WebPMuxCreate(&image, 1);
  EXPECT_EQ(WebPMuxSetChunk(mux, "EXIF", &chunk, 1), WEBP_MUX_OK);
  WebPData out;
  EXPECT_EQ(WebPMuxAssemble(mux, &out), WEBP_MUX_OK);
  Bytes bytes(out.bytes, out.bytes + out.size);
  WebPDataClear(&out);
  WebPMuxDelete(mux);
  return bytes;
}

// Two frames, the second a copy of `b`.
Bytes moving(const Bytes& a, const Bytes& b) {
  WebPMux* mux = WebPMuxNew();
  const WebPMuxAnimParams params = {0, 0};
  EXPECT_EQ(WebPMuxSetAnimationParams(mux, &params), WEBP_MUX_OK);
  for (const Bytes* frame : {&a, &b}) {
    WebPMuxFrameInfo info{};
    info.bitstream = {frame->data(), frame->size()};
    info.id = WEBP_CHUNK_ANMF, info.duration = 100;
    info.blend_method = WEBP_MUX_NO_BLEND;
    EXPECT_EQ(WebPMuxPushFrame(mux, &info, 1), WEBP_MUX_OK);
  }
  WebPData out;
  EXPECT_EQ(WebPMuxAssemble(mux, &out), WEBP_MUX_OK);
  Bytes bytes(out.bytes, out.bytes + out.size);
  WebPDataClear(&out);
  WebPMuxDelete(mux);
  return bytes;
}

Image expected(bool clear) {
  Image image{kWidth, kHeight, samples(clear)};
  lay_over_white(image);
  return image;
}

TEST(Webp, LosslessIsExactAndAlphaLiesOverWhite) {
  for (bool clear : {false, true}) {
    const Image image = decode_image(lossless(samples(clear)), "x");
    EXPECT_EQ(image.width, kWidth);
    EXPECT_EQ(image.height, kHeight);
    EXPECT_EQ(image.rgb, expected(clear).rgb);
  }
  // The left column is all transparent: white.
  EXPECT_EQ(decode_image(lossless(samples(true)), "x").at(0, 5)[0], 255);
}

TEST(Webp, ExifTurnsIt) {
  const Bytes still = lossless(samples(false));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image wanted = oriented(expected(false), orientation);
    const Bytes named = make_exif(orientation, orientation % 2 == 0);
    // With "Exif\0\0" in front, as some writers have it, and without.
    for (const Bytes& exif : {named, Bytes(named.begin() + 6, named.end())}) {
      const Image image = decode_image(with_exif(still, exif), "x");
      EXPECT_EQ(image.width, wanted.width) << orientation;
      EXPECT_EQ(image.rgb, wanted.rgb) << orientation;
    }
  }
}

TEST(Webp, OfAMovingOneTheFirstFrame) {
  Bytes other = samples(false);
  std::fill(other.begin(), other.end(), uint8_t{255});
  const Image image = decode_image(moving(lossless(samples(true)), lossless(other)), "x");
  EXPECT_EQ(image.rgb, expected(true).rgb);
}

TEST(Webp, EveryCutIsAnError) {
  const Bytes whole = lossless(samples(false));
  for (size_t n = 12; n + 1 < whole.size(); ++n) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const std::string said = error_of([&] { decode_image(cut, "x"); });
    // The last byte may be padding.
    EXPECT_TRUE(said.starts_with("x: ")) << n << " of " << whole.size() << ": " << said;
  }
}

}  // namespace
}  // namespace vq
