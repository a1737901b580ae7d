// The forward process as dense matrices, multiplied out: what every closed form is held against.
//
// Matrix m[to][from] over K + 1 states, the last one [mask], as Eq. 2 prints it.
#pragma once

#include <cstddef>
#include <vector>

#include "lib/diffusion/schedule.h"

namespace vq::testing {

using Matrix = std::vector<std::vector<double>>;

inline Matrix identity_matrix(int k) {
  Matrix m(k + 1, std::vector<double>(k + 1, 0));
  for (int i = 0; i <= k; ++i) m[i][i] = 1;
  return m;
}

inline Matrix step_matrix(double alpha, double beta, double gamma, int k) {
  Matrix m(k + 1, std::vector<double>(k + 1, 0));
  for (int from = 0; from < k; ++from) {
    for (int to = 0; to < k; ++to) m[to][from] = beta + (to == from ? alpha : 0);
    m[k][from] = gamma;
  }
  m[k][k] = 1;
  return m;
}

inline Matrix product(const Matrix& a, const Matrix& b) {
  const size_t n = a.size();
  Matrix m(n, std::vector<double>(n, 0));
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      for (size_t l = 0; l < n; ++l) m[i][j] += a[i][l] * b[l][j];
    }
  }
  return m;
}

// s -> t as the product of the single steps, whose alpha, beta, gamma come from quotients of the
// cumulated values at neighbouring times.
inline Matrix steps_between(const Schedule& schedule, int s, int t) {
  const int k = schedule.codebook_size();
  Matrix m = identity_matrix(k);
  for (int i = s + 1; i <= t; ++i) {
    const double alpha = schedule.alpha_bar(i) / schedule.alpha_bar(i - 1);
    const double gamma = 1 - (1 - schedule.gamma_bar(i)) / (1 - schedule.gamma_bar(i - 1));
    m = product(step_matrix(alpha, (1 - alpha - gamma) / k, gamma, k), m);
  }
  return m;
}

// q(x_s | x_t, x_0) by Bayes' rule over the matrices (Eq. 3): one number for each x_s.
inline std::vector<double> bayes_posterior(const Schedule& schedule, int s, int t, int x_t,
                                           int x_0) {
  const Matrix to_s = steps_between(schedule, 0, s), s_to_t = steps_between(schedule, s, t);
  std::vector<double> q;
  double sum = 0;
  for (size_t j = 0; j < to_s.size(); ++j) sum += q.emplace_back(s_to_t[x_t][j] * to_s[j][x_0]);
  for (double& value : q) value /= sum;
  return q;
}

// The mixture of Eq. 5 over a guess of x_0.
inline std::vector<double> bayes_mixture(const Schedule& schedule, int s, int t, int x_t,
                                         const std::vector<double>& guess) {
  std::vector<double> q(guess.size() + 1, 0);
  for (size_t x_0 = 0; x_0 < guess.size(); ++x_0) {
    const auto one = bayes_posterior(schedule, s, t, x_t, static_cast<int>(x_0));
    for (size_t j = 0; j < q.size(); ++j) q[j] += guess[x_0] * one[j];
  }
  return q;
}

// Chi-square statistic of counts against expected shares; cells expected below 5 are pooled.
struct ChiSquare {
  double statistic = 0;
  int degrees = -1;
  // Below the 99.99 % point of the distribution (Wilson-Hilferty).
  bool plausible() const {
    if (degrees < 1) return true;
    const double n = degrees, z = 3.72;
    const double a = 2.0 / (9 * n), b = 1 - a + z * __builtin_sqrt(a);
    return statistic < n * b * b * b;
  }
};

inline ChiSquare chi_square(const std::vector<double>& counts, const std::vector<double>& shares) {
  double total = 0, pooled_count = 0, pooled_share = 0;
  for (const double c : counts) total += c;
  ChiSquare result;
  const auto add = [&](double count, double share) {
    const double expected = share * total;
    result.statistic += (count - expected) * (count - expected) / expected;
    ++result.degrees;
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    if (shares[i] * total < 5) {
      pooled_count += counts[i], pooled_share += shares[i];
    } else {
      add(counts[i], shares[i]);
    }
  }
  if (pooled_share * total >= 1) add(pooled_count, pooled_share);
  return result;
}

}  // namespace vq::testing
