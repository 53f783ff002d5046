// Layer normalisation for one element type; included after norm_sums.h.

// Forward of rows [begin, end).
static void layer_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_layer_norm_args *a = ctx;
  const ptrdiff_t cols = (ptrdiff_t)a->cols;
  R x_buffer[CHUNK], w_buffer[CHUNK], b_buffer[CHUNK], out[CHUNK];
  for (ptrdiff_t row = (ptrdiff_t)begin; row < (ptrdiff_t)end; row++) {
    moments m = {0, 0, 0};
    for (ptrdiff_t i = 0, n; i < cols; i += n) {
      n = min(CHUNK, cols - i);
      add_moments(&m, fetch(a->x, a->dtype, row * cols + i, n, x_buffer), n);
    }
    const double rstd = 1 / sqrt(m.m2 / m.count + a->eps);
    put_one(a->mean, R_DTYPE, row, m.mean);
    put_one(a->rstd, R_DTYPE, row, rstd);
    const R centre = (R)m.mean, scale = (R)rstd;
    for (ptrdiff_t i = 0, n; i < cols; i += n) {
      n = min(CHUNK, cols - i);
      const ptrdiff_t at = row * cols + i;
      const R *x = fetch(a->x, a->dtype, at, n, x_buffer);
      const R *w = a->weight ? fetch(a->weight, a->param_dtype, i, n, w_buffer) : NULL;
      const R *b = a->bias ? fetch(a->bias, a->param_dtype, i, n, b_buffer) : NULL;
      R *y = place(a->y, a->dtype, at, out);
      ptrdiff_t j = 0;
      for (; j + LANES <= n; j += LANES) {
        V v = (v_load(x + j) - SET(centre)) * SET(scale);
        if (w) v = b ? v_fma(v, v_load(w + j), v_load(b + j)) : v * v_load(w + j);
        else if (b) v += v_load(b + j);
        v_store(y + j, v);
      }
      for (; j < n; j++) y[j] = (x[j] - centre) * scale * (w ? w[j] : 1) + (b ? b[j] : 0);
      put(a->y, a->dtype, at, n, y);
    }
  }
}

void NAME(tc_layer_norm)(const tc_layer_norm_args *a) {
  tc_parallel_for(a->rows, 1 + TC_NORM_GRAIN / (a->cols + 1), layer_rows, (void *)a);
}

// Rows are dealt to "slots", each of which sums the gradients of weight and bias for itself; slots are added in their
// order. A slot's recent rows are summed apart from the many before them, for accuracy.
#define RECENT_ROWS 32

typedef struct {
  const tc_layer_norm_args *a;
  ptrdiff_t slots;
  R *sums;  // of each slot: dweight, dbias, and the recent rows' of both; (cols) each
} layer_job;

static ptrdiff_t layer_slots(const tc_layer_norm_args *a) {
  return min(tc_num_threads(), 1 + (ptrdiff_t)(a->rows * a->cols / TC_NORM_GRAIN));
}

int64_t NAME(tc_layer_norm_backward_scratch)(const tc_layer_norm_args *a) {
  return layer_slots(a) * 4 * a->cols * (int64_t)sizeof(R);
}

