#include "lib/scoring/evaluation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "formats/error.h"
#include "lib/scoring/frechet.h"
#include "lib/scoring/giqa.h"
#include "lib/scoring/inception_score.h"
#include "lib/scoring/kernel_distance.h"
#include "lib/scoring/precision_recall.h"
#include "lib/scoring/reconstruction.h"

namespace vq {
namespace {

constexpr const char* kKnown[] = {"fid", "kid", "is", "prdc", "qs", "ds", "recon", "lpips"};
constexpr int64_t kForErrors = 2048;  // vectors that the standard error of fid is taken from

bool known(const std::string& metric) {
  return std::find(std::begin(kKnown), std::end(kKnown), metric) != std::end(kKnown);
}

bool needs_sample(const std::string& metric) {
  return metric == "kid" || metric == "prdc" || metric == "qs" || metric == "ds";
}

// Whether it compares pictures one with one, and needs no features.
bool of_pairs(const std::string& metric) { return metric == "recon" || metric == "lpips"; }

at::Tensor inputs_of(const SideBatch& batch) {
  return batch.inputs.defined() ? batch.inputs : to_images(batch.bytes);
}

// Runs `action`, whose errors are told with the side they are about.
template <class Action>
auto about(const std::string& name, Action action) {
  try {
    return action();
  } catch (const Error& error) {
    throw error.where().empty() ? error.within(name) : error;
  }
}

// What is gathered of one side while it is read.
struct Gathered {
  Gathered(const EvaluationOptions& options, int64_t keep) : features(options.seed, keep) {}

  FeatureAccumulator features;
  InceptionScore score;
  std::string name;
  SavedStatistics result;
};

class Evaluation {
 public:
  explicit Evaluation(const EvaluationOptions& options)
      : options_(options), real_(options, keep()), fake_(options, keep()) {
    for (const std::string& metric : options.metrics) {
      if (!known(metric)) throw Error("", "no metric is called " + metric);
      if (metric == "lpips" && options.lpips == nullptr) {
        throw Error("", "lpips needs its network");
      }
    }
  }

  void run(Side& real, Side* fake) {
    real_.name = real.name();
    fake_.name = fake != nullptr ? fake->name() : real.name();
    if (fake == nullptr ||
        std::any_of(options_.metrics.begin(), options_.metrics.end(), of_pairs)) {
      read_pairs(real, fake);
    } else {
      read_one(real, real_, false);
      read_one(*fake, fake_, wants("is"));
    }
    if (needs_features()) {
      finish(real_, real);
      finish(fake_, fake != nullptr ? *fake : real);
    }
    reference_ = real.saved() != nullptr ? real_.result.reference_id : real.digest();
  }

  void run_alone(Side& side) {
    fake_.name = side.name();
    read_one(side, fake_, true);
    finish(fake_, side);
  }

  SavedStatistics side(Side& side) {
    real_.name = side.name();
    read_one(side, real_, false);
    finish(real_, side);
    return real_.result;
  }

  std::vector<Json> results() {
    for (const std::string& metric : options_.metrics) measure(metric);
    return std::move(lines_);
  }

 private:
  bool wants(const char* metric) const {
    const auto& list = options_.metrics;
    return std::find(list.begin(), list.end(), metric) != list.end();
  }
  bool needs_features() const {
    return std::any_of(options_.metrics.begin(), options_.metrics.end(),
                       [](const std::string& metric) { return !of_pairs(metric); });
  }
  int64_t keep() const {
    const auto& list = options_.metrics;
    return std::any_of(list.begin(), list.end(), needs_sample) ? std::max<int64_t>(options_.keep, 2)
                                                               : kForErrors;
  }

  void read_one(Side& side, Gathered& to, bool score) {
    for (SideBatch batch; side.next(batch);) add(batch, to, score);
  }

