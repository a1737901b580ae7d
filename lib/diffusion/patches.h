// A 3x3 convolution over token grids as one product: each cell's neighbourhood is a row of it. What
// the released 16 x 16 models have in place of an MLP's linear layers.
//
// Cells are numbered through a batch of grids, (B, height, width) flattened, and a list of cells
// is ascending. Only the cells that are asked for are computed, and only those around them have to
// be there.
//
//   rows        (N, C)    of the cells `have`; edged: (N + 1, C), a row of zeros behind them
//   neighbours  (9 M)     numbers of rows around each of the cells `want`, in reading order; N for
//                         what lies beyond the grid's edge, which counts as zeros
//   patches     (M, 9 C)
//
// Law: as_product(conv)(patches(edged(rows), neighbours(all, want))) is conv at `want`.
// (patches_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/weights/layers.h"

namespace vq {

struct Grid {
  int64_t height = 0, width = 0;
};

// The cells and all around them.
std::vector<int64_t> grown(const std::vector<int64_t>& cells, Grid grid);

// Every neighbour of a wanted cell must be among those that are there.
at::Tensor neighbours(const std::vector<int64_t>& have, const std::vector<int64_t>& want,
                      Grid grid);

// Those of all cells of so many grids.
at::Tensor neighbours_everywhere(int64_t grids, Grid grid);

at::Tensor edged(const at::Tensor& rows);
at::Tensor patches(const at::Tensor& edged_rows, const at::Tensor& neighbours);

Linear as_product(const Conv2d& conv);  // weight (out, 9 in)

// product(patches(edged(rows), neighbours)), so many patches at once: they are nine times what they
// are made of.
at::Tensor of_patches(const at::Tensor& rows, const at::Tensor& neighbours, int64_t at_once,
                      const std::function<at::Tensor(const at::Tensor&)>& product);

}  // namespace vq
