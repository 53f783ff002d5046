// Vectors, products and Householder reflections (a part of linalg_all.h).

#define TAKE(arena, count) ((R *)tc_take(&(arena), (ptrdiff_t)(count) * (ptrdiff_t)sizeof(R)))

static R dot(ptrdiff_t n, const R *x, const R *y) {
  V s0 = SET(0), s1 = s0, s2 = s0, s3 = s0;
  ptrdiff_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    s0 = v_fma(v_load(x + i), v_load(y + i), s0);
    s1 = v_fma(v_load(x + i + LANES), v_load(y + i + LANES), s1);
    s2 = v_fma(v_load(x + i + 2 * LANES), v_load(y + i + 2 * LANES), s2);
    s3 = v_fma(v_load(x + i + 3 * LANES), v_load(y + i + 3 * LANES), s3);
  }
  for (; i + LANES <= n; i += LANES) s0 = v_fma(v_load(x + i), v_load(y + i), s0);
  const V s = (s0 + s1) + (s2 + s3);
  R sum = 0;
  for (int l = 0; l < LANES; l++) sum += s[l];
  for (; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// y += f x
static void axpy(ptrdiff_t n, R f, const R *x, R *y) {
  const V s = SET(f);
  ptrdiff_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    v_store(y + i, v_fma(s, v_load(x + i), v_load(y + i)));
    v_store(y + i + LANES, v_fma(s, v_load(x + i + LANES), v_load(y + i + LANES)));
  }
  for (; i < n; i++) y[i] += f * x[i];
}

static void scale(ptrdiff_t n, R f, R *x) {
  for (ptrdiff_t i = 0; i < n; i++) x[i] *= f;
}

static void swap(ptrdiff_t n, R *x, R *y) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const R t = x[i];
    x[i] = y[i], y[i] = t;
  }
}

static R largest(ptrdiff_t n, const R *x) {  // NaN, if there is one
  R top = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const R v = ABS(x[i]);
    if (!(v <= top)) {
      if (v != v) return v;
      top = v;
    }
  }
  return top;
}