  void read_pairs(Side& real, Side* fake) {
    if (real.saved() != nullptr || (fake != nullptr && fake->saved() != nullptr)) {
      throw Error(real.saved() != nullptr ? real.name() : fake->name(),
                  "holds statistics, where pictures are needed");
    }
    if (fake != nullptr) align(real, *fake);
    const std::string& name = fake != nullptr ? fake->name() : real.name();
    SideBatch first, second;
    while (real.next(first)) {
      if (fake == nullptr) {
        second = {};
        second.keys = first.keys;
        second.bytes = reconstruct(*options_.codec, first.bytes);
        prepare(second);
      } else if (!fake->next(second)) {
        second = {};
      }
      check_pairs(first, second, real.name(), name);
      compare(first, second);
      add(first, real_, false);
      add(second, fake_, wants("is"));
    }
    if (fake != nullptr && fake->next(second)) check_pairs({}, second, real.name(), name);
  }

  void compare(const SideBatch& first, const SideBatch& second) {
    if (first.pictures.empty()) {
      if (first.count() > 0) pairs_size_ = fmt::format("{0} x {0}", first.bytes.size(1));
      return compare(first.bytes, second.bytes);
    }
    pairs_size_ = "as they are";
    for (size_t i = 0; i < first.pictures.size(); ++i) {
      const at::Tensor &one = first.pictures[i], &other = second.pictures[i];
      if (!one.sizes().equals(other.sizes())) {
        throw Error(fake_.name,
                    fmt::format("picture {} is {} x {} pixels, and in {} {} x {}",
                                first.keys.empty() ? fmt::to_string(compared_ + 1)
                                                   : "'" + first.keys[i] + "'",
                                other.size(1), other.size(0), real_.name, one.size(1), one.size(0)),
                    "--size makes all pictures one size");
      }
      compare(one.unsqueeze(0), other.unsqueeze(0));
      ++compared_;
    }
  }
  void compare(const at::Tensor& bytes, const at::Tensor& others) {
    if (!bytes.defined()) return;
    if (wants("recon")) recon_.add(bytes, others);
    if (!wants("lpips")) return;
    lpips_.add(about(real_.name, [&] { return (*options_.lpips)(bytes, others); }));
  }

  void prepare(SideBatch& batch) const {
    if (!needs_features() || !options_.network->fits_pictures()) return;
    std::vector<at::Tensor> inputs;
    for (int64_t i = 0; i < batch.bytes.size(0); ++i) {
      inputs.push_back(options_.network->prepare(to_image(batch.bytes, i)));
    }
    batch.inputs = at::stack(inputs);
  }

  void add(const SideBatch& batch, Gathered& to, bool score) {
    const int64_t count = batch.count();
    if (count > 0 && needs_features()) {
      const at::Tensor features = (*options_.network)(inputs_of(batch));
      to.features.add(features);
      if (score) add_logits(features, to.score);
    }
    options_.on_progress(done_ += count);
  }

  void add_logits(const at::Tensor& features, InceptionScore& to) const {
    const at::Tensor logits = options_.network->logits(features);
    if (!logits.defined()) {
      throw Error("", options_.network->name() + " knows no classes, which is needs",
                  "take FID's network, or one of vq-train features");
    }
    to.add(logits);
  }

  void finish(Gathered& side, const Side& from) const {
    if (from.saved() != nullptr) {
      side.result = *from.saved();
      check_network(side);
      return;
    }
    side.result.statistics = about(side.name, [&] { return side.features.finish(); });
    side.result.network = options_.network->name();
    side.result.network_id = options_.network->identity();
    side.result.preprocessing = options_.network->preprocessing();
    side.result.reference_id = from.digest();
  }

  void check_network(const Gathered& side) const {
    const SavedStatistics& saved = side.result;
    if (!saved.network_id.empty() && saved.network_id != options_.network->identity()) {
      throw Error(side.name, fmt::format("holds statistics of the network {} ({:.12}), and the one "
                                         "given is {} ({:.12})",
                                         saved.network, saved.network_id, options_.network->name(),
                                         options_.network->identity()));
    }
    if (!saved.preprocessing.empty() && saved.preprocessing != options_.network->preprocessing()) {
      throw Error(side.name,
                  fmt::format("holds statistics of pictures prepared as '{}', and not "
                              "as '{}'",
                              saved.preprocessing, options_.network->preprocessing()),
                  "--fid-mode says how pictures are prepared");
    }
  }

