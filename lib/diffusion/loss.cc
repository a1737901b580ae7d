#include "lib/diffusion/loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

// x log y with 0 log 0 = 0
double times_log(double x, double y) { return x > 0 ? x * std::log(y) : 0; }

// Numbers of the schedule, one for each of N positions, by the position's row of the batch.
class PerPosition {
 public:
  PerPosition(const Schedule& schedule, const std::vector<int>& times, const at::Tensor& batch_row,
              const at::TensorOptions& options)
      : batch_row_(batch_row), options_(options) {
    // The first step has a formula of its own; what is computed for it here is not used.
    for (const int t : times) {
      const int later = std::max(t, std::min(2, schedule.timesteps()));
      transitions_.push_back(schedule.between(later - 1, later));
    }
  }

  template <class Function>  // double of(const Transition&)
  at::Tensor operator()(const Function& of) const {
    std::vector<double> values;
    for (const Transition& q : transitions_) values.push_back(of(q));
    const at::Tensor rows = at::tensor(values, at::kDouble).to(options_);
    return rows.index_select(0, batch_row_);
  }

 private:
  std::vector<Transition> transitions_;
  at::Tensor batch_row_;
  at::TensorOptions options_;
};

// KL for N masked positions. The true posterior is constant, c B_s / C_t, but for x_0, which has
// A_s more; the chance to stay masked is the same on both sides.
at::Tensor masked_terms(const PerPosition& each, const at::Tensor& log_x0, const at::Tensor& x_0) {
  const double k = static_cast<double>(log_x0.size(-1));
  const at::Tensor log_a = each([](const Transition& q) { return std::log(q.alpha_bar_s); });
  const at::Tensor log_b =
      each([](const Transition& q) { return std::log(std::max(q.beta_bar_s, 1e-300)); });
  const at::Tensor constant = each([k](const Transition& q) {
    const double right = q.alpha_bar_s + q.beta_bar_s;
    return times_log(right, right) + (k - 1) * times_log(q.beta_bar_s, q.beta_bar_s);
  });
  const auto log_mix = [&](const at::Tensor& log_p) {
    return at::logaddexp(log_p + log_a.unsqueeze(1), log_b.unsqueeze(1));
  };
  const at::Tensor mix = log_mix(log_x0);
  const at::Tensor at_right = mix.gather(1, x_0.unsqueeze(1)).squeeze(1);
  const at::Tensor a = each([](const Transition& q) { return q.alpha_bar_s; });
  const at::Tensor b = each([](const Transition& q) { return q.beta_bar_s; });
  const at::Tensor scale = each([](const Transition& q) { return q.gamma / q.gamma_bar_t; });
  return scale * (constant - a * at_right - b * mix.sum(1));
}

// The true posterior of a position that holds token i, and how its terms weigh in the KL. Both
// posteriors share the factor (a [i = j] + b), so the logarithm compares (A_s [j = x_0] + B_s) / D
// with A_s w_j + B_s W, here both times B_t, which keeps them near one. D is A_t + B_t when x_0 =
// i, else B_t.
struct TokenWeights {
  double base, more_here, more_right;  // of log(model_j): every j; x_t besides; x_0 besides
  double constant;                     // the part without the network

  TokenWeights(const Transition& q, bool same, double k) {
    const double a = q.alpha, b = q.beta, as = q.alpha_bar_s, bs = q.beta_bar_s, bt = q.beta_bar_t;
    const double d = same ? q.alpha_bar_t + bt : bt;
    const double at_right = (as + bs) / d * bt, elsewhere = bs / d * bt;
    base = b * bs / d;
    if (same) {
      more_here = (a + b) * (as + bs) / d - base;
      more_right = 0;
      constant = times_log(base + more_here, at_right) + (k - 1) * times_log(base, elsewhere);
    } else {
      more_here = a * bs / d;
      more_right = b * as / d;
      constant = times_log(base + more_here, elsewhere) + times_log(base + more_right, at_right) +
                 (k - 2) * times_log(base, elsewhere);
    }
  }
};

