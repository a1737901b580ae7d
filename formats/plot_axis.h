// One axis of a plot: the range it shows and round ticks in it.
//
// Laws: ticks are multiples of 1, 2 or 5 times a power of ten, at most as many as asked for, all
// within the range, and two or more where five may be; equal values get a range around them.
//                                                                              (plot_axis_test.cc)
#pragma once

#include <string>
#include <vector>

namespace vq {

struct Range {
  double low = 0, high = 1;
};

struct Axis {
  Range range;
  std::vector<double> ticks;
  std::vector<std::string> labels;   // as short as tells the ticks apart: "0.25", "3e5"
  double share(double value) const;  // 0 at the low end, 1 at the high end
};

// NaN, infinities and numbers whose differences might overflow cannot be drawn.
bool drawable(double value);

// What to show of data in `data`: a little more on each side, but nothing below zero where the data
// has nothing there.
Range padded(Range data);

// Ticks for exactly this range.
Axis choose_axis(Range shown, int most_ticks);

}  // namespace vq
