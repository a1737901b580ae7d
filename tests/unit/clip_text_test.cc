#include "lib/condition/clip_text.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "tests/unit/clip_model.h"

namespace vq {
namespace {

using testing::fill_tower;

ClipTextConfig tiny(ClipPrecision precision = ClipPrecision::fp32) {
  return {.layers = 2,
          .width = 12,
          .heads = 3,
          .inner = 20,
          .vocabulary = 30,
          .length = 6,
          .precision = precision};
}

at::Tensor some_ids() {
  return at::tensor({28, 3, 7, 29, 0, 0, 28, 5, 5, 11, 2, 29}, at::kLong).view({2, 6});
}

// The definition once more, in double and number by number.
class PlainTower {
 public:
  PlainTower(const Parameters& p, const ClipTextConfig& c) : p_(p), c_(c) {}

  using Rows = std::vector<std::vector<double>>;

  Rows hidden(const std::vector<int64_t>& ids) const {
    Rows x(ids.size(), std::vector<double>(n(c_.width)));
    for (size_t s = 0; s < ids.size(); ++s) {
      for (int64_t i = 0; i < c_.width; ++i) {
        x[s][n(i)] = at("embedding.token.weight", ids[s], i) +
                     at("embedding.position.weight", static_cast<int64_t>(s), i);
      }
    }
    for (int64_t l = 0; l < c_.layers; ++l) {
      const std::string layer = "layers." + std::to_string(l);
      add(x, linear(heard(linear(norm(x, layer + ".norm_self"), layer + ".self.qkv")),
                    layer + ".self.out"));
      Rows y = linear(norm(x, layer + ".norm_mlp"), layer + ".mlp.in");
      for (auto& row : y) {
        for (double& v : row) v = v / (1 + std::exp(-1.702 * v));
      }
      add(x, linear(y, layer + ".mlp.out"));
    }
    return norm(x, "norm");
  }

 private:
  static size_t n(int64_t i) { return static_cast<size_t>(i); }
  double at(const std::string& name, int64_t i) const {
    return p_.get("text." + name)[i].item<double>();
  }
  double at(const std::string& name, int64_t i, int64_t j) const {
    return p_.get("text." + name)[i][j].item<double>();
  }
  static void add(Rows& x, const Rows& y) {
    for (size_t s = 0; s < x.size(); ++s) {
      for (size_t i = 0; i < x[s].size(); ++i) x[s][i] += y[s][i];
    }
  }
  Rows linear(const Rows& x, const std::string& name) const {
    const int64_t out = p_.get("text." + name + ".bias").size(0);
    Rows y(x.size(), std::vector<double>(n(out)));
    for (size_t s = 0; s < x.size(); ++s) {
      for (int64_t o = 0; o < out; ++o) {
        y[s][n(o)] = at(name + ".bias", o);
        for (size_t i = 0; i < x[s].size(); ++i)
          y[s][n(o)] += at(name + ".weight", o, static_cast<int64_t>(i)) * x[s][i];
      }
    }
    return y;
  }
  Rows norm(const Rows& x, const std::string& name) const {
    Rows y = x;
    for (auto& row : y) {
      double mean = 0, variance = 0;
      for (const double v : row) mean += v / static_cast<double>(row.size());
      for (const double v : row)
        variance += (v - mean) * (v - mean) / static_cast<double>(row.size());
      for (size_t i = 0; i < row.size(); ++i) {
        const auto at_i = static_cast<int64_t>(i);
        row[i] = (row[i] - mean) / std::sqrt(variance + 1e-5) * at(name + ".weight", at_i) +
                 at(name + ".bias", at_i);
      }
    }
    return y;
  }
  Rows heard(const Rows& qkv) const {
    const size_t width = n(c_.width), size = width / n(c_.heads);
    Rows y(qkv.size(), std::vector<double>(width, 0));
    for (size_t h = 0; h < n(c_.heads); ++h) {
      for (size_t s = 0; s < qkv.size(); ++s) {
        std::vector<double> weight;
        double sum = 0;
        for (size_t k = 0; k <= s; ++k) {  // itself and those before
          double score = 0;
          for (size_t i = h * size; i < (h + 1) * size; ++i) score += qkv[s][i] * qkv[k][width + i];
          weight.push_back(std::exp(score / std::sqrt(static_cast<double>(size))));
          sum += weight.back();
        }
        for (size_t k = 0; k <= s; ++k) {
          for (size_t i = h * size; i < (h + 1) * size; ++i)
            y[s][i] += weight[k] / sum * qkv[k][2 * width + i];
        }
      }
    }
    return y;
  }

