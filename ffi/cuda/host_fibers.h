// How host_shim.cpp runs a launch.
#ifndef TC_HOST_FIBERS_H
#define TC_HOST_FIBERS_H

#include "host_shim.h"

namespace tc_shim {

constexpr size_t kSharedBytes = 48 * 1024;  // shared memory that every GPU gives a block without asking

// Runs every thread of every block; `body` is one thread's kernel call.
void run_grid(dim3 grid, dim3 threads, size_t shared, bool reverse, const std::function<void()> &body);

}  // namespace tc_shim

#endif
