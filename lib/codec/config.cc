#include "lib/codec/config.h"

#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

void require(bool holds, const std::string& where, const std::string& what) {
  if (!holds) throw Error(where, what);
}

// One list of members serves writing, reading and the check for strangers.
template <typename Config, typename Visit>
void visit_members(Config& c, Visit visit) {
  visit("image_size", c.image_size);
  visit("patch", c.patch);
  visit("channels", c.channels);
  visit("multipliers", c.multipliers);
  visit("encoder_blocks", c.encoder_blocks);
  visit("decoder_blocks", c.decoder_blocks);
  visit("middle_blocks", c.middle_blocks);
  visit("linear", c.linear);
  visit("attention", c.attention);
  visit("groups", c.groups);
  visit("latent", c.latent);
  visit("code_width", c.code_width);
  visit("codes", c.codes);
}

// Members that a file may leave out, and that are left out where they have their defaults: files of
// codecs that need none of them are the same as before there were any.
template <typename Config, typename Visit>
void visit_optional(Config& c, Visit visit) {
  visit("stem", c.stem);
  visit("quantiser", c.quantiser);
  visit("full_codes", c.full_codes);
}

CodecConfig released(int64_t channels, std::vector<int64_t> multipliers, int64_t width,
                     int64_t codes) {
  CodecConfig c;
  c.image_size = 256;
  c.patch = 1;
  c.channels = channels;
  c.multipliers = std::move(multipliers);
  c.encoder_blocks = 2;
  c.decoder_blocks = 3;
  c.middle_blocks = 2;
  c.linear = false;
  c.attention = true;
  c.groups = 32;
  c.latent = 256;
  c.code_width = width;
  c.codes = codes;
  return c;
}

CodecConfig small() {
  CodecConfig c;
  c.image_size = 64;
  c.patch = 2;
  c.channels = 64;
  c.multipliers = {1, 2, 3};
  c.encoder_blocks = 1;
  c.decoder_blocks = 2;
  c.groups = 8;
  c.latent = c.code_width = 32;
  c.codes = 1024;
  return c;
}

}  // namespace

void CodecConfig::check(const std::string& where) const {
  require(!multipliers.empty() && levels() <= 7, where, "a codec has 1 to 7 levels");
  require(groups >= 0, where, "groups must be 0 or more");
  require(channels >= 1 && channels <= 4096, where, "channels must be 1 to 4096");
  for (int64_t m : multipliers) {
    require(m >= 1 && m <= 64, where, "multipliers must be 1 to 64");
    require(groups == 0 || channels * m % groups == 0, where,
            fmt::format("{} channels cannot be split into {} groups", channels * m, groups));
  }
  require(patch == 1 || patch == 2 || patch == 4 || patch == 8, where,
          "patch must be 1, 2, 4 or 8");
  require(encoder_blocks >= 0 && encoder_blocks <= 16 && decoder_blocks >= 0 &&
              decoder_blocks <= 16 && middle_blocks >= 0 && middle_blocks <= 2,
          where, "a level has 0 to 16 blocks, the middle 0 to 2");
  require(latent >= 1 && latent <= 4096 && code_width >= 1 && code_width <= 4096, where,
          "latent and code width must be 1 to 4096");
  require(codes >= 1 && codes <= 65536, where, "a codebook has 1 to 65536 codes");
  require(full_codes == 0 || (full_codes >= codes && full_codes <= 65536), where,
          fmt::format("{} codes cannot be chosen from {}", codes, full_codes));
  require(quantiser == "nearest" || quantiser == "logits", where,
          fmt::format("there is no quantiser '{}'", quantiser));
  require(stem >= 0 && stem <= 4096 && (groups == 0 || stem_channels() % groups == 0), where,
          fmt::format("{} channels cannot come first", stem));
  require(image_size >= factor() && image_size % factor() == 0, where,
          fmt::format("pictures of {} pixels a side do not divide into cells of {} pixels",
                      image_size, factor()));
}

Json CodecConfig::to_json() const {
  Json json = Json::object();
  visit_members(*this, [&](const char* name, const auto& value) { json[name] = value; });
  Json standard = Json::object();
  const CodecConfig defaults;
  visit_optional(defaults, [&](const char* name, const auto& value) { standard[name] = value; });
  visit_optional(*this, [&](const char* name, const auto& value) {
    if (standard[name] != value) json[name] = value;
  });
  return json;
}

CodecConfig CodecConfig::from_json(const Json& json, const std::string& where) {
  CodecConfig config;
  size_t members = 0;
  require(json.is_object(), where, "the codec's configuration is not an object");
  const auto read = [&](const char* name, auto& value) {
    const auto found = json.find(name);
    if (found == json.end()) return false;
    try {
      found->get_to(value);
    } catch (const Json::exception&) {
      throw Error(where, fmt::format("the codec's configuration has {} for \"{}\"",
                                     dump_json(*found), name));
    }
    ++members;
    return true;
  };
  visit_members(config, [&](const char* name, auto& value) {
    require(read(name, value), where, fmt::format("the codec's configuration lacks \"{}\"", name));
  });
  visit_optional(config, [&](const char* name, auto& value) { read(name, value); });
  require(json.size() == members, where,
          "the codec's configuration has members that this version does not know");
  config.check(where);
  return config;
}

CodecConfig CodecConfig::named(const std::string& size) {
  if (size == "tiny") return CodecConfig{};
  if (size == "small") return small();
  if (size == "base") return released(64, {1, 2, 4, 8}, 128, 4096);
  if (size == "large") return released(128, {1, 1, 2, 4}, 256, 8192);
  throw Error::usage("--size", fmt::format("there is no codec size '{}'", size),
                     "sizes are tiny, small, base and large");
}

const std::vector<std::string>& CodecConfig::names() {
  static const std::vector<std::string> names = {"tiny", "small", "base", "large"};
  return names;
}

}  // namespace vq
