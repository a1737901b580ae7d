// Speed and size of the token grid, beside libzstd's own speed on the same bytes in the same run.
//
//   token_grid_bench [FOLDER]     writes and reads a file in FOLDER (/dev/shm)
//
// One core; CPU time of this process, best of three. Tokens are uniform (nothing to compress) and
// skewed (a few codes are frequent, as in learned codebooks); captions are sentences.

#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>

#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_grid.h"

namespace {

using namespace vq;

double cpu_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return t.tv_sec + t.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double best_of_three(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = cpu_seconds();
    work();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

struct Set {
  const char* name;
  GridHeader header;
  std::vector<TokenRecord> records;
  double tokens() const { return static_cast<double>(records.size()) * header.length(); }
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

// libzstd alone on what the blocks hold: the speed that we are to be compared with.
void measure_zstd(const Set& set, int level, double& write, double& read) {
  std::vector<Bytes> blocks, frames;
  BlockPacker packer(set.header);
  std::vector<size_t> borders;
  for (const TokenRecord& record : set.records) {
    packer.add(record);
    if (packer.records() == 256) blocks.push_back(packer.pack(0, borders));
  }
  frames.resize(blocks.size());
  write = best_of_three([&] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      frames[i].resize(ZSTD_compressBound(blocks[i].size()));
      frames[i].resize(ZSTD_compress(frames[i].data(), frames[i].size(), blocks[i].data(),
                                     blocks[i].size(), level));
    }
  });
  Bytes content;
  read = best_of_three([&] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      content.resize(blocks[i].size());
      ZSTD_decompress(content.data(), content.size(), frames[i].data(), frames[i].size());
    }
  });
}

void measure(const Set& set, int level, int block_records, const std::string& path) {
  TokenWriterOptions options;
  options.level = level;
  options.block_records = block_records;
  const double write = best_of_three([&] {
    TokenWriter writer(Output::open(path, true), set.header, options);
    for (const TokenRecord& record : set.records) writer.write(record);
    writer.close();
  });
  const double read = best_of_three([&] {
    TokenReader reader(std::vector<std::string>{path});
    TokenRecord record;
    size_t n = 0;
    while (reader.next(record)) ++n;
    if (n != set.records.size()) throw Error(path, "lost records");
  });
  const double bytes = static_cast<double>(read_file(path).size());
  double zstd_write = 0, zstd_read = 0;
  measure_zstd(set, level, zstd_write, zstd_read);
  const double mega = set.tokens() / 1e6;
  std::printf(
      "%-22s level %d block %3d  %8.1f B/record  write %5.0f  read %5.0f  (zstd alone %5.0f %5.0f) "
      "M tokens/s\n",
      set.name, level, block_records, bytes / set.records.size(), mega / write, mega / read,
      mega / zstd_write, mega / zstd_read);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = std::string(argc > 1 ? argv[1] : "/dev/shm") + "/token_grid_bench." +
                           std::to_string(::getpid());
  try {
    for (const bool captions : {false, true}) {
      std::printf("%s\n", captions ? "with captions" : "tokens only");
      for (const Set& set : {make_set("uniform 32x32 K=4096", 32, 4096, false, captions, 0),
                             make_set("skewed 32x32 K=4096", 32, 4096, true, captions, 0),
                             make_set("skewed 16x16 K=512", 16, 512, true, captions, 0),
                             make_set("half masked 16x16 K=512", 16, 512, true, captions, 0.5)}) {
        for (const int level : {1, 3}) measure(set, level, 256, path);
        measure(set, 3, 1, path);
      }
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "token_grid_bench: %s\n", e.what());
    ::unlink(path.c_str());
    return 1;
  }
  ::unlink(path.c_str());
  return 0;
}
