// Runs a block of threads as fibers on one processor thread; see host_shim.h.
#include "host_fibers.h"

#include <sys/mman.h>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "host_shim.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace tc_shim {
namespace {

constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kGuardBytes = 4096;
constexpr int kWarp = 32;

void fiber_main();

// A context is a stack and where it stopped.
#if defined(__x86_64__)
struct Context { void *stack_pointer = nullptr; };

// Saves what the System V ABI asks a callee to keep, swaps stacks, restores.
extern "C" void tc_shim_switch(void **save, void *load);
__asm__(
    ".text\n.p2align 4\n.hidden tc_shim_switch\n.globl tc_shim_switch\n.type tc_shim_switch,@function\n"
    "tc_shim_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size tc_shim_switch, .-tc_shim_switch\n");

void switch_context(Context &from, Context &to) { tc_shim_switch(&from.stack_pointer, to.stack_pointer); }

void prepare(Context &context, char *stack) {
  // Six registers, then the address that `ret` takes; a slot above it keeps the stack aligned as after a call.
  void **top = reinterpret_cast<void **>(stack + kStackBytes) - 2;
  top[0] = reinterpret_cast<void *>(&fiber_main);
  context.stack_pointer = top - 6;
}
#else
struct Context { ucontext_t machine; };

void switch_context(Context &from, Context &to) { swapcontext(&from.machine, &to.machine); }

void prepare(Context &context, char *stack) {
  getcontext(&context.machine);
  context.machine.uc_stack.ss_sp = stack;
  context.machine.uc_stack.ss_size = kStackBytes;
  context.machine.uc_link = nullptr;
  makecontext(&context.machine, fiber_main, 0);
}
#endif

struct Fiber {
  Context context;
  unsigned thread = 0;
};

struct Warp {
  unsigned live = 0, arrived = 0, phase = 0;
  uint32_t present = 0;
  // Of two phases, so that a fast lane cannot change what a slow one still reads.
  uint64_t value[2][kWarp];
  uint32_t took_part[2];
  std::vector<Fiber *> waiting;
};

// All state of the block that runs now.
struct Block {
  const std::function<void()> *body = nullptr;
  bool reverse = false;
  unsigned threads = 0, started = 0, live = 0, arrived = 0;
  std::vector<Warp> warps;
  std::vector<Fiber *> waiting, ready, idle;
  std::vector<std::unique_ptr<Fiber>> fibers;
  Context scheduler;
  Fiber *current = nullptr;
  std::unique_ptr<unsigned char[]> dynamic;
} block;

void enter_thread(unsigned thread) {
  threadIdx.x = thread % blockDim.x;
  threadIdx.y = thread / blockDim.x % blockDim.y;
  threadIdx.z = thread / blockDim.x / blockDim.y;
}

void make_ready(std::vector<Fiber *> &waiting) {
  block.ready.insert(block.ready.end(), waiting.begin(), waiting.end());
  waiting.clear();
}

void wait_in(std::vector<Fiber *> &waiting) {
  Fiber *const self = block.current;
  waiting.push_back(self);
  switch_context(self->context, block.scheduler);
  enter_thread(self->thread);
}

bool release_block() {
  if (block.arrived == 0 || block.arrived != block.live) return false;
  block.arrived = 0;
  make_ready(block.waiting);
  return true;
}

bool release_warp(Warp &warp) {
  if (warp.arrived == 0 || warp.arrived != warp.live) return false;
  warp.arrived = 0;
  warp.took_part[warp.phase] = warp.present;
  warp.phase ^= 1;
  make_ready(warp.waiting);
  return true;
}

void end_thread(unsigned thread) {
  Warp &warp = block.warps[thread / kWarp];
  block.live--;
  warp.live--;
  warp.present &= ~(1u << thread % kWarp);
  release_warp(warp);
  release_block();
}

void fiber_main() {
  for (;;) {
    Fiber *const self = block.current;
    while (block.started < block.threads) {
      const unsigned order = block.started++;
      self->thread = block.reverse ? block.threads - 1 - order : order;
      enter_thread(self->thread);
      (*block.body)();
      end_thread(self->thread);
    }
    block.idle.push_back(self);
    switch_context(self->context, block.scheduler);
  }
}

Fiber *new_fiber() {
  if (!block.idle.empty()) {
    Fiber *const fiber = block.idle.back();
    block.idle.pop_back();
    return fiber;
  }
  void *const stack = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) {
    std::fprintf(stderr, "tstorch host device: no memory for the stack of a thread\n");
    std::abort();
  }
  mprotect(stack, kGuardBytes, PROT_NONE);  // an overflow faults instead of writing elsewhere
  block.fibers.push_back(std::make_unique<Fiber>());
  Fiber *const fiber = block.fibers.back().get();
  prepare(fiber->context, static_cast<char *>(stack) + kGuardBytes);
  return fiber;
}

void run_block() {
  const unsigned threads = block.threads, warps = (threads + kWarp - 1) / kWarp;
  block.started = block.arrived = 0;
  block.live = threads;
  if (block.warps.size() < warps) block.warps.resize(warps);
  for (unsigned w = 0; w < warps; w++) {
    Warp &warp = block.warps[w];
    warp.live = threads - w * kWarp < kWarp ? threads - w * kWarp : kWarp;
    warp.arrived = warp.phase = 0;
    warp.present = warp.live == kWarp ? 0xffffffffu : (1u << warp.live) - 1;
  }
  while (block.live > 0) {
    if (!block.ready.empty()) {
      block.current = block.ready.back();
      block.ready.pop_back();
    } else if (block.started < threads) {
      block.current = new_fiber();
    } else {
      std::fprintf(stderr, "tstorch host device: threads of a block wait at different barriers\n");
      std::abort();
    }
    switch_context(block.scheduler, block.current->context);
  }
}

}  // namespace

void run_grid(dim3 grid, dim3 threads, size_t shared, bool reverse, const std::function<void()> &body) {
  gridDim = grid;
  blockDim = threads;
  block.body = &body;
  block.reverse = reverse;
  block.threads = threads.x * threads.y * threads.z;
  if (!block.dynamic) block.dynamic = std::make_unique<unsigned char[]>(kSharedBytes);
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = {x, y, z};
        std::memset(block.dynamic.get(), 0xff, shared);  // shared memory starts with no meaning (NaN)
        run_block();
      }
}

void *dynamic_shared() { return block.dynamic.get(); }

Exchange exchange(uint64_t value) {
  const unsigned thread = block.current->thread;
  Warp &warp = block.warps[thread / kWarp];
  const unsigned phase = warp.phase;
  warp.value[phase][thread % kWarp] = value;
  warp.arrived++;
  if (!release_warp(warp)) wait_in(warp.waiting);
  return {warp.value[phase], warp.took_part[phase]};
}

}  // namespace tc_shim

void __syncthreads() {
  using tc_shim::block;
  block.arrived++;
  if (!tc_shim::release_block()) tc_shim::wait_in(block.waiting);
}
