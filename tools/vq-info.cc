// vq-info: what is this file, is it whole; show, cut, mend and convert token grids; a schedule as a
// table.

#include <fmt/format.h>

#include <cstdio>

#include "formats/error.h"
#include "formats/report.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/info_records.h"
#include "tools/info_schedule.h"

namespace {

struct {
  bool json = false, tensors = false, verify = false;
  std::string field;
  vq::RecordsWanted records;
  vq::ScheduleWanted schedule;
} args;

std::vector<vq::cli::Option> rows() {
  std::vector<vq::cli::Option> list = {
      {.name = "json", .help = "one JSON object a file instead of a page", .target = &args.json},
      {.letter = 'f',
       .name = "field",
       .value = "NAME",
       .help = "only this member of the JSON object",
       .target = &args.field,
       .more = "Strings are printed bare, for scripts."},
      {.name = "verify",
       .help = "only whether each file is whole, and where it is not",
       .target = &args.verify,
       .more = "A file of a kind that cannot be checked is not whole."},
      {.name = "tensors",
       .help = "list every tensor of a model or a PyTorch file",
       .target = &args.tensors}};
  for (const auto& more : {vq::record_rows(args.records), vq::schedule_rows(args.schedule)}) {
    list.insert(list.end(), more.begin(), more.end());
  }
  return list;
}

const vq::cli::Command command = {
    .name = "vq-info",
    .summary = "Say what a file is and whether it is whole; show, cut and mend token grids.",
    .usage = {"[options] [FILE...]", "--text [--records A..B] [--salvage] [TOKENS...]",
              "-o FILE [--text] [--records A..B] [--salvage] [TOKENS...]",
              "--heat FILE.png [--records A..B] [TOKENS...]", "--schedule=WHICH [-T T] [-K K]"},
    .example =
        "vq-info --text birds.vqt | grep 'red bird' | vq-decode -m codec.safetensors -o out/",
    .options = rows()};

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

// One line; the places are said by the caller.
void print_verdict(const vq::Json& report) {
  if (report["whole"].is_null()) {
    throw vq::Error(report["file"], fmt::format("is {}, which cannot be checked",
                                                report["kind"].get<std::string>()));
  }
  fmt::print("{}\n", vq::verdict_text(report));
}

// The exit status of one file.
int inform_on(const std::string& input) {
  const vq::Json report = vq::report_on(input);
  const bool known = report["kind"] != "unknown";  // else the message says all there is to say
  if (!print_json(report, report["file"]) && known) {
    if (args.verify) {
      print_verdict(report);
    } else {
      fmt::print("{}", vq::report_text(report, {.tensors = args.tensors}));
    }
  }
  int status = 0;
  for (const vq::Json& damage : report.value("damage", vq::Json::array())) {
    vq::cli::say(damage.get<std::string>());
    status = 1;
  }
  return status;
}

int inform(const vq::cli::Context& context) {
  const bool records = vq::records_are_asked(args.records);
  if (vq::schedule_is_asked(context, args.schedule)) {
    const vq::Json report = vq::schedule_report(args.schedule);
    if (!print_json(report, args.schedule.which)) fmt::print("{}", vq::schedule_text(report));
    return 0;
  }
  vq::cli::refuse_terminal_input(context.operands);
  if (records) return vq::pass_records(args.records, context);

  std::vector<std::string> inputs = context.operands;
  if (inputs.empty()) inputs = {"-"};
  int status = 0;
  for (const std::string& input : inputs) {
    try {
      status |= inform_on(input);
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
