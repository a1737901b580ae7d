#include "lib/weights/import_plan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/weights/model_file.h"
#include "lib/weights/name_map.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

const NameMap kMap = {{"qkv.*", {"q.*", "k.*", "v.*"}}, {"out.*", {"proj.*"}}};

struct Source {
  Source() {
    for (const char* name : {"q.weight", "k.weight", "v.weight"})
      tensors.push_back({name, at::randn({2, 3})});
    tensors.push_back({"proj.weight", at::randn({4, 2, 1, 1})});
  }
  std::unique_ptr<SourcePool> pool() const {
    save_model(folder / "source", "any", Json::object(), Json::array(), tensors, true);
    return std::make_unique<SourcePool>(TensorSource::open(folder / "source"), "part");
  }
  TempFolder folder;
  std::vector<NamedTensor> tensors;
};

Parameters network() {
  Parameters p(0, Fill::shapes);
  p.normal("qkv.weight", {6, 3}, 1);
  p.normal("out.weight", {4, 2}, 1);
  p.normal("made", {2}, 1);
  return p;
}

std::vector<std::string> theirs(const std::string& ours) { return their_names(kMap, ours); }

std::string error_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(ImportPlan, PartsAreStackedAndOnesDropped) {
  const Source source;
  const auto pool = source.pool();
  PlannedFile file{"diffusion", {{"a", 1}}, {}};
  EXPECT_EQ(plan_parameters(file, network(), theirs, *pool), (std::vector<std::string>{"made"}));
  file.add("made", DType::u8, {2}, {8, 9});
  EXPECT_TRUE(pool->unused().empty());
  EXPECT_EQ(file.bytes(), 26u * 4 + 2);
  write_planned(file, source.folder / "ours", Json::array(), false);
  const ModelFile ours = open_model(source.folder / "ours", "diffusion");
  EXPECT_EQ(ours.config.at("a"), 1);
  const at::Tensor all =
      at::cat({source.tensors[0].tensor, source.tensors[1].tensor, source.tensors[2].tensor});
  EXPECT_TRUE(at::equal(load_tensor(ours.tensors, "qkv.weight"), all));
  EXPECT_TRUE(
      at::equal(load_tensor(ours.tensors, "out.weight"), source.tensors[3].tensor.view({4, 2})));
  EXPECT_TRUE(at::equal(planned_tensor(file, "qkv.weight"), all));
  EXPECT_EQ(ours.tensors.tensor("made").bytes[1], 9);
}

TEST(ImportPlan, WhatDoesNotFitIsNamed) {
  Source source;
  PlannedFile file;
  source.tensors[1].tensor = at::randn({3, 3});
  EXPECT_EQ(error_of([&] { plan_parameters(file, network(), theirs, *source.pool()); }),
            "has the shape [2, 3] + [3, 3] + [2, 3], but qkv.weight needs [6, 3]");
  source.tensors[1].tensor = at::randn({2, 3}).to(at::kHalf);
  EXPECT_EQ(error_of([&] { plan_parameters(file, network(), theirs, *source.pool()); }),
            "has another type than k.weight, and they become one tensor");
  source.tensors[1].name = "key.weight";
  EXPECT_EQ(error_of([&] { plan_parameters(file, network(), theirs, *source.pool()); }),
            "lacks the tensors k.weight");
  source.tensors[3].tensor = at::ones({4, 2}, at::kLong);
  source.tensors[1] = {"k.weight", at::randn({2, 3})};
  EXPECT_EQ(error_of([&] { plan_parameters(file, network(), theirs, *source.pool()); }),
            "holds whole numbers, not weights");
}

TEST(ImportPlan, NothingIsLeftWithoutAReason) {
  Source source;
  source.tensors.push_back({"loss.a.weight", at::ones(1)});
  source.tensors.push_back({"loss.b", at::ones(1)});
  const auto pool = source.pool();
  PlannedFile file;
  plan_parameters(file, network(), theirs, *pool);
  EXPECT_EQ(pool->unused(), (std::vector<std::string>{"part: loss.a.weight", "part: loss.b"}));
  EXPECT_EQ(pool->leave("loss.*", "a loss"), 2u);
  EXPECT_EQ(pool->leave("q.*", "already taken"), 0u);
  EXPECT_TRUE(pool->unused().empty());
  ASSERT_EQ(pool->left().size(), 1u);
  EXPECT_EQ(pool->left()[0].reason, "a loss");
}

TEST(ImportPlan, LayersShareARow) {
  PlannedFile file;
  file.add("blocks.0.w", DType::f32, {2}, Bytes(8));
  file.add("blocks.1.w.bias", DType::f32, {2}, Bytes(8));
  file.add("blocks.2.w.weight", DType::f32, {3}, Bytes(12));
  file.add("head.weight", DType::f32, {3}, Bytes(12));
  const auto rows = plan_rows(file);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].ours, "blocks.#.w");
  EXPECT_EQ(rows[0].count, 3u);
  EXPECT_EQ(rows[0].what, "7 numbers");
  EXPECT_EQ(rows[1].ours, "head");
}

TEST(ImportPlan, PartsOfOneTensorAreWrittenAsAShellWould) {
  const SourceTensor q{"b.0.attn.q.weight", DType::f32, {700, 2}, {}};
  const SourceTensor k{"b.0.attn.k.weight", DType::f32, {700, 2}, {}};
  const SourceTensor other{"c.0.attn.k.weight", DType::f32, {700, 2}, {}};
  const SourceTensor shorter{"k.weight", DType::f32, {700, 2}, {}};
  const auto row = [](std::vector<const SourceTensor*> parts) {
    PlannedFile file;
    file.tensors.push_back({{"qk.weight", DType::f32, {1400, 2}}, std::move(parts), {}});
    return plan_rows(file).at(0);
  };
  EXPECT_EQ(row({&q, &k}).theirs, "b.#.attn.{q,k}");
  EXPECT_EQ(row({&q, &k}).what, "2,800 numbers");
  EXPECT_EQ(row({&q, &other}).theirs, "b.#.attn.q + c.#.attn.k");
  EXPECT_EQ(row({&q, &shorter}).theirs, "b.#.attn.q + k");
  EXPECT_EQ(row({&q}).theirs, "b.#.attn.q");
  EXPECT_EQ(row({}).theirs, "(made)");
}

}  // namespace
}  // namespace vq
