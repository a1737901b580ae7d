// A codec: pictures <-> grids of tokens.
//
//   images   (B, 3, H, W)   float in [-1, 1]; H and W multiples of f
//   tokens   (B, L)         int64, 0..K-1, row by row; L = (H/f) * (W/f)
//
// Laws: a picture's tokens do not depend on the batch (CPU, fp32); loading uses every tensor of the
// file or names those it did not. (codec_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "lib/codec/config.h"
#include "lib/codec/decoder.h"
#include "lib/codec/encoder.h"
#include "lib/codec/linear_path.h"
#include "lib/runtime/device.h"
#include "lib/weights/model_file.h"
#include "lib/weights/parameters.h"

namespace vq {

// Names of the quantiser's tensors.
inline constexpr const char* kCodebookName = "quantize.embedding";
inline constexpr const char* kScoresName = "quantize.proj";
inline constexpr const char* kTokenOfCodeName = "quantize.token";

// The tensors and the two halves; what is trained and what is run.
struct CodecNetwork {
  CodecNetwork(const CodecConfig& config, uint64_t seed, Fill fill = Fill::initial);
  CodecNetwork(const CodecNetwork&) = delete;  // layers share their tensors with `parameters`
  CodecNetwork& operator=(const CodecNetwork&) = delete;

  // Finds the linear paths, where there are any, and lets the convolutions add nothing to them at
  // first.
  void start_linear(const at::Tensor& images);

  at::Tensor latent(const at::Tensor& images) const;    // -> (B, D, h, w), before quantisation
  at::Tensor picture(const at::Tensor& vectors) const;  // (B, D, h, w) -> (B, 3, H, W), not clamped

  CodecConfig config;
  Parameters parameters;
  Encoder encoder;
  Pointwise quant_conv;
  Decoder decoder;
  Pointwise post_quant_conv;
  std::optional<LinearPath> linear;
  at::Tensor codes;  // (codebook_rows, D), the buffer "quantize.embedding"
  // Of codecs that choose by scores: (codebook_rows, latent width, 1, 1).
  std::optional<Pointwise> scores;
  // Of codecs that use a part of their codebook: (codebook_rows) int64, the token of each code. A
  // token stands for the first code that becomes it.
  at::Tensor token_of_code;
};

// What each token stands for: (K, D), rows of the codebook. `token_of_code` (codebook_rows) is not
// defined where every code is a token; throws vq::Error at `where` when it leaves a token without a
// code.
at::Tensor token_vectors(const at::Tensor& codes, const at::Tensor& token_of_code, int64_t tokens,
                         const std::string& where);

// (B, D, h, w) <-> (B*h*w, D)
at::Tensor cells_to_rows(const at::Tensor& z);
at::Tensor rows_to_cells(const at::Tensor& rows, int64_t batch, int64_t height, int64_t width);

// What a codec is loaded for. The other half works, but its weights stay in the file, as they lie
// there, until they are used, and are laid out anew each time they are.
enum class CodecUse { both, encode, decode };

class Codec {
 public:
  // In bf16 the weights of what it is loaded for are rounded here, once, and both halves compute in
  // it: the bits that an AutocastScope around one in fp32 gives, which rounds them for every batch.
  // Codes are compared in fp32. (codec_test.cc)
  static Codec load(const std::string& path, CodecUse use = CodecUse::both,
                    Precision precision = Precision::fp32);
  // Takes over a network, as it is, for running.
  explicit Codec(std::unique_ptr<CodecNetwork> network, const std::string& where = "",
                 CodecUse use = CodecUse::both, Precision precision = Precision::fp32);

  void to(at::Device device);
  at::Device device() const { return device_; }

  at::Tensor encode(const at::Tensor& images) const;
  // (B*L, codebook_rows): the log-probability of each code, row by row. Only of codecs that choose
  // by scores; others throw vq::Error.
  at::Tensor log_scores(const at::Tensor& images) const;
  // As encode(), but each code is drawn by its score, as the released Gumbel codecs do: uniforms
  // (B, L) double, one a cell.
  at::Tensor encode_drawn(const at::Tensor& images, const at::Tensor& uniforms) const;
  bool draws_codes() const { return network_->scores.has_value(); }
  // Clamped to [-1, 1]; a token outside 0..K-1 is an error. Within an AutocastScope convolutions
  // run in its precision.
  at::Tensor decode(const at::Tensor& tokens, int64_t height, int64_t width) const;
  // (B, C, h, w): the encoder's last hidden layer, for measuring.
  at::Tensor features(const at::Tensor& images) const;

  const CodecConfig& config() const { return network_->config; }
  const std::string& identity() const { return identity_; }  // sha256 of what the tokens stand for
  const CodecNetwork& network() const { return *network_; }
  // How many pictures of this size are computed at once, whatever the batch: on a CPU as many as
  // keep the largest map within 2^23 numbers, for larger ones take memory and are no faster.
  int64_t pictures_at_once(int64_t height, int64_t width) const;
  // Grid of a picture of this size; throws vq::Error when it does not divide.
  int64_t grid_side(int64_t pixels) const;

 private:
  using Run = std::function<at::Tensor(const at::Tensor& some)>;
  // run(maps) of so many at a time, in the codec's precision.
  at::Tensor in_parts(const at::Tensor& maps, int64_t at_once, const Run& run) const;
  // The network's functions, so many pictures at once.
  at::Tensor latent(const at::Tensor& images) const;
  at::Tensor picture(const at::Tensor& vectors) const;
  // The identity where the whole codebook is used.
  at::Tensor tokens_of_codes(const at::Tensor& codes) const;

  std::unique_ptr<CodecNetwork> network_;
  at::Tensor vectors_;  // (K, D)
  std::string identity_;
  Precision precision_;
  at::Device device_ = at::kCPU;
};

// The network's tensors with only these codes, in this order (codes_by_use), and its configuration
// made to fit.
struct PrunedCodec {
  CodecConfig config;
  std::vector<NamedTensor> tensors;
};
PrunedCodec keep_codes(const CodecNetwork& network, const at::Tensor& kept);

}  // namespace vq
