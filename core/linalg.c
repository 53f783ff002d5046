// The launchers of tc_linalg.h: batches over threads, or one matrix after the other with all threads inside.
#include "linalg.h"

#include "parallel.h"
#include "status.h"

// Multiply-adds from which a matrix may have the threads to itself, where the batch does not fill them.
#define LARGE ((int64_t)1 << 20)
// Multiply-adds worth sending to another thread.
#define GRAIN 16384

typedef struct {
  const tc_linalg_args *a;
  tc_linalg_routine routine;
  int64_t bytes;  // workspace of one thread
} job;

static int64_t work(const tc_linalg_args *a) {
  const int64_t steps = a->m < a->n ? a->m : a->n;
  return a->m * a->n * (steps + a->k + 1);
}

static int64_t room(const tc_linalg_args *a, tc_linalg_routine routine) {
  ptrdiff_t bytes = 0;
  if (a->batch > 0) routine(a, 0, (tc_arena){0}, &bytes);
  return bytes;
}

// Is a thread given whole matrices?
static bool by_matrix(const tc_linalg_args *a) { return a->batch >= tc_num_threads() || work(a) < LARGE; }

// Workspaces: a matrix alone is worked on by the calling thread, whose number is 0.
static int64_t threads(const tc_linalg_args *a) { return a->batch > 1 && by_matrix(a) ? tc_num_threads() : 1; }

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  const job *j = ctx;
  const tc_linalg_args *a = j->a;
  for (int64_t i = begin; i < end; i++) {
    const tc_arena arena = {(uintptr_t)a->scratch + (uintptr_t)(thread * j->bytes)};
    const int32_t info = j->routine(a, i, arena, NULL);
    if (a->info) TC_PTR(int32_t, a->info)[i] = info;
  }
}

static tc_linalg_routine of_dtype(const tc_linalg_args *a, tc_linalg_routine f32, tc_linalg_routine f64) {
  return a->dtype == TC_F32 ? f32 : a->dtype == TC_F64 ? f64 : NULL;
}

static int32_t launch(const tc_linalg_args *a, tc_linalg_routine routine) {
  if (routine == NULL) return tc_unsupported(a->dtype);
  job j = {a, routine, room(a, routine)};
  if (by_matrix(a)) {
    const int64_t one = work(a);
    const int64_t grain = one >= GRAIN ? 1 : GRAIN / (one + 1) + 1;
    tc_parallel_for(a->batch, grain, run, &j);
  } else {
    run(&j, 0, a->batch, 0);
  }
  return TC_OK;
}

#define KERNEL(name)                                                                                   \
  int32_t tc_##name(const tc_linalg_args *a) {                                                         \
    return launch(a, of_dtype(a, tc_linalg_##name##_f32, tc_linalg_##name##_f64));                     \
  }                                                                                                    \
  int64_t tc_##name##_scratch(const tc_linalg_args *a) {                                               \
    const tc_linalg_routine routine = of_dtype(a, tc_linalg_##name##_f32, tc_linalg_##name##_f64);     \
    return routine == NULL ? 0 : room(a, routine) * threads(a);                                         \
  }
TC_LINALG_ROUTINES(KERNEL)
