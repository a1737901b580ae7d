// Prompts -> records: what is asked of each record of a run, and the batch that answers.
//
// A run asks for `count` records a prompt, numbered through; the number selects the noise, so a
// record does not depend on which others are sampled with it, or on which shard of the run it
// belongs to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/prompts.h"
#include "formats/token_grid.h"
#include "lib/diffusion/model.h"
#include "lib/sampling/sampler.h"
#include "lib/sampling/windows.h"

namespace vq {

struct Job {
  uint64_t number = 0;            // of the record in the run
  TokenRecord record;             // key and JSON; its tokens are where it starts, or none; then
                                  // what was sampled
  std::vector<int64_t> prepared;  // what the condition makes of the prompt
};

// Record `number`, the `copy`-th of `count` for this prompt. The key is the prompt's, with the copy
// behind it when there are several, or else the number in six digits. The JSON says caption, label,
// seed and what the prompt had besides. Throws vq::Error: no such class, a label for a model of
// captions.
Job make_job(const Condition& condition, const Prompt& prompt, uint64_t seed, uint64_t number,
             int64_t copy, int64_t count);

// The prompt that a record of a token grid was made for: its class where the model takes classes,
// else its caption (the first of several), or nothing.
Prompt prompt_of(const TokenRecord& record, const Condition& condition);

// Grids larger than the model's, made window by window (windows.h).
struct Canvas {
  int64_t height = 0, width = 0;  // 0: the model's own size, one window
  Area given;                     // where the tokens lie that a record starts from
  std::vector<Area> windows;      // of plan_windows()
};

struct JobOptions {
  SamplerOptions sampler;
  Canvas canvas;
  std::vector<int64_t> negative;  // a prepared condition, or empty
  std::vector<bool> free;         // of records that start from tokens: the cells made anew;
                                  // empty: those that are [mask], or all when strength is below 1
  double strength = 1;            // 1 with a canvas
  std::function<void(int step, const Job& job, const std::vector<int32_t>& tokens)> each_step;
};

// Samples them as one batch and fills in their tokens. Either all start from tokens or none.
void sample_jobs(const DiffusionModel& model, const JobOptions& options, std::vector<Job>& jobs);

}  // namespace vq
