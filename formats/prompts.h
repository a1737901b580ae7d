// Prompts as people write them: one a line, plain text or JSON objects, mixed as they like.
//
//   a small red bird
//       a caption, or the name or number of a class
//   {"caption": "a small red bird", "key": "bird-1"}
//       "caption" (or "prompt"), or "label"; "key" names the record; further members are passed on
//
// Blank lines are skipped. A line that begins with "{" must be valid JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"

namespace vq {

struct Prompt {
  std::string text;       // caption or class, as written
  bool is_label = false;  // the JSON said "label"
  std::string key;        // empty: the program numbers
  Json more = Json::object();
};

class PromptReader {
 public:
  // Reads the files one after the other; "-" is standard input.
  explicit PromptReader(std::vector<std::string> paths);
  // False at the end. Throws vq::Error with file and line.
  bool next(Prompt& prompt);
  // True when next() would not wait for input; after waiting for that so many seconds at most.
  bool ready(double seconds = 0);
  std::string where() const;

 private:
  bool open_next();
  std::vector<std::string> paths_;
  size_t next_path_ = 0;
  std::vector<Input> input_;  // the open one, or none
  uint64_t line_ = 0;
};

// One line of the above.
Prompt parse_prompt(const std::string& line, const std::string& where);

}  // namespace vq
