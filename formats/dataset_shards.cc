#include "formats/dataset_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "formats/dataset_list.h"
#include "formats/dataset_parts.h"
#include "formats/error.h"
#include "formats/shard_names.h"

namespace vq {
namespace {

constexpr uint64_t kMaxPicture = uint64_t{512} << 20, kMaxText = 16 << 20;
constexpr std::array<std::string_view, 5> kPictures = {"jpg", "jpeg", "png", "webp", "ppm"};
constexpr std::array kCaptions = {"caption", "captions", "text"};

// "a/b.c.jpg" -> "a/b" and "c.jpg".
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t start = slash == name.npos ? 0 : slash + 1;
  const size_t dot = std::min(name.find('.', start), name.size());
  std::string suffix = dot < name.size() ? name.substr(dot + 1) : "";
  for (char& c : suffix) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return {name.substr(0, dot), suffix};
}

// What WebDataset, or the system that packed the shard, keeps there for itself.
bool is_passed_over(const std::string& name) {
  const std::string_view base = base_name(name);
  return base.starts_with('.') || (base.starts_with("__") && base.ends_with("__"));
}

// "shards/birds-000001.tar.gz" -> "birds-000001".
std::string shard_key(const std::string& path) {
  return as_key_text(split_name(std::string(base_name(path))).first);
}

}  // namespace

struct ShardReader::Sample {
  std::string stem;
  std::set<std::string> suffixes;
  size_t picture_rank = kPictures.size();  // of the best so far: none
  PictureSource picture;
  std::vector<std::string> captions;
  Json json = Json::object();
  int label = -1;
};

ShardReader::ShardReader(std::vector<std::string> paths, Pictures pictures)
    : paths_(std::move(paths)), pictures_(pictures) {}

ShardReader::ShardReader(Input input) : pictures_(Pictures::in_stream) {
  shard_ = input.name();
  names_.push_back(shard_);
  opened_ = 1;
  tar_.emplace(std::move(input));
}

std::string ShardReader::where(const std::string& stem) const {
  return fmt::format("{}: sample {}", shard_, as_key_text(stem));
}

bool ShardReader::open_next() {
  tar_.reset();
  if (opened_ >= paths_.size()) return false;
  Input input = Input::open(paths_[opened_]);
  ++opened_;
  shard_ = input.name();
  names_.push_back(shard_);
  whole_ = 0;
  tar_.emplace(std::move(input));
  return true;
}

// The next member that counts, of the shard that is open; false at its end.
bool ShardReader::next_member() {
  do {
    has_member_ = tar_->next(member_);
  } while (has_member_ && is_passed_over(member_.name));
  if (has_member_ && pictures_ == Pictures::in_place && !tar_->plain()) {
    throw Error(shard_, "is compressed or a pipe, and its pictures are needed in any order",
                "unpack it first: gzip -d or zstd -d");
  }
  return has_member_;
}

void ShardReader::add_member(Sample& sample, const std::string& suffix) {
  const auto rank = static_cast<size_t>(std::find(kPictures.begin(), kPictures.end(), suffix) -
                                        kPictures.begin());
  const std::string at = fmt::format("{}: {}", shard_, as_key_text(member_.name));
  const auto text = [&] {
    const Bytes bytes = tar_->read(kMaxText);
    std::string content(as_text(bytes));
    if (content.starts_with(kByteOrderMark)) content.erase(0, kByteOrderMark.size());
    return content;
  };
  if (rank < sample.picture_rank) {
    sample.picture_rank = rank;
    sample.picture.path = shard_;
    sample.picture.member = as_key_text(member_.name);
    if (pictures_ == Pictures::in_place) {
      sample.picture.offset = member_.offset;
      sample.picture.size = member_.size;
    } else {
      sample.picture.bytes = std::make_shared<Bytes>(tar_->read(kMaxPicture));
    }
  } else if (suffix == "txt") {
    add_caption(as_utf8(text()), sample.captions);
  } else if (suffix == "json") {
    sample.json = parse_json(text(), at);
    if (!sample.json.is_object()) throw Error(at, "is not a JSON object");
  } else if (suffix == "cls") {
    std::vector<std::string> word;  // white space around it goes
    add_caption(text(), word);
    const std::string digits = word.empty() ? "" : word[0];
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, sample.label);
    if (error != std::errc() || stop != end || sample.label < 0 || sample.label > kMaxLabel) {
      throw Error(at, fmt::format("is not a class number, 0..{}", kMaxLabel));
    }
  }
}

