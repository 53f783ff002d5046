// tc_matmul: batches of products of any dtype. Real products are matmul_impl.h's; float16 and bfloat16 are converted to
// float32 whole and rounded once; integers have their own loops.
#include <stdbool.h>

#include "convert.h"
#include "include/tc.h"
#include "matmul.h"
#include "matmul_int.h"
#include "parallel.h"
#include "status.h"

// Batches of products at least this large (multiply-adds) are worked on one by one by all threads together, unless there
// are plenty of them; smaller ones are dealt out whole.
#define LARGE_PRODUCT (4 << 20)
#define PLENTY 8
// Multiply-adds worth sending to another thread.
#define GRAIN 65536

typedef struct {
  tc_matmul_args args;  // batch dimensions merged where they can be
  int64_t batch;        // products
  bool deal_out;        // whole products to threads
  int64_t scratch_each;
} plan;

// ---------------------------------------------------------------- half precision

// A matrix, row-major in the float32 workspace.
typedef struct {
  int64_t dtype, rows, cols, rs, cs;
  const uint16_t *half;  // or, when storing, the destination
  float *real;
} half_job;

#define RUN 512

// Converts rows [begin, end) to float32.
static void load_half(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const half_job *t = ctx;
  uint16_t run[RUN];
  for (int64_t i = begin; i < end; i++) {
    for (int64_t j = 0; j < t->cols; j += RUN) {
      const int64_t count = t->cols - j < RUN ? t->cols - j : RUN;
      const uint16_t *from = t->half + i * t->rs + j * t->cs;
      if (t->cs != 1) {
        tc_load_run(run, from, t->cs, count, 2);
        from = run;
      }
      tc_convert(t->real + i * t->cols + j, TC_F32, from, t->dtype, count);
    }
  }
}

static void store_half(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const half_job *t = ctx;
  uint16_t run[RUN];
  for (int64_t i = begin; i < end; i++) {
    for (int64_t j = 0; j < t->cols; j += RUN) {
      const int64_t count = t->cols - j < RUN ? t->cols - j : RUN;
      uint16_t *to = (uint16_t *)t->half + i * t->rs + j * t->cs;
      tc_convert(t->cs == 1 ? to : run, t->dtype, t->real + i * t->cols + j, TC_F32, count);
      if (t->cs != 1) tc_store_run(to, t->cs, run, count, 2);
    }
  }
}

static void convert_half(tc_range_fn body, half_job *job) {
  if (job->rows > 0 && job->cols > 0) tc_parallel_for(job->rows, 1 + 16384 / job->cols, body, job);
}

// A, B and bias as float32 matrices that keep the direction in which they were contiguous.
typedef struct {
  int64_t a, b, c, bias;  // elements of each in the workspace
} half_sizes;

static half_sizes sizes_of_half(const tc_matmul_args *s) {
  const int64_t bias = !s->bias ? 0 : (s->bias_rs ? s->m : 1) * (s->bias_cs ? s->n : 1);
  half_sizes z = {s->m * s->k, s->k * s->n, s->m * s->n, bias};
  z.a = (z.a + 15) & ~(int64_t)15, z.b = (z.b + 15) & ~(int64_t)15;
  z.c = (z.c + 15) & ~(int64_t)15, z.bias = (z.bias + 15) & ~(int64_t)15;
  return z;
}

static tc_product_f32 half_product(const tc_matmul_args *s) {
  const bool a_cols = s->a_cs != 1 && s->a_rs == 1, b_cols = s->b_cs != 1 && s->b_rs == 1;
  return (tc_product_f32){
      .m = (ptrdiff_t)s->m, .n = (ptrdiff_t)s->n, .k = (ptrdiff_t)s->k,
      .a_rs = a_cols ? 1 : (ptrdiff_t)s->k, .a_cs = a_cols ? (ptrdiff_t)s->m : 1,
      .b_rs = b_cols ? 1 : (ptrdiff_t)s->n, .b_cs = b_cols ? (ptrdiff_t)s->k : 1,
      .out = {.rs = (ptrdiff_t)s->n, .cs = 1, .alpha = (float)s->alpha, .beta = (float)s->beta,
              .bias_rs = s->bias_rs ? (s->bias_cs ? (ptrdiff_t)s->n : 1) : 0, .bias_cs = s->bias_cs ? 1 : 0,
              .act = (int)s->act},
  };
}

