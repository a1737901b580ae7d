#include "formats/image.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "formats/image_parts.h"
#include "tests/unit/image_files.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

// Every pixel different, no two rows alike.
Image test_picture(int width, int height) {
  Image image{width, height, Bytes(size_t{3} * width * height)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* p = image.at(x, y);
      p[0] = static_cast<uint8_t>(255 * x / std::max(1, width - 1));
      p[1] = static_cast<uint8_t>(255 * y / std::max(1, height - 1));
      p[2] = static_cast<uint8_t>(x * 31 + y * 17);
    }
  }
  return image;
}

std::string error_for(std::span<const uint8_t> bytes) {
  return error_of([&] { decode_image(bytes, "x"); });
}
std::string error_for(std::string_view text) { return error_for(as_bytes(text)); }

Bytes pixels(std::initializer_list<int> values) { return Bytes(values.begin(), values.end()); }

// ---- PNG

TEST(Png, RoundTripAndSameBytesEachTime) {
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 3}, {64, 33}}) {
    const Image image = test_picture(width, height);
    const Bytes png = encode_png(image);
    EXPECT_EQ(png, encode_png(image));
    const Image back = decode_image(png, "x");
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.rgb, image.rgb);
  }
}

TEST(Png, TextIsKept) {
  const TempFolder folder;
  const PngText text = {
      {"Description", "a small red bird"}, {"Description", "twice"}, {"Überschrift", "x"}};
  EXPECT_EQ(error_of([&] { encode_png(test_picture(2, 2), text); }),
            "\"Überschrift\" cannot be the keyword of a PNG text");
  const PngText good = {{"Description", "a small red bird"},
                        {"Description", "ein Vögelchen, 鳥 🐦"},
                        {"Empty", ""},
                        {"Lines", "one\ntwo"}};
  write_png(folder / "a.png", test_picture(5, 5), good);
  const std::string file = file_content(folder / "a.png");
  EXPECT_NE(file.find("tEXtDescription"), std::string::npos);
  EXPECT_NE(file.find("iTXtDescription"), std::string::npos);
  EXPECT_EQ(read_png_text(folder / "a.png"), good);
  EXPECT_EQ(read_image(folder / "a.png").rgb, test_picture(5, 5).rgb);
  EXPECT_EQ(error_of([&] { write_png(folder / "a.png", test_picture(5, 5)); }, folder.path()),
            "a.png: exists already");
  write_png(folder / "a.png", test_picture(5, 5), {}, true);
  EXPECT_TRUE(read_png_text(folder / "a.png").empty());
}

TEST(Png, TextOfOthersBecomesUtf8) {
  const TempFolder folder;
  const Bytes png =
      make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY}, {0}, [](png_structp p, png_infop info) {
        png_text chunk{};
        chunk.compression = PNG_TEXT_COMPRESSION_NONE;
        chunk.key = const_cast<char*>("Author");
        chunk.text = const_cast<char*>("Jos\xE9");  // Latin-1
        png_set_text(p, info, &chunk, 1);
      });
  write_file(folder / "a.png", png, false);
  EXPECT_EQ(read_png_text(folder / "a.png"), (PngText{{"Author", "José"}}));
}

TEST(Png, TextThatIsNoTextIsRefused) {
  const Image image = test_picture(1, 1);
  const auto error = [&](const std::string& key, const std::string& value) {
    return error_of([&] { encode_png(image, {{key, value}}); });
  };
  EXPECT_EQ(error("", "x"), "\"\" cannot be the keyword of a PNG text");
  EXPECT_EQ(error(" a", "x"), "\" a\" cannot be the keyword of a PNG text");
  EXPECT_EQ(error("a  b", "x"), "\"a  b\" cannot be the keyword of a PNG text");
  EXPECT_EQ(error("a", "\xff"), "the PNG text \"a\" is not UTF-8 text without NUL");
  EXPECT_EQ(error("a", std::string("b\0c", 3)), "the PNG text \"a\" is not UTF-8 text without NUL");
}

