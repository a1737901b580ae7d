// Writes the first inputs of torch_archive_fuzz into a folder: small archives, and pickles alone.
//
//   make_torch_archive_seeds FOLDER

#include <cstdio>
#include <string>

#include "formats/error.h"
#include "tests/unit/torch_files.h"

int main(int argc, char** argv) {
  using namespace vq::torch_files;
  if (argc != 2) {
    std::fprintf(stderr, "make_torch_archive_seeds: give one folder\n");
    return 2;
  }
  const std::string floats = storage("FloatStorage", "0", 6);
  const std::string zero(1, '\0');
  const std::vector<std::pair<std::string, std::string>> pickles = {
      {"everything", everything()},
      {"views", dict({text("a"), tensor(floats, 0, {3, 2}, {1, 3}), integer(1),
                      tensor(floats, 1, {4, 2}, {0, 1}), "N", tensor(floats, 6, {0}, {1})})},
      {"calls", list({call(global("torch", "Size"), {ints({2})}),
                      call(global("builtins", "set"), {list({"N"})}),
                      text("m") + text("C") + "\x93)}\x92" + dict({text("x"), "N"}) + "b",
                      global("easydict", "EasyDict") + ")\x81(" + text("k") + "Nu"})},
      {"refused", call(global("os", "system"), {text("true")})},
      {"recursive", "]q" + zero + "h" + zero + "a"},
      {"opcodes", list({"C\x01z", "B" + little(1, 4) + "b", "\x8c\x01s", "\x8a\x01\xff",
                        "G" + std::string(8, '\1'), "\x8f(N\x90", "(N\x91", "N\x85", "NN\x86",
                        "NNN\x87", ")\x94",
                        "\x95" + little(0, 8) +
                            "N2"
                            "0",
                        "(N1", "M\x01\x02", "J\x01\x02\x03\x04", "\x8d" + little(1, 8) + "u"})}};
  try {
    const std::string folder = std::string(argv[1]) + "/";
    for (const auto& [name, value] : pickles) {
      const std::string bytes = pickle(value);
      vq::write_file(folder + name + ".pkl", vq::as_bytes(bytes), true);
      vq::write_file(folder + name + ".pth", archive(value, everything_storages()), true);
    }
    vq::write_file(folder + "zip64.pth", archive("N", {}, {.zip64 = true}), true);
  } catch (const vq::Error& error) {
    std::fprintf(stderr, "make_torch_archive_seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
