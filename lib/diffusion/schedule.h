// How fast tokens turn into [mask] or into other tokens: alpha, beta, gamma of each step, and
// cumulated.
//
// The forward process (paper Eq. 1-4) keeps a token with probability alpha + beta, replaces it by
// any given other one with beta, and masks it with gamma; [mask] stays [mask]. From time s to a
// later time t the same form holds:
//
//   alpha_{t|s} = alpha_bar_t / alpha_bar_s
//   gamma_{t|s} = 1 - (1 - gamma_bar_t) / (1 - gamma_bar_s)
//   beta_{t|s}  = (1 - alpha_{t|s} - gamma_{t|s}) / K
//
// (Eq. 4 prints K + 1 under beta_bar; rows of the matrix sum to one only with K: schedule_test.cc.)
// Times run from 0 (data) to T (all but certainly [mask]); real times between the trained steps
// interpolate alpha_bar and gamma_bar linearly, so that sampling may take fewer or more steps than
// training.
#pragma once

#include <string>
#include <vector>

namespace vq {

// What happens between two times s < t, together with the cumulated values at both.
struct Transition {
  double alpha, beta, gamma;                    // s -> t
  double alpha_bar_s, beta_bar_s, gamma_bar_s;  // 0 -> s
  double alpha_bar_t, beta_bar_t, gamma_bar_t;  // 0 -> t
};

// How far apart the times of a sampling run lie, t_i of n steps:
//   even    T (1 - i / n)
//   cosine  T cos(pi/2 i/n): short steps first, when least is known, and long ones later; with a
//           linear gamma_bar the share of [mask] then falls as MaskGIT's does (Chang et al. 2022)
enum class Spacing { even, cosine };

class Schedule {
 public:
  // Names:
  //   linear   the released models': alpha_bar 0.99999 -> 0.000009, gamma_bar 0.000009 -> 0.99999
  //   over t = 1..T;
  //            only 1e-6 of the mass is ever replaced, so it is absorbing for every purpose but
  //            exactness
  //   replace  gamma_bar to 0.9 and K beta_bar to 0.1, linear: a real chance of wrong tokens
  //   cosine   gamma_bar_t = sin(pi/2 t/T): MaskGIT's cosine in the order of noising; absorbing
  //   arccos   gamma_bar_t = 2/pi arccos(1 - t/T); absorbing
  // Throws vq::Error (usage) for other names, T < 1 or K < 1.
  static Schedule make(const std::string& name, int timesteps, int codebook_size);
  static const std::vector<std::string>& names();

  // alpha_bar and gamma_bar at t = 1..T, as read from a checkpoint.
  Schedule(std::string name, std::vector<double> alpha_bar, std::vector<double> gamma_bar,
           int codebook_size);

  const std::string& name() const { return name_; }
  int timesteps() const { return static_cast<int>(alpha_bar_.size()) - 1; }  // T
  int codebook_size() const { return codebook_size_; }                       // K

  double alpha_bar(double t) const;  // 0 <= t <= T
  double gamma_bar(double t) const;
  double beta_bar(double t) const { return (1 - alpha_bar(t) - gamma_bar(t)) / codebook_size_; }
  Transition between(double s, double t) const;  // 0 <= s < t <= T

  // The slope of gamma_bar on its straight piece (n - 1, n] that holds t, 0 < t <= T.
  double mask_rate(double t) const;
  // The process that masks as fast and replaces nothing: alpha_bar becomes 1 - gamma_bar.
  Schedule without_replacement() const;

  // The row of the network's timestep table for time t: the nearest of 1..T, minus one.
  int table_row(double t) const;
  // The smallest time whose gamma_bar is nearest to a share of masks (paper section 3.2: argmin
  // over t).
  int time_of_mask_share(double share) const;

  // Times T = t_0 > t_1 > ... > t_n = 0 of a sampling run with n steps.
  std::vector<double> sampling_times(int steps, Spacing spacing = Spacing::even) const;

 private:
  std::string name_;
  std::vector<double> alpha_bar_, gamma_bar_;  // index t = 0..T
  int codebook_size_;
};

}  // namespace vq
