// Data sets as people have them: where the pictures are, what they are called and what is said of
// them.
//
// Three spellings are read now, chosen by what is there:
//   a folder of images         every PNG, JPEG or PPM below it, natural order (img2 before img10);
//                              other files, and names that begin with a dot, are passed over
//   sub-folders as classes     a folder whose images all lie in sub-folders: the sub-folder is the
//                              class; numbers follow the sorted names (ImageNet's rule)
//   FILE.jsonl                 one object a line:
//     "image"                  path of the image, relative to the list; "file_name" or "file" is
//                              read instead where there is no "image"
//     "caption", "captions"    a string or a list of strings; runs of white space become one space
//     "label"                  a class number, or a class name (numbers follow the sorted names)
//     "key"                    a string or a number; "id" is read instead where there is no "key",
//                              and without either the key is the image's path without extension
//     all others               kept in Example::more
//   null is the same as absent; blank lines are passed over.
// A single image file is a data set of one. Keys are paths without extension, unique; bytes that
// are not UTF-8 and control characters in a file's name become %XX in its key. Labels are given for
// all examples or for none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"

namespace vq {

struct Example {
  std::string key;   // unique in the data set: "bird/0042"
  std::string path;  // of the image file
  std::vector<std::string> captions;
  int label = -1;              // -1: none
  Json more = Json::object();  // further members of a JSONL line, passed on
};

struct Dataset {
  std::string name;                  // as the user gave it
  std::vector<Example> examples;     // in a fixed order
  std::vector<std::string> classes;  // names by label; empty when unknown
};

// Reads the list, not the pictures. Throws vq::Error: empty folder, a list naming a missing image
// (with its line), a repeated key, labels partly given.
Dataset open_dataset(const std::string& path);
// A JSONL list from any source; image paths are relative to `folder`.
Dataset read_list(Input& input, const std::string& folder);
// Several data sets one after the other; keys get the folder's name in front when they clash. Class
// names are united and numbered again in sorted order.
Dataset open_datasets(const std::vector<std::string>& paths);

// "img2" before "img10": digit runs compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace vq
