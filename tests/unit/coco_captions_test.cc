#include "formats/coco_captions.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

CocoCaptions read(const std::string& text) {
  Input input = Input::memory(Bytes(text.begin(), text.end()), "c.json");
  return read_coco_captions(input);
}

std::string refusal(const std::string& text) {
  return error_of([&] { read(text); });
}

TEST(CocoCaptions, OnlyWhatIsWanted) {
  const CocoCaptions c = read(
      R"({"info":{"images":[1,{"id":3}]},"annotations":[{"image_id":7,"id":-2,"caption":"a \u00e9"},
          {"x":[{"id":9,"caption":1}],"id":1,"id":5,"image_id":8,"caption":"b"}],
          "licenses":[{"id":1,"name":"n"}],
          "images":[{"id":7,"file_name":"f.jpg","height":3,"more":{"id":4}},{"id":8}]})");
  ASSERT_EQ(c.images.size(), 2u);
  EXPECT_EQ(c.images[0].id, 7);
  EXPECT_EQ(c.images[0].file, "f.jpg");
  EXPECT_EQ(c.images[1].id, 8);
  EXPECT_EQ(c.images[1].file, "");
  ASSERT_EQ(c.annotations.size(), 2u);
  EXPECT_EQ(c.annotations[0].caption, "a é");
  EXPECT_EQ(c.annotations[0].image, 7);
  EXPECT_EQ(c.annotations[0].id, -2);
  EXPECT_EQ(c.annotations[1].id, 5);  // the last of two counts
  EXPECT_EQ(c.annotations[1].caption, "b");
}

TEST(CocoCaptions, TheLastOfTwoListsCounts) {
  const CocoCaptions c =
      read(R"({"images":[{"id":1}],"annotations":[],"images":[{"id":2},{"id":3}]})");
  ASSERT_EQ(c.images.size(), 2u);
  EXPECT_EQ(c.images[0].id, 2);
}

// Long enough that the parser crosses the borders of what is read at once.
TEST(CocoCaptions, MoreThanOnePiece) {
  std::string text = R"({"images":[],"annotations":[)";
  for (int i = 0; i < 5000; ++i) {
    text += (i > 0 ? "," : "") + std::string(R"({"id":)") + std::to_string(i) +
            R"(,"image_id":1,"caption":"caption )" + std::to_string(i) + "\"}";
  }
  const CocoCaptions c = read(text + "]}");
  ASSERT_EQ(c.annotations.size(), 5000u);
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(c.annotations[i].caption, "caption " + std::to_string(i));
    EXPECT_EQ(c.annotations[i].id, i);
  }
}

TEST(CocoCaptions, EveryMistakeSaysWhere) {
  const auto images = [](const std::string& list) {
    return refusal(R"({"annotations":[],"images":)" + list + "}");
  };
  EXPECT_EQ(refusal("[]"), "c.json: is not a JSON object with \"images\"");
  EXPECT_EQ(refusal("3"), "c.json: is not a JSON object with \"images\"");
  EXPECT_EQ(refusal("{}"), "c.json: has no \"images\"");
  EXPECT_EQ(refusal(R"({"images":[]})"), "c.json: has no \"annotations\"");
  EXPECT_EQ(images("{}"), "c.json: \"images\" is not a list");
  EXPECT_EQ(images("\"x\""), "c.json: \"images\" is not a list");
  EXPECT_EQ(images(R"([{"id":1},[]])"), "c.json: images[1] is not an object");
  EXPECT_EQ(images("[null]"), "c.json: images[0] is not an object");
  EXPECT_EQ(images("[{}]"), "c.json: images[0]: has no \"id\"");
  EXPECT_EQ(images(R"([{"id":1.5}])"), "c.json: images[0]: \"id\" is not a whole number");
  EXPECT_EQ(images(R"([{"id":9223372036854775808}])"),
            "c.json: images[0]: \"id\" is not a whole number");
  EXPECT_EQ(images(R"([{"id":1,"file_name":[]}])"),
            "c.json: images[0]: \"file_name\" is not a path");
  EXPECT_EQ(images(R"([{"id":1,"file_name":"a\u0000"}])"),
            "c.json: images[0]: \"file_name\" holds a NUL");
  EXPECT_EQ(refusal(R"({"images":[],"annotations":[{"id":1,"image_id":2,"caption":3}]})"),
            "c.json: annotations[0]: has no \"caption\"");
  EXPECT_EQ(refusal(R"({"images":[],"annotations":[{"id":1,"caption":"a"}]})"),
            "c.json: annotations[0]: has no \"image_id\"");
}

TEST(CocoCaptions, WhatIsNoJson) {
  const std::string good = R"({"images":[],"annotations":[]})";
  EXPECT_EQ(refusal(good), "no error");
  EXPECT_EQ(refusal(good + " \n"), "no error");
  EXPECT_NE(refusal("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal(good + "x").find("not valid JSON: at byte 31"), std::string::npos);
  EXPECT_NE(refusal(good.substr(0, 20)).find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal("\xEF\xBB\xBF" + good).find("byte order mark"), std::string::npos);
  EXPECT_NE(refusal(good + std::string(1, '\0')).find("NUL"), std::string::npos);
  EXPECT_NE(refusal(R"({"x":)" + std::string(64, '[')).find("deeper than 64"), std::string::npos);
  EXPECT_NE(refusal(R"({"images":[{"id":1e999}]})").find("not valid JSON"), std::string::npos);
}

}  // namespace
}  // namespace vq
