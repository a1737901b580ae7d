#include "lib/scoring/small_classifier.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int64_t kGroups = 8, kMostClasses = 1 << 20;

at::Tensor layer(const Conv2d& conv, const GroupNorm& norm, const at::Tensor& x) {
  return at::relu(norm(conv(x)));
}

}  // namespace

Json SmallClassifierConfig::to_json() const {
  return {{"architecture", kSmallClassifier},
          {"image_size", image_size},
          {"channels", channels},
          {"levels", levels},
          {"classes", classes}};
}

SmallClassifierConfig SmallClassifierConfig::from_json(const Json& json, const std::string& where) {
  SmallClassifierConfig config;
  try {
    config.image_size = json.at("image_size");
    config.channels = json.at("channels");
    config.levels = json.at("levels");
    config.classes = json.at("classes").get<std::vector<std::string>>();
  } catch (const Json::exception& e) {
    throw Error(where, std::string("the description of the network is not complete: ") + e.what());
  }
  config.check(where);
  return config;
}

void SmallClassifierConfig::check(const std::string& where) const {
  if (levels < 1 || levels > 8) throw Error(where, "the network needs from 1 to 8 levels");
  if (channels < kGroups || channels > 1024 || channels % kGroups != 0) {
    throw Error(where,
                fmt::format("{} channels are no multiple of {} up to 1024", channels, kGroups));
  }
  const int64_t step = int64_t{1} << (levels - 1);
  if (image_size < step || image_size > 8192 || image_size % step != 0) {
    throw Error(where, fmt::format("pictures of {} pixels do not fit {} levels: a multiple of {}",
                                   image_size, levels, step));
  }
  const auto count = static_cast<int64_t>(classes.size());
  if (count < 2 || count > kMostClasses) {
    throw Error(where, fmt::format("{} classes are too {} to tell apart", count,
                                   count < 2 ? "few" : "many"));
  }
}

SmallClassifier::SmallClassifier(const SmallClassifierConfig& c, uint64_t seed)
    : config(c), parameters(seed) {
  c.check("");
  int64_t in = 3, out = c.channels;
  for (int64_t i = 0; i < c.levels; ++i, in = out, out *= 2) {
    const std::string name = "levels." + std::to_string(i);
    Level level;
    level.first = Conv2d(parameters, name + ".first", in, out, 3, i == 0 ? 1 : 2, 1);
    level.first_norm = GroupNorm(parameters, name + ".first_norm", out, kGroups);
    level.second = Conv2d(parameters, name + ".second", out, out, 3, 1, 1);
    level.second_norm = GroupNorm(parameters, name + ".second_norm", out, kGroups);
    levels_.push_back(level);
  }
  head_ = Linear(parameters, "head", c.width(), static_cast<int64_t>(c.classes.size()));
}

at::Tensor SmallClassifier::features(const at::Tensor& images) const {
  at::Tensor x = images;
  for (const Level& level : levels_) {
    x = layer(level.first, level.first_norm, x);
    x = layer(level.second, level.second_norm, x);
  }
  return x.mean({2, 3});
}

at::Tensor SmallClassifier::logits(const at::Tensor& features) const { return head_(features); }

}  // namespace vq
