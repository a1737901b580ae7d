// vq-info: what is this file, is it whole, show its records as text, or a schedule as a table.

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "formats/error.h"
#include "formats/report.h"
#include "formats/token_grid.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/info_schedule.h"

namespace {

struct {
  bool text = false, json = false, tensors = false, salvage = false;
  std::string records, field;
  vq::ScheduleWanted schedule;
} args;

std::vector<vq::cli::Option> rows() {
  std::vector<vq::cli::Option> list = {
      {.letter = 't',
       .name = "text",
       .help = "print the records as text, one a line",
       .target = &args.text,
       .more = "Every tool reads this spelling wherever it reads token grids; see\n"
               ".Xr vq-token-grid 5 ."},
      {.name = "records",
       .value = "A..B",
       .help = "with --text: only these, the first is 0",
       .target = &args.records,
       .more = "Both ends are included; either may be left out, and\n.Ar A\nalone is one "
               "record."},
      {.name = "salvage",
       .help = "with --text: go on after damaged blocks",
       .target = &args.salvage,
       .more = "The damage is still named, and the exit status is still 1."},
      {.name = "json", .help = "one JSON object a file instead of a page", .target = &args.json},
      {.name = "field",
       .value = "NAME",
       .help = "only this member of the JSON object",
       .target = &args.field,
       .more = "Strings are printed bare, for scripts."},
      {.name = "tensors",
       .help = "list every tensor of a model or a PyTorch file",
       .target = &args.tensors}};
  const std::vector<vq::cli::Option> more = vq::schedule_rows(args.schedule);
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

const vq::cli::Command command = {
    .name = "vq-info",
    .summary = "Say what a file is and whether it is whole; show token grids as text.",
    .usage = {"[options] [FILE...]", "--text [--records A..B] [TOKENS...]",
              "--schedule=WHICH [-T T] [-K K]"},
    .example =
        "vq-info --text birds.vqt | grep 'red bird' | vq-decode -m codec.safetensors -o out/",
    .options = rows()};

struct Range {
  uint64_t first = 0, last = UINT64_MAX;
};

Range parse_range(const std::string& text) {
  Range range;
  if (text.empty()) return range;
  const size_t dots = text.find("..");
  const std::string a = text.substr(0, dots);
  const std::string b = dots == std::string::npos ? a : text.substr(dots + 2);
  const auto number = [&](const std::string& digits, uint64_t& to) {
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, to);
    return result.ptr == end && result.ec == std::errc();
  };
  const bool good = (a.empty() || number(a, range.first)) && (b.empty() || number(b, range.last)) &&
                    text != ".." && !(a.empty() && b.empty());
  if (!good) {
    throw vq::Error::usage("--records", fmt::format("'{}' is not a range of records", text),
                           "give A..B, A.., ..B or A; the first record is 0");
  }
  if (range.first > range.last) {
    throw vq::Error::usage("--records", fmt::format("'{}' ends before it begins", text));
  }
  return range;
}

int print_records(std::vector<std::string> inputs) {
  const Range range = parse_range(args.records);
  vq::TokenReader reader(inputs, args.salvage ? vq::OnDamage::salvage : vq::OnDamage::stop);
  vq::TokenWriter writer(vq::Output::open("-", true), reader.header(),
                         {.spelling = vq::Spelling::text});
  vq::TokenRecord record;
  uint64_t number = 0;
  while (number <= range.last && reader.next(record)) {
    if (number++ >= range.first) writer.write(record);
    if (!reader.ready()) writer.flush();  // the next program works while this one waits
  }
  writer.close();
  for (const vq::Damage& damage : reader.damage()) vq::cli::say(damage.message);
  if (range.last != UINT64_MAX && number <= range.last && reader.damage().empty()) {
    throw vq::Error("--records", fmt::format("there is no record {}; the input has {} records",
                                             range.last, number));
  }
  return reader.damage().empty() ? 0 : 1;
}

// Prints what --field or --json asks for; false: neither does, it is to be a page.
bool print_json(const vq::Json& report, const std::string& of) {
  if (!args.field.empty()) {
    if (!report.contains(args.field)) {
      if (report.contains("damage")) return true;  // the reason, and is said by the caller
      throw vq::Error(of, fmt::format("has no field '{}'", args.field),
                      "the fields are those of --json");
    }
    const vq::Json& value = report[args.field];
    fmt::print("{}\n", value.is_string() ? value.get<std::string>() : vq::dump_json(value));
  } else if (args.json) {
    fmt::print("{}\n", vq::dump_json(report));
  }
  return args.json || !args.field.empty();
}

int inform(const vq::cli::Context& context) {
  if (!args.text && (!args.records.empty() || args.salvage)) {
    throw vq::Error::usage(args.salvage ? "--salvage" : "--records", "needs --text");
  }
  if (vq::schedule_is_asked(context, args.schedule)) {
    const vq::Json report = vq::schedule_report(args.schedule);
    if (!print_json(report, args.schedule.which)) fmt::print("{}", vq::schedule_text(report));
    return 0;
  }
  vq::cli::refuse_terminal_input(context.operands);
  std::vector<std::string> inputs = context.operands;
  if (inputs.empty()) inputs = {"-"};
  if (args.text) return print_records(inputs);

  int status = 0;
  for (const std::string& input : inputs) {
    try {
      const vq::Json report = vq::report_on(input);
      const bool known = report["kind"] != "unknown";  // else the message says all there is to say
      if (!print_json(report, report["file"]) && known) {
        fmt::print("{}", vq::report_text(report, {.tensors = args.tensors}));
      }
      for (const vq::Json& damage : report.value("damage", vq::Json::array())) {
        vq::cli::say(damage.get<std::string>());
        status = 1;
      }
    } catch (const vq::Error& error) {  // the other files still get their answer
      vq::cli::say(error.where() + ": " + error.message());
      if (!error.hint().empty()) vq::cli::say("hint: " + error.hint());
      status = 1;
    }
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) { return vq::cli::run(command, argc, argv, inform); }
