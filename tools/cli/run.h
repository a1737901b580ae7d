// main's frame: parse, run, and turn every way of ending into the right status and message.
//
//   0 every input done   1 something failed, a message said what   2 usage: nothing read or written
//   128+n ended by signal n
//
// stdout is data only and is flushed and checked at the end (`> /dev/full` is status 1). Every line
// on stderr begins with `program: `. SIGPIPE is set to its default first thing, whatever the parent
// left; SIGINT, SIGTERM, SIGHUP and SIGPIPE remove unfinished output files and end the program by
// the signal, unless the program asked to be told. A signal that the parent ignores (nohup, a job
// in the background) stays ignored, SIGPIPE excepted.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/cli/options.h"

namespace vq::cli {

struct Context {
  std::vector<std::string> operands;
  Common common;
  std::vector<std::string> arguments;  // as typed, without the program name: for the history
  Parsed parsed;
  std::string program;  // "vq-train"
};

// The body of a tool: returns the exit status (0, or 1 after it said what failed), or throws
// vq::Error.
using Body = std::function<int(const Context&)>;

// `describe_exception` may turn a foreign exception (LibTorch's) into a vq::Error; programs that
// link LibTorch pass vq::describe_torch_exception (lib/runtime/device.h), the others nothing.
using Translate = std::function<bool(const std::exception&, std::string& what, std::string& hint)>;

int run(const Command& command, int argc, char** argv, const Body& body,
        const Translate& translate = {});

// A program of several verbs: `vq-train codec ...`. The command's name is "vq-train codec"; the
// first argument chooses. --help without a verb lists them, --help after one is about that one.
struct Verb {
  const char* word;  // "codec"
  const Command* command;
  Body body;
};
int run_verbs(const char* program, const char* summary, const std::vector<Verb>& verbs, int argc,
              char** argv, const Translate& translate = {});

// Text without control characters (a file name may hold any): they are spelled out.
std::string printable(const std::string& text);

// One line on stderr, `program: text`, printable; warnings and notes are silent under --quiet.
void say(const std::string& text);
void note(const std::string& text);    // only when not quiet
void detail(const std::string& text);  // only with --verbose

// What stands before every line on stderr: "vq-train".
const std::string& program_name();

// For vq-train: from now on the first SIGINT, SIGTERM or SIGHUP only sets a flag, the second one
// ends the program.
void catch_signals();
int caught_signal();            // 0: none
int exit_by_signal(int signo);  // the status for a program that stopped because of it: 128+n

// Standard output and standard error as terminals.
bool stdout_is_terminal();
bool stderr_is_terminal();
bool stdin_is_terminal();
// Usage error when binary data would go to a terminal and --force was not given. `output` is -o's
// value: only "-" and "" mean standard output.
void refuse_terminal_output(const std::string& output, bool force);
// Usage error when no operand was given and standard input is a terminal: a program that takes
// binary input would wait for a person to type it. Giving - says that this is meant.
void refuse_terminal_input(const std::vector<std::string>& operands);

// "0.1.0".
std::string version_string();
// One history entry for headers and metadata: {"tool", "version", "arguments"}; the caller adds
// what else made the result: the model's identity, the seed.
nlohmann::ordered_json history_entry(const Context& context);

}  // namespace vq::cli
