// The three spellings of an option table: for a person (--help), for the man page (--help=mdoc) and
// for the shell completion (--help=words).

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "formats/error.h"
#include "tools/cli/options.h"

namespace vq::cli {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kHelpColumn = 26;  // where the explanations start

// Help texts show defaults, and defaults are the variables' values now: read before parsing.
std::string default_text(const Option& row) {
  if (row.hide_default || row.required) return "";
  struct Visitor {
    std::string operator()(bool*) const { return ""; }
    std::string operator()(std::string* value) const { return *value; }
    std::string operator()(int64_t* value) const { return fmt::format("{}", *value); }
    std::string operator()(int* value) const { return fmt::format("{}", *value); }
    std::string operator()(double* value) const { return fmt::format("{}", *value); }
    std::string operator()(std::vector<std::string>* value) const {
      return fmt::format("{}", fmt::join(*value, ","));
    }
  };
  return std::visit(Visitor{}, row.target);
}

bool is_number(const Option& row) {
  return std::holds_alternative<int*>(row.target) || std::holds_alternative<int64_t*>(row.target) ||
         std::holds_alternative<double*>(row.target);
}

std::string range_sentence(const Option& row) {
  const bool low = row.min > -1e300, high = row.max < 1e300;
  if (!is_number(row) || (!low && !high)) return "";
  if (low && high) return fmt::format("From {} to {}.", row.min, row.max);
  return low ? fmt::format("{} or more.", row.min) : fmt::format("At most {}.", row.max);
}

// Breaks `text` at spaces into lines of at most `width` characters.
std::vector<std::string> wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::string row_text(const Option& row) {
  std::string left = row.letter ? fmt::format("  -{}, --{}", row.letter, row.name)
                                : fmt::format("      --{}", row.name);
  if (row.value) left += fmt::format("={}", row.value);
  std::string help = row.help;
  if (!row.choices.empty() && row.value) {
    help += fmt::format(": {}", fmt::join(row.choices, ", "));
  }
  const std::string shown = default_text(row);
  if (row.required) {
    help += " (required)";
  } else if (!shown.empty()) {
    help += fmt::format(" [{}]", shown);
  }
  std::string out = left;
  if (left.size() + 2 > kHelpColumn) {
    out += "\n" + std::string(kHelpColumn, ' ');
  } else {
    out += std::string(kHelpColumn - left.size(), ' ');
  }
  const auto lines = wrap(help, kColumns - kHelpColumn);
  return fmt::format("{}{}\n", out, fmt::join(lines, "\n" + std::string(kHelpColumn, ' ')));
}

// A long pipe is broken after its bars, as one would in a script.
std::string example_text(const std::string& example) {
  std::string out, line = "  ";
  for (size_t at = 0; at < example.size();) {
    const size_t bar = example.find(" | ", at);
    const size_t end = bar == std::string::npos ? example.size() : bar + 3;
    const std::string part = example.substr(at, end - at);
    if (line.size() > 2 && line.size() + part.size() > kColumns) {
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line = "    ";
    }
    line += part;
    at = end;
  }
  return out + line + "\n";
}

// Text for mdoc: backslashes, hyphens of options, and lines that would be requests.
std::string mdoc_escape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '-')) {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && i == 0) {
      out += std::string("\\&") + c;
    } else {
      out += c;
    }
  }
  return out;
}

// "images at once" -> "Images at once."; a list of words to type ("cpu, cuda, ...") keeps its
// letters.
std::string sentence(const std::string& help) {
  std::string out = mdoc_escape(help);
  const bool list = out.substr(0, out.find(' ')).ends_with(',');
  if (!list) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out + (out.ends_with('.') ? "\n" : ".\n");
}

