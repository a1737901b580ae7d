// Attention in bfloat16 for inference on a CPU, about four times as fast as LibTorch's own there
// (README.md here). Without AVX512_BF16 it is attention_plain().
//
//   query   (N, D)      rows of all batch items, item b's are rows first[b] .. first[b + 1] - 1
//   key     (B, S, D)   value likewise; any strides, but the last dimension is dense: the thirds of
//                       one (B, S, 3 D) product may be given as they are
//   result  (N, D)      softmax(query key^T / sqrt(D / heads)) value, head by head; heads are
//                       contiguous slices of D
//
// Rows of several items may be of different number, so that a network's last layer can ask for the
// rows that matter only.
//
// Scores, softmax and sums are in fp32; its weights are rounded to bf16 before they meet the
// values, as LibTorch's kernel does. A row's result depends on that row's query and the item's keys
// and values only. Law: within bf16's rounding of attention_plain(). (attention_bf16_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace vq {

at::Tensor attention_bf16(const at::Tensor& query, const std::vector<int64_t>& first,
                          const at::Tensor& key, const at::Tensor& value, int64_t heads);

// The same by LibTorch's attention, item by item: any device and float type.
at::Tensor attention_plain(const at::Tensor& query, const std::vector<int64_t>& first,
                           const at::Tensor& key, const at::Tensor& value, int64_t heads);

}  // namespace vq
