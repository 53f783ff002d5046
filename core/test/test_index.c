// Indexing kernels against loops over coordinates: gather, scatter, whole rows, advanced indexing, masks.
// Embeddings and counting: test_embedding.c.
#include "tensors.h"

static const int64_t all_dtypes[12] = {TC_U8, TC_I8, TC_I16, TC_I32, TC_I64, TC_BOOL, TC_F16, TC_BF16, TC_F32, TC_F64, TC_C64, TC_C128};

static bool is_complex(int64_t dtype) { return dtype == TC_C64 || dtype == TC_C128; }

// Complex tensors are only moved here: their bytes may be anything.
static void *any_tensor(int64_t dtype, int64_t n) {
  if (!is_complex(dtype)) return random_tensor(dtype, n, 1.5);  // products of 20 stay within float16
  unsigned char *t = tensor(dtype, n);
  for (int64_t i = 0; i < n * tc_dtype_size(dtype); i++) t[i] = (unsigned char)test_random_bits();
  return t;
}

static bool same_element(const void *a, int64_t i, const void *b, int64_t j, int64_t dtype) {
  const size_t size = (size_t)tc_dtype_size(dtype);
  return memcmp((const char *)a + (size_t)i * size, (const char *)b + (size_t)j * size, size) == 0;
}

static void set_element(void *a, int64_t i, const void *b, int64_t j, int64_t dtype) {
  const size_t size = (size_t)tc_dtype_size(dtype);
  memcpy((char *)a + (size_t)i * size, (const char *)b + (size_t)j * size, size);
}

// Strides of a tensor of this shape whose dimensions lie in memory in random order.
static void random_layout(int64_t ndim, const int64_t *shape, int64_t *stride) {
  int64_t order[4] = {0, 1, 2, 3}, step = 1;
  for (int64_t d = ndim - 1; d > 0; d--) {
    const int64_t k = pick(0, d), t = order[d];
    order[d] = order[k];
    order[k] = t;
  }
  for (int64_t d = 0; d < ndim; d++) {
    stride[order[d]] = step;
    step *= shape[order[d]];
  }
}

static int64_t volume(int64_t ndim, const int64_t *shape) {
  int64_t n = 1;
  for (int64_t d = 0; d < ndim; d++) n *= shape[d];
  return n;
}

// The p-th coordinates, last dimension fastest.
static void coordinates(int64_t p, int64_t ndim, const int64_t *shape, int64_t *at) {
  for (int64_t d = ndim - 1; d >= 0; d--) {
    at[d] = p % shape[d];
    p /= shape[d];
  }
}

static int64_t offset_of(int64_t ndim, const int64_t *at, const int64_t *stride) {
  int64_t sum = 0;
  for (int64_t d = 0; d < ndim; d++) sum += at[d] * stride[d];
  return sum;
}

// One update as the kernels document it, in float64 (exact for the integers and floats used here but for rounding).
static double updated(int64_t op, double self, double src, int64_t dtype) {
  if (dtype == TC_BOOL) return op == TC_SCATTER_MUL || op == TC_SCATTER_AMIN ? self && src : self || src;
  switch (op) {
    case TC_SCATTER_MUL: return self * src;
    case TC_SCATTER_AMAX: return self != self || self > src ? self : src;
    case TC_SCATTER_AMIN: return self != self || self < src ? self : src;
    default: return self + src;
  }
}

// How far float results may be off after `hits` updates of numbers that add up to `size`; tiny float16 products lose
// bits to its subnormals.
static double slack(int64_t dtype, int64_t hits, double size, bool product) {
  if (!is_float(dtype)) return 0;
  return tolerance(dtype, 2 + (double)hits) * size + (product && dtype == TC_F16 ? 0x1p-18 : 0);
}

static double identity(int64_t op, int64_t dtype) {
  if (op == TC_SCATTER_MUL) return 1;
  if (op != TC_SCATTER_AMAX && op != TC_SCATTER_AMIN) return 0;
  const bool max = op == TC_SCATTER_AMAX;
  switch (dtype) {
    case TC_BOOL: return !max;
    case TC_U8: return max ? 0 : UINT8_MAX;
    case TC_I8: return max ? INT8_MIN : INT8_MAX;
    case TC_I16: return max ? INT16_MIN : INT16_MAX;
    case TC_I32: return max ? INT32_MIN : INT32_MAX;
    case TC_I64: return max ? -0x1p63 : 0x1p63;
    default: return max ? -INFINITY : INFINITY;
  }
}