  // ---- results

  at::Tensor sample(const Gathered& side, const char* metric) const {
    const at::Tensor& sample = side.result.statistics.sample;
    if (sample.size(0) > 0) return sample;
    throw Error(side.name,
                fmt::format("holds mean and covariance alone, and {} needs feature "
                            "vectors",
                            metric),
                "vq-eval --save-stats keeps some of them");
  }

  Json line(const char* metric, double value, double error) const {
    const int64_t real = real_.result.statistics.count, fake = fake_.result.statistics.count;
    return {{"metric", metric},
            {"value", value},
            {"error", error},
            {"real", real > 0 ? Json(real) : Json()},
            {"fake", fake > 0 ? Json(fake) : Json()}};
  }
  Json sampled_line(const char* metric, const ShareWithError& value) const {
    Json result = line(metric, value.value, value.error);
    result["real_sample"] = real_.result.statistics.sample.size(0);
    result["fake_sample"] = fake_.result.statistics.sample.size(0);
    return result;
  }

  void put(Json result) {
    result["network"] = options_.network->name();
    result["network_id"] = options_.network->identity();
    result["standard"] = options_.network->standard();
    const std::string preprocessing = options_.network->preprocessing();
    if (!preprocessing.empty()) result["preprocessing"] = preprocessing;
    put_plain(std::move(result));
  }
  void put_plain(Json result) {
    if (!reference_.empty()) result["reference_id"] = reference_;
    result["seed"] = options_.seed;
    lines_.push_back(std::move(result));
  }

  void measure(const std::string& metric) {
    if (metric == "fid") return fid();
    if (metric == "kid") return kid();
    if (metric == "is") return inception_score();
    if (metric == "prdc") return prdc();
    if (metric == "qs") return quality();
    if (metric == "ds") return diversity();
    if (metric == "lpips") return lpips();
    recon();
  }

  void fid() {
    const FrechetDistance distance = about(fake_.name, [&] {
      return frechet_distance(real_.result.statistics, fake_.result.statistics);
    });
    put(line("fid", distance.value, distance.error));
  }

  void kid() {
    KernelDistanceOptions how;
    how.seed = options_.seed;
    const KernelDistance kid = about(fake_.name, [&] {
      return kernel_distance(sample(real_, "kid"), sample(fake_, "kid"), how);
    });
    Json result = sampled_line("kid", {kid.value, kid.error});
    result["deviation"] = kid.deviation;
    result["subsets"] = kid.subsets;
    result["subset_size"] = kid.subset;
    put(std::move(result));
  }

  void inception_score() {
    if (fake_.score.count() == 0) {
      throw Error(fake_.name, "holds no pictures, which is needs of this side");
    }
    const InceptionScore::Result score = about(fake_.name, [&] { return fake_.score.finish(); });
    Json result = line("is", score.value, score.error);
    result["deviation"] = score.deviation;
    result["splits"] = fake_.score.splits();
    put(std::move(result));
  }

  void prdc() {
    const PrecisionRecall all = about(fake_.name, [&] {
      return precision_recall(sample(real_, "prdc"), sample(fake_, "prdc"), options_.neighbours);
    });
    const std::pair<const char*, const ShareWithError*> each[] = {{"precision", &all.precision},
                                                                  {"recall", &all.recall},
                                                                  {"density", &all.density},
                                                                  {"coverage", &all.coverage}};
    for (const auto& [name, value] : each) {
      Json result = sampled_line(name, *value);
      result["neighbours"] = options_.neighbours;
      put(std::move(result));
    }
  }

  GiqaOptions giqa_options() const {
    GiqaOptions how;
    how.components = options_.components;
    how.neighbours = options_.neighbours;
    how.seed = options_.seed;
    return how;
  }
  const GiqaFit& real_fit() {
    if (!real_fit_) {
      real_fit_ = about(real_.name, [&] { return fit_giqa(sample(real_, "qs"), giqa_options()); });
    }
    return *real_fit_;
  }
  void add_fit(Json& result) {
    const GiqaFit& fit = real_fit();
    result["components"] = options_.components;
    result["dimensions"] = fit.space.directions.size(1);
    result["fitted"] = fit.fitted.size(0);
    result["held_out"] = fit.held_out.size(0);
  }

