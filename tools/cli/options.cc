#include "tools/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "formats/error.h"

// Without std::regex: its patterns would be built at every start, and it recurses once a character,
// so that a long caption on the command line ends in a stack overflow.
#define CXXOPTS_NO_REGEX true
#include <cxxopts.hpp>

namespace vq::cli {
namespace {

// What cxxopts puts in place of the value of a switch. No argument can contain it by accident.
constexpr const char* kNoValue = "\x01";

bool is_switch(const Option& row) { return std::holds_alternative<bool*>(row.target); }

const Option* find_row(const std::vector<Option>& rows, const std::string& name) {
  for (const Option& row : rows) {
    if (row.name == name || (name.size() == 1 && row.letter == name[0])) return &row;
  }
  return nullptr;
}

// -fobird.vqt becomes -f -o bird.vqt: without its regular expressions cxxopts knows attached values
// only when they are letters and digits.
std::vector<std::string> split_clusters(const std::vector<Option>& rows, int argc,
                                        const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    if (i == 0 || word.size() < 2 || word[0] != '-') {
      words.push_back(word);
      continue;
    }
    if (word == "--") {
      words.insert(words.end(), argv + i, argv + argc);
      break;
    }
    bool wants_value = false;
    if (word[1] == '-') {
      words.push_back(word);
      const Option* row = find_row(rows, word.substr(2));
      wants_value = row && word.size() > 3 && !is_switch(*row) && row->name != std::string("help");
    } else {
      for (size_t at = 1; at < word.size(); ++at) {
        const Option* row = find_row(rows, std::string(1, word[at]));
        words.push_back(std::string("-") + word[at]);
        if (!row || is_switch(*row) || row->letter == 'h') continue;
        if (at + 1 < word.size()) {
          words.push_back(word.substr(at + 1));
        } else {
          wants_value = true;
        }
        break;
      }
    }
    if (wants_value && i + 1 < argc) words.push_back(argv[++i]);
  }
  return words;
}

// Slips between two words: a letter too many, one missing, another one, or two in the wrong order.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

// The part of a cxxopts message between its quotation marks: what the user typed.
std::string quoted(const std::string& message) {
  const size_t from = message.find(cxxopts::LQUOTE), to = message.rfind(cxxopts::RQUOTE);
  if (from == std::string::npos || to == std::string::npos) return message;
  const size_t start = from + cxxopts::LQUOTE.size();
  return message.substr(start, to - start);
}

std::string dashed(const std::string& name) {
  if (name.starts_with("-")) return name;
  return (name.size() == 1 ? "-" : "--") + name;
}

Error unknown_option(const std::vector<Option>& rows, const std::string& typed) {
  std::vector<std::string> names;
  for (const Option& row : rows) names.push_back(row.name);
  const std::string bare = typed.substr(std::min(typed.size(), typed.find_first_not_of('-')));
  const std::string near = bare.size() > 1 ? nearest_word(bare, names) : "";
  return Error::usage(dashed(typed), "no such option",
                      near.empty() ? "" : fmt::format("did you mean --{}? (try --help)", near));
}

std::string range_text(double min, double max) {
  if (min > -1e300 && max < 1e300) return fmt::format("{} to {}", min, max);
  return min > -1e300 ? fmt::format("{} or more", min) : fmt::format("at most {}", max);
}

template <typename Number>
Number parse_number(const Option& row, const std::string& text) {
  const std::string where = dashed(row.name);
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const bool all = result.ptr == end && !text.empty();
  const bool too_big = result.ec == std::errc::result_out_of_range && all;
  if constexpr (std::is_floating_point_v<Number>) {
    if (!too_big && (!all || result.ec != std::errc() || !std::isfinite(value))) {
      throw Error::usage(where, fmt::format("'{}' is not a number", text));
    }
  } else if (!too_big && (!all || result.ec != std::errc())) {
    throw Error::usage(where, fmt::format("'{}' is not a whole number", text));
  }
  const double as_double = static_cast<double>(value);
  if (too_big || as_double < row.min || as_double > row.max) {
    double min = row.min, max = row.max;
    if (too_big && !std::is_floating_point_v<Number>) {
      min = std::max(min, static_cast<double>(std::numeric_limits<Number>::lowest()));
      max = std::min(max, static_cast<double>(std::numeric_limits<Number>::max()));
    }
    throw Error::usage(where,
                       fmt::format("{} is out of range; give {}", text,
                                   min <= -1e300 && max >= 1e300 ? std::string("a smaller number")
                                                                 : range_text(min, max)));
  }
  return value;
}

void check_choice(const Option& row, const std::string& text) {
  if (row.choices.empty() ||
      std::find(row.choices.begin(), row.choices.end(), text) != row.choices.end()) {
    return;
  }
  const std::string near = nearest_word(text, row.choices);
  throw Error::usage(dashed(row.name),
                     fmt::format("'{}' is not one of: {}", text, fmt::join(row.choices, ", ")),
                     near.empty() ? "" : fmt::format("did you mean {}?", near));
}

void store(const Option& row, const std::string& text, bool first) {
  struct Visitor {
    const Option& row;
    const std::string& text;
    bool first;
    void operator()(bool* to) const {
      if (text != kNoValue) {
        throw Error::usage(dashed(row.name), fmt::format("takes no value, but got '{}'", text));
      }
      *to = true;
    }
    void operator()(std::string* to) const {
      check_choice(row, text);
      *to = text;
    }
    void operator()(int64_t* to) const { *to = parse_number<int64_t>(row, text); }
    void operator()(int* to) const { *to = parse_number<int>(row, text); }
    void operator()(double* to) const { *to = parse_number<double>(row, text); }
    void operator()(std::vector<std::string>* to) const {
      if (first) to->clear();
      if (row.choices.empty()) {
        to->push_back(text);
        return;
      }
      for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, comma - at);
        check_choice(row, word);
        to->push_back(word);
        at = comma + 1;
      }
    }
  };
  std::visit(Visitor{row, text, first}, row.target);
}

