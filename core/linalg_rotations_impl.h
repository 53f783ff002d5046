// Plane rotations of rows, written down as they arise and applied many at a time, a strip of columns after the other.
// A part of linalg_all.h.

// Rows j and j + 1 become s z[j + 1] + c z[j] and c z[j + 1] - s z[j] (LAPACK's lasr).
typedef struct {
  int32_t row;
  R c, s;
} rotation;

typedef struct {
  rotation *list;
  ptrdiff_t count, capacity;
  R *rows;  // what they apply to; NULL: nothing is kept
  ptrdiff_t cols, ld;
} rotations;

#define STRIP (8 * LANES)

static void rotate_strip(const rotations *t, R *z) {
  V carried[8];
  int32_t held = -1;
  for (ptrdiff_t k = 0; k < t->count; k++) {
    const rotation q = t->list[k];
    R *low = z + q.row * t->ld, *high = low + t->ld;
    const V c = SET(q.c), s = SET(q.s);
    if (held == q.row + 1) {  // going up: the row above stays in registers
      for (int v = 0; v < 8; v++) {
        const V x = v_load(low + v * LANES);
        v_store(high + v * LANES, v_fnma(s, x, c * carried[v]));
        carried[v] = v_fma(s, carried[v], c * x);
      }
      held = q.row;
      continue;
    }
    if (held != q.row) {
      if (held >= 0) {
        for (int v = 0; v < 8; v++) v_store(z + held * t->ld + v * LANES, carried[v]);
      }
      for (int v = 0; v < 8; v++) carried[v] = v_load(low + v * LANES);
    }
    // going down
    for (int v = 0; v < 8; v++) {
      const V y = v_load(high + v * LANES);
      v_store(low + v * LANES, v_fma(s, y, c * carried[v]));
      carried[v] = v_fnma(s, carried[v], c * y);
    }
    held = q.row + 1;
  }
  if (held >= 0) {
    for (int v = 0; v < 8; v++) v_store(z + held * t->ld + v * LANES, carried[v]);
  }
}

static void rotate_strips(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const rotations *t = ctx;
  for (ptrdiff_t col = (ptrdiff_t)begin * STRIP; col < min((ptrdiff_t)end * STRIP, t->cols); col += STRIP) {
    if (col + STRIP <= t->cols) {
      rotate_strip(t, t->rows + col);
      continue;
    }
    for (ptrdiff_t k = 0; k < t->count; k++) {
      const rotation q = t->list[k];
      R *low = t->rows + q.row * t->ld, *high = low + t->ld;
      for (ptrdiff_t j = col; j < t->cols; j++) {
        const R x = low[j], y = high[j];
        low[j] = q.s * y + q.c * x, high[j] = q.c * y - q.s * x;
      }
    }
  }
}

static void flush_rotations(rotations *t) {
  if (t->count == 0) return;
  const ptrdiff_t strips = (t->cols + STRIP - 1) / STRIP;
  tc_parallel_for(strips, 1 + 65536 / (STRIP * 3 * t->count + 1), rotate_strips, t);
  t->count = 0;
}

static inline void rotate(rotations *t, ptrdiff_t row, R c, R s) {
  if (t->rows == NULL) return;
  if (t->count == t->capacity) flush_rotations(t);
  t->list[t->count++] = (rotation){(int32_t)row, c, s};
}

static rotations take_rotations(tc_arena *arena, ptrdiff_t n) {
  const ptrdiff_t capacity = 16 * n + 64;
  return (rotations){tc_take(arena, capacity * (ptrdiff_t)sizeof(rotation)), 0, capacity, NULL, 0, 0};
}

// The rotation that takes (f, g) to (r, 0), c >= 0 unless |f| <= |g| (LAPACK 3.10's lartg).
static void make_rotation(R f, R g, R *c, R *s, R *r) {
  if (g == 0) {
    *c = 1, *s = 0, *r = f;
    return;
  }
  if (f == 0) {
    *c = 0, *s = SIGN(1, g), *r = ABS(g);
    return;
  }
  const R top = ABS(f) > ABS(g) ? ABS(f) : ABS(g);
  const R low = SQRT(TINY), high = 1 / low / 2;
  R u = 1;
  if (!(ABS(f) > low && ABS(f) < high && ABS(g) > low && ABS(g) < high)) {
    u = top < TINY ? TINY : top > 1 / TINY ? 1 / TINY : top;
    f /= u, g /= u;
  }
  const R d = SQRT(f * f + g * g);
  *c = ABS(f) / d;
  *r = SIGN(d, f);
  *s = g / *r;
  *r *= u;
}
