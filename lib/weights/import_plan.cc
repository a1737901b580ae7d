#include "lib/weights/import_plan.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "formats/error.h"
#include "lib/weights/model_file.h"
#include "lib/weights/name_map.h"

namespace vq {
namespace {

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

bool is_real(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

// Sides of one at the end say nothing: a 1x1 convolution is a matrix.
std::vector<int64_t> without_last_ones(std::vector<int64_t> shape) {
  while (!shape.empty() && shape.back() == 1) shape.pop_back();
  return shape;
}

// Does ours consist of these parts, one below the other?
bool fit(const std::vector<int64_t>& ours, const std::vector<const SourceTensor*>& parts) {
  const auto count = static_cast<int64_t>(parts.size());
  std::vector<int64_t> part = ours;
  if (count > 1) {
    if (part.empty() || part[0] % count != 0) return false;
    part[0] /= count;
  }
  return std::all_of(parts.begin(), parts.end(), [&](const SourceTensor* t) {
    return without_last_ones(t->shape) == without_last_ones(part);
  });
}

// What a table shows: the layer, its number hidden, without which of its tensors it is.
std::string layer_of(const std::string& name) {
  std::string shown = with_numbers_hidden(name);
  for (const char* end : {".weight", ".bias"}) {
    if (shown.ends_with(end)) return shown.substr(0, shown.size() - std::strlen(end));
  }
  return shown;
}

std::string shapes_of(const std::vector<const SourceTensor*>& parts) {
  std::string text;
  for (const SourceTensor* part : parts)
    text += fmt::format("{}[{}]", text.empty() ? "" : " + ", fmt::join(part->shape, ", "));
  return text;
}

}  // namespace

SourcePool::SourcePool(TensorSource source, std::string label)
    : source_(std::move(source)), label_(std::move(label)), state_(source_.tensors.size()) {
  rename([](const std::string& name) { return name; });
}

void SourcePool::rename(const std::function<std::string(const std::string&)>& name) {
  names_.clear(), by_name_.clear();
  for (const SourceTensor& tensor : source_.tensors) {
    names_.push_back(name(tensor.name));
    if (!by_name_.emplace(names_.back(), names_.size() - 1).second)
      throw Error(path(), fmt::format("two tensors are a {}", names_.back()));
  }
}

bool SourcePool::has_prefix(const std::string& prefix) const {
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& name) { return name.starts_with(prefix); });
}

size_t SourcePool::index_of(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) throw Error(path(), "has no tensor " + name);
  return found->second;
}

const SourceTensor& SourcePool::look(const std::string& name) const {
  return source_.tensors[index_of(name)];
}

const SourceTensor& SourcePool::take(const std::string& name) {
  const size_t at = index_of(name);
  state_[at] = State::taken;
  return source_.tensors[at];
}

int64_t SourcePool::size(const std::string& name, size_t side) const {
  const std::vector<int64_t>& shape = look(name).shape;
  if (side >= shape.size()) {
    throw Error(path(), fmt::format("tensor {} has the shape [{}], which is too simple", name,
                                    fmt::join(shape, ", ")));
  }
  return shape[side];
}

size_t SourcePool::leave(const std::string& pattern, const std::string& reason) {
  Left left{reason, {}};
  for (size_t i = 0; i < names_.size(); ++i) {
    if (state_[i] != State::fresh || fnmatch(pattern.c_str(), names_[i].c_str(), 0) != 0) continue;
    state_[i] = State::left;
    left.names.push_back((label_.empty() ? "" : label_ + ": ") + source_.tensors[i].name);
  }
  const size_t count = left.names.size();
  const auto same = std::find_if(left_.begin(), left_.end(),
                                 [&](const Left& other) { return other.reason == reason; });
  if (count > 0 && same != left_.end()) {
    same->names.insert(same->names.end(), left.names.begin(), left.names.end());
  } else if (count > 0) {
    left_.push_back(std::move(left));
  }
  return count;
}

std::vector<std::string> SourcePool::unused() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (state_[i] == State::fresh)
      names.push_back((label_.empty() ? "" : label_ + ": ") + source_.tensors[i].name);
  }
  return names;
}

uint64_t PlannedFile::bytes() const {
  uint64_t all = 0;
  for (const PlannedTensor& tensor : tensors) {
    all += tensor.made.size();
    for (const SourceTensor* part : tensor.parts) all += part->bytes();
  }
  return all;
}

void PlannedFile::add(const std::string& name, DType dtype, std::vector<int64_t> shape,
                      Bytes made) {
  tensors.push_back({{name, dtype, std::move(shape)}, {}, std::move(made)});
}

