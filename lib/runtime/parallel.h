// Several pieces of work at once, each on one of LibTorch's threads.
//
// Inside a piece every other parallel loop, LibTorch's and oneDNN's too, runs on that one thread.
// So a small network, which would wait at the end of each of a hundred short loops, waits once.
// Guards that hold for one thread (gradients, autocast) are set within the piece.
//
// Laws: every piece runs once; of the errors thrown one is thrown on.   (parallel_test.cc)
#pragma once

#include <cstdint>
#include <functional>

namespace vq {

void side_by_side(int64_t pieces, const std::function<void(int64_t piece)>& work);

}  // namespace vq
