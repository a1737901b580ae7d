// Pictures by their captions, judged by a program of the user's: for data where a program can tell.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "formats/dataset.h"
#include "formats/error.h"
#include "tools/cli/terminal.h"
#include "tools/eval.h"

extern char** environ;

namespace vq {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

[[noreturn]] void fail(const std::string& what) {
  throw Error("", what + ": " + std::strerror(errno));
}

// The questions, in a file without a name: a program may answer each at once or all at the end, and
// neither side waits for the other.
struct Questions {
  File file{std::tmpfile(), std::fclose};
  std::vector<std::string> images;

  explicit Questions(const std::vector<std::string>& operands);
};

Questions::Questions(const std::vector<std::string>& operands) {
  if (file == nullptr) fail("cannot make a temporary file");
  const auto reader = open_examples(operands);
  for (Example example; reader->next(example);) {
    const PictureSource& picture = example.picture;
    if (!picture.member.empty()) {
      throw Error(picture.name(),
                  "is in a shard, and caption needs pictures in files of their own");
    }
    if (example.captions.empty()) {
      throw Error(operands.front(),
                  "picture '" + example.key + "' has no caption, which caption needs",
                  "captions come in a list, such as vq-decode's captions.jsonl");
    }
    const std::string line =
        dump_json({{"image", picture.path}, {"caption", example.captions.front()}}) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), file.get()) != line.size()) {
      fail("cannot write a temporary file");
    }
    images.push_back(picture.path);
  }
  if (images.empty()) throw Error(operands.front(), "holds no pictures");
  if (std::fflush(file.get()) != 0) fail("cannot write a temporary file");
  std::rewind(file.get());
}

// A shell command that reads a file and is read from.
class Checker {
 public:
  Checker(const std::string& command, FILE* input) : command_(command) {
    int ends[2];
    if (pipe(ends) != 0) fail("cannot make a pipe");
    answers_.reset(fdopen(ends[0], "r"));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(input), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    std::string shell = "sh", option = "-c", text = command;
    char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
    const int error = posix_spawn(&process_, "/bin/sh", &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
      process_ = -1;
      throw Error("", std::string("cannot start a shell: ") + std::strerror(error));
    }
  }
  ~Checker() { wait(); }
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  bool next(std::string& line) {
    char* text = nullptr;
    size_t room = 0;
    const ssize_t length = getline(&text, &room, answers_.get());
    if (length >= 0) line.assign(text, static_cast<size_t>(length));
    std::free(text);
    return length >= 0;
  }
  // Throws vq::Error unless it ended well.
  void finish() {
    const int status = wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    throw Error(command_, WIFSIGNALED(status)
                              ? std::string("was ended by a signal: ") + strsignal(WTERMSIG(status))
                              : fmt::format("ended with status {}", WEXITSTATUS(status)));
  }

 private:
  int wait() {
    answers_.reset();
    int status = 0;
    if (process_ > 0) {
      while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    process_ = -1;
    return status;
  }

  std::string command_;
  File answers_{nullptr, std::fclose};
  pid_t process_ = -1;
};

// How many of the answers say yes, by what was asked: "right" and what else the checker tells.
struct Answers {
  int64_t count = 0;
  std::map<std::string, int64_t> yes;

  void add(const Json& answer) {
    ++count;
    for (const auto& [name, value] : answer.items()) {
      if (value.is_boolean()) yes[name] += value.get<bool>();
    }
  }
  double share(const std::string& name) const {
    return static_cast<double>(yes.at(name)) / static_cast<double>(count);
  }
};

Answers ask(const std::string& command, const Questions& questions, cli::Progress& progress) {
  Checker checker(command, questions.file.get());
  Answers answers;
  int64_t number = 0;
  const auto all = static_cast<int64_t>(questions.images.size());
  for (std::string line; checker.next(line);) {
    const std::string where = fmt::format("{}: line {}", command, ++number);
    const Json answer = parse_json(line, where);
    // Other lines, a summary for one, are no answers.
    if (!answer.is_object() || !answer.contains("right") || !answer["right"].is_boolean()) continue;
    if (answers.count == all) {
      throw Error(where, fmt::format("is an answer too many: {} pictures were asked about", all));
    }
    const std::string& image = questions.images[static_cast<size_t>(answers.count)];
    if (answer.contains("image") && answer["image"] != image) {
      throw Error(where, "is about " + dump_json(answer["image"]) + " where " + image + " is next",
                  "a checker answers in the order in which it is asked");
    }
    answers.add(answer);
    progress.update(static_cast<uint64_t>(answers.count));
  }
  checker.finish();
  if (answers.count != all) {
    throw Error(command, fmt::format("gave {} answers about {} pictures", answers.count, all),
                "a line with \"right\": true or false for each line it reads, in the same order");
  }
  return answers;
}

}  // namespace

std::vector<Json> eval_caption(const cli::Context& context, const EvalArgs& args) {
  const Questions questions(context.operands);
  cli::Progress progress(context.common, "pictures", questions.images.size());
  const Answers answers = ask(args.checker, questions, progress);
  progress.finish();
  // With one right and one wrong answer more the error does not vanish where all are alike.
  const auto n = static_cast<double>(answers.count);
  const double middle = (static_cast<double>(answers.yes.at("right")) + 1) / (n + 2);
  Json line = {{"metric", "caption"},
               {"value", answers.share("right")},
               {"error", std::sqrt(middle * (1 - middle) / (n + 2))},
               {"fake", answers.count},
               {"right", answers.yes.at("right")},
               {"checker", args.checker}};
  for (const auto& [name, yes] : answers.yes) {
    if (!line.contains(name)) line[name] = answers.share(name);
  }
  return {line};
}

}  // namespace vq
