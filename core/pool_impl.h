// Pooling of one plane. A template over the element: R computes, S is stored, GET(p, i) and PUT(p, i, x) move one
// element, F(x) is x with the dtype's suffix, ISNAN(x) tells NaN (0 for integers), LOWEST is below every value.

// Maximum of the window that starts at (d0, h0, w0); the first of equal values, and the last NaN.
static inline R F(window_max)(const pool_shape *s, const S *x, int64_t d0, int64_t h0, int64_t w0, int64_t *where) {
  R best = LOWEST;
  int64_t at = -1;
  for (int64_t i = 0; i < s->kernel[0]; i++) {
    const int64_t d = d0 + i * s->dilation[0];
    if (d < 0 || d >= s->in[0]) continue;
    for (int64_t j = 0; j < s->kernel[1]; j++) {
      const int64_t h = h0 + j * s->dilation[1];
      if (h < 0 || h >= s->in[1]) continue;
      const int64_t row = (d * s->in[1] + h) * s->in[2];
      for (int64_t k = 0; k < s->kernel[2]; k++) {
        const int64_t w = w0 + k * s->dilation[2];
        if (w < 0 || w >= s->in[2]) continue;
        const R v = GET(x, row + w);
        if (at < 0 || v > best || ISNAN(v)) {
          best = v;
          at = row + w;
        }
      }
    }
  }
  *where = at < 0 ? 0 : at;
  return best;
}

static void F(max_plane)(const pool_shape *s, const S *x, S *y, int64_t *indices) {
  int64_t o = 0;
  for (int64_t d = 0; d < s->out[0]; d++) {
    for (int64_t h = 0; h < s->out[1]; h++) {
      for (int64_t w = 0; w < s->out[2]; w++, o++) {
        int64_t at;
        const R v = F(window_max)(s, x, d * s->stride[0] - s->padding[0], h * s->stride[1] - s->padding[1],
                                  w * s->stride[2] - s->padding[2], &at);
        PUT(y, o, v);
        if (indices) indices[o] = at;
      }
    }
  }
}

static void F(adaptive_max_plane)(const pool_shape *s, const S *x, S *y, int64_t *indices) {
  pool_shape window = *s;
  int64_t o = 0;
  for (int64_t d = 0; d < s->out[0]; d++) {
    const int64_t d0 = range_start(d, s->in[0], s->out[0]);
    window.kernel[0] = range_end(d, s->in[0], s->out[0]) - d0;
    for (int64_t h = 0; h < s->out[1]; h++) {
      const int64_t h0 = range_start(h, s->in[1], s->out[1]);
      window.kernel[1] = range_end(h, s->in[1], s->out[1]) - h0;
      for (int64_t w = 0; w < s->out[2]; w++, o++) {
        const int64_t w0 = range_start(w, s->in[2], s->out[2]);
        window.kernel[2] = range_end(w, s->in[2], s->out[2]) - w0;
        int64_t at;
        PUT(y, o, F(window_max)(&window, x, d0, h0, w0, &at));
        if (indices) indices[o] = at;
      }
    }
  }
}

// x += what the indices send there.
static void F(scatter_plane)(const pool_shape *s, S *x, const S *y, const int64_t *indices) {
  const int64_t n = s->in[0] * s->in[1] * s->in[2], m = s->out[0] * s->out[1] * s->out[2];
  memset(x, 0, (size_t)n * sizeof(S));
  for (int64_t o = 0; o < m; o++) PUT(x, indices[o], GET(x, indices[o]) + GET(y, o));
}

static void F(unpool_plane)(const pool_shape *s, S *x, const S *y, const int64_t *indices) {
  const int64_t n = s->in[0] * s->in[1] * s->in[2], m = s->out[0] * s->out[1] * s->out[2];
  memset(x, 0, (size_t)n * sizeof(S));
  for (int64_t o = 0; o < m; o++) x[indices[o]] = y[o];
}

static void F(gather_plane)(const pool_shape *s, const S *x, S *y, const int64_t *indices) {
  const int64_t m = s->out[0] * s->out[1] * s->out[2];
  for (int64_t o = 0; o < m; o++) y[o] = x[indices[o]];
}

#if FLOATING
static void F(avg_plane)(const pool_shape *s, S *x, S *y, int backward) {
  if (backward) memset(x, 0, (size_t)(s->in[0] * s->in[1] * s->in[2]) * sizeof(S));
  int64_t o = 0;
  for (int64_t d = 0; d < s->out[0]; d++) {
    const span a = window_span(s, 0, d);
    for (int64_t h = 0; h < s->out[1]; h++) {
      const span b = window_span(s, 1, h);
      for (int64_t w = 0; w < s->out[2]; w++, o++) {
        const span c = window_span(s, 2, w);
        const int64_t inside = (a.end - a.begin) * (b.end - b.begin) * (c.end - c.begin);
        const int64_t count = s->divisor != 0 ? s->divisor : s->include_pad ? a.full * b.full * c.full : inside;
        const R share = backward ? GET(y, o) / (R)count : 0;
        R sum = 0;
        for (int64_t i = a.begin; i < a.end; i++) {
          for (int64_t j = b.begin; j < b.end; j++) {
            const int64_t row = (i * s->in[1] + j) * s->in[2];
            if (backward) for (int64_t k = c.begin; k < c.end; k++) PUT(x, row + k, GET(x, row + k) + share);
            else for (int64_t k = c.begin; k < c.end; k++) sum += GET(x, row + k);
          }
        }
        if (!backward) PUT(y, o, inside <= 0 ? 0 : sum / (R)count);
      }
    }
  }
}
#endif
