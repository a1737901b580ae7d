#include "formats/json.h"

#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

std::string refused(std::string_view text) {
  return error_of([&] { parse_json(text, "a.jsonl: line 2"); });
}

TEST(Json, KeepsTheOrderOfMembers) {
  const std::string text = R"({"z":1,"a":{"y":2,"b":3},"m":[1,2.5,null,true,"x"]})";
  EXPECT_EQ(dump_json(parse_json(text, "")), text);
}

// A short way exists for flat objects; it must not be seen.
TEST(Json, FlatObjectsAreTheSameValues) {
  for (const std::string text : {R"({})",
                                 R"({"caption":"a red bird","label":3})",
                                 R"({"label":0})",
                                 R"({"a":"","b":10})",
                                 R"({"a":007})",
                                 R"({"a":1,"a":2})",
                                 R"({"a":1,})",
                                 R"({"a":-1})",
                                 R"({"a":1.5})",
                                 R"({"a":1e3})",
                                 R"({"a":999999999999999999})",
                                 R"({"a":18446744073709551615})",
                                 R"({"a":1234567890123456789})",
                                 R"({"a":"\n"})",
                                 R"({"a":"é"})",
                                 R"({"a":[1]})",
                                 R"({ "a":1})",
                                 R"({"a":1} )",
                                 R"({"a":1}x)",
                                 R"({"a" :1})",
                                 R"({"a":"b)",
                                 R"({"a":)",
                                 R"({"a")",
                                 R"({"a":true})",
                                 "{\"a\":\"\x01\"}",
                                 R"({"a":12x})"}) {
    Json expected;
    bool good = true;
    try {
      expected = Json::parse(text);
    } catch (const Json::exception&) {
      good = false;
    }
    if (good) {
      const Json value = parse_json(text, "");
      EXPECT_EQ(value, expected) << text;
      EXPECT_EQ(dump_json(value), dump_json(expected)) << text;
      for (const auto& [name, member] : value.items()) {
        EXPECT_EQ(member.type(), expected[name].type()) << text;
      }
    } else {
      EXPECT_NE(error_of([&] { parse_json(text, ""); }), "no error") << text;
    }
  }
}

TEST(Json, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(refused("{x}").substr(0, 44), "a.jsonl: line 2: not valid JSON: at byte 2: ");
  EXPECT_NE(refused(""), "no error");
  EXPECT_NE(refused("{} {}"), "no error");
  EXPECT_NE(refused("\"\xff\""), "no error");
  EXPECT_NE(refused("[1e999]"), "no error");
  EXPECT_EQ(refused(std::string("[\"\0\"]", 5)).find('\0'), std::string::npos);
}

TEST(Json, NothingIsPassedOverBeforeOrBehindTheValue) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"{}\0junk"sv, "{\"a\":1.5}\0"sv, "\xEF\xBB\xBF{}"sv}) {
    EXPECT_THROW(parse_json(text, "here"), Error);
  }
}

TEST(Json, NestingHasALimit) {
  const auto nested = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(dump_json(parse_json(nested(64), "")), nested(64));
  EXPECT_EQ(refused(nested(65)), "a.jsonl: line 2: not valid JSON: nested deeper than 64 levels");
  EXPECT_NE(refused(std::string(1000000, '[')), "no error");
  EXPECT_EQ(parse_json("\"" + std::string(100, '[') + "\"", "").get<std::string>().size(), 100u);
  EXPECT_EQ(parse_json("[\"\\\"" + std::string(70, '[') + "\"]", "").size(), 1u);
}

TEST(Json, DumpIsOneLineAndNeverThrows) {
  const Json value = {{"a", "x\ny\tz"}, {"b", "\xff"}};
  const std::string line = dump_json(value);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\t'), std::string::npos);
  EXPECT_EQ(line, "{\"a\":\"x\\ny\\tz\",\"b\":\"\xEF\xBF\xBD\"}");
  EXPECT_EQ(dump_json(parse_json("[1e300,0.1,-0.0]", "")), "[1e+300,0.1,-0.0]");
}

}  // namespace
}  // namespace vq