TEST(Png, EveryColourTypeBecomesRgb) {
  const auto rgb = [](const Bytes& png) { return decode_image(png, "x").rgb; };
  // Grey of 1 bit: 1 0; of 16 bits, rounded; grey with alpha, over white.
  EXPECT_EQ(rgb(make_png({2, 1, 1, PNG_COLOR_TYPE_GRAY}, {0x80})),
            pixels({255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(rgb(make_png({1, 1, 16, PNG_COLOR_TYPE_GRAY}, {0x12, 0xFF})), pixels({19, 19, 19}));
  EXPECT_EQ(rgb(make_png({3, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA}, {100, 0, 100, 128, 100, 255})),
            pixels({255, 255, 255, 177, 177, 177, 100, 100, 100}));
  EXPECT_EQ(rgb(make_png({1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA}, {0, 100, 200, 51})),
            pixels({204, 224, 244}));
  EXPECT_EQ(rgb(make_png({1, 1, 16, PNG_COLOR_TYPE_RGB}, {0, 0, 0x12, 0x34, 0xFF, 0xFF})),
            pixels({0, 18, 255}));
}

TEST(Png, PaletteAndTransparency) {
  const auto set = [](png_structp p, png_infop info) {
    const png_color palette[2] = {{10, 20, 30}, {40, 50, 60}};
    const png_byte alpha[2] = {255, 0};
    png_set_PLTE(p, info, palette, 2);
    png_set_tRNS(p, info, alpha, 2, nullptr);
  };
  const Bytes png = make_png({2, 1, 1, PNG_COLOR_TYPE_PALETTE}, {0x40}, set);
  EXPECT_EQ(decode_image(png, "x").rgb, pixels({10, 20, 30, 255, 255, 255}));

  // A transparent grey is meant in the depth of the file: 1 of 0..3, not of 0..255.
  const auto grey = [](png_structp p, png_infop info) {
    png_color_16 transparent{};
    transparent.gray = 1;
    png_set_tRNS(p, info, nullptr, 0, &transparent);
  };
  const Bytes two_bits = make_png({4, 1, 2, PNG_COLOR_TYPE_GRAY}, {0x1B}, grey);
  EXPECT_EQ(decode_image(two_bits, "x").rgb,
            pixels({0, 0, 0, 255, 255, 255, 170, 170, 170, 255, 255, 255}));
}

TEST(Png, InterlacedIsTheSamePicture) {
  const Image image = test_picture(37, 23);
  const Bytes png = make_png({37, 23, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7}, image.rgb);
  EXPECT_EQ(decode_image(png, "x").rgb, image.rgb);
}

TEST(Png, GammaIsNotApplied) {
  const auto set = [](png_structp p, png_infop info) { png_set_gAMA(p, info, 1.0); };
  EXPECT_EQ(decode_image(make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY}, {100}, set), "x").rgb,
            pixels({100, 100, 100}));
}

TEST(Png, ExifTurnsItWhereverItStands) {
  const Image image = test_picture(5, 3);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Bytes app1 = make_exif(orientation, true);
    const auto set = [&](png_structp p, png_infop info) {
      png_set_eXIf_1(p, info, app1.size() - 6, const_cast<png_bytep>(app1.data() + 6));
    };
    const Bytes png = make_png({5, 3, 8, PNG_COLOR_TYPE_RGB}, image.rgb, set);
    EXPECT_EQ(decode_image(png, "x").rgb, oriented(image, orientation).rgb) << orientation;
  }
}

TEST(Png, EveryCutAndEveryFlippedByteIsAnErrorOrHarmless) {
  const Image image = test_picture(9, 9);
  const Bytes whole = encode_png(image, {{"Comment", "hello"}});
  for (size_t n = 8; n < whole.size(); ++n) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_EQ(error_for(cut), "x: the PNG ends too early, after " + std::to_string(n) + " bytes");
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    Bytes damaged = whole;
    damaged[i] ^= 0x10;
    EXPECT_NE(error_for(damaged), "no error") << "byte " << i;
  }
}

// The header of a PNG of any size, with a right checksum.
Bytes png_header(uint32_t width, uint32_t height) {
  Bytes png = make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY}, {0});
  for (int i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<uint8_t>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<uint8_t>(height >> (24 - 8 * i));
  }
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= png[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<uint8_t>(~crc >> (24 - 8 * i));
  return png;
}

