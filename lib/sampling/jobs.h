// Prompts -> records: what is asked of each record of a run, and the batch that answers.
//
// A run asks for `count` records a prompt, numbered through; the number selects the noise, so a
// record does not depend on which others are sampled with it, or on which shard of the run it
// belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/prompts.h"
#include "formats/token_grid.h"
#include "lib/diffusion/model.h"
#include "lib/sampling/sampler.h"

namespace vq {

struct Job {
  uint64_t number = 0;            // of the record in the run
  TokenRecord record;             // key and JSON; tokens once it is sampled
  std::vector<int64_t> prepared;  // what the condition makes of the prompt
};

// Record `number`, the `copy`-th of `count` for this prompt. The key is the prompt's, with the copy
// behind it when there are several, or else the number in six digits. The JSON says caption, label,
// seed and what the prompt had besides. Throws vq::Error: no such class, a label for a model of
// captions.
Job make_job(const Condition& condition, const Prompt& prompt, uint64_t seed, uint64_t number,
             int64_t copy, int64_t count);

// Samples them as one batch and fills in their tokens.
void sample_jobs(const DiffusionModel& model, const SamplerOptions& options,
                 std::vector<Job>& jobs);

}  // namespace vq
