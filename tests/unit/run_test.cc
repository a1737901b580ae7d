// main's frame: every way a program can end, each in a process of its own.

#include "tools/cli/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <new>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/json.h"

namespace vq::cli {
namespace {

struct Ending {
  int status = -1;  // as a shell says it: 128+n for a signal
  std::string out, err;
};

std::string read_all(int fd) {
  std::string text;
  char block[4096];
  for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;) text.append(block, n);
  close(fd);
  return text;
}

// Runs `child` with both outputs caught; `meanwhile` may do something to it.
Ending in_child(const std::function<int()>& child,
                const std::function<void(pid_t)>& meanwhile = {}) {
  int out[2], err[2];
  EXPECT_EQ(pipe(out), 0);
  EXPECT_EQ(pipe(err), 0);
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], 1);
    dup2(err[1], 2);
    for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
    _exit(child());
  }
  close(out[1]);
  close(err[1]);
  if (meanwhile) meanwhile(pid);
  Ending ending;
  ending.out = read_all(out[0]);
  ending.err = read_all(err[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  ending.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return ending;
}

const Command kCommand = {.name = "vq-test",
                          .summary = "A program for the tests.",
                          .usage = {"[FILE...]"},
                          .example = "",
                          .options = {}};

int run_with(std::vector<std::string> words, const Body& body, const Translate& translate = {}) {
  words.insert(words.begin(), "vq-test");
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return run(kCommand, static_cast<int>(words.size()), pointers.data(), body, translate);
}

TEST(Run, GivesTheBodyWhatWasTyped) {
  const auto ending = in_child([] {
    return run_with({"-q", "a", "--", "-b"}, [](const Context& context) {
      std::printf("%zu %zu %d %s\n", context.operands.size(), context.arguments.size(),
                  context.common.quiet, dump_json(history_entry(context)).c_str());
      return 0;
    });
  });
  EXPECT_EQ(ending.status, 0);
  EXPECT_EQ(ending.out, "2 4 1 {\"tool\":\"vq-test\",\"version\":\"" VQ_VERSION
                        "\",\"arguments\":[\"-q\",\"a\",\"--\",\"-b\"]}\n");
  EXPECT_EQ(ending.err, "");
}

TEST(Run, ErrorsAreOneLineAndOneHint) {
  const auto failed = in_child([] {
    return run_with({},
                    [](const Context&) -> int { throw Error("a.vqt: record 3", "is bad", "x"); });
  });
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.err, "vq-test: a.vqt: record 3: is bad\nvq-test: hint: x\n");
  const auto usage = in_child([] { return run_with({"--nope"}, {}); });
  EXPECT_EQ(usage.status, 2);
  EXPECT_EQ(usage.err, "vq-test: --nope: no such option\nvq-test: hint: try --help\n");
}

TEST(Run, NamesCannotForgeLines) {
  const auto ending = in_child([] {
    return run_with({},
                    [](const Context&) -> int { throw Error("a\nvq-test: b\x1b[2J", "is bad"); });
  });
  EXPECT_EQ(ending.err, "vq-test: a\\x0avq-test: b\\x1b[2J: is bad\n");
}

TEST(Run, ForeignExceptionsAreOneSentence) {
  const auto foreign = in_child([] {
    return run_with({}, [](const Context&) -> int { throw std::runtime_error("odd\nat x.cc:3"); });
  });
  EXPECT_EQ(foreign.status, 1);
  EXPECT_EQ(foreign.err, "vq-test: odd\n");
  const auto memory =
      in_child([] { return run_with({}, [](const Context&) -> int { throw std::bad_alloc(); }); });
  EXPECT_EQ(memory.err, "vq-test: out of memory\n");
  const auto translated = in_child([] {
    return run_with(
        {}, [](const Context&) -> int { throw std::runtime_error("c10"); },
        [](const std::exception&, std::string& what, std::string& hint) {
          what = "out of memory on cuda:0";
          hint = "try --batch 32";
          return true;
        });
  });
  EXPECT_EQ(translated.err, "vq-test: out of memory on cuda:0\nvq-test: hint: try --batch 32\n");
}

TEST(Run, AFullDiskIsNoticedAtTheEnd) {
  const auto ending = in_child([] {
    dup2(open("/dev/full", O_WRONLY), 1);
    return run_with({}, [](const Context&) { return std::printf("x") == 1 ? 0 : 3; });
  });
  EXPECT_EQ(ending.status, 1);
  EXPECT_EQ(ending.err, "vq-test: standard output: cannot write: No space left on device\n");
}