static void check_gather_scatter(int64_t dtype) {
  const int64_t ndim = pick(1, 4), dim = pick(0, ndim - 1);
  int64_t shape[4], index_shape[4], stride_a[4], stride_b[4], stride_i[4];
  for (int64_t d = 0; d < ndim; d++) shape[d] = pick(1, ndim < 3 ? 12 : 5), index_shape[d] = pick(pick(0, 8) > 0, shape[d]);
  if (index_shape[dim] > 0) index_shape[dim] = pick(1, 9);
  random_layout(ndim, shape, stride_a);
  random_layout(ndim, index_shape, stride_b);
  random_layout(ndim, index_shape, stride_i);
  const int64_t n = volume(ndim, shape), m = volume(ndim, index_shape);
  int64_t *index = indices(m, 0, shape[dim] - 1);
  void *big = any_tensor(dtype, n), *small = tensor(dtype, m);
  tc_gather_args g = {.dtype = dtype, .out = TEST_ADDRESS(small), .in = TEST_ADDRESS(big), .index = TEST_ADDRESS(index),
                      .size = shape[dim], .n = index_shape[dim], .dim_stride = {stride_b[dim], stride_a[dim], stride_i[dim]},
                      .dim = dim};
  for (int64_t d = ndim - 1; d >= 0; d--) {
    if (d == dim) continue;
    g.shape[g.ndim] = index_shape[d];
    g.stride[g.ndim][0] = stride_b[d], g.stride[g.ndim][1] = stride_a[d], g.stride[g.ndim++][2] = stride_i[d];
  }
  CHECK_EQ(tc_gather(&g), TC_OK);
  int64_t at[4];
  for (int64_t p = 0; p < m; p++) {
    coordinates(p, ndim, index_shape, at);
    const int64_t to = offset_of(ndim, at, stride_b);
    at[dim] = index[offset_of(ndim, at, stride_i)];
    CHECK(same_element(small, to, big, offset_of(ndim, at, stride_a), dtype));
  }

  // scatter into a contiguous tensor, with every operation
  int64_t whole[4], step = 1;
  for (int64_t d = ndim - 1; d >= 0; d--) whole[d] = step, step *= shape[d];
  for (int64_t op = TC_SCATTER_ASSIGN; op <= TC_SCATTER_AMIN; op++) {
    const bool include = pick(0, 1), number = op <= TC_SCATTER_MUL && pick(0, 3) == 0;
    void *out = any_tensor(dtype, n), *src = any_tensor(dtype, m), *before = copy_of(out, dtype, n);
    tc_scatter_args s = {.op = op, .include_self = include, .dtype = dtype, .out = TEST_ADDRESS(out),
                         .src = number ? 0 : TEST_ADDRESS(src), .index = g.index, .size = shape[dim], .n = index_shape[dim],
                         .dim_stride = {whole[dim], stride_b[dim], stride_i[dim]}, .dim = dim, .out_numel = n};
    if (is_float(dtype)) s.value[0].f = 2; else s.value[0].i = dtype == TC_BOOL ? 1 : 2;
    for (int64_t d = ndim - 1; d >= 0; d--) {
      if (d == dim) continue;
      s.shape[s.ndim] = index_shape[d];
      s.stride[s.ndim][0] = whole[d], s.stride[s.ndim][1] = stride_b[d], s.stride[s.ndim++][2] = stride_i[d];
    }
    if (is_complex(dtype)) {
      if (op == TC_SCATTER_ASSIGN || op == TC_SCATTER_ADD) continue;
      CHECK_EQ(SCRATCH(s, tc_scatter), TC_UNSUPPORTED);
      continue;
    }
    CHECK_EQ(SCRATCH(s, tc_scatter), TC_OK);
    double *exact = tensor(TC_F64, n), *size = tensor(TC_F64, n);
    int64_t *hits = tensor(TC_I64, n);
    for (int64_t i = 0; i < n; i++) exact[i] = get(before, dtype, i), hits[i] = 0, size[i] = fabs(exact[i]);
    for (int64_t p = 0; p < m; p++) {
      coordinates(p, ndim, index_shape, at);
      const double x = number ? (dtype == TC_BOOL ? 1 : 2) : get(src, dtype, offset_of(ndim, at, stride_b));
      at[dim] = index[offset_of(ndim, at, stride_i)];
      const int64_t to = offset_of(ndim, at, whole);
      if (hits[to]++ == 0 && !include && op != TC_SCATTER_ASSIGN) exact[to] = identity(op, dtype), size[to] = 0;
      exact[to] = op == TC_SCATTER_ASSIGN ? x : updated(op, exact[to], x, dtype);
      size[to] = op == TC_SCATTER_MUL ? fabs(exact[to]) : size[to] + fabs(x);
      if (!is_float(dtype)) {  // integers wrap at every step
        uint64_t wrapped;
        const int64_t integer = (int64_t)exact[to];
        tc_convert(&wrapped, dtype, &integer, TC_I64, 1);
        exact[to] = get(&wrapped, dtype, 0);
      }
    }
    for (int64_t i = 0; i < n; i++) {
      if (op == TC_SCATTER_MEAN && hits[i] > 0 && dtype != TC_BOOL) {
        exact[i] /= (double)(hits[i] + include);
        if (!is_float(dtype)) exact[i] = floor(exact[i]);
      }
      CHECK_CLOSE(get(out, dtype, i), exact[i], 0, slack(dtype, hits[i], size[i], op == TC_SCATTER_MUL));
    }
  }

  // a bad index: its value and place are told, and nothing is written
  if (m == 0) return;
  const int64_t bad = pick(0, m - 1);
  index[bad] = pick(0, 1) ? -1 : shape[dim];
  void *kept = copy_of(small, dtype, m);
  CHECK_EQ(tc_gather(&g), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[0], index[bad]);
  CHECK_EQ(tc_error_info[1], shape[dim]);
  CHECK_EQ(tc_error_info[2], bad);
  CHECK_EQ(tc_error_info[3], dim);
  CHECK(memcmp(kept, small, (size_t)(m * tc_dtype_size(dtype))) == 0);
}

