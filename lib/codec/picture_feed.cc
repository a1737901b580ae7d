#include "lib/codec/picture_feed.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "formats/bytes.h"
#include "lib/random.h"

namespace vq {
namespace {

using Clock = std::chrono::steady_clock;

// Seconds since the last call.
class Lap {
 public:
  double operator()() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  Clock::time_point last_ = Clock::now();
};

// The key as a record number of the noise.
uint64_t number_of(const std::string& key) {
  return std::strtoull(sha256(as_bytes(key)).substr(0, 16).c_str(), nullptr, 16);
}

}  // namespace

std::vector<PictureView> ViewPlan::views() const {
  std::vector<PictureView> all;
  for (int crop = 0; crop < crops; ++crop) {
    all.push_back({crop, false});
    if (flip) all.push_back({crop, true});
  }
  return all;
}

std::string ViewPlan::key(const std::string& picture, const PictureView& view) const {
  std::string which;
  if (crops > 1) which = "crop" + std::to_string(view.crop);
  if (view.flip) which += which.empty() ? "flip" : "+flip";
  return which.empty() ? picture : picture + "@" + which;
}

FramingDraws ViewPlan::draws(const std::string& picture, int crop) const {
  if (!is_random(resize)) return kMiddleDraws;
  FramingDraws draws;
  const uint64_t record = number_of(picture);
  for (size_t i = 0; i < draws.size(); ++i) {
    draws[i] = uniform(seed, Purpose::augment,
                       {record, static_cast<uint32_t>(crop), static_cast<uint32_t>(i)});
  }
  return draws;
}

std::vector<double> ViewPlan::code_draws(const std::string& picture, const PictureView& view,
                                         int64_t cells) const {
  const uint64_t record = number_of(picture);
  const auto step = static_cast<uint32_t>(2 * view.crop + (view.flip ? 1 : 0));
  std::vector<double> draws;
  for (int64_t cell = 0; cell < cells; ++cell)
    draws.push_back(uniform(seed, Purpose::code, {record, step, static_cast<uint32_t>(cell)}));
  return draws;
}

Image ViewPlan::view(const Image& image, const std::string& picture,
                     const PictureView& which) const {
  Image out = fit_image(image, size, resize, draws(picture, which.crop));
  return which.flip ? mirrored(std::move(out)) : out;
}

// Slots in the order of the pictures; a thread that takes a picture adds its slot, and fills it
// when it is done. The lock is not held while pull() or the decoder works.
struct PictureFeed::State {
  struct Slot {
    FedPicture picture;
    std::exception_ptr trouble;
    bool done = false;
  };

  Pull pull;
  ViewPlan plan;
  size_t ahead = 1;

  std::mutex pulling;  // held by the one thread that is in pull()
  std::mutex mutex;    // of everything below
  std::condition_variable changed;
  std::deque<std::shared_ptr<Slot>> slots;
  bool ended = false;  // pull() has nothing more
  bool stop = false;
  std::thread::id puller;  // who is in pull() now
  FeedTimes times;
  std::vector<std::thread> threads;

  // The next picture, in a slot of its own; null at the end.
  std::shared_ptr<Slot> take() {
    const std::lock_guard<std::mutex> one(pulling);
    {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return stop || ended || slots.size() < ahead; });
      if (stop || ended) return nullptr;
      puller = std::this_thread::get_id();
    }
    auto slot = std::make_shared<Slot>();
    Lap lap;
    bool any = true;
    try {
      any = pull(slot->picture);
    } catch (...) {
      slot->trouble = std::current_exception();
      slot->done = true;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    puller = {};
    times.list += lap();
    ended = !any || slot->trouble;
    if (any) slots.push_back(slot);
    changed.notify_all();
    return any && !slot->trouble ? slot : nullptr;
  }

  void fill(FedPicture& p, FeedTimes& spent) const {
    Lap lap;
    try {
      const auto bytes = p.example.picture.content();
      p.example.picture.bytes.reset();
      spent.read += lap();
      const Image image = decode_image(*bytes, p.example.picture.name());
      spent.decode += lap();
      for (const PictureView& view : p.views) {
        p.images.push_back(plan.view(image, p.example.key, view));
      }
      spent.frame += lap();
    } catch (const Error& e) {
      p.bad = e;
    } catch (const std::exception& e) {
      p.bad = Error(p.example.picture.name(), e.what());
    }
    if (p.bad) p.images.clear();
  }

  void work() {
    while (const auto slot = take()) {
      FeedTimes spent;
      fill(slot->picture, spent);
      const std::lock_guard<std::mutex> lock(mutex);
      times.read += spent.read;
      times.decode += spent.decode;
      times.frame += spent.frame;
      slot->done = true;
      changed.notify_all();
    }
  }
};

PictureFeed::PictureFeed(Pull pull, const ViewPlan& plan, int threads, int64_t ahead)
    : state_(std::make_shared<State>()) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  state_->pull = std::move(pull);
  state_->plan = plan;
  state_->ahead = static_cast<size_t>(std::max<int64_t>(1, ahead));
  for (int i = 0; i < (threads > 0 ? threads : cores); ++i) {
    state_->threads.emplace_back([state = state_] { state->work(); });
  }
}

PictureFeed::~PictureFeed() {
  std::thread::id waiting;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
    waiting = state_->puller;
    state_->slots.clear();
  }
  state_->changed.notify_all();
  // One may be waiting for input that never comes, and others for it: these end by themselves.
  for (std::thread& thread : state_->threads) {
    if (waiting != std::thread::id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool PictureFeed::next(FedPicture& picture) {
  State& s = *state_;
  std::unique_lock<std::mutex> lock(s.mutex);
  s.changed.wait(lock, [&] { return s.slots.empty() ? s.ended : s.slots.front()->done; });
  if (s.slots.empty()) return false;
  const auto slot = s.slots.front();
  // What ended the data set stays, for whoever asks again.
  if (slot->trouble) std::rethrow_exception(slot->trouble);
  s.slots.pop_front();
  picture = std::move(slot->picture);
  lock.unlock();
  s.changed.notify_all();
  return true;
}

bool PictureFeed::ready() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->slots.empty() ? state_->ended : state_->slots.front()->done;
}

FeedTimes PictureFeed::times() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->times;
}

}  // namespace vq
