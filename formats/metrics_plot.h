// From JSON lines of measurements (formats/metrics.h) to the panels of a plot.
//
// Each line gives a point: the numbers of its fields x and y, and its error bar from "error" where
// y is "value". Null is a number that does not exist: it leaves a gap. Lines of purity, where no x
// is named, give their bins instead: accuracy against purity, the mark as large as the bin is full,
// the error bar as if a bin's positions were independent, and the diagonal on which a calibrated
// model lies.
//
// Laws: lines without a named field are counted and not drawn; series and panels stand in the order
// of their first lines; what all series have in common is not in their names.
// (metrics_plot_test.cc)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/plot.h"

namespace vq {

struct PlotFields {
  std::string x = {};  // empty: bins of purity where some line has them, else "step"
  std::string y = "value";
  std::string series = {};  // empty: by "metric", and by the place the line is from
  std::string panels = {};  // empty: all in one panel
};

// One line and where it is from, as errors name it: "a.jsonl", "line 3".
struct PlotLine {
  Json values;
  std::string source, place;
};

struct MetricsPlot {
  std::vector<Panel> panels;
  int64_t left_out = 0;      // lines without one of the fields
  std::string left_out_for;  // the field that the first of them lacks
};

// Throws vq::Error: a field that is no number, no line with the fields.
MetricsPlot metrics_plot(const std::vector<PlotLine>& lines, const PlotFields& fields);

}  // namespace vq
