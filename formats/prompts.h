// Prompts as people write them: one a line, plain text or JSON objects, mixed as they like.
//
//   a small red bird
//       a caption, or the name or number of a class
//   {"caption": "a small red bird", "key": "bird-1"}
//       "caption" (or "prompt"), or "label"; "key" names the record; further members are passed on
//
//   a token grid, in either spelling
//       of each record the caption or the label, and its key: for pictures beside those of a data
//       set
//
// Blank lines are skipped. A line that begins with "{" must be valid JSON. A file is a token grid
// in binary when its first four bytes say so; in text, each line says it for itself, and from the
// first such line on comments are skipped as in token_grid.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "formats/token_grid.h"

namespace vq {

struct Prompt {
  std::string text;       // caption or class, as written
  bool is_label = false;  // the JSON said "label"
  std::string key;        // empty: the program numbers
  Json more = Json::object();
};

class PromptReader {
 public:
  // What a record asks for depends on the model; a text of nothing is refused as no prompt.
  using FromRecord = std::function<Prompt(const TokenRecord&)>;

  // Reads the files one after the other; "-" is standard input.
  PromptReader(std::vector<std::string> paths, FromRecord from_record);
  // False at the end. Throws vq::Error with file and line.
  bool next(Prompt& prompt);
  // True when next() would not wait for input; after waiting for that so many seconds at most.
  bool ready(double seconds = 0);
  std::string where() const;

 private:
  bool open_next();
  bool next_line(Prompt& prompt);
  Prompt of_record(const TokenRecord& record) const;

  std::vector<std::string> paths_;
  FromRecord from_record_;
  size_t next_path_ = 0;
  std::vector<Input> input_;            // the open one, or none
  std::unique_ptr<TokenReader> grids_;  // or this one
  uint64_t line_ = 0;
  bool text_grid_ = false;  // has the open input had a line of one?
};

// One line of the above.
Prompt parse_prompt(const std::string& line, const std::string& where);

}  // namespace vq
