// Pieces of work done one after the other by a thread of their own, while others go on and wait for
// a piece only when they want what it makes.
//
// LibTorch's parallel loops inside a piece have as many threads as where the thread was started.
// Guards that hold for one thread (gradients, autocast) are set within the piece.
//
// Laws: pieces run in order, one at a time; what a piece has written can be read after wait() for
// it; an exception ends the work and comes out of every later wait() for what was not done.
// (background_test.cc)
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace vq {

class Background {
 public:
  Background();  // nothing to do
  Background(size_t pieces, std::function<void(size_t piece)> work);
  Background(Background&&) noexcept;
  Background& operator=(Background&&) noexcept;
  ~Background();  // waits for the piece in hand; those behind it are left out

  void wait(size_t piece) const;  // until it is done

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vq
