// The progress line: its text, its pace, and that it leaves nothing behind.

#include "tools/cli/terminal.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "tools/cli/run.h"

namespace vq::cli {
namespace {

TEST(Terminal, Durations) {
  EXPECT_EQ(format_duration(0.2), "0 s");
  EXPECT_EQ(format_duration(12), "12 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(190), "3 min 10 s");
  EXPECT_EQ(format_duration(3720), "1 h 02 min");
  EXPECT_EQ(format_duration(-1), "unknown time");
}

TEST(Terminal, Text) {
  EXPECT_EQ(progress_text(118, 2000, 118, 4, "images"),
            "118 of 2000 images, 29.5/s, 1 min 04 s left");
  EXPECT_EQ(progress_text(118, 0, 118, 4, "images"), "118 images, 29.5/s");
  EXPECT_EQ(progress_text(8000, 8100, 0, 4, "steps"), "8000 of 8100 steps");
  EXPECT_EQ(progress_text(8010, 8100, 10, 100, "steps"),
            "8010 of 8100 steps, 0.10/s, 15 min 00 s left");
  EXPECT_EQ(progress_text(5000, 5000, 5000, 1, "records"), "5000 of 5000 records, 5000/s");
}

// A container may have no pseudo-terminals to give.
bool can_make_terminals() {
  int master = -1, slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) return false;
  close(master);
  close(slave);
  return true;
}

// What a child writes to a terminal of its own, 40 columns wide.
std::string on_terminal(const std::function<void()>& child) {
  winsize size{};
  size.ws_row = 10;
  size.ws_col = 40;
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    child();
    _exit(0);
  }
  std::string text;
  char block[4096];
  for (ssize_t n; (n = read(terminal, block, sizeof block)) > 0;) text.append(block, n);
  close(terminal);
  waitpid(pid, nullptr, 0);
  return text;
}

// What stands on the screen: carriage returns go back, later characters cover earlier ones.
std::string screen(const std::string& text) {
  std::string all, line;
  size_t at = 0;
  const auto seen = [&] { return line.substr(0, line.find_last_not_of(' ') + 1); };
  for (const char c : text) {
    if (c == '\r') {
      at = 0;
    } else if (c == '\n') {
      all += seen() + "\n";
      line.clear();
      at = 0;
    } else {
      if (at >= line.size()) line.resize(at + 1, ' ');
      line[at++] = c;
    }
  }
  return all + seen();
}

TEST(Terminal, TheLineIsRewrittenNarrowAndErased) {
  if (!can_make_terminals()) GTEST_SKIP() << "no pseudo-terminal can be made here";
  const std::string text = on_terminal([] {
    Progress progress({}, "images", 1000000);
    for (int i = 1; i <= 60; ++i) {
      progress.update(static_cast<uint64_t>(i), "loss 3.2123456789 and a long tail of words");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  EXPECT_NE(text.find("of 1000000 images"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(screen(text), "");
  int drawn = 0;
  for (size_t at = 0; (at = text.find("\rvq", at)) != std::string::npos; ++at) ++drawn;
  EXPECT_LE(drawn, 5);  // 0.6 seconds at six a second, and one that may be repeated
  EXPECT_GE(drawn, 1);
}

TEST(Terminal, MessagesStandAboveTheLine) {
  if (!can_make_terminals()) GTEST_SKIP() << "no pseudo-terminal can be made here";
  const std::string text = on_terminal([] {
    Progress progress({}, "images", 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    progress.update(1);
    say("a message");
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    progress.update(2);
  });
  EXPECT_EQ(screen(text), "vq: a message\n");
}

TEST(Terminal, NothingUnderQuietNorOffTerminals) {
  EXPECT_EQ(on_terminal([] {
              Progress progress({.quiet = true}, "images", 10);
              std::this_thread::sleep_for(std::chrono::milliseconds(200));
              progress.update(1);
            }),
            "");
  testing::internal::CaptureStderr();
  {
    Progress progress({}, "images", 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    progress.update(1);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Terminal, PlainLinesForLogs) {
  testing::internal::CaptureStderr();
  {
    Progress progress({.progress = true}, "images", 10);
    progress.update(1);
    progress.update(10, "loss 1.5");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("vq: 10 of 10 images"), 0u) << text;
  EXPECT_NE(text.find("loss 1.5, took 0 s\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace vq::cli