// All members of one stem; the first of the next one stays in member_.
void ShardReader::collect(Sample& sample) {
  sample.stem = split_name(member_.name).first;
  do {
    const auto [stem, suffix] = split_name(member_.name);
    if (stem != sample.stem || !sample.suffixes.insert(suffix).second) return;
    add_member(sample, suffix);
  } while (next_member());
}

void ShardReader::check_label(const Example& example, const std::string& at) {
  const bool has = example.label >= 0;
  if (!labelled_) labelled_ = has;
  if (*labelled_ == has) return;
  throw Error(at, has ? "has a class number, but the samples before it have none"
                      : "has no class number, but the samples before it have one");
}

// Its stem, with the shard's name in front where another shard has used it.
void ShardReader::give_key(Example& example) {
  const Place here{opened_ - 1, whole_ + 1};
  for (int attempt = 0;; ++attempt) {
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(example.picture.name(),
                  fmt::format("its name is no key of 1..{} bytes", kMaxKey));
    }
    const auto [it, fresh] = keys_.try_emplace(example.key, here);
    if (fresh) return;
    const Place& other = it->second;
    if (other.shard == here.shard || attempt > 0) {
      throw Error(fmt::format("{}: sample {}", shard_, here.sample),
                  fmt::format("its key \"{}\" is that of {}: sample {}", example.key,
                              names_[other.shard], other.sample),
                  "members of one sample follow each other, and no two have one ending");
    }
    example.key = shard_key(shard_) + "/" + example.key;
  }
}

void ShardReader::finish(Sample& sample, Example& example) {
  const std::string at = where(sample.stem);
  if (sample.picture_rank == kPictures.size()) {
    throw Error(at, fmt::format("has no picture (.{}), only .{}", fmt::join(kPictures, " ."),
                                fmt::join(sample.suffixes, " .")));
  }
  example = {};
  example.picture = std::move(sample.picture);
  example.captions = std::move(sample.captions);
  example.label = sample.label;
  Json& json = sample.json;
  for (const char* name : kCaptions) {
    const auto it = json.find(name);
    if (it == json.end()) continue;
    const Json list = it->is_array() ? *it : Json::array({*it});
    for (const Json& caption : list) {
      if (caption.is_null()) continue;
      if (!caption.is_string()) {
        throw Error(at, fmt::format("\"{}\" holds something else than strings", name));
      }
      add_caption(caption.get_ref<const std::string&>(), example.captions);
    }
    json.erase(name);
  }
  if (const auto it = json.find("label"); it != json.end()) {
    const Json label = *it;
    json.erase("label");
    if (label.is_number_integer()) {
      if (!label.is_number_unsigned() || label.get<uint64_t>() > kMaxLabel) {
        throw Error(at, fmt::format("the label {} is outside 0..{}", label.dump(), kMaxLabel));
      }
      if (example.label < 0) example.label = label.get<int>();
    } else if (!label.is_null() && !json.contains("class")) {
      json["class"] = label;
    }
  }
  // These are the record's own.
  for (const char* name : {"key", "tokens"}) json.erase(name);
  example.more = std::move(json);
  example.key = key_of_path(sample.stem);
  check_label(example, at);
  give_key(example);
  ++whole_;
  last_ = example.key;
}

bool ShardReader::next(Example& example) {
  Sample sample;
  try {
    while (!has_member_) {
      if (tar_ && next_member()) break;
      if (!open_next()) {
        if (!keys_.empty()) return false;
        throw Error(shard_, "holds no samples");
      }
    }
    collect(sample);
  } catch (const Error& error) {
    if (error.where() != shard_ || whole_ == 0) throw;
    throw Error(shard_,
                fmt::format("{}, after {} whole samples, the last of them {}", error.message(),
                            whole_, last_),
                error.hint());
  }
  finish(sample, example);
  return true;
}

}  // namespace vq
