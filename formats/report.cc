#include "formats/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "formats/bytes.h"
#include "formats/detect.h"
#include "formats/error.h"
#include "formats/image.h"
#include "formats/report_torch.h"
#include "formats/safetensors.h"
#include "formats/token_grid.h"

namespace vq {
namespace {

constexpr size_t kExtremes = 5;  // how many of the most and least frequent codes are named

std::string sentence(const Error& error) {
  return error.where().empty() ? error.message() : error.where() + ": " + error.message();
}

// Configurations and histories are JSON inside a string: taken as what they are.
Json structured(const std::string& text) {
  if (!text.starts_with("{") && !text.starts_with("[")) return text;
  const Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_discarded() ? Json(text) : parsed;
}

// How the codes of a codebook are used. Codes that never occur are no "least frequent" code; they
// are what codes_used leaves out.
void report_codes(Json& report, const std::vector<uint64_t>& counts, uint64_t total) {
  std::vector<size_t> used;
  double entropy = 0;
  for (size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] == 0) continue;
    used.push_back(code);
    const double p = static_cast<double>(counts[code]) / static_cast<double>(total);
    entropy -= p * std::log(p);
  }
  std::stable_sort(used.begin(), used.end(),
                   [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  report["codes_used"] = used.size();
  report["perplexity"] = used.empty() ? 0.0 : std::exp(entropy);
  const auto list = [&](auto from, auto to) {
    Json array = Json::array();
    for (; from != to; ++from) array.push_back({*from, counts[*from]});
    return array;
  };
  const auto n = static_cast<std::ptrdiff_t>(std::min(kExtremes, used.size()));
  report["most_frequent"] = list(used.begin(), used.begin() + n);  // [code, count]
  report["least_frequent"] = list(used.rbegin(), used.rbegin() + n);
}

struct GridCounts {
  uint64_t records = 0, masked = 0, captions = 0, captioned = 0, labelled = 0;
  std::vector<uint64_t> codes;

  void add(const TokenRecord& record) {
    ++records;
    for (const int32_t token : record.tokens) {
      if (static_cast<size_t>(token) < codes.size()) {
        ++codes[static_cast<size_t>(token)];
      } else {
        ++masked;
      }
    }
    const Json& more = record.more;
    uint64_t here = more.contains("caption") ? 1 : 0;
    if (more.contains("captions") && more["captions"].is_array()) here += more["captions"].size();
    captions += here;
    captioned += here > 0;
    labelled += more.contains("label");
  }
};

void report_token_grid(Json& report, Input input, Format format) {
  report["kind"] = "token grid";
  report["spelling"] = format == Format::token_text ? "text" : "binary";
  TokenReader reader(std::move(input), OnDamage::salvage);
  const GridHeader header = reader.header();
  report["height"] = header.height;
  report["width"] = header.width;
  report["codebook_size"] = header.codebook_size;
  report["codec"] = header.codec;
  report["mask"] = header.mask;

  GridCounts counts;
  counts.codes.resize(static_cast<size_t>(header.codebook_size));
  Json damage = Json::array();
  TokenRecord record;
  try {
    while (reader.next(record)) counts.add(record);
  } catch (const Error& error) {  // what even salvaging cannot pass: streams that do not fit
    damage.push_back(sentence(error));
  }
  for (const Damage& place : reader.damage()) damage.push_back(place.message);

  const uint64_t clear = std::accumulate(counts.codes.begin(), counts.codes.end(), uint64_t{0});
  report["records"] = counts.records;
  if (format != Format::token_text) {
    report["blocks"] = reader.blocks();
    report["streams"] = reader.streams();
  }
  report["tokens"] = clear + counts.masked;
  report["masked"] = counts.masked;
  report["captions"] = counts.captions;
  report["captioned"] = counts.captioned;
  report["labelled"] = counts.labelled;
  report_codes(report, counts.codes, clear);
  report["history"] = header.history;
  if (!header.more.empty()) report["more"] = header.more;
  report["whole"] = damage.empty();
  if (!damage.empty()) report["damage"] = damage;
}

void report_safetensors(Json& report, const std::string& path) {
  report["kind"] = "safetensors";
  const SafetensorsFile file(path);
  // Our own files (lib/weights/model_file.h) say what the network is; others keep their metadata.
  Json metadata = Json::object();
  for (const auto& [key, value] : file.metadata()) {
    if (key == "vq.kind") {
      report["model"] = value;
    } else if (key == "vq.config") {
      report["config"] = structured(value);
    } else if (key == "vq.history") {
      report["history"] = structured(value);
    } else {
      metadata[key] = structured(value);
    }
  }
  if (!metadata.empty()) report["metadata"] = metadata;
  Json tensors = Json::array();
  uint64_t parameters = 0;
  std::map<std::string, uint64_t> types;
  for (const std::string& name : file.names()) {
    const TensorView tensor = file.tensor(name);
    const uint64_t count = tensor.bytes.size() / dtype_size(tensor.dtype);
    parameters += count;
    types[dtype_name(tensor.dtype)] += count;
    tensors.push_back(
        {{"name", name}, {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}});
  }
  report["parameters"] = parameters;
  report["dtypes"] = types;  // numbers of each type
  report["tensors"] = tensors;
  report["whole"] = true;
}

void report_image(Json& report, const std::string& path, const std::string& name, Format format) {
  report["kind"] = "image";
  report["format"] = format == Format::png    ? "png"
                     : format == Format::jpeg ? "jpeg"
                     : format == Format::webp ? "webp"
                                              : "ppm";
  int width = 0, height = 0;
  uint64_t pictures = 0;
  if (format == Format::ppm) {
    Input input = Input::open(path);
    for (Image image; read_ppm(input, image); ++pictures) {
      if (pictures == 0) width = image.width, height = image.height;
    }
  } else {
    const Image image = decode_image(read_file(path), name);
    width = image.width, height = image.height, pictures = 1;
  }
  report["width"] = width;
  report["height"] = height;
  report["pictures"] = pictures;
  Json text = Json::object();
  if (format == Format::png) {
    for (const auto& [keyword, value] : read_png_text(path)) {
      Json found = structured(value);
      // vq-decode's "vq:history" is the history of the tokens and of their decoding.
      if (keyword == "vq:history" && found.is_array()) {
        report["history"] = std::move(found);
      } else {
        text[keyword] = std::move(found);
      }
    }
  }
  if (!text.empty()) report["text"] = text;
  report["whole"] = true;
}

// Standard input as a file that can be mapped and read twice, for the formats that need it.
class Spooled {
 public:
  explicit Spooled(Input& input) : file_(std::tmpfile()) {
    if (!file_) throw Error::from_errno(input.name(), "cannot make a temporary file");
    Bytes block(1 << 16);
    while (const size_t n = input.read(block.data(), block.size())) {
      if (std::fwrite(block.data(), 1, n, file_) != n) break;
    }
    if (std::fflush(file_) != 0 || std::ferror(file_)) {
      std::fclose(file_);
      throw Error::from_errno(input.name(), "cannot write a temporary file");
    }
    size_ = std::ftell(file_);
    std::rewind(file_);
  }
  ~Spooled() { std::fclose(file_); }
  Spooled(const Spooled&) = delete;
  Spooled& operator=(const Spooled&) = delete;
  std::string path() const { return fmt::format("/dev/fd/{}", fileno(file_)); }
  long size() const { return size_; }

 private:
  std::FILE* file_;
  long size_ = 0;
};

void report_content(Json& report, Input input, const std::string& path) {
  const Format format = detect(input.peek(65536));
  switch (format) {
    case Format::token_grid:
    case Format::token_text:
      report_token_grid(report, std::move(input), format);
      return;
    case Format::safetensors:
    case Format::torch:
    case Format::png:
    case Format::jpeg:
    case Format::webp:
    case Format::ppm: {
      std::unique_ptr<Spooled> spooled;
      if (path == "-") spooled = std::make_unique<Spooled>(input);
      if (spooled) report["bytes"] = spooled->size();
      const std::string from = spooled ? spooled->path() : path;
      if (format == Format::safetensors) {
        report_safetensors(report, from);
      } else if (format == Format::torch) {
        report_torch_archive(report, from);
      } else {
        report_image(report, from, input.name(), format);
      }
      return;
    }
    case Format::empty:
      throw Error(input.name(), "is empty");
    case Format::unknown:
      throw Error(input.name(), "of no known format");
    default:
      report["kind"] = describe(format);
  }
}

}  // namespace

Json report_on(const std::string& path) {
  Input input = Input::open(path);
  const std::string name = input.name();
  Json report = {{"file", name},
                 {"kind", "unknown"},
                 {"bytes", input.seekable() ? Json(input.size()) : Json()},
                 {"whole", nullptr}};
  try {
    report_content(report, std::move(input), path);
  } catch (const Error& error) {
    report["whole"] = false;
    report["damage"].push_back(sentence(error));
  }
  return report;
}

}  // namespace vq
