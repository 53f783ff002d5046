// What the device library offers besides the kernels: devices, memory, copies, streams and events.
//
// The same rules as the kernel ABI (core/include/tc.h): structs of 8-byte slots, statuses as results. Three C signatures
// serve every function of the library, so neither FFI bridge has code per function:
//   int32_t f(args *)              kernels and most of the runtime; results are slots of the struct
//   int32_t f(args *, void *host)  functions that read or write memory of the caller
//   int64_t f(const args *)        tc_<kernel>_scratch
#ifndef TC_RUNTIME_H
#define TC_RUNTIME_H

#include "../../core/include/tc.h"

// Raised whenever a struct, a kernel's meaning or a number in core/include or in this file changes;
// ffi/native_library.ts holds the same number and refuses another library.
#define TC_ABI_VERSION 1

// `unused` keeps the signature; may be any address.
TC_EXPORT(tc_abi_version) int32_t tc_abi_version(const void *unused);

typedef struct {
  int64_t host_build;       // 1: kernels run on the processor (host_shim.h); 0: on a GPU
  int64_t driver_version;   // 1000 * major + 10 * minor of the CUDA version the driver knows; 0: no driver
  int64_t runtime_version;  // of the runtime that the library was built with
  int64_t device_count;     // 0 where devices cannot be used; the status is then TC_DEVICE_ERROR and says why
} tc_library_args;
TC_EXPORT(tc_library_info) int32_t tc_library_info(tc_library_args *a);

typedef struct { int64_t capacity, length; } tc_text_args;
// What is in this library, one line each: "kernel tc_<name> <bytes of its struct> <1 if it has a _scratch function>", then
// "op <name>" for the elementwise operators in the order of their numbers. The host compares it with its own lists.
TC_EXPORT(tc_kernel_list) int32_t tc_kernel_list(tc_text_args *a, void *text);

// What went wrong in the last call that did not return TC_OK. For TC_DEVICE_ERROR info[0] is CUDA's error code
// (2: out of memory). A status found by a kernel on the device is returned by a later call (see tc_synchronize);
// `kernel` is then the position in tc_kernel_list of the kernel that found it, else -1.
typedef struct { int64_t capacity, length, kernel, info[4]; } tc_last_error_args;
TC_EXPORT(tc_last_error) int32_t tc_last_error(tc_last_error_args *a, void *text);

typedef struct {
  int64_t device;  // in
  int64_t major, minor, multiprocessors, warp_size, max_threads_per_block, shared_memory_per_block, l2_cache_size;
  int64_t total_memory;
  int64_t pci_domain, pci_bus, pci_device, integrated;
  char name[256];
} tc_device_args;
TC_EXPORT(tc_device_properties) int32_t tc_device_properties(tc_device_args *a);

typedef struct { int64_t device; } tc_set_device_args;
// Kernels, copies, allocations and streams belong to the device set last. Makes the device ready on first use.
TC_EXPORT(tc_set_device) int32_t tc_set_device(const tc_set_device_args *a);

typedef struct { int64_t free_bytes, total_bytes; } tc_memory_info_args;
TC_EXPORT(tc_memory_info) int32_t tc_memory_info(tc_memory_info_args *a);

// Memory of the current device (tc_malloc) or page-locked memory of the host (tc_host_malloc).
typedef struct { int64_t bytes; uint64_t address; } tc_malloc_args;
TC_EXPORT(tc_malloc) int32_t tc_malloc(tc_malloc_args *a);
TC_EXPORT(tc_free) int32_t tc_free(const tc_malloc_args *a);
TC_EXPORT(tc_host_malloc) int32_t tc_host_malloc(tc_malloc_args *a);
TC_EXPORT(tc_host_free) int32_t tc_host_free(const tc_malloc_args *a);

