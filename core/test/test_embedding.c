// Embeddings' gradients, renormalisation and bags; one_hot, tril and triu, bincount, histc.
#include "tensors.h"

static void check_embedding(int64_t dtype, bool narrow) {
  const int64_t m = pick(0, 40), v = pick(1, 60), d = pick(0, 1) ? pick(1, 5) : 300;
  int64_t *index = indices(m, 0, v - 1);
  int32_t *small = tensor(TC_I32, m);
  for (int64_t i = 0; i < m; i++) small[i] = (int32_t)index[i];
  void *grad = random_tensor(dtype, m * d, 1), *out = tensor(dtype, v * d);
  tc_embedding_args a = {.dtype = dtype, .index_dtype = narrow ? TC_I32 : TC_I64, .grad = TEST_ADDRESS(grad),
                         .index = narrow ? TEST_ADDRESS(small) : TEST_ADDRESS(index), .grad_weight = TEST_ADDRESS(out),
                         .m = m, .v = v, .d = d, .padding_idx = pick(-1, v - 1), .scale_grad_by_freq = pick(0, 1)};
  CHECK_EQ(SCRATCH(a, tc_embedding_backward), TC_OK);
  for (int64_t i = 0; i < v * d; i++) {
    double sum = 0, size = 0, hits = 0;
    for (int64_t k = 0; k < m; k++) {
      if (index[k] != i / d) continue;
      sum += get(grad, dtype, k * d + i % d);
      size += fabs(get(grad, dtype, k * d + i % d));
      hits++;
    }
    if (a.scale_grad_by_freq && hits > 0) sum /= hits, size /= hits;
    CHECK_CLOSE(get(out, dtype, i), i / d == a.padding_idx ? 0 : sum, 0, tolerance(dtype, 2 + hits) * (size + 0x1p-10));
  }

  const double norms[] = {1, 2, 3, INFINITY};
  for (int p = 0; p < 4; p++) {
    void *weight = random_tensor(dtype, v * d, 1), *before = copy_of(weight, dtype, v * d);
    a.weight = TEST_ADDRESS(weight);
    a.max_norm = 0.75;
    a.norm_type = norms[p];
    CHECK_EQ(SCRATCH(a, tc_embedding_renorm), TC_OK);
    for (int64_t r = 0; r < v; r++) {
      bool occurs = false;
      double norm = 0;
      for (int64_t k = 0; k < m; k++) occurs |= index[k] == r;
      for (int64_t k = 0; k < d; k++) {
        const double x = fabs(get(before, dtype, r * d + k));
        norm = isinf(norms[p]) ? fmax(norm, x) : norm + pow(x, norms[p]);
      }
      if (!isinf(norms[p])) norm = pow(norm, 1 / norms[p]);
      const double scale = occurs && norm > 0.75 ? 0.75 / (norm + 1e-7) : 1;
      for (int64_t k = 0; k < d; k++) {
        CHECK_CLOSE(get(weight, dtype, r * d + k), get(before, dtype, r * d + k) * scale, tolerance(dtype, 4), 1e-7);
      }
    }
  }
  if (m == 0) return;
  index[m / 2] = -1;
  small[m / 2] = -1;
  CHECK_EQ(tc_embedding_backward(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[2], m / 2);
}

static void check_bag(int64_t dtype, int64_t mode) {
  const int64_t m = pick(0, 30), v = pick(1, 20), d = pick(0, 1) ? pick(1, 5) : 300, bags = pick(0, 6);
  const bool last = pick(0, 1), weighted = mode == TC_BAG_SUM && pick(0, 1);
  int64_t *index = indices(m, 0, v - 1), *start = indices(bags + 1, 0, m);
  for (int64_t b = 0; b < bags; b++) {  // sorted, the first at 0
    if (b == 0) start[b] = 0;
    for (int64_t k = b; k > 1 && start[k] < start[k - 1]; k--) {
      const int64_t t = start[k];
      start[k] = start[k - 1];
      start[k - 1] = t;
    }
  }
  start[bags] = m;
  int64_t *offset = tensor(TC_I64, bags + last);
  memcpy(offset, start, (size_t)(bags + last) * 8);
  if (bags == 0 && last) offset[0] = start[0] = 0;
  void *weight = random_tensor(dtype, v * d, 1), *own = random_tensor(dtype, m, 1), *out = tensor(dtype, bags * d);
  int64_t *size = tensor(TC_I64, bags), *bag_of = tensor(TC_I64, m), *at = tensor(TC_I64, bags * d);
  void *grad = random_tensor(dtype, bags * d, 1), *grad_weight = tensor(dtype, v * d), *grad_own = tensor(dtype, m);
  const int64_t padding = pick(-1, v - 1);
  tc_embedding_bag_args a = {
      .dtype = dtype, .index_dtype = TC_I64, .mode = mode, .weight = TEST_ADDRESS(weight), .index = TEST_ADDRESS(index),
      .offset = TEST_ADDRESS(offset), .per_sample = weighted ? TEST_ADDRESS(own) : 0, .out = TEST_ADDRESS(out),
      .bag_size = TEST_ADDRESS(size), .offset2bag = TEST_ADDRESS(bag_of), .max_indices = TEST_ADDRESS(at),
      .grad = TEST_ADDRESS(grad), .grad_weight = TEST_ADDRESS(grad_weight), .grad_per_sample = weighted ? TEST_ADDRESS(grad_own) : 0,
      .m = m, .v = v, .d = d, .bags = bags, .include_last_offset = last, .padding_idx = padding,
      .scale_grad_by_freq = mode != TC_BAG_MAX && pick(0, 1)};
  CHECK_EQ(tc_embedding_bag(&a), TC_OK);
  CHECK_EQ(SCRATCH(a, tc_embedding_bag_backward), TC_OK);
  double *slope = tensor(TC_F64, v * d);
  for (int64_t i = 0; i < v * d; i++) slope[i] = 0;
  for (int64_t b = 0; b < bags; b++) {
    int64_t count = 0;
    for (int64_t i = start[b]; i < start[b + 1]; i++) {
      count += index[i] != padding;
      CHECK_EQ(bag_of[i], b);
    }
    CHECK_EQ(size[b], count);
    for (int64_t k = 0; k < d; k++) {
      double sum = 0, best = -INFINITY;
      int64_t where = -1;
      for (int64_t i = start[b]; i < start[b + 1]; i++) {
        if (index[i] == padding) continue;
        const double x = get(weight, dtype, index[i] * d + k), w = weighted ? get(own, dtype, i) : 1;
        int64_t frequency = 0;
        for (int64_t j = 0; j < m; j++) frequency += index[j] == index[i];
        sum += w * x / (mode == TC_BAG_MEAN ? (double)count : 1);
        if (x > best) best = x, where = index[i];
        if (mode == TC_BAG_MAX) continue;
        slope[index[i] * d + k] += get(grad, dtype, b * d + k) * w / (mode == TC_BAG_MEAN ? (double)count : 1) /
                                   (a.scale_grad_by_freq ? (double)frequency : 1);
      }
      if (mode == TC_BAG_MAX) {
        CHECK_EQ(at[b * d + k], where);
        if (where >= 0) slope[where * d + k] += get(grad, dtype, b * d + k);
      }
      const double exact = mode != TC_BAG_MAX ? sum : where < 0 ? 0 : best;
      CHECK_CLOSE(get(out, dtype, b * d + k), exact, tolerance(dtype, 4), tolerance(dtype, 4));
    }
    for (int64_t i = start[b]; weighted && i < start[b + 1]; i++) {
      double dot = 0;
      for (int64_t k = 0; k < d && index[i] != padding; k++) dot += get(grad, dtype, b * d + k) * get(weight, dtype, index[i] * d + k);
      CHECK_CLOSE(get(grad_own, dtype, i), dot, tolerance(dtype, 4), tolerance(dtype, 16));
    }
  }
  for (int64_t i = 0; i < v * d; i++) CHECK_CLOSE(get(grad_weight, dtype, i), slope[i], tolerance(dtype, 8), tolerance(dtype, 30));
  if (bags < 2) return;
  offset[1] = m + 1;
  CHECK_EQ(tc_embedding_bag(&a), TC_BAD_VALUE);
  offset[1] = 0;
  offset[0] = 1;
  CHECK_EQ(tc_embedding_bag(&a), TC_BAD_VALUE);
}

static void check_one_hot(void) {
  const int64_t n = pick(0, 20), classes = pick(1, 7);
  int64_t *in = indices(n, 0, classes - 1), *out = tensor(TC_I64, n * classes);
  const tc_one_hot_args a = {TEST_ADDRESS(in), TEST_ADDRESS(out), n, classes};
  CHECK_EQ(tc_one_hot(&a), TC_OK);
  for (int64_t i = 0; i < n * classes; i++) CHECK_EQ(out[i], in[i / classes] == i % classes);
  if (n == 0) return;
  in[n - 1] = classes;
  CHECK_EQ(tc_one_hot(&a), TC_INDEX_OUT_OF_RANGE);
}

static void check_tri(int64_t dtype) {
  const int64_t batch = pick(0, 3), rows = pick(0, 9), cols = pick(0, 9), diagonal = pick(-10, 10), n = batch * rows * cols;
  const bool upper = pick(0, 1);
  void *in = random_tensor(dtype, n, 1), *out = tensor(dtype, n), *self = copy_of(in, dtype, n);
  // in as it lies, transposed, and in place
  for (int how = 0; how < 3; how++) {
    const int64_t row = how == 1 ? 1 : cols, column = how == 1 ? rows : 1;
    const tc_tri_args a = {dtype, upper, diagonal, TEST_ADDRESS(how == 2 ? self : in), TEST_ADDRESS(how == 2 ? self : out), batch,
                           rows, cols, rows * cols, row, column};
    CHECK_EQ(tc_tri(&a), TC_OK);
    for (int64_t i = 0; i < n; i++) {
      const int64_t b = i / (rows * cols), r = i / cols % rows, c = i % cols;
      const bool keep = upper ? c - r >= diagonal : c - r <= diagonal;
      const double exact = keep ? get(in, dtype, b * rows * cols + r * row + c * column) : 0;
      CHECK(get(how == 2 ? self : out, dtype, i) == exact);
    }
  }
}

static void check_counts(int64_t dtype) {
  const int64_t n = pick(0, 1500), bins = 10;
  void *in = tensor(dtype, n);
  for (int64_t i = 0; i < n; i++) put(in, dtype, i, (double)pick(0, bins - 1));
  const int64_t weight_dtypes[3] = {0, TC_F32, TC_F64};
  for (int w = 0; w < 3; w++) {
    const int64_t out_dtype = w ? weight_dtypes[w] : TC_I64;
    void *weights = random_tensor(w ? out_dtype : TC_F64, n, 1), *out = tensor(out_dtype, bins);
    const tc_bincount_args a = {dtype, weight_dtypes[w], TEST_ADDRESS(in), w ? TEST_ADDRESS(weights) : 0, TEST_ADDRESS(out), n, bins};
    CHECK_EQ(tc_bincount(&a), TC_OK);
    for (int64_t k = 0; k < bins; k++) {
      double sum = 0;
      for (int64_t i = 0; i < n; i++) sum += get(in, dtype, i) == (double)k ? (w ? get(weights, out_dtype, i) : 1) : 0;
      CHECK_CLOSE(get(out, out_dtype, k), sum, 1e-5, 1e-4);
    }
    if (n == 0) continue;
    tc_bincount_args bad = a;
    put(in, dtype, n / 2, 10);
    CHECK_EQ(tc_bincount(&bad), TC_INDEX_OUT_OF_RANGE);
    CHECK_EQ(tc_error_info[0], 10);
    CHECK_EQ(tc_error_info[2], n / 2);
    put(in, dtype, n / 2, 3);
  }
}

static void check_histc(int64_t dtype) {
  const int64_t n = pick(0, 1500), bins = 8;
  void *in = random_tensor(dtype, n, 2), *weights = random_tensor(dtype, n, 1), *out = tensor(dtype, bins);
  if (n > 4) put(in, dtype, 0, NAN), put(in, dtype, 1, 1), put(in, dtype, 2, -1), put(in, dtype, 3, INFINITY);
  for (int w = 0; w < 2; w++) {
    const tc_histc_args a = {dtype, TEST_ADDRESS(in), w ? TEST_ADDRESS(weights) : 0, TEST_ADDRESS(out), n, bins, -1, 1};
    CHECK_EQ(tc_histc(&a), TC_OK);
    double exact[8] = {0};
    for (int64_t i = 0; i < n; i++) {
      const double x = get(in, dtype, i);
      if (!(x >= -1 && x <= 1)) continue;
      const int64_t k = (int64_t)((x + 1) / 2 * (double)bins);
      exact[k < bins ? k : bins - 1] += w ? get(weights, dtype, i) : 1;
    }
    for (int64_t k = 0; k < bins; k++) CHECK_CLOSE(get(out, dtype, k), exact[k], 1e-5, 1e-4);
  }
}

int main(void) {
  for (int round = 0; round < 60; round++) {
    for (int d = 0; d < 4; d++) {
      check_embedding(test_floats[d], round % 2);
      check_bag(test_floats[d], round % 3);
    }
    check_one_hot();
    for (int d = 0; d < 10; d++) check_tri(test_reals[d]);
    if (round < 8) {
      for (int d = 0; d < 5; d++) check_counts(test_reals[d]);
      check_histc(TC_F32);
      check_histc(TC_F64);
    }
  }
  return test_end();
}
