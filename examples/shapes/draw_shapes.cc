// draw-shapes: draws captioned pictures of coloured shapes, the data of the quickstart.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "formats/error.h"
#include "formats/image.h"
#include "scene.h"

namespace {

constexpr const char* kProgram = "draw-shapes";

struct Settings {
  uint64_t count = 1000;
  uint64_t seed = 0;
  uint64_t first = 0;
  int side = shapes::kBoard;
  double blur = 0;
  std::string objects = "mixed";
  std::string output;
};

void check_written(std::ostream& out, const std::string& where) {
  out.flush();
  if (!out) throw vq::Error(where, "cannot write all of it");
}

void print_captions(const Settings& settings, shapes::Count count) {
  for (uint64_t i = settings.first; i < settings.first + settings.count; ++i) {
    std::cout << shapes::caption(shapes::make_scene(settings.seed, i, count)) << '\n';
  }
  check_written(std::cout, "standard output");
}

// The list of captions is renamed into place last, so where it stands the pictures stand too.
void draw_pictures(const Settings& settings, shapes::Count count, bool force) {
  namespace fs = std::filesystem;
  const fs::path folder = settings.output, list = folder / "captions.jsonl";
  if (fs::exists(list) && !force) {
    throw vq::Error::usage(list.string(), "is there already", "use --force to replace it");
  }
  fs::create_directories(folder);
  const fs::path part = list.string() + ".part";
  std::ofstream out(part);
  if (!out) throw vq::Error(part.string(), "cannot be opened for writing");
  for (uint64_t i = settings.first; i < settings.first + settings.count; ++i) {
    const shapes::Scene scene = shapes::make_scene(settings.seed, i, count);
    char name[32];
    std::snprintf(name, sizeof name, "%06llu.png", static_cast<unsigned long long>(i));
    const vq::Image picture = shapes::blurred(shapes::draw(scene, settings.side), settings.blur);
    vq::write_png((folder / name).string(), picture, {}, force);
    nlohmann::ordered_json line;
    line["image"] = name;
    line["caption"] = shapes::caption(scene);
    out << line.dump() << '\n';
  }
  check_written(out, part.string());
  out.close();
  fs::rename(part, list);
}

int run(int argc, char** argv) {
  Settings settings;
  cxxopts::Options options(kProgram,
                           "Draws captioned pictures of coloured shapes: DIR/000000.png ... and "
                           "DIR/captions.jsonl.\nPicture I depends on the seed and I alone.\n");
  const auto number = [](uint64_t n) { return std::to_string(n); };
  options.add_options()("n,count", "how many",
                        cxxopts::value(settings.count)->default_value(number(settings.count)))(
      "s,seed", "which pictures",
      cxxopts::value(settings.seed)->default_value(number(settings.seed)))(
      "first", "number of the first one",
      cxxopts::value(settings.first)->default_value(number(settings.first)))(
      "objects", "one, two or mixed (3 in 5 are of one object)",
      cxxopts::value(settings.objects)->default_value(settings.objects))(
      "side", "pixels along a side, a multiple of 32, at most 512",
      cxxopts::value(settings.side)->default_value(std::to_string(settings.side)))(
      "blur", "standard deviation of a Gaussian blur, in pixels, at most 64",
      cxxopts::value(settings.blur)->default_value("0"))(
      "o,output", "folder to write", cxxopts::value(settings.output), "DIR")(
      "captions-only", "print one caption a line instead, shapes and colours in balance")(
      "f,force", "replace an existing list of captions")("help", "show this page")(
      "version", "show the version");
  const auto parsed = options.parse(argc, argv);
  if (parsed.count("help")) {
    std::cout << options.help();
    check_written(std::cout, "standard output");
    return 0;
  }
  if (parsed.count("version")) {
    std::cout << kProgram << " " << SHAPES_VERSION << '\n';
    check_written(std::cout, "standard output");
    return 0;
  }
  if (!parsed.unmatched().empty()) {
    throw vq::Error::usage(parsed.unmatched().front(), "no operands are taken");
  }
  shapes::Count count = shapes::Count::kMixed;
  if (settings.objects == "one") {
    count = shapes::Count::kOne;
  } else if (settings.objects == "two") {
    count = shapes::Count::kTwo;
  } else if (settings.objects != "mixed") {
    throw vq::Error::usage("--objects " + settings.objects, "is not one, two or mixed");
  }
  if (settings.side < shapes::kBoard || settings.side > 512 || settings.side % shapes::kBoard) {
    throw vq::Error::usage("--side " + std::to_string(settings.side),
                           "is not a multiple of 32 from 32 to 512");
  }
  if (!(settings.blur >= 0 && settings.blur <= 64)) {
    throw vq::Error::usage("--blur", "goes from 0 to 64");
  }
  if (settings.count > 1000000000 || settings.first > 1000000000) {
    throw vq::Error::usage("", "--count and --first go up to 1000000000");
  }
  if (parsed.count("captions-only")) {
    print_captions(settings, count);
  } else if (settings.output.empty()) {
    throw vq::Error::usage("", "nowhere to write: give -o DIR or --captions-only");
  } else {
    draw_pictures(settings, count, parsed.count("force") > 0);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);
  try {
    return run(argc, argv);
  } catch (const vq::Error& error) {
    std::cerr << kProgram << ": " << error.what() << '\n';
    if (!error.hint().empty()) std::cerr << kProgram << ": hint: " << error.hint() << '\n';
    return error.kind() == vq::Error::Kind::usage ? 2 : 1;
  } catch (const cxxopts::exceptions::exception& error) {
    std::cerr << kProgram << ": " << error.what() << "; try --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << kProgram << ": " << error.what() << '\n';
    return 1;
  }
}
