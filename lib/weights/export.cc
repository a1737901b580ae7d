#include "lib/weights/export.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "formats/error.h"
#include "formats/torch_archive_writer.h"

namespace vq {
namespace {

// The pieces of one of our tensors: equal numbers of rows.
void add_pieces(Export& plan, PlannedFile& file, const SourceTensor& ours,
                const std::vector<std::string>& theirs, const TheirShape& shape) {
  const auto count = static_cast<int64_t>(theirs.size());
  if (count > 1 && (ours.shape.empty() || ours.shape[0] % count != 0))
    throw Error(ours.name, fmt::format("its rows do not make {} tensors", count));
  for (int64_t i = 0; i < count; ++i) {
    SourceTensor piece{theirs[static_cast<size_t>(i)], ours.dtype, ours.shape, {}};
    if (count > 1) piece.shape[0] /= count;
    if (shape) piece.shape = shape(piece.name, std::move(piece.shape));
    const uint64_t bytes = piece.bytes(), begin = bytes * static_cast<uint64_t>(i);
    piece.read = [&ours, begin, bytes](const auto& to) {
      ours.read([&](std::span<const uint8_t> all) { to(all.subspan(begin, bytes)); });
    };
    plan.pieces.push_back(std::move(piece));
    const SourceTensor& made = plan.pieces.back();
    file.tensors.push_back({{made.name, made.dtype, made.shape}, {&made}, {}});
  }
}

std::string utf8_letter(uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

// CLIP's printable stand-ins for the 256 bytes, in the order of their ids: the printable ones of
// Latin-1 first, the others from U+0100 on.
std::vector<std::string> byte_letters() {
  const auto printable = [](uint32_t b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  std::vector<std::string> letters;
  for (uint32_t b = 0; b < 256; ++b) {
    if (printable(b)) letters.push_back(utf8_letter(b));
  }
  uint32_t next = 0x100;
  for (uint32_t b = 0; b < 256; ++b) {
    if (!printable(b)) letters.push_back(utf8_letter(next++));
  }
  return letters;
}

void make_folders(const std::string& folder, const std::string& path) {
  for (size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string made = slash == 0 ? folder : folder + "/" + path.substr(0, slash);
    if (::mkdir(made.c_str(), 0777) != 0 && errno != EEXIST)
      throw Error::from_errno(made, "cannot create");
  }
}

// A tensor whose numbers an earlier one of the file has is stored once.
std::vector<TorchLayout> torch_layouts(const ExportedFile& file) {
  std::vector<TorchLayout> layouts;
  std::unordered_map<const SourceTensor*, size_t> there;
  for (const PlannedTensor& tensor : file.weights.tensors) {
    const TensorLayout& own = tensor.layout;
    layouts.push_back({file.torch->group, own.name, own.dtype, own.shape, {}});
    if (tensor.parts.size() != 1) continue;
    const auto [first, fresh] = there.emplace(tensor.parts.front(), layouts.size() - 1);
    if (!fresh) layouts.back().same_as = first->second;
  }
  return layouts;
}

void write_torch(const ExportedFile& file, const std::string& path, bool force,
                 const std::function<void(uint64_t)>& told) {
  const std::vector<TorchLayout> layouts = torch_layouts(file);
  TorchArchiveWriter writer(path, layouts, file.torch->values, force);
  uint64_t written = 0;
  const auto write = [&](std::span<const uint8_t> bytes) {
    writer.write(bytes);
    written += bytes.size();
  };
  for (size_t i = 0; i < layouts.size(); ++i) {
    const PlannedTensor& tensor = file.weights.tensors[i];
    if (layouts[i].same_as) continue;
    if (tensor.parts.empty()) write(tensor.made);
    for (const SourceTensor* part : tensor.parts) part->read(write);
    if (told) told(written);
  }
  writer.close();
}

}  // namespace

PlannedFile component(Export& plan, SourcePool& pool, const TheirNames& theirs,
                      const TheirShape& shape) {
  PlannedFile file;
  for (const std::string& name : pool.unused()) {
    const std::vector<std::string> names = theirs(name);
    if (!names.empty()) add_pieces(plan, file, pool.take(name), names, shape);
  }
  std::sort(
      file.tensors.begin(), file.tensors.end(),
      [](const PlannedTensor& a, const PlannedTensor& b) { return a.layout.name < b.layout.name; });
  return file;
}

std::vector<double> doubles_of(SourcePool& pool, const std::string& name) {
  const SourceTensor& tensor = pool.take(name);
  std::vector<double> numbers(tensor.count());
  if (tensor.dtype != DType::f64) throw Error(pool.path(), name + " is not of 64-bit numbers");
  tensor.read([&](std::span<const uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(numbers.data()));
  });
  return numbers;
}

void add_json(Export& plan, const std::string& path, const Json& json) {
  const std::string text = json.dump(2) + "\n";
  plan.files.push_back({path, {}, Bytes(text.begin(), text.end())});
}

void add_tokenizer(Export& plan, std::string_view merges, int64_t length) {
  Json vocabulary = Json::object();
  int64_t id = 0;
  std::vector<std::string> words = byte_letters();
  for (size_t i = 0; i < 256; ++i) words.push_back(words[i] + "</w>");
  for (size_t at = 0; at < merges.size();) {
    const size_t end = std::min(merges.find('\n', at), merges.size());
    std::string pair(merges.substr(at, end - at));
    pair.erase(std::remove(pair.begin(), pair.end(), ' '), pair.end());
    words.push_back(std::move(pair));
    at = end + 1;
  }
  const std::string start = "<|startoftext|>", finish = "<|endoftext|>";
  words.push_back(start);
  words.push_back(finish);
  // Written by hand: an ordered JSON object looks through all its members for each new one.
  std::string text = "{";
  for (const std::string& word : words)
    text += (id > 0 ? ", " : "") + dump_json(Json(word)) + ": " + std::to_string(id), ++id;
  text += "}";
  plan.files.push_back({"tokenizer/vocab.json", {}, Bytes(text.begin(), text.end())});
  std::string rows = "#version: 0.2\n" + std::string(merges);
  plan.files.push_back({"tokenizer/merges.txt", {}, Bytes(rows.begin(), rows.end())});
  const auto token = [](const std::string& content) {
    return Json{{"content", content},
                {"lstrip", false},
                {"normalized", true},
                {"rstrip", false},
                {"single_word", false}};
  };
  add_json(plan, "tokenizer/special_tokens_map.json",
           {{"bos_token", token(start)},
            {"eos_token", token(finish)},
            {"pad_token", "!"},
            {"unk_token", token(finish)}});
  add_json(plan, "tokenizer/tokenizer_config.json",
           {{"bos_token", start},
            {"clean_up_tokenization_spaces", false},
            {"eos_token", finish},
            {"errors", "replace"},
            {"model_max_length", length},
            {"pad_token", "!"},
            {"tokenizer_class", "CLIPTokenizer"},
            {"unk_token", finish}});
}

void write_export(const Export& plan, const std::string& folder, bool force,
                  const std::function<void(uint64_t)>& told) {
  uint64_t before = 0;
  for (const ExportedFile& file : plan.files) {
    make_folders(folder, file.path);
    const std::string path = folder + "/" + file.path;
    if (file.weights.tensors.empty()) {
      Output output = Output::open(path, force);
      output.write(file.content);
      output.close();
      continue;
    }
    const auto tell = [&](uint64_t done) {
      if (told) told(before + done);
    };
    if (file.torch) {
      write_torch(file, path, force, tell);
    } else {
      write_tensors(file.weights, path, {{"format", "pt"}}, force, tell);
    }
    before += file.weights.bytes();
  }
}

}  // namespace vq
