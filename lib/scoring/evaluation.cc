#include "lib/scoring/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/scoring/frechet.h"
#include "lib/scoring/reconstruction.h"

namespace vq {
namespace {

class Evaluation {
 public:
  explicit Evaluation(const EvaluationOptions& options)
      : options_(options), real_(options.seed), fake_(options.seed) {
    for (const std::string& metric : options.metrics) {
      if (metric != "fid" && metric != "recon") throw Error("", "no metric is called " + metric);
    }
  }

  void run(Side& real, Side* fake) {
    if (fake == nullptr || wants("recon")) {
      read_pairs(real, fake);
    } else {
      read_one(real, real_);
      read_one(*fake, fake_);
    }
  }

  std::vector<Json> results(const Side& real, const Side* fake) {
    std::vector<Json> lines;
    for (const std::string& metric : options_.metrics) {
      lines.push_back(metric == "fid" ? fid(real, fake) : recon(real, fake));
      lines.back()["seed"] = options_.seed;
    }
    return lines;
  }

 private:
  bool wants(const char* metric) const {
    const auto& list = options_.metrics;
    return std::find(list.begin(), list.end(), metric) != list.end();
  }

  void read_one(Side& side, FeatureAccumulator& to) {
    for (SideBatch batch; side.next(batch);) add(batch, to);
  }

  void read_pairs(Side& real, Side* fake) {
    if (fake != nullptr) align(real, *fake);
    const std::string& name = fake != nullptr ? fake->name() : real.name();
    SideBatch first, second;
    while (real.next(first)) {
      if (fake == nullptr) {
        second = {first.keys, reconstruct(*options_.codec, first.bytes)};
      } else if (!fake->next(second)) {
        second = {};
      }
      check_pairs(first, second, real.name(), name);
      if (wants("recon")) recon_.add(first.bytes, second.bytes);
      add(first, real_);
      add(second, fake_);
    }
    if (fake != nullptr && fake->next(second)) check_pairs({}, second, real.name(), name);
  }

  void add(const SideBatch& batch, FeatureAccumulator& to) {
    const int64_t count = batch.bytes.size(0);
    if (count > 0 && wants("fid")) to.add((*options_.network)(to_images(batch.bytes)));
    options_.on_progress(done_ += count);
  }

  static Json line(const char* metric, double value, double error, int64_t real, int64_t fake) {
    return {{"metric", metric}, {"value", value}, {"error", error}, {"real", real}, {"fake", fake}};
  }

  static FeatureStatistics finish(FeatureAccumulator& side, const std::string& name) {
    try {
      return side.finish();
    } catch (const Error& e) {
      throw e.within(name);
    }
  }

  Json fid(const Side& real, const Side* fake) {
    const FeatureStatistics a = finish(real_, real.name());
    const FeatureStatistics b = finish(fake_, fake != nullptr ? fake->name() : real.name());
    const FrechetDistance distance = frechet_distance(a, b);
    Json result = line("fid", distance.value, distance.error, a.count, b.count);
    result["network"] = options_.network->name();
    result["network_id"] = options_.network->identity();
    return result;
  }

  Json recon(const Side& real, const Side* fake) {
    const int64_t pairs = recon_.count();
    if (pairs == 0) throw Error(real.name(), "holds no pictures");
    Json result = line("recon", recon_.mean(), recon_.error(), pairs, pairs);
    if (fake == nullptr) {
      result["network"] = "codec";
      result["network_id"] = options_.codec->identity();
    }
    return result;
  }

  const EvaluationOptions& options_;
  FeatureAccumulator real_, fake_;
  Reconstruction recon_;
  int64_t done_ = 0;
};

}  // namespace

std::vector<Json> evaluate(Side& real, Side* fake, const EvaluationOptions& options) {
  Evaluation evaluation(options);
  evaluation.run(real, fake);
  return evaluation.results(real, fake);
}

}  // namespace vq
