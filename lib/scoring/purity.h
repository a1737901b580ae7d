// How far a model's own certainty can be trusted: its purity against how often it is right, at
// masked positions of noised data (paper Eq. 8 and Figure 1).
//
//   purity     max over j of p(x_0 = j | x_t), of each masked position
//   accuracy   1 where that j is the token that was masked, else 0
//
// A set is noised at one time t, each record once. Purity sampling (paper section 3.2) lives on the
// correlation between the two; where the mean accuracy of a bin is its mean purity as well, the
// model is calibrated.
//
// The standard error of the correlation is that of the sum of positions' influences on it (the
// infinitesimal jackknife), taken record by record, since the positions of one record are not
// independent of each other.
//
// Laws: the correlation is Pearson's; the batch size does not matter (CPU).       (purity_test.cc)
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/training/token_set.h"

namespace vq {

// The bins are of equal width: bin i holds purities from i / 10 to (i + 1) / 10.
inline constexpr int kPurityBins = 10;

struct PurityBin {
  int64_t count = 0;
  double purity = 0, accuracy = 0;  // means; NaN of none
};

struct Purity {
  double correlation = 0;  // NaN where purity or accuracy is the same everywhere
  double error = 0;        // NaN then, and of fewer than two records
  int64_t records = 0;     // that have masked positions
  int64_t positions = 0;
  double purity = 0, accuracy = 0;  // means; NaN of none
  std::array<PurityBin, kPurityBins> bins;
};

// Collects positions, in any order.
class PurityTable {
 public:
  explicit PurityTable(int64_t records) : sums_(static_cast<size_t>(records)) {}
  void add(int64_t record, double purity, bool right);
  Purity finish() const;

 private:
  struct Sums {
    double count = 0, purity = 0, right = 0, purity_squared = 0, purity_right = 0;
    void add(const Sums& other);
  };
  std::vector<Sums> sums_;  // of each record
  std::array<Sums, kPurityBins> bins_;
};

struct PurityOptions {
  int64_t batch = 32;
  uint64_t seed = 0;
  std::function<void(int64_t records)> on_progress = [](int64_t) {};
};

// At time t, 1..T. The set must fit the model (check_fits). Throws vq::Error: no such time, guesses
// that are not numbers.
Purity purity_at(const DiffusionModel& model, const TokenSet& set, int time,
                 const PurityOptions& options);

// Throws vq::Error unless the time is one of the model's.
void check_time(const DiffusionModel& model, int time);

// The paper's 20, 50 and 80 of 100 as times of T: rounded, at least 1, each once.
std::vector<int> figure_times(int timesteps);

}  // namespace vq
