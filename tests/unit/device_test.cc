#include "lib/runtime/device.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "formats/error.h"

namespace vq {
namespace {

TEST(OpenDevice, KnowsTheCpuAndRefusesOtherWords) {
  EXPECT_EQ(open_device("cpu"), at::Device(at::kCPU));
  for (const char* word :
       {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:01", "cuda:-1", "cuda:1000"}) {
    try {
      open_device(word);
      FAIL() << word;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::usage) << word;
      EXPECT_EQ(e.where(), "--device");
      EXPECT_EQ(e.message(), "'" + std::string(word) + "' is not a device");
    }
  }
}

// Without a driver, without the libraries or with a device too few: a sentence, never a crash, and
// the same sentence again when asked again.
TEST(OpenDevice, SaysWhyThereIsNoSuchCudaDevice) {
  std::string first;
  for (int i = 0; i < 2; ++i) {
    try {
      open_device("cuda:99");
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::failed);
      EXPECT_FALSE(e.message().empty());
      if (i == 0) first = e.message();
      EXPECT_EQ(e.message(), first);
    }
  }
  EXPECT_EQ(at::ones({3}).sum().item<double>(), 3);
}

TEST(SetThreads, ZeroIsWhatOpenMpIsTold) {
  const char* told = std::getenv("OMP_NUM_THREADS");
  const std::string before = told ? told : "";
  ::setenv("OMP_NUM_THREADS", "3", 1);
  set_threads(0);
  EXPECT_EQ(at::get_num_threads(), 3);
  set_threads(2);
  EXPECT_EQ(at::get_num_threads(), 2);
  ::unsetenv("OMP_NUM_THREADS");
  set_threads(0);
  EXPECT_EQ(at::get_num_threads(), static_cast<int>(std::thread::hardware_concurrency()));
  if (told) ::setenv("OMP_NUM_THREADS", before.c_str(), 1);
}

TEST(ChoosePrecision, TakesThreeWords) {
  EXPECT_EQ(choose_precision("fp32", at::kCPU), Precision::fp32);
  EXPECT_EQ(choose_precision("bf16", at::kCPU), Precision::bf16);
  EXPECT_EQ(choose_precision("auto", at::kCPU), cpu_has_bf16() ? Precision::bf16 : Precision::fp32);
  EXPECT_THROW(choose_precision("fp16", at::kCPU), Error);
}

TEST(Autocast, ScopesNestAndRestore) {
  const at::Tensor a = at::ones({2, 2});
  const auto product = [&] { return a.matmul(a).scalar_type(); };
  EXPECT_EQ(product(), at::kFloat);
  {
    const AutocastScope outer(at::kCPU, Precision::bf16);
    EXPECT_EQ(product(), at::kBFloat16);
    {
      const AutocastScope inner(at::kCPU, Precision::bf16);
      EXPECT_EQ(product(), at::kBFloat16);
    }
    EXPECT_EQ(product(), at::kBFloat16);
    {
      const AutocastScope whole(at::kCPU, Precision::fp32);
      EXPECT_EQ(product(), at::kFloat);
    }
    EXPECT_EQ(product(), at::kBFloat16);
  }
  EXPECT_EQ(product(), at::kFloat);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

TEST(Autocast, RestoresAfterAnException) {
  try {
    const AutocastScope scope(at::kCPU, Precision::bf16);
    throw Error("", "x");
  } catch (const Error&) {
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

TEST(DescribeException, MakesOneSentence) {
  std::string what, hint;
  try {
    at::zeros({2, 3}).matmul(at::zeros({2, 3}));
    FAIL();
  } catch (const std::exception& e) {
    ASSERT_TRUE(describe_torch_exception(e, what, hint));
    EXPECT_NE(what.find("shapes cannot be multiplied"), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos);
  }
}

TEST(DescribeException, KnowsOutOfMemory) {
  std::string what, hint;
  try {
    at::empty({int64_t{1} << 60}, at::kByte);
    FAIL();
  } catch (const std::exception& e) {
    ASSERT_TRUE(describe_torch_exception(e, what, hint));
    EXPECT_EQ(what, "out of memory");
    EXPECT_NE(hint.find("--batch"), std::string::npos);
  }
}

TEST(DescribeException, LeavesOthersAlone) {
  std::string what, hint;
  EXPECT_FALSE(describe_torch_exception(std::runtime_error("x"), what, hint));
}

}  // namespace
}  // namespace vq