static void check_rows(int64_t dtype) {
  const int64_t inners[] = {1, 1, 2, 7, 40, 300, 700};
  const int64_t outer = pick(1, 3), n = pick(1, 8), m = pick(0, 20), inner = inners[pick(0, 6)];
  const bool narrow = pick(0, 1), wrap = pick(0, 1);
  int64_t *index = indices(m, wrap ? -n : 0, n - 1);
  int32_t *small = tensor(TC_I32, m);
  for (int64_t i = 0; i < m; i++) small[i] = (int32_t)index[i];
  const uint64_t address = narrow ? TEST_ADDRESS(small) : TEST_ADDRESS(index);
  const int64_t gap = pick(0, 2);
  void *in = any_tensor(dtype, outer * n * (inner + gap)), *out = tensor(dtype, outer * m * inner);
  const tc_index_select_args s = {.dtype = dtype, .index_dtype = narrow ? TC_I32 : TC_I64, .wrap = wrap, .out = TEST_ADDRESS(out),
                                  .in = TEST_ADDRESS(in), .index = address, .outer = outer, .n = n, .m = m, .inner = inner,
                                  .in_outer_stride = n * (inner + gap), .in_row_stride = inner + gap, .dim = 1};
  CHECK_EQ(tc_index_select(&s), TC_OK);
  for (int64_t i = 0; i < outer * m * inner; i++) {
    const int64_t row = index[i / inner % m] + (index[i / inner % m] < 0 ? n : 0);
    const int64_t from = (i / inner / m * n + row) * (inner + gap) + i % inner;
    CHECK(same_element(out, i, in, from, dtype));
  }
  for (int64_t op = TC_ROWS_COPY; op <= TC_ROWS_AMIN; op++) {
    const bool include = op < TC_ROWS_MUL || pick(0, 1), number = op == TC_ROWS_COPY && pick(0, 1);
    void *self = any_tensor(dtype, outer * n * inner), *src = any_tensor(dtype, outer * m * inner);
    void *before = copy_of(self, dtype, outer * n * inner);
    const int64_t scale = dtype == TC_BOOL ? 1 : pick(1, 2);
    tc_index_rows_args a = {.op = op, .include_self = include, .dtype = dtype, .index_dtype = s.index_dtype, .wrap = wrap,
                            .out = TEST_ADDRESS(self), .src = number ? 0 : TEST_ADDRESS(src), .index = address, .outer = outer,
                            .n = n, .m = m, .inner = inner, .dim = 1};
    if (is_float(dtype) || is_complex(dtype)) a.value[0].f = 3, a.alpha.f = (double)scale; else a.value[0].i = 3, a.alpha.i = scale;
    if (is_complex(dtype)) {
      if (op != TC_ROWS_COPY) CHECK_EQ(SCRATCH(a, tc_index_rows), TC_UNSUPPORTED);
      continue;
    }
    CHECK_EQ(SCRATCH(a, tc_index_rows), TC_OK);
    for (int64_t i = 0; i < outer * n * inner; i++) {
      const int64_t row = i / inner % n;
      double exact = get(before, dtype, i), size = fabs(exact);
      int64_t hits = 0;
      for (int64_t k = 0; k < m; k++) {
        if (index[k] + (index[k] < 0 ? n : 0) != row) continue;
        const double x = number ? (dtype == TC_BOOL ? 1 : 3) : get(src, dtype, (i / inner / n * m + k) * inner + i % inner);
        if (hits++ == 0 && !include) exact = identity(op, dtype), size = 0;
        exact = op == TC_ROWS_COPY ? x : updated(op == TC_ROWS_ADD ? TC_SCATTER_ADD : op, exact, op == TC_ROWS_ADD ? x * (double)scale : x, dtype);
        size = op == TC_ROWS_MUL ? fabs(exact) : size + 2 * fabs(x);
        if (!is_float(dtype)) {
          uint64_t wrapped;
          const int64_t integer = (int64_t)exact;
          tc_convert(&wrapped, dtype, &integer, TC_I64, 1);
          exact = get(&wrapped, dtype, 0);
        }
      }
      if (op == TC_ROWS_MEAN && hits > 0 && dtype != TC_BOOL) {
        exact /= (double)(hits + include);
        if (!is_float(dtype)) exact = floor(exact);
      }
      CHECK_CLOSE(get(self, dtype, i), exact, 0, slack(dtype, hits, size, op == TC_ROWS_MUL));
    }
  }
  if (m == 0) return;
  index[m - 1] = n;
  small[m - 1] = (int32_t)n;
  CHECK_EQ(tc_index_select(&s), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[2], m - 1);
}

