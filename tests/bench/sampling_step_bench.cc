// One sampling step of the ancestral order outside the network, part by part.
//
//   sampling_step_bench [THREADS [ROWS]]   reads lines "T STRIDE", answers each with a line of JSON
//
// From log_softmax to the draw the chosen rows go 256 at a time, as Guess::each_log_p() does it, or
// ROWS: how much of the time is fresh memory for large tables.
//
// T counts from 0 as the released code does: the step goes from time T + 1 to T + 1 - STRIDE, or 0.
// The sequence is that of sample_ancestral() and Guess::run() with random logits where the network
// would answer: its hidden states are there in full, its head gives the rows asked for. Everything
// else is timed, the log_softmax of those rows included. The state is random: as large a share of
// [mask] as the schedule has at that time. Sizes are those of the released models.
//
// The parts:
//   noise    two uniforms for every position
//   choose   which positions can change at all
//   gather   what the network is asked, and its hidden states at the chosen positions
//   guess    log_softmax of both branches' logits at the chosen positions
//   guide, truncate, draw
//   put      the tokens drawn go into the grid, and the step's tables back to the system

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "lib/diffusion/posterior.h"
#include "lib/random.h"
#include "lib/sampling/guidance.h"
#include "lib/sampling/truncation.h"

namespace {

using namespace vq;

constexpr int64_t kCodes = 4096, kLength = 1024, kRows = 4, kWidth = 1408, kTexts = 77, kText = 512;
constexpr int kTimesteps = 100;
constexpr double kGuidance = 5;
constexpr Truncation kTruncation{.top_p = 0.86};

// What lies between two calls is one part.
class Stopwatch {
 public:
  void end(const std::string& part) {
    const auto now = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - last_).count();
    const auto found = std::find_if(parts_.begin(), parts_.end(),
                                    [&](const auto& known) { return known.first == part; });
    if (found != parts_.end()) found->second += ms;
    if (found == parts_.end()) parts_.emplace_back(part, ms);
    last_ = std::chrono::steady_clock::now();
  }
  // The time in between is nobody's.
  void skip() { last_ = std::chrono::steady_clock::now(); }

  const std::vector<std::pair<std::string, double>>& parts() const { return parts_; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::vector<std::pair<std::string, double>> parts_;
};

// The network's part, made once.
struct Network {
  at::Tensor hidden = at::randn({2 * kRows * kLength, kWidth});
  at::Tensor conditioned = at::randn({kRows * kLength, kCodes});  // logits
  at::Tensor null = at::randn({kRows * kLength, kCodes});
  at::Tensor context = at::randn({kRows, kTexts, kText}), null_context = context.clone();
};

void step(const Network& network, int64_t block, int from, int stride, uint32_t number) {
  const Schedule schedule = Schedule::make("linear", kTimesteps, kCodes);
  const double t = from + 1, s = std::max(from + 1 - stride, 0);
  const Transition q = schedule.between(s, t);
  const at::Tensor masked = at::rand({kRows, kLength}) < schedule.gamma_bar(t);
  at::Tensor x = at::randint(kCodes, {kRows, kLength}, at::kLong).masked_fill(masked, kCodes);
  const at::Tensor open = at::ones({kRows * kLength}, at::kBool);

  Stopwatch watch;
  const UniformGrid noise = uniform_grid(1, Purpose::sample, {0, 1, 2, 3}, number, kLength);
  watch.end("noise");

  const at::Tensor first = noise.first.flatten(), second = noise.second.flatten();
  const at::Tensor flat = x.flatten();
  const at::Tensor chosen =
      open.logical_and(may_change(q, flat.eq(kCodes), first)).nonzero().squeeze(1);
  const int64_t rows = chosen.numel();
  watch.end("choose");

  if (rows > 0) {
    const auto [running, place] =
        at::_unique(at::floor_divide(chosen, kLength), /*sorted=*/true, /*return_inverse=*/true);
    const at::Tensor tokens = x.index_select(0, running);
    const at::Tensor share = tokens.eq(kCodes).to(at::kDouble).mean(1);
    const at::Tensor scale =
        at::full({share.numel()}, kGuidance, at::kDouble).index_select(0, place);
    const at::Tensor asked = at::cat({tokens, tokens});
    const at::Tensor texts = at::cat(
        {network.context.index_select(0, running), network.null_context.index_select(0, running)});
    const at::Tensor inside = place * kLength + chosen.remainder(kLength);
    const at::Tensor heads[] = {network.hidden.index_select(0, inside),
                                network.hidden.index_select(0, inside + tokens.numel())};
    const at::Tensor x_t = flat.index_select(0, chosen);
    const at::Tensor decide = first.index_select(0, chosen);
    const at::Tensor choose = second.index_select(0, chosen);
    watch.end("gather");

    std::vector<at::Tensor> drawn;
    for (int64_t from_row = 0; from_row < rows; from_row += block) {
      const auto part = [&](const at::Tensor& all) {
        return all.narrow(0, from_row, std::min(block, rows - from_row));
      };
      const at::Tensor logits[] = {network.conditioned.index_select(0, part(chosen)),
                                   network.null.index_select(0, part(chosen))};
      watch.skip();
      const at::Tensor conditioned = at::log_softmax(logits[0].to(at::kFloat), -1);
      const at::Tensor null = at::log_softmax(logits[1].to(at::kFloat), -1);
      watch.end("guess");
      const at::Tensor guided = guide(conditioned, null, part(scale));
      watch.end("guide");
      const at::Tensor p = truncate(guided, kTruncation);
      watch.end("truncate");
      drawn.push_back(draw_posterior(q, p, part(x_t), part(decide), part(choose)));
      watch.end("draw");
    }
    x = x.flatten().index_copy(0, chosen, at::cat(drawn)).view_as(x);
    watch.end("put");
  }

  double sum = 0;
  std::string parts;
  for (const auto& [name, ms] : watch.parts()) {
    sum += ms;
    parts += (parts.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(ms);
  }
  std::printf("{\"t\": %d, \"stride\": %d, \"chosen\": %lld, \"ms\": %.4f, \"parts\": {%s}}\n",
              from, stride, static_cast<long long>(rows), sum, parts.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 1) at::set_num_threads(std::max(1, std::atoi(argv[1])));
    const int64_t block = argc > 2 ? std::atoi(argv[2]) : 256;
    const at::NoGradGuard no_grad;
    at::manual_seed(1);
    const Network network;
    int from = 0, stride = 0;
    for (uint32_t number = 0; std::scanf("%d %d", &from, &stride) == 2; ++number) {
      step(network, block, from, stride, number);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sampling_step_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