TEST(Png, LimitsHoldBeforeMemoryIsTaken) {
  EXPECT_EQ(error_for(png_header(32769, 1)), "x: is 32769 x 1 pixels; the limit is 32768 a side");
  EXPECT_EQ(error_for(png_header(32768, 2049)),
            "x: is 32768 x 2049 = 67141632 pixels; the limit is 67108864");
  EXPECT_EQ(error_for(png_header(8192, 8192)),
            "x: the PNG has 67 bytes, too few for its 8192 x 8192 pixels");
  EXPECT_EQ(error_for(png_header(2147483647, 2147483647)).substr(0, 6), "x: is ");
  EXPECT_EQ(error_for(png_header(0, 5)).substr(0, 3), "x: ");
}

// ---- JPEG

double mean_difference(const Bytes& a, const Bytes& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

// Smooth, so that JPEG keeps it, and without symmetry.
Image smooth_picture() {
  Image image = test_picture(24, 16);
  for (size_t i = 2; i < image.rgb.size(); i += 3) image.rgb[i] = 128;
  return image;
}

TEST(Jpeg, ColourSpacesBecomeRgb) {
  const Image image = smooth_picture();
  for (const bool progressive : {false, true}) {
    for (const J_COLOR_SPACE stored : {JCS_YCbCr, JCS_RGB}) {
      const Bytes jpeg = make_jpeg({24, 16, 3, JCS_RGB, stored, true, progressive}, image.rgb);
      EXPECT_LT(mean_difference(decode_image(jpeg, "x").rgb, image.rgb), 2) << stored;
    }
  }
  const Bytes grey = make_jpeg({4, 1, 1, JCS_GRAYSCALE, JCS_GRAYSCALE}, {90, 90, 90, 90});
  EXPECT_EQ(decode_image(grey, "x").rgb, Bytes(12, 90));
}

TEST(Jpeg, InkIsTurnedIntoLightAsItsMarkerSays) {
  const Image image = smooth_picture();
  Bytes ink, inverted;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    for (size_t c = 0; c < 3; ++c) {
      ink.push_back(static_cast<uint8_t>(255 - image.rgb[i + c]));
      inverted.push_back(image.rgb[i + c]);
    }
    ink.push_back(0);
    inverted.push_back(255);
  }
  const auto difference = [&](const JpegKind& kind, const Bytes& samples) {
    return mean_difference(decode_image(make_jpeg(kind, samples), "x").rgb, image.rgb);
  };
  EXPECT_LT(difference({24, 16, 4, JCS_CMYK, JCS_CMYK, false}, ink), 2);
  EXPECT_LT(difference({24, 16, 4, JCS_CMYK, JCS_CMYK, true}, inverted), 2);
  EXPECT_LT(difference({24, 16, 4, JCS_CMYK, JCS_YCCK, true}, inverted), 2);
  EXPECT_GT(difference({24, 16, 4, JCS_CMYK, JCS_CMYK, false}, inverted), 50);
}

// Where the stored pixel (x, y) of a w x h picture is shown: the table of the EXIF standard.
std::pair<int, int> shown_at(int orientation, int x, int y, int w, int h) {
  switch (orientation) {
    case 2:
      return {w - 1 - x, y};
    case 3:
      return {w - 1 - x, h - 1 - y};
    case 4:
      return {x, h - 1 - y};
    case 5:
      return {y, x};
    case 6:
      return {h - 1 - y, x};
    case 7:
      return {h - 1 - y, w - 1 - x};
    case 8:
      return {y, w - 1 - x};
    default:
      return {x, y};
  }
}

