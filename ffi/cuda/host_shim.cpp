// Devices, memory, streams and events of the host device; see host_shim.h.
#include "host_shim.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "host_fibers.h"

// Recorded work. A launch that reads device memory through the host's eyes (a wait) makes it worthless.
struct tc_shim_graph {
  std::vector<std::function<void()>> work;
  bool broken = false;
};

// Work in the order in which it was asked for. Ticket n is done when `done` has reached n.
struct tc_shim_stream {
  int device;
  uint64_t issued = 0, done = 0;
  std::deque<std::function<void()>> work;
  tc_shim_graph *recording = nullptr;  // work goes here instead
};

struct tc_shim_event {
  bool timing;
  tc_shim_stream *stream = nullptr;  // where it was recorded
  uint64_t ticket = 0;
  double time = 0;
};

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

constexpr int kPinned = -1;  // the "device" of page-locked host memory
struct Allocation { size_t bytes; int device; };

struct Options {
  bool reverse = false, deferred = false;
  int devices = 2;
  size_t memory = size_t(2) << 30;
  Options() {
    const char *text = std::getenv("TSTORCH_HOST_DEVICE");
    std::string words = text ? text : "";
    for (size_t at = 0; at < words.size();) {
      size_t end = words.find_first_of(" ,", at);
      if (end == std::string::npos) end = words.size();
      const std::string word = words.substr(at, end - at);
      if (word == "reverse") reverse = true;
      else if (word == "deferred") deferred = true;
      else if (word.rfind("devices=", 0) == 0) devices = std::atoi(word.c_str() + 8);
      else if (word.rfind("memory=", 0) == 0) memory = size_t(std::atoll(word.c_str() + 7));
      else if (!word.empty())
        std::fprintf(stderr, "TSTORCH_HOST_DEVICE: unknown word \"%s\"\n", word.c_str());
      at = end + 1;
    }
  }
};

// One set of devices for the process. Never destroyed: fibers and streams may outlive static destructors.
struct Machine {
  std::recursive_mutex mutex;
  Options options;
  std::map<uintptr_t, Allocation> allocations;
  std::vector<size_t> used = std::vector<size_t>(size_t(options.devices > 0 ? options.devices : 0));
  std::vector<std::unique_ptr<tc_shim_stream>> defaults;
  std::set<tc_shim_stream *> streams;
  std::set<tc_shim_event *> events;
  Machine() {
    for (int d = 0; d < options.devices; d++)
      defaults.push_back(std::make_unique<tc_shim_stream>(tc_shim_stream{d, 0, 0, {}, nullptr}));
  }
};

Machine &machine() {
  static Machine *const instance = new Machine;
  return *instance;
}

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t fail(cudaError_t error) { return last_error = error; }

double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

tc_shim_stream *resolve(cudaStream_t stream) {
  Machine &m = machine();
  if (!stream) return current_device < m.options.devices ? m.defaults[size_t(current_device)].get() : nullptr;
  return m.streams.count(stream) ? stream : nullptr;
}

bool alive(tc_shim_stream *stream) {
  for (const auto &own : machine().defaults)
    if (own.get() == stream) return true;
  return machine().streams.count(stream) > 0;
}

void drain(tc_shim_stream *stream, uint64_t ticket) {
  while (stream->done < ticket && !stream->work.empty()) {
    const std::function<void()> next = std::move(stream->work.front());
    stream->work.pop_front();
    next();
    stream->done++;
  }
}

uint64_t enqueue(tc_shim_stream *stream, std::function<void()> work) {
  if (stream->recording) {
    stream->recording->work.push_back(std::move(work));
    return stream->issued;
  }
  stream->work.push_back(std::move(work));
  const uint64_t ticket = ++stream->issued;
  if (!machine().options.deferred) drain(stream, ticket);
  return ticket;
}

void drain_device(int device) {
  Machine &m = machine();
  drain(m.defaults[size_t(device)].get(), m.defaults[size_t(device)]->issued);
  for (tc_shim_stream *stream : m.streams)
    if (stream->device == device) drain(stream, stream->issued);
}

