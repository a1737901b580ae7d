// Speed and size of the token grid, beside libzstd's own speed on the same bytes in the same run.
//
//   token_grid_bench [--folder DIR] [TOKENS...]     writes and reads files in DIR (/dev/shm)
//   token_grid_bench --many N                       writes and reads N records: how much memory?
//
// One core; CPU time of this process, by turns, the median of five rounds. Each of TOKENS is a file
// of learned tokens; besides, tokens are uniform (nothing to compress), skewed (a few codes are
// frequent), and masked. Captions are made sentences, each record has one of its own.

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <random>

#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_frames.h"
#include "formats/token_grid.h"

namespace {

using namespace vq;

double cpu_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return t.tv_sec + t.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The CPU seconds of each piece of work: the median of five rounds, in which they take turns.
std::vector<double> medians(const std::vector<std::function<void()>>& pieces) {
  constexpr int kRounds = 5;
  std::vector<std::vector<double>> seconds(pieces.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < pieces.size(); ++i) {
      const double start = cpu_seconds();
      pieces[i]();
      seconds[i].push_back(cpu_seconds() - start);
    }
  }
  std::vector<double> result;
  for (auto& list : seconds) {
    std::sort(list.begin(), list.end());
    result.push_back(list[kRounds / 2]);
  }
  return result;
}

struct Set {
  std::string name;
  GridHeader header;
  std::vector<TokenRecord> records;
};

std::string sentence(std::mt19937& random) {
  static const char* const colours[] = {"red", "green", "blue", "yellow", "white", "black"};
  static const char* const shapes[] = {"circle", "square", "triangle", "star", "cross", "ring"};
  static const char* const places[] = {"above", "below", "left of", "right of"};
  const auto pick = [&](const auto& words) {
    return std::string(words[random() % std::size(words)]);
  };
  return "a small " + pick(colours) + " " + pick(shapes) + " " + pick(places) + " a large " +
         pick(colours) + " " + pick(shapes);
}

Set make_set(const char* name, int side, int k, bool skewed, bool captions, double masked) {
  Set set{name, {}, {}};
  set.header.height = set.header.width = side;
  set.header.codebook_size = k;
  set.header.mask = masked > 0;
  set.header.codec = sha256(as_bytes(name));
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform;
  const size_t n = (32u << 20) / 4 / (side * side);
  for (size_t i = 0; i < n; ++i) {
    TokenRecord record;
    record.key = "shapes/" + std::to_string(100000 + i);
    for (int j = 0; j < side * side; ++j) {
      const double u = uniform(random);
      const int token = static_cast<int>(k * (skewed ? u * u : u));
      record.tokens.push_back(uniform(random) < masked ? k : token);
    }
    if (captions) {
      record.more["caption"] = sentence(random);
      record.more["label"] = random() % 100;
    }
    set.records.push_back(std::move(record));
  }
  return set;
}

// The records of a file, as often as it takes to have about 8 million tokens.
Set read_set(const std::string& path, bool captions) {
  Set set;
  TokenReader reader(std::vector<std::string>{path});
  set.header = reader.header();
  set.header.history = Json::array();
  set.name = fmt::format("{} {}x{} K={}", path.substr(path.rfind('/') + 1), set.header.height,
                         set.header.width, set.header.codebook_size);
  std::mt19937 random(1);
  for (TokenRecord record; reader.next(record);) {
    record.more = Json::object();
    if (captions) {
      record.more["caption"] = sentence(random);
      record.more["label"] = random() % 100;
    }
    set.records.push_back(record);
  }
  const size_t once = set.records.size();
  const size_t enough = (8u << 20) / static_cast<size_t>(set.header.length());
  while (once > 0 && set.records.size() < enough) {
    set.records.push_back(set.records[set.records.size() - once]);
  }
  return set;
}

// Bytes a record that the tokens would take if each were drawn by itself with the frequencies that
// the set has; positions that are [mask] cost nothing.
double order_0_bytes(const Set& set) {
  std::vector<double> counts(static_cast<size_t>(set.header.codebook_size) + 1);
  for (const TokenRecord& record : set.records) {
    for (const int32_t token : record.tokens) ++counts[static_cast<size_t>(token)];
  }
  counts.pop_back();
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double bits = 0;
  for (const double count : counts) bits -= count > 0 ? count * std::log2(count / total) : 0;
  return bits / 8 / static_cast<double>(set.records.size());
}

// What libzstd alone is given: the content of the blocks.
std::vector<Bytes> contents(const Set& set) {
  std::vector<Bytes> blocks;
  std::vector<size_t> borders;
  BlockPacker packer(set.header);
  for (const TokenRecord& record : set.records) {
    packer.add(record);
    if (packer.records() == 256) blocks.push_back(packer.pack(0, borders));
  }
  if (packer.records() > 0) blocks.push_back(packer.pack(0, borders));
  return blocks;
}

