#include "tools/sample_editing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "formats/error.h"
#include "formats/image.h"
#include "lib/sampling/editing.h"

namespace vq {

std::vector<cli::Option> editing_rows(EditingArgs& args) {
  const char* group = "Editing";
  return {{.name = "init",
           .value = "TOKENS",
           .help = "start from these grids instead of nothing",
           .target = &args.init,
           .group = group,
           .more = "Their [mask] cells are filled, the others stay; --mask and --strength free "
                   "more. Each record brings its own prompt, unless --prompt gives one for all."},
          {.name = "mask",
           .value = "FILE",
           .help = "picture: cells of --init under bright pixels are made anew",
           .target = &args.mask,
           .group = group,
           .more = "One for all records, of any size; any pixel brighter than middle grey frees "
                   "its cell."},
          {.name = "mask-grow",
           .value = "N",
           .help = "free this many cells around --mask too",
           .target = &args.mask_grow,
           .min = 0,
           .max = 65536,
           .group = group},
          {.name = "strength",
           .value = "F",
           .help = "how much of --init is forgotten where it is free",
           .target = &args.strength,
           .min = 0.001,
           .max = 1,
           .group = group,
           .more = "Below 1 the run starts from noise added to --init up to the share F of the "
                   "model's time, which gives variations; without --mask everywhere. It takes "
                   "the share F of the steps."},
          {.name = "extend",
           .value = "HxW[+ROW+COLUMN]",
           .help = "make grids of this size, window by window",
           .target = &args.extend,
           .group = group,
           .more = "Cells, not pixels. --init lies in the middle, or with its first cell at ROW, "
                   "COLUMN, and may have any size that fits."},
          {.name = "overlap",
           .value = "N",
           .help = "cells that windows of --extend share, 0: half",
           .target = &args.overlap,
           .min = 0,
           .max = 65536,
           .group = group}};
}

namespace {

struct Extent {
  int64_t height = 0, width = 0, row = -1, column = -1;
};

Extent parse_extent(const std::string& text) {
  Extent e;
  char rest = 0;
  long long h = 0, w = 0, r = -1, c = -1;
  const bool spelled = text.find_first_not_of("0123456789x+") == std::string::npos;
  const int found = std::sscanf(text.c_str(), "%6lldx%6lld+%6lld+%6lld%c", &h, &w, &r, &c, &rest);
  const bool placed = text.find('+') != std::string::npos;
  if (!spelled || found != (placed ? 4 : 2) || h < 1 || w < 1)
    throw Error::usage("--extend", "'" + text + "' is not HxW or HxW+ROW+COLUMN");
  return {h, w, r, c};
}

Canvas canvas_of(const EditingArgs& args, const DenoiserConfig& own, const GridHeader* init) {
  const Extent e = parse_extent(args.extend);
  Canvas canvas{e.height, e.width, {}, {}};
  const int64_t half = std::min(own.grid_height, own.grid_width) / 2;
  if (init != nullptr) {
    Area& given = canvas.given;
    given.height = init->height, given.width = init->width;
    given.row = e.row >= 0 ? e.row : (e.height - given.height) / 2;
    given.column = e.column >= 0 ? e.column : (e.width - given.width) / 2;
    if (given.row < 0 || given.row + given.height > e.height || given.column < 0 ||
        given.column + given.width > e.width) {
      throw Error::usage("--extend", fmt::format("{} has no room for --init's {}x{}", args.extend,
                                                 given.height, given.width));
    }
  } else if (e.row >= 0) {
    throw Error::usage("--extend", "+ROW+COLUMN places --init: give it too");
  }
  canvas.windows = plan_windows(e.height, e.width, {0, 0, own.grid_height, own.grid_width},
                                args.overlap > 0 ? args.overlap : half, canvas.given);
  return canvas;
}

}  // namespace

void check_editing(const cli::Context& context, const EditingArgs& args, size_t prompts) {
  const auto given = [&](const char* name) { return context.parsed.has(name); };
  if (args.init.empty()) {
    if (given("init")) throw Error::usage("--init", "the name is empty");
    for (const char* name : {"mask", "strength"}) {
      if (given(name)) throw Error::usage(fmt::format("--{}", name), "needs --init");
    }
  }
  if (args.mask.empty()) {
    if (given("mask")) throw Error::usage("--mask", "the name is empty");
    if (given("mask-grow")) throw Error::usage("--mask-grow", "needs --mask");
  }
  if (args.extend.empty()) {
    if (given("extend")) throw Error::usage("--extend", "the size is empty");
    if (given("overlap")) throw Error::usage("--overlap", "needs --extend");
  } else {
    parse_extent(args.extend);
    if (args.strength < 1) throw Error::usage("--strength", "does not go with --extend");
  }
  if (args.init.empty()) return;
  if (prompts > 1) throw Error::usage("--prompt", "with --init, one is for all grids");
  if (!context.operands.empty()) {
    throw Error::usage(context.operands[0], "--init brings its own prompts",
                       "--prompt gives one for all");
  }
  if (args.init == "-") cli::refuse_terminal_input({});
}

void set_editing(const EditingArgs& args, const DiffusionModel& model, const GridHeader* init,
                 JobOptions& options) {
  options.strength = args.strength;
  const auto& own = model.config().denoiser;
  if (!args.extend.empty()) options.canvas = canvas_of(args, own, init);
  if (!args.mask.empty()) {
    const bool larger = options.canvas.height > 0;
    options.free =
        free_cells(read_image(args.mask), larger ? options.canvas.height : own.grid_height,
                   larger ? options.canvas.width : own.grid_width, args.mask_grow);
    if (std::find(options.free.begin(), options.free.end(), true) == options.free.end())
      throw Error(args.mask, "has no pixel brighter than middle grey: it frees no cell");
  }
  if (args.strength == 1 || options.sampler.order == Order::ancestral) return;
  // The other orders never replace a token, so wrong ones of the start would stay.
  const Schedule& schedule = model.schedule();
  const double replaced =
      schedule.codebook_size() * schedule.beta_bar(args.strength * schedule.timesteps());
  if (replaced > 1e-3) {
    throw Error::usage("--strength",
                       "this model's noise replaces tokens, and only --order ancestral mends that");
  }
}

InitGrids::InitGrids(const EditingArgs& args, const DiffusionModel& model,
                     const std::string& model_file, const Prompt* for_all)
    : model_(model), for_all_(for_all), grids_({args.init}) {
  const GridHeader own = model.grid_header();
  const GridHeader& its = grids_.header();
  const std::string name = args.init == "-" ? "standard input" : args.init;
  if (args.extend.empty() && (its.height != own.height || its.width != own.width)) {
    throw Error(name, fmt::format("has grids of {}x{}; {} makes {}x{}", its.height, its.width,
                                  model_file, own.height, own.width));
  }
  if (its.codebook_size != own.codebook_size) {
    throw Error(name, fmt::format("has a codebook of {}; that of {} has {}", its.codebook_size,
                                  model_file, own.codebook_size));
  }
  if (own.codec != its.codec) grids_.require_codec(own.codec, model_file);
  idle_ = args.mask.empty() && args.strength == 1 && args.extend.empty();
  if (idle_ && !its.mask)
    throw Error::usage(name, "has no [mask] to fill", "give --mask or --strength");
}

bool InitGrids::next(Prompt& prompt, std::vector<int32_t>& tokens) {
  TokenRecord record;
  if (!grids_.next(record)) return false;
  Json more = record.more;
  for (const char* name : {"seed", "step"}) more.erase(name);  // of the run that made it
  if (for_all_ != nullptr) {
    for (const char* name : {"caption", "captions", "label"}) more.erase(name);
    prompt = *for_all_;
    more.update(prompt.more);
  } else {
    prompt = prompt_of(record, model_.condition());
  }
  prompt.key = record.key;
  prompt.more = std::move(more);
  tokens = std::move(record.tokens);
  const auto mask = static_cast<int32_t>(model_.denoiser().mask());
  if (std::find(tokens.begin(), tokens.end(), mask) != tokens.end()) idle_ = false;
  return true;
}

}  // namespace vq
