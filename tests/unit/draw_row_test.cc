#include "lib/runtime/cuda/draw_row.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "lib/diffusion/schedule.h"
#include "lib/runtime/cuda/draw_rules.h"
#include "tests/unit/draw_rows.h"
#include "tests/unit/thread_block.h"

namespace vq {
namespace {

using testing::expect_drawn;
using testing::some_uniforms;

// As draw_kernel goes through the rows.
template <typename Logit, typename Block>
void draw_rows(const Block& block, BlockScratch& scratch, float* row, const RowDrawing& rows,
               int64_t* result) {
  const DrawRules rules = rules_of(rows);
  RowDrawer<Block> drawer(block, scratch, row, rules);
  const auto logits = [&](const at::Tensor& t, int64_t n) {
    return static_cast<const Logit*>(t.const_data_ptr()) + n * rules.tokens;
  };
  for (int64_t n = 0; n < rows.conditioned.size(0); ++n) {
    DrawRow<Logit> from{};
    from.conditioned = logits(rows.conditioned, n);
    from.scale = 1;
    if (rows.null.defined()) {
      from.null = logits(rows.null, n);
      from.scale = static_cast<float>(rows.scale.const_data_ptr<double>()[n]);
    }
    if (rows.posterior) {
      from.here = rows.x_t.const_data_ptr<int64_t>()[n];
      from.first = rows.first.const_data_ptr<double>()[n];
    }
    from.second = rows.second.const_data_ptr<double>()[n];
    drawer.draw(from, result + n);
  }
}

struct Threads {
  int threads, lanes;
};
constexpr Threads kLone = {1, 1};

template <typename Logit>
at::Tensor drawn_as(const RowDrawing& rows, Threads by) {
  const at::Tensor result = at::full({rows.conditioned.size(0)}, -1, at::kLong);
  std::vector<float> row(static_cast<size_t>(rows.conditioned.size(1)));
  BlockScratch scratch;
  auto* const to = result.mutable_data_ptr<int64_t>();
  if (by.threads == 1) {
    draw_rows<Logit>(testing::LoneThread(), scratch, row.data(), rows, to);
  } else {
    testing::run_block(by.threads, by.lanes, [&](const testing::HostBlock& block) {
      draw_rows<Logit>(block, scratch, row.data(), rows, to);
    });
  }
  return result;
}

at::Tensor drawn(const RowDrawing& rows, Threads by = kLone) {
  switch (rows.conditioned.scalar_type()) {
    case at::kHalf:
      return drawn_as<Fp16Bits>(rows, by);
    case at::kBFloat16:
      return drawn_as<Bf16Bits>(rows, by);
    default:
      return drawn_as<float>(rows, by);
  }
}

// N rows over K tokens, some tokens impossible, and two uniforms for each.
RowDrawing some_rows(int64_t n, int64_t k, double steepness) {
  RowDrawing rows;
  rows.conditioned = at::randn({n, k}) * steepness;
  if (k > 4) {
    rows.conditioned.select(1, 1).fill_(-INFINITY);
    rows.conditioned.select(1, k - 1).fill_(-INFINITY);
  }
  const at::Tensor uniforms = some_uniforms(static_cast<uint64_t>(k), n);
  rows.second = uniforms[1].contiguous();
  rows.first = uniforms[0].contiguous();
  return rows;
}

void guide_rows(RowDrawing& rows, const std::vector<double>& scales) {
  const int64_t n = rows.conditioned.size(0);
  rows.null = rows.conditioned + at::randn_like(rows.conditioned);
  if (rows.conditioned.size(1) > 4) rows.null.select(1, 3).fill_(-INFINITY);
  const at::Tensor all = at::tensor(scales, at::kDouble);
  rows.scale = all.repeat({(n + all.numel() - 1) / all.numel()}).slice(0, 0, n).contiguous();
}

struct Rule {
  double temperature = 1, top_p = 1;
  int64_t top_k = 0;
};
const Rule kRules[] = {{},
                       {.temperature = 0.5},
                       {.temperature = 1.7, .top_p = 0.9},
                       {.top_p = 0.86},
                       {.top_p = 0.1},
                       {.top_p = 0.5, .top_k = 30},
                       {.top_k = 1},
                       {.temperature = 0.8, .top_k = 5},
                       {.top_p = 0.99999},
                       {.top_p = 1e-9}};

std::string words(int64_t k, const Rule& rule) {
  return "K " + std::to_string(k) + ", temperature " + std::to_string(rule.temperature) +
         ", top-p " + std::to_string(rule.top_p) + ", top-k " + std::to_string(rule.top_k);
}

void set_rule(RowDrawing& rows, const Rule& rule) {
  rows.temperature = rule.temperature;
  rows.top_p = rule.top_p;
  rows.top_k = rule.top_k;
}

TEST(DrawRow, DrawsWhatTheChainDraws) {
  at::manual_seed(1);
  for (const int64_t k : {1, 2, 7, 256, 4096}) {
    const int64_t n = k > 1000 ? 60 : 200;
    for (const double steepness : {0.0, 0.3, 3.0}) {
      for (const bool guided : {false, true}) {
        RowDrawing rows = some_rows(n, k, steepness);
        if (guided) guide_rows(rows, {1, 0, 4, 1.5, -0.5});
        for (const Rule& rule : kRules) {
          set_rule(rows, rule);
          const double sure = expect_drawn(rows, drawn(rows), words(k, rule));
          // Among equals that top-p parts, where it ends is a matter of rounding.
          if (steepness > 0) {
            EXPECT_GT(sure, k > 1000 ? 0.7 : 0.9) << words(k, rule);
          }
        }
      }
    }
  }
}

TEST(DrawRow, DrawsEveryStepBackAsTheChainDoes) {
  at::manual_seed(2);
  for (const int64_t k : {1, 5, 300}) {
    const int64_t n = 3 * (k + 1);
    for (const std::string& name : Schedule::names()) {
      const Schedule schedule = Schedule::make(name, 10, static_cast<int>(k));
      for (const auto& [s, t] : {std::pair{0, 1}, {4, 5}, {0, 10}, {6, 10}, {9, 10}}) {
        RowDrawing rows = some_rows(n, k, 2);
        guide_rows(rows, {3, 1});
        testing::set_transition(rows, schedule.between(s, t));
        rows.x_t = at::arange(n, at::kLong).remainder(k + 1);
        for (const Rule& rule : {Rule{}, Rule{.top_p = 0.7}}) {
          set_rule(rows, rule);
          expect_drawn(
              rows, drawn(rows),
              name + " " + std::to_string(s) + " < " + std::to_string(t) + ", " + words(k, rule));
        }
      }
    }
  }
}

// Every token that the truncation keeps, drawn from the middle of its share: one that is kept or
// left out wrongly moves all behind it. Logits on a grid, so that many are equal and none nearly
// so.
TEST(DrawRow, KeepsTheTokensThatTheChainKeeps) {
  at::manual_seed(3);
  int64_t seen = 0;
  for (const int64_t k : {7, 256, 1500}) {
    for (const double steepness : {0.0, 1.0, 8.0}) {
      for (const Rule& rule : kRules) {
        RowDrawing rows;
        set_rule(rows, rule);
        rows.conditioned = (at::randn({1, k}) * steepness).round() / 4;
        const at::Tensor p = testing::chain_guess(rows, at::kDouble, rule.top_p).squeeze(0);
        const at::Tensor middle = p.cumsum(0) - p / 2;
        const at::Tensor kept = p.gt(1e-4).nonzero().squeeze(1);
        rows.conditioned = rows.conditioned.expand({kept.numel(), k}).contiguous();
        rows.second = middle.index_select(0, kept);
        seen += kept.numel();
        // Where the limit falls on the edge of a token but for rounding, either is right.
        const at::Tensor got = drawn(rows);
        if (!got.equal(kept)) expect_drawn(rows, got, words(k, rule));
        if (rule.top_p == 1) {
          EXPECT_TRUE(got.equal(kept)) << words(k, rule);
        }
      }
    }
  }
  EXPECT_GT(seen, 10000);
}

// Halves and quarters are exact, so the bound is too: the mass before a rank is below P, not P.
TEST(DrawRow, TopPIsAStrictBoundAndEqualsGoByNumber) {
  RowDrawing rows;
  rows.conditioned = at::tensor({.125, .25, .125, .25, .25}, at::kFloat).log2().unsqueeze(0);
  rows.conditioned *= std::log(2.0f);
  // What `second` just below each multiple of 1 / 60 gives, as the list of all tokens seen.
  const auto seen = [&](double top_p, int64_t top_k) {
    RowDrawing many = rows;
    many.conditioned = rows.conditioned.expand({60, 5}).contiguous();
    many.second = (at::arange(60, at::kDouble) + 0.5) / 60;
    many.top_p = top_p;
    many.top_k = top_k;
    std::vector<int64_t> tokens;
    const at::Tensor got = drawn(many);
    for (int64_t i = 0; i < 60; ++i) {
      const int64_t token = got[i].item<int64_t>();
      if (tokens.empty() || tokens.back() != token) tokens.push_back(token);
    }
    return tokens;
  };
  using List = std::vector<int64_t>;
  EXPECT_EQ(seen(1, 0), List({0, 1, 2, 3, 4}));
  EXPECT_EQ(seen(1, 1), List({1}));
  EXPECT_EQ(seen(1, 2), List({1, 3}));
  EXPECT_EQ(seen(1, 4), List({0, 1, 3, 4}));
  EXPECT_EQ(seen(1, 9), List({0, 1, 2, 3, 4}));
  EXPECT_EQ(seen(.25, 0), List({1}));
  EXPECT_EQ(seen(.26, 0), List({1, 3}));
  EXPECT_EQ(seen(.5, 0), List({1, 3}));
  EXPECT_EQ(seen(.75, 0), List({1, 3, 4}));
  EXPECT_EQ(seen(.8, 0), List({0, 1, 3, 4}));
  EXPECT_EQ(seen(.9, 0), List({0, 1, 2, 3, 4}));
  EXPECT_EQ(seen(.5, 2), List({1}));  // half of what top-k left
}

TEST(DrawRow, ReadsHalfPrecisionLogits) {
  at::manual_seed(4);
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    RowDrawing rows = some_rows(200, 100, 3);
    guide_rows(rows, {2.5, 1});
    rows.conditioned = rows.conditioned.to(type);
    rows.null = rows.null.to(type);
    rows.top_k = 40;
    // Halves are often equal; guided ones that are so in exact arithmetic come in any order.
    if (type == at::kBFloat16) rows.top_k = 0;
    EXPECT_GT(expect_drawn(rows, drawn(rows), at::toString(type)), 0.9);
  }
}

// Rows of which nothing can be said: the chain's token, in fp32, is the last one; and not a hang.
TEST(DrawRow, BrokenRowsGiveTheLastTokenAsTheChainDoes) {
  const int64_t k = 9;
  struct Broken {
    const char* what;
    std::function<void(RowDrawing&)> how;
    bool last;
  };
  const Broken all[] = {
      {"nothing possible", [](RowDrawing& r) { r.conditioned.fill_(-INFINITY); }, true},
      {"NaN", [](RowDrawing& r) { r.conditioned.select(1, 2).fill_(NAN); }, true},
      {"infinity", [](RowDrawing& r) { r.conditioned.select(1, 2).fill_(INFINITY); }, true},
      {"null NaN", [](RowDrawing& r) { r.null.select(1, 2).fill_(NAN); }, true},
      {"null infinity", [](RowDrawing& r) { r.null.select(1, 2).fill_(INFINITY); }, true},
      {"null nothing", [](RowDrawing& r) { r.null.fill_(-INFINITY); }, true},
      {"null NaN, unused",
       [](RowDrawing& r) {
         r.null.fill_(NAN);
         r.scale.fill_(1);
       },
       false},
      {"one token",
       [](RowDrawing& r) {
         r.conditioned.fill_(-INFINITY);
         r.conditioned.select(1, 4).fill_(-3);
       },
       false},
  };
  for (const Broken& broken : all) {
    for (const Rule& rule : {Rule{}, Rule{.top_p = 0.5}, Rule{.top_k = 3}}) {
      for (const bool posterior : {false, true}) {
        at::manual_seed(5);
        RowDrawing rows = some_rows(30, k, 1);
        guide_rows(rows, {3, 0, -2});
        set_rule(rows, rule);
        broken.how(rows);
        if (posterior) {
          testing::set_transition(rows, Schedule::make("replace", 10, k).between(3, 8));
          rows.x_t = at::arange(30, at::kLong).remainder(k + 1);
        }
        const at::Tensor got = drawn(rows);
        const std::string what = broken.what + std::string(posterior ? ", step back" : "");
        const at::Tensor guess = testing::chain_guess(rows, at::kFloat, rule.top_p);
        const at::Tensor chain = testing::chain_draw(rows, guess, rows.first, rows.second);
        if (broken.last) {
          EXPECT_TRUE(got.eq(k - 1).all().item<bool>()) << what << got;
          // What truncation leaves of NaN says nothing.
          if (rule.top_p == 1 && rule.top_k == 0) {
            EXPECT_TRUE(got.equal(chain)) << what << chain;
          }
        } else {
          expect_drawn(rows, got, what);
        }
      }
    }
  }
}

// Positions that never change read nothing: their logits may be anything.
TEST(DrawRow, WhereNothingIsReplacedATokenStays) {
  RowDrawing rows = some_rows(20, 6, 1);
  testing::set_transition(rows, Schedule::make("cosine", 10, 6).between(2, 5));
  rows.x_t = at::arange(20, at::kLong).remainder(6);
  rows.conditioned.fill_(NAN);
  EXPECT_TRUE(drawn(rows).equal(rows.x_t));
}

// Many threads side by side, fewer and more than there are tokens; all that one thread's block goes
// through, top-k and ties among it.
TEST(DrawRow, ManyThreadsDrawTheSame) {
  at::manual_seed(6);
  for (const auto& by : {Threads{2, 1}, Threads{16, 4}}) {
    for (const int64_t k : {1, 7, 150}) {
      RowDrawing rows = some_rows(6, k, 2);
      for (const Rule& rule : {Rule{}, Rule{.top_p = 0.6}, Rule{.top_p = 0.9, .top_k = 20}}) {
        for (const bool ties : {false, true}) {
          RowDrawing now = rows;
          if (ties) {
            now.conditioned = rows.conditioned.round();
          } else {
            guide_rows(now, {1, 2.5, 0});
          }
          set_rule(now, rule);
          expect_drawn(now, drawn(now, by), words(k, rule));
          testing::set_transition(now,
                                  Schedule::make("replace", 10, static_cast<int>(k)).between(2, 7));
          now.x_t = at::arange(6, at::kLong).remainder(k + 1);
          expect_drawn(now, drawn(now, by), "step back, " + words(k, rule));
        }
      }
    }
  }
}

TEST(DrawRow, LargeCodebooks) {
  at::manual_seed(7);
  RowDrawing rows = some_rows(12, 16384, 3);
  guide_rows(rows, {2, 1});
  rows.top_p = 0.9;
  expect_drawn(rows, drawn(rows), "16384 tokens");
  expect_drawn(rows, drawn(rows, {8, 4}), "16384 tokens, 8 threads");
}

}  // namespace
}  // namespace vq