std::vector<std::string> plan_parameters(PlannedFile& file, const Parameters& network,
                                         const TheirNames& theirs, SourcePool& pool) {
  std::vector<std::string> without, missing;
  for (const Parameters::Entry& entry : network.entries()) {
    const std::vector<std::string> names = theirs(entry.name);
    if (names.empty()) {
      without.push_back(entry.name);
      continue;
    }
    PlannedTensor planned{{entry.name, DType::f32, entry.tensor.sizes().vec()}, {}, {}};
    for (const std::string& name : names) {
      if (pool.has(name)) {
        planned.parts.push_back(&pool.take(name));
      } else {
        missing.push_back(name);
      }
    }
    if (planned.parts.size() < names.size()) continue;
    const std::string where = pool.path() + ": tensor " + planned.parts.front()->name;
    planned.layout.dtype = planned.parts.front()->dtype;
    if (!is_real(planned.layout.dtype)) throw Error(where, "holds whole numbers, not weights");
    for (const SourceTensor* part : planned.parts) {
      if (part->dtype != planned.layout.dtype) {
        throw Error(
            where, fmt::format("has another type than {}, and they become one tensor", part->name));
      }
    }
    if (!fit(planned.layout.shape, planned.parts)) {
      throw Error(where,
                  fmt::format("has the shape {}, but {} needs [{}]", shapes_of(planned.parts),
                              entry.name, fmt::join(planned.layout.shape, ", ")));
    }
    file.tensors.push_back(std::move(planned));
  }
  if (!missing.empty()) throw Error(pool.path(), "lacks the tensors " + some_of(missing));
  return without;
}

namespace {

// Names that differ in one word, as a shell would write them: "attn.{query,key,value}".
std::string joined_names(const std::vector<std::string>& names) {
  std::vector<std::vector<std::string>> words(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    std::istringstream text(names[i]);
    for (std::string word; std::getline(text, word, '.');) words[i].push_back(word);
  }
  std::string joined;
  size_t different = 0;
  for (size_t at = 0; at < words.front().size(); ++at) {
    std::vector<std::string> choices;
    for (const auto& own : words) {
      if (own.size() != words.front().size()) return fmt::format("{}", fmt::join(names, " + "));
      choices.push_back(own[at]);
    }
    const bool same = std::equal(choices.begin() + 1, choices.end(), choices.begin());
    different += same ? 0 : 1;
    joined += at == 0 ? "" : ".";
    joined += same ? choices.front() : fmt::format("{{{}}}", fmt::join(choices, ","));
  }
  return different < 2 ? joined : fmt::format("{}", fmt::join(names, " + "));
}

// 6,984,388
std::string with_commas(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace

std::vector<PlanRow> plan_rows(const PlannedFile& file) {
  std::vector<PlanRow> rows;
  std::vector<uint64_t> numbers;
  for (const PlannedTensor& tensor : file.tensors) {
    PlanRow row;
    std::vector<std::string> theirs;
    for (const SourceTensor* part : tensor.parts) theirs.push_back(layer_of(part->name));
    row.theirs = theirs.empty() ? "(made)" : joined_names(theirs);
    row.ours = layer_of(tensor.layout.name);
    size_t at = 0;
    while (at < rows.size() && (rows[at].ours != row.ours || rows[at].theirs != row.theirs)) ++at;
    if (at == rows.size()) rows.push_back(row), numbers.push_back(0);
    rows[at].count += 1;
    uint64_t count = 1;
    for (const int64_t side : tensor.layout.shape) count *= static_cast<uint64_t>(side);
    numbers[at] += count;
    rows[at].what = with_commas(numbers[at]) + " numbers";
  }
  return rows;
}

void write_planned(const PlannedFile& file, const std::string& path, const Json& history,
                   bool force, const std::function<void(uint64_t)>& told) {
  write_tensors(file, path,
                {{"vq.kind", file.kind},
                 {"vq.config", dump_json(file.config)},
                 {"vq.history", dump_json(history)}},
                force, told);
}

void write_tensors(const PlannedFile& file, const std::string& path,
                   const std::map<std::string, std::string>& metadata, bool force,
                   const std::function<void(uint64_t)>& told) {
  std::vector<TensorLayout> layouts;
  for (const PlannedTensor& tensor : file.tensors) layouts.push_back(tensor.layout);
  SafetensorsWriter writer(path, layouts, metadata, force);
  uint64_t written = 0;
  const auto write = [&](std::span<const uint8_t> bytes) {
    writer.write(bytes);
    written += bytes.size();
  };
  for (const PlannedTensor& tensor : file.tensors) {
    if (tensor.parts.empty()) write(tensor.made);
    for (const SourceTensor* part : tensor.parts) part->read(write);
    if (told) told(written);
  }
  writer.close();
}

at::Tensor float_tensor(const SourceTensor& source) {
  const at::Tensor tensor = at::empty(source.shape, scalar_type_of(source.dtype));
  source.read([&](std::span<const uint8_t> bytes) {
    if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  });
  return tensor.to(at::kFloat);
}

at::Tensor planned_tensor(const PlannedFile& file, const std::string& name) {
  for (const PlannedTensor& tensor : file.tensors) {
    if (tensor.layout.name != name) continue;
    const at::Tensor value = at::empty(tensor.layout.shape, scalar_type_of(tensor.layout.dtype));
    auto* to = static_cast<uint8_t*>(value.data_ptr());
    const auto copy = [&](std::span<const uint8_t> bytes) {
      if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
      to += bytes.size();
    };
    if (tensor.parts.empty()) copy(tensor.made);
    for (const SourceTensor* part : tensor.parts) part->read(copy);
    return value;
  }
  return {};
}

}  // namespace vq
