#include "lib/codec/codebook.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "formats/bytes.h"
#include "lib/random.h"

namespace vq {
namespace {

// Rows a product works on at once: bounds the (rows, K) table, and is never so few that the matrix
// library changes its kernel.
constexpr int64_t kRowsAtOnce = 4096, kFewestRows = 16;

at::Tensor nearest_of_rows(const at::Tensor& z, const at::Tensor& codes, const at::Tensor& half) {
  const int64_t rows = z.size(0);
  auto padded = rows < kFewestRows ? at::constant_pad_nd(z, {0, 0, 0, kFewestRows - rows}) : z;
  // argmin |z - e|^2 = argmin (|e|^2 / 2 - z.e)
  return at::addmm(half, padded, codes.t(), 1, -1).argmin(1).narrow(0, 0, rows);
}

// `n` row numbers below `rows`, drawn without repeats while there are enough rows.
at::Tensor random_rows(int64_t n, int64_t rows, uint64_t seed, uint32_t step) {
  auto picks = at::empty({n}, at::kLong);
  int64_t* out = picks.data_ptr<int64_t>();
  if (n <= rows) {
    const auto order = permutation(derive_seed(seed, "codebook rows"), step, rows);
    std::copy_n(order.begin(), n, out);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      const Counter at{static_cast<uint64_t>(i), step, 0};
      out[i] = static_cast<int64_t>(uniform(seed, Purpose::init, at) * static_cast<double>(rows));
    }
  }
  return picks;
}

}  // namespace

at::Tensor nearest_code(const at::Tensor& z, const at::Tensor& codes) {
  at::NoGradGuard no_grad;
  auto half = codes.pow(2).sum(1).div(2);
  if (z.size(0) <= kRowsAtOnce) return nearest_of_rows(z, codes, half);
  std::vector<at::Tensor> parts;
  for (const auto& part : z.split(kRowsAtOnce)) parts.push_back(nearest_of_rows(part, codes, half));
  return at::cat(parts);
}

at::Tensor draw_code(const at::Tensor& log_scores, const at::Tensor& uniforms) {
  const at::Tensor sums = log_scores.to(at::kDouble).exp().cumsum(1);
  const int64_t codes = sums.size(1);
  const at::Tensor target = uniforms.to(at::kDouble).unsqueeze(1) * sums.narrow(1, codes - 1, 1);
  return at::searchsorted(sums, target, /*out_int32=*/false, /*right=*/true)
      .squeeze(1)
      .clamp_max(codes - 1);
}

Quantised quantise(const at::Tensor& z, const at::Tensor& codes) {
  auto index = nearest_code(z.detach(), codes);
  auto chosen = codes.index_select(0, index);
  return {index, z + (chosen - z).detach(), (z - chosen).pow(2).mean()};
}

at::Tensor k_means(const at::Tensor& z, int64_t codes, int64_t rounds, uint64_t seed) {
  at::NoGradGuard no_grad;
  auto centres = z.index_select(0, random_rows(codes, z.size(0), seed, 0).to(z.device()));
  for (int64_t round = 1; round <= rounds; ++round) {
    auto index = nearest_code(z, centres);
    auto count = count_codes(index, codes);
    auto sum = at::zeros_like(centres).index_add_(0, index, z);
    auto mean = sum / count.clamp_min(1).to(z.scalar_type()).unsqueeze(1);
    auto spare = z.index_select(
        0, random_rows(codes, z.size(0), seed, static_cast<uint32_t>(round)).to(z.device()));
    centres = at::where((count > 0).unsqueeze(1), mean, spare);
  }
  return centres;
}

std::string codebook_identity(const at::Tensor& codes) {
  auto bytes = codes.detach().to(at::kCPU, at::kFloat).contiguous();
  return sha256(
      {static_cast<const uint8_t*>(bytes.data_ptr()), static_cast<size_t>(bytes.nbytes())});
}

at::Tensor count_codes(const at::Tensor& index, int64_t codes) {
  return at::bincount(index.reshape({-1}), {}, codes);
}

