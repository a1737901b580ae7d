// One whole sampling step of the ancestral order, network included, with random weights of the
// released models' shape: captions of 77 x 512 features, guidance, top-p.
//
//   denoiser_step_bench THREADS SIZE DTYPE [DEVICE]
//
// SIZE is tiny, base or large; DTYPE fp32, bf16, int8 or auto; DEVICE as --device takes it.
//
// Reads lines "BATCH T", answers each with a line of JSON: milliseconds of the step and of the
// network in it, and the process's largest memory so far. T counts from 0 as the released code
// does. The first line of all is about the model: seconds to make it ready, and its weights.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib/diffusion/engine.h"
#include "lib/diffusion/posterior.h"
#include "lib/random.h"
#include "lib/runtime/device.h"
#include "lib/sampling/draw.h"

namespace {

using namespace vq;
using Clock = std::chrono::steady_clock;

constexpr int64_t kTexts = 77, kText = 512;
constexpr int kTimesteps = 100;
constexpr double kGuidance = 5;
constexpr Truncation kTruncation{.top_p = 0.86};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// VmHWM, in MiB.
double largest_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  return 0;
}

DenoiserConfig config_of(const std::string& size) {
  DenoiserConfig c;
  c.condition = ConditionKind::caption, c.context_width = kText, c.timesteps = kTimesteps;
  c.grid_height = c.grid_width = size == "tiny" ? 16 : 32;
  c.layers = size == "tiny" ? 8 : size == "base" ? 19 : 36;
  c.width = size == "tiny" ? 256 : size == "base" ? 1024 : 1408;
  c.heads = size == "tiny" ? 8 : 16;
  c.codebook_size = size == "tiny" ? 1024 : size == "base" ? 2887 : 4096;
  return c;
}

struct Net {
  Parameters parameters{1};
  Denoiser denoiser;
  Schedule schedule;
  std::unique_ptr<DenoiserEngine> engine;
  double network_ms = 0;

  at::Device device;

  Net(const DenoiserConfig& c, Precision precision, at::Device device)
      : denoiser(parameters, c),
        schedule(Schedule::make("linear", kTimesteps, static_cast<int>(c.codebook_size))),
        device(device) {
    parameters.set_requires_grad(false);
    parameters.to(device, at::kFloat);
    engine = DenoiserEngine::make(denoiser, device, precision);
    if (engine) engine->finish();
  }

  // Logits at the chosen positions of both branches.
  at::Tensor logits(const at::Tensor& x_t, int64_t t, const Features& features,
                    const DenoiserEngine::Prepared& prepared, const at::Tensor& chosen) {
    const auto start = Clock::now();
    at::Tensor out;
    if (engine) {
      out =
          engine->head(engine->hidden(x_t, std::vector<int64_t>(x_t.size(0), t), prepared, chosen));
    } else {
      const at::Tensor hidden =
          denoiser.hidden(x_t, at::full({x_t.size(0)}, t, x_t.options()), features).flatten(0, 1);
      out = denoiser.head(hidden.index_select(0, chosen));
    }
    if (!device.is_cpu()) out.narrow(0, 0, 1).cpu();  // waits for it, as the peer does
    network_ms += 1000 * seconds_since(start);
    return out;
  }
};

// Grids as the schedule has them at time t + 1.
void step(Net& net, const Features& features, const DenoiserEngine::Prepared& prepared,
          int64_t batch, int t, uint32_t number) {
  const DenoiserConfig& c = net.denoiser.config();
  const int64_t codes = c.codebook_size, length = c.grid_height * c.grid_width;
  const at::Tensor masked = at::rand({batch, length}) < net.schedule.gamma_bar(t + 1);
  const at::Tensor x = at::randint(codes, {batch, length}, at::kLong).masked_fill(masked, codes);
  std::vector<uint64_t> records(static_cast<size_t>(batch));
  for (size_t i = 0; i < records.size(); ++i) records[i] = i;

  const at::Tensor before = upload(x, net.device);
  before.cpu();
  const auto start = Clock::now();
  net.network_ms = 0;
  const UniformGrid noise = uniform_grid(1, Purpose::sample, records, number, length);
  const at::Tensor first = noise.first.flatten(), second = noise.second.flatten();
  const Transition q = net.schedule.between(t, t + 1);
  const at::Tensor cells = may_change(q, masked.flatten(), first).nonzero().squeeze(1);
  const int64_t rows = cells.numel();
  if (rows > 0) {
    const auto there = [&](const at::Tensor& uniforms) {
      return upload(uniforms.index_select(0, cells), net.device);
    };
    const at::Tensor chosen = upload(cells, net.device), both = at::cat({before, before});
    const at::Tensor logits =
        net.logits(both, t, features, prepared, at::cat({chosen, chosen + x.numel()}));
    Guess::Both guess;
    guess.conditioned = logits.narrow(0, 0, rows), guess.null = logits.narrow(0, rows, rows);
    guess.scale = upload(at::full({rows}, kGuidance, at::kDouble), net.device);
    const at::Tensor drawn =
        draw_change(guess, kTruncation, q, before.flatten().index_select(0, chosen), there(first),
                    there(second), net.device.is_cuda() ? cuda_plugin() : nullptr);
    before.flatten().index_copy(0, chosen, drawn).view_as(x).cpu();
  }
  std::printf(
      "{\"t\": %d, \"batch\": %lld, \"chosen\": %lld, \"ms\": %.3f, \"network_ms\": %.3f, "
      "\"peak_mib\": %.0f}\n",
      t, static_cast<long long>(batch), static_cast<long long>(rows), 1000 * seconds_since(start),
      net.network_ms, largest_memory());
  std::fflush(stdout);
}

void serve(const std::string& size, Precision precision, at::Device device) {
  const auto start = Clock::now();
  Net net(config_of(size), precision, device);
  std::printf("{\"weights\": %lld, \"ready_seconds\": %.2f, \"engine\": %s}\n",
              static_cast<long long>(net.parameters.count()), seconds_since(start),
              net.engine ? "true" : "false");
  std::fflush(stdout);
  const AutocastScope autocast(device, precision);
  long long batch = 0;
  int t = 0;
  Features features;
  DenoiserEngine::Prepared prepared;
  for (uint32_t number = 0; std::scanf("%lld %d", &batch, &t) == 2; ++number) {
    if (!features.context.defined() || features.context.size(0) != 2 * batch) {
      features.context = at::randn({2 * batch, kTexts, kText}).to(device);
      if (net.engine) prepared = net.engine->prepare(features);
    }
    step(net, features, prepared, batch, t, number);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 4) throw std::runtime_error("wants THREADS SIZE DTYPE [DEVICE]");
    const at::Device device = open_device(argc > 4 ? argv[4] : "cpu");
    start_computing(std::max(1, std::atoi(argv[1])));
    const at::NoGradGuard no_grad;
    at::manual_seed(1);
    serve(argv[2], choose_precision(argv[3], device), device);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "denoiser_step_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
