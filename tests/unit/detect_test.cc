#include "formats/detect.h"

#include <gtest/gtest.h>

#include "formats/token_frames.h"
#include "tests/golden/token_grid_parts.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/torch_files.h"

namespace vq {
namespace {

Format of(std::string_view bytes) { return detect(as_bytes(bytes)); }

TEST(Detect, FirstBytesTell) {
  using namespace std::string_view_literals;
  EXPECT_EQ(of(""), Format::empty);
  EXPECT_EQ(of("\x89PNG\r\n\x1a\n...."), Format::png);
  EXPECT_EQ(of("\xff\xd8\xff\xe0"), Format::jpeg);
  EXPECT_EQ(of("RIFF....WEBPVP8 "), Format::webp);
  EXPECT_EQ(of("RIFF....WAVEfmt "), Format::text);
  EXPECT_EQ(of("P6\n2 2\n255\n"), Format::ppm);
  EXPECT_EQ(of("PK\x03\x04"), Format::zip);
  EXPECT_EQ(of("\x1f\x8b\x08"), Format::gzip);
  EXPECT_EQ(of(as_text(torch_files::archive("N"))), Format::torch);
  torch_files::ZipMaker script;  // begins with a tensor
  script.add("s/data/0", "1234");
  EXPECT_EQ(of(as_text(script.finish())), Format::torch);
  torch_files::ZipMaker other;
  other.add("data.pkl", "");
  EXPECT_EQ(of(as_text(other.finish())), Format::zip);
  EXPECT_EQ(of("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), Format::torch_legacy);
  EXPECT_EQ(of("\x10\0\0\0\0\0\0\0{\"a\":{}}"sv), Format::safetensors);
  EXPECT_EQ(of("  {\"image\":\"a.png\"}\n"), Format::json);
  EXPECT_EQ(of("[1]"), Format::json);
  EXPECT_EQ(of("a small red bird\n"), Format::text);
  EXPECT_EQ(of("h\xc3\xa9llo"), Format::text);
  EXPECT_EQ(of("\x01\x02\x03"), Format::unknown);
  std::string tar(512, '\0');
  tar.replace(0, 5, "a.png").replace(257, 5, "ustar");
  EXPECT_EQ(of(tar), Format::tar);
}

TEST(Detect, TokenGrids) {
  EXPECT_EQ(of(golden::example()), Format::token_grid);
  EXPECT_EQ(of(golden::example().substr(0, 60)), Format::token_grid);  // its beginning is enough
  EXPECT_EQ(of(golden::frame("a compressed text")), Format::zstd);
  EXPECT_EQ(of(golden::skippable(0x184D2A50, "x")), Format::zstd);
  EXPECT_EQ(of("\x28\xb5\x2f\xfd"), Format::zstd);
  EXPECT_EQ(of("#" + golden::header_line({})), Format::token_text);
  EXPECT_EQ(of("bird\t2x3:512_:0f3a9c01\t1 2"), Format::token_text);
  EXPECT_EQ(of("bird\t2x3\t1 2"), Format::text);
  EXPECT_EQ(of("{odd key\t2x3:512:\t1 2"), Format::token_text);
}

TEST(Detect, Files) {
  TempFolder folder;
  EXPECT_EQ(detect_file(folder.write("a", golden::example())), Format::token_grid);
  EXPECT_EQ(detect_file(folder.write("b", "")), Format::empty);
}

TEST(Detect, WordsAndHints) {
  EXPECT_STREQ(describe(Format::png), "a PNG image");
  EXPECT_EQ(hint_for(Format::token_grid, Format::png), "to turn images into tokens, use vq-encode");
  EXPECT_EQ(hint_for(Format::png, Format::token_text), "to turn tokens into images, use vq-decode");
  EXPECT_EQ(hint_for(Format::token_grid, Format::text), "");
  EXPECT_NE(hint_for(Format::torch, Format::torch_legacy).find("torch.save"), std::string::npos);
}

}  // namespace
}  // namespace vq
