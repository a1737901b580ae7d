#include "lib/codec/config.h"

#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

TEST(CodecConfig, SurvivesJson) {
  for (const std::string& name : CodecConfig::names()) {
    const CodecConfig config = CodecConfig::named(name);
    config.check(name);
    EXPECT_EQ(CodecConfig::from_json(config.to_json(), name).to_json(), config.to_json());
  }
}

TEST(CodecConfig, EveryMemberMustBeThereAndNoOther) {
  Json json = CodecConfig().to_json();
  json["dilation"] = 2;
  EXPECT_THROW(CodecConfig::from_json(json, ""), Error);
  json = CodecConfig().to_json();
  json.erase("codes");
  EXPECT_THROW(CodecConfig::from_json(json, ""), Error);
  json = CodecConfig().to_json();
  json["codes"] = "many";
  EXPECT_THROW(CodecConfig::from_json(json, ""), Error);
}

TEST(CodecConfig, MembersOfReleasedCodecsMayBeLeftOut) {
  CodecConfig config;
  EXPECT_FALSE(config.to_json().contains("stem"));
  EXPECT_FALSE(config.to_json().contains("quantiser"));
  config.stem = 16, config.quantiser = "logits", config.full_codes = 2048;
  const CodecConfig again = CodecConfig::from_json(config.to_json(), "");
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_EQ(again.codebook_rows(), 2048);
  EXPECT_EQ(again.stem_channels(), 16);
}

TEST(CodecConfig, NumbersMustFitTogether) {
  const auto broken = [](auto change) {
    CodecConfig config;
    change(config);
    EXPECT_THROW(config.check(""), Error);
  };
  broken([](CodecConfig& c) { c.image_size = 33; });
  broken([](CodecConfig& c) { c.multipliers.clear(); });
  broken([](CodecConfig& c) { c.channels = 7; });
  broken([](CodecConfig& c) { c.patch = 3; });
  broken([](CodecConfig& c) { c.codes = 0; });
  broken([](CodecConfig& c) { c.groups = -1; });
  broken([](CodecConfig& c) { c.stem = 7; });
  broken([](CodecConfig& c) { c.full_codes = 1023; });
  broken([](CodecConfig& c) { c.quantiser = "second nearest"; });
}

TEST(CodecConfig, FactorComesFromPatchAndLevels) {
  CodecConfig config;
  config.patch = 1;
  config.multipliers = {1, 1, 2, 2, 4};
  EXPECT_EQ(config.factor(), 16);
  config.patch = 4;
  config.multipliers = {1};
  EXPECT_EQ(config.factor(), 4);
}

TEST(CodecConfig, UnknownSizeIsAUsageError) { EXPECT_THROW(CodecConfig::named("huge"), Error); }

}  // namespace
}  // namespace vq