  const Parameters& p_;
  const ClipTextConfig& c_;
};

TEST(ClipText, IsItsDefinition) {
  Parameters p;
  const ClipTextConfig config = tiny();
  const ClipText tower(p, "text", config);
  fill_tower(p);
  const at::Tensor ids = some_ids(), hidden = tower.hidden(ids), features = tower(ids);
  EXPECT_EQ(features.sizes(), (at::IntArrayRef{2, 6, 12}));
  for (int64_t b = 0; b < 2; ++b) {
    const at::Tensor row = ids[b].contiguous();
    const auto want =
        PlainTower(p, config).hidden({row.data_ptr<int64_t>(), row.data_ptr<int64_t>() + 6});
    for (int64_t s = 0; s < 6; ++s) {
      double norm = 0;
      for (const double v : want[static_cast<size_t>(s)]) norm += v * v;
      for (int64_t i = 0; i < 12; ++i) {
        const double v = want[static_cast<size_t>(s)][static_cast<size_t>(i)];
        EXPECT_NEAR(hidden[b][s][i].item<double>(), v, 1e-5);
        EXPECT_NEAR(features[b][s][i].item<double>(), v / std::sqrt(norm), 1e-5);
      }
    }
  }
}

TEST(ClipText, APositionHearsThoseBefore) {
  Parameters p;
  const ClipText tower(p, "text", tiny());
  fill_tower(p);
  at::Tensor other = some_ids().clone();
  other[0][3] = 17;
  const at::Tensor change = (tower(some_ids()) - tower(other)).abs().sum(-1)[0];
  EXPECT_TRUE(change.narrow(0, 0, 3).eq(0).all().item<bool>()) << change;
  EXPECT_TRUE(change.narrow(0, 3, 3).gt(1e-4).all().item<bool>()) << change;
}

TEST(ClipText, HalfPrecisionLeavesNumbersOfHalfPrecision) {
  Parameters p, q;
  const ClipText single(p, "text", tiny()), half(q, "text", tiny(ClipPrecision::fp16));
  fill_tower(p), fill_tower(q);
  for (const at::Tensor& x : {half.hidden(some_ids()), half(some_ids())})
    EXPECT_TRUE(at::equal(x, x.to(at::kHalf).to(at::kFloat)));
  const double most = (single(some_ids()) - half(some_ids())).abs().max().item<double>();
  EXPECT_GT(most, 1e-5);
  EXPECT_LT(most, 1e-2);
}

TEST(ClipText, IsFrozenAndOutOfReachOfOtherPrecisions) {
  Parameters p;
  const ClipText tower(p, "text", tiny());
  fill_tower(p);
  EXPECT_TRUE(p.trainable().empty());
  const at::Tensor features = tower(some_ids());
  EXPECT_FALSE(features.requires_grad());
  const AutocastScope scope(at::kCPU, Precision::bf16);
  EXPECT_TRUE(at::equal(tower(some_ids()), features));
}

TEST(ClipText, ItsDescriptionIsComplete) {
  Json json = Json::object();
  tiny(ClipPrecision::fp16).to_json(json);
  Json again = Json::object();
  ClipTextConfig::from_json(json, "here").to_json(again);
  EXPECT_EQ(again, json);
  for (const auto& [name, value] : json.items()) {
    Json fewer = json;
    fewer.erase(name);
    EXPECT_THROW(ClipTextConfig::from_json(fewer, "here"), Error) << name;
    fewer[name] = 0;
    EXPECT_THROW(ClipTextConfig::from_json(fewer, "here"), Error) << name;
  }
  json["heads"] = 5;
  EXPECT_THROW(ClipTextConfig::from_json(json, "here"), Error);
}

}  // namespace
}  // namespace vq
