#include "lib/runtime/cuda_plugin.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "formats/error.h"
#include "lib/diffusion/schedule.h"
#include "lib/random.h"
#include "lib/runtime/device.h"
#include "lib/runtime/norm_bf16.h"
#include "tests/unit/draw_rows.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

TEST(CudaPlugin, IsThereOnlyWhereADeviceWasOpened) {
  if (std::string state = cuda_plugin_state(); state != "no CUDA device was opened") {
    GTEST_SKIP() << "a device was opened before: " << state;
  }
  EXPECT_EQ(cuda_plugin(), nullptr);
}

// Whatever lies there, the answer is a sentence.
TEST(CudaPlugin, AFileThatIsNoneIsLeftAlone) {
  const TempFolder folder;
  std::string state;
  const std::string missing = folder / "libvq_cuda.so";
  EXPECT_EQ(open_cuda_plugin(missing, state), nullptr);
  EXPECT_EQ(state, "not there: " + missing);

  const std::string text = folder.write("text.so", "no library\n");
  EXPECT_EQ(open_cuda_plugin(text, state), nullptr);
  EXPECT_EQ(state.find("cannot be loaded: "), 0u) << state;
  EXPECT_NE(state.find("text.so"), std::string::npos) << state;

  const std::string none = VQ_NO_PLUGIN;
  EXPECT_EQ(open_cuda_plugin(none, state), nullptr);
  EXPECT_EQ(state, "is no plugin: " + none);

  EXPECT_EQ(open_cuda_plugin(VQ_STALE_PLUGIN, state), nullptr);
  std::string want = "of another build: ";
  want.append(VQ_STALE_PLUGIN).append(" is version 0 for LibTorch 1.0.0, not ");
  EXPECT_EQ(state, want.append(kCudaPluginAbi));
}

TEST(CudaPlugin, AnEnvironmentVariableTurnsItOff) {
  if (cuda_plugin() != nullptr) GTEST_SKIP() << "it is loaded already";
  ::setenv("VQ_CUDA_PLUGIN", "0", 1);
  load_cuda_plugin();
  ::unsetenv("VQ_CUDA_PLUGIN");
  EXPECT_EQ(cuda_plugin(), nullptr);
  EXPECT_EQ(cuda_plugin_state(), "turned off by VQ_CUDA_PLUGIN=0");
}

// ---- on a device, where there is one

class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      device_ = open_device("cuda");
    } catch (const Error& e) {
      GTEST_SKIP() << e.message();
    }
    load_cuda_plugin();
    plugin_ = cuda_plugin();
    if (plugin_ == nullptr) GTEST_SKIP() << cuda_plugin_state();
    at::manual_seed(1);
  }

  at::Tensor there(const at::Tensor& t) const { return t.defined() ? t.to(device_) : t; }
  RowDrawing there(RowDrawing rows) const {
    for (at::Tensor* t :
         {&rows.conditioned, &rows.null, &rows.scale, &rows.x_t, &rows.first, &rows.second}) {
      *t = there(*t);
    }
    return rows;
  }

  at::Device device_ = at::kCPU;
  const CudaPlugin* plugin_ = nullptr;
};

TEST_F(OnDevice, UniformsAreTheSameBits) {
  const int64_t n = 5000;
  const at::Tensor records = at::randint(int64_t{1} << 40, {n}, at::kLong);
  const at::Tensor positions = at::randint(4096, {n}, at::kLong);
  const at::Tensor got = plugin_->uniforms(99, static_cast<uint32_t>(Purpose::order), 7,
                                           there(records), there(positions));
  at::Tensor want = at::empty({2, n}, at::kDouble);
  for (int64_t i = 0; i < n; ++i) {
    const Pair pair = uniform_pair(99, Purpose::order,
                                   {static_cast<uint64_t>(records[i].item<int64_t>()), 7,
                                    static_cast<uint32_t>(positions[i].item<int64_t>())});
    want[0][i] = pair.first;
    want[1][i] = pair.second;
  }
  EXPECT_TRUE(got.cpu().equal(want));
  EXPECT_EQ(
      plugin_->uniforms(1, 0, 0, there(records.slice(0, 0, 0)), there(positions.slice(0, 0, 0)))
          .numel(),
      0);
}

