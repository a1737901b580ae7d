// Marks functions that run on the host and, where a CUDA compiler reads them, on a device as well.
#pragma once

#if defined(__CUDACC__)
#define VQ_HOST_DEVICE __host__ __device__
#else
#define VQ_HOST_DEVICE
#endif
