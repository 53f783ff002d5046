// Splitting a kernel's work over the thread pool; without threads it is a plain call.
#ifndef TC_PARALLEL_H
#define TC_PARALLEL_H

#include <stdint.h>

// Runs body(ctx, begin, end) over [0, n) in chunks of at least `grain`, on the calling thread and the pool, and
// returns when all is done. `thread` is 0 .. tc_num_threads() - 1: which private workspace to use.
typedef void (*tc_range_fn)(void *ctx, int64_t begin, int64_t end, int thread);
void tc_parallel_for(int64_t n, int64_t grain, tc_range_fn body, void *ctx);

// Threads that a parallel_for may use now (1 while the pool is not up).
int tc_num_threads(void);

#endif
