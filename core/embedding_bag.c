// tc_embedding_bag, tc_embedding_bag_backward: sums, means and maxima of embedding rows, bag by bag.
#include <stddef.h>
#include <string.h>

#include "indices.h"
#include "numbers.h"
#include "update.h"

static inline int64_t word_at(const tc_embedding_bag_args *a, int64_t i) {
  return tc_index_at(TC_PTR(const void, a->index), a->index_dtype, i);
}

// Where bag b begins; bag_start(bags) is where the last one ends.
static inline int64_t bag_start(const tc_embedding_bag_args *a, int64_t b) {
  if (b == a->bags && !a->include_last_offset) return a->m;
  return tc_index_at(TC_PTR(const void, a->offset), a->index_dtype, b);
}

static inline char *row_of(uint64_t tensor, const tc_embedding_bag_args *a, int64_t row) {
  return TC_PTR(char, tensor) + row * a->d * tc_dtype_size(a->dtype);
}

static int32_t check(const tc_embedding_bag_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  for (int64_t b = 0; b <= a->bags; b++) {
    const int64_t start = bag_start(a, b);
    if (start < (b > 0 ? bag_start(a, b - 1) : 0) || start > a->m || (b == 0 && a->bags > 0 && start != 0)) {
      return tc_fail(TC_BAD_VALUE, b, 0, 0, 0);
    }
  }
  return tc_check_indices(TC_PTR(const void, a->index), a->index_dtype, a->m, a->v, false, 0);
}

// Words of a bag that count.
static int64_t count_words(const tc_embedding_bag_args *a, int64_t b) {
  int64_t count = 0;
  for (int64_t i = bag_start(a, b); i < bag_start(a, b + 1); i++) count += word_at(a, i) != a->padding_idx;
  return count;
}

// Elements of a row that are added up in float64 at a time.
#define PIECE 256

static void add_bag(const tc_embedding_bag_args *a, int64_t b, int64_t size) {
  const double scale = a->mode == TC_BAG_MEAN && size > 0 ? 1 / (double)size : 1;
  double sum[PIECE];
  for (int64_t from = 0; from < a->d; from += PIECE) {
    const int64_t n = a->d - from < PIECE ? a->d - from : PIECE;
    memset(sum, 0, sizeof sum);
    for (int64_t i = bag_start(a, b); i < bag_start(a, b + 1); i++) {
      if (word_at(a, i) == a->padding_idx) continue;
      const double own = a->per_sample ? tc_number_at(TC_PTR(const void, a->per_sample), a->dtype, i) : 1;
      const void *row = row_of(a->weight, a, word_at(a, i));
      if (a->dtype == TC_F32) {
        const float *x = (const float *)row + from;
        for (int64_t k = 0; k < n; k++) sum[k] += own * (double)x[k];
      } else {
        for (int64_t k = 0; k < n; k++) sum[k] += own * tc_number_at(row, a->dtype, from + k);
      }
    }
    for (int64_t k = 0; k < n; k++) sum[k] *= scale;
    tc_convert(row_of(a->out, a, b) + from * tc_dtype_size(a->dtype), a->dtype, sum, TC_F64, n);
  }
}

static void max_bag(const tc_embedding_bag_args *a, int64_t b) {
  int64_t *at = TC_PTR(int64_t, a->max_indices) + b * a->d;
  char *out = row_of(a->out, a, b);
  memset(out, 0, (size_t)(a->d * tc_dtype_size(a->dtype)));
  for (int64_t k = 0; k < a->d; k++) at[k] = -1;
  for (int64_t i = bag_start(a, b); i < bag_start(a, b + 1); i++) {
    const int64_t word = word_at(a, i);
    if (word == a->padding_idx) continue;
    const void *row = row_of(a->weight, a, word);
    for (int64_t k = 0; k < a->d; k++) {
      const double x = tc_number_at(row, a->dtype, k);
      if (at[k] >= 0 && !(x > tc_number_at(out, a->dtype, k))) continue;
      tc_put_number(out, a->dtype, k, x);
      at[k] = word;
    }
  }
}

static void forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_embedding_bag_args *a = ctx;
  for (int64_t b = begin; b < end; b++) {
    const int64_t size = count_words(a, b);
    if (a->bag_size) TC_PTR(int64_t, a->bag_size)[b] = size;
    for (int64_t i = bag_start(a, b); a->offset2bag && i < bag_start(a, b + 1); i++) {
      TC_PTR(int64_t, a->offset2bag)[i] = b;
    }
    if (a->mode == TC_BAG_MAX) max_bag(a, b); else add_bag(a, b, size);
  }
}

