// How sure a classifier is of each picture, and how many classes it sees in all: the inception
// score (Salimans et al. 2016).
//
//   logits   (B, classes)
//   value    mean over splits of exp(mean over the split of KL(p(y|x) || mean p(y)))
//
// Picture i belongs to split i modulo their number, so sets in the order of their classes are split
// evenly, and memory does not depend on the number of pictures. The deviation over splits is what
// papers print; the standard error is that of the mean of the splits. The value grows with the
// number of pictures in a split.
//
// Laws: all alike gives 1; c classes that are told surely and come equally often give c.
//                                                   (inception_score_test.cc, tests/parity)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace vq {

class InceptionScore {
 public:
  explicit InceptionScore(int64_t splits = 10) : parts_(static_cast<size_t>(splits)) {}

  void add(const at::Tensor& logits);
  int64_t count() const { return count_; }
  int64_t splits() const { return static_cast<int64_t>(parts_.size()); }

  struct Result {
    double value = 0, error = 0, deviation = 0;
  };
  // Throws vq::Error for fewer pictures than splits.
  Result finish() const;

 private:
  struct Part {
    int64_t count = 0;
    double negative_entropy = 0;  // sum over pictures of sum p log p
    at::Tensor sum;               // of p, (classes) double
  };
  std::vector<Part> parts_;
  int64_t count_ = 0;
};

}  // namespace vq
