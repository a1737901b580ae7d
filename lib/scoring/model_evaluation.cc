#include "lib/scoring/model_evaluation.h"

#include "formats/error.h"
#include "lib/scoring/bits.h"
#include "lib/scoring/purity.h"

namespace vq {
namespace {

class ModelEvaluation {
 public:
  ModelEvaluation(const DiffusionModel& model, const TokenSet& set,
                  const ModelEvaluationOptions& options)
      : model_(model), set_(set), options_(options), times_(options.times) {
    if (times_.empty()) times_ = figure_times(model.schedule().timesteps());
  }

  int64_t grids() const {
    int64_t count = 0;
    for (const std::string& metric : options_.metrics) count += grids_of(metric);
    return count;
  }

  std::vector<Json> run() {
    check();
    for (const std::string& metric : options_.metrics) {
      if (metric == "bits") {
        add(bits());
      } else {
        for (const int time : times_) add(purity(time));
      }
    }
    return lines_;
  }

 private:
  // What would fail is told before any work.
  void check() const {
    for (const std::string& metric : options_.metrics) {
      if (metric == "bits") {
        check_draws(model_, options_.draws);
      } else if (metric == "purity") {
        for (const int time : times_) check_time(model_, time);
      } else {
        throw Error("", "no metric is called " + metric);
      }
    }
  }

  int64_t grids_of(const std::string& metric) const {
    return set_.size() * (metric == "bits" ? options_.draws : static_cast<int64_t>(times_.size()));
  }

  auto progress() {
    return [this, before = done_](int64_t grids) { options_.on_progress(done_ = before + grids); };
  }

  void add(Json line) {
    line["network"] = "diffusion model";
    line["network_id"] = model_.identity();
    line["seed"] = options_.seed;
    lines_.push_back(std::move(line));
  }

  Json bits() {
    BitsOptions how{options_.draws, options_.batch, options_.seed, progress()};
    const Bits bits = bits_per_token(model_, set_, how);
    return {{"metric", "bits"},
            {"value", bits.value},
            {"error", bits.error},
            {"records", bits.records},
            {"draws", bits.draws}};
  }

  Json purity(int time) {
    PurityOptions how{options_.batch, options_.seed, progress()};
    const Purity purity = purity_at(model_, set_, time, how);
    Json line = {{"metric", "purity"},           {"value", purity.correlation},
                 {"error", purity.error},        {"timestep", time},
                 {"records", purity.records},    {"positions", purity.positions},
                 {"mean_purity", purity.purity}, {"mean_accuracy", purity.accuracy},
                 {"bins", Json::array()}};
    for (int i = 0; i < kPurityBins; ++i) {
      const PurityBin& bin = purity.bins[static_cast<size_t>(i)];
      line["bins"].push_back({{"from", static_cast<double>(i) / kPurityBins},
                              {"to", static_cast<double>(i + 1) / kPurityBins},
                              {"count", bin.count},
                              {"purity", bin.purity},
                              {"accuracy", bin.accuracy}});
    }
    return line;
  }

  const DiffusionModel& model_;
  const TokenSet& set_;
  const ModelEvaluationOptions& options_;
  std::vector<int> times_;
  std::vector<Json> lines_;
  int64_t done_ = 0;
};

}  // namespace

int64_t evaluation_grids(const DiffusionModel& model, const TokenSet& set,
                         const ModelEvaluationOptions& options) {
  return ModelEvaluation(model, set, options).grids();
}

std::vector<Json> evaluate_model(const DiffusionModel& model, const TokenSet& set,
                                 const ModelEvaluationOptions& options) {
  return ModelEvaluation(model, set, options).run();
}

}  // namespace vq
