#include "formats/prompts.h"

#include <algorithm>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/token_frames.h"
#include "formats/token_text.h"

namespace vq {
namespace {

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

std::string trimmed(const std::string& line) {
  const size_t from = line.find_first_not_of(" \t\r");
  return line.substr(from, line.find_last_not_of(" \t\r") - from + 1);
}

Prompt from_object(const Json& object, const std::string& where) {
  Prompt prompt;
  bool found = false;
  for (const auto& [name, value] : object.items()) {
    const bool is_text = name == "caption" || name == "prompt";
    if (is_text || name == "label") {
      if (found) throw Error(where, "more than one of \"caption\", \"prompt\" and \"label\"");
      const bool number = name == "label" && value.is_number_integer();
      if (!value.is_string() && !number) throw Error(where, "\"" + name + "\" is not a text");
      prompt.text = number ? std::to_string(value.get<int64_t>()) : value.get<std::string>();
      prompt.is_label = name == "label";
      found = true;
    } else if (name == "key") {
      if (!value.is_string()) throw Error(where, "\"key\" is not a text");
      prompt.key = value;
    } else {
      prompt.more[name] = value;
    }
  }
  if (!found) throw Error(where, "neither \"caption\" nor \"label\" in this object");
  return prompt;
}

// Byte by byte, and no further than they are a frame's: a short prompt in a pipe must not wait for
// the next one.
bool is_binary_grid(Input& input) {
  for (size_t n = 1; n <= 4; ++n) {
    const auto bytes = input.peek(n);
    if (bytes.size() < n) return false;
    const bool data = bytes[n - 1] == static_cast<uint8_t>(kDataMagic >> (8 * (n - 1)));
    const uint8_t any = n == 1 ? 0x0F : 0;  // the numbers of skippable frames
    const bool skippable =
        (bytes[n - 1] & ~any) == static_cast<uint8_t>(kSkippableMagic >> (8 * (n - 1)));
    if (!data && !skippable) return false;
  }
  return true;
}

}  // namespace

Prompt parse_prompt(const std::string& line, const std::string& where) {
  const std::string text = trimmed(line);
  if (text.front() != '{') {
    Prompt prompt;
    prompt.text = text;
    return prompt;
  }
  return from_object(parse_json(text, where), where);
}

PromptReader::PromptReader(std::vector<std::string> paths, FromRecord from_record)
    : paths_(std::move(paths)), from_record_(std::move(from_record)) {}

bool PromptReader::open_next() {
  input_.clear();
  grids_.reset();
  if (next_path_ == paths_.size()) return false;
  Input input = Input::open(paths_[next_path_++]);
  line_ = 0;
  text_grid_ = false;
  if (is_binary_grid(input)) {
    grids_ = std::make_unique<TokenReader>(std::move(input));
  } else {
    input_.push_back(std::move(input));
  }
  return true;
}

Prompt PromptReader::of_record(const TokenRecord& record) const {
  Prompt prompt = from_record_(record);
  if (prompt.text.empty()) throw Error(where(), "has no label, and no caption or an empty one");
  prompt.key = record.key;
  prompt.more = record.more;
  for (const char* name : {"seed", "step"}) prompt.more.erase(name);  // of the run that made it
  return prompt;
}

bool PromptReader::next_line(Prompt& prompt) {
  std::string line;
  for (bool ended; input_.front().read_line(line, kMaxTextLine, &ended);) {
    ++line_;
    const bool grid = detect(as_bytes(line)) == Format::token_text;
    text_grid_ = text_grid_ || grid;
    if (is_blank(line) || (text_grid_ && text_line_kind(line) != TextLine::record)) continue;
    if (!grid) {
      prompt = parse_prompt(line, where());
      return true;
    }
    TokenRecord record;
    record_from_text_line(line, ended, header_from_grid_column(grid_column_of(line), where()),
                          record, where());
    prompt = of_record(record);
    return true;
  }
  return false;
}

bool PromptReader::next(Prompt& prompt) {
  TokenRecord record;
  while (grids_ || !input_.empty() || open_next()) {
    if (grids_ && grids_->next(record)) {
      prompt = of_record(record);
      return true;
    }
    if (!grids_ && next_line(prompt)) return true;
    if (!open_next()) return false;
  }
  return false;
}

bool PromptReader::ready(double seconds) {
  if (grids_) return grids_->ready(seconds);
  return input_.empty() || input_.front().ready_within(seconds);
}

std::string PromptReader::where() const {
  if (grids_) return grids_->where();
  return (input_.empty() ? std::string("prompts") : input_.front().name()) + ":" +
         std::to_string(line_);
}

}  // namespace vq
