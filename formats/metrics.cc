#include "formats/metrics.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "formats/error.h"

namespace vq {

// Either somebody's Output, or a file that is appended to in place.
struct MetricsWriter::State {
  std::optional<Output> output;
  std::string path;
  int fd = -1;

  ~State() {
    if (fd >= 0) ::close(fd);
  }
  void append(std::string_view text);
};

void MetricsWriter::State::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error::from_errno(path, "cannot write");
    text.remove_prefix(static_cast<size_t>(n));
  }
}

MetricsWriter::MetricsWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsWriter::MetricsWriter(MetricsWriter&&) noexcept = default;
MetricsWriter& MetricsWriter::operator=(MetricsWriter&&) noexcept = default;
MetricsWriter::~MetricsWriter() = default;

MetricsWriter::MetricsWriter(Output output) : state_(std::make_unique<State>()) {
  state_->output.emplace(std::move(output));
}

MetricsWriter MetricsWriter::append(const std::string& path) {
  if (path == "-") return MetricsWriter(Output::open(path, false));
  auto state = std::make_unique<State>();
  state->path = path;
  state->fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (state->fd < 0 && (errno == EACCES || errno == EPERM)) {  // a pipe or device we may only write
    state->fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  }
  if (state->fd < 0) throw Error::from_errno(path, "cannot open");
  struct stat info;
  char last = '\n';
  if (::fstat(state->fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
      ::pread(state->fd, &last, 1, info.st_size - 1) == 1 && last != '\n') {
    state->append("\n");
  }
  return MetricsWriter(std::move(state));
}

void MetricsWriter::write(const Json& line) {
  const std::string text = dump_json(line) + "\n";
  if (state_->output) {
    state_->output->write(text);
    state_->output->flush();
  } else {
    state_->append(text);  // one write: lines of two writers do not mix
  }
}

void MetricsWriter::close() {
  if (state_->output) {
    state_->output->close();
  } else if (state_->fd >= 0) {
    const int fd = state_->fd;
    state_->fd = -1;
    if (::close(fd) != 0) throw Error::from_errno(state_->path, "cannot close");
  }
}

}  // namespace vq
