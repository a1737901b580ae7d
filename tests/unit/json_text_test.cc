#include "formats/json_text.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

const char* const kTexts[] = {
    "{}",
    R"({"caption":"a red bird"})",
    R"({"caption":"a sentence that no short string holds","label":12,"seed":18446744073709551615})",
    R"({"caption":"","label":0})",
    R"({"a":"b","a":"c"})",
    R"({"a":-1})",
    R"({"a":1.5,"b":[1,{"c":null}],"d":true})",
    R"({"a":"\"\\\n\u00e9"})",
    R"({"caption":"é"})",
    R"({"label":12,"caption":"x"})",
    R"({"caption":7,"label":"x"})",
    R"({"caption":"x","label":[7]})",
    R"([1,2])",
    R"("text")",
    "{\"a\":\"\x7f\"}",
};

TEST(JsonText, IntoWhateverWasThere) {
  for (const char* before : kTexts) {
    for (const char* text : kTexts) {
      Json value = parse_json(before, "");
      parse_json_into(text, value, "");
      EXPECT_EQ(dump_json(value), dump_json(parse_json(text, ""))) << before << " then " << text;
    }
  }
}

TEST(JsonText, AMistakeIsAMistake) {
  for (const char* text : {"", "{", R"({"a"})", R"({"a":1)", R"({"a":1}x)", R"({"a":01})",
                           R"({"a":"b})", R"({"a":1,})", "{\"a\":\"\x01\"}"}) {
    Json value = parse_json(R"({"a":1})", "");
    EXPECT_EQ(error_of([&] { parse_json_into(text, value, "p"); }),
              error_of([&] { parse_json(text, "p"); }))
        << text;
    EXPECT_NE(error_of([&] { parse_json_into(text, value, "p"); }), "no error") << text;
  }
}

TEST(JsonText, AppendsWhatDumpGives) {
  for (const char* text : kTexts) {
    const Json value = parse_json(text, "");
    std::string out = "before ";
    append_json(out, value);
    EXPECT_EQ(out, "before " + dump_json(value));
  }
  std::string out;
  append_json(out, Json{{"bad", "\xff"}});
  EXPECT_EQ(out, dump_json(Json{{"bad", "\xff"}}));
}

}  // namespace
}  // namespace vq
