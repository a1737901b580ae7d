#include "lib/sampling/jobs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

std::vector<int64_t> prepare(const Condition& condition, const Prompt& prompt) {
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
  if (config.kind == ConditionKind::caption) record.more["caption"] = prompt.text;
  if (config.kind == ConditionKind::label) {
    record.more["caption"] = config.classes[static_cast<size_t>(job.prepared[0])];
    record.more["label"] = job.prepared[0];
  }
  record.more["seed"] = seed;
  for (const auto& [name, value] : prompt.more.items()) record.more[name] = value;
  return job;
}

void sample_jobs(const DiffusionModel& model, const SamplerOptions& options,
                 std::vector<Job>& jobs) {
  if (jobs.empty()) return;
  std::vector<int64_t> flat;
  std::vector<uint64_t> numbers;
  for (const Job& job : jobs) {
    flat.insert(flat.end(), job.prepared.begin(), job.prepared.end());
    numbers.push_back(job.number);
  }
  const at::Tensor prepared =
      at::tensor(flat, at::kLong).view({static_cast<int64_t>(jobs.size()), -1});
  const at::Tensor tokens = sample(model, prepared, options, numbers).to(at::kCPU).contiguous();
  const int64_t* row = tokens.data_ptr<int64_t>();
  for (Job& job : jobs) {
    job.record.tokens.assign(row, row + tokens.size(1));
    row += tokens.size(1);
  }
}

}  // namespace vq
