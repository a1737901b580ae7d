// A plugin of another build: cuda_plugin_test.cc must find that out before it calls anything else.
#include <cstdlib>

extern "C" const char* vq_cuda_plugin_abi() { return "0 for LibTorch 1.0.0"; }
extern "C" const void* vq_cuda_plugin() { std::abort(); }
