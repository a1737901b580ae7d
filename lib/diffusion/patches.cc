#include "lib/diffusion/patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace vq {
namespace {

// visit(neighbour) for the nine cells around one, itself included, in reading order; -1 beyond the
// edge.
template <class Visit>
void around(int64_t cell, Grid grid, const Visit& visit) {
  const int64_t place = cell % (grid.height * grid.width);
  const int64_t row = place / grid.width, column = place % grid.width;
  for (int64_t r = row - 1; r <= row + 1; ++r) {
    for (int64_t c = column - 1; c <= column + 1; ++c) {
      const bool inside = r >= 0 && r < grid.height && c >= 0 && c < grid.width;
      visit(inside ? cell + (r - row) * grid.width + c - column : -1);
    }
  }
}

}  // namespace

std::vector<int64_t> grown(const std::vector<int64_t>& cells, Grid grid) {
  std::vector<int64_t> all;
  for (const int64_t cell : cells) {
    around(cell, grid, [&](int64_t neighbour) {
      if (neighbour >= 0) all.push_back(neighbour);
    });
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

at::Tensor neighbours(const std::vector<int64_t>& have, const std::vector<int64_t>& want,
                      Grid grid) {
  const auto rows = static_cast<int64_t>(have.size());
  std::vector<int64_t> row_of(have.empty() ? 0 : static_cast<size_t>(have.back() + 1), rows);
  for (int64_t n = 0; n < rows; ++n) row_of[static_cast<size_t>(have[static_cast<size_t>(n)])] = n;
  std::vector<int64_t> numbers;
  numbers.reserve(9 * want.size());
  for (const int64_t cell : want) {
    around(cell, grid, [&](int64_t neighbour) {
      numbers.push_back(neighbour < 0 ? rows : row_of.at(static_cast<size_t>(neighbour)));
    });
  }
  return at::tensor(numbers, at::kLong);
}

at::Tensor neighbours_everywhere(int64_t grids, Grid grid) {
  std::vector<int64_t> all(static_cast<size_t>(grids * grid.height * grid.width));
  std::iota(all.begin(), all.end(), 0);
  return neighbours(all, all, grid);
}

at::Tensor edged(const at::Tensor& rows) {
  return at::cat({rows, at::zeros({1, rows.size(1)}, rows.options())});
}

at::Tensor patches(const at::Tensor& edged_rows, const at::Tensor& neighbours) {
  return edged_rows.index_select(0, neighbours).view({-1, 9 * edged_rows.size(1)});
}

Linear as_product(const Conv2d& conv) {
  Linear product;
  product.weight = conv.weight.permute({0, 2, 3, 1}).flatten(1).contiguous();
  product.bias = conv.bias;
  return product;
}

at::Tensor of_patches(const at::Tensor& rows, const at::Tensor& neighbours, int64_t at_once,
                      const std::function<at::Tensor(const at::Tensor&)>& product) {
  const at::Tensor with_edge = edged(rows);
  std::vector<at::Tensor> parts;
  for (const at::Tensor& some : neighbours.split(9 * at_once))
    parts.push_back(product(patches(with_edge, some)));
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace vq