// x[i, :, j] of a random shape: which dimensions are indexed, how the index tensors broadcast, and how values
// lie are all random.
static void check_index(int64_t dtype) {
  const int64_t ndim = pick(1, 4), index_ndim = pick(0, 3);
  int64_t shape[4], stride[4], index_shape[4], at[8], count = pick(1, ndim);
  for (int64_t d = 0; d < ndim; d++) shape[d] = pick(1, 6);
  for (int64_t d = 0; d < index_ndim; d++) index_shape[d] = pick(pick(0, 9) > 0, d == 0 ? 300 / (1 + 20 * (index_ndim > 1)) : 5);
  random_layout(ndim, shape, stride);
  tc_index_args a = {.dtype = dtype, .nindices = count, .index_ndim = index_ndim};
  int64_t slice[4], nslice = 0, dims[4], left = count;
  for (int64_t d = 0, k = 0; d < ndim; d++) {
    if (left > 0 && pick(0, ndim - d - 1) < left) dims[k++] = d, left--; else slice[nslice++] = d;
  }
  // values: the slice dimensions before, between or behind the index dimensions
  int64_t values_shape[8], values_stride[8], order = pick(0, nslice), v = 0, step = 1;
  for (int64_t q = 0; q < order; q++) values_shape[v++] = shape[slice[q]];
  for (int64_t d = 0; d < index_ndim; d++) values_shape[v++] = index_shape[d];
  for (int64_t q = order; q < nslice; q++) values_shape[v++] = shape[slice[q]];
  for (int64_t d = v - 1; d >= 0; d--) values_stride[d] = step, step *= values_shape[d];
  const int64_t total = step;
  int64_t *index[4], strides[4][4];
  for (int64_t k = 0; k < count; k++) {
    int64_t own = 1;
    for (int64_t d = index_ndim - 1; d >= 0; d--) {
      strides[k][d] = pick(0, 2) ? own : 0;
      if (strides[k][d]) own *= index_shape[d];
    }
    index[k] = indices(own, -shape[dims[k]], shape[dims[k]] - 1);
    a.index[k] = TEST_ADDRESS(index[k]);
    a.size[k] = shape[dims[k]];
    a.self_stride[k] = stride[dims[k]];
    for (int64_t d = 0; d < index_ndim; d++) a.index_stride[index_ndim - 1 - d][k] = strides[k][d];
  }
  for (int64_t d = 0; d < index_ndim; d++) {
    a.index_shape[index_ndim - 1 - d] = index_shape[d];
    a.index_values_stride[index_ndim - 1 - d] = values_stride[order + d];
  }
  for (int64_t q = nslice - 1; q >= 0; q--) {
    a.slice_shape[a.slice_ndim] = shape[slice[q]];
    a.slice_stride[a.slice_ndim][0] = values_stride[q < order ? q : q + index_ndim];
    a.slice_stride[a.slice_ndim++][1] = stride[slice[q]];
  }
  const int64_t n = volume(ndim, shape);
  for (int64_t op = TC_INDEX_GET; op <= TC_INDEX_ADD; op++) {
    if (op == TC_INDEX_ADD && is_complex(dtype)) continue;
    const bool number = op != TC_INDEX_GET && !is_complex(dtype) && pick(0, 3) == 0;
    void *self = any_tensor(dtype, n), *values = any_tensor(dtype, total), *before = copy_of(self, dtype, n);
    a.op = op;
    a.self = TEST_ADDRESS(self);
    a.values = number ? 0 : TEST_ADDRESS(values);
    if (is_float(dtype)) a.value[0].f = 1; else a.value[0].i = 1;
    CHECK_EQ(tc_index(&a), TC_OK);
    double *exact = tensor(TC_F64, n), *size = tensor(TC_F64, n);
    for (int64_t i = 0; i < n && !is_complex(dtype); i++) exact[i] = get(before, dtype, i), size[i] = fabs(exact[i]);
    // in the order of the index space, for every slice coordinate
    for (int64_t p = 0; p < total; p++) {
      coordinates(p, v, values_shape, at);
      int64_t where = 0;
      for (int64_t q = 0; q < nslice; q++) where += at[q < order ? q : q + index_ndim] * stride[slice[q]];
      for (int64_t k = 0; k < count; k++) {
        const int64_t x = index[k][offset_of(index_ndim, at + order, strides[k])];
        where += (x + (x < 0 ? shape[dims[k]] : 0)) * stride[dims[k]];
      }
      if (op == TC_INDEX_GET) CHECK(same_element(values, p, self, where, dtype));
      else if (is_complex(dtype)) set_element(before, where, values, p, dtype);
      else {
        const double x = number ? 1 : get(values, dtype, p);
        exact[where] = op == TC_INDEX_PUT ? x : updated(TC_SCATTER_ADD, exact[where], x, dtype);
        size[where] += fabs(x);
        if (!is_float(dtype)) {
          uint64_t wrapped;
          const int64_t integer = (int64_t)exact[where];
          tc_convert(&wrapped, dtype, &integer, TC_I64, 1);
          exact[where] = get(&wrapped, dtype, 0);
        }
      }
    }
    for (int64_t i = 0; i < n; i++) {
      if (is_complex(dtype)) CHECK(same_element(self, i, before, i, dtype));
      else CHECK_CLOSE(get(self, dtype, i), exact[i], 0, is_float(dtype) && op == TC_INDEX_ADD ? tolerance(dtype, 300) * size[i] : 0);
    }
  }
  if (total == 0) return;
  const int64_t k = pick(0, count - 1);
  index[k][0] = pick(0, 1) ? shape[dims[k]] : -shape[dims[k]] - 1;
  CHECK_EQ(tc_index(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[0], index[k][0]);
  CHECK_EQ(tc_error_info[2], 0);
  CHECK_EQ(tc_error_info[3], k);
}

static void check_masks(int64_t dtype, int64_t n) {
  void *in = any_tensor(dtype, n);
  uint8_t *mask = tensor(TC_BOOL, n);
  int64_t set = 0, count = -1, density = pick(0, 3);
  for (int64_t i = 0; i < n; i++) set += mask[i] = density == 0 ? 0 : pick(0, density == 1 ? 40 : 1) == 0;
  tc_masked_args a = {.dtype = dtype, .mask = TEST_ADDRESS(mask), .in = TEST_ADDRESS(in), .count = TEST_ADDRESS(&count), .n = n};
  CHECK_EQ(tc_mask_count(&a), TC_OK);
  CHECK_EQ(count, set);
  void *chosen = tensor(dtype, set), *back = any_tensor(dtype, n), *before = copy_of(back, dtype, n);
  a.out = TEST_ADDRESS(chosen);
  CHECK_EQ(SCRATCH(a, tc_masked_select), TC_OK);
  a.in = TEST_ADDRESS(chosen);
  a.out = TEST_ADDRESS(back);
  if (set > 0) {
    a.nsrc = set - 1;
    CHECK_EQ(SCRATCH(a, tc_masked_scatter), TC_BAD_VALUE);
    CHECK(memcmp(back, before, (size_t)(n * tc_dtype_size(dtype))) == 0);
  }
  a.nsrc = set;
  CHECK_EQ(SCRATCH(a, tc_masked_scatter), TC_OK);
  for (int64_t i = 0, k = 0; i < n; i++) {
    if (mask[i]) CHECK(same_element(chosen, k++, in, i, dtype) && same_element(back, i, in, i, dtype));
    else CHECK(same_element(back, i, before, i, dtype));
  }
}

static void check_nonzero(int64_t dtype) {
  const int64_t ndim = pick(0, 3);
  int64_t shape[3], at[3], count = -1;
  for (int64_t d = 0; d < ndim; d++) shape[d] = pick(pick(0, 9) > 0, d == 0 ? 300 : 30);
  const int64_t n = volume(ndim, shape);
  unsigned char *in = tensor(dtype, n);
  memset(in, 0, (size_t)(n * tc_dtype_size(dtype)));
  const int64_t last = tc_dtype_size(dtype) - 1;
  for (int64_t i = 0; i < n; i++) {
    const int64_t kind = pick(0, 3);  // 1: something, 2: -0 of the floats, which is nothing (for complex of the imaginary part)
    if (kind == 1) in[i * (last + 1) + pick(0, last)] = dtype == TC_BOOL ? 1 : 0x41;
    if (kind == 2 && (is_float(dtype) || is_complex(dtype))) in[i * (last + 1) + last] = 0x80;
  }
  tc_nonzero_args a = {.dtype = dtype, .in = TEST_ADDRESS(in), .count = TEST_ADDRESS(&count), .ndim = ndim};
  memcpy(a.shape, shape, (size_t)ndim * 8);
  CHECK_EQ(tc_nonzero_count(&a), TC_OK);
  int64_t *rows = tensor(TC_I64, count * ndim), *columns = tensor(TC_I64, count * ndim), found = 0;
  a.out = TEST_ADDRESS(rows);
  CHECK_EQ(SCRATCH(a, tc_nonzero), TC_OK);
  a.out = TEST_ADDRESS(columns);
  a.as_tuple = 1;
  CHECK_EQ(SCRATCH(a, tc_nonzero), TC_OK);
  for (int64_t i = 0; i < n; i++) {
    bool nonzero = false;
    for (int64_t b = 0; b <= last; b++) {
      const unsigned char byte = in[i * (last + 1) + b];
      nonzero |= byte != 0 && !(byte == 0x80 && b == last && (is_float(dtype) || is_complex(dtype)));
    }
    if (!nonzero) continue;
    coordinates(i, ndim, shape, at);
    for (int64_t d = 0; d < ndim && found < count; d++) {
      CHECK_EQ(rows[found * ndim + d], at[d]);
      CHECK_EQ(columns[d * count + found], at[d]);
    }
    found++;
  }
  CHECK_EQ(count, found);
}

int main(void) {
  for (int round = 0; round < 40; round++) {
    for (int d = 0; d < 12; d++) {
      check_gather_scatter(all_dtypes[d]);
      check_rows(all_dtypes[d]);
      check_index(all_dtypes[d]);
      if (round < 12) check_nonzero(all_dtypes[d]);
    }
  }
  const int64_t sizes[] = {0, 1, 7, 8, 100, 4096, 4097, 20000};
  for (size_t s = 0; s < sizeof sizes / 8; s++) {
    for (int d = 0; d < 12; d++) check_masks(all_dtypes[d], sizes[s]);
  }
  return test_end();
}