cxxopts::ParseResult parse_words(const Command& command, const std::vector<Option>& rows,
                                 const std::vector<std::string>& words) {
  cxxopts::Options options(command.name, command.summary);
  for (const Option& row : rows) {
    auto value = cxxopts::value<std::string>();
    if (is_switch(row) || row.name == std::string("help")) value->implicit_value(kNoValue);
    const std::string name = row.letter ? fmt::format("{},{}", row.letter, row.name) : row.name;
    options.add_options()(name, row.help, value);
  }
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  try {
    return options.parse(static_cast<int>(pointers.size()), pointers.data());
  } catch (const cxxopts::exceptions::no_such_option& e) {
    throw unknown_option(rows, quoted(e.what()));
  } catch (const cxxopts::exceptions::invalid_option_syntax& e) {
    throw unknown_option(rows, quoted(e.what()));
  } catch (const cxxopts::exceptions::missing_argument& e) {
    const Option* row = find_row(rows, quoted(e.what()));
    throw Error::usage(dashed(row ? row->name : quoted(e.what())),
                       row ? fmt::format("a value is missing; give --{}={}", row->name, row->value)
                           : "a value is missing");
  } catch (const cxxopts::exceptions::exception& e) {
    throw Error::usage(quoted(e.what()), "not understood as an option");
  }
}

void check_operands(const Command& command, const std::vector<std::string>& operands) {
  const int count = static_cast<int>(std::min<size_t>(operands.size(), 1 << 30));
  const std::string usage =
      command.usage.empty()
          ? std::string()
          : fmt::format("usage: {} {} (try --help)", command.name, command.usage.front());
  if (count < command.min_operands) {
    throw Error::usage("", count == 0 ? "an operand is missing" : "too few operands", usage);
  }
  if (count > command.max_operands) {
    throw Error::usage(
        operands[static_cast<size_t>(command.max_operands)],
        command.max_operands == 0 ? "no operand is expected" : "one operand too many", usage);
  }
}

}  // namespace

bool Parsed::has(const std::string& name) const {
  return std::find(given.begin(), given.end(), name) != given.end();
}

std::string program_of(const Command& command) {
  const std::string name = command.name;
  return name.substr(0, name.find(' '));
}

std::string nearest_word(const std::string& typed, const std::vector<std::string>& words) {
  std::string best;
  size_t best_distance = 3;            // three slips away is another word
  if (typed.size() > 64) return best;  // no slip of a finger
  for (const std::string& word : words) {
    size_t distance = edit_distance(typed, word);
    if (typed.size() >= 3 && word.starts_with(typed)) distance = 1;
    if (distance < best_distance && distance < word.size()) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

std::vector<Option> all_rows(const Command& command, Common& common, std::string& help,
                             bool& version) {
  std::vector<Option> rows = command.options;
  const char* group = "Common";
  const auto add = [&](Option row) {
    row.group = group;
    rows.push_back(std::move(row));
  };
  add({.letter = 'q',
       .name = "quiet",
       .help = "only errors on standard error",
       .target = &common.quiet});
  add({.letter = 'v', .name = "verbose", .help = "say what is done", .target = &common.verbose});
  add({.name = "progress",
       .help = "progress as plain lines, for logs",
       .target = &common.progress,
       .more = "Without it one rewriting line is shown where standard error is a terminal."});
  add({.letter = 'h',
       .name = "help",
       .help = "this text",
       .target = &help,
       .choices = {"mdoc", "words"},
       .more = "With\n.Fl -help Ns = Ns Cm mdoc\nthe options as a manual section, with\n"
               ".Fl -help Ns = Ns Cm words\nas the table the shell completion is made from."});
  add({.letter = 'V', .name = "version", .help = "name and version", .target = &version});
  return rows;
}

Parsed parse(const Command& command, int argc, const char* const* argv) {
  Parsed parsed;
  std::string help;
  bool version = false;
  const std::vector<Option> rows = all_rows(command, parsed.common, help, version);
  const cxxopts::ParseResult result = parse_words(command, rows, split_clusters(rows, argc, argv));

  // --help and --version first: the defaults shown are the variables' values, still untouched.
  for (const auto& argument : result.arguments()) {
    const Option* row = find_row(rows, argument.key());
    if (row->name != std::string("help") && row->name != std::string("version")) continue;
    if (argument.value() == kNoValue && row->name == std::string("help")) {
      help = "text";
    } else {
      store(*row, argument.value(), true);
    }
  }
  if (!help.empty() || version) {
    const std::string text = help == "mdoc"    ? help_mdoc(command)
                             : help == "words" ? help_words(command)
                             : help == "text"
                                 ? help_text(command)
                                 : fmt::format("{} (vq) {}\n", program_of(command), VQ_VERSION);
    show_on_stdout(text);
    parsed.action = Parsed::Action::done;
    return parsed;
  }

  for (const auto& argument : result.arguments()) {
    const Option* row = find_row(rows, argument.key());
    const bool first = !parsed.has(row->name);
    if (first) parsed.given.push_back(row->name);
    store(*row, argument.value(), first);
  }
  for (const Option& row : rows) {
    if (row.required && !parsed.has(row.name)) {
      throw Error::usage("", fmt::format("--{}={} is missing", row.name, row.value));
    }
  }
  parsed.operands = result.unmatched();
  check_operands(command, parsed.operands);
  return parsed;
}

}  // namespace vq::cli
