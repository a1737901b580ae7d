#include "lib/runtime/cuda_plugin.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "formats/error.h"
#include "lib/runtime/device.h"
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

}  // namespace
}  // namespace vq
