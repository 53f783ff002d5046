// Devices, memory, copies, streams, events and the text of errors: tc_runtime.h.
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "common.cuh"

int64_t tc_error_info[4];

namespace tc {
namespace {

constexpr int kMaxDevices = 64;

struct Slot {
  std::once_flag once;
  int32_t status = TC_OK;
  Device device = {};
};
Slot slots[kMaxDevices];

thread_local int current = 0;
thread_local cudaStream_t streams[kMaxDevices];
thread_local char error_text[512];
thread_local int error_kernel = -1;

// A recorded sequence, and the host memory that its copies read.
struct Graph {
  cudaStream_t stream = nullptr, before = nullptr;  // while it is recorded
  cudaGraphExec_t exec = nullptr;
  std::vector<void *> pinned;
  ~Graph() {
    if (exec) cudaGraphExecDestroy(exec);
    for (void *const p : pinned) cudaFreeHost(p);
    if (stream) cudaStreamDestroy(stream);
  }
};
thread_local std::unique_ptr<Graph> recording;

const char *const kKernelNames[] = {
#define TC_KERNEL(name, args, scratch) "tc_" #name,
#include "kernels.def"
#undef TC_KERNEL
};

void make_ready(int number, Slot *slot) {
  Device *const d = &slot->device;
  cudaDeviceProp properties;
  void *page = nullptr, *seen = nullptr;
  cudaError_t error = cudaSetDevice(number);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, number);
  if (error == cudaSuccess)
    error = cudaHostAlloc(&page, sizeof(DeviceError), cudaHostAllocPortable | cudaHostAllocMapped);
  if (error == cudaSuccess) error = cudaHostGetDevicePointer(&seen, page, 0);
  if (error != cudaSuccess) {
    char what[64];
    std::snprintf(what, sizeof what, "CUDA device %d could not be used", number);
    slot->status = check(error, what);
    return;
  }
  std::memset(page, 0, sizeof(DeviceError));
  d->number = number;
  d->multiprocessors = properties.multiProcessorCount;
  d->error = static_cast<DeviceError *>(page);
  d->device_error = static_cast<DeviceError *>(seen);
}

void put_text(const char *text, size_t size, int64_t capacity, void *to, int64_t *length) {
  *length = int64_t(size);
  if (to && capacity > 0) std::memcpy(to, text, size < size_t(capacity) ? size : size_t(capacity));
}

int32_t no_device(cudaError_t error, int count) {
  return error == cudaSuccess && count > 0 ? TC_OK : check(error == cudaSuccess ? cudaErrorNoDevice : error, "CUDA");
}

// After a wait: what the wait said, else what kernels found.
int32_t after_wait(cudaError_t error, const char *what, Device *device) {
  const int32_t status = check(error, what);
  return status != TC_OK ? status : take_device_error(device);
}

}  // namespace

int32_t check(cudaError_t error, const char *what) {
  if (error == cudaSuccess) return TC_OK;
  cudaGetLastError();  // an error that does not stick is forgotten, so that the next call starts clean
  std::snprintf(error_text, sizeof error_text, "%s: %s (%s)", what, cudaGetErrorString(error), cudaGetErrorName(error));
  error_kernel = -1;
  tc_error_info[0] = int64_t(error);
  tc_error_info[1] = tc_error_info[2] = tc_error_info[3] = 0;
  return TC_DEVICE_ERROR;
}

int32_t unsupported(int64_t dtype, int64_t op) {
  std::snprintf(error_text, sizeof error_text, "this build has no CUDA code for the dtype or the operation");
  error_kernel = -1;
  tc_error_info[0] = dtype;
  tc_error_info[1] = op;
  tc_error_info[2] = tc_error_info[3] = 0;
  return TC_UNSUPPORTED;
}

int32_t blas_error(int code) {
  std::snprintf(error_text, sizeof error_text, "cuBLAS could not multiply the matrices (cublasStatus_t %d)", code);
  error_kernel = TC_KERNEL_matmul;
  tc_error_info[0] = tc_error_info[1] = tc_error_info[2] = tc_error_info[3] = 0;
  return TC_DEVICE_ERROR;
}

int32_t take_device_error(Device *device) {
  DeviceError *const e = device->error;
  if (!e->ready) return TC_OK;
  const int32_t status = e->status;
  for (int i = 0; i < 4; i++) tc_error_info[i] = e->info[i];
  error_kernel = e->kernel;
  std::snprintf(error_text, sizeof error_text, "found on the device by %s", kKernelNames[e->kernel]);
  e->ready = 0;
  e->status = 0;
  return status;
}

