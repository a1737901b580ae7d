#include "lib/codec/residual.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <vector>

#include "lib/runtime/attention_bf16.h"
#include "lib/runtime/group_norm.h"

namespace vq {
namespace {

// (B, C, H, W) -> (B, H*W, C)
at::Tensor positions(const at::Tensor& x) { return x.flatten(2).transpose(1, 2); }

// One head: (B, L, C) -> (B, L, C).
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  if (!query.is_cpu() || query.scalar_type() != at::kBFloat16 || at::GradMode::is_enabled()) {
    return at::scaled_dot_product_attention(query.unsqueeze(1), key.unsqueeze(1),
                                            value.unsqueeze(1))
        .squeeze(1);
  }
  std::vector<int64_t> first;
  for (int64_t b = 0; b <= query.size(0); ++b) first.push_back(b * query.size(1));
  return attention_bf16(query.reshape({-1, query.size(2)}), first, key, value, 1)
      .view(query.sizes());
}

}  // namespace

at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  constexpr int64_t kEnoughRows = 16;
  auto rows = x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)});
  const int64_t count = rows.size(0);
  if (count < kEnoughRows) rows = at::constant_pad_nd(rows, {0, 0, 0, kEnoughRows - count});
  auto y = at::linear(rows, weight, bias).narrow(0, 0, count);
  return y.view({x.size(0), x.size(2), x.size(3), weight.size(0)}).permute({0, 3, 1, 2});
}

Pointwise::Pointwise(Parameters& p, const std::string& name, int64_t in, int64_t out)
    : conv(p, name, in, out, 1) {}

at::Tensor Pointwise::operator()(const at::Tensor& x) const {
  return pointwise(x, conv.weight.view({conv.weight.size(0), conv.weight.size(1)}), conv.bias);
}

Norm::Norm(Parameters& p, const std::string& name, int64_t channels, int64_t groups) {
  if (groups > 0) norm.emplace(p, name, channels, groups);
}

at::Tensor Norm::operator()(const at::Tensor& x) const { return apply(x, false); }

at::Tensor Norm::activated(const at::Tensor& x) const { return apply(x, true); }

at::Tensor Norm::apply(const at::Tensor& x, bool activated) const {
  if (norm && x.is_cpu() && !at::GradMode::is_enabled()) {
    return group_norm_map(x.contiguous(at::MemoryFormat::ChannelsLast), norm->weight, norm->bias,
                          {norm->groups, kGroupNormEpsilon, activated});
  }
  const at::Tensor y = norm ? (*norm)(x) : x;
  return activated ? at::silu(y) : y;
}

ResidualBlock::ResidualBlock(Parameters& p, const std::string& name, int64_t in, int64_t out,
                             int64_t groups)
    : norm1(p, name + ".norm1", in, groups),
      norm2(p, name + ".norm2", out, groups),
      conv1(p, name + ".conv1", in, out, 3),
      conv2(p, name + ".conv2", out, out, 3) {
  if (in != out) shortcut.emplace(p, name + ".nin_shortcut", in, out);
}

at::Tensor ResidualBlock::operator()(const at::Tensor& x) const {
  auto y = conv1(norm1.activated(x));
  y = conv2(norm2.activated(y));
  return y + (shortcut ? (*shortcut)(x) : x);
}

AttentionBlock::AttentionBlock(Parameters& p, const std::string& name, int64_t channels,
                               int64_t groups)
    : norm(p, name + ".norm", channels, groups),
      q(p, name + ".q", channels, channels),
      k(p, name + ".k", channels, channels),
      v(p, name + ".v", channels, channels),
      proj_out(p, name + ".proj_out", channels, channels) {}

at::Tensor AttentionBlock::operator()(const at::Tensor& x) const {
  auto y = norm(x);
  auto seen = attend(positions(q(y)), positions(k(y)), positions(v(y)));
  seen = seen.view({x.size(0), x.size(2), x.size(3), x.size(1)}).permute({0, 3, 1, 2});
  return x + proj_out(seen);
}

Middle::Middle(Parameters& p, const std::string& name, int64_t channels, int64_t groups,
               int64_t blocks, bool attention) {
  if (blocks > 0) block_1.emplace(p, name + ".block_1", channels, channels, groups);
  if (attention) attn_1.emplace(p, name + ".attn_1", channels, groups);
  if (blocks > 1) block_2.emplace(p, name + ".block_2", channels, channels, groups);
}

at::Tensor Middle::operator()(at::Tensor x) const {
  if (block_1) x = (*block_1)(x);
  if (attn_1) x = (*attn_1)(x);
  if (block_2) x = (*block_2)(x);
  return x;
}

}  // namespace vq