double code_perplexity(const at::Tensor& counts) {
  auto p = counts.to(at::kDouble) / counts.sum().to(at::kDouble).clamp_min(1e-300);
  return (-at::xlogy(p, p).sum()).exp().item<double>();
}

at::Tensor codes_by_use(const at::Tensor& counts) {
  auto order = std::get<1>(counts.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  return order.narrow(0, 0, (counts > 0).sum().item<int64_t>());
}

CodebookLearner::CodebookLearner(at::Tensor codes, const CodebookOptions& options)
    : codes_(std::move(codes)), options_(options) {
  count_ = at::ones({codes_.size(0)}, codes_.options());
  sum_ = codes_.detach().clone();
  idle_ = at::zeros({codes_.size(0)}, codes_.options());
}

void CodebookLearner::start(const at::Tensor& z, uint64_t seed) {
  at::NoGradGuard no_grad;
  codes_.copy_(k_means(z, codes_.size(0), 10, seed));
  count_.fill_(1);
  sum_.copy_(codes_);
  idle_.zero_();
  started_ = true;
}

int64_t CodebookLearner::update(const at::Tensor& z, const at::Tensor& index, bool restart,
                                uint64_t seed, int64_t step) {
  at::NoGradGuard no_grad;
  auto chosen = count_codes(index, codes_.size(0)).to(count_.scalar_type());
  const double keep = options_.decay;
  count_.mul_(keep).add_(chosen, 1 - keep);
  sum_.mul_(keep).add_(at::zeros_like(sum_).index_add_(0, index, z), 1 - keep);
  codes_.copy_(sum_ / count_.clamp_min(1e-5).unsqueeze(1));
  idle_.add_(1).masked_fill_(chosen > 0, 0);
  return restart && options_.restart_after > 0 ? restart_idle(z, index, seed, step) : 0;
}

int64_t CodebookLearner::restart_idle(const at::Tensor& z, const at::Tensor& index, uint64_t seed,
                                      int64_t step) {
  auto idle = (idle_ >= static_cast<double>(options_.restart_after)).nonzero().squeeze(1);
  const int64_t n = idle.size(0);
  if (n == 0) return 0;
  // Rows far from their code come first: each gets the key u^(1/weight), the largest keys win
  // (Efraimidis & Spirakis 2006), which is drawing without repeats in proportion to the weight.
  auto error = (z - codes_.index_select(0, index)).pow(2).sum(1).to(at::kCPU, at::kDouble);
  auto u = uniform_grid(seed, Purpose::init, {0}, static_cast<uint32_t>(step), z.size(0)).first[0];
  auto keys = u.log() / (error + 1e-12);
  const int64_t rows = std::min(n, z.size(0));
  auto picks = std::get<1>(keys.topk(rows)).to(z.device());
  idle = idle.narrow(0, 0, rows);
  // A light count: the restarted code moves fast to the middle of those who choose it.
  const double light = 2 * (1 - options_.decay);
  auto fresh = z.index_select(0, picks);
  codes_.index_copy_(0, idle, fresh);
  count_.index_fill_(0, idle, light);
  sum_.index_copy_(0, idle, fresh * light);
  idle_.index_fill_(0, idle, 0);
  return rows;
}

int64_t CodebookLearner::codes_used() const {
  return (idle_ < static_cast<double>(std::max<int64_t>(options_.restart_after, 1)))
      .sum()
      .item<int64_t>();
}

double CodebookLearner::perplexity() const { return code_perplexity(count_); }

std::vector<NamedTensor> CodebookLearner::state() const {
  return {{"codebook.count", count_},
          {"codebook.sum", sum_},
          {"codebook.idle", idle_},
          {"codebook.started", at::full({1}, started_ ? 1 : 0, at::kByte)}};
}

void CodebookLearner::load_state(const SafetensorsFile& file) {
  at::NoGradGuard no_grad;
  count_.copy_(load_tensor(file, "codebook.count"));
  sum_.copy_(load_tensor(file, "codebook.sum"));
  idle_.copy_(load_tensor(file, "codebook.idle"));
  started_ = load_tensor(file, "codebook.started").item<uint8_t>() != 0;
}

}  // namespace vq
