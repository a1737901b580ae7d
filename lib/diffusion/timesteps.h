// Which times a training step looks at: drawn by importance, independently, or evenly over a batch.
//
//   uniforms   B numbers in (0, 1), one a record
//   draw       B steps 1..T
//   draw_real  B times t in (0, T]: step n with its probability, then evenly within (n - 1, n],
//              by one inverse of the distribution function
//
// Methods:
//   importance   by how large the step's term has been (constants of the released code):
//                  history_n <- 0.9 history_n + 0.1 mean of the squares seen for n in this batch
//                  p_n proportional to sqrt(history_n + 1e-10) + 1e-4, with p_1 := p_2,
//                once every step was seen more than ten times; until then as uniform
//   uniform      every step alike, each record by itself
//   stratified   every step alike, the batch as one comb (Kingma et al. 2021, "Variational
//                diffusion models", appendix I): record i takes (u + i / B) mod 1, u the first
//                uniform of the batch; the others are not used
//
// Laws: each record by itself is distributed as probability() says; a stratified batch of B = T
// records has every step once, a larger or smaller one has its share of every stretch of steps to
// the nearest whole record.                                                  (timesteps_test.cc)
#pragma once

#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "lib/weights/model_file.h"

namespace vq {

class TimestepSampler {
 public:
  // Throws vq::Error (usage) for other methods.
  TimestepSampler(std::string method, int timesteps);

  std::vector<int> draw(const std::vector<double>& uniforms) const;
  std::vector<double> draw_real(const std::vector<double>& uniforms) const;
  double probability(int step) const;

  // What a batch was like: B steps, the bound's term of each record in nats, and the same as the
  // loss weighs it, which is what the importance goes by.
  void update(const std::vector<int>& steps, const std::vector<double>& bounds,
              const std::vector<double>& weighed);
  void update(const std::vector<int>& steps, const std::vector<double>& bounds) {
    update(steps, bounds, bounds);
  }
  // The bound in nats: the sum over the steps of the mean terms seen lately; not-a-number before
  // every step was seen.
  double expected_bound() const;

  std::vector<NamedTensor> state() const;
  void load_state(const SafetensorsFile& file);

 private:
  struct Place {
    size_t index;  // of the step, from 0
    double share;  // of it that lies before the place, 0 excluded, 1 included
  };
  std::vector<Place> places(const std::vector<double>& uniforms) const;
  void recompute();

  std::string method_;
  std::vector<double> square_, mean_, seen_, p_;  // index n - 1
};

}  // namespace vq
