// Data sets as streams of examples.
#include "formats/dataset_parts.h"
#include "formats/dataset_shards.h"
#include "formats/detect.h"
#include "formats/error.h"

namespace vq {
namespace {

// A list that is in memory already.
class ListedExamples : public ExampleReader {
 public:
  explicit ListedExamples(Dataset set) : set_(std::move(set)) { classes_ = set_.classes; }

  bool next(Example& example) override {
    if (next_ == set_.examples.size()) return false;
    example = std::move(set_.examples[next_++]);
    return true;
  }
  uint64_t total() const override { return set_.examples.size(); }

 private:
  Dataset set_;
  size_t next_ = 0;
};

// A picture's name in a tar archive may begin with these letters too, but not go on like this.
bool begins_ppm(std::span<const uint8_t> b) {
  return b.size() >= 3 && b[0] == 'P' && (b[1] == '5' || b[1] == '6') &&
         (b[2] == '#' || b[2] == ' ' || (b[2] >= '\t' && b[2] <= '\r'));
}

// No more than is needed is waited for: what is piped into a program may come slowly.
DatasetFormat format_of(Input& input) {
  const auto first = input.peek(1);
  if (!first.empty() && first[0] == '{') return DatasetFormat::jsonl;
  if (begins_ppm(input.peek(3))) return DatasetFormat::automatic;
  const Format found = detect(input.peek(512));
  const bool shard = found == Format::tar || found == Format::gzip || found == Format::zstd;
  return shard ? DatasetFormat::shards : DatasetFormat::automatic;
}

}  // namespace

std::unique_ptr<ExampleReader> open_examples(const std::vector<std::string>& paths,
                                             const DatasetOptions& options) {
  std::vector<std::string> shards;
  if (find_all_shards(paths, options, shards)) {
    return std::make_unique<ShardReader>(std::move(shards), ShardReader::Pictures::in_stream);
  }
  return std::make_unique<ListedExamples>(open_datasets(paths, options));
}

std::unique_ptr<ExampleReader> read_examples(Input& input, const std::string& folder,
                                             const DatasetOptions& options) {
  const DatasetFormat format =
      options.format == DatasetFormat::automatic ? format_of(input) : options.format;
  check_split(input.name(), format, options);
  switch (format) {
    case DatasetFormat::jsonl:
    case DatasetFormat::csv:
    case DatasetFormat::tsv:
      return std::make_unique<ListedExamples>(read_list(input, folder, format));
    case DatasetFormat::coco:
      return std::make_unique<ListedExamples>(read_coco(input, {folder}));
    case DatasetFormat::shards:
      return std::make_unique<ShardReader>(std::move(input));
    case DatasetFormat::folder:
    case DatasetFormat::cub:
      throw Error(input.name(), "is not a folder");
    case DatasetFormat::automatic:
      break;
  }
  return nullptr;
}

}  // namespace vq
