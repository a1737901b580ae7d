#include "lib/scoring/purity.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/random.h"
#include "lib/scoring/noised_records.h"

namespace vq {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kNoSpread = 1e-14;  // what rounding leaves of the variance of equal numbers

// The masked positions of a batch, whose first row is record `first`, a part at a time.
void add_masked(const DiffusionModel& model, const NoisedBatch& batch, int64_t first,
                PurityTable& table) {
  const int64_t length = batch.x_0.size(1), k = model.denoiser().mask();
  const at::Tensor hidden = batch.hidden.flatten(0, 1), truth = batch.x_0.flatten();
  const at::Tensor masked = batch.x_t.flatten().eq(k).nonzero().squeeze(1);
  for (const at::Tensor& part : masked.split(rows_at_once(k))) {
    if (part.numel() == 0) continue;
    const auto [log_most, best] = log_guess(model, hidden.index_select(0, part)).max(1);
    const at::Tensor purity = log_most.exp().to(at::kCPU).contiguous();
    const at::Tensor right = best.eq(truth.index_select(0, part)).to(at::kCPU).contiguous();
    const at::Tensor where = part.to(at::kCPU).contiguous();
    for (int64_t i = 0; i < part.numel(); ++i) {
      table.add(first + where.data_ptr<int64_t>()[i] / length, purity.data_ptr<double>()[i],
                right.data_ptr<bool>()[i]);
    }
  }
}

}  // namespace

void PurityTable::Sums::add(const Sums& other) {
  count += other.count, purity += other.purity, right += other.right;
  purity_squared += other.purity_squared, purity_right += other.purity_right;
}

void PurityTable::add(int64_t record, double purity, bool right) {
  if (!std::isfinite(purity)) throw Error("", "the model's guesses are not numbers");
  const double hit = right ? 1 : 0;
  const Sums one{1, purity, hit, purity * purity, purity * hit};
  sums_[static_cast<size_t>(record)].add(one);
  const int bin = std::clamp(static_cast<int>(purity * kPurityBins), 0, kPurityBins - 1);
  bins_[static_cast<size_t>(bin)].add(one);
}

Purity PurityTable::finish() const {
  Purity result;
  Sums all;
  for (const Sums& record : sums_) {
    all.add(record);
    result.records += record.count > 0;
  }
  for (size_t i = 0; i < bins_.size(); ++i) {
    const Sums& bin = bins_[i];
    result.bins[i] = {static_cast<int64_t>(bin.count), bin.purity / bin.count,
                      bin.right / bin.count};
  }
  const double n = all.count, x = all.purity / n, y = all.right / n;
  result.positions = static_cast<int64_t>(n);
  result.purity = x, result.accuracy = y;
  result.correlation = result.error = kNone;
  const double xx = all.purity_squared / n - x * x, yy = y - y * y;
  if (!(xx > kNoSpread && yy > kNoSpread)) return result;
  const double r = (all.purity_right / n - x * y) / std::sqrt(xx * yy);
  result.correlation = r;

  // A position's influence on r is zx zy - r (zx^2 + zy^2) / 2 with standardised zx and zy.
  double squares = 0;
  for (const Sums& s : sums_) {
    const double about_xx = s.purity_squared - 2 * x * s.purity + s.count * x * x;
    const double about_yy = s.right - 2 * y * s.right + s.count * y * y;
    const double about_xy = s.purity_right - x * s.right - y * s.purity + s.count * x * y;
    const double influence =
        about_xy / std::sqrt(xx * yy) - r / 2 * (about_xx / xx + about_yy / yy);
    squares += influence * influence;
  }
  const auto records = static_cast<double>(result.records);
  if (result.records > 1) result.error = std::sqrt(squares * records / (records - 1)) / n;
  return result;
}

void check_time(const DiffusionModel& model, int time) {
  const int timesteps = model.schedule().timesteps();
  if (time >= 1 && time <= timesteps) return;
  throw Error("--timesteps", fmt::format("{} is not one of the model's 1..{}", time, timesteps));
}

Purity purity_at(const DiffusionModel& model, const TokenSet& set, int time,
                 const PurityOptions& options) {
  check_time(model, time);
  const NoisedRecords noised(model, set, derive_seed(options.seed, "purity"));
  PurityTable table(set.size());
  for (int64_t at = 0; at < set.size(); at += options.batch) {
    const int64_t end = std::min(set.size(), at + options.batch);
    std::vector<NoisedRow> rows;
    for (int64_t i = at; i < end; ++i) rows.push_back({i, time, static_cast<uint32_t>(time)});
    add_masked(model, noised(rows), at, table);
    options.on_progress(end);
  }
  return table.finish();
}

std::vector<int> figure_times(int timesteps) {
  std::vector<int> times;
  for (const double share : {0.2, 0.5, 0.8}) {
    const int time = std::max(1, static_cast<int>(std::lround(share * timesteps)));
    if (times.empty() || times.back() != time) times.push_back(time);
  }
  return times;
}

}  // namespace vq