// dx of one row, and its share of dweight and dbias.
static void layer_row_backward(const tc_layer_norm_args *a, ptrdiff_t row, R *dweight, R *dbias) {
  const ptrdiff_t cols = (ptrdiff_t)a->cols;
  const double mean = get_one(a->mean, R_DTYPE, row, 0), rstd = get_one(a->rstd, R_DTYPE, row, 0);
  R x_buffer[CHUNK], y_buffer[CHUNK], w_buffer[CHUNK], out[CHUNK];
  const R centre = (R)mean, scale = (R)rstd;
  double sum = 0, product = 0;
  for (ptrdiff_t i = 0, n; i < cols; i += n) {
    n = min(CHUNK, cols - i);
    const R *x = fetch(a->x, a->dtype, row * cols + i, n, x_buffer), *g = fetch(a->dy, a->dtype, row * cols + i, n, y_buffer);
    const R *w = a->weight ? fetch(a->weight, a->param_dtype, i, n, w_buffer) : NULL;
    V s = SET(0), p = SET(0);
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES) {
      const V d = (v_load(x + j) - SET(centre)) * SET(scale), y = v_load(g + j), wy = w ? y * v_load(w + j) : y;
      s += wy;
      p = v_fma(wy, d, p);
      v_store(dweight + i + j, v_fma(y, d, v_load(dweight + i + j)));
      v_store(dbias + i + j, y + v_load(dbias + i + j));
    }
    sum += (double)v_sum(s), product += (double)v_sum(p);
    for (; j < n; j++) {
      const R d = (x[j] - centre) * scale, wy = w ? g[j] * w[j] : g[j];
      sum += (double)wy, product += (double)wy * (double)d;
      dweight[i + j] += g[j] * d, dbias[i + j] += g[j];
    }
  }
  if (!a->dx) return;
  // dx = rstd * (w * dy - average(w * dy) - normalised x * average(w * dy * normalised x))
  const R slope = (R)(rstd * rstd * product / (double)cols), shift = (R)(rstd * sum / (double)cols);
  for (ptrdiff_t i = 0, n; i < cols; i += n) {
    n = min(CHUNK, cols - i);
    const ptrdiff_t at = row * cols + i;
    const R *x = fetch(a->x, a->dtype, at, n, x_buffer), *g = fetch(a->dy, a->dtype, at, n, y_buffer);
    R *dx = place(a->dx, a->dtype, at, out);
    if (a->weight) {
      const R *w = fetch(a->weight, a->param_dtype, i, n, w_buffer);
      ptrdiff_t j = 0;
      for (; j + LANES <= n; j += LANES) {
        const V part = v_fma(v_load(x + j) - SET(centre), SET(-slope), SET(-shift));
        v_store(dx + j, v_fma(v_load(g + j) * v_load(w + j), SET(scale), part));
      }
      for (; j < n; j++) dx[j] = g[j] * w[j] * scale - (x[j] - centre) * slope - shift;
    } else {
      gradient_run(x, g, dx, centre, scale, slope, shift, n);
    }
    put(a->dx, a->dtype, at, n, dx);
  }
}

static void add_to(R *to, R *from, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) to[i] += from[i], from[i] = 0;
}

// Slots [begin, end).
static void layer_backward_slots(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const layer_job *t = ctx;
  const tc_layer_norm_args *a = t->a;
  const ptrdiff_t cols = (ptrdiff_t)a->cols;
  for (int64_t slot = begin; slot < end; slot++) {
    R *total = t->sums + (ptrdiff_t)slot * 4 * cols, *recent = total + 2 * cols;
    memset(total, 0, (size_t)(4 * cols) * sizeof(R));
    const ptrdiff_t first = (ptrdiff_t)(slot * a->rows / t->slots), last = (ptrdiff_t)((slot + 1) * a->rows / t->slots);
    for (ptrdiff_t row = first; row < last; row++) {
      layer_row_backward(a, row, recent, recent + cols);
      if ((row - first) % RECENT_ROWS == RECENT_ROWS - 1 || row + 1 == last) add_to(total, recent, 2 * cols);
    }
  }
}

// Columns [begin, end) of dweight and dbias.
static void layer_add_slots(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const layer_job *t = ctx;
  const ptrdiff_t cols = (ptrdiff_t)t->a->cols;
  for (ptrdiff_t i = (ptrdiff_t)begin; i < (ptrdiff_t)end; i++) {
    double dweight = 0, dbias = 0;
    for (ptrdiff_t slot = 0; slot < t->slots; slot++) {
      dweight += (double)t->sums[slot * 4 * cols + i];
      dbias += (double)t->sums[(slot * 4 + 1) * cols + i];
    }
    put_one(t->a->dweight, t->a->param_dtype, i, dweight);
    put_one(t->a->dbias, t->a->param_dtype, i, dbias);
  }
}

void NAME(tc_layer_norm_backward)(const tc_layer_norm_args *a) {
  layer_job t = {a, layer_slots(a), TC_PTR(R, a->scratch)};
  tc_parallel_for(t.slots, 1, layer_backward_slots, &t);
  if (a->dweight || a->dbias) tc_parallel_for(a->cols, TC_NORM_GRAIN, layer_add_slots, &t);
}