Device *current_device(int32_t *status) {
  Slot *const slot = &slots[current];
  std::call_once(slot->once, make_ready, current, slot);
  *status = slot->status;
  return &slot->device;
}

cudaStream_t current_stream(const Device *device) { return streams[device->number]; }

int32_t Frame::end() const { return check(cudaGetLastError(), kKernelNames[kernel]); }

}  // namespace tc

using namespace tc;

TC_EXPORT(tc_abi_version) int32_t tc_abi_version(const void *) { return TC_ABI_VERSION; }

TC_EXPORT(tc_library_info) int32_t tc_library_info(tc_library_args *a) {
  int driver = 0, runtime = 0, count = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const cudaError_t error = cudaGetDeviceCount(&count);
#if defined(__CUDACC__)
  a->host_build = 0;
#else
  a->host_build = 1;
#endif
  a->driver_version = driver;
  a->runtime_version = runtime;
  a->device_count = error == cudaSuccess ? (count < kMaxDevices ? count : kMaxDevices) : 0;
  return no_device(error, count);
}

TC_EXPORT(tc_kernel_list) int32_t tc_kernel_list(tc_text_args *a, void *text) {
  static char list[16384];
  static const int size = [] {
    int n = 0;
#define TC_KERNEL(name, args, scratch) \
  n += std::snprintf(list + n, sizeof list - size_t(n), "kernel tc_%s %zu %d\n", #name, sizeof(args), scratch);
#include "kernels.def"
#undef TC_KERNEL
#define UNARY(name, types, cost, ...) n += std::snprintf(list + n, sizeof list - size_t(n), "op %s\n", #name);
#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#include "../../core/pointwise.def"
    return n;
  }();
  put_text(list, size_t(size), a->capacity, text, &a->length);
  return TC_OK;
}

TC_EXPORT(tc_last_error) int32_t tc_last_error(tc_last_error_args *a, void *text) {
  put_text(error_text, std::strlen(error_text), a->capacity, text, &a->length);
  a->kernel = error_kernel;
  for (int i = 0; i < 4; i++) a->info[i] = tc_error_info[i];
  return TC_OK;
}

TC_EXPORT(tc_device_properties) int32_t tc_device_properties(tc_device_args *a) {
  cudaDeviceProp p;
  const int32_t status = check(cudaGetDeviceProperties(&p, int(a->device)), "cudaGetDeviceProperties");
  if (status != TC_OK) return status;
  a->major = p.major;
  a->minor = p.minor;
  a->multiprocessors = p.multiProcessorCount;
  a->warp_size = p.warpSize;
  a->max_threads_per_block = p.maxThreadsPerBlock;
  a->shared_memory_per_block = int64_t(p.sharedMemPerBlock);
  a->l2_cache_size = p.l2CacheSize;
  a->total_memory = int64_t(p.totalGlobalMem);
  a->pci_domain = p.pciDomainID;
  a->pci_bus = p.pciBusID;
  a->pci_device = p.pciDeviceID;
  a->integrated = p.integrated;
  std::memcpy(a->name, p.name, sizeof a->name);
  return TC_OK;
}

TC_EXPORT(tc_set_device) int32_t tc_set_device(const tc_set_device_args *a) {
  if (a->device < 0 || a->device >= kMaxDevices) return check(cudaErrorInvalidDevice, "tc_set_device");
  const int32_t status = check(cudaSetDevice(int(a->device)), "cudaSetDevice");
  if (status != TC_OK) return status;
  current = int(a->device);
  int32_t ready;
  current_device(&ready);
  return ready;
}

TC_EXPORT(tc_memory_info) int32_t tc_memory_info(tc_memory_info_args *a) {
  size_t free_bytes = 0, total = 0;
  const int32_t status = check(cudaMemGetInfo(&free_bytes, &total), "cudaMemGetInfo");
  a->free_bytes = int64_t(free_bytes);
  a->total_bytes = int64_t(total);
  return status;
}

TC_EXPORT(tc_malloc) int32_t tc_malloc(tc_malloc_args *a) {
  void *p = nullptr;
  char what[64];
  std::snprintf(what, sizeof what, "cudaMalloc of %lld bytes", (long long)a->bytes);
  const int32_t status = check(cudaMalloc(&p, size_t(a->bytes)), what);
  a->address = uint64_t(uintptr_t(p));
  return status;
}

TC_EXPORT(tc_free) int32_t tc_free(const tc_malloc_args *a) {
  return check(cudaFree(TC_PTR(void, a->address)), "cudaFree");
}

TC_EXPORT(tc_host_malloc) int32_t tc_host_malloc(tc_malloc_args *a) {
  void *p = nullptr;
  char what[64];
  std::snprintf(what, sizeof what, "cudaHostAlloc of %lld bytes", (long long)a->bytes);
  const int32_t status = check(cudaHostAlloc(&p, size_t(a->bytes), cudaHostAllocPortable), what);
  a->address = uint64_t(uintptr_t(p));
  return status;
}

TC_EXPORT(tc_host_free) int32_t tc_host_free(const tc_malloc_args *a) {
  return check(cudaFreeHost(TC_PTR(void, a->address)), "cudaFreeHost");
}

namespace {

int32_t copy(void *dst, const void *src, int64_t bytes, cudaMemcpyKind kind, bool wait) {
  int32_t status;
  Device *const device = current_device(&status);
  if (status != TC_OK || bytes == 0) return status;
  const cudaStream_t stream = current_stream(device);
  status = check(cudaMemcpyAsync(dst, src, size_t(bytes), kind, stream), "cudaMemcpyAsync");
  if (status != TC_OK || !wait) return status;
  return after_wait(cudaStreamSynchronize(stream), "cudaStreamSynchronize", device);
}

}  // namespace

// Pageable memory has left `host` when cudaMemcpyAsync returns (it is staged), so there is nothing to wait for.
TC_EXPORT(tc_copy_h2d) int32_t tc_copy_h2d(const tc_memcpy_args *a, const void *host) {
  if (recording && a->bytes > 0) {
    void *kept = nullptr;
    const int32_t status = check(cudaHostAlloc(&kept, size_t(a->bytes), cudaHostAllocPortable), "cudaHostAlloc");
    if (status != TC_OK) return status;
    recording->pinned.push_back(kept);
    std::memcpy(kept, host, size_t(a->bytes));
    host = kept;
  }
  return copy(TC_PTR(void, a->dst), host, a->bytes, cudaMemcpyHostToDevice, false);
}

TC_EXPORT(tc_copy_d2h) int32_t tc_copy_d2h(const tc_memcpy_args *a, void *host) {
  return copy(host, TC_PTR(const void, a->src), a->bytes, cudaMemcpyDeviceToHost, true);
}

// cudaMemcpyDefault finds out from the addresses which devices take part.
TC_EXPORT(tc_copy_d2d) int32_t tc_copy_d2d(const tc_memcpy_args *a) {
  return copy(TC_PTR(void, a->dst), TC_PTR(const void, a->src), a->bytes, cudaMemcpyDefault, false);
}

TC_EXPORT(tc_copy_h2d_pinned) int32_t tc_copy_h2d_pinned(const tc_memcpy_args *a) {
  return copy(TC_PTR(void, a->dst), TC_PTR(const void, a->src), a->bytes, cudaMemcpyHostToDevice, false);
}

TC_EXPORT(tc_copy_d2h_pinned) int32_t tc_copy_d2h_pinned(const tc_memcpy_args *a) {
  return copy(TC_PTR(void, a->dst), TC_PTR(const void, a->src), a->bytes, cudaMemcpyDeviceToHost, false);
}

TC_EXPORT(tc_memset) int32_t tc_memset(const tc_memset_args *a) {
  int32_t status;
  Device *const device = current_device(&status);
  if (status != TC_OK || a->bytes == 0) return status;
  return check(cudaMemsetAsync(TC_PTR(void, a->dst), int(a->value), size_t(a->bytes), current_stream(device)),
               "cudaMemsetAsync");
}

TC_EXPORT(tc_synchronize) int32_t tc_synchronize(const void *) {
  int32_t status;
  Device *const device = current_device(&status);
  return status != TC_OK ? status : after_wait(cudaDeviceSynchronize(), "cudaDeviceSynchronize", device);
}

namespace {

cudaStream_t as_stream(uint64_t address) { return TC_PTR(std::remove_pointer_t<cudaStream_t>, address); }
cudaEvent_t as_event(uint64_t address) { return TC_PTR(std::remove_pointer_t<cudaEvent_t>, address); }

int32_t query(cudaError_t error, const char *what, int64_t *done) {
  *done = error == cudaSuccess;
  if (error != cudaErrorNotReady) return check(error, what);
  cudaGetLastError();  // "not ready" is an answer
  return TC_OK;
}

}  // namespace

TC_EXPORT(tc_stream_create) int32_t tc_stream_create(tc_stream_args *a) {
  cudaStream_t stream = nullptr;
  const int32_t status = check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  a->stream = uint64_t(uintptr_t(stream));
  return status;
}

TC_EXPORT(tc_stream_destroy) int32_t tc_stream_destroy(const tc_stream_args *a) {
  for (cudaStream_t &stream : streams)
    if (stream == as_stream(a->stream)) stream = nullptr;
  return check(cudaStreamDestroy(as_stream(a->stream)), "cudaStreamDestroy");
}

TC_EXPORT(tc_graph_begin) int32_t tc_graph_begin(const void *) {
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return status;
  auto graph = std::make_unique<Graph>();
  status = check(cudaStreamCreateWithFlags(&graph->stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  if (status == TC_OK) status = check(cudaStreamBeginCapture(graph->stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  if (status != TC_OK) return status;
  graph->before = streams[device->number];
  streams[device->number] = graph->stream;
  recording = std::move(graph);
  return TC_OK;
}

TC_EXPORT(tc_graph_end) int32_t tc_graph_end(tc_graph_args *a) {
  a->graph = 0;
  std::unique_ptr<Graph> graph = std::move(recording);
  if (!graph) return check(cudaErrorInvalidValue, "tc_graph_end without tc_graph_begin");
  streams[current] = graph->before;
  cudaGraph_t recorded = nullptr;
  int32_t status = check(cudaStreamEndCapture(graph->stream, &recorded), "cudaStreamEndCapture");
  if (status == TC_OK) status = check(cudaGraphInstantiate(&graph->exec, recorded, 0), "cudaGraphInstantiate");
  if (recorded) cudaGraphDestroy(recorded);
  if (status == TC_OK) a->graph = uint64_t(uintptr_t(graph.release()));
  return status;
}

TC_EXPORT(tc_graph_launch) int32_t tc_graph_launch(const tc_graph_args *a) {
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return status;
  return check(cudaGraphLaunch(TC_PTR(Graph, a->graph)->exec, current_stream(device)), "cudaGraphLaunch");
}

TC_EXPORT(tc_graph_destroy) int32_t tc_graph_destroy(const tc_graph_args *a) {
  const int32_t status = check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  delete TC_PTR(Graph, a->graph);
  return status;
}

TC_EXPORT(tc_stream_set) int32_t tc_stream_set(const tc_stream_args *a) {
  streams[current] = as_stream(a->stream);
  return TC_OK;
}

TC_EXPORT(tc_stream_synchronize) int32_t tc_stream_synchronize(const tc_stream_args *a) {
  int32_t status;
  Device *const device = current_device(&status);
  if (status != TC_OK) return status;
  return after_wait(cudaStreamSynchronize(as_stream(a->stream)), "cudaStreamSynchronize", device);
}

TC_EXPORT(tc_stream_query) int32_t tc_stream_query(tc_stream_args *a) {
  return query(cudaStreamQuery(as_stream(a->stream)), "cudaStreamQuery", &a->done);
}

TC_EXPORT(tc_event_create) int32_t tc_event_create(tc_event_args *a) {
  cudaEvent_t event = nullptr;
  const unsigned flags = a->timing ? cudaEventDefault : cudaEventDisableTiming;
  const int32_t status = check(cudaEventCreateWithFlags(&event, flags), "cudaEventCreateWithFlags");
  a->event = uint64_t(uintptr_t(event));
  return status;
}

TC_EXPORT(tc_event_destroy) int32_t tc_event_destroy(const tc_event_args *a) {
  return check(cudaEventDestroy(as_event(a->event)), "cudaEventDestroy");
}

TC_EXPORT(tc_event_record) int32_t tc_event_record(const tc_event_args *a) {
  return check(cudaEventRecord(as_event(a->event), as_stream(a->stream)), "cudaEventRecord");
}

TC_EXPORT(tc_event_wait) int32_t tc_event_wait(const tc_event_args *a) {
  return check(cudaStreamWaitEvent(as_stream(a->stream), as_event(a->event), 0), "cudaStreamWaitEvent");
}

TC_EXPORT(tc_event_synchronize) int32_t tc_event_synchronize(const tc_event_args *a) {
  int32_t status;
  Device *const device = current_device(&status);
  if (status != TC_OK) return status;
  return after_wait(cudaEventSynchronize(as_event(a->event)), "cudaEventSynchronize", device);
}

TC_EXPORT(tc_event_query) int32_t tc_event_query(tc_event_args *a) {
  return query(cudaEventQuery(as_event(a->event)), "cudaEventQuery", &a->done);
}

TC_EXPORT(tc_event_elapsed) int32_t tc_event_elapsed(tc_event_elapsed_args *a) {
  float milliseconds = 0;
  const int32_t status =
      check(cudaEventElapsedTime(&milliseconds, as_event(a->start), as_event(a->end)), "cudaEventElapsedTime");
  a->milliseconds = milliseconds;
  return status;
}