at::Tensor token_terms(const PerPosition& each, const at::Tensor& log_x0, const at::Tensor& x_0,
                       const at::Tensor& x_t) {
  const double k = static_cast<double>(log_x0.size(1));
  const at::Tensor here = x_t.unsqueeze(1), right = x_0.unsqueeze(1);
  const at::Tensor p = log_x0.exp();
  const at::Tensor p_here = p.gather(1, here);
  const auto column = [&](const auto& of) { return each(of).unsqueeze(1); };
  const at::Tensor ratio =
      column([](const Transition& q) { return q.beta_bar_t / (q.alpha_bar_t + q.beta_bar_t); });
  const at::Tensor as = column([](const Transition& q) { return q.alpha_bar_s; });
  const at::Tensor bs = column([](const Transition& q) { return q.beta_bar_s; });
  const at::Tensor w = p.scatter(1, here, p_here * ratio);
  const at::Tensor all = (1 - p_here) + p_here * ratio;
  const at::Tensor log_model = (as * w + bs * all).log();

  const at::Tensor same = x_0.eq(x_t);
  const auto pick = [&](double TokenWeights::*member) {
    const at::Tensor yes =
        each([&](const Transition& q) { return TokenWeights(q, true, k).*member; });
    const at::Tensor no =
        each([&](const Transition& q) { return TokenWeights(q, false, k).*member; });
    return at::where(same, yes, no);
  };
  return pick(&TokenWeights::constant) - pick(&TokenWeights::base) * log_model.sum(1) -
         pick(&TokenWeights::more_here) * log_model.gather(1, here).squeeze(1) -
         pick(&TokenWeights::more_right) * log_model.gather(1, right).squeeze(1);
}

// (B): one number for each row of the batch.
template <class Function>  // double of(size_t row)
at::Tensor of_rows(const at::Tensor& log_x0, const Function& of) {
  std::vector<double> values;
  for (int64_t i = 0; i < log_x0.size(0); ++i) values.push_back(of(static_cast<size_t>(i)));
  return at::tensor(values, at::kDouble).to(log_x0.options().requires_grad(false));
}

// (B, L): -log p(x_0 | x_t)
at::Tensor cross_entropy(const at::Tensor& log_x0, const at::Tensor& x_0) {
  return -log_x0.gather(2, x_0.unsqueeze(2)).squeeze(2);
}

// x0 and accuracy over the positions that are counted, (B, L) bool.
void judge(Loss& loss, const at::Tensor& log_x0, const at::Tensor& x_0, const at::Tensor& counted) {
  const at::NoGradGuard no_grad;
  const at::Tensor count = counted.to(log_x0.scalar_type());
  const at::Tensor terms = cross_entropy(log_x0.detach(), x_0);
  loss.x0 = at::where(counted, terms, at::zeros_like(terms)).sum(1) / count.sum(1);
  const at::Tensor right = log_x0.detach().argmax(2).eq(x_0).to(log_x0.scalar_type());
  loss.accuracy = (right * count).sum() / count.sum();
}

bool replaces(const Schedule& schedule) {
  for (int t = 1; t <= schedule.timesteps(); ++t) {
    if (schedule.between(t - 1, t).beta_bar_t <= 0) return false;
  }
  return true;
}

}  // namespace