static int64_t half_scratch(const tc_matmul_args *s) {
  const half_sizes z = sizes_of_half(s);
  const tc_product_f32 p = half_product(s);
  return (z.a + z.b + z.c + z.bias) * 4 + tc_product_scratch_f32(&p);
}

// Converts one operand and returns it, with its rows along whichever direction is contiguous.
static const float *load_operand(const tc_matmul_args *s, const void *from, int64_t rows, int64_t cols, int64_t rs,
                                 int64_t cs, float *to) {
  const bool turned = cs != 1 && rs == 1;
  half_job job = {s->dtype, turned ? cols : rows, turned ? rows : cols, turned ? cs : rs, turned ? rs : cs, from, to};
  convert_half(load_half, &job);
  return to;
}

static void run_half(const tc_matmul_args *s, const void *a, const void *b, void *c, void *scratch) {
  const half_sizes z = sizes_of_half(s);
  float *to_a = scratch, *to_b = to_a + z.a, *to_c = to_b + z.b, *to_bias = to_c + z.c;
  tc_product_f32 p = half_product(s);
  p.a = load_operand(s, a, s->m, s->k, s->a_rs, s->a_cs, to_a);
  p.b = load_operand(s, b, s->k, s->n, s->b_rs, s->b_cs, to_b);
  p.out.c = to_c;
  half_job job = {s->dtype, s->m, s->n, s->c_rs, s->c_cs, c, to_c};
  if (s->beta != 0) convert_half(load_half, &job);
  if (s->bias) {
    const int64_t rows = s->bias_rs ? s->m : 1, cols = s->bias_cs ? s->n : 1;
    half_job bias = {s->dtype, rows, cols, s->bias_rs, s->bias_cs, TC_PTR(const uint16_t, s->bias), to_bias};
    convert_half(load_half, &bias);
    p.out.bias = to_bias;
  }
  tc_product_run_f32(&p, to_bias + z.bias);
  convert_half(store_half, &job);
}

// ---------------------------------------------------------------- one product

#define REAL_PRODUCT(R, T)                                                                                   \
  static tc_product_##T product_##T(const tc_matmul_args *s, const void *a, const void *b, void *c) {        \
    return (tc_product_##T){                                                                                 \
        .m = (ptrdiff_t)s->m, .n = (ptrdiff_t)s->n, .k = (ptrdiff_t)s->k, .a = a, .b = b,                    \
        .a_rs = (ptrdiff_t)s->a_rs, .a_cs = (ptrdiff_t)s->a_cs,                                              \
        .b_rs = (ptrdiff_t)s->b_rs, .b_cs = (ptrdiff_t)s->b_cs,                                              \
        .out = {.c = c, .rs = (ptrdiff_t)s->c_rs, .cs = (ptrdiff_t)s->c_cs,                                  \
                .alpha = (R)s->alpha, .beta = (R)s->beta, .bias = TC_PTR(const R, s->bias),                  \
                .bias_rs = (ptrdiff_t)s->bias_rs, .bias_cs = (ptrdiff_t)s->bias_cs, .act = (int)s->act},     \
    };                                                                                                       \
  }
REAL_PRODUCT(float, f32)
REAL_PRODUCT(double, f64)

static int64_t one_scratch(const tc_matmul_args *s) {
  switch (s->dtype) {
    case TC_F32: {
      const tc_product_f32 p = product_f32(s, NULL, NULL, NULL);
      return tc_product_scratch_f32(&p);
    }
    case TC_F64: {
      const tc_product_f64 p = product_f64(s, NULL, NULL, NULL);
      return tc_product_scratch_f64(&p);
    }
    case TC_F16:
    case TC_BF16: return half_scratch(s);
    default: return 0;
  }
}

