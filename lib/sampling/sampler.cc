#include "lib/sampling/sampler.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/sampling/draw.h"
#include "lib/sampling/run.h"

namespace vq {
namespace {

void check(const DiffusionModel& model, const Request& request, const SamplerOptions& options) {
  const auto& sizes = model.config().denoiser;
  const auto rows = static_cast<int64_t>(request.records.size());
  const auto fits = [&](const at::Tensor& t) {
    return !t.defined() ||
           (t.dim() == 2 && t.size(0) == rows && t.size(1) == sizes.grid_height * sizes.grid_width);
  };
  if (rows == 0) throw Error("", "there are no records to sample");
  if (!fits(request.tokens) || !fits(request.frozen))
    throw Error("", "the grid to start from is not of the model's size");
  if (request.time > model.schedule().timesteps())
    throw Error("", "the time to start from lies beyond the model's last step");
  if (options.one_step_posterior &&
      (options.spacing != Spacing::even || options.order != Order::ancestral ||
       request.tokens.defined())) {
    throw Error::usage("--stride-posterior",
                       "one-step goes with --order ancestral and even spacing only, from nothing");
  }
  if (!options.guidance.on_posterior || options.guidance.off()) return;
  if (options.order != Order::ancestral)
    throw Error::usage("--guide", "guidance on the posterior goes with --order ancestral only");
  const Truncation& t = options.truncation;
  if (t.top_p < 1 || t.top_k > 0 || t.temperature != 1) {
    throw Error::usage("--guide",
                       "guidance on the posterior goes without truncation and temperature");
  }
}

}  // namespace

const std::vector<std::string>& order_words() {
  static const std::vector<std::string> words = {
      "ancestral", "random", "purity", "confidence", "halton", "first-hitting", "remask"};
  return words;
}

Order parse_order(const std::string& word) {
  const auto& words = order_words();
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    throw Error::usage("--order", "'" + word +
                                      "' is not one of ancestral, random, purity, confidence, "
                                      "halton, first-hitting, remask");
  }
  return static_cast<Order>(found - words.begin());
}

void SamplingRun::set_masked(const at::Tensor& now) {
  masked = now;
  const at::Tensor counts = masked.sum(1).contiguous();
  masks.assign(counts.const_data_ptr<int64_t>(), counts.const_data_ptr<int64_t>() + rows());
}

void SamplingRun::read_masked() { set_masked(x.eq(mask()).to(at::kCPU)); }

std::vector<double> SamplingRun::times() const {
  const int whole = options.steps > 0 ? options.steps : model.schedule().timesteps();
  const double share = from / model.schedule().timesteps();
  const int steps = std::max(1, static_cast<int>(std::lround(whole * share)));
  std::vector<double> list = model.schedule().sampling_times(steps, options.spacing);
  for (double& t : list) t *= share;
  return list;
}

UniformGrid SamplingRun::noise(Purpose purpose, int step) const {
  return uniform_grid(options.seed, purpose, records, static_cast<uint32_t>(step), length());
}

UniformGrid SamplingRun::noise_there(Purpose purpose, int step) const {
  if (plugin != nullptr) {
    const std::vector<int64_t> signed_records(records.begin(), records.end());  // the same 64 bits
    const at::Tensor record = upload(at::tensor(signed_records, at::kLong), device());
    const at::Tensor both =
        plugin->uniforms(options.seed, static_cast<uint32_t>(purpose), static_cast<uint32_t>(step),
                         record.unsqueeze(1).expand({rows(), length()}).flatten(),
                         at::arange(length(), x.options()).repeat({rows()}));
    return {both[0].view_as(x), both[1].view_as(x)};
  }
  const UniformGrid grid = noise(purpose, step);
  return {upload(grid.first, device()), upload(grid.second, device())};
}

Question SamplingRun::about(const at::Tensor& cells, const std::vector<double>& times) const {
  Question question{x, times, upload(cells, device()), std::vector<int64_t>(masks.size()), {}};
  const int64_t* const numbers = cells.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < cells.numel(); ++i)
    ++question.chosen_of_row[static_cast<size_t>(numbers[i] / length())];
  for (const int64_t count : masks)
    question.mask_share.push_back(static_cast<double>(count) / static_cast<double>(length()));
  return question;
}

