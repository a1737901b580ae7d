// What a sampler should do, by enumeration: every grid of a tiny model with its exact chance, and a
// comparison of many drawn grids with those chances.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "lib/sampling/sampler.h"
#include "tests/unit/brute_force.h"
#include "tests/unit/tiny_model.h"

namespace vq::testing {

using Grid = std::vector<int>;  // 0..K-1, and K for [mask]
using Chances = std::map<Grid, double>;
using Guesses = std::vector<std::vector<double>>;  // p(x_0 | x_t), one row a position

// Smaller still than tiny_model, and with guesses that depend strongly on the other tokens and on
// the time (chains_test.cc): a sampler that asks at the wrong time, or for the wrong grid, must
// show.
inline std::unique_ptr<DiffusionModel> chain_model(int height, int width, int codes, int timesteps,
                                                   const std::string& schedule = "linear") {
  DiffusionModelConfig config = tiny_config(height, width, codes, timesteps, schedule);
  config.denoiser.layers = 1, config.denoiser.width = 16, config.denoiser.heads = 1;
  auto model = tiny_model(config, /*seed=*/2);
  const at::NoGradGuard no_grad;
  const std::map<std::string, double> louder = {
      {"embedding.token.weight", 8},    {"embedding.row.weight", 0.3},
      {"embedding.column.weight", 0.3}, {"blocks.0.norm_self.embedding.weight", 4},
      {"blocks.0.self.out.weight", 6},  {"head.linear.weight", 2}};
  size_t found = 0;
  for (const Parameters::Entry& entry : model->parameters().entries()) {
    const auto times = louder.find(entry.name);
    if (times == louder.end()) continue;
    at::Tensor weight = entry.tensor;
    weight.mul_(times->second), ++found;
  }
  EXPECT_EQ(found, louder.size());
  return model;
}

inline std::vector<uint64_t> count_up(uint64_t n) {
  std::vector<uint64_t> list(n);
  std::iota(list.begin(), list.end(), uint64_t{0});
  return list;
}

// Each order by steps, and by tokens a step where it listens to them.
inline std::vector<SamplerOptions> every_order() {
  std::vector<SamplerOptions> list;
  for (const std::string& word : order_words()) {
    SamplerOptions options;
    options.order = parse_order(word);
    options.steps = 7, options.truncation.top_p = 0.9, options.seed = 3;
    list.push_back(options);
    if (options.order == Order::ancestral || options.order == Order::remask) continue;
    options.steps = 0, options.tokens_per_step = 3;
    list.push_back(options);
  }
  return list;
}

inline at::Tensor nothing(int64_t rows) { return at::full({rows, 1}, -1, at::kLong); }

inline Grid all_masked(const DiffusionModel& model) {
  const auto& sizes = model.config().denoiser;
  return Grid(static_cast<size_t>(sizes.grid_height * sizes.grid_width),
              static_cast<int>(sizes.codebook_size));
}

inline std::vector<size_t> masked_cells(const Grid& x, int mask) {
  std::vector<size_t> cells;
  for (size_t l = 0; l < x.size(); ++l) {
    if (x[l] == mask) cells.push_back(l);
  }
  return cells;
}

// The network, asked one grid at a time.
class Oracle {
 public:
  explicit Oracle(const DiffusionModel& model) : model_(model) {}
  const DiffusionModel& model() const { return model_; }
  int mask() const { return static_cast<int>(model_.config().denoiser.codebook_size); }

  const Guesses& operator()(const Grid& x, double t) {
    const int row = model_.schedule().table_row(t);
    const auto [place, fresh] = known_.try_emplace({x, row});
    if (!fresh) return place->second;
    const at::Tensor tokens = at::tensor(x, at::kLong).unsqueeze(0);
    const at::Tensor hidden =
        model_.denoiser().hidden(tokens, at::full({1}, row, at::kLong), Features{});
    const at::Tensor p = at::softmax(model_.denoiser().head(hidden)[0].to(at::kDouble), -1);
    for (int64_t l = 0; l < p.size(0); ++l) {
      const double* first = p.data_ptr<double>() + l * p.size(1);
      place->second.emplace_back(first, first + p.size(1));
    }
    return place->second;
  }

