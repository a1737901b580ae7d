#include "lib/diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "formats/error.h"

namespace vq {
namespace {

// What the released schedules leave undone at both ends, so that no logarithm is infinite.
constexpr double kAlphaFirst = 0.99999, kAlphaLast = 0.000009;
constexpr double kGammaFirst = 0.000009, kGammaLast = 0.99999;

// Differences of numbers near one: what rounding leaves is no chance at all.
double beyond_rounding(double x) { return x > 1e-14 ? x : 0; }

double interpolate(const std::vector<double>& at, double t) {
  const double low = std::floor(t);
  const auto i = static_cast<size_t>(low);
  if (i + 1 >= at.size()) return at.back();
  return at[i] + (t - low) * (at[i + 1] - at[i]);
}

// gamma_bar at t of T for the absorbing schedules; alpha_bar is the rest.
double masked_share(const std::string& name, double progress) {
  constexpr double pi = std::numbers::pi;
  const double share =
      name == "cosine" ? std::sin(pi / 2 * progress) : 2 / pi * std::acos(1 - progress);
  return share * kGammaLast;
}

}  // namespace

const std::vector<std::string>& Schedule::names() {
  static const std::vector<std::string> names = {"linear", "replace", "cosine", "arccos"};
  return names;
}

Schedule Schedule::make(const std::string& name, int timesteps, int codebook_size) {
  if (timesteps < 1) throw Error::usage("timesteps", "at least 1 is needed");
  if (codebook_size < 1) throw Error::usage("codebook size", "at least 1 is needed");
  std::vector<double> alpha, gamma;
  for (int t = 1; t <= timesteps; ++t) {
    // The released code counts its linear ramps from the first step, 0 .. T - 1.
    const double ramp = timesteps == 1 ? 1.0 : (t - 1.0) / (timesteps - 1.0);
    if (name == "linear") {
      alpha.push_back(kAlphaFirst + ramp * (kAlphaLast - kAlphaFirst));
      gamma.push_back(kGammaFirst + ramp * (kGammaLast - kGammaFirst));
    } else if (name == "replace") {
      alpha.push_back(kAlphaFirst + ramp * (kAlphaLast - kAlphaFirst));
      gamma.push_back(0.9 * (1 - alpha.back()));
    } else if (name == "cosine" || name == "arccos") {
      gamma.push_back(masked_share(name, static_cast<double>(t) / timesteps));
      alpha.push_back(1 - gamma.back());
    } else {
      throw Error::usage("schedule",
                         "'" + name + "' is not one of linear, replace, cosine, arccos");
    }
  }
  return Schedule(name, std::move(alpha), std::move(gamma), codebook_size);
}

Schedule::Schedule(std::string name, std::vector<double> alpha_bar, std::vector<double> gamma_bar,
                   int codebook_size)
    : name_(std::move(name)),
      alpha_bar_(std::move(alpha_bar)),
      gamma_bar_(std::move(gamma_bar)),
      codebook_size_(codebook_size) {
  if (alpha_bar_.size() != gamma_bar_.size() || alpha_bar_.empty()) {
    throw Error("schedule", "alpha_bar and gamma_bar need the same number of steps, at least one");
  }
  alpha_bar_.insert(alpha_bar_.begin(), 1.0);
  gamma_bar_.insert(gamma_bar_.begin(), 0.0);
  for (size_t t = 1; t < alpha_bar_.size(); ++t) {
    const double rest = 1 - alpha_bar_[t] - gamma_bar_[t];
    const bool falls = alpha_bar_[t] > 0 && alpha_bar_[t] <= alpha_bar_[t - 1];
    const bool rises = gamma_bar_[t] < 1 && gamma_bar_[t] >= gamma_bar_[t - 1];
    if (!falls || !rises || rest < -1e-12) {
      throw Error("schedule",
                  "step " + std::to_string(t) + " is not a step of a mask-and-replace process");
    }
  }
}

double Schedule::alpha_bar(double t) const { return interpolate(alpha_bar_, t); }
double Schedule::gamma_bar(double t) const { return interpolate(gamma_bar_, t); }

Transition Schedule::between(double s, double t) const {
  if (!(0 <= s && s < t && t <= timesteps()))
    throw Error("schedule", "times must be 0 <= s < t <= T");
  Transition q{};
  q.alpha_bar_s = alpha_bar(s), q.gamma_bar_s = gamma_bar(s);
  q.alpha_bar_t = alpha_bar(t), q.gamma_bar_t = gamma_bar(t);
  const double k = codebook_size_;
  q.beta_bar_s = beyond_rounding(1 - q.alpha_bar_s - q.gamma_bar_s) / k;
  q.beta_bar_t = beyond_rounding(1 - q.alpha_bar_t - q.gamma_bar_t) / k;
  q.alpha = q.alpha_bar_t / q.alpha_bar_s;
  q.gamma = 1 - (1 - q.gamma_bar_t) / (1 - q.gamma_bar_s);
  q.beta = beyond_rounding(1 - q.alpha - q.gamma) / k;
  return q;
}

double Schedule::mask_rate(double t) const {
  const int n = std::clamp(static_cast<int>(std::ceil(t)), 1, timesteps());
  return gamma_bar_[static_cast<size_t>(n)] - gamma_bar_[static_cast<size_t>(n - 1)];
}

Schedule Schedule::without_replacement() const {
  std::vector<double> alpha, gamma(gamma_bar_.begin() + 1, gamma_bar_.end());
  for (const double g : gamma) alpha.push_back(1 - g);
  return Schedule(name_, std::move(alpha), std::move(gamma), codebook_size_);
}

int Schedule::table_row(double t) const {
  return std::clamp(static_cast<int>(std::lround(t)), 1, timesteps()) - 1;
}

int Schedule::time_of_mask_share(double share) const {
  int best = 0;
  for (int t = 1; t <= timesteps(); ++t) {
    const auto gap = [&](int at) { return std::abs(gamma_bar_[static_cast<size_t>(at)] - share); };
    if (gap(t) < gap(best)) best = t;
  }
  return best;
}

std::vector<double> Schedule::sampling_times(int steps, Spacing spacing) const {
  if (steps < 1) throw Error::usage("--steps", "at least 1 is needed");
  std::vector<double> times;
  for (int i = 0; i <= steps; ++i) {
    const double done = static_cast<double>(i) / steps;
    times.push_back(timesteps() *
                    (spacing == Spacing::even ? 1 - done : std::cos(std::numbers::pi / 2 * done)));
  }
  times.back() = 0;
  return times;
}

}  // namespace vq
