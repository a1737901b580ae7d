#include "lib/weights/model_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/error.h"

namespace vq {
namespace {

class ModelFileTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "model_file_test." +
            testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // The message of the error that loading `tensors` into a network of a (2, 3) and b (4) ends with.
  std::string load_error(const std::vector<NamedTensor>& tensors, const std::string& prefix = "") {
    save_model(path_, "codec", Json::object(), Json::array(), tensors, true);
    Parameters p;
    p.constant("a", {2, 3}, 0);
    p.constant("b", {4}, 0);
    try {
      load_parameters(open_model(path_, "codec"), p, prefix);
    } catch (const Error& e) {
      EXPECT_EQ(e.where(), path_);
      return e.message();
    }
    return "";
  }
  std::string path_;
};

TEST_F(ModelFileTest, KeepsTensorsConfigAndHistory) {
  Parameters from(1), to(2);
  for (Parameters* p : {&from, &to}) {
    p->normal("a.weight", {3, 5}, 1);
    p->normal("a.bias", {3}, 1);
    p->buffer("counts", at::zeros({2}, at::kLong));
  }
  from.get("counts").fill_(7);
  const Json config = {{"width", 3}}, history = Json::array({{{"tool", "vq-train"}}});
  save_model(path_, "codec", config, history, named_tensors(from), false);
  const ModelFile file = open_model(path_, "codec");
  EXPECT_EQ(file.config, config);
  EXPECT_EQ(file.history, history);
  load_parameters(file, to);
  for (const auto& entry : from.entries()) EXPECT_TRUE(at::equal(entry.tensor, to.get(entry.name)));
  EXPECT_TRUE(to.get("a.weight").requires_grad());
  EXPECT_TRUE(at::equal(load_tensor(file.tensors, "a.bias"), from.get("a.bias")));
}

TEST_F(ModelFileTest, WritesViewsAndHalvesAndReadsThemIntoFloats) {
  const at::Tensor value = at::arange(6).view({3, 2}).t();
  save_model(path_, "codec", Json::object(), Json::array(), {{"a", value.to(at::kBFloat16)}},
             false);
  Parameters p;
  const at::Tensor a = p.constant("a", {2, 3}, 0);
  load_parameters(open_model(path_, ""), p);
  EXPECT_EQ(a.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(a.detach(), value.to(at::kFloat)));
}

TEST_F(ModelFileTest, NamesMissingUnusedAndMisshapenTensors) {
  const at::Tensor a = at::zeros({2, 3}), b = at::zeros({4});
  EXPECT_EQ(load_error({{"a", a}, {"b", b}}), "");
  EXPECT_EQ(load_error({{"a", a}}), "missing tensors: b");
  EXPECT_EQ(load_error({{"a", a}, {"b", b}, {"c", b}}), "tensors the network has no use for: c");
  EXPECT_EQ(load_error({{"a", a.t()}, {"b", b}}),
            "tensor a has shape [3, 2], the network needs [2, 3]");
}

TEST_F(ModelFileTest, APrefixLimitsWhatCountsAsUnused) {
  const at::Tensor a = at::zeros({2, 3}), b = at::zeros({4});
  EXPECT_EQ(load_error({{"w.a", a}, {"w.b", b}, {"other", b}}, "w."), "");
  EXPECT_EQ(load_error({{"w.a", a}, {"b", b}}, "w."), "missing tensors: w.b");
  EXPECT_EQ(load_error({{"w.a", a}, {"w.b", b}, {"w.c", b}}, "w."),
            "tensors the network has no use for: w.c");
}

TEST_F(ModelFileTest, RefusesAnotherKindNamingBoth) {
  save_model(path_, "diffusion", Json::object(), Json::array(), {{"a", at::zeros({1})}}, false);
  try {
    open_model(path_, "codec");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("diffusion"), std::string::npos);
    EXPECT_NE(e.message().find("codec"), std::string::npos);
  }
}

TEST_F(ModelFileTest, RefusesForeignSafetensorsAndOverwriting) {
  const float zero = 0;
  write_safetensors(path_, {{"a", DType::f32, {1}, {reinterpret_cast<const uint8_t*>(&zero), 4}}},
                    {}, false);
  EXPECT_THROW(open_model(path_, "codec"), Error);
  EXPECT_THROW(save_model(path_, "codec", Json::object(), Json::array(), {}, false), Error);
}

TEST_F(ModelFileTest, MappedTensorsLieInTheFile) {
  const at::Tensor a = at::arange(6).to(at::kFloat).view({2, 3}), b = at::ones({4}, at::kBFloat16);
  save_model(path_, "codec", Json::object(), Json::array(), {{"a", a}, {"b", b}}, false);
  Parameters p(0, Fill::none);
  // Layers hold the tensors as they were made; what is loaded must reach them.
  const at::Tensor held = p.constant("a", {2, 3}, 0), other = p.constant("b", {4}, 0);
  {
    const ModelFile file = open_model(path_, "codec");
    load_parameters(file, p, "", {}, Keep::map);
    EXPECT_EQ(held.data_ptr(), file.tensors.tensor("a").bytes.data());
    EXPECT_NE(other.data_ptr(), file.tensors.tensor("b").bytes.data());  // was of another type
  }
  EXPECT_TRUE(at::equal(held.detach(), a));  // the map outlives the file object
  EXPECT_TRUE(at::equal(other.detach(), b.to(at::kFloat)));
  EXPECT_TRUE(held.requires_grad());

  // Pages given back are read again; what was written is lost, and never reached the file.
  const SafetensorsFile again(path_);
  auto* byte = const_cast<uint8_t*>(again.tensor("a").bytes.data());
  const uint8_t before = *byte;
  *byte = static_cast<uint8_t>(before + 1);
  again.forget();
  EXPECT_EQ(*byte, before);
}

TEST_F(ModelFileTest, LargeModelsAreKnownByPagesOfEachTensor) {
  const int64_t half = int64_t{130} << 20;
  const auto identity = [&](const at::Tensor& a, const at::Tensor& b) {
    save_model(path_, "codec", Json::object(), Json::array(), {{"a", a}, {"b", b}}, true);
    return model_identity(open_model(path_, "codec").tensors);
  };
  at::Tensor a = at::zeros({half}, at::kByte), b = at::zeros({half}, at::kByte);
  const std::string first = identity(a, b);
  b[half - 1] = 1;  // the last page of the last tensor
  EXPECT_NE(identity(a, b), first);
  b[half - 1] = 0;
  a[0] = 1;
  EXPECT_NE(identity(a, b), first);
  a[0] = 0;
  a[half / 30] = 1;  // between two pages
  EXPECT_EQ(identity(a, b), first);
}

TEST_F(ModelFileTest, IdentityIsOfTheTensorsOnly) {
  const auto identity = [&](const Json& config, const at::Tensor& a) {
    save_model(path_, "codec", config, Json::array(), {{"a", a}}, true);
    return model_identity(open_model(path_, "codec").tensors);
  };
  const std::string first = identity(Json::object(), at::zeros({3}));
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(identity({{"x", 1}}, at::zeros({3})), first);
  EXPECT_NE(identity(Json::object(), at::ones({3})), first);
}

}  // namespace
}  // namespace vq