 private:
  const DiffusionModel& model_;
  std::map<std::pair<Grid, int>, Guesses> known_;
};

// Every way to give the cells tokens 0..K-1, with its chance when cell i takes token j with
// p(i)[j], independently: visit(grid, chance).
inline void fill_cells(Grid x, const std::vector<size_t>& cells, double chance,
                       const std::function<const std::vector<double>&(size_t)>& p,
                       const std::function<void(const Grid&, double)>& visit, size_t from = 0) {
  if (chance == 0) return;
  if (from == cells.size()) return visit(x, chance);
  const std::vector<double>& row = p(cells[from]);
  for (size_t j = 0; j < row.size(); ++j) {
    x[cells[from]] = static_cast<int>(j);
    fill_cells(x, cells, chance * row[j], p, visit, from + 1);
  }
}

// Every set of n of the cells: visit(set).
inline void each_set(const std::vector<size_t>& cells, size_t n,
                     const std::function<void(const std::vector<size_t>&)>& visit) {
  for (unsigned bits = 0; bits < (1u << cells.size()); ++bits) {
    std::vector<size_t> set;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (bits >> i & 1) set.push_back(cells[i]);
    }
    if (set.size() == n) visit(set);
  }
}

// The chance that drawing one by one without replacement, by weight, gives this set: the sum over
// its orders.
inline double chance_of_set(std::vector<size_t> set, const std::vector<size_t>& cells,
                            const std::function<double(size_t)>& weight) {
  std::sort(set.begin(), set.end());
  double all = 0, sum = 0;
  for (const size_t cell : cells) all += weight(cell);
  do {
    double chance = 1, left = all;
    for (const size_t cell : set) chance *= weight(cell) / left, left -= weight(cell);
    sum += chance;
  } while (std::next_permutation(set.begin(), set.end()));
  return sum;
}

// How many grids to draw: enough to see a wrong rule, or as many as VQ_CHAIN_DRAWS says.
inline int64_t draws_wanted() {
  const char* wanted = std::getenv("VQ_CHAIN_DRAWS");
  return wanted != nullptr ? std::atoll(wanted) : 20000;
}

// Draws grids and holds them against their chances.
inline void expect_chances(const DiffusionModel& model, const SamplerOptions& options,
                           const Chances& chances, const std::string& what,
                           const Request& start = {}) {
  double sum = 0;
  for (const auto& [grid, chance] : chances) sum += chance;
  ASSERT_NEAR(sum, 1, 1e-9) << what << ": the enumeration itself";

  const int64_t draws = draws_wanted();
  std::map<Grid, double> counts;
  for (int64_t done = 0; done < draws;) {
    const int64_t rows = std::min<int64_t>(draws - done, 20000);
    Request request = start;
    request.prepared = nothing(rows);
    for (int64_t i = 0; i < rows; ++i) request.records.push_back(static_cast<uint64_t>(done + i));
    if (start.tokens.defined()) request.tokens = start.tokens.expand({rows, -1});
    if (start.frozen.defined()) request.frozen = start.frozen.expand({rows, -1});
    const at::Tensor x = sample(model, request, options).contiguous();
    for (int64_t b = 0; b < rows; ++b) {
      const int64_t* row = x.data_ptr<int64_t>() + b * x.size(1);
      ++counts[Grid(row, row + x.size(1))];
    }
    done += rows;
  }
  std::vector<double> seen, share;
  for (const auto& [grid, chance] : chances) {
    seen.push_back(counts[grid]), share.push_back(chance);
    counts.erase(grid);
  }
  EXPECT_TRUE(counts.empty()) << what << ": " << counts.size() << " grids that cannot be";
  const ChiSquare test = chi_square(seen, share);
  EXPECT_GT(test.degrees, 0) << what;
  EXPECT_TRUE(test.plausible()) << what << ": chi-square " << test.statistic << " at "
                                << test.degrees << " degrees";
}

}  // namespace vq::testing