// Without overflow: the sum of squares of float32 is taken in double anyway.
static R norm2(ptrdiff_t n, const R *x) {
  double sum = 0;
  if (sizeof(R) == sizeof(double)) {
    sum = (double)dot(n, x, x);
    if (!(sum < 1e300 && sum > 1e-280) && sum == sum) {
      const double top = (double)largest(n, x);
      if (top == 0 || top > 1e308) return (R)top;
      sum = 0;
      for (ptrdiff_t i = 0; i < n; i++) sum += ((double)x[i] / top) * ((double)x[i] / top);
      return (R)(top * sqrt(sum));
    }
  } else {
    for (ptrdiff_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  }
  return (R)sqrt(sum);
}

static R hypotenuse(R x, R y) {
  if (x != x || y != y) return x + y;
  x = ABS(x), y = ABS(y);
  const R w = x > y ? x : y, z = x > y ? y : x;
  return z == 0 ? w : w * SQRT(1 + (z / w) * (z / w));
}

// ---------------------------------------------------------------- products

// A matrix by address and strides.
typedef struct {
  R *at;
  ptrdiff_t rs, cs;
} mat;

static mat part(mat a, ptrdiff_t row, ptrdiff_t col) { return (mat){a.at + row * a.rs + col * a.cs, a.rs, a.cs}; }
static mat flipped(mat a) { return (mat){a.at, a.cs, a.rs}; }
static mat rows_of(R *at, ptrdiff_t ld) { return (mat){at, ld, 1}; }

// Numbers that products of up to m by n by k need as workspace, however they are transposed (matmul_impl.h's plans).
static ptrdiff_t product_room(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) {
  return (min(m, 4104) + min(n, 4104) + 32) * (min(k, TC_GEMM_DEPTH) + 8) + 16 * (k + 4) + 64;
}

// c = alpha a b + beta c
static void product(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, R alpha, mat a, mat b, R beta, mat c, R *room) {
  if (m == 0 || n == 0 || (k == 0 && beta == 1)) return;
  const NAME(tc_product) p = {m, n, k, a.at, b.at, a.rs, a.cs, b.rs, b.cs, {c.at, c.rs, c.cs, alpha, beta, NULL, 0, 0, 0}};
  NAME(tc_product_run)(&p, room);
}

static void copy_matrix(ptrdiff_t m, ptrdiff_t n, mat from, mat to) {
  for (ptrdiff_t i = 0; i < m; i++) {
    for (ptrdiff_t j = 0; j < n; j++) to.at[i * to.rs + j * to.cs] = from.at[i * from.rs + j * from.cs];
  }
}

static void set_identity(ptrdiff_t m, ptrdiff_t n, R *a) {
  memset(a, 0, (size_t)(m * n) * sizeof(R));
  for (ptrdiff_t j = 0; j < min(m, n); j++) a[j * n + j] = 1;
}

// ---------------------------------------------------------------- reflections

// The reflection I - tau (1, v) (1, v)^T that takes (alpha, x) to (beta, 0): x becomes v, alpha beta (LAPACK's larfg).
static R reflector(ptrdiff_t n, R *alpha, R *x) {
  R norm = norm2(n, x);
  if (norm == 0) return 0;
  R beta = -SIGN(hypotenuse(*alpha, norm), *alpha);
  const R safe = TINY / EPS;
  int rescaled = 0;
  while (ABS(beta) < safe && rescaled < 20) {
    rescaled++;
    scale(n, 1 / safe, x);
    *alpha *= 1 / safe;
    norm = norm2(n, x);
    beta = -SIGN(hypotenuse(*alpha, norm), *alpha);
  }
  const R tau = (beta - *alpha) / beta;
  scale(n, 1 / (*alpha - beta), x);
  while (rescaled-- > 0) beta *= safe;
  *alpha = beta;
  return tau;
}

#define BLOCK 32  // reflections applied together

// A block of `count` reflections: v (length by count), with its ones and zeros in place.
// t (count by count, BLOCK apart): I - v t v^T is their product, first one leftmost (LAPACK's larft).
static void block_factor(ptrdiff_t length, ptrdiff_t count, mat v, const R *tau, R *t, R *room) {
  R inner[BLOCK * BLOCK];
  product(count, count, length, 1, flipped(v), v, 0, rows_of(inner, BLOCK), room);
  for (ptrdiff_t j = 0; j < count; j++) {
    for (ptrdiff_t i = 0; i < BLOCK; i++) t[i * BLOCK + j] = 0;
    for (ptrdiff_t i = 0; i < j; i++) {
      R sum = 0;
      for (ptrdiff_t p = i; p < j; p++) sum += t[i * BLOCK + p] * inner[p * BLOCK + j];
      t[i * BLOCK + j] = -tau[j] * sum;
    }
    t[j * BLOCK + j] = tau[j];
  }
}

// Numbers that apply_block needs besides the products' room.
static ptrdiff_t block_room(ptrdiff_t cols) { return 2 * BLOCK * cols + BLOCK * BLOCK; }

// c (length by cols) = (I - v t v^T) c, or with t^T.
static void apply_block(ptrdiff_t length, ptrdiff_t count, ptrdiff_t cols, mat v, const R *tau, bool transposed, mat c,
                        R *work, R *room) {
  R *t = work, *w = t + BLOCK * BLOCK, *tw = w + BLOCK * cols;
  block_factor(length, count, v, tau, t, room);
  const mat factor = rows_of(t, BLOCK);
  product(count, cols, length, 1, flipped(v), c, 0, rows_of(w, cols), room);
  product(count, cols, count, 1, transposed ? flipped(factor) : factor, rows_of(w, cols), 0, rows_of(tw, cols), room);
  product(length, cols, count, -1, v, rows_of(tw, cols), 1, c, room);
}
