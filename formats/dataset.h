// Data sets as people have them: where the pictures are, what they are called and what is said of
// them.
//
// One reader, many spellings, chosen by what is there; DatasetOptions::format insists on one:
//   folder   a folder of images: every PNG, JPEG, WebP or PPM below it, natural order (img2
//            before img10); other files, and names that begin with a dot, are passed over. Where
//            all images lie in sub-folders, the sub-folder is the class; numbers follow the sorted
//            names (ImageNet's rule)
//   jsonl    FILE.jsonl, one object a line (dataset_list.h says which members count)
//   csv      FILE.csv, a header line that names the columns and one image a row; tsv is the same
//            with tabs (dataset_table.cc)
//   coco     captions of COCO: FILE.json, or a folder with annotations/captions_*.json
//   cub      CUB-200-2011: a folder with images/ and images.txt or train/filenames.pickle, or one
//            that holds such a CUB_200_2011/
//   shards   WebDataset: .tar .tar.gz .tar.zst, one or many in a name: birds-{000..123}.tar,
//            a.tar::b.tar (dataset_shards.h)
// A single image file is a data set of one. Keys are paths without extension, unique; bytes that
// are not UTF-8 and control characters in a file's name become %XX in its key. Labels are given for
// all examples or for none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "formats/picture_source.h"

namespace vq {

struct Example {
  std::string key;  // unique in the data set: "bird/0042"
  PictureSource picture;
  std::vector<std::string> captions;
  int label = -1;              // -1: none
  Json more = Json::object();  // further members of a line or columns of a row, passed on
};

struct Dataset {
  std::string name;                  // as the user gave it
  std::vector<Example> examples;     // in a fixed order
  std::vector<std::string> classes;  // names by label; empty when unknown
};

enum class DatasetFormat { automatic, folder, jsonl, csv, tsv, coco, cub, shards };
enum class DatasetSplit { all, train, test };  // only cub has parts

struct DatasetOptions {
  DatasetFormat format = DatasetFormat::automatic;
  DatasetSplit split = DatasetSplit::all;
};

// "auto", "folder", ... in the order of the enumeration; a word outside the list throws.
const std::vector<std::string>& dataset_format_words();
DatasetFormat dataset_format_from_word(std::string_view word);
// "all", "train" or "test".
DatasetSplit dataset_split_from_word(std::string_view word);

// Reads the list, not the pictures; shards must be files that are not compressed, for their
// pictures are read later, in any order. Throws vq::Error: empty folder, a list naming a missing
// image (with its line), a repeated key, labels partly given, a split where there are none.
Dataset open_dataset(const std::string& path, const DatasetOptions& options = {});
// A list in JSON lines, CSV or TSV from any source; image paths are relative to `folder`.
Dataset read_list(Input& input, const std::string& folder,
                  DatasetFormat format = DatasetFormat::jsonl);
// Several data sets one after the other; keys get the folder's name in front when they clash. Class
// names are united and numbered again in sorted order.
Dataset open_datasets(const std::vector<std::string>& paths, const DatasetOptions& options = {});

// A data set as a stream, for whoever needs its examples once and in order. Lists are read at once;
// of shards no more than a sample is in memory, and pipes and compressed ones will do.
class ExampleReader {
 public:
  virtual ~ExampleReader() = default;
  virtual bool next(Example& example) = 0;      // false at the end
  virtual uint64_t total() const { return 0; }  // 0: not known before the end
  const std::vector<std::string>& classes() const { return classes_; }

 protected:
  std::vector<std::string> classes_;
};

// The examples of open_datasets(paths, options), with the same keys.
std::unique_ptr<ExampleReader> open_examples(const std::vector<std::string>& paths,
                                             const DatasetOptions& options = {});
// Those of an input that is a list or a shard; `automatic` looks at its first bytes. Null when
// these are of neither, with nothing consumed.
std::unique_ptr<ExampleReader> read_examples(Input& input, const std::string& folder,
                                             const DatasetOptions& options = {});

// "img2" before "img10": digit runs compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace vq
