// Reading and writing elements of any real dtype as R, and the sums that all normalisations need. The file that includes
// this defines R, V, T, SET, LANES as for gemm_impl.h.

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(a) PASTE(a, T)
#define CHUNK TC_NORM_CHUNK
#define SHORT_RUN 32

static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

#define R_DTYPE (sizeof(R) == 8 ? TC_F64 : TC_F32)

// Elements [at, at + n) of a tensor as R: in place, or converted to `buffer`.
static const R *fetch(uint64_t data, int64_t dtype, ptrdiff_t at, ptrdiff_t n, R *buffer) {
  if (dtype == R_DTYPE) return TC_PTR(const R, data) + at;
  tc_convert(buffer, R_DTYPE, TC_PTR(const uint8_t, data) + at * (ptrdiff_t)tc_dtype_size(dtype), dtype, n);
  return buffer;
}

// Where to compute elements [at, at + n) of a tensor, and how to bring them there afterwards.
static R *place(uint64_t data, int64_t dtype, ptrdiff_t at, R *buffer) {
  return dtype == R_DTYPE ? TC_PTR(R, data) + at : buffer;
}
static void put(uint64_t data, int64_t dtype, ptrdiff_t at, ptrdiff_t n, const R *values) {
  if (dtype == R_DTYPE) return;
  tc_convert(TC_PTR(uint8_t, data) + at * (ptrdiff_t)tc_dtype_size(dtype), dtype, values, R_DTYPE, n);
}

// One element of a parameter, or `otherwise` if there is none.
static double get_one(uint64_t data, int64_t dtype, ptrdiff_t at, double otherwise) {
  if (!data) return otherwise;
  R buffer;
  return (double)*fetch(data, dtype, at, 1, &buffer);
}
static void put_one(uint64_t data, int64_t dtype, ptrdiff_t at, double value) {
  if (!data) return;
  R v = (R)value;
  *place(data, dtype, at, &v) = v;
  put(data, dtype, at, 1, &v);
}

// Count, mean, and sum of squared differences from the mean.
typedef struct {
  double count, mean, m2;
} moments;

static void merge_moments(moments *t, moments more) {
  if (more.count == 0) return;
  const double delta = more.mean - t->mean, total = t->count + more.count;
  t->mean += delta * more.count / total;
  t->m2 += more.m2 + delta * delta * t->count * more.count / total;
  t->count = total;
}

// Adds n <= CHUNK elements. Chan, Golub & LeVeque 1979: the chunk's own moments, found in two passes while it is in the
// first-level cache, are merged with what came before. A first mean, however rounded, only serves to centre the chunk.
static void add_moments(moments *t, const R *x, ptrdiff_t n) {
  V s[4] = {SET(0), SET(0), SET(0), SET(0)}, q[4] = {SET(0), SET(0), SET(0), SET(0)};
  ptrdiff_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    for (int v = 0; v < 4; v++) s[v] += v_load(x + i + v * LANES);
  }
  R sum = v_sum((s[0] + s[1]) + (s[2] + s[3]));
  for (; i < n; i++) sum += x[i];
  const R centre = sum / (R)n;
  for (int v = 0; v < 4; v++) s[v] = SET(0);
  // A short run is summed as doubles, as PyTorch does with all: a mean near zero keeps all its digits.
  for (i = 0; n > SHORT_RUN && i + 4 * LANES <= n; i += 4 * LANES) {
    for (int v = 0; v < 4; v++) {
      const V d = v_load(x + i + v * LANES) - SET(centre);
      s[v] += d;
      q[v] = v_fma(d, d, q[v]);
    }
  }
  double off = v_sum((s[0] + s[1]) + (s[2] + s[3])), square = v_sum((q[0] + q[1]) + (q[2] + q[3]));
  for (; i < n; i++) {
    const double d = (double)x[i] - (double)centre;
    off += d, square += d * d;
  }
  merge_moments(t, (moments){(double)n, (double)centre + off / (double)n, square - off * off / (double)n});
}

// *sum += sum of y, *product += sum of y * (x - centre), over n <= CHUNK elements.
static void add_products(const R *x, const R *y, R centre, ptrdiff_t n, double *sum, double *product) {
  V s[2] = {SET(0), SET(0)}, p[2] = {SET(0), SET(0)};
  ptrdiff_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    for (int v = 0; v < 2; v++) {
      const V g = v_load(y + i + v * LANES);
      s[v] += g;
      p[v] = v_fma(g, v_load(x + i + v * LANES) - SET(centre), p[v]);
    }
  }
  *sum += (double)v_sum(s[0] + s[1]);
  *product += (double)v_sum(p[0] + p[1]);
  for (; i < n; i++) {
    *sum += (double)y[i];
    *product += (double)y[i] * ((double)x[i] - (double)centre);
  }
}

// y = (x - centre) * scale + shift.
static void scale_run(const R *x, R *y, R centre, R scale, R shift, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + LANES <= n; i += LANES) v_store(y + i, v_fma(v_load(x + i) - SET(centre), SET(scale), SET(shift)));
  for (; i < n; i++) y[i] = (x[i] - centre) * scale + shift;
}

// dx = dy * scale - (x - centre) * slope - shift: the gradient of a normalisation, its factors put together.
static void gradient_run(const R *x, const R *dy, R *dx, R centre, R scale, R slope, R shift, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const V part = v_fma(v_load(x + i) - SET(centre), SET(-slope), SET(-shift));
    v_store(dx + i, v_fma(v_load(dy + i), SET(scale), part));
  }
  for (; i < n; i++) dx[i] = dy[i] * scale - (x[i] - centre) * slope - shift;
}
