// A contact sheet: pictures in rows on white, magnified without smoothing, each with its caption
// below.
//
// Laws: cells keep their order, left to right, then down; a magnified pixel is a square of one
// colour; the sheet stays within the limits of image.h or vq::Error says how to make it smaller.
// (sheet_test.cc)
#pragma once

#include <string>
#include <vector>

#include "formats/image.h"

namespace vq {

struct SheetCell {
  Image image;
  std::string caption;  // UTF-8; may be empty
};

struct SheetOptions {
  int columns = 0;    // 0: as many as make the sheet a little wider than high
  int scale = 0;      // pixels a side of one picture pixel; 0: so that a cell is at least 128 wide
  int max_lines = 4;  // of a caption
};

Image draw_sheet(const std::vector<SheetCell>& cells, const SheetOptions& options = {});

}  // namespace vq