// The allocation that holds all of [address, address + bytes), or none.
const Allocation *find(const void *address, size_t bytes) {
  const auto at = uintptr_t(address);
  auto next = machine().allocations.upper_bound(at);
  if (next == machine().allocations.begin()) return nullptr;
  --next;
  return at + bytes <= next->first + next->second.bytes ? &next->second : nullptr;
}
bool on_device(const void *address, size_t bytes) {
  const Allocation *const a = find(address, bytes);
  return a && a->device != kPinned;
}
bool pinned(const void *address, size_t bytes) {
  const Allocation *const a = find(address, bytes);
  return a && a->device == kPinned;
}

// Waiting for a stream that records is an error, and spoils the record.
cudaError_t refuse(tc_shim_stream *stream) {
  stream->recording->broken = true;
  return fail(cudaErrorStreamCaptureUnsupported);
}

cudaError_t allocate(void **address, size_t bytes, int device) {
  void *const p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!p) return fail(cudaErrorMemoryAllocation);
  std::memset(p, 0xff, bytes);  // fresh memory holds NaN: reading it shows
  machine().allocations[uintptr_t(p)] = {bytes, device};
  *address = p;
  return cudaSuccess;
}

cudaError_t release(void *address, bool device_memory) {
  Machine &m = machine();
  const auto at = m.allocations.find(uintptr_t(address));
  if (at == m.allocations.end() || (at->second.device != kPinned) != device_memory) return fail(cudaErrorInvalidValue);
  for (int d = 0; d < m.options.devices; d++) drain_device(d);
  if (device_memory) m.used[size_t(at->second.device)] -= at->second.bytes;
  m.allocations.erase(at);
  std::free(address);
  return cudaSuccess;
}

}  // namespace

void tc_shim::enqueue_kernel(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void()> body) {
  const Lock lock(machine().mutex);
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  const bool valid = threads > 0 && threads <= 1024 && block.z <= 64 && grid.x > 0 && grid.x <= 0x7fffffffu &&
                     grid.y > 0 && grid.y <= 65535 && grid.z > 0 && grid.z <= 65535 && shared <= kSharedBytes;
  tc_shim_stream *const queue = resolve(stream);
  if (!valid || !queue) {
    fail(valid ? cudaErrorInvalidResourceHandle : cudaErrorInvalidConfiguration);
    return;
  }
  const bool reverse = machine().options.reverse;
  enqueue(queue, [=, body = std::move(body)] { run_grid(grid, block, shared, reverse, body); });
}

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
  }
  return "cudaErrorUnknown";
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorNotReady: return "device not ready";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
  }
  return "unknown error";
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
  *count = machine().options.devices;
  return *count > 0 ? cudaSuccess : fail(cudaErrorNoDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
  const Options &options = machine().options;
  if (device < 0 || device >= options.devices) return fail(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "tstorch host device");
  properties->totalGlobalMem = options.memory;
  properties->sharedMemPerBlock = tc_shim::kSharedBytes;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->multiProcessorCount = 2;  // few blocks: they run one after another
  properties->l2CacheSize = 1 << 20;
  properties->pciBusID = device + 1;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= machine().options.devices) return fail(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  const Lock lock(machine().mutex);
  if (!resolve(nullptr)) return fail(cudaErrorNoDevice);
  drain_device(current_device);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
  const Lock lock(machine().mutex);
  if (!resolve(nullptr)) return fail(cudaErrorNoDevice);
  *total_bytes = machine().options.memory;
  *free_bytes = *total_bytes - machine().used[size_t(current_device)];
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **address, size_t bytes) {
  const Lock lock(machine().mutex);
  Machine &m = machine();
  if (!resolve(nullptr)) return fail(cudaErrorNoDevice);
  size_t &used = m.used[size_t(current_device)];
  if (bytes > m.options.memory - used) return fail(cudaErrorMemoryAllocation);
  const cudaError_t error = allocate(address, bytes, current_device);
  if (error == cudaSuccess) used += bytes;
  return error;
}

cudaError_t cudaFree(void *address) {
  const Lock lock(machine().mutex);
  return address ? release(address, true) : cudaSuccess;
}

cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned) {
  const Lock lock(machine().mutex);
  return allocate(address, bytes, kPinned);
}

