// CLIP's two towers from the files that people have them in, and what they say of pictures and
// captions.
//
//   OpenAI's ViT-B-32.pt            TorchScript, names such as visual.conv1.weight
//   Hugging Face's model.safetensors or pytorch_model.bin, names such as vision_model.embeddings...
//
// Sizes are read off the tensors; heads are 64 wide, as in all of CLIP's vision transformers. The
// tokenizer's merges are in no such file and are given apart (clip_tokenizer.h). None of these
// files is part of this toolkit.
//
// Law: both layouts of the same numbers give the same vectors and identity.   (clip_file_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "lib/condition/clip_text.h"
#include "lib/condition/clip_tokenizer.h"
#include "lib/scoring/clip_image.h"
#include "lib/weights/parameters.h"

namespace vq {

class Clip {
 public:
  // `merges` is a file or folder as ClipTokenizer::open takes it. Throws vq::Error: tensors missing
  // or of shapes that do not fit, a vocabulary of another size.
  Clip(const std::string& path, const std::string& merges, at::Device device);

  int64_t size() const { return image_.size(); }
  const std::string& identity() const { return identity_; }
  at::Tensor image_vectors(const at::Tensor& inputs) const { return image_(inputs); }
  // (B, E), each of length one; captions longer than the tower hears are cut.
  at::Tensor text_vectors(const std::vector<std::string>& captions) const;

 private:
  ClipImage image_;
  Parameters parameters_;
  ClipText text_;
  at::Tensor text_projection_;  // (W, E)
  ClipTokenizer tokenizer_;
  int64_t length_ = 77;
  std::string identity_;
};

}  // namespace vq
