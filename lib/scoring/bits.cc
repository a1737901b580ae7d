#include "lib/scoring/bits.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "formats/error.h"
#include "lib/diffusion/loss.h"
#include "lib/random.h"
#include "lib/scoring/noised_records.h"

namespace vq {
namespace {

// p log(p / q) with 0 log 0 = 0
double divergence(double p, double q) { return p > 0 ? p * std::log(p / q) : 0; }

// (n, L) terms of rows that fit into memory.
at::Tensor terms_of(const DiffusionModel& model, const at::Tensor& hidden, const at::Tensor& x_0,
                    const at::Tensor& x_t, const std::vector<int>& times) {
  const Schedule& schedule = model.schedule();
  at::Tensor terms = bound_terms(schedule, log_guess(model, hidden), x_0, x_t, times);
  if (schedule.between(0, 1).beta_bar_t <= 0) {
    const std::vector<int64_t> list(times.begin(), times.end());
    const at::Tensor last = at::tensor(list, at::kLong).eq(1).to(x_t.device()).unsqueeze(1);
    terms = terms.masked_fill(last.logical_and(x_t.ne(model.denoiser().mask())), 0);
  }
  return terms.to(at::kCPU, at::kDouble).contiguous();
}

// Sums over positions, in nats, of each row of the batch.
std::vector<double> sums_of(const DiffusionModel& model, const NoisedBatch& batch,
                            const std::vector<int>& times) {
  const int64_t rows = batch.x_0.size(0), length = batch.x_0.size(1);
  const int64_t some = rows_at_once(length * model.denoiser().mask());
  std::vector<double> sums;
  for (int64_t at = 0; at < rows; at += some) {
    const int64_t n = std::min(some, rows - at);
    const at::Tensor terms =
        terms_of(model, batch.hidden.narrow(0, at, n), batch.x_0.narrow(0, at, n),
                 batch.x_t.narrow(0, at, n), {times.begin() + at, times.begin() + at + n});
    // In a loop of our own: the order of additions must not depend on the number of rows.
    const double* term = terms.data_ptr<double>();
    for (int64_t i = 0; i < n; ++i) {
      double& sum = sums.emplace_back(0);
      for (int64_t l = 0; l < length; ++l) sum += *term++;
    }
  }
  return sums;
}

// The terms' sums of all draws, record by record, in nats.
std::vector<double> sums_of_draws(const DiffusionModel& model, const TokenSet& set,
                                  const BitsOptions& options, uint64_t seed,
                                  const std::vector<int>& times) {
  const NoisedRecords noised(model, set, seed);
  std::vector<double> sums;
  const auto total = static_cast<int64_t>(times.size());
  for (int64_t at = 0; at < total; at += options.batch) {
    const int64_t end = std::min(total, at + options.batch);
    std::vector<NoisedRow> rows;
    for (int64_t i = at; i < end; ++i) {
      rows.push_back({i / options.draws, times[static_cast<size_t>(i)],
                      static_cast<uint32_t>(i % options.draws)});
    }
    const auto some = sums_of(model, noised(rows), {times.begin() + at, times.begin() + end});
    sums.insert(sums.end(), some.begin(), some.end());
    options.on_progress(end);
  }
  return sums;
}

// Times near each other, as many groups of them as have kEnough draws each.
class TimeGroups {
 public:
  TimeGroups(const std::vector<int>& times, const std::vector<double>& sums, int timesteps)
      : timesteps_(timesteps), groups_(std::clamp<size_t>(times.size() / kEnough, 1, timesteps)) {
    for (size_t i = 0; i < times.size(); ++i) {
      Group& group = groups_[index(times[i])];
      group.count += 1, group.sum += sums[i];
    }
  }

  // From the mean of the group, larger by what the mean follows the draw itself.
  double distance(int time, double sum) const {
    const Group& group = groups_[index(time)];
    return (sum - group.sum / group.count) * std::sqrt(group.count / (group.count - 1));
  }

 private:
  static constexpr size_t kEnough = 16;
  struct Group {
    double count = 0, sum = 0;
  };
  size_t index(int time) const {
    return static_cast<size_t>(time - 1) * groups_.size() / static_cast<size_t>(timesteps_);
  }
  int timesteps_;
  std::vector<Group> groups_;
};

// Of the sum of all draws.
double error_of_sum(const std::vector<int>& times, const std::vector<double>& sums, int draws,
                    int timesteps) {
  if (sums.size() <= static_cast<size_t>(draws)) return std::numeric_limits<double>::quiet_NaN();
  const TimeGroups groups(times, sums, timesteps);
  double squares = 0;
  for (size_t i = 0; i < sums.size();) {
    double record = 0;
    for (int draw = 0; draw < draws; ++draw, ++i) record += groups.distance(times[i], sums[i]);
    squares += record * record;
  }
  return std::sqrt(squares);
}

}  // namespace

std::vector<int> even_times(uint64_t seed, int64_t records, int draws, int timesteps) {
  const std::vector<int64_t> order = permutation(seed, 0, records);
  const double shift = uniform(seed, Purpose::timestep, {0, 0, 0});
  const double piece = static_cast<double>(timesteps) / draws;
  std::vector<int> times;
  for (const int64_t place : order) {
    const double share = (static_cast<double>(place) + shift) / static_cast<double>(records);
    for (int draw = 0; draw < draws; ++draw) {
      times.push_back(std::min(timesteps, 1 + static_cast<int>((draw + share) * piece)));
    }
  }
  return times;
}

double prior_divergence(const Schedule& schedule) {
  const double k = schedule.codebook_size();
  const Transition q = schedule.between(0, schedule.timesteps());
  const double even = q.alpha_bar_t / k + q.beta_bar_t;  // [mask] has the same chance on both sides
  return divergence(q.alpha_bar_t + q.beta_bar_t, even) + (k - 1) * divergence(q.beta_bar_t, even);
}

void check_draws(const DiffusionModel& model, int draws) {
  const int timesteps = model.schedule().timesteps();
  if (draws >= 1 && draws <= timesteps) return;
  throw Error("--draws",
              fmt::format("{} different times are asked for; the model has {}", draws, timesteps));
}

Bits bits_per_token(const DiffusionModel& model, const TokenSet& set, const BitsOptions& options) {
  check_draws(model, options.draws);
  const int timesteps = model.schedule().timesteps();
  const uint64_t seed = derive_seed(options.seed, "bits");
  const std::vector<int> times = even_times(seed, set.size(), options.draws, timesteps);
  const std::vector<double> sums = sums_of_draws(model, set, options, seed, times);
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  if (!std::isfinite(sum)) throw Error("", "the model's guesses are not numbers");
  // From the sum of all draws in nats to the mean over draws, times T, in bits a token.
  const double scale = timesteps / std::numbers::ln2 / static_cast<double>(sums.size()) /
                       static_cast<double>(set.header.length());
  return {sum * scale + prior_divergence(model.schedule()) / std::numbers::ln2,
          error_of_sum(times, sums, options.draws, timesteps) * scale, set.size(), options.draws};
}

}  // namespace vq
