#include "lib/sampling/halton.h"

namespace vq {

double radical_inverse(uint64_t n, uint64_t base) {
  double result = 0, weight = 1;
  for (; n > 0; n /= base) {
    weight /= static_cast<double>(base);
    result += weight * static_cast<double>(n % base);
  }
  return result;
}

std::vector<int64_t> halton_order(int64_t height, int64_t width) {
  const auto cells = static_cast<size_t>(height * width);
  std::vector<bool> taken(cells, false);
  std::vector<int64_t> order;
  order.reserve(cells);
  for (uint64_t n = 1; order.size() < cells; ++n) {
    const auto row = static_cast<int64_t>(radical_inverse(n, 2) * static_cast<double>(height));
    const auto column = static_cast<int64_t>(radical_inverse(n, 3) * static_cast<double>(width));
    const int64_t cell = row * width + column;
    if (taken[static_cast<size_t>(cell)]) continue;
    taken[static_cast<size_t>(cell)] = true;
    order.push_back(cell);
  }
  return order;
}

}  // namespace vq