// Copies go in order of the current stream. h2d returns when `host` may be reused; d2h when the bytes are there.
// d2d works between devices too. tc_h2d_pinned and tc_d2h_pinned take memory of tc_host_malloc and return at once:
// `src` or `dst` must stay as it is until the stream has passed them.
typedef struct { uint64_t dst, src; int64_t bytes; } tc_memcpy_args;
TC_EXPORT(tc_copy_h2d) int32_t tc_copy_h2d(const tc_memcpy_args *a, const void *host);
TC_EXPORT(tc_copy_d2h) int32_t tc_copy_d2h(const tc_memcpy_args *a, void *host);
TC_EXPORT(tc_copy_d2d) int32_t tc_copy_d2d(const tc_memcpy_args *a);
TC_EXPORT(tc_copy_h2d_pinned) int32_t tc_copy_h2d_pinned(const tc_memcpy_args *a);
TC_EXPORT(tc_copy_d2h_pinned) int32_t tc_copy_d2h_pinned(const tc_memcpy_args *a);

typedef struct { uint64_t dst; int64_t value, bytes; } tc_memset_args;
TC_EXPORT(tc_memset) int32_t tc_memset(const tc_memset_args *a);

// Waits for all work of the current device. A kernel that finds a bad index or value on the device goes on without
// writing outside its outputs; the status comes from the first later call that waits (tc_synchronize,
// tc_stream_synchronize, tc_event_synchronize, tc_copy_d2h) or starts a kernel after the news has arrived.
TC_EXPORT(tc_synchronize) int32_t tc_synchronize(const void *unused);

// Stream 0 is the device's default stream. tc_stream_set: kernels and copies that follow go to this stream.
typedef struct { uint64_t stream; int64_t done; } tc_stream_args;
TC_EXPORT(tc_stream_create) int32_t tc_stream_create(tc_stream_args *a);
TC_EXPORT(tc_stream_destroy) int32_t tc_stream_destroy(const tc_stream_args *a);
TC_EXPORT(tc_stream_set) int32_t tc_stream_set(const tc_stream_args *a);
TC_EXPORT(tc_stream_synchronize) int32_t tc_stream_synchronize(const tc_stream_args *a);
TC_EXPORT(tc_stream_query) int32_t tc_stream_query(tc_stream_args *a);

// Graphs: what goes to the current device between tc_graph_begin and tc_graph_end is recorded instead of done, and
// tc_graph_launch does it all, in order of the current stream. Nothing may wait meanwhile; what is copied from the host is
// kept and copied again by every launch. An error in between ends the recording: tc_graph_end says so.
typedef struct { uint64_t graph; } tc_graph_args;
TC_EXPORT(tc_graph_begin) int32_t tc_graph_begin(const void *unused);
TC_EXPORT(tc_graph_end) int32_t tc_graph_end(tc_graph_args *a);
TC_EXPORT(tc_graph_launch) int32_t tc_graph_launch(const tc_graph_args *a);
TC_EXPORT(tc_graph_destroy) int32_t tc_graph_destroy(const tc_graph_args *a);

// `stream` is where the event is recorded, or which stream waits for it.
typedef struct { uint64_t event, stream; int64_t timing, done; } tc_event_args;
TC_EXPORT(tc_event_create) int32_t tc_event_create(tc_event_args *a);
TC_EXPORT(tc_event_destroy) int32_t tc_event_destroy(const tc_event_args *a);
TC_EXPORT(tc_event_record) int32_t tc_event_record(const tc_event_args *a);
TC_EXPORT(tc_event_wait) int32_t tc_event_wait(const tc_event_args *a);
TC_EXPORT(tc_event_synchronize) int32_t tc_event_synchronize(const tc_event_args *a);
TC_EXPORT(tc_event_query) int32_t tc_event_query(tc_event_args *a);

typedef struct { uint64_t start, end; double milliseconds; } tc_event_elapsed_args;
TC_EXPORT(tc_event_elapsed) int32_t tc_event_elapsed(tc_event_elapsed_args *a);

#endif
