// check-shapes: do pictures show what their captions ask for? Looks at pixels only.

#include <csignal>
#include <cxxopts.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/error.h"
#include "formats/image.h"
#include "scene.h"

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "check-shapes";

void check_written() {
  std::cout.flush();
  if (!std::cout) throw vq::Error("standard output", "cannot write all of it");
}

struct Tally {
  uint64_t count = 0, right = 0, placed = 0;

  void add(const shapes::Verdict& verdict) {
    ++count;
    right += verdict.right;
    placed += verdict.placed;
  }
  Json json() const {
    const auto share = [this](uint64_t n) -> Json {
      if (count == 0) return nullptr;
      return static_cast<double>(n) / static_cast<double>(count);
    };
    Json j;
    j["count"] = count;
    j["right"] = right;
    j["right_share"] = share(right);
    j["placed"] = placed;
    j["placed_share"] = share(placed);
    return j;
  }
};

Json describe(const shapes::Seen& seen) {
  Json j;
  j["colour"] = seen.colour ? Json(name(*seen.colour)) : Json(nullptr);
  j["shape"] = seen.shape ? Json(name(*seen.shape)) : Json(nullptr);
  j["x"] = seen.x;
  j["y"] = seen.y;
  j["radius"] = seen.radius;
  j["fit"] = seen.fit;
  return j;
}

void check_file(const std::string& path, bool each, Tally* one, Tally* two) {
  std::ifstream file;
  if (path != "-") file.open(path);
  if (!file) throw vq::Error(path, "cannot be opened");
  std::istream& in = path == "-" ? std::cin : file;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = path + ": line " + std::to_string(++number);
    if (line.empty()) continue;
    const auto record = nlohmann::json::parse(line, nullptr, false);
    const auto text = [&](const char* field) {
      if (!record.is_object() || !record.contains(field) || !record[field].is_string()) {
        throw vq::Error(where, std::string("is not a JSON object with the text \"") + field + "\"");
      }
      return record[field].get<std::string>();
    };
    const std::string image = text("image"), words = text("caption");
    const auto asked = shapes::parse_caption(words);
    if (!asked) throw vq::Error(where, "\"" + words + "\" is no caption that draw-shapes writes");
    std::vector<shapes::Seen> seen;
    const std::string file = (folder / image).string();  // an absolute path stays as it is
    const vq::Image picture = vq::read_image(file);
    try {
      seen = shapes::see(picture);
    } catch (const vq::Error& error) {
      throw error.within(file);
    }
    const shapes::Verdict verdict = shapes::judge(*asked, seen);
    (asked->objects.size() == 1 ? one : two)->add(verdict);
    if (each) {
      Json j;
      j["image"] = file;
      j["caption"] = words;
      j["right"] = verdict.right;
      j["placed"] = verdict.placed;
      j["seen"] = Json::array();
      for (const auto& object : seen) j["seen"].push_back(describe(object));
      std::cout << j.dump() << '\n';
    }
  }
  if (in.bad()) throw vq::Error(path, "cannot be read to its end");
}

int run(int argc, char** argv) {
  cxxopts::Options options(
      kProgram,
      "Looks at the pictures of {\"image\", \"caption\"} lines, - is standard input, and prints "
      "one JSON line of "
      "counts:\n"
      "\"right\" has the shape and colour of every object and nothing else, \"placed\" has the\n"
      "sizes, the place or the relation right too.\n");
  options.positional_help("FILE.jsonl...");
  options.add_options()("each", "print a line for every picture first")("help", "show this page")(
      "version", "show the version")("file", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional("file");
  const auto parsed = options.parse(argc, argv);
  if (parsed.count("help")) {
    std::cout << options.help();
    check_written();
    return 0;
  }
  if (parsed.count("version")) {
    std::cout << kProgram << " " << SHAPES_VERSION << '\n';
    check_written();
    return 0;
  }
  if (!parsed.count("file")) throw vq::Error::usage("", "no FILE.jsonl given; try --help");
  Tally one, two;
  for (const auto& path : parsed["file"].as<std::vector<std::string>>()) {
    check_file(path, parsed.count("each") > 0, &one, &two);
  }
  Json j;
  j["pictures"] = one.count + two.count;
  j["one_object"] = one.json();
  j["two_objects"] = two.json();
  std::cout << j.dump() << '\n';
  check_written();
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
