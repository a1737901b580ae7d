#include "lib/runtime/background.h"

#include <ATen/Parallel.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace vq {

struct Background::State {
  std::mutex mutex;
  std::condition_variable changed;
  size_t done = 0;
  bool stop = false;
  std::exception_ptr failure;
  std::thread thread;

  ~State() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stop = true;
    }
    if (thread.joinable()) thread.join();
  }

  // Whether there is a next piece to do.
  bool finished(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (error)
      failure = std::move(error);
    else
      ++done;
    changed.notify_all();
    return !failure && !stop;
  }

  void run(size_t pieces, const std::function<void(size_t)>& work) {
    bool go_on = true;
    for (size_t piece = 0; piece < pieces && go_on; ++piece) {
      std::exception_ptr error;
      try {
        work(piece);
      } catch (...) {
        error = std::current_exception();
      }
      go_on = finished(std::move(error));
    }
  }
};

Background::Background(size_t pieces, std::function<void(size_t)> work)
    : state_(std::make_unique<State>()) {
  const int threads = at::get_num_threads();
  state_->thread = std::thread([state = state_.get(), threads, pieces, work = std::move(work)] {
    at::set_num_threads(threads);  // which otherwise holds for the thread that said it
    state->run(pieces, work);
  });
}

Background::Background() = default;
Background::Background(Background&&) noexcept = default;
Background& Background::operator=(Background&&) noexcept = default;
Background::~Background() = default;

void Background::wait(size_t piece) const {
  if (state_ == nullptr) return;
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->done > piece || state_->failure; });
  if (state_->done <= piece) std::rethrow_exception(state_->failure);
}

}  // namespace vq
