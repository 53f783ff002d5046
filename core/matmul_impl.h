// tc_product_<T> for one element type. The file that includes this defines
//   R, V, T: element type, its vector, the suffix of names;  SET: the splat;  COLS: columns of a tile;
//   LANES: elements of a vector.
#include <stdbool.h>

#include "include/tc.h"
#include "matmul.h"
#include "parallel.h"
#include "rt.h"
#include "simd.h"
#include "vtools.h"

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(a) PASTE(a, T)
#define ROWS TC_GEMM_ROWS

typedef NAME(tc_product) product;

// Multiply-adds worth sending to another thread: some 3 microseconds.
#define GRAIN 65536
// Rows of a product with contiguous k on both sides up to which dot products beat packing the columns.
#define DOT_ROWS 16
#define DOT_ROWS_CHECKED 4
// An operand whose panels can be read in place is packed all the same if they will be read this often.
#define DIRECT_COLS_ROWS 48
#define DIRECT_ROWS_COLS 48
// Rows of a cell of work: its row panels stay in the second-level cache.
#define CELL_ROWS 64
// Packed rows and columns per pass, which bounds the workspace.
#define PASS_ROWS 4096
#define PASS_COLS 4096

static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t round_up(ptrdiff_t n, ptrdiff_t to) { return (n + to - 1) / to * to; }

typedef enum {
  VECTOR_TIMES_ROWS,  // m = 1, row-major b: sums of b's rows
  DOTS,               // few rows, k contiguous on both sides
  BLOCKED,
} way;

typedef struct {
  product p;           // transposed if that suits better
  way way;
  bool copy_a;         // DOTS: a's k is not contiguous
  bool direct_a, direct_b;
  ptrdiff_t depth, pass_rows, pass_cols;
  ptrdiff_t a_elements, b_elements;  // workspace
} plan;

static void transpose_product(product *p) {
  const product t = *p;
  p->m = t.n, p->n = t.m;
  p->a = t.b, p->a_rs = t.b_cs, p->a_cs = t.b_rs;
  p->b = t.a, p->b_rs = t.a_cs, p->b_cs = t.a_rs;
  p->out.rs = t.out.cs, p->out.cs = t.out.rs;
  p->out.bias_rs = t.out.bias_cs, p->out.bias_cs = t.out.bias_rs;
}

static ptrdiff_t padded_area(ptrdiff_t m, ptrdiff_t n) { return round_up(m, ROWS) * round_up(n, COLS); }

static plan make_plan(const product *given) {
  plan s = {.p = *given};
  product *p = &s.p;
  const ptrdiff_t dot_rows = tc_options[TC_OPTION_CHECKED_MEMORY] ? DOT_ROWS_CHECKED : DOT_ROWS;
  // Columns of C should be contiguous. Where both ways cost the same or k is long, fewer wasted lanes decide.
  if (p->n == 1 ? p->m > 1
      : p->m == 1 ? false
      : p->out.cs != 1 && p->out.rs == 1
        ? true
        : p->k >= 64 && padded_area(p->n, p->m) * 6 < padded_area(p->m, p->n) * 5) {
    transpose_product(p);
  }
  if (p->m == 1 && p->b_cs == 1) {
    s.way = VECTOR_TIMES_ROWS;
  } else if (p->m <= dot_rows && p->b_rs == 1 && p->k >= LANES) {
    s.way = DOTS;
    s.copy_a = p->a_cs != 1;
    s.a_elements = s.copy_a ? p->m * p->k : 0;
  } else {
    s.way = BLOCKED;
    const ptrdiff_t blocks = p->k > 0 ? (p->k + TC_GEMM_DEPTH - 1) / TC_GEMM_DEPTH : 1;
    s.depth = round_up((p->k + blocks - 1) / blocks, 4);
    s.pass_rows = min(p->m, PASS_ROWS);
    s.pass_cols = min(p->n, PASS_COLS);
    s.direct_a = p->a_rs == 1 && (p->n <= DIRECT_ROWS_COLS || p->k <= 64);
    s.direct_b = p->b_cs == 1 && (p->m <= DIRECT_COLS_ROWS || p->k <= 64);
    // In place, only a last panel that is not full is packed.
    s.a_elements = (s.direct_a ? ROWS : round_up(s.pass_rows, ROWS)) * s.depth;
    s.b_elements = (s.direct_b ? COLS : round_up(s.pass_cols, COLS)) * s.depth;
  }
  return s;
}