cudaError_t cudaFreeHost(void *address) {
  const Lock lock(machine().mutex);
  return address ? release(address, false) : cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned) {
  const Lock lock(machine().mutex);
  if (!pinned(host, 1)) return fail(cudaErrorInvalidValue);
  *device = host;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue) return fail(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  const bool dst_device = on_device(dst, bytes), src_device = on_device(src, bytes);
  const bool valid = kind == cudaMemcpyHostToDevice     ? dst_device && !src_device
                     : kind == cudaMemcpyDeviceToHost   ? src_device && !dst_device
                     : kind == cudaMemcpyDeviceToDevice ? dst_device && src_device
                                                        : dst_device || src_device;
  if (!valid) return fail(cudaErrorInvalidValue);
  if (!src_device && !pinned(src, bytes)) {  // pageable: taken over before the call returns
    const auto *const first = static_cast<const char *>(src);
    enqueue(queue, [dst, bytes, staged = std::vector<char>(first, first + bytes)] {
      std::memcpy(dst, staged.data(), bytes);
    });
    return cudaSuccess;
  }
  if (queue->recording && !dst_device && !pinned(dst, bytes)) return refuse(queue);
  const uint64_t ticket = enqueue(queue, [=] { std::memmove(dst, src, bytes); });
  if (!dst_device && !pinned(dst, bytes)) drain(queue, ticket);  // pageable: there when the call returns
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue) return fail(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  if (!on_device(dst, bytes)) return fail(cudaErrorInvalidValue);
  enqueue(queue, [=] { std::memset(dst, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  const Lock lock(machine().mutex);
  if (!resolve(nullptr)) return fail(cudaErrorNoDevice);
  *stream = new tc_shim_stream{current_device, 0, 0, {}, nullptr};
  machine().streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (!stream || !resolve(stream)) return fail(cudaErrorInvalidResourceHandle);
  drain(stream, stream->issued);
  for (tc_shim_event *event : machine().events)
    if (event->stream == stream) event->stream = nullptr;
  machine().streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue) return fail(cudaErrorInvalidResourceHandle);
  if (queue->recording) return refuse(queue);
  drain(queue, queue->issued);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(machine().mutex);
  if (!stream || !resolve(stream)) return fail(cudaErrorStreamCaptureUnsupported);  // as CUDA's default stream
  stream->recording = new tc_shim_graph;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  const Lock lock(machine().mutex);
  *graph = nullptr;
  if (!stream || !resolve(stream) || !stream->recording) return fail(cudaErrorInvalidValue);
  std::unique_ptr<tc_shim_graph> recorded(stream->recording);
  stream->recording = nullptr;
  if (recorded->broken) return fail(cudaErrorStreamCaptureInvalidated);
  *graph = recorded.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  *exec = new tc_shim_graph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue) return fail(cudaErrorInvalidResourceHandle);
  for (const auto &work : exec->work) enqueue(queue, work);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue) return fail(cudaErrorInvalidResourceHandle);
  return queue->done == queue->issued ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue || !machine().events.count(event)) return fail(cudaErrorInvalidResourceHandle);
  tc_shim_stream *const source = event->stream;
  const uint64_t ticket = event->ticket;
  if (source && source != queue)
    enqueue(queue, [=] {
      if (alive(source)) drain(source, ticket);
    });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  const Lock lock(machine().mutex);
  *event = new tc_shim_event{!(flags & cudaEventDisableTiming)};
  machine().events.insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  if (!machine().events.count(event)) return fail(cudaErrorInvalidResourceHandle);
  if (event->stream) drain(event->stream, event->ticket);
  machine().events.erase(event);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  tc_shim_stream *const queue = resolve(stream);
  if (!queue || !machine().events.count(event)) return fail(cudaErrorInvalidResourceHandle);
  event->stream = queue;
  event->ticket = enqueue(queue, [event] { event->time = now(); });
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  if (!machine().events.count(event)) return fail(cudaErrorInvalidResourceHandle);
  if (event->stream) drain(event->stream, event->ticket);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  if (!machine().events.count(event)) return fail(cudaErrorInvalidResourceHandle);
  return !event->stream || event->stream->done >= event->ticket ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(machine().mutex);
  if (!machine().events.count(start) || !machine().events.count(end)) return fail(cudaErrorInvalidResourceHandle);
  if (!start->timing || !end->timing || start->ticket == 0 || end->ticket == 0)
    return fail(cudaErrorInvalidResourceHandle);
  if (cudaEventQuery(start) != cudaSuccess || cudaEventQuery(end) != cudaSuccess) return cudaErrorNotReady;
  *milliseconds = float(end->time - start->time);
  return cudaSuccess;
}