Question SamplingRun::about(const at::Tensor& cells, double time) const {
  return about(cells, std::vector<double>(masks.size(), time));
}

at::Tensor SamplingRun::draw(const Question& question, const at::Tensor& uniforms) const {
  std::vector<at::Tensor> blocks;
  guess.each_block(question, [&](int64_t first, const Guess::Both& logits) {
    const int64_t count = logits.conditioned.size(0);
    blocks.push_back(
        draw_guess(logits, options.truncation, uniforms.narrow(0, first, count), plugin));
  });
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks);
}

at::Tensor SamplingRun::draw_changes(const Question& question, const Transition& q,
                                     const at::Tensor& first, const at::Tensor& second) const {
  const at::Tensor x_t = x.flatten().index_select(0, question.chosen);
  std::vector<at::Tensor> blocks;
  guess.each_block(question, [&](int64_t begin, const Guess::Both& logits) {
    const int64_t count = logits.conditioned.size(0);
    const auto block = [&](const at::Tensor& all) { return all.narrow(0, begin, count); };
    blocks.push_back(draw_change(logits, options.truncation, q, block(x_t), block(first),
                                 block(second), plugin));
  });
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks);
}

void SamplingRun::put(const at::Tensor& chosen, const at::Tensor& tokens) {
  x = x.flatten().index_copy(0, chosen, tokens).view_as(x);
}

void SamplingRun::end_step(int step) const {
  if (each_step) each_step(step + 1, x);
}

at::Tensor highest(const at::Tensor& scores, const at::Tensor& candidates, const at::Tensor& n) {
  constexpr double never = -std::numeric_limits<double>::infinity();
  const at::Tensor open = scores.masked_fill(candidates.logical_not(), never);
  const at::Tensor order = at::argsort(open, /*stable=*/true, 1, /*descending=*/true);
  const at::Tensor places = at::arange(scores.size(1), order.options()).expand_as(order);
  const at::Tensor rank = at::empty_like(order).scatter(1, order, places);
  return rank.lt(n.unsqueeze(1)).logical_and(candidates);
}

void sample_in_order(SamplingRun& run) {
  switch (run.options.order) {
    case Order::ancestral:
      return sample_ancestral(run);
    case Order::first_hitting:
      return sample_first_hitting(run);
    case Order::remask:
      return sample_remasking(run);
    default:
      return sample_by_count(run);
  }
}

at::Tensor sample(const DiffusionModel& model, const Request& request,
                  const SamplerOptions& options, SamplerReport* report,
                  const std::function<void(int, const at::Tensor&)>& each_step) {
  const at::NoGradGuard no_grad;
  check(model, request, options);
  const auto& sizes = model.config().denoiser;
  const std::vector<int64_t> shape = {static_cast<int64_t>(request.records.size()),
                                      sizes.grid_height * sizes.grid_width};
  const at::Tensor start = request.tokens.defined()
                               ? request.tokens.to(at::kCPU)
                               : at::full(shape, model.denoiser().mask(), at::kLong);
  const at::Tensor frozen =
      request.frozen.defined() ? request.frozen.to(at::kCPU) : at::zeros(shape, at::kBool);
  const double from = request.time < 0 ? model.schedule().timesteps() : request.time;
  SamplingRun run{model,
                  options,
                  request.records,
                  each_step,
                  Guess(model, request.prepared, options.guidance, options.null, request.negative,
                        options.reuse),
                  upload(start, model.device()),
                  frozen,
                  from};
  run.set_masked(start.eq(run.mask()));
  if (run.masked.logical_and(frozen).any().item<bool>())
    throw Error("", "a [mask] of the grid to start from is not to change");
  if (run.x.is_cuda()) run.plugin = cuda_plugin();
  if (from > 0) sample_in_order(run);
  if (report != nullptr) report->network_calls += run.guess.calls();
  return run.x;
}

}  // namespace vq
