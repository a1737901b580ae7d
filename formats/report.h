// What a file is, and whether it is whole: the answer of vq-info, as one JSON object.
//
// Members every report has: "file", "kind" ("token grid", "safetensors", "PyTorch archive",
// "TorchScript archive", "image", or what describe() says), "bytes" (null when unknown: a pipe),
// "whole" (true: read to its end and every checksum seen; false: damaged; null: not a format that
// is checked here). Damage is listed in "damage", an array of sentences. The other members are
// named in report.cc and report_torch.h, next to the code that finds them; scripts may rely on the
// names.
#pragma once

#include <string>

#include "formats/json.h"

namespace vq {

// Reads PATH ("-": standard input) to its end. Damage inside the file is part of the report; throws
// vq::Error only where there is nothing to report on: no such file, a folder, no permission.
Json report_on(const std::string& path);

struct ReportTextOptions {
  bool tensors = false;  // list every tensor of a safetensors file or a PyTorch archive
};

// The report for a person: a heading, then one indented "name  value" line each.
std::string report_text(const Json& report, const ReportTextOptions& options = {});

// One line for --verify: "birds.vqt: whole (token grid, 3 records in 1 block)", or in how many
// places it is damaged.
std::string verdict_text(const Json& report);

}  // namespace vq
