// The option table: one row an option, and everything that speaks of options comes from the rows.
//
// A program declares a Command: rows point at the variables they set, so the defaults shown by
// --help are the variables' own. The same rows feed the parser (cxxopts), --help, the OPTIONS
// section of the man page (--help=mdoc) and the shell completion (--help=words).
//
// Added to every command: -h --help, -V --version, -q --quiet, -v --verbose, --progress.
// Rules: whole-string parse with the range in the message; words for choices; a letter means the
// same in every tool (-m model, -o output, -b batch, -d device, -s seed, -f force, -j threads).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace vq::cli {

// Where an option's value goes. bool* is a switch without a value: giving it sets true. A vector
// may be given repeatedly; the first one given replaces the default. A vector with choices also
// takes them separated by commas (--metrics fid,kid).
using Target =
    std::variant<bool*, std::string*, int64_t*, int*, double*, std::vector<std::string>*>;

struct Option {
  char letter = 0;              // 0: no short form
  const char* name;             // "guidance"
  const char* value = nullptr;  // "W" in the help; nullptr for a switch. FILE, PATH, DIR, CODEC ...
                                // (help.cc has the list): the completion offers files
  const char* help;             // one line, no full stop; the default is appended by itself
  Target target;
  double min = -1e300, max = 1e300;       // for numbers; part of the message and of the man page
  std::vector<std::string> choices = {};  // for strings: the words allowed
  bool required = false;
  bool hide_default = false;  // where the default says nothing (empty strings never show)
  const char* group = "";     // heading in the help
  const char* more = "";      // further sentences for the man page only, mdoc allowed
};

struct Command {
  const char* name;                // "vq-decode"; of a program with verbs, "vq-train codec"
  const char* summary;             // "Turn tokens back into images."
  std::vector<std::string> usage;  // "[options] -m CODEC [TOKENS...]"
  const char* example;             // one line with a real pipe
  std::vector<Option> options;
  int min_operands = 0, max_operands = 1 << 30;
};

// What every tool knows after parsing.
struct Common {
  bool quiet = false, verbose = false, progress = false;
};

struct Parsed {
  enum class Action { run, done } action = Action::run;  // done: --help or --version was printed
  std::vector<std::string> operands;
  Common common;
  std::vector<std::string> given;  // names of the options that were on the command line
  bool has(const std::string& name) const;
};

// Throws vq::Error of kind usage: unknown options (with the nearest name as hint), missing values,
// ranges, too few or too many operands.
Parsed parse(const Command& command, int argc, const char* const* argv);

std::string help_text(const Command& command);   // --help: at most 80 columns
std::string help_mdoc(const Command& command);   // --help=mdoc: the OPTIONS section
std::string help_words(const Command& command);  // --help=words: for the completion, see help.cc
void show_on_stdout(const std::string& text);    // throws vq::Error where it cannot be written

// "vq-train" of "vq-train codec": what stands before every line on stderr.
std::string program_of(const Command& command);

// The word of `words` that somebody who typed `typed` may have meant; empty when none is near.
std::string nearest_word(const std::string& typed, const std::vector<std::string>& words);

// The rows of a command followed by those that every command has. The five common rows point at
// `common` and at `help`, `version`.
std::vector<Option> all_rows(const Command& command, Common& common, std::string& help,
                             bool& version);

}  // namespace vq::cli
