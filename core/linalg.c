// Factorisations: tc_linalg.h. Matrices of a batch are spread over threads; each is factorised by one of them.
#include <math.h>
#include <stddef.h>

#include "parallel.h"
#include "status.h"

#define R float
#define F(x) x##_f32
#define MAGNITUDE(x) fabsf(x)
#include "linalg_impl.h"
#undef R
#undef F
#undef MAGNITUDE
#define R double
#define F(x) x##_f64
#define MAGNITUDE(x) fabs(x)
#include "linalg_impl.h"
#undef R
#undef F
#undef MAGNITUDE

typedef enum { LU, LU_SOLVE, CHOLESKY, GEQRF, ORGQR, TRIANGULAR } factorisation;

typedef struct {
  const tc_linalg_args *a;
  factorisation what;
} job;

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const tc_linalg_args *a = j->a;
  const int64_t m = a->m, n = a->n, k = a->k, steps = m < n ? m : n;
  for (int64_t i = begin; i < end; i++) {
    int32_t *pivots = a->pivots ? TC_PTR(int32_t, a->pivots) + i * steps : NULL;
    int32_t info = 0;
#define RUN(R, suffix)                                                                       \
  {                                                                                          \
    R *x = TC_PTR(R, a->a) + i * m * n, *b = TC_PTR(R, a->b) + i * n * k;                     \
    R *tau = TC_PTR(R, a->tau) + i * (j->what == ORGQR ? k : steps);                          \
    switch (j->what) {                                                                       \
      case LU: info = lu_##suffix(x, m, n, pivots); break;                                    \
      case LU_SOLVE: lu_solve_##suffix(x, b, n, k, pivots); break;                            \
      case CHOLESKY: info = cholesky_##suffix(x, n); break;                                   \
      case GEQRF: geqrf_##suffix(x, m, n, tau); break;                                        \
      case ORGQR: orgqr_##suffix(x, m, n, k, tau); break;                                     \
      case TRIANGULAR: triangular_##suffix(x, b, n, k, a->upper, a->unit); break;             \
    }                                                                                        \
  }
    if (a->dtype == TC_F32) RUN(float, f32)
    else RUN(double, f64)
#undef RUN
    if (a->info) TC_PTR(int32_t, a->info)[i] = info;
  }
}

static int32_t launch(const tc_linalg_args *a, factorisation what) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  job j = {a, what};
  const int64_t work = a->m * a->n * (a->n + a->k + 1);
  tc_parallel_for(a->batch, work > 16384 ? 1 : 16384 / (work + 1) + 1, run, &j);
  return TC_OK;
}

int32_t tc_lu(const tc_linalg_args *a) { return launch(a, LU); }
int32_t tc_lu_solve(const tc_linalg_args *a) { return launch(a, LU_SOLVE); }
int32_t tc_cholesky(const tc_linalg_args *a) { return launch(a, CHOLESKY); }
int32_t tc_geqrf(const tc_linalg_args *a) { return launch(a, GEQRF); }
int32_t tc_orgqr(const tc_linalg_args *a) { return launch(a, ORGQR); }
int32_t tc_triangular_solve(const tc_linalg_args *a) { return launch(a, TRIANGULAR); }
