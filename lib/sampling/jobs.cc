#include "lib/sampling/jobs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "formats/error.h"
#include "lib/sampling/editing.h"

namespace vq {
namespace {

// No text is no condition.
std::vector<int64_t> prepare(const Condition& condition, const Prompt& prompt) {
  if (prompt.text.empty()) return condition.prepare_null();
  switch (condition.config().kind) {
    case ConditionKind::none:
      return condition.prepare_null();
    case ConditionKind::label:
      return condition.prepare_label(condition.parse_label(prompt.text));
    case ConditionKind::caption:
      break;
  }
  if (prompt.is_label) throw Error("", "a label, but this model takes captions");
  return condition.prepare_caption(prompt.text);
}

}  // namespace

Job make_job(const Condition& condition, const Prompt& prompt, uint64_t seed, uint64_t number,
             int64_t copy, int64_t count) {
  Job job;
  job.number = number;
  job.prepared = prepare(condition, prompt);
  TokenRecord& record = job.record;
  record.key = fmt::format("{:06}", number);
  if (!prompt.key.empty())
    record.key = count == 1 ? prompt.key : fmt::format("{}-{}", prompt.key, copy);
  const ConditionConfig& config = condition.config();
  const bool asked = !prompt.text.empty();
  if (asked && config.kind == ConditionKind::caption) record.more["caption"] = prompt.text;
  if (asked && config.kind == ConditionKind::label) {
    record.more["caption"] = config.classes[static_cast<size_t>(job.prepared[0])];
    record.more["label"] = job.prepared[0];
  }
  record.more["seed"] = seed;
  for (const auto& [name, value] : prompt.more.items()) record.more[name] = value;
  return job;
}

namespace {

std::string text_of(const Json& value, const TokenRecord& record) {
  if (!value.is_string()) throw Error(record.key, "its caption is not a text");
  return value.get<std::string>();
}

}  // namespace

Prompt prompt_of(const TokenRecord& record, const Condition& condition) {
  Prompt prompt;
  prompt.key = record.key;
  const Json& more = record.more;
  const auto has = [&](const char* name) { return more.contains(name) && !more[name].is_null(); };
  if (condition.config().kind == ConditionKind::label && has("label")) {
    prompt.text = more["label"].dump(), prompt.is_label = true;
  } else if (has("caption")) {
    prompt.text = text_of(more["caption"], record);
  } else if (has("captions") && more["captions"].is_array() && !more["captions"].empty()) {
    prompt.text = text_of(more["captions"][0], record);
  }
  return prompt;
}

namespace {

std::vector<int32_t> row_of(const at::Tensor& tokens, int64_t row) {
  const at::Tensor line = tokens[row].to(at::kCPU).to(at::kInt).contiguous();
  return {line.data_ptr<int32_t>(), line.data_ptr<int32_t>() + line.numel()};
}

// The cells that are there before the run, as the request wants them.
void start_jobs(const DiffusionModel& model, const JobOptions& options,
                const std::vector<Job>& jobs, Request& request) {
  std::vector<int64_t> flat, free;
  for (const Job& job : jobs) {
    flat.insert(flat.end(), job.record.tokens.begin(), job.record.tokens.end());
    if (!options.free.empty()) free.insert(free.end(), options.free.begin(), options.free.end());
  }
  const auto rows = static_cast<int64_t>(jobs.size());
  const at::Tensor tokens = at::tensor(flat, at::kLong).view({rows, -1});
  const at::Tensor freed = options.free.empty()
                               ? at::full_like(tokens, options.strength < 1, at::kBool)
                               : at::tensor(free, at::kLong).view({rows, -1}).to(at::kBool);
  const Start start = start_from(model.schedule(), tokens, freed, options.strength,
                                 options.sampler.seed, request.records);
  request.tokens = start.tokens, request.frozen = start.frozen, request.time = start.time;
}

// The canvas as it is before the first window: what the records bring in its place, the rest
// [mask].
at::Tensor empty_canvas(const DiffusionModel& model, const JobOptions& options,
                        const std::vector<Job>& jobs) {
  const Canvas& canvas = options.canvas;
  const int64_t mask = model.denoiser().mask();
  const at::Tensor all =
      at::full({static_cast<int64_t>(jobs.size()), canvas.height, canvas.width}, mask, at::kLong);
  const Area& given = canvas.given;
  for (size_t i = 0; i < jobs.size() && given.height > 0; ++i) {
    const std::vector<int32_t>& tokens = jobs[i].record.tokens;
    all[static_cast<int64_t>(i)]
        .narrow(0, given.row, given.height)
        .narrow(1, given.column, given.width)
        .copy_(at::tensor(tokens, at::kInt).view({given.height, given.width}));
  }
  if (options.free.empty()) return all.flatten(1);
  const std::vector<int64_t> free(options.free.begin(), options.free.end());
  return all.flatten(1).masked_fill(at::tensor(free, at::kLong).to(at::kBool), mask);
}

using EachStep = std::function<void(int, const at::Tensor&)>;

at::Tensor sample_request(const DiffusionModel& model, const JobOptions& options,
                          const std::vector<Job>& jobs, Request& request,
                          const EachStep& each_step) {
  const Canvas& canvas = options.canvas;
  if (canvas.height == 0) {
    if (!jobs[0].record.tokens.empty()) start_jobs(model, options, jobs, request);
    return sample(model, request, options.sampler, nullptr, each_step);
  }
  request.tokens = empty_canvas(model, options, jobs);
  return sample_windows(model, request, canvas.height, canvas.width, canvas.windows,
                        options.sampler, nullptr, each_step);
}

}  // namespace

void sample_jobs(const DiffusionModel& model, const JobOptions& options, std::vector<Job>& jobs) {
  if (jobs.empty()) return;
  std::vector<int64_t> flat;
  Request request;
  for (const Job& job : jobs) {
    flat.insert(flat.end(), job.prepared.begin(), job.prepared.end());
    request.records.push_back(job.number);
  }
  request.prepared = at::tensor(flat, at::kLong).view({static_cast<int64_t>(jobs.size()), -1});
  if (!options.negative.empty()) request.negative = at::tensor(options.negative, at::kLong);

  EachStep each_step;
  if (options.each_step) {
    each_step = [&](int step, const at::Tensor& x) {
      for (size_t i = 0; i < jobs.size(); ++i)
        options.each_step(step, jobs[i], row_of(x, static_cast<int64_t>(i)));
    };
  }
  const at::Tensor tokens = sample_request(model, options, jobs, request, each_step);
  for (size_t i = 0; i < jobs.size(); ++i)
    jobs[i].record.tokens = row_of(tokens, static_cast<int64_t>(i));
}

}  // namespace vq
