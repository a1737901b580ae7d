// A reference fixture: a tiny pipeline as Hugging Face diffusers saves it, and what diffusers
// computed with it.
//
//   FOLDER/pipeline/      the saved pipeline; its configs hold every size
//   FOLDER/refs.json      what each reference is: cases (one step each), runs (all steps), the
//   noise FOLDER/refs.safetensors
//
// The reference lays tensors out as (B, classes, L) and counts times from zero: its t is our t + 1,
// so its step t goes from our time t + 1 to our time t. Here rows are (B L, classes) as everywhere
// in lib/.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors.h"
#include "lib/diffusion/schedule.h"

namespace vq::parity {

struct Fixture {
  explicit Fixture(const std::string& folder);

  std::string folder;
  Json refs, scheduler;
  SafetensorsFile file;
  int64_t codes, length;  // K, L
  Schedule schedule;      // "linear" where the scheduler's four ends are the released ones

  bool has(const std::string& name) const { return file.contains(name); }
  at::Tensor tensor(const std::string& name) const;
  // (B, classes, L) -> (B L, classes)
  at::Tensor rows(const std::string& name) const;
};

// One case of refs.json: one step for B grids, with every stage that the fixture holds.
struct Case {
  Case(const Fixture& fixture, std::string name, const Json& what);

  std::string name;
  int time;                     // the reference's t
  double guidance, truncation;  // W and top_p
  uint64_t noise_seed;
  double margin;                  // smallest lead of a drawn class over the next one
  at::Tensor x_t;                 // (B L)
  at::Tensor log_null, log_cond;  // (B L, K); log_null is undefined without guidance
  // The names of the later stages, which not every case has.
  std::string guided, truncated, posterior, sample;

  Transition transition(const Fixture& fixture) const {
    return fixture.schedule.between(time, time + 1);
  }
  // Our log p(x_0) after guidance, and our p(x_0) after truncation as well, in a float type.
  at::Tensor our_guided(at::ScalarType type) const;
  at::Tensor our_truncated(at::ScalarType type) const;
};

std::vector<Case> cases(const Fixture& fixture);

// One run of refs.json: all its steps, as the grid after each.
struct WholeRun {
  WholeRun(const Fixture& fixture, std::string name, const Json& what);

  std::string name;
  std::vector<std::string> prompts;
  int steps;  // the reference's t = steps - 1 .. 0
  double guidance, truncation;
  uint64_t noise_seed;
  double margin;
  at::Tensor samples;  // (steps, B, L) after each step

  int64_t grids() const { return samples.size(1); }
  at::Tensor before(int step, int64_t mask) const;  // (B, L)
};

std::vector<WholeRun> runs(const Fixture& fixture);

// At t = 0 the reference draws from log p(x_0) itself: noise for K classes, not K + 1.
int64_t noise_classes(const Fixture& fixture, int time);

// The reference's noise, for tests only: uniforms numbered seed + 1, seed + 2, ... through a run in
// the order of (B, classes, L), single precision, and Gumbel noise made of them. The drawn class is
// the one with the largest log-probability plus noise.
class Noise {
 public:
  explicit Noise(uint64_t seed) : counter_(seed) {}
  std::vector<float> uniforms(int64_t n);
  at::Tensor gumbel(int64_t grids, int64_t classes, int64_t length);  // (B L, classes)

 private:
  uint64_t counter_;
};

// (B L) classes drawn, and the smallest lead of a drawn class over the next one.
struct Draw {
  at::Tensor tokens;
  double margin;
};
Draw draw(const at::Tensor& log_p, const at::Tensor& noise);

// Rows normalised: the reference leaves what it truncated unnormalised.
at::Tensor normalised(const at::Tensor& log_p);
double largest(const at::Tensor& difference);  // of |difference|
// Printed with VQ_VERBOSE set: what the tolerances are held against.
void measured(const std::string& what, double value);

// The folders to compare with: VQ_FIXTURES (default: ../shared/fixtures beside the repository) if
// it is a fixture, else all fixtures in it; itself again if there is none, which skips the tests.
std::vector<std::string> fixture_folders();

class Parity : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
};

}  // namespace vq::parity