int64_t NAME(tc_product_scratch)(const product *p) {
  const plan s = make_plan(p);
  return (int64_t)(round_up(s.a_elements, 16) + round_up(s.b_elements, 16)) * (int64_t)sizeof(R);
}

// ---------------------------------------------------------------- a row vector times a row-major matrix

// The sums of `vectors` vectors of columns.
TC_INLINE void columns(const product *p, const R *b, R *sums, const int vectors) {
  V acc[8];
  for (int v = 0; v < vectors; v++) acc[v] = SET(0);
  const R *a = p->a;
#pragma clang loop unroll(disable)
  for (ptrdiff_t k = p->k; k > 0; k--, a += p->a_cs, b += p->b_rs) {
    const V s = SET(*a);
    for (int v = 0; v < vectors; v++) acc[v] = v_fma(s, v_load(b + v * LANES), acc[v]);
  }
  for (int v = 0; v < vectors; v++) v_store(sums + v * LANES, acc[v]);
}

#define CHUNK (8 * LANES)

static void vector_times_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const product *p = &((const plan *)ctx)->p;
  R sums[CHUNK];
  for (ptrdiff_t j = (ptrdiff_t)begin * CHUNK; j < min((ptrdiff_t)end * CHUNK, p->n);) {
    const ptrdiff_t left = p->n - j;
    ptrdiff_t count = LANES;
    if (left >= 8 * LANES) {
      columns(p, p->b + j, sums, 8), count = 8 * LANES;
    } else if (left >= 4 * LANES) {
      columns(p, p->b + j, sums, 4), count = 4 * LANES;
    } else if (left >= 2 * LANES) {
      columns(p, p->b + j, sums, 2), count = 2 * LANES;
    } else if (left >= LANES) {
      columns(p, p->b + j, sums, 1);
    } else {
      count = 1;
      sums[0] = 0;
      for (ptrdiff_t k = 0; k < p->k; k++) sums[0] += p->a[k * p->a_cs] * p->b[k * p->b_rs + j];
    }
    NAME(tc_gemm_store)(&p->out, 0, j, sums, count);
    j += count;
  }
}

// ---------------------------------------------------------------- dot products

