// The parts of vq-eval: pictures judged by pictures or by their captions, a diffusion model judged
// by tokens, tokens by themselves, and plots of what they found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "tools/cli/run.h"

namespace vq {

// Variables of the options.
struct EvalArgs {
  std::vector<std::string> metrics = {"fid"};
  std::string model, network, output = "-", device = "cpu", dtype = "fp32";
  std::string resize = "center", timesteps;
  std::string fid_mode = "clean", network_range = "signed", save_stats;
  std::string clip, clip_merges, lpips, checker;
  int64_t batch = 32, max_bad = 0, seed = 0, sample = 10000;
  int size = 0, threads = 0, draws = 4, neighbours = 5, components = 7;
  bool table = false, force = false;
  std::string plot, plot_x, plot_y = "value", plot_series, plot_panels, plot_title;
  std::string plot_size = "960x640";

  bool wants(const std::string& metric) const;
};

// They do something with --plot only.
inline constexpr const char* kPlotOptions[] = {"x-axis", "y-axis", "series",
                                               "panels", "title",  "plot-size"};

// Usage errors, before anything is opened.
void check_eval_pictures(const cli::Context& context, const EvalArgs& args);
void check_eval_model(const cli::Context& context, const EvalArgs& args);
void check_eval_usage(const cli::Context& context, const EvalArgs& args);
void check_eval_clip(const cli::Context& context, const EvalArgs& args);
void check_eval_caption(const cli::Context& context, const EvalArgs& args);
void check_eval_plot(const cli::Context& context, const EvalArgs& args);

// The results, each a JSON object (formats/metrics.h).
std::vector<Json> eval_pictures(const cli::Context& context, const EvalArgs& args);
// Describes the one set of pictures in a file.
void save_statistics(const cli::Context& context, const EvalArgs& args, Output output);
std::vector<Json> eval_model(const cli::Context& context, const EvalArgs& args);
std::vector<Json> eval_usage(const cli::Context& context, const EvalArgs& args);
std::vector<Json> eval_clip(const cli::Context& context, const EvalArgs& args);
std::vector<Json> eval_caption(const cli::Context& context, const EvalArgs& args);
// Draws JSON lines instead.
void eval_plot(const cli::Context& context, const EvalArgs& args);

}  // namespace vq
