// The thread pool: every element exactly once, thread numbers in range, nesting, small jobs in a hurry, jobs after a
// pause in which the workers fell asleep.
#include <stdatomic.h>
#include <unistd.h>

#include "../parallel.h"
#include "harness.h"

static _Atomic int32_t marks[100003];
static _Atomic int64_t calls;
static _Atomic bool bad_thread, bad_range;

static void mark(void *ctx, int64_t begin, int64_t end, int thread) {
  const int64_t grain = *(const int64_t *)ctx;
  if (thread < 0 || thread >= tc_num_threads()) atomic_store(&bad_thread, true);
  if (begin < 0 || end > 100003 || begin >= end) atomic_store(&bad_range, true);
  if (end - begin < grain && end != 100003) atomic_store(&bad_range, true);
  for (int64_t i = begin; i < end; i++) atomic_fetch_add(&marks[i], 1);
  atomic_fetch_add(&calls, 1);
}

static void every_element_once(void) {
  for (int64_t grain = 1; grain <= 200000; grain = grain * 7 + 3) {
    memset((void *)marks, 0, sizeof marks);
    calls = 0;
    tc_parallel_for(100003, grain, mark, &grain);
    int64_t wrong = 0;
    for (int64_t i = 0; i < 100003; i++) wrong += marks[i] != 1;
    CHECK_EQ(wrong, 0);
    CHECK(calls <= 100003 / grain + 1, "%" PRId64 " calls", (int64_t)calls);
    if (grain > 100003) CHECK_EQ(calls, 1);
  }
  CHECK(!bad_thread);
  CHECK(!bad_range);
  calls = 0;
  int64_t one = 1;
  tc_parallel_for(0, 1, mark, &one);
  tc_parallel_for(-5, 1, mark, &one);
  CHECK_EQ(calls, 0);
}

// Plain memory: the pool itself must order the caller's writes before the bodies and theirs before its return.
static int64_t squares[64];
static void square(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  for (int64_t i = begin; i < end; i++) squares[i] = *(const int64_t *)ctx * i;
}

static void many_small_jobs(void) {
  int64_t wrong = 0;
  for (int64_t job = 0; job < 20000; job++) {
    tc_parallel_for(1 + job % 64, 1, square, &job);
    for (int64_t i = 0; i < 1 + job % 64; i++) wrong += squares[i] != job * i;
  }
  CHECK_EQ(wrong, 0);
}

static void after_sleep(void) {
  int64_t wrong = 0;
  for (int64_t job = 1; job < 20; job++) {
    usleep(2000);
    tc_parallel_for(64, 1, square, &job);
    for (int64_t i = 0; i < 64; i++) wrong += squares[i] != job * i;
  }
  CHECK_EQ(wrong, 0);
}

static void inner(void *ctx, int64_t begin, int64_t end, int thread) {
  int64_t *sum = ctx;
  if (thread != (int)sum[1]) atomic_store(&bad_thread, true);
  for (int64_t i = begin; i < end; i++) sum[0] += i;
}
static void outer(void *ctx, int64_t begin, int64_t end, int thread) {
  for (int64_t i = begin; i < end; i++) {
    int64_t sum[2] = {0, thread};  // private: the nested call must stay on this thread, as one piece
    tc_parallel_for(1000, 1, inner, sum);
    ((int64_t *)ctx)[i] = sum[0];
  }
}

static void nested(void) {
  int64_t sums[200];
  tc_parallel_for(200, 1, outer, sums);
  int64_t wrong = 0;
  for (int i = 0; i < 200; i++) wrong += sums[i] != 499500;
  CHECK_EQ(wrong, 0);
  CHECK(!bad_thread);
}

static _Atomic int64_t seen_threads;
static void who(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)ctx, (void)begin, (void)end;
  atomic_fetch_or(&seen_threads, (int64_t)1 << thread);
  usleep(200);
}

static void limits(void) {
  const int all = tc_num_threads();
  CHECK(all >= 2, "TSTORCH_NUM_THREADS must be at least 2 here");
  seen_threads = 0;
  tc_parallel_for(200, 1, who, NULL);
  CHECK_EQ(seen_threads, ((int64_t)1 << all) - 1);
  for (int limit = 1; limit <= all; limit++) {
    CHECK_EQ(tc_pool_sync(limit), limit);
    seen_threads = 0;
    tc_parallel_for(200, 1, who, NULL);
    CHECK_EQ(seen_threads, ((int64_t)1 << limit) - 1);
  }
  CHECK_EQ(tc_pool_sync(TC_MAX_THREADS), all);
}

static void stop(void) {
  int64_t job = 3;
  tc_pool_stop();
  CHECK_EQ(tc_num_threads(), 1);
  tc_parallel_for(64, 1, square, &job);
  CHECK_EQ(squares[63], 3 * 63);
}

int main(void) {
  every_element_once();
  many_small_jobs();
  after_sleep();
  nested();
  limits();
  stop();
  return test_end();
}
