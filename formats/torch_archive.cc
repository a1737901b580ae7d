#include "formats/torch_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/mapped_file.h"
#include "formats/torch_values.h"
#include "formats/zip_directory.h"

namespace vq {
namespace {

constexpr std::string_view kPickleName = "data.pkl";
constexpr size_t kLookAt = 64 << 10;

// Another kind of file is named before anything is said about zip directories.
void refuse_others(std::span<const uint8_t> file, const std::string& path) {
  const Format found = detect(file.first(std::min(file.size(), kLookAt)));
  if (found == Format::torch || found == Format::zip) return;
  throw Error(path, fmt::format("is not a PyTorch archive but {}", describe(found)),
              hint_for(Format::torch, found));
}

// The records of the one folder that a PyTorch archive has.
class Folder {
 public:
  Folder(std::span<const uint8_t> file, const std::string& path) : path_(path), zip_(file, path) {
    for (const ZipRecord& record : zip_.records()) {
      const size_t slash = record.name.find('/');
      if (slash != record.name.npos && record.name.substr(slash + 1) == kPickleName) {
        folder_ = record.name.substr(0, slash + 1);
        return;
      }
    }
    throw Error(path, "is a zip archive without data.pkl: not a file of PyTorch");
  }

  const ZipDirectory& zip() const { return zip_; }
  const ZipRecord* find(std::string_view name) const {
    return zip_.find(fmt::format("{}{}", folder_, name));
  }
  // A record that is there, and not compressed; else a sentence about WHERE.
  std::span<const uint8_t> bytes(std::string_view name, const std::string& where) const {
    const ZipRecord* record = find(name);
    if (!record) throw Error(where, fmt::format("the record {}{} is missing", folder_, name));
    if (!record->stored) {
      throw Error(where,
                  fmt::format("record {} is compressed, which PyTorch never does", record->name),
                  "unpack the archive, and pack its folder again with zip -0 -r");
    }
    return record->bytes;
  }
  void refuse_big_endian() const {
    if (find("byteorder") && as_text(bytes("byteorder", path_)).starts_with("big")) {
      throw Error(path_, "was written on a big-endian machine, and its numbers are not turned here",
                  "load and save it in Python on the machine at hand");
    }
  }

 private:
  const std::string& path_;
  ZipDirectory zip_;
  std::string_view folder_;  // "archive/"
};

}  // namespace

struct TorchArchive::State {
  std::string path;
  std::optional<MappedFile> map;
  Bytes memory;
  std::optional<Folder> folder;
  std::vector<std::string> names;
  std::unordered_map<std::string, TorchTensor> tensors;
  Json values;

  explicit State(const std::string& from) : path(from) { map.emplace(path, "PyTorch"); }
  State(Bytes bytes, const std::string& name) : path(name), memory(std::move(bytes)) {}

  void read() {
    const std::span<const uint8_t> file = map ? map->bytes() : std::span<const uint8_t>(memory);
    refuse_others(file, path);
    folder.emplace(file, path);
    folder->refuse_big_endian();
    const Pickle pickle = read_pickle(folder->bytes(kPickleName, path), path);
    const auto storage = [&](std::string_view key) {
      return folder->bytes(fmt::format("data/{}", key), "");
    };
    TorchValues found = read_torch_values(pickle, storage, path);
    for (auto& [name, tensor] : found.tensors) {
      names.push_back(name);
      tensors.emplace(std::move(name), std::move(tensor));
    }
    values = std::move(found.tree);
  }
};

TorchArchive::TorchArchive(const std::string& path) {
  auto state = std::make_shared<State>(path);
  state->read();
  state_ = std::move(state);
}

TorchArchive::TorchArchive(Bytes archive, const std::string& name) {
  auto state = std::make_shared<State>(std::move(archive), name);
  state->read();
  state_ = std::move(state);
}

const std::string& TorchArchive::path() const { return state_->path; }

bool TorchArchive::is_script() const { return state_->folder->find("constants.pkl") != nullptr; }

const Json& TorchArchive::values() const { return state_->values; }

const std::vector<std::string>& TorchArchive::names() const { return state_->names; }

bool TorchArchive::contains(const std::string& name) const {
  return state_->tensors.contains(name);
}

const TorchTensor& TorchArchive::tensor(const std::string& name) const {
  const auto it = state_->tensors.find(name);
  if (it == state_->tensors.end()) throw Error(path(), fmt::format("has no tensor {}", name));
  return it->second;
}

Bytes TorchArchive::read(const std::string& name) const {
  try {
    return copy_tensor(tensor(name));
  } catch (const Error& error) {
    if (!error.where().empty()) throw;
    throw error.within(fmt::format("{}: tensor {}", path(), name));
  }
}

void TorchArchive::read(const std::string& name, std::span<uint8_t> to) const {
  try {
    copy_tensor(tensor(name), to);
  } catch (const Error& error) {
    if (!error.where().empty()) throw;
    throw error.within(fmt::format("{}: tensor {}", path(), name));
  }
}

bool TorchArchive::check() const {
  bool all = true;
  for (const ZipRecord& record : state_->folder->zip().records()) {
    if (!record.stored) continue;
    if (record.crc == 0 && !record.bytes.empty()) {
      all = false;
    } else if (crc32_z(0, record.bytes.data(), record.bytes.size()) != record.crc) {
      throw Error(path(), fmt::format("record {} is damaged: its checksum disagrees", record.name));
    }
  }
  return all;
}

}  // namespace vq
