// Odd, broken and hostile image files from other projects' test suites, beside what Pillow made of
// them. None may crash us or cost more than the limits; where Pillow reads a PNG, JPEG, WebP or
// PPM, we either agree on its size or refuse it for a reason we know.
//
// The files are no part of the repository: VQ_TEST_DATA names the folder that has them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "formats/error.h"
#include "formats/image.h"
#include "formats/json.h"
#include "tests/unit/zip_files.h"

namespace vq {
namespace {

std::string data_folder() {
  const char* given = std::getenv("VQ_TEST_DATA");
  return given ? given : VQ_TESTS_DIR "/../../shared/data";
}

struct Tally {
  int files = 0, read = 0;    // all, and those that we read
  int pillow = 0, both = 0;   // of our kinds that Pillow reads, and we too
  int refused_by_pillow = 0;  // read by us, not by Pillow
};

// Does Pillow read it whole, and is it of a kind that we read?
bool read_by_pillow(const Json& pillow) {
  if (pillow["outcome"] != "ok" || !pillow["format"].is_string()) return false;
  const auto& format = pillow["format"].get_ref<const std::string&>();
  return format == "PNG" || format == "JPEG" || format == "WEBP" || format == "PPM";
}

void compare_size(const std::string& file, const Json& pillow, const Image& image) {
  int width = pillow["size"][0], height = pillow["size"][1];
  const bool turned = pillow.contains("orientation") && pillow["orientation"].is_number() &&
                      pillow["orientation"] >= 5 && pillow["orientation"] <= 8;
  if (turned) std::swap(width, height);
  EXPECT_EQ(image.width, width) << file;
  EXPECT_EQ(image.height, height) << file;
}

void look_at(const std::string& file, const Bytes& bytes, const Json& pillow, Tally& tally) {
  ++tally.files;
  const bool expected = read_by_pillow(pillow);
  tally.pillow += expected;
  try {
    const Image image = decode_image(bytes, file);
    ASSERT_EQ(image.rgb.size(), size_t{3} * image.width * image.height) << file;
    ++tally.read;
    if (expected) {
      ++tally.both;
      compare_size(file, pillow, image);
    } else {
      ++tally.refused_by_pillow;
      if (std::getenv("VQ_VERBOSE")) std::cout << "only we read " << file << "\n";
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), file);
    EXPECT_GT(error.message().size(), 5u) << file;
    EXPECT_EQ(error.message().find('\n'), std::string::npos) << file;
    if (expected && std::getenv("VQ_VERBOSE")) std::cout << error.what() << "\n";
  }
}

TEST(OddImages, NoneCrashesAndPillowsAreReadAlike) {
  const std::string zip = data_folder() + "/odd-images/odd.zip";
  if (!std::filesystem::exists(zip)) GTEST_SKIP() << zip << " is not there; set VQ_TEST_DATA";
  const auto files = read_zip(zip);
  Tally tally;
  const std::string lines(as_text(files.at("odd/expected.jsonl")));
  for (size_t at = 0, end; at < lines.size(); at = end + 1) {
    end = std::min(lines.find('\n', at), lines.size());
    const Json line = parse_json(std::string_view(lines).substr(at, end - at), "expected.jsonl");
    const auto file = line["file"].get<std::string>();
    const auto it = files.find("odd/" + file);
    ASSERT_NE(it, files.end()) << file;
    look_at(file, it->second, line["pillow"], tally);
  }
  std::cout << tally.files << " files: " << tally.read << " read; of " << tally.pillow
            << " PNG, JPEG, WebP and PPM that Pillow reads, " << tally.both << " read; "
            << tally.refused_by_pillow << " read that Pillow refuses\n";
  EXPECT_GE(tally.both, tally.pillow * 90 / 100);
}

}  // namespace
}  // namespace vq
