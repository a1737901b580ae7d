#include "tools/cli/shard.h"

#include <cstdio>

#include "formats/error.h"

namespace vq {

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  char rest = 0;
  unsigned long long i = 0, n = 0;
  const bool digits =
      text.find_first_not_of("0123456789/") == std::string::npos && text.size() < 24;
  if (!digits || std::sscanf(text.c_str(), "%llu/%llu%c", &i, &n, &rest) != 2 || i >= n) {
    throw Error::usage("--shard", "'" + text + "' is not I/N with 0 <= I < N");
  }
  return {i, n};
}

}  // namespace vq