TEST(Jpeg, OrientationIsApplied) {
  const Image image = smooth_picture();
  for (int orientation = 0; orientation <= 9; ++orientation) {
    for (const bool big_endian : {false, true}) {
      JpegKind kind{24, 16, 3, JCS_RGB, JCS_YCbCr};
      kind.exif = make_exif(orientation, big_endian);
      const Image shown = decode_image(make_jpeg(kind, image.rgb), "x");
      const bool turned = orientation >= 5 && orientation <= 8;
      ASSERT_EQ(shown.width, turned ? 16 : 24);
      ASSERT_EQ(shown.height, turned ? 24 : 16);
      double sum = 0;
      for (int y = 0; y < 16; ++y) {
        for (int x = 0; x < 24; ++x) {
          const auto [to_x, to_y] = shown_at(orientation, x, y, 24, 16);
          for (int c = 0; c < 3; ++c) sum += std::abs(shown.at(to_x, to_y)[c] - image.at(x, y)[c]);
        }
      }
      EXPECT_LT(sum / (24 * 16 * 3), 2) << "orientation " << orientation;
    }
  }
}

TEST(Jpeg, BrokenExifIsNoOrientation) {
  const Bytes whole = make_exif(6, true);
  EXPECT_EQ(exif_orientation(whole), 6);
  for (size_t n = 0; n < 40; ++n) {  // up to the end of the second entry
    EXPECT_EQ(exif_orientation(std::span(whole).first(n)), 1) << n;
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0, 0x7F, 0xFF}) {
      Bytes damaged = whole;
      damaged[i] = static_cast<uint8_t>(value);
      const int orientation = exif_orientation(damaged);
      EXPECT_TRUE(orientation >= 1 && orientation <= 8);
    }
  }
}

TEST(Jpeg, EveryCutIsAnError) {
  for (const bool progressive : {false, true}) {
    const Bytes whole =
        make_jpeg({24, 16, 3, JCS_RGB, JCS_YCbCr, false, progressive}, smooth_picture().rgb);
    for (size_t n = 3; n < whole.size(); ++n) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
      EXPECT_NE(error_for(cut), "no error") << n << " of " << whole.size();
    }
    const Bytes half(whole.begin(), whole.end() - 2);
    EXPECT_EQ(error_for(half),
              "x: the JPEG ends too early, after " + std::to_string(half.size()) + " bytes");
  }
}

TEST(Jpeg, LimitsAndOddKindsHaveTheirSentences) {
  const Bytes whole = make_jpeg({24, 16, 1, JCS_GRAYSCALE, JCS_GRAYSCALE}, Bytes(24 * 16, 9));
  const size_t frame = as_text(whole).find("\xFF\xC0");
  ASSERT_NE(frame, std::string_view::npos);
  Bytes large = whole;
  large[frame + 5] = 0xFF, large[frame + 7] = 0x80, large[frame + 8] = 0;
  EXPECT_EQ(error_for(large), "x: is 32768 x 65296 pixels; the limit is 32768 a side");
  Bytes deep = whole;
  deep[frame + 4] = 12;
  EXPECT_EQ(error_for(deep), "x: cannot read this JPEG: unsupported JPEG data precision 12");
  const Bytes two = make_jpeg({8, 8, 2, JCS_UNKNOWN, JCS_UNKNOWN}, Bytes(128, 7));
  EXPECT_EQ(error_for(two), "x: a JPEG with 2 colour components cannot be read");
}

// ---- PPM

TEST(Ppm, AStreamIsPicturesOneAfterTheOther) {
  Bytes stream;
  Output output = Output::memory(&stream);
  write_ppm(output, test_picture(3, 2));
  write_ppm(output, test_picture(5, 7));
  EXPECT_TRUE(as_text(stream).starts_with("P6\n3 2\n255\n"));
  Input input = Input::memory(stream, "stream");
  Image image;
  ASSERT_TRUE(read_ppm(input, image));
  EXPECT_EQ(image.rgb, test_picture(3, 2).rgb);
  ASSERT_TRUE(read_ppm(input, image));
  EXPECT_EQ(image.width, 5);
  EXPECT_EQ(image.rgb, test_picture(5, 7).rgb);
  EXPECT_FALSE(read_ppm(input, image));
  EXPECT_EQ(decode_image(stream, "x").rgb, test_picture(3, 2).rgb);  // the first
}

TEST(Ppm, HeadersMayHaveCommentsAndAnySpace) {
  const std::string head = "P6 # made by hand\n# width\n\t1\r\n#height\n1 # maxval\n255\n";
  EXPECT_EQ(decode_image(as_bytes(head + "abc"), "x").rgb, pixels({'a', 'b', 'c'}));
}

