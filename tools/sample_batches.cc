#include "tools/sample_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "formats/error.h"
#include "tools/cli/run.h"

namespace vq {

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
    if (!how_.shard.holds(next_)) continue;
    try {
      waiting_.push_back(
          make_job(model_.condition(), prompt, options_.sampler.seed, next_, copy, how_.count));
    } catch (const Error& e) {
      throw e.within(where);
    }
    if (waiting_.size() == 1) since_ = std::chrono::steady_clock::now();
    waiting_.back().record.tokens = start;
    if (static_cast<int64_t>(waiting_.size()) >= how_.batch) sample_waiting();
  }
  say_unheard(prompt.text, where);
}

void SampleBatches::sample_waiting() {
  const AutocastScope autocast(model_.device(), how_.precision);
  sample_jobs(model_, options_, waiting_);
  output_.write(waiting_);
  progress_.update(done_ += waiting_.size());
  waiting_.clear();
}

double SampleBatches::patience(double most) const {
  if (waiting_.empty()) return most;
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - since_;
  return std::max(0.0, most - waited.count());
}

// Once for a prompt that many grids share.
void SampleBatches::say_unheard(const std::string& text, const std::string& where) {
  const Condition& condition = model_.condition();
  const Tokenizer& tokenizer = condition.tokenizer();
  if (!tokenizer || text == last_said_) return;
  last_said_ = text;
  if (!tokenizer.knows(text)) cli::note(where + ": holds characters the model never saw: " + text);
  const int64_t needs = tokenizer.count(text), hears = condition.config().text_length();
  if (needs > hears) {
    cli::detail(fmt::format("{}: the model hears the first {} of {} text tokens: {}", where, hears,
                            needs, text));
  }
}

}  // namespace vq