// The last size is beyond any device's shared memory.
TEST_F(OnDevice, DrawsWhatTheChainDraws) {
  for (const int64_t k : {1, 7, 300, 4096, 16384, 70000}) {
    const int64_t n = k > 5000 ? 40 : 500;
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
      for (const bool guided : {false, true}) {
        for (const bool posterior : {false, true}) {
          RowDrawing rows;
          rows.conditioned = (at::randn({n, k}) * 3).to(type);
          const at::Tensor uniforms = testing::some_uniforms(static_cast<uint64_t>(k), n);
          rows.first = uniforms[0].contiguous();
          rows.second = uniforms[1].contiguous();
          if (guided) {
            rows.null = (at::randn({n, k}) * 3).to(type);
            rows.scale = at::arange(n, at::kDouble).remainder(4);
          }
          if (posterior) {
            testing::set_transition(
                rows, Schedule::make("replace", 10, static_cast<int>(k)).between(3, 8));
            rows.x_t = at::arange(n, at::kLong).remainder(k + 1);
          }
          // Halves are often equal, and which of them top-p keeps is rounding's to say.
          rows.top_p = type == at::kFloat ? 0.9 : 1;
          rows.temperature = 0.9;
          testing::expect_drawn(rows, plugin_->draw(there(rows)),
                                std::to_string(k) + " " + at::toString(type));
        }
      }
    }
  }
}

TEST_F(OnDevice, AddsAndNormalises) {
  for (const int64_t width : {1, 40, 1408, 20000}) {
    for (const bool add : {false, true}) {
      const at::Tensor start = at::randn({40, width}) * 3 + 1;
      const at::Tensor gain = at::randn({2, width}) + 1, shift = at::randn({2, width});
      const at::Tensor delta = add ? at::randn({40, width}).to(at::kBFloat16) : at::Tensor();
      at::Tensor plain_x = start.clone(), x = there(start);
      const at::Tensor plain = add_norm_plain(plain_x, delta, {gain, shift, {0, 20, 40}});
      const at::Tensor got = plugin_->add_norm(x, there(delta), there(gain), there(shift), 20);
      EXPECT_TRUE(x.cpu().equal(plain_x));
      EXPECT_TRUE(got.cpu().to(at::kFloat).allclose(plain.to(at::kFloat), 1.0 / 128, 1e-4));
    }
  }
}

TEST_F(OnDevice, RefusesWhatDoesNotFit) {
  RowDrawing rows;
  rows.conditioned = at::randn({4, 9});
  rows.second = at::rand({4}, at::kDouble);
  EXPECT_THROW(plugin_->draw(rows), c10::Error);  // on the CPU
  rows = there(rows);
  rows.second = rows.second.slice(0, 0, 3);
  EXPECT_THROW(plugin_->draw(rows), c10::Error);
  at::Tensor x = there(at::randn({4, 8}));
  const at::Tensor one = there(at::ones({1, 8}));
  EXPECT_THROW(plugin_->add_norm(x, {}, one, one, 3), c10::Error);
}

TEST_F(OnDevice, AGraphDoesItAgainWithWhatIsThereThen) {
  const at::Tensor x = there(at::ones({100}));
  const at::Tensor positions = there(at::arange(100, at::kLong));
  at::Tensor result = there(at::zeros({2, 100}, at::kDouble));
  const auto graph = plugin_->capture(
      device_, [&] { result.copy_(plugin_->uniforms(5, 0, 0, positions, positions) + x * 2); });
  const at::Tensor noise = plugin_->uniforms(5, 0, 0, positions, positions);
  for (const double value : {3.0, -1.0}) {
    x.fill_(value);
    graph->replay();
    EXPECT_TRUE(result.allclose(noise + 2 * value));
  }
}

// What cannot be captured is an exception, and the device goes on working, captures too.
TEST_F(OnDevice, ACaptureThatFailsLeavesTheDeviceAsItWas) {
  at::Tensor x = there(at::ones({100}));
  EXPECT_THROW(plugin_->capture(device_, [] { throw Error("here", "not today"); }), Error);
  int calls = 0;
  EXPECT_THROW(plugin_->capture(device_,
                                [&] {
                                  x.add_(0);
                                  if (++calls == 2) throw Error("here", "the second time");
                                }),
               Error);
  EXPECT_ANY_THROW(plugin_->capture(device_, [&] { x.sum().item<double>(); }));
  const auto graph = plugin_->capture(device_, [&] { x.add_(1); });  // once before, to warm up
  graph->replay();
  EXPECT_EQ(x.sum().item<double>(), 300);
}

}  // namespace
}  // namespace vq
