// The one progress line: count, rate and time left, rewritten in place on a terminal.
//
// On stderr, only when that is a terminal (or plain lines with --progress, at most one every ten
// seconds), at most six times a second, erased at the end. Never on when --quiet.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tools/cli/options.h"

namespace vq::cli {

class Progress {
 public:
  // total 0: unknown. `unit` is plural: "images". `already`: how many an earlier run had done, so
  // that the rate is this run's.
  Progress(const Common& common, std::string unit, uint64_t total, uint64_t already = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(uint64_t done, const std::string& extra = {});  // extra: "loss 3.21"
  void finish();                                              // erases the line

 private:
  void draw(const std::string& extra, bool last);
  std::string unit_;
  uint64_t total_, done_ = 0, already_;
  bool rewrite_, plain_;
  std::string extra_;
  std::chrono::steady_clock::time_point start_, shown_;
};

// While it lives the progress line is out of the way: for whoever writes a line to stderr.
class ProgressPause {
 public:
  ProgressPause();
  ~ProgressPause();
};

// For signal handlers: leaves the terminal with an empty line. Async-signal-safe.
void erase_progress_line_now() noexcept;

// The text of the line, without program name and extra: "118 of 2000 images, 35.2/s, 53 s left".
std::string progress_text(uint64_t done, uint64_t total, uint64_t done_now, double seconds,
                          const std::string& unit);

// "1 h 02 min", "3 min 10 s", "12 s".
std::string format_duration(double seconds);

}  // namespace vq::cli
