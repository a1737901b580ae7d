#include "tools/cli/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/json.h"
#include "tools/cli/terminal.h"

namespace vq::cli {
namespace {

// One program is one process: its name and its loudness are facts of the process.
std::string g_program = "vq";
Common g_common;
volatile sig_atomic_t g_catching = 0;
volatile sig_atomic_t g_caught = 0;

// Ends the program by the signal, as if it had never been caught. Only async-signal-safe calls.
void on_signal(int signo) {
  if (g_catching && !g_caught && signo != SIGPIPE) {
    g_caught = signo;
    return;
  }
  remove_unfinished_outputs();
  erase_progress_line_now();
  signal(signo, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signo);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  raise(signo);
}

void set_signals() {
  // First thing: a parent that ignores SIGPIPE (Python does) would let a sampler write hours of
  // records to nobody.
  signal(SIGPIPE, SIG_DFL);
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signo : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&mask, signo);
  sigprocmask(SIG_UNBLOCK, &mask, nullptr);

  for (const int signo : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signo, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signo, &action, nullptr);
  }
  // Over a file size limit, write() shall fail with a message instead of a core dump.
  signal(SIGXFSZ, SIG_IGN);
}

// Started with a standard stream closed (`>&-`), the first file opened would become standard
// output. The place is taken by something on which reads or writes fail.
void occupy_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) _exit(1);
  }
}

// One write a line: programs of one pipe share a terminal and shall not cut each other's lines.
void write_line(const std::string& text) {
  const std::string line = g_program + ": " + printable(text) + "\n";
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere to complain
    done += static_cast<size_t>(n);
  }
}

void show(const Error& error) {
  say(error.where().empty() ? error.message() : error.where() + ": " + error.message());
  if (!error.hint().empty()) {
    say("hint: " + error.hint());
  } else if (error.kind() == Error::Kind::usage) {
    say("hint: try --help");
  }
}

void show_foreign(const std::exception& error, const Translate& translate) {
  std::string what, hint;
  if (translate && translate(error, what, hint)) {
    show(Error("", what, hint));
  } else if (dynamic_cast<const std::bad_alloc*>(&error)) {
    say("out of memory");
  } else {
    // Further lines of a foreign message are a stack trace, or a second sentence at best.
    const std::string text = error.what();
    say(text.substr(0, text.find('\n')));
  }
}

// The last write error is an error too: buffered data may meet the full disk only now.
int finish(int status) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0 && !std::ferror(stdout);
  const int flush_errno = errno;
  const bool closed = close(STDOUT_FILENO) == 0 || errno == EBADF;
  if (flushed && closed) return status;
  if (status == 0) {  // otherwise the reason was said already
    say(fmt::format("standard output: cannot write: {}", strerror(flushed ? errno : flush_errno)));
  }
  return status == 0 ? 1 : status;
}

template <typename Function>
int guarded(const Translate& translate, const Function& function) {
  int status = 1;
  try {
    status = function();
  } catch (const Error& error) {
    status = error.kind() == Error::Kind::usage ? 2 : 1;
    show(error);
  } catch (const std::exception& error) {
    show_foreign(error, translate);
  } catch (...) {
    say("stopped by an unknown failure");
  }
  return finish(status);
}

void begin(const std::string& program) {
  occupy_standard_streams();
  g_program = program;
  set_signals();
}

int parse_and_run(const Command& command, int argc, char** argv, const Body& body,
                  std::vector<std::string> arguments) {
  Context context;
  context.parsed = parse(command, argc, argv);
  if (context.parsed.action == Parsed::Action::done) return 0;
  context.operands = context.parsed.operands;
  context.common = g_common = context.parsed.common;
  context.arguments = std::move(arguments);
  context.program = g_program;
  return body(context);
}

std::string verbs_help(const char* program, const char* summary, const std::vector<Verb>& verbs) {
  std::string out, list;
  for (const Verb& verb : verbs) {
    for (const std::string& usage : verb.command->usage) {
      out += fmt::format("{} {} {} {}\n", out.empty() ? "usage:" : "      ", program, verb.word,
                         usage);
    }
    list += fmt::format("  {:<12} {}\n", verb.word, verb.command->summary);
  }
  return fmt::format("{}{}\n\n{}\nOptions: {} {} --help\n", out, summary, list, program,
                     verbs.front().word);
}

int choose_verb(const char* program, const char* summary, const std::vector<Verb>& verbs, int argc,
                char** argv) {
  std::vector<std::string> words;
  for (const Verb& verb : verbs) words.push_back(verb.word);
  const std::string all = fmt::format("{}", fmt::join(words, ", "));
  const std::string typed = argc > 1 ? argv[1] : "";
  if (argc < 2) throw Error::usage("", "what to do is missing; give one of: " + all);
  if (typed == "-h" || typed == "--help") {
    show_on_stdout(verbs_help(program, summary, verbs));
    return 0;
  }
  if (typed == "-V" || typed == "--version") {
    std::printf("%s (vq) %s\n", program, VQ_VERSION);
    return 0;
  }
  if (typed == "--help=words") {  // for the completion: which words come first
    for (const Verb& verb : verbs) std::printf("%s\t-\tverb\t-\n", verb.word);
    return 0;
  }
  for (const Verb& verb : verbs) {
    if (typed == verb.word) {
      return parse_and_run(*verb.command, argc - 1, argv + 1, verb.body, {argv + 1, argv + argc});
    }
  }
  const std::string near = nearest_word(typed, words);
  throw Error::usage(typed, "the first word is one of: " + all,
                     near.empty() ? "" : fmt::format("did you mean {}? (try --help)", near));
}

}  // namespace

std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

int run(const Command& command, int argc, char** argv, const Body& body,
        const Translate& translate) {
  begin(program_of(command));
  return guarded(translate, [&] {
    return parse_and_run(command, argc, argv, body, {argv + (argc > 0 ? 1 : 0), argv + argc});
  });
}

int run_verbs(const char* program, const char* summary, const std::vector<Verb>& verbs, int argc,
              char** argv, const Translate& translate) {
  begin(program);
  return guarded(translate, [&] { return choose_verb(program, summary, verbs, argc, argv); });
}

void say(const std::string& text) {
  const ProgressPause pause;
  write_line(text);
}

void note(const std::string& text) {
  if (!g_common.quiet) say(text);
}

void detail(const std::string& text) {
  if (g_common.verbose && !g_common.quiet) say(text);
}

const std::string& program_name() { return g_program; }

void catch_signals() { g_catching = 1; }
int caught_signal() { return g_caught; }
int exit_by_signal(int signo) { return 128 + signo; }

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }
bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }

void refuse_terminal_output(const std::string& output, bool force) {
  if (force || (!output.empty() && output != "-") || !stdout_is_terminal()) return;
  throw Error::usage("standard output", "is a terminal, and the output is binary",
                     "give -o FILE, a pipe, or --force");
}

void refuse_terminal_input(const std::vector<std::string>& operands) {
  if (!operands.empty() || !stdin_is_terminal()) return;
  throw Error::usage("standard input", "is a terminal, and no input was given",
                     "give a file or a pipe (try --help)");
}

std::string version_string() { return VQ_VERSION; }

nlohmann::ordered_json history_entry(const Context& context) {
  Json entry = Json::object();
  entry["tool"] = context.program;
  entry["version"] = version_string();
  entry["arguments"] = context.arguments;
  return entry;
}

}  // namespace vq::cli
