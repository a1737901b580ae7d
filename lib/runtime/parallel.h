// Several pieces of work at once, each on one of LibTorch's threads.
//
//   side_by_side  work(piece), for every piece of [0, pieces)
//   in_shares     work(begin, end), for shares of [0, count) of `least` numbers or more
//
// LibTorch's own at::parallel_for is a plain loop in a file that is compiled without OpenMP; here
// it is not, so these are what other files call. Inside a piece every other parallel loop,
// LibTorch's and oneDNN's too, runs on that one thread. So a small network, which would wait at the
// end of each of a hundred short loops, waits once. Guards that hold for one thread (gradients,
// autocast) are set within the piece.
//
// Laws: every piece, every number, runs once; of the errors thrown one is thrown on.
// (parallel_test.cc)
#pragma once

#include <cstdint>
#include <functional>

namespace vq {

void side_by_side(int64_t pieces, const std::function<void(int64_t piece)>& work);

void in_shares(int64_t count, int64_t least,
               const std::function<void(int64_t begin, int64_t end)>& work);

}  // namespace vq
