#include "lib/training/token_set.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"

namespace vq {
namespace {

void append_tokens(const TokenReader& reader, const GridHeader& header, const TokenRecord& record,
                   std::vector<uint16_t>& all) {
  for (const int32_t token : record.tokens) {
    if (token >= header.codebook_size) {
      throw Error(reader.where(), "holds [mask]; a training set needs whole images");
    }
    all.push_back(static_cast<uint16_t>(token));
  }
}

// Conditions are all or nothing: a set where some records lack theirs is a mistake more often than
// a wish.
void check_complete(size_t with, size_t all, const char* what, const std::string& where) {
  if (with != 0 && with != all) {
    throw Error(where, std::to_string(all - with) + " of " + std::to_string(all) +
                           " records have no " + what);
  }
}

}  // namespace

std::vector<std::string> captions_of(const TokenRecord& record) {
  std::vector<std::string> list;
  if (const auto one = record.more.find("caption"); one != record.more.end() && one->is_string()) {
    list.push_back(*one);
  }
  if (const auto many = record.more.find("captions");
      many != record.more.end() && many->is_array()) {
    for (const Json& caption : *many) {
      if (caption.is_string()) list.push_back(caption);
    }
  }
  return list;
}

TokenSet read_token_set(const std::vector<std::string>& paths) {
  TokenReader reader(paths);
  TokenSet set;
  set.header = reader.header();
  std::vector<uint16_t> all;
  size_t with_captions = 0, with_labels = 0, count = 0;
  for (TokenRecord record; reader.next(record); ++count) {
    append_tokens(reader, set.header, record, all);
    set.captions.push_back(captions_of(record));
    with_captions += !set.captions.back().empty();
    const auto label = record.more.find("label");
    const bool labelled = label != record.more.end() && label->is_number_integer();
    set.labels.push_back(labelled ? label->get<int64_t>() : -1);
    if (labelled && set.labels.back() < 0) throw Error(reader.where(), "has a negative label");
    with_labels += labelled;
  }
  const std::string where = paths.empty() ? "standard input" : paths.front();
  if (count == 0) throw Error(where, "holds no records");
  check_complete(with_captions, count, "caption", where);
  check_complete(with_labels, count, "label", where);
  if (with_captions == 0) set.captions.clear();
  if (with_labels == 0) set.labels.clear();
  if (const auto classes = set.header.more.find("classes");
      classes != set.header.more.end() && classes->is_array()) {
    for (const Json& name : *classes)
      set.classes.push_back(name.is_string() ? name.get<std::string>() : dump_json(name));
  }
  set.tokens = at::empty({static_cast<int64_t>(count), set.header.length()}, at::kShort);
  std::copy(all.begin(), all.end(), reinterpret_cast<uint16_t*>(set.tokens.data_ptr<int16_t>()));
  return set;
}

at::Tensor TokenSet::batch(const std::vector<int64_t>& records) const {
  const at::Tensor index = at::tensor(records, at::kLong);
  return tokens.index_select(0, index).to(at::kLong).bitwise_and(0xFFFF);
}

}  // namespace vq
