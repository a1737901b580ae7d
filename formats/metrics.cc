#include "formats/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
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

namespace {

// Of the table, between the metric and what it was taken by.
struct Column {
  const char *member, *title;
};
constexpr Column kColumns[] = {{"value", "value"},        {"error", "error"},
                               {"real", "real"},          {"fake", "fake"},
                               {"timestep", "t"},         {"records", "records"},
                               {"draws", "draws"},        {"positions", "positions"},
                               {"mean_purity", "purity"}, {"mean_accuracy", "accuracy"}};

// A number as JSON gives it and as people want it.
std::string cell(const Json& line, const char* member) {
  const auto found = line.find(member);
  if (found == line.end()) return "-";
  if (found->is_number_float()) {
    const double number = *found;
    return std::isfinite(number) ? fmt::format("{:.4g}", number) : "-";
  }
  if (found->is_number()) return found->dump();
  return found->is_string() ? found->get<std::string>() : "-";
}

}  // namespace

std::string metrics_table(const std::vector<Json>& lines) {
  std::vector<Column> shown;
  for (const Column& column : kColumns) {
    const auto has = [&](const Json& line) { return line.contains(column.member); };
    if (std::any_of(lines.begin(), lines.end(), has)) shown.push_back(column);
  }
  std::string table = fmt::format("{:<8}", "metric");
  for (const Column& column : shown) table += fmt::format(" {:>10}", column.title);
  table += "  by\n";
  for (const Json& line : lines) {
    table += fmt::format("{:<8}", cell(line, "metric"));
    for (const Column& column : shown) {
      table += fmt::format(" {:>10}", cell(line, column.member));
    }
    table += "  " + cell(line, "network") + "\n";
  }
  return table;
}

}  // namespace vq
