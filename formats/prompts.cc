#include "formats/prompts.h"

#include <algorithm>

#include "formats/error.h"

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

PromptReader::PromptReader(std::vector<std::string> paths) : paths_(std::move(paths)) {}

bool PromptReader::open_next() {
  input_.clear();
  if (next_path_ == paths_.size()) return false;
  input_.push_back(Input::open(paths_[next_path_++]));
  line_ = 0;
  return true;
}

bool PromptReader::next(Prompt& prompt) {
  std::string line;
  while (!input_.empty() || open_next()) {
    if (!input_.front().read_line(line)) {
      if (!open_next()) return false;
      continue;
    }
    ++line_;
    if (is_blank(line)) continue;
    prompt = parse_prompt(line, where());
    return true;
  }
  return false;
}

bool PromptReader::ready(double seconds) {
  return input_.empty() || input_.front().ready_within(seconds);
}

std::string PromptReader::where() const {
  return (input_.empty() ? std::string("prompts") : input_.front().name()) + ":" +
         std::to_string(line_);
}

}  // namespace vq
