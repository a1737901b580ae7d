// The report as a person reads it: what matters first, numbers with their units, history as
// commands.

#include <fmt/format.h>

#include <algorithm>

#include "formats/report.h"

namespace vq {
namespace {

// 1234567 -> "1,234,567"
std::string grouped(uint64_t n) {
  std::string digits = fmt::format("{}", n), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "0 %";
  return fmt::format("{:.3g} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// As one would type it: quoted where the shell would not leave it alone.
std::string shell_word(const std::string& word) {
  const std::string safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// A string without its quotation marks, anything else as JSON; control characters spelled out.
std::string plain(const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out;
}

std::string command_of(const Json& entry) {
  if (!entry.is_object()) return plain(entry);
  std::string out = plain(entry.value("tool", Json("unknown")));
  const Json arguments = entry.value("arguments", Json::array());
  if (arguments.is_array()) {
    for (const Json& argument : arguments) out += " " + shell_word(plain(argument));
  } else {
    out += " " + plain(arguments);
  }
  std::string notes;
  for (const auto& [key, value] : entry.items()) {
    if (key == "tool" || key == "arguments") continue;
    notes += fmt::format("{}{} {}", notes.empty() ? "" : ", ", key, plain(value));
  }
  return notes.empty() ? out : fmt::format("{}  # {}", out, notes);  // may be pasted as it is
}

// "1,234 bytes"; nothing for what came through a pipe.
std::string bytes_text(const Json& r) {
  return r["bytes"].is_null() ? "" : grouped(r["bytes"].get<uint64_t>()) + " bytes";
}

// A thousand class names are for --json.
Json shortened(const Json& value) {
  constexpr size_t kMost = 12, kFirst = 4;
  Json result = value;
  if (value.is_array() && value.size() > kMost) {
    result = Json(Json::array_t(value.begin(), value.begin() + kFirst));
    result.push_back(fmt::format("... {} in all", value.size()));
  }
  if (result.is_structured()) {
    for (Json& member : result) member = shortened(member);
  }
  return result;
}

class Page {
 public:
  // A value that is not known has no line.
  void line(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    out_ += fmt::format("  {:<14} {}\n", name, value);
  }
  void object(const std::string& name, const Json& object) {
    if (!object.is_object()) return line(name, plain(object));
    std::string heading = name;
    for (const auto& [key, value] : object.items()) {
      line(heading, fmt::format("{} = {}", plain(Json(key)), plain(shortened(value))));
      heading.clear();
    }
  }
  // Each entry as the command that was typed.
  void history(const Json& entries) {
    std::string heading = "history";
    for (const Json& entry : entries) {
      line(heading, command_of(entry));
      heading.clear();
    }
  }
  void heading(const std::string& text) { out_ += text + "\n"; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string codes(const Json& pairs, uint64_t total) {
  std::string out;
  for (const Json& pair : pairs) {
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", pair[0].get<uint64_t>(),
                       percent(pair[1].get<uint64_t>(), total));
  }
  return out;
}

// "3 in 1 block", "1,000 in 8 blocks of 2 streams".
std::string records_text(const Json& r) {
  const std::string records = grouped(r["records"].get<uint64_t>());
  if (!r.contains("blocks")) return records;
  const uint64_t blocks = r["blocks"], streams = r["streams"];
  return fmt::format("{} in {} block{}{}", records, grouped(blocks), blocks == 1 ? "" : "s",
                     streams == 1 ? "" : fmt::format(" of {} streams", grouped(streams)));
}

std::string damage_text(const Json& r) {
  const size_t places = r["damage"].size();
  return fmt::format("damaged in {} place{}", places, places == 1 ? "" : "s");
}

void token_grid(Page& page, const Json& r) {
  if (!r.contains("records")) return;  // the header could not be read
  const auto records = r["records"].get<uint64_t>(), tokens = r["tokens"].get<uint64_t>(),
             masked = r["masked"].get<uint64_t>();
  const int height = r["height"], width = r["width"];
  page.line("records", records_text(r));
  page.line("grid", fmt::format("{} x {}, {} tokens a record", height, width, height * width));
  page.line("codebook", fmt::format("{} codes", r["codebook_size"].get<int>()));
  page.line("codec", r["codec"] == "" ? "not named" : plain(r["codec"]));
  std::string size = bytes_text(r);
  if (!size.empty() && tokens > 0 && r["spelling"] == "binary") {
    size += fmt::format(", {:.2f} bits a token",
                        8 * r["bytes"].get<double>() / static_cast<double>(tokens));
  }
  page.line("size", size);
  const auto captions = r["captions"].get<uint64_t>(), captioned = r["captioned"].get<uint64_t>(),
             labelled = r["labelled"].get<uint64_t>();
  page.line("captions", captions == 0 ? "none"
                                      : fmt::format("{} in {} of {} records", grouped(captions),
                                                    grouped(captioned), grouped(records)));
  page.line("labels", labelled == 0 ? "none"
                                    : fmt::format("in {} of {} records", grouped(labelled),
                                                  grouped(records)));
  page.line("[mask]", masked == 0 && !r["mask"].get<bool>()
                          ? "may not occur"
                          : fmt::format("{} of {} tokens ({})", grouped(masked), grouped(tokens),
                                        percent(masked, tokens)));
  page.line("codes used",
            fmt::format("{} of {}, perplexity {:.1f}", r["codes_used"].get<uint64_t>(),
                        r["codebook_size"].get<int>(), r["perplexity"].get<double>()));
  if (!r["most_frequent"].empty()) {
    page.line("most used", codes(r["most_frequent"], tokens - masked));
    page.line("least used", codes(r["least_frequent"], tokens - masked));
  }
  page.history(r["history"]);
  if (r.contains("more")) page.object("header", r["more"]);
}

// How many numbers there are, of which types, in how many tensors.
void numbers(Page& page, const Json& r) {
  page.line("parameters", grouped(r["parameters"].get<uint64_t>()));
  std::string types;
  for (const auto& [type, count] : r["dtypes"].items()) {
    types +=
        fmt::format("{}{} {}", types.empty() ? "" : ", ", grouped(count.get<uint64_t>()), type);
  }
  page.line("numbers", types.empty() ? "none" : types);
  page.line("tensors", grouped(r["tensors"].size()));
  page.line("size", bytes_text(r));
}

void tensor_table(Page& page, const Json& r) {
  size_t longest = 0;
  for (const Json& tensor : r["tensors"]) {
    longest = std::max(longest, tensor["name"].get_ref<const std::string&>().size());
  }
  for (const Json& tensor : r["tensors"]) {
    std::string shape;
    for (const Json& side : tensor["shape"]) {
      shape += fmt::format("{}{}", shape.empty() ? "" : " x ", side.get<int64_t>());
    }
    page.heading(fmt::format("  {:<{}}  {:<4}  {}", plain(tensor["name"]), longest,
                             plain(tensor["dtype"]), shape.empty() ? "one number" : shape));
  }
}

void safetensors(Page& page, const Json& r, const ReportTextOptions& options) {
  if (!r.contains("tensors")) return;
  numbers(page, r);
  if (r.contains("config")) page.object("config", r["config"]);
  if (r.contains("history")) page.history(r["history"]);
  if (r.contains("metadata")) page.object("metadata", r["metadata"]);
  if (options.tensors) tensor_table(page, r);
}

// A value that has a line of its own, cut where it would be a page.
std::string brief(const Json& value) {
  constexpr size_t kMost = 200;
  std::string text = plain(value);
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // a whole character
  return text.substr(0, end) + "...";
}

void torch_archive(Page& page, const Json& r, const ReportTextOptions& options) {
  if (!r.contains("tensors")) return;
  constexpr size_t kMostParts = 20;
  numbers(page, r);
  size_t shown = 0;
  for (const auto& [name, part] : r["parts"].items()) {
    if (shown++ == kMostParts) {
      page.line("", fmt::format("and {} more", r["parts"].size() - kMostParts));
      break;
    }
    page.line(shown == 1 ? "parts" : "",
              fmt::format("{}: {} tensors, {} numbers", plain(Json(name)),
                          grouped(part["tensors"].get<uint64_t>()),
                          grouped(part["parameters"].get<uint64_t>())));
  }
  const Json& values = r["values"];
  if (values.is_object()) {
    std::string heading = "values";
    for (const auto& [key, value] : values.items()) {
      page.line(heading, fmt::format("{} = {}", brief(Json(key)), brief(value)));
      heading.clear();
    }
  } else {
    page.line("values", brief(values));
  }
  if (options.tensors) tensor_table(page, r);
}

void image(Page& page, const Json& r) {
  page.line("format", plain(r["format"]));
  if (!r.contains("width")) return;
  page.line("pixels", fmt::format("{} x {}", r["width"].get<int>(), r["height"].get<int>()));
  page.line("size", bytes_text(r));
  if (r["pictures"].get<uint64_t>() != 1) {
    page.line("pictures", grouped(r["pictures"].get<uint64_t>()));
  }
  if (r.contains("text")) page.object("text", r["text"]);
  if (r.contains("history")) page.history(r["history"]);
}

}  // namespace

std::string report_text(const Json& report, const ReportTextOptions& options) {
  Page page;
  const std::string kind = report["kind"];
  std::string heading = kind;
  if (report.value("spelling", Json("")) == "text") heading += ", text spelling";
  if (report.contains("model")) heading = plain(report["model"]) + " model, " + kind;
  page.heading(plain(report["file"]) + ": " + heading);
  if (kind == "token grid") {
    token_grid(page, report);
  } else if (kind == "safetensors") {
    safetensors(page, report, options);
  } else if (kind == "PyTorch archive" || kind == "TorchScript archive") {
    torch_archive(page, report, options);
  } else if (kind == "image") {
    image(page, report);
  } else {
    page.line("size", bytes_text(report));
  }
  const Json& whole = report["whole"];
  page.line("whole", whole.is_null() ? "not checked"
                     : whole == true ? "yes"
                                     : "no, " + damage_text(report));
  return page.take();
}

std::string verdict_text(const Json& report) {
  const std::string file = plain(report["file"]), kind = report["kind"];
  if (report["whole"] != true) return file + ": " + damage_text(report);
  std::string what = kind;
  if (report.contains("records")) what += ", records " + records_text(report);
  if (report.contains("tensors")) what += ", tensors " + grouped(report["tensors"].size());
  return fmt::format("{}: whole ({})", file, what);
}

}  // namespace vq