int32_t tc_embedding_bag(const tc_embedding_bag_args *a) {
  const int32_t status = check(a);
  if (status != TC_OK) return status;
  tc_parallel_for(a->bags, 1 + 16384 / (1 + a->d * (1 + a->m / (a->bags + 1))), forward, (void *)(uintptr_t)a);
  return TC_OK;
}

// How often each word occurs.
int64_t tc_embedding_bag_backward_scratch(const tc_embedding_bag_args *a) {
  return a->scale_grad_by_freq ? a->v * (int64_t)sizeof(int64_t) : 0;
}

// The maxima's gradients, for rows begin .. end - 1 of the weight.
static void add_max_rows(const tc_embedding_bag_args *a, int64_t begin, int64_t end) {
  const int64_t *at = TC_PTR(const int64_t, a->max_indices);
  const void *grad = TC_PTR(const void, a->grad);
  for (int64_t i = 0; i < a->bags * a->d; i++) {
    if (at[i] < begin || at[i] >= end) continue;
    void *row = row_of(a->grad_weight, a, at[i]);
    const double sum = tc_number_at(row, a->dtype, i % a->d) + tc_number_at(grad, a->dtype, i);
    tc_put_number(row, a->dtype, i % a->d, sum);
  }
}

static void add_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_embedding_bag_args *a = ctx;
  const int64_t *counts = TC_PTR(const int64_t, a->scratch);
  memset(row_of(a->grad_weight, a, begin), 0, (size_t)((end - begin) * a->d * tc_dtype_size(a->dtype)));
  if (a->mode == TC_BAG_MAX) {
    add_max_rows(a, begin, end);
    return;
  }
  tc_update u = {.dtype = a->dtype, .op = TC_UPDATE_ADD_SCALED, .m = a->d, .out_stride = 1, .src_stride = 1};
  for (int64_t b = 0; b < a->bags; b++) {
    const double size = a->mode == TC_BAG_MEAN ? (double)count_words(a, b) : 1;
    for (int64_t i = bag_start(a, b); i < bag_start(a, b + 1); i++) {
      const int64_t word = word_at(a, i);
      if (word < begin || word >= end || word == a->padding_idx) continue;
      double scale = 1 / size;
      if (a->per_sample) scale *= tc_number_at(TC_PTR(const void, a->per_sample), a->dtype, i);
      if (a->scale_grad_by_freq) scale /= (double)counts[word];
      u.scale.f = scale;
      u.op = scale == 1 ? TC_UPDATE_ADD : TC_UPDATE_ADD_SCALED;
      u.out = row_of(a->grad_weight, a, word);
      u.src = row_of(a->grad, a, b);
      tc_update_run(&u);
    }
  }
}

// grad_per_sample[i] = grad[bag of i] . weight[index[i]]
static void per_sample_gradients(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_embedding_bag_args *a = ctx;
  for (int64_t b = begin; b < end; b++) {
    const void *grad = row_of(a->grad, a, b);
    for (int64_t i = bag_start(a, b); i < bag_start(a, b + 1); i++) {
      double sum = 0;
      const void *row = row_of(a->weight, a, word_at(a, i));
      for (int64_t k = 0; k < a->d && word_at(a, i) != a->padding_idx; k++) {
        sum += tc_number_at(grad, a->dtype, k) * tc_number_at(row, a->dtype, k);
      }
      tc_put_number(TC_PTR(void, a->grad_per_sample), a->dtype, i, sum);
    }
  }
}

int32_t tc_embedding_bag_backward(const tc_embedding_bag_args *a) {
  const int32_t status = check(a);
  if (status != TC_OK || a->d == 0) return status;
  void *ctx = (void *)(uintptr_t)a;
  if (a->scale_grad_by_freq) {
    int64_t *counts = TC_PTR(int64_t, a->scratch);
    memset(counts, 0, (size_t)tc_embedding_bag_backward_scratch(a));
    for (int64_t i = 0; i < a->m; i++) counts[word_at(a, i)]++;
  }
  if (a->grad_weight) tc_parallel_for(a->v, 1 + 16384 / a->d, add_rows, ctx);
  if (a->grad_per_sample) tc_parallel_for(a->bags, 16, per_sample_gradients, ctx);
  return TC_OK;
}
