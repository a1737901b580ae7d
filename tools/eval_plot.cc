#include <charconv>

#include "formats/error.h"
#include "formats/image.h"
#include "formats/metrics_plot.h"
#include "tools/cli/run.h"
#include "tools/eval.h"

namespace vq {
namespace {

// "960x640".
void parse_size(const std::string& text, PlotOptions& options) {
  const char *begin = text.data(), *end = begin + text.size();
  const auto width = std::from_chars(begin, end, options.width);
  const bool has_x = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
  const auto height = std::from_chars(has_x ? width.ptr + 1 : end, end, options.height);
  const auto fits = [](int side) { return side >= kSmallestPlot && side <= kLargestPlot; };
  if (has_x && height.ec == std::errc() && height.ptr == end && fits(options.width) &&
      fits(options.height)) {
    return;
  }
  throw Error::usage("--plot-size",
                     "'" + text + "' is not WIDTHxHEIGHT, each from " +
                         std::to_string(kSmallestPlot) + " to " + std::to_string(kLargestPlot),
                     "for example --plot-size=960x640");
}

std::vector<PlotLine> read_lines(const std::vector<std::string>& paths, int64_t max_bad) {
  std::vector<PlotLine> lines;
  int64_t bad = 0;
  for (const std::string& path : paths) {
    Input input = Input::open(path);
    int64_t number = 0;
    for (std::string text; input.read_line(text);) {
      const std::string place = "line " + std::to_string(++number);
      if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
      try {
        Json values = parse_json(text, input.name() + ": " + place);
        if (!values.is_object()) throw Error(input.name() + ": " + place, "is not a JSON object");
        lines.push_back({std::move(values), input.name(), place});
      } catch (const Error& error) {
        if (++bad > max_bad) throw;
        cli::say(error.where() + ": " + error.message());
      }
    }
  }
  return lines;
}

}  // namespace

void check_eval_plot(const cli::Context& context, const EvalArgs& args) {
  for (const std::string& name : context.parsed.given) {
    bool fits = name == "plot" || name == "force" || name == "max-bad";
    for (const char* ours : kPlotOptions) fits = fits || name == ours;
    for (const char* common : {"quiet", "verbose", "progress"}) fits = fits || name == common;
    if (fits) continue;
    throw Error::usage("--" + name, "says nothing about a plot",
                       "--plot draws what was measured before, and measures nothing");
  }
  PlotOptions options;
  parse_size(args.plot_size, options);
  cli::refuse_terminal_output(args.plot, args.force);
  cli::refuse_terminal_input(context.operands);
}

void eval_plot(const cli::Context& context, const EvalArgs& args) {
  Output output = Output::open(args.plot, args.force);
  std::vector<std::string> paths = context.operands;
  if (paths.empty()) paths = {"-"};
  const MetricsPlot plot =
      metrics_plot(read_lines(paths, args.max_bad),
                   {args.plot_x, args.plot_y, args.plot_series, args.plot_panels});
  if (plot.left_out > 0) {
    cli::note("left out " + std::to_string(plot.left_out) +
              (plot.left_out == 1 ? " line" : " lines") +
              " without all fields; the first lacks \"" + plot.left_out_for + "\"");
  }
  PlotOptions options{.title = args.plot_title};
  parse_size(args.plot_size, options);
  output.write(encode_png(draw_plot(plot.panels, options)));
  output.close();
}

}  // namespace vq