// sums[r][c] = a's row r times b's column c; k contiguous on both sides.
TC_INLINE void dots(ptrdiff_t k, const R *a, ptrdiff_t a_rs, const R *b, ptrdiff_t b_cs, R (*sums)[4], const int rows,
                    const int cols) {
  V acc[2][4];
  for (int r = 0; r < 2; r++) {
    for (int c = 0; c < 4; c++) acc[r][c] = SET(0);
  }
  ptrdiff_t p = 0;
#pragma clang loop unroll(disable)
  for (; p + LANES <= k; p += LANES) {
    V x[2];
    for (int r = 0; r < rows; r++) x[r] = v_load(a + r * a_rs + p);
    for (int c = 0; c < cols; c++) {
      const V y = v_load(b + c * b_cs + p);
      for (int r = 0; r < rows; r++) acc[r][c] = v_fma(x[r], y, acc[r][c]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int c = 0; c < 4; c += LANES) v_store(sums[r] + c, v_sums(acc[r] + c));
    for (int c = 0; c < cols; c++) {
      for (ptrdiff_t q = p; q < k; q++) sums[r][c] += a[r * a_rs + q] * b[c * b_cs + q];
    }
  }
}

// [begin, end): groups of four columns.
static void dot_columns(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const product *p = &((const plan *)ctx)->p;
  R sums[2][4];
  for (ptrdiff_t j = (ptrdiff_t)begin * 4; j < min((ptrdiff_t)end * 4, p->n); j += 4) {
    const ptrdiff_t cols = min(p->n - j, 4);
    const R *b = p->b + j * p->b_cs;
    for (ptrdiff_t i = 0; i < p->m; i += 2) {
      const R *a = p->a + i * p->a_rs;
      const ptrdiff_t rows = min(p->m - i, 2);
      if (cols == 4 && rows == 2) {
        dots(p->k, a, p->a_rs, b, p->b_cs, sums, 2, 4);
      } else if (cols == 4) {
        dots(p->k, a, p->a_rs, b, p->b_cs, sums, 1, 4);
      } else {
        for (ptrdiff_t r = 0; r < rows; r++) {
          for (ptrdiff_t c = 0; c < cols; c++) {
            R sum[1][4];
            dots(p->k, a + r * p->a_rs, 0, b + c * p->b_cs, 0, sum, 1, 1);
            sums[r][c] = sum[0][0];
          }
        }
      }
      for (ptrdiff_t r = 0; r < rows; r++) NAME(tc_gemm_store)(&p->out, i + r, j, sums[r], cols);
    }
  }
}

// ---------------------------------------------------------------- blocks

// One pass: rows [m0, m0 + m) and columns [n0, n0 + n) over [k0, k0 + k).
typedef struct {
  const plan *s;
  ptrdiff_t m0, m, n0, n, k0, k;
  R *a, *b;              // workspace
  bool pack_b;           // false: the columns are packed already
  NAME(tc_panels) rows, cols;
  NAME(tc_gemm_out) out;
  ptrdiff_t cell_rows, cell_cols, cells_per_row;
} pass;

// [begin, end): panels of rows, then panels of columns.
static void pack_panels(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const pass *t = ctx;
  const product *p = &t->s->p;
  const ptrdiff_t row_panels = t->s->direct_a ? t->m % ROWS != 0 : (t->m + ROWS - 1) / ROWS;
  const ptrdiff_t row_end = min((ptrdiff_t)end, row_panels);
  if (begin < row_end) {
    const ptrdiff_t first = t->s->direct_a ? t->m / ROWS * ROWS : (ptrdiff_t)begin * ROWS;
    const ptrdiff_t last = t->s->direct_a ? t->m : min(row_end * ROWS, t->m);
    NAME(tc_gemm_pack_rows)(t->a + (t->s->direct_a ? 0 : first * t->k), ROWS * t->k,
                            p->a + (t->m0 + first) * p->a_rs + t->k0 * p->a_cs, p->a_rs, p->a_cs, last - first, t->k);
  }
  const ptrdiff_t col_begin = begin > row_panels ? (ptrdiff_t)begin - row_panels : 0;
  const ptrdiff_t col_end = (ptrdiff_t)end - row_panels;
  if (col_begin < col_end) {
    const ptrdiff_t first = t->s->direct_b ? t->n / COLS * COLS : col_begin * COLS;
    const ptrdiff_t last = t->s->direct_b ? t->n : min(col_end * COLS, t->n);
    NAME(tc_gemm_pack_cols)(t->b + (t->s->direct_b ? 0 : first * t->k), COLS * t->k,
                            p->b + (t->n0 + first) * p->b_cs + t->k0 * p->b_rs, p->b_cs, p->b_rs, last - first, t->k);
  }
}

static void multiply_cells(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const pass *t = ctx;
  for (ptrdiff_t cell = (ptrdiff_t)begin; cell < (ptrdiff_t)end; cell++) {
    const ptrdiff_t i = cell / t->cells_per_row * t->cell_rows, j = cell % t->cells_per_row * t->cell_cols;
    NAME(tc_panels) a = t->rows, b = t->cols;
    a.data += i / ROWS * a.panel;
    b.data += j / COLS * b.panel;
    NAME(tc_gemm_out) out = t->out;
    out.c += i * out.rs + j * out.cs;
    if (out.bias) out.bias += i * out.bias_rs + j * out.bias_cs;
    NAME(tc_gemm_block)(&a, &b, min(t->cell_rows, t->m - i), min(t->cell_cols, t->n - j), t->k, &out);
  }
}

static void run_pass(pass *t) {
  const plan *s = t->s;
  const product *p = &s->p;
  const ptrdiff_t row_panels = s->direct_a ? t->m % ROWS != 0 : (t->m + ROWS - 1) / ROWS;
  const ptrdiff_t col_panels = !t->pack_b ? 0 : s->direct_b ? t->n % COLS != 0 : (t->n + COLS - 1) / COLS;
  tc_parallel_for(row_panels + col_panels, 1 + GRAIN / 4 / (COLS * (t->k + 1)), pack_panels, t);

  t->rows = s->direct_a ? (NAME(tc_panels)){p->a + t->m0 + t->k0 * p->a_cs, ROWS, p->a_cs, t->a}
                        : (NAME(tc_panels)){t->a, ROWS * t->k, ROWS, NULL};
  t->cols = s->direct_b ? (NAME(tc_panels)){p->b + t->n0 + t->k0 * p->b_rs, COLS, p->b_rs, t->b}
                        : (NAME(tc_panels)){t->b, COLS * t->k, COLS, NULL};
  t->out = p->out;
  t->out.c += t->m0 * t->out.rs + t->n0 * t->out.cs;
  if (t->k0 > 0) t->out.beta = 1;
  if (t->k0 + t->k < p->k) {
    t->out.bias = NULL, t->out.act = TC_ACT_NONE;
  } else if (t->out.bias) {
    t->out.bias += t->m0 * t->out.bias_rs + t->n0 * t->out.bias_cs;
  }
  t->cell_rows = min(round_up(t->m, ROWS), CELL_ROWS);
  t->cell_cols = COLS * (1 + GRAIN / (t->cell_rows * COLS * (t->k + 1)));
  t->cells_per_row = (t->n + t->cell_cols - 1) / t->cell_cols;
  tc_parallel_for((t->m + t->cell_rows - 1) / t->cell_rows * t->cells_per_row, 1, multiply_cells, t);
}

static void run_blocked(const plan *s, R *scratch) {
  const product *p = &s->p;
  pass t = {.s = s, .a = scratch, .b = scratch + round_up(s->a_elements, 16)};
  for (t.n0 = 0; t.n0 < p->n; t.n0 += t.n) {
    t.n = min(s->pass_cols, p->n - t.n0);
    t.k0 = 0;
    do {  // once even if k = 0: C is written all the same
      t.k = min(s->depth, p->k - t.k0);
      t.pack_b = true;
      for (t.m0 = 0; t.m0 < p->m; t.m0 += t.m, t.pack_b = false) {
        t.m = min(s->pass_rows, p->m - t.m0);
        run_pass(&t);
      }
      t.k0 += t.k;
    } while (t.k0 < p->k);
  }
}

void NAME(tc_product_run)(const product *given, void *scratch) {
  if (given->m == 0 || given->n == 0) return;
  plan s = make_plan(given);
  product *p = &s.p;
  switch (s.way) {
    case VECTOR_TIMES_ROWS:
      tc_parallel_for((p->n + CHUNK - 1) / CHUNK, 1 + GRAIN / (CHUNK * (p->k + 1)), vector_times_rows, &s);
      break;
    case DOTS:
      if (s.copy_a) {
        R *copy = scratch;
        for (ptrdiff_t i = 0; i < p->m; i++) {
          for (ptrdiff_t k = 0; k < p->k; k++) copy[i * p->k + k] = p->a[i * p->a_rs + k * p->a_cs];
        }
        p->a = copy, p->a_rs = p->k, p->a_cs = 1;
      }
      tc_parallel_for((p->n + 3) / 4, 1 + GRAIN / (4 * p->m * p->k), dot_columns, &s);
      break;
    case BLOCKED: run_blocked(&s, scratch); break;
  }
}
