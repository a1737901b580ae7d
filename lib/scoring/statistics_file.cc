#include "lib/scoring/statistics_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>

#include "formats/error.h"
#include "formats/json.h"

namespace vq {
namespace {

constexpr int64_t kMaxWidth = 16384;
constexpr int64_t kMaxSample = int64_t{1} << 20;

std::span<const uint8_t> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const uint8_t*>(tensor.data_ptr()), tensor.nbytes()};
}

at::Tensor matrix(const NpzFile& file, const std::string& name, at::ScalarType type) {
  const NpyArray& array = file.array(name);
  const std::vector<double> numbers = file.numbers(name, kMaxWidth * kMaxWidth);
  return at::tensor(numbers, at::kDouble).to(type).view(array.shape);
}

void check_shapes(const NpzFile& file) {
  const NpyArray& mu = file.array("mu");
  const NpyArray& sigma = file.array("sigma");
  const int64_t width = mu.count();
  if (mu.shape.size() != 1 || sigma.shape != std::vector<int64_t>{width, width} || width < 1 ||
      width > kMaxWidth) {
    throw Error(file.path(), "mu and sigma do not fit each other");
  }
  if (!file.contains("features")) return;
  const std::vector<int64_t> shape = file.array("features").shape;
  if (shape.size() != 2 || shape[1] != width || shape[0] > kMaxSample) {
    throw Error(file.path(), "the features do not fit mu");
  }
}

std::string word(const Json& json, const char* member) {
  const auto found = json.find(member);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

bool holds_statistics(const NpzFile& file) { return file.contains("mu") && file.contains("sigma"); }

SavedStatistics read_statistics(const NpzFile& file) {
  check_shapes(file);
  SavedStatistics saved;
  FeatureStatistics& s = saved.statistics;
  s.mean = matrix(file, "mu", at::kDouble);
  s.covariance = matrix(file, "sigma", at::kDouble);
  s.sample = file.contains("features") ? matrix(file, "features", at::kFloat)
                                       : at::empty({0, s.mean.size(0)}, at::kFloat);
  if (!at::isfinite(s.mean).all().item<bool>() || !at::isfinite(s.covariance).all().item<bool>()) {
    throw Error(file.path(), "holds numbers that are not finite");
  }
  if (file.contains("count")) {
    const std::vector<double> count = file.numbers("count", 1);
    if (count.size() == 1 && count[0] >= 0) s.count = static_cast<int64_t>(count[0]);
  }
  if (file.contains("vq")) {
    const Json about = parse_json(file.text("vq"), file.path() + ": vq");
    saved.network = word(about, "network");
    saved.network_id = word(about, "network_id");
    saved.preprocessing = word(about, "preprocessing");
    saved.reference_id = word(about, "reference_id");
  }
  if (saved.reference_id.empty()) {
    saved.reference_id =
        sha256(as_bytes(sha256(bytes_of(s.mean)) + " " + sha256(bytes_of(s.covariance))));
  }
  return saved;
}

void write_statistics(Output output, const SavedStatistics& saved) {
  const FeatureStatistics& s = saved.statistics;
  const at::Tensor mean = s.mean.contiguous(), covariance = s.covariance.contiguous();
  const at::Tensor sample = s.sample.contiguous();
  const int64_t width = mean.size(0);
  const std::string about = dump_json(Json{{"network", saved.network},
                                           {"network_id", saved.network_id},
                                           {"preprocessing", saved.preprocessing},
                                           {"reference_id", saved.reference_id}});
  const std::span<const uint8_t> count(reinterpret_cast<const uint8_t*>(&s.count), 8);
  write_npz(std::move(output),
            {{"mu", DType::f64, {width}, bytes_of(mean)},
             {"sigma", DType::f64, {width, width}, bytes_of(covariance)},
             {"count", DType::i64, {}, count},
             {"features", DType::f32, {sample.size(0), width}, bytes_of(sample)},
             {"vq", DType::u8, {static_cast<int64_t>(about.size())}, as_bytes(about)}});
}

}  // namespace vq
