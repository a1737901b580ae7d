// The writing half of bytes.h: files that appear only when they are whole.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "formats/bytes.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr size_t kBuffer = 64 << 10;

// Names of unfinished files, for a signal handler: fixed memory, no locks, nothing but atomics. A
// handler that interrupts the filling of a slot sees it as free. With every slot taken, or a longer
// name, a file is still written safely; it is only not removed by a signal.
struct Slot {
  enum { unused, filling, active };
  std::atomic<int> state{unused};
  char path[PATH_MAX];
};
std::array<Slot, 32> unfinished;

Slot* remember(const std::string& path) {
  if (path.size() >= sizeof(Slot::path)) return nullptr;
  for (Slot& slot : unfinished) {
    int expected = Slot::unused;
    if (!slot.state.compare_exchange_strong(expected, Slot::filling)) continue;
    std::memcpy(slot.path, path.c_str(), path.size() + 1);
    slot.state.store(Slot::active);
    return &slot;
  }
  return nullptr;
}

void forget(Slot* slot) {
  if (slot) slot->state.store(Slot::unused);
}

}  // namespace

void remove_unfinished_outputs() noexcept {
  for (Slot& slot : unfinished) {
    if (slot.state.load() == Slot::active) ::unlink(slot.path);
  }
}

struct Output::State {
  std::string name;
  int fd = -1;
  bool own = false;      // do we close it?
  bool regular = false;  // not a pipe, a terminal or a device
  bool sync = true;      // before it is closed, where it is regular
  bool stays = false;    // is an unfinished file left for a later run?
  Bytes* memory = nullptr;
  std::string target, part;  // of a file that is renamed at the end; empty otherwise
  Slot* slot = nullptr;
  uint64_t written = 0;
  Bytes buffer;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { give_up(); }

  void give_up() {
    if (stays && !buffer.empty()) write_what_goes();
    if (!part.empty() && !stays) ::unlink(part.c_str());
    part.clear();
    forget(std::exchange(slot, nullptr));
    if (own && fd >= 0) ::close(fd);
    own = false;
    fd = -1;
  }

  void write_through(const uint8_t* from, size_t n) {
    while (n > 0) {
      const ssize_t did = ::write(fd, from, n);
      if (did < 0 && errno == EINTR) continue;
      if (did < 0) throw Error::from_errno(name, "");
      from += did;
      n -= static_cast<size_t>(did);
    }
  }

  // On the way out nothing is thrown: what cannot be written will be done again.
  void write_what_goes() noexcept {
    const ssize_t ignored = ::write(fd, buffer.data(), buffer.size());
    (void)ignored;
  }

  // The .part file is locked before it is emptied: a second process writing the same file must not
  // spoil ours. And it must still have its name then: the other one may just have finished.
  void open_part(const std::string& path) {
    target = path;
    const std::string unfinished_name = path + ".part";
    struct stat ours, named;
    do {
      if (own) ::close(fd);
      fd = ::open(unfinished_name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
      own = fd >= 0;
      if (!own) throw Error::from_errno(path, "cannot create");
      if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        throw Error(path, "is being written by another process (" + unfinished_name + ")");
      }
      if (::fstat(fd, &ours) != 0) throw Error::from_errno(path, "cannot create");
    } while (::stat(unfinished_name.c_str(), &named) != 0 || named.st_ino != ours.st_ino);
    part = unfinished_name;
    regular = true;
    if (stays) return;
    slot = remember(part);
    if (::ftruncate(fd, 0) != 0) throw Error::from_errno(path, "cannot create");
  }
};

Output::Output(std::unique_ptr<State> state) : state_(std::move(state)) {}
Output::Output(Output&&) noexcept = default;
Output& Output::operator=(Output&&) noexcept = default;
Output::~Output() = default;

namespace {

// A link stays a link: what it points to is replaced.
std::string behind_link(const std::string& path) {
  struct stat link;
  if (::lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) return path;
  char* real = ::realpath(path.c_str(), nullptr);
  const std::string target = real ? real : path;
  std::free(real);
  return target;
}

}  // namespace

