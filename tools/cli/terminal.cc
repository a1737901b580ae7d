#include "tools/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <mutex>

#include "tools/cli/run.h"

namespace vq::cli {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr double kRewriteSeconds = 1.0 / 6;
constexpr double kPlainSeconds = 10;

// The line that stands on the terminal now, for those who must write past it.
std::mutex g_mutex;
std::string g_line;
std::atomic<size_t> g_width = 0;  // its columns; read by the signal handler

void put(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

// Columns of the terminal, so that the line never wraps: a wrapped line cannot be rewritten.
size_t columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col;
  return 80;
}

// A job in the background does not scribble over what is in the foreground.
bool in_foreground() {
  const pid_t owner = tcgetpgrp(STDERR_FILENO);
  return owner < 0 || owner == getpgrp();
}

// Carriage return and spaces, no escape sequence: works on every terminal, dumb ones too.
void replace_line(const std::string& line) {
  const size_t old = g_width.load();
  std::string text = "\r" + line;
  if (old > line.size()) text += std::string(old - line.size(), ' ') + "\r" + line;
  put(text);
  g_width = line.size();
}

}  // namespace

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "unknown time";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string progress_text(uint64_t done, uint64_t total, uint64_t done_now, double seconds,
                          const std::string& unit) {
  std::string text =
      total > 0 ? fmt::format("{} of {} {}", done, total, unit) : fmt::format("{} {}", done, unit);
  if (done_now == 0 || seconds <= 0) return text;
  const double rate = static_cast<double>(done_now) / seconds;
  text += rate >= 100 ? fmt::format(", {:.0f}/s", rate)
          : rate >= 1 ? fmt::format(", {:.1f}/s", rate)
                      : fmt::format(", {:.2f}/s", rate);
  if (total > done) {
    text += ", " + format_duration(static_cast<double>(total - done) / rate) + " left";
  }
  return text;
}

Progress::Progress(const Common& common, std::string unit, uint64_t total, uint64_t already)
    : unit_(std::move(unit)),
      total_(total),
      done_(already),
      already_(already),
      rewrite_(!common.quiet && !common.progress && stderr_is_terminal()),
      plain_(!common.quiet && common.progress),
      start_(steady_clock::now()),
      shown_(start_) {}

Progress::~Progress() { finish(); }

void Progress::update(uint64_t done, const std::string& extra) {
  done_ = done;
  if (!rewrite_ && !plain_) return;
  const auto now = steady_clock::now();
  extra_ = extra;
  if (duration<double>(now - shown_).count() < (rewrite_ ? kRewriteSeconds : kPlainSeconds)) return;
  shown_ = now;
  draw(extra, false);
}

void Progress::finish() {
  if (rewrite_) {
    const std::lock_guard<std::mutex> lock(g_mutex);
    if (g_width > 0) replace_line("");
    g_line.clear();
  } else if (plain_ && done_ > already_) {
    draw(extra_, true);
  }
  rewrite_ = plain_ = false;
}

void Progress::draw(const std::string& extra, bool last) {
  const double seconds = duration<double>(steady_clock::now() - start_).count();
  std::string text =
      progress_text(done_, total_, done_ - std::min(done_, already_), seconds, unit_);
  if (!extra.empty()) text += ", " + extra;
  if (plain_) {
    if (last) text += ", took " + format_duration(seconds);
    say(text);
    return;
  }
  if (!in_foreground()) return;
  const std::lock_guard<std::mutex> lock(g_mutex);
  g_line = (program_name() + ": " + text).substr(0, columns() - 1);
  replace_line(g_line);
}

ProgressPause::ProgressPause() {
  g_mutex.lock();
  if (g_width > 0) replace_line("");
}

ProgressPause::~ProgressPause() {
  if (!g_line.empty()) replace_line(g_line);
  g_mutex.unlock();
}

void erase_progress_line_now() noexcept {
  static constexpr char kSpaces[] =
      "                                                                                ";
  size_t left = g_width.load();
  if (left == 0) return;
  ssize_t ignored = write(STDERR_FILENO, "\r", 1);
  while (left > 0) {
    const size_t n = left < sizeof kSpaces - 1 ? left : sizeof kSpaces - 1;
    ignored = write(STDERR_FILENO, kSpaces, n);
    left -= n;
  }
  ignored = write(STDERR_FILENO, "\r", 1);
  (void)ignored;
}

}  // namespace vq::cli