at::Tensor bound_terms(const Schedule& schedule, const at::Tensor& log_x0, const at::Tensor& x_0,
                       const at::Tensor& x_t, const std::vector<int>& times) {
  const int64_t rows = x_0.size(0), length = x_0.size(1), k = log_x0.size(2);
  const at::Tensor log_flat = log_x0.flatten(0, 1), right = x_0.flatten(), noisy = x_t.flatten();
  const at::Tensor first_step =
      at::tensor(std::vector<int64_t>(times.begin(), times.end()), at::kLong)
          .eq(1)
          .to(x_t.device())
          .repeat_interleave(length);
  const at::Tensor batch_row = at::arange(rows, x_t.options()).repeat_interleave(length);
  at::Tensor result = at::zeros({rows * length}, log_x0.options());

  const auto fill = [&](const at::Tensor& chosen, const auto& terms) {
    const at::Tensor index = chosen.nonzero().squeeze(1);
    if (index.numel() == 0) return;
    result = result.index_copy(0, index, terms(index));
  };
  const auto at_index = [](const at::Tensor& t, const at::Tensor& index) {
    return t.index_select(0, index);
  };
  const auto each = [&](const at::Tensor& index) {
    return PerPosition(schedule, times, at_index(batch_row, index),
                       log_x0.options().requires_grad(false));
  };
  fill(first_step, [&](const at::Tensor& i) {
    return -at_index(log_flat, i).gather(1, at_index(right, i).unsqueeze(1)).squeeze(1);
  });
  const at::Tensor masked = noisy.eq(k);
  fill(masked.logical_and(first_step.logical_not()), [&](const at::Tensor& i) {
    return masked_terms(each(i), at_index(log_flat, i), at_index(right, i));
  });
  // Where nothing is ever replaced, a token that is there is right: both posteriors keep it, and
  // the term is zero.
  if (replaces(schedule)) {
    fill(masked.logical_or(first_step).logical_not(), [&](const at::Tensor& i) {
      return token_terms(each(i), at_index(log_flat, i), at_index(right, i), at_index(noisy, i));
    });
  }
  return result.view({rows, length});
}

Loss diffusion_loss(const Schedule& schedule, const LossOptions& options, const at::Tensor& log_x0,
                    const at::Tensor& x_0, const at::Tensor& x_t, const std::vector<int>& times,
                    const std::vector<double>& pt) {
  const at::Tensor masked = x_t.eq(log_x0.size(2));
  const at::Tensor weight =
      at::where(masked, options.mask_weight, options.token_weight).to(log_x0.scalar_type());

  // The likelihood of the first step is not weighed (released code).
  const at::Tensor first =
      of_rows(log_x0, [&](size_t i) { return times[i] == 1 ? 1.0 : 0.0; }).unsqueeze(1);
  const at::Tensor terms = bound_terms(schedule, log_x0, x_0, x_t, times);
  const at::Tensor bound = (terms * at::where(first.gt(0), at::ones_like(weight), weight)).sum(1);
  // The released code counts t from zero.
  const double steps = schedule.timesteps();
  const at::Tensor adaptive =
      of_rows(log_x0, [&](size_t i) { return options.adaptive ? 2 - (times[i] - 1) / steps : 1; });
  const at::Tensor auxiliary =
      (cross_entropy(log_x0, x_0) * weight).sum(1) * adaptive * options.auxiliary_weight;

  Loss loss;
  loss.total = ((bound + auxiliary) / of_rows(log_x0, [&](size_t i) { return pt[i]; })).sum() /
               static_cast<double>(x_0.numel());
  loss.bound = terms.detach().sum(1);
  loss.weighed = bound.detach();
  judge(loss, log_x0, x_0, masked.logical_or(masked.any(1, true).logical_not()));
  return loss;
}

Loss masked_loss(const Schedule& schedule, const at::Tensor& log_x0, const at::Tensor& x_0,
                 const at::Tensor& x_t, const std::vector<double>& times,
                 const std::vector<double>& pt) {
  const at::Tensor masked = x_t.eq(log_x0.size(2));
  const at::Tensor terms = cross_entropy(log_x0, x_0);
  const at::Tensor sums = at::where(masked, terms, at::zeros_like(terms)).sum(1);
  const at::Tensor rate = of_rows(log_x0, [&](size_t i) {
    const double share = schedule.gamma_bar(times[i]);
    return share > 0 ? schedule.mask_rate(times[i]) / share : 0;  // 0: then nothing is masked
  });
  const at::Tensor bound = sums * rate;

  Loss loss;
  loss.total = (bound / of_rows(log_x0, [&](size_t i) { return pt[i]; })).sum() /
               static_cast<double>(x_0.numel());
  loss.bound = loss.weighed = bound.detach();
  judge(loss, log_x0, x_0, masked);
  return loss;
}

}  // namespace vq
