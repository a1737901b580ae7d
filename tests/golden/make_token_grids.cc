// Writes the golden token grids: make_token_grids [FOLDER], by default tests/golden/token-grid-v1.
// Run it when a file is added; a test compares what it would write with what is there.

#include <cstdio>
#include <filesystem>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/golden/token_grid_parts.h"

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "tests/golden/token-grid-v1";
  try {
    const vq::golden::Files files = vq::golden::all_files();
    std::string messages;
    for (const auto& [name, message] : files.messages) messages += name + "\t" + message + "\n";
    for (const char* part : {"passed", "failed"}) {
      std::filesystem::create_directories(folder / part);
      for (const auto& [name, bytes] : *part == 'p' ? files.passed : files.failed) {
        vq::write_file(folder / part / name, vq::as_bytes(bytes), true);
      }
    }
    vq::write_file(folder / "messages.tsv", vq::as_bytes(messages), true);
  } catch (const vq::Error& e) {
    std::fprintf(stderr, "make_token_grids: %s\n", e.what());
    return 1;
  }
  return 0;
}
