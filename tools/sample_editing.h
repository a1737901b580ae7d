// The options of vq-sample that start from grids that are there: which grids, which of their cells
// are made anew, and with which prompts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/prompts.h"
#include "formats/token_grid.h"
#include "lib/sampling/jobs.h"
#include "tools/cli/run.h"

namespace vq {

// Variables of the options.
struct EditingArgs {
  std::string init, mask, extend;
  int64_t mask_grow = 0, overlap = 0;
  double strength = 1;
};

std::vector<cli::Option> editing_rows(EditingArgs& args);

// Usage errors that need no file. `prompts`: how many --prompt gave.
void check_editing(const cli::Context& context, const EditingArgs& args, size_t prompts);

// Fills in what the options say about where a run starts; `init`: the header of --init, or null.
// Throws vq::Error for what does not go with this model or this order.
void set_editing(const EditingArgs& args, const DiffusionModel& model, const GridHeader* init,
                 JobOptions& options);

// The grids of --init, one after the other.
class InitGrids {
 public:
  // Throws vq::Error when they are not of the model's size, codebook or codec, or hold nothing that
  // these options would make anew. `for_all`: a prompt in place of the records' own, or null.
  InitGrids(const EditingArgs& args, const DiffusionModel& model, const std::string& model_file,
            const Prompt* for_all);

  const GridHeader& header() { return grids_.header(); }
  // The prompt with the key and the further members of its record.
  bool next(Prompt& prompt, std::vector<int32_t>& tokens);
  // True when next() would not wait for input; after waiting for that so many seconds at most.
  bool ready(double seconds) { return grids_.ready(seconds); }
  std::string where() const { return grids_.where(); }
  // True when every grid was complete and no option freed a cell: nothing was done.
  bool idle() const { return idle_; }

 private:
  const DiffusionModel& model_;
  const Prompt* for_all_;
  TokenReader grids_;
  bool idle_;
};

}  // namespace vq