  void quality() {
    const Quality quality = measure_quality(real_fit(), sample(fake_, "qs"));
    Json result = sampled_line("qs", quality.gmm_rank);
    result["among_all"] = quality.gmm_among_all.value;
    result["among_all_error"] = quality.gmm_among_all.error;
    result["gmm"] = quality.gmm;
    result["gmm_held_out"] = quality.held_out_gmm;
    result["knn"] = quality.knn;
    result["knn_held_out"] = quality.held_out_knn;
    result["knn_rank"] = quality.knn_rank.value;
    result["knn_rank_error"] = quality.knn_rank.error;
    result["knn_among_all"] = quality.knn_among_all.value;
    result["knn_among_all_error"] = quality.knn_among_all.error;
    result["neighbours"] = options_.neighbours;
    add_fit(result);
    put(std::move(result));
  }

  void diversity() {
    const Diversity diversity = about(fake_.name, [&] {
      return measure_diversity(real_fit(), sample(real_, "ds"), sample(fake_, "ds"),
                               giqa_options());
    });
    Json result = sampled_line("ds", diversity.value);
    result["swapped"] = diversity.swapped;
    result["swapped_rank"] = diversity.swapped_rank.value;
    result["swapped_rank_error"] = diversity.swapped_rank.error;
    for (int64_t m = 0; m < options_.components; ++m) {
      result["real_shares"].push_back(diversity.real_shares[m].item<double>());
      result["fake_shares"].push_back(diversity.fake_shares[m].item<double>());
    }
    add_fit(result);
    put(std::move(result));
  }

  void recon() {
    const int64_t pairs = recon_.count();
    if (pairs == 0) throw Error(real_.name, "holds no pictures");
    Json result = {{"metric", "recon"},
                   {"value", recon_.mean()},
                   {"error", recon_.error()},
                   {"ssim", recon_.ssim()},
                   {"ssim_error", recon_.ssim_error()},
                   {"real", pairs},
                   {"fake", pairs},
                   {"preprocessing", pairs_size_}};
    if (real_.name == fake_.name && options_.codec != nullptr) {
      result["network"] = "codec";
      result["network_id"] = options_.codec->identity();
    }
    put_plain(std::move(result));
  }

  void lpips() {
    const int64_t pairs = lpips_.count;
    if (pairs == 0) throw Error(real_.name, "holds no pictures");
    put_plain({{"metric", "lpips"},
               {"value", lpips_.mean()},
               {"error", lpips_.error()},
               {"real", pairs},
               {"fake", pairs},
               {"preprocessing", pairs_size_},
               {"network", options_.lpips->name()},
               {"network_id", options_.lpips->identity()}});
  }

  const EvaluationOptions& options_;
  Gathered real_, fake_;
  Reconstruction recon_;
  Reconstruction::Running lpips_;
  std::optional<GiqaFit> real_fit_;
  std::string reference_;
  std::vector<Json> lines_;
  std::string pairs_size_;  // of pictures that are compared one with one, in words
  int64_t compared_ = 0;    // of those that are as they are
  int64_t done_ = 0;
};

}  // namespace

std::vector<Json> evaluate(Side& real, Side* fake, const EvaluationOptions& options) {
  Evaluation evaluation(options);
  evaluation.run(real, fake);
  return evaluation.results();
}

std::vector<Json> evaluate_alone(Side& side, const EvaluationOptions& options) {
  Evaluation evaluation(options);
  evaluation.run_alone(side);
  return evaluation.results();
}

SavedStatistics measure_side(Side& side, const EvaluationOptions& options) {
  EvaluationOptions how = options;
  how.metrics = {"kid"};  // which needs all that a file keeps
  return Evaluation(how).side(side);
}

}  // namespace vq