// Everything that is not a column: heads of blocks and of frames, header, end mark, index.
double framing_bytes(const std::string& path) {
  constexpr double kFrame = 5 + 4 + 4;  // magic and descriptor, content size, checksum
  FrameReader reader(Input::open(path));
  double bytes = 0;
  for (Frame frame; reader.next(frame) == FrameReader::Result::frame;) {
    const bool block = as_text(frame.content()).starts_with(kBlockMagic);
    bytes += block ? kBlockHead + kFrame : static_cast<double>(frame.size);
  }
  return bytes;
}

void measure(const Set& set, int level, int block_records, const std::string& path) {
  TokenWriterOptions options;
  options.level = level;
  options.block_records = block_records;
  options.history = false;
  const std::vector<Bytes> blocks = contents(set);
  std::vector<Bytes> frames(blocks.size());
  Bytes content;
  const std::vector<double> seconds = medians({
      [&] {
        TokenWriter writer(Output::open(path, true, false), set.header, options);
        for (const TokenRecord& record : set.records) writer.write(record);
        writer.close();
      },
      [&] {
        TokenReader reader(std::vector<std::string>{path});
        TokenRecord record;
        size_t n = 0;
        while (reader.next(record)) ++n;
        if (n != set.records.size()) throw Error(path, "lost records");
      },
      [&] {
        for (size_t i = 0; i < blocks.size(); ++i) {
          frames[i].resize(ZSTD_compressBound(blocks[i].size()));
          frames[i].resize(ZSTD_compress(frames[i].data(), frames[i].size(), blocks[i].data(),
                                         blocks[i].size(), level));
        }
      },
      [&] {
        for (size_t i = 0; i < blocks.size(); ++i) {
          content.resize(blocks[i].size());
          ZSTD_decompress(content.data(), content.size(), frames[i].data(), frames[i].size());
        }
      },
  });
  const double bytes = static_cast<double>(read_file(path).size());
  const double n = static_cast<double>(set.records.size());
  const double mega = n * set.header.length() / 1e6;
  fmt::print("{:<30} {:>5} {:>5} {:>9.1f} {:>8.1f} {:>7.3f} {:>7.0f} {:>6.0f} {:>7.0f} {:>6.0f}\n",
             set.name, level, block_records, bytes / n, order_0_bytes(set),
             100 * framing_bytes(path) / bytes, mega / seconds[0], mega / seconds[1],
             mega / seconds[2], mega / seconds[3]);
  std::fflush(stdout);
}

void measure_all(const std::vector<std::string>& files, bool captions, const std::string& path) {
  fmt::print("\n{}\n{:<30} {:>5} {:>5} {:>9} {:>8} {:>7} {:>7} {:>6} {:>7} {:>6}\n",
             captions ? "with captions" : "tokens and keys alone", "", "level", "block", "B/record",
             "order 0", "frame %", "write", "read", "zstd w", "zstd r");
  std::vector<Set> sets;
  sets.push_back(make_set("uniform 32x32 K=4096", 32, 4096, false, captions, 0));
  sets.push_back(make_set("skewed 16x16 K=512", 16, 512, true, captions, 0));
  sets.push_back(make_set("half masked 16x16 K=512", 16, 512, true, captions, 0.5));
  for (const std::string& file : files) sets.push_back(read_set(file, captions));
  for (const Set& set : sets) {
    for (const int level : {1, 3}) measure(set, level, 256, path);
    if (captions) measure(set, 3, 1, path);
  }
}

// Memory must not grow with the number of records.
void write_and_read_many(uint64_t n, const std::string& path) {
  const auto peak = [] {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  GridHeader header;
  header.height = header.width = 4;
  header.codebook_size = 1024;
  fmt::print("{} MiB before\n", peak());
  TokenRecord record{"", std::vector<int32_t>(16), {}};
  TokenWriter writer(Output::open(path, true, false), header);
  for (uint64_t i = 0; i < n; ++i) {
    record.key = std::to_string(i);
    for (int j = 0; j < 16; ++j)
      record.tokens[j] = static_cast<int32_t>((i * 2654435761u >> j) % 1024);
    record.more["label"] = i % 100;
    writer.write(record);
  }
  writer.close();
  fmt::print("{} MiB after writing {} records\n", peak(), n);
  TokenReader reader(std::vector<std::string>{path});
  while (reader.next(record)) {
  }
  if (reader.records() != n) throw Error(path, "lost records");
  fmt::print("{} MiB after reading them\n", peak());
  TokenFile file(path);
  if (file.read(n / 2).key != std::to_string(n / 2)) throw Error(path, "another record");
  fmt::print("{} MiB after one by its number\n", peak());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files(argv + 1, argv + argc);
  std::string folder = "/dev/shm";
  uint64_t many = 0;
  if (files.size() >= 2 && files[0] == "--folder") {
    folder = files[1];
    files.erase(files.begin(), files.begin() + 2);
  } else if (files.size() == 2 && files[0] == "--many") {
    many = std::stoull(files[1]);
  }
  const std::string path = folder + "/token_grid_bench." + std::to_string(::getpid());
  int status = 0;
  try {
    if (many > 0) {
      write_and_read_many(many, path);
    } else {
      for (const bool captions : {true, false}) measure_all(files, captions, path);
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "token_grid_bench: %s\n", e.what());
    status = 1;
  }
  ::unlink(path.c_str());
  return status;
}
