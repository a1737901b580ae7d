// The few layers all networks here are made of: structs of named tensors and one function each.
//
// Initial values follow the released VQ-Diffusion code: linear and embedding weights normal with
// standard deviation 0.02, biases zero; convolutions as PyTorch's default (uniform, bound
// 1/sqrt(fan in)).
//
// `rows_padded` exists for batch invariance: the matrix library switches kernels below about twelve
// rows and then rounds differently, so products whose row count is the batch size are padded to 16
// rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/weights/parameters.h"

namespace vq {

struct Linear {
  at::Tensor weight, bias;  // (out, in), (out)
  Linear() = default;
  Linear(Parameters& p, const std::string& name, int64_t in, int64_t out, double std = 0.02);
  at::Tensor operator()(const at::Tensor& x) const;   // (..., in) -> (..., out)
  at::Tensor rows_padded(const at::Tensor& x) const;  // (rows, in); the same for any number of rows
};

struct Embedding {
  at::Tensor weight;  // (rows, width)
  Embedding() = default;
  Embedding(Parameters& p, const std::string& name, int64_t rows, int64_t width, double std = 0.02);
  at::Tensor operator()(const at::Tensor& index) const;  // (...) int64 -> (..., width)
};

struct LayerNorm {
  at::Tensor weight, bias;
  LayerNorm() = default;
  LayerNorm(Parameters& p, const std::string& name, int64_t width);
  at::Tensor operator()(const at::Tensor& x) const;
};

inline constexpr double kGroupNormEpsilon = 1e-6;  // as in the taming codecs

struct GroupNorm {
  at::Tensor weight, bias;
  int64_t groups = 32;
  GroupNorm() = default;
  GroupNorm(Parameters& p, const std::string& name, int64_t channels, int64_t groups = 32);
  at::Tensor operator()(const at::Tensor& x) const;  // (B, C, H, W)
};

// A convolution. Law: on a CPU, outside training, a picture's result does not depend on the batch.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    int64_t stride, int64_t padding);

struct Conv2d {
  at::Tensor weight, bias;
  int64_t stride = 1, padding = 1;
  Conv2d() = default;
  Conv2d(Parameters& p, const std::string& name, int64_t in, int64_t out, int64_t kernel,
         int64_t stride = 1, int64_t padding = -1);  // -1: kernel / 2
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace vq