Output Output::open(const std::string& path, bool force, bool sync) {
  auto state = std::make_unique<State>();
  state->buffer.reserve(kBuffer);
  struct stat info;
  if (path == "-") {
    state->name = "standard output";
    state->fd = STDOUT_FILENO;
    state->regular = ::fstat(state->fd, &info) == 0 && S_ISREG(info.st_mode);
    return Output(std::move(state));
  }
  state->name = path;
  if (path.empty()) throw Error("output file", "has an empty name");
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) throw Error(path, "is a folder, not a file");
  if (exists && !S_ISREG(info.st_mode)) {
    state->fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (state->fd < 0) throw Error::from_errno(path, "cannot open");
    state->own = true;
    return Output(std::move(state));
  }
  if (exists && !force) {
    throw Error(path, "exists already", "--force writes over it", Error::Kind::usage);
  }
  state->open_part(behind_link(path));
  state->sync = sync;
  return Output(std::move(state));
}

Output Output::resume(const std::string& path) {
  struct stat info;
  const bool exists = path == "-" || ::stat(path.c_str(), &info) == 0;
  if (path == "-" || path.empty() || (exists && !S_ISREG(info.st_mode))) {
    throw Error::usage(path == "-" ? "standard output" : path,
                       "is not a file that can be gone on with");
  }
  auto state = std::make_unique<State>();
  state->buffer.reserve(kBuffer);
  state->name = path;
  state->stays = true;
  state->open_part(behind_link(path));
  return Output(std::move(state));
}

Output Output::log(const std::string& path, bool force) {
  struct stat info;
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISREG(info.st_mode) && !force) {
    throw Error(path, "exists already", "--force writes over it", Error::Kind::usage);
  }
  auto state = std::make_unique<State>();
  state->buffer.reserve(kBuffer);
  state->name = path;
  state->fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (state->fd < 0) throw Error::from_errno(path, "cannot create");
  state->own = true;
  state->stays = true;
  return Output(std::move(state));
}

Output Output::memory(Bytes* to, std::string name) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->memory = to;
  return Output(std::move(state));
}

const std::string& Output::name() const { return state_->name; }
uint64_t Output::offset() const { return state_->written; }
bool Output::live() const { return !state_->regular; }

const std::string& Output::part() const { return state_->part; }

void Output::keep(uint64_t bytes) {
  State& s = *state_;
  if (::ftruncate(s.fd, static_cast<off_t>(bytes)) != 0 ||
      ::lseek(s.fd, static_cast<off_t>(bytes), SEEK_SET) < 0) {
    throw Error::from_errno(s.name, "cannot go on");
  }
  s.written = bytes;
}

void Output::write(std::span<const uint8_t> bytes) {
  State& s = *state_;
  s.written += bytes.size();
  if (s.memory) {
    s.memory->insert(s.memory->end(), bytes.begin(), bytes.end());
    return;
  }
  if (s.buffer.size() + bytes.size() > kBuffer) flush();
  if (bytes.size() >= kBuffer) {
    s.write_through(bytes.data(), bytes.size());
  } else {
    s.buffer.insert(s.buffer.end(), bytes.begin(), bytes.end());
  }
}

void Output::flush() {
  State& s = *state_;
  if (s.buffer.empty()) return;
  // Emptied first: after a failed write nobody may write the same bytes a second time.
  const Bytes pending = std::exchange(s.buffer, {});
  s.buffer.reserve(kBuffer);
  s.write_through(pending.data(), pending.size());
}

void Output::close() {
  State& s = *state_;
  if (s.memory || s.fd < 0) return;
  flush();
  if (s.regular && s.sync && ::fsync(s.fd) != 0 && errno != EINVAL && errno != EROFS) {
    throw Error::from_errno(s.name, "");
  }
  if (!s.part.empty()) {
    // Before the file is closed, and its lock with it.
    if (::rename(s.part.c_str(), s.target.c_str()) != 0) {
      throw Error::from_errno(s.name, "cannot rename " + s.part);
    }
    s.part.clear();
    forget(std::exchange(s.slot, nullptr));
  }
  const int fd = std::exchange(s.fd, -1);
  if (std::exchange(s.own, false) && ::close(fd) != 0 && errno != EINTR) {
    throw Error::from_errno(s.name, "");
  }
}

}  // namespace vq
