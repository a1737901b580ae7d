#include "lib/runtime/product.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>
#include <vector>

#include "lib/runtime/int8.h"
#include "lib/runtime/round_bf16.h"

namespace vq {
namespace {

// LibTorch's own way to oneDNN's prepared weights. They have no C++ name; a build of it may come
// without them.
using Pack = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using Run = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                       std::string_view, c10::List<std::optional<at::Scalar>>,
                       std::optional<std::string_view>);

template <class Signature>
std::optional<c10::TypedOperatorHandle<Signature>> find(const char* name) {
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!found) return std::nullopt;
  return found->typed<Signature>();
}

const auto& pack_operator() {
  static const auto found = find<Pack>("mkldnn::_reorder_linear_weight");
  return found;
}

const auto& run_operator() {
  static const auto found = find<Run>("mkldnn::_linear_pointwise");
  return found;
}

at::Tensor run(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
               const char* activation) {
  return run_operator()->call(x, weight, bias, activation, c10::List<std::optional<at::Scalar>>(),
                              std::nullopt);
}

// The library makes a program of its own, of half a megabyte, for every number of rows, and keeps a
// thousand of them; the rows that change are as many as chance has it. (And it computes a single
// row in another way, which rounds differently.)
int64_t padded_rows(int64_t rows) {
  const int64_t step = rows <= 128 ? 16 : rows <= 1024 ? 64 : 256;
  return (rows + step - 1) / step * step;
}

at::Tensor padded(const at::Tensor& rows) {
  const int64_t count = rows.size(0), all = padded_rows(count);
  if (all == count) return rows;
  at::Tensor more = at::empty({all, rows.size(1)}, rows.options());
  more.narrow(0, 0, count).copy_(rows);
  more.narrow(0, count, all - count).zero_();
  return more;
}

at::Tensor times(const at::Tensor& t, double factor) { return factor == 1 ? t : t * factor; }

// weight * factor in bf16, in `room` where there is one.
at::Tensor rounded(const at::Tensor& weight, double factor, Product::Room* room) {
  if (room == nullptr) return times(weight, factor).to(at::kBFloat16);
  if (!room->defined() || room->numel() < weight.numel())
    *room = at::empty({weight.numel()}, weight.options().dtype(at::kBFloat16));
  at::Tensor in_room = room->narrow(0, 0, weight.numel()).view(weight.sizes());
  round_bf16(weight, factor, in_room);
  return in_room;
}

}  // namespace

Product::Product(const Linear& layer, int64_t rows, Precision precision, double weight_factor,
                 double bias_factor, Room* room) {
  const bool packs = layer.weight.is_cpu() && pack_operator() && run_operator();
  // What is neither rounded further nor laid out anew stays where it is.
  weight_ =
      rounded(layer.weight, weight_factor, packs || precision == Precision::int8 ? room : nullptr);
  bias_ = times(layer.bias, bias_factor);
  if (precision == Precision::int8) {
    const RoundedRows rounded = round_rows(weight_);
    weight_ = rounded.values, scale_ = rounded.scale, bias_ = bias_.contiguous();
    return;
  }
  bias_ = bias_.to(at::kBFloat16);
  packed_ = packs;
  if (packed_) weight_ = pack_operator()->call(weight_, c10::SymInt(rows));
}

at::Tensor Product::of_rows(const at::Tensor& rows, bool swish) const {
  if (scale_.defined()) return product_of_rounded(rows, {weight_, scale_}, bias_, swish);
  if (packed_) return run(rows, weight_, bias_, swish ? "swish" : "none");
  const at::Tensor y = at::linear(rows, weight_, bias_);
  return swish ? at::silu(y) : y;
}

at::Tensor Product::compute(const at::Tensor& x, bool swish) const {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = bias_.size(0);
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  return of_rows(padded(rows), swish).narrow(0, 0, rows.size(0)).view(shape);
}

}  // namespace vq
