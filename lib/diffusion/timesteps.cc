#include "lib/diffusion/timesteps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "formats/error.h"

namespace vq {
namespace {

constexpr double kHistoryKeep = 0.9, kHistoryFloor = 1e-10, kWeightFloor = 1e-4, kSeenEnough = 10;

std::vector<double> comb(double u, size_t teeth) {
  std::vector<double> list;
  for (size_t i = 0; i < teeth; ++i) {
    const double at = u + static_cast<double>(i) / static_cast<double>(teeth);
    list.push_back(at - std::floor(at));
  }
  return list;
}

}  // namespace

TimestepSampler::TimestepSampler(std::string method, int timesteps)
    : method_(std::move(method)),
      square_(static_cast<size_t>(timesteps), 0),
      mean_(static_cast<size_t>(timesteps), 0),
      seen_(static_cast<size_t>(timesteps), 0),
      p_(static_cast<size_t>(timesteps), 1.0 / timesteps) {
  if (method_ != "importance" && method_ != "uniform" && method_ != "stratified") {
    throw Error::usage("--timesteps-drawn",
                       "'" + method_ + "' is not one of importance, uniform, stratified");
  }
}

std::vector<TimestepSampler::Place> TimestepSampler::places(
    const std::vector<double>& uniforms) const {
  std::vector<double> sums(p_.size());
  double sum = 0;
  for (size_t i = 0; i < p_.size(); ++i) sums[i] = sum += p_[i];
  const bool evenly = method_ == "stratified" && !uniforms.empty();
  std::vector<Place> list;
  for (const double u : evenly ? comb(uniforms[0], uniforms.size()) : uniforms) {
    const auto at = std::upper_bound(sums.begin(), sums.end() - 1, u * sum);
    const auto index = static_cast<size_t>(at - sums.begin());
    const double before = index == 0 ? 0 : sums[index - 1];
    list.push_back({index, std::clamp((u * sum - before) / p_[index], 0x1p-32, 1.0)});
  }
  return list;
}

std::vector<int> TimestepSampler::draw(const std::vector<double>& uniforms) const {
  std::vector<int> steps;
  for (const Place& place : places(uniforms)) steps.push_back(static_cast<int>(place.index) + 1);
  return steps;
}

std::vector<double> TimestepSampler::draw_real(const std::vector<double>& uniforms) const {
  std::vector<double> times;
  for (const Place& place : places(uniforms)) {
    times.push_back(static_cast<double>(place.index) + place.share);
  }
  return times;
}

double TimestepSampler::probability(int step) const { return p_[static_cast<size_t>(step - 1)]; }

void TimestepSampler::update(const std::vector<int>& steps, const std::vector<double>& bounds,
                             const std::vector<double>& weighed) {
  struct Sum {
    double square = 0, value = 0, count = 0;
  };
  std::map<int, Sum> of_step;
  for (size_t i = 0; i < steps.size(); ++i) {
    Sum& sum = of_step[steps[i]];
    sum.square += weighed[i] * weighed[i], sum.value += bounds[i], sum.count += 1;
  }
  for (const auto& [n, sum] : of_step) {
    const auto i = static_cast<size_t>(n - 1);
    square_[i] = kHistoryKeep * square_[i] + (1 - kHistoryKeep) * sum.square / sum.count;
    // A plain mean of the first ones: a moving mean that starts from zero would be too small.
    const double keep = seen_[i] == 0 ? 0 : kHistoryKeep;
    mean_[i] = keep * mean_[i] + (1 - keep) * sum.value / sum.count;
    seen_[i] += sum.count;
  }
  if (method_ == "importance") recompute();
}

void TimestepSampler::recompute() {
  if (*std::min_element(seen_.begin(), seen_.end()) <= kSeenEnough) return;
  double sum = 0;
  for (size_t i = 0; i < p_.size(); ++i)
    p_[i] = std::sqrt(square_[i] + kHistoryFloor) + kWeightFloor;
  if (p_.size() > 1) p_[0] = p_[1];
  for (const double p : p_) sum += p;
  for (double& p : p_) p /= sum;
}

double TimestepSampler::expected_bound() const {
  double sum = 0;
  for (size_t i = 0; i < mean_.size(); ++i) {
    if (seen_[i] == 0) return std::nan("");
    sum += mean_[i];
  }
  return sum;
}

std::vector<NamedTensor> TimestepSampler::state() const {
  const auto tensor = [](const std::vector<double>& v) {
    return at::from_blob(const_cast<double*>(v.data()), {static_cast<int64_t>(v.size())},
                         at::kDouble)
        .clone();
  };
  return {{"timesteps.square", tensor(square_)},
          {"timesteps.mean", tensor(mean_)},
          {"timesteps.seen", tensor(seen_)}};
}

void TimestepSampler::load_state(const SafetensorsFile& file) {
  const auto fill = [&](const char* name, std::vector<double>& to) {
    const at::Tensor from = load_tensor(file, name);
    if (from.scalar_type() != at::kDouble || from.numel() != static_cast<int64_t>(to.size())) {
      throw Error(file.path(), std::string("tensor ") + name + " does not fit the schedule");
    }
    std::copy_n(from.data_ptr<double>(), to.size(), to.begin());
  };
  fill("timesteps.square", square_), fill("timesteps.mean", mean_), fill("timesteps.seen", seen_);
  if (method_ == "importance") recompute();
}

}  // namespace vq
