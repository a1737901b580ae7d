#include "formats/plot_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

constexpr double kLargest = 1e150, kSmallest = 1e-150;
constexpr double kFinest = 1e-9;  // of the numbers' size: finer differences are rounding
constexpr double kPadding = 0.04;
constexpr double kMultiples[] = {1, 2, 5};

double size_of(Range range) { return std::max(std::abs(range.low), std::abs(range.high)); }

int64_t count_ticks(Range range, double step) {
  const double slack = 1e-6;  // of a step: a tick at the very end counts
  const double first = std::ceil(range.low / step - slack);
  const double last = std::floor(range.high / step + slack);
  return static_cast<int64_t>(last - first) + 1;
}

// "2.50e+05" as "2.5e5".
std::string shorten_exponent(const std::string& text) {
  const size_t e = text.find('e');
  std::string digits = text.substr(0, e);
  if (digits.find('.') != std::string::npos) {
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  return digits + "e" + std::to_string(std::stoi(text.substr(e + 1)));
}

std::string tick_label(double tick, double step, double largest) {
  if (std::abs(tick) < 1e-6 * step) return "0";
  if (largest >= 1e5 || step < 0.99e-4) {
    const double digits = std::ceil(std::log10(largest / step) - 1e-6);
    return shorten_exponent(
        fmt::format("{:.{}e}", tick, std::clamp(static_cast<int>(digits), 0, 12)));
  }
  const int decimals = static_cast<int>(std::ceil(-std::log10(step) - 1e-6));
  return fmt::format("{:.{}f}", tick, std::max(decimals, 0));
}

}  // namespace

double Axis::share(double value) const { return (value - range.low) / (range.high - range.low); }

bool drawable(double value) { return std::isfinite(value) && std::abs(value) <= kLargest; }

Range padded(Range data) {
  const double size = size_of(data);
  if (size < kSmallest) return {-1, 1};
  double pad = kPadding * (data.high - data.low);
  if (data.high - data.low < kFinest * size) pad = 0.1 * size;
  Range shown{data.low - pad, data.high + pad};
  if (data.low >= 0) shown.low = std::max(shown.low, 0.0);
  return shown;
}

Axis choose_axis(Range shown, int most_ticks) {
  const int most = std::max(most_ticks, 2);
  const double power = std::floor(std::log10((shown.high - shown.low) / most));
  double step = 0;
  for (int i = 0; step == 0 || count_ticks(shown, step) > most; ++i) {
    step = kMultiples[i % 3] * std::pow(10, power + i / 3);
  }
  Axis axis{shown, {}, {}};
  const double first = std::ceil(shown.low / step - 1e-6);
  const int64_t count = count_ticks(shown, step);
  for (int64_t i = 0; i < count; ++i) {
    axis.ticks.push_back((first + static_cast<double>(i)) * step);
    axis.labels.push_back(tick_label(axis.ticks.back(), step, size_of(shown)));
  }
  return axis;
}

}  // namespace vq
