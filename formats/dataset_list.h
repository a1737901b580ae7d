// Lists of examples, a line or a row each: what their members mean, and what must hold for all of
// them together.
//
//   image      path of the image, relative to the list; "file_name", "file" or "path" is read
//              instead where there is no "image"
//   caption    and "captions": a string or a list of strings; runs of white space become one space
//   label      a class number, or a class name (numbers follow the sorted names); "class" is read
//              instead where there is no "label"
//   key        a string or a number; "id" is read instead where there is no "key", and without
//              either the key is the image's path without extension
// All others are kept in Example::more. null is the same as absent.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dataset.h"

namespace vq {

constexpr size_t kMaxListLine = 16 << 20;  // bytes of a line or a row
constexpr int kMaxLabel = 999'999;         // a table of classes is held in memory
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Where one member is looked for, the first that is there counts.
inline constexpr std::array kImageNames = {"image", "file_name", "file", "path"};
inline constexpr std::array kCaptionNames = {"caption", "captions"};  // both count
inline constexpr std::array kLabelNames = {"label", "class"};
inline constexpr std::array kKeyNames = {"key", "id"};

class ListReader {
 public:
  // rows_continue: neighbours that differ in nothing but their captions, and have no key of their
  // own, are one example. (A row has no other way to give an image several captions.)
  ListReader(const std::string& name, const std::string& folder, bool rows_continue);

  // Throws vq::Error at the line.
  void add(Json object, uint64_t line_number);
  // Throws for a repeated key, or when there was nothing.
  Dataset finish();

 private:
  std::string at(uint64_t line_number) const;
  bool continues_last(const Example& example, const std::string& class_name) const;
  void check_same_labels(const char* kind, uint64_t line_number);
  void number_classes();

  std::string folder_;
  bool rows_continue_;
  Dataset dataset_;
  const char* label_kind_ = "";
  std::vector<std::string> class_names_;
  std::vector<uint64_t> line_numbers_;
};

// The rows of a CSV or TSV list.
Dataset read_table(Input& input, const std::string& folder, char separator);

}  // namespace vq