static void run_one(const tc_matmul_args *s, const void *a, const void *b, void *c, void *scratch) {
  switch (s->dtype) {
    case TC_F32: {
      const tc_product_f32 p = product_f32(s, a, b, c);
      tc_product_run_f32(&p, scratch);
      break;
    }
    case TC_F64: {
      const tc_product_f64 p = product_f64(s, a, b, c);
      tc_product_run_f64(&p, scratch);
      break;
    }
    case TC_F16:
    case TC_BF16: run_half(s, a, b, c, scratch); break;
    default: tc_matmul_int(s, a, b, c);
  }
}

// ---------------------------------------------------------------- batches

// Merges the innermost batch dimension into the rows while every matrix of it shares B and the rows of A and C go on
// at the same stride: one tall product instead of many.
static void merge_batches(tc_matmul_args *s) {
  while (s->nbatch > 0) {
    const int64_t d = s->nbatch - 1, size = s->batch_shape[d];
    const bool shared_b = s->batch_b[d] == 0 && (!s->bias || s->bias_rs == 0) && s->batch_a[d] == s->m * s->a_rs &&
                          s->batch_c[d] == s->m * s->c_rs;
    if (size != 1 && !shared_b) return;
    s->m *= size;
    s->nbatch--;
  }
}

static plan make_plan(const tc_matmul_args *a) {
  plan p = {.args = *a, .batch = 1};
  merge_batches(&p.args);
  for (int64_t d = 0; d < p.args.nbatch; d++) p.batch *= p.args.batch_shape[d];
  const double work = (double)p.args.m * (double)p.args.n * (double)p.args.k;
  const int threads = tc_num_threads();
  p.deal_out = p.batch > 1 && threads > 1 && (work < LARGE_PRODUCT || p.batch >= PLENTY * threads);
  p.scratch_each = (one_scratch(&p.args) + 63) & ~(int64_t)63;
  return p;
}

int64_t tc_matmul_scratch(const tc_matmul_args *a) {
  const plan p = make_plan(a);
  return p.scratch_each * (p.deal_out ? tc_num_threads() : 1);
}

// Products [begin, end) of the batch.
static void run_batches(void *ctx, int64_t begin, int64_t end, int thread) {
  const plan *p = ctx;
  const tc_matmul_args *s = &p->args;
  const int64_t size = tc_dtype_size(s->dtype);
  uint8_t *scratch = TC_PTR(uint8_t, s->scratch) + (p->deal_out ? thread * p->scratch_each : 0);
  for (int64_t i = begin; i < end; i++) {
    int64_t rest = i, a = 0, b = 0, c = 0;
    for (int64_t d = s->nbatch - 1; d >= 0; d--) {
      const int64_t at = rest % s->batch_shape[d];
      rest /= s->batch_shape[d];
      a += at * s->batch_a[d], b += at * s->batch_b[d], c += at * s->batch_c[d];
    }
    run_one(s, TC_PTR(const uint8_t, s->a) + a * size, TC_PTR(const uint8_t, s->b) + b * size,
            TC_PTR(uint8_t, s->c) + c * size, scratch);
  }
}

int32_t tc_matmul(const tc_matmul_args *a) {
  switch (a->dtype) {
    case TC_F32: case TC_F64: case TC_F16: case TC_BF16:
    case TC_U8: case TC_I8: case TC_I16: case TC_I32: case TC_I64: break;
    default: return tc_unsupported(a->dtype);
  }
  plan p = make_plan(a);
  if (p.args.m == 0 || p.args.n == 0) return TC_OK;
  if (p.deal_out) {
    const int64_t work = p.args.m * p.args.n * (p.args.k + 1);
    tc_parallel_for(p.batch, 1 + GRAIN / work, run_batches, &p);
  } else {
    run_batches(&p, 0, p.batch, 0);
  }
  return TC_OK;
}
