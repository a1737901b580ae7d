// The part of the report that speaks of PyTorch's archives (report.h).
//
// Members: "parameters" (numbers in all tensors), "dtypes" (how many of each type), "parts" (the
// first word of the tensors' names -> {"tensors", "parameters"}: model, ema, optimizer), "values"
// (everything that is no tensor, as torch_values.h shows it), "tensors" (name, dtype and shape).
#pragma once

#include <string>

#include "formats/json.h"

namespace vq {

// Reads PATH to its end. Throws vq::Error; members found before that stay.
void report_torch_archive(Json& report, const std::string& path);

}  // namespace vq