// Further sentences: requests stay as they are, and so do escapes; the hyphens of options become
// ones that can be copied into a shell. A sentence ends its line, as mdoc wants it.
std::string mdoc_more(const std::string& more) {
  std::string out;
  bool line_start = true, request = false;
  for (size_t i = 0; i < more.size(); ++i) {
    const char c = more[i];
    if (line_start) request = c == '.';
    const bool after_space = i == 0 || more[i - 1] == ' ' || more[i - 1] == '\n';
    const bool escaped = i > 0 && more[i - 1] == '\\';
    if (!request && c == '-' && !escaped && (after_space || more[i - 1] == '-')) {
      out += "\\-";
    } else if (!request && c == ' ' && i > 0 && more[i - 1] == '.' && i + 1 < more.size() &&
               std::isalpha(static_cast<unsigned char>(more[i + 1]))) {
      out += '\n';
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out + "\n";
}

std::string row_mdoc(const Option& row) {
  std::string out = ".It ";
  if (row.letter) out += fmt::format("Fl {} , ", row.letter);
  out += fmt::format("Fl -{}", row.name);
  if (row.value) out += fmt::format(" Ns = Ns Ar {}", mdoc_escape(row.value));
  out += "\n" + sentence(row.help);
  if (!row.choices.empty() && row.value) {
    out += "One of\n";
    for (size_t i = 0; i < row.choices.size(); ++i) {
      out += fmt::format(".Cm {}{}\n", row.choices[i],
                         i + 1 == row.choices.size()   ? " ."
                         : i + 2 == row.choices.size() ? "\nor"
                                                       : " ,");
    }
  }
  const std::string range = range_sentence(row);
  if (!range.empty()) out += range + "\n";
  if (row.required) out += "Required.\n";
  const std::string shown = default_text(row);
  if (!shown.empty()) {
    out += fmt::format("The default is\n.Ql {} .\n", mdoc_escape(shown));
  }
  if (row.more[0] != '\0') out += mdoc_more(row.more);
  return out;
}

// Values for which the completion offers files.
bool is_file_value(const Option& row) {
  if (!row.value || is_number(row) || !row.choices.empty()) return false;
  const std::string value = row.value;
  for (const char* word : {"FILE", "PATH", "DIR", "FOLDER", "WHERE", "CODEC", "MODEL", "TOKENS",
                           "IMAGES", "NETWORK"}) {
    if (value.starts_with(word)) return true;
  }
  return false;
}

}  // namespace

std::string help_text(const Command& command) {
  Common common;
  std::string help, out;
  bool version = false;
  for (const std::string& usage : command.usage) {
    const std::string start =
        fmt::format("{} {} ", out.empty() ? "usage:" : "      ", command.name);
    const auto lines = wrap(usage, kColumns - start.size());
    out += fmt::format("{}{}\n", start, fmt::join(lines, "\n" + std::string(start.size(), ' ')));
  }
  out += fmt::format("{}\n", fmt::join(wrap(command.summary, kColumns), "\n"));
  std::string group = "\n";  // no group is called so: the first rows get their empty line
  for (const Option& row : all_rows(command, common, help, version)) {
    if (group != row.group) {
      const bool headed = row.group[0] != '\0' && row.group != std::string("Common");
      out += headed ? fmt::format("\n{}:\n", row.group) : "\n";
      group = row.group;
    }
    out += row_text(row);
  }
  if (command.example && command.example[0]) {
    out += fmt::format("\nexample:\n{}", example_text(command.example));
  }
  return out;
}

std::string help_mdoc(const Command& command) {
  Common common;
  std::string help, out, group;
  bool version = false;
  out = ".Bl -tag -width Ds\n";
  for (const Option& row : all_rows(command, common, help, version)) {
    if (group != row.group) {
      out += fmt::format(".El\n.Ss {}\n.Bl -tag -width Ds\n",
                         row.group == std::string("Common") ? "Common to all tools"
                         : row.group[0] == '\0'             ? "Further options"
                                                            : row.group);
      group = row.group;
    }
    out += row_mdoc(row);
  }
  // A command whose first row has a heading would begin with an empty list.
  const std::string empty = ".Bl -tag -width Ds\n.El\n";
  if (out.starts_with(empty)) out.erase(0, empty.size());
  return out + ".El\n";
}

// One option a line, four fields separated by tabs: name, letter or -, what follows it (nothing,
// value, file, or words), the words separated by spaces or -.
std::string help_words(const Command& command) {
  Common common;
  std::string help, out;
  bool version = false;
  for (const Option& row : all_rows(command, common, help, version)) {
    const char* kind = !row.value             ? "nothing"
                       : !row.choices.empty() ? "words"
                       : is_file_value(row)   ? "file"
                                              : "value";
    out += fmt::format(
        "{}\t{}\t{}\t{}\n", row.name, row.letter ? row.letter : '-', kind,
        row.value && !row.choices.empty() ? fmt::format("{}", fmt::join(row.choices, " ")) : "-");
  }
  return out;
}

// A text longer than the stream's buffer meets a full disk here, not in the last flush.
void show_on_stdout(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) == EOF)
    throw Error::from_errno("standard output", "cannot write");
}

}  // namespace vq::cli