TEST(Ppm, GreyAndOtherDepths) {
  const auto rgb = [](std::string_view text) { return decode_image(as_bytes(text), "x").rgb; };
  EXPECT_EQ(rgb("P5\n2 1\n255\na\n"), pixels({'a', 'a', 'a', '\n', '\n', '\n'}));
  EXPECT_EQ(rgb(std::string_view("P5\n3 1\n3\n\x00\x01\x03", 13)),
            pixels({0, 0, 0, 85, 85, 85, 255, 255, 255}));
  EXPECT_EQ(rgb(std::string_view("P6\n1 1\n65535\n\x00\x00\x12\xff\xff\xff", 19)),
            pixels({0, 19, 255}));
}

TEST(Ppm, EveryMistakeHasItsSentence) {
  EXPECT_EQ(error_for("P3\n1 1\n255\n1 2 3\n"),
            "x: a P3 picture; only binary PPM (P6) and PGM (P5) can be read");
  EXPECT_EQ(error_for("P6\nfoo"), "x: the width in the PPM header is not a number");
  EXPECT_EQ(error_for("P6\n1 -1 255\nabc"), "x: the height in the PPM header is not a number");
  EXPECT_EQ(error_for("P6\n1 1"), "x: the PPM header ends too early");
  EXPECT_EQ(error_for("P6\n1 1 # for ever"), "x: the PPM header ends too early");
  EXPECT_EQ(error_for("P6\n1 1\n0\nabc"), "x: maxval 0 in the PPM header is outside 1..65535");
  EXPECT_EQ(error_for("P6\n0 1\n255\n"), "x: has no pixels (0 x 1)");
  EXPECT_EQ(error_for("P6\n99999999999999999999 1\n255\n"),
            "x: is 4294967295 x 1 pixels; the limit is 32768 a side");
  EXPECT_EQ(error_for("P6\n2 1\n255\nabc"), "x: the picture ends after 3 of 6 bytes of pixels");
}

TEST(Ppm, AStreamSaysWhereItBroke) {
  const auto error = [](std::string_view text) {
    Input input = Input::memory(Bytes(text.begin(), text.end()), "stream");
    Image image;
    return error_of([&] {
      while (read_ppm(input, image)) {
      }
    });
  };
  EXPECT_EQ(error(""), "no error");
  EXPECT_EQ(error("P6\n1 1\n255\nabc"), "no error");
  EXPECT_EQ(error("P6\n1 1\n255\nabcP6\n1 1\n255\nab"),
            "stream: picture at byte 14: the picture ends after 2 of 3 bytes of pixels");
  EXPECT_EQ(error("P6\n1 1\n255\nabc\n"), "stream: picture at byte 14: not a PPM picture");
  EXPECT_EQ(error("P5\n1 1\n255\na"),
            "stream: a P5 picture with maxval 255; a PPM stream is P6 with maxval 255");
  EXPECT_EQ(error("P6\n8192 8192\n255\nabc"),
            "stream: the picture ends after 3 of 201326592 bytes of pixels");
}

// ---- what is no picture

TEST(Image, OtherFilesAreCalledByTheirNames) {
  EXPECT_EQ(error_for(""), "x: is empty, not an image");
  EXPECT_EQ(error_for("hello"), "x: is not a PNG, JPEG, WebP or PPM image");
  EXPECT_EQ(error_for("GIF89a..."), "x: is a GIF image; only PNG, JPEG, WebP and PPM can be read");
  EXPECT_EQ(error_for("RIFF....WEBPVP8 "), "x: cannot read this WebP: it ends too early");
  EXPECT_EQ(error_for("....ftypavif"),
            "x: is an AVIF image; only PNG, JPEG, WebP and PPM can be read");
}

TEST(Image, ReadingAFileNamesIt) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { read_image(folder / "no.png"); }, folder.path()),
            "no.png: cannot open: No such file or directory");
  folder.write("text.png", "hello");
  EXPECT_EQ(error_of([&] { read_image(folder / "text.png"); }, folder.path()),
            "text.png: is not a PNG, JPEG, WebP or PPM image");
}

}  // namespace
}  // namespace vq
