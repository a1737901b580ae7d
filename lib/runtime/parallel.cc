#include "lib/runtime/parallel.h"

#include <ATen/Parallel.h>

namespace vq {

void side_by_side(int64_t pieces, const std::function<void(int64_t piece)>& work) {
  in_shares(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) work(piece);
  });
}

void in_shares(int64_t count, int64_t least,
               const std::function<void(int64_t begin, int64_t end)>& work) {
  at::parallel_for(0, count, least, work);
}

}  // namespace vq
