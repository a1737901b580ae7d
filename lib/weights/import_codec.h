// Codecs of taming-transformers' family in other people's checkpoints -> our codec files.
//
// All sizes are read off the tensors; what the tensors do not say (groups of the norms, 32; the
// size of the pictures it was trained on, 256) comes from the options. The quantisers:
//
//   quantize.embedding.weight       the nearest code (VQGAN)
//   quantize.embedding              the same, codes moved by averages (PatchVQGAN); the averages
//   are
//                                   left
//   quantize.proj, quantize.embed   the code with the largest score (Gumbel)
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lib/codec/config.h"
#include "lib/weights/import.h"

namespace vq {

// Name inside a taming file ("encoder.conv_in.weight") -> name in the pool.
using CodecNames = std::function<std::string(const std::string&)>;

// How the codec of this file is named, when the file is a codec's.
std::optional<CodecNames> find_taming_codec(const SourcePool& pool);

// A codec's file as a source of its own, which loss networks and the like are left of.
void plan_taming_codec(Import& import, const CodecNames& names, const ImportOptions& options);

// The codec inside a pool. `tokens` is how many the model has that listens to it, 0 when there is
// none: fewer than codes need options.code_subset.
PlannedFile taming_codec(Import& import, SourcePool& pool, const CodecNames& names,
                         const ImportOptions& options, int64_t tokens);

// Adds the tensors of a codec with this configuration, named by `theirs`, and its table of tokens
// if it has one.
void plan_codec(PlannedFile& file, const CodecConfig& config, const TheirNames& theirs,
                SourcePool& pool, const std::vector<int64_t>& token_of_code = {});

// sha256 of what the planned codec's tokens stand for (codec/codebook.h).
std::string planned_codec_identity(const PlannedFile& codec);

}  // namespace vq