TEST(Run, AClosedStandardOutputIsAnErrorOnlyWhenUsed) {
  const auto used = in_child([] {
    close(1);
    return run_with({}, [](const Context&) { return std::printf("x") == 1 ? 0 : 3; });
  });
  EXPECT_EQ(used.status, 1);
  const auto unused = in_child([] {
    close(1);
    return run_with({}, [](const Context&) { return 0; });
  });
  EXPECT_EQ(unused.status, 0);
}

TEST(Run, SigpipeKillsEvenWhenTheParentIgnoredIt) {
  const auto ending = in_child([] {
    signal(SIGPIPE, SIG_IGN);
    int ends[2];
    if (pipe(ends) != 0) return 9;
    close(ends[0]);
    return run_with({}, [&](const Context&) { return write(ends[1], "x", 1) == 1 ? 0 : 5; });
  });
  EXPECT_EQ(ending.status, 128 + SIGPIPE);
}

TEST(Run, ASignalRemovesUnfinishedOutputs) {
  const std::string path = testing::TempDir() + "vq_run_test_out";
  for (const int signo : {SIGINT, SIGTERM, SIGHUP}) {
    const auto ending = in_child([&] {
      return run_with({}, [&](const Context&) {
        Output output = Output::open(path, true);
        output.write("half");
        raise(signo);
        return 0;
      });
    });
    EXPECT_EQ(ending.status, 128 + signo);
    EXPECT_NE(access(path.c_str(), F_OK), 0);
    EXPECT_NE(access((path + ".part").c_str(), F_OK), 0);
  }
}

TEST(Run, IgnoredSignalsStayIgnored) {  // nohup
  const auto ending = in_child([] {
    signal(SIGHUP, SIG_IGN);
    return run_with({}, [](const Context&) { return raise(SIGHUP); });
  });
  EXPECT_EQ(ending.status, 0);
}

TEST(Run, CaughtSignalsAreAFlagOnce) {
  const auto ending = in_child([] {
    return run_with({}, [](const Context&) {
      catch_signals();
      raise(SIGTERM);
      std::printf("%d\n", caught_signal());
      return exit_by_signal(caught_signal());
    });
  });
  EXPECT_EQ(ending.status, 128 + SIGTERM);
  EXPECT_EQ(ending.out, "15\n");
  const auto second = in_child([] {
    return run_with({}, [](const Context&) {
      catch_signals();
      raise(SIGTERM);
      raise(SIGINT);
      return 0;
    });
  });
  EXPECT_EQ(second.status, 128 + SIGINT);
}

TEST(Run, QuietSilencesNotesOnly) {
  const Body body = [](const Context&) {
    say("said");
    note("noted");
    detail("detailed");
    return 0;
  };
  EXPECT_EQ(in_child([&] { return run_with({"-q"}, body); }).err, "vq-test: said\n");
  EXPECT_EQ(in_child([&] { return run_with({"-v"}, body); }).err,
            "vq-test: said\nvq-test: noted\nvq-test: detailed\n");
}

TEST(Run, VerbsAreChosenByTheFirstWord) {
  Command codec = kCommand;
  codec.name = "vq-test codec";
  const auto go = [&](std::vector<std::string> words) {
    return in_child([&] {
      words.insert(words.begin(), "vq-test");
      std::vector<char*> pointers;
      for (std::string& word : words) pointers.push_back(word.data());
      return run_verbs("vq-test", "Tests.",
                       {{"codec", &codec,
                         [](const Context& context) {
                           std::printf("%s %s\n", context.program.c_str(),
                                       context.arguments[0].c_str());
                           return 0;
                         }}},
                       static_cast<int>(words.size()), pointers.data());
    });
  };
  EXPECT_EQ(go({"codec", "x"}).out, "vq-test codec\n");
  EXPECT_EQ(go({"--help"}).out,
            "usage: vq-test codec [FILE...]\nTests.\n\n  codec        A program for the tests.\n\n"
            "Options: vq-test codec --help\n");
  EXPECT_EQ(go({"--version"}).out, "vq-test (vq) " VQ_VERSION "\n");
  EXPECT_EQ(go({"codex"}).err,
            "vq-test: codex: the first word is one of: codec\n"
            "vq-test: hint: did you mean codec? (try --help)\n");
  EXPECT_EQ(go({}).status, 2);
  EXPECT_EQ(go({"codec", "--nope"}).err,
            "vq-test: --nope: no such option\nvq-test: hint: try --help\n");
}

TEST(Run, RefusesToWaitForOrWriteToAPerson) {
  EXPECT_NO_THROW(refuse_terminal_input({"-"}));
  EXPECT_NO_THROW(refuse_terminal_output("file", false));
  EXPECT_NO_THROW(refuse_terminal_output("-", true));
}

}  // namespace
}  // namespace vq::cli
