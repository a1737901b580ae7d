#include "tools/sample_batches.h"

#include <cstdio>

#include "formats/error.h"
#include "tools/cli/run.h"

namespace vq {

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  char rest = 0;
  unsigned long long i = 0, n = 0;
  const bool digits =
      text.find_first_not_of("0123456789/") == std::string::npos && text.size() < 24;
  if (!digits || std::sscanf(text.c_str(), "%llu/%llu%c", &i, &n, &rest) != 2 || i >= n) {
    throw Error::usage("--shard", "'" + text + "' is not I/N with 0 <= I < N");
  }
  return {i, n};
}

SampleBatches::SampleBatches(const DiffusionModel& model, JobOptions options,
                             const BatchOptions& how, SampleOutput& output, cli::Progress& progress)
    : model_(model), options_(std::move(options)), how_(how), output_(output), progress_(progress) {
  if (!output_.traces()) return;
  options_.each_step = [this](int step, const Job& job, const std::vector<int32_t>& tokens) {
    output_.trace(step, job, tokens);
  };
}

void SampleBatches::add(const Prompt& prompt, const std::string& where,
                        const std::vector<int32_t>& start) {
  for (int64_t copy = 0; copy < how_.count; ++copy, ++next_) {
    if (next_ % how_.shard.count != how_.shard.index) continue;
    try {
      waiting_.push_back(
          make_job(model_.condition(), prompt, options_.sampler.seed, next_, copy, how_.count));
    } catch (const Error& e) {
      throw e.within(where);
    }
    waiting_.back().record.tokens = start;
    if (static_cast<int64_t>(waiting_.size()) >= how_.batch) sample_waiting();
  }
  say_unknown_characters(prompt.text, where);
}

void SampleBatches::sample_waiting() {
  const AutocastScope autocast(model_.device(), how_.precision);
  sample_jobs(model_, options_, waiting_);
  output_.write(waiting_);
  progress_.update(done_ += waiting_.size());
  waiting_.clear();
}

// Once for a prompt that many grids share.
void SampleBatches::say_unknown_characters(const std::string& text, const std::string& where) {
  const Tokenizer& tokenizer = model_.condition().tokenizer();
  if (!tokenizer || text == last_unknown_ || tokenizer.knows(text)) return;
  cli::note(where + ": holds characters the model never saw: " + text);
  last_unknown_ = text;
}

}  // namespace vq
