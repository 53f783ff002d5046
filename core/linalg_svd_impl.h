// Singular values: reduction to a bidiagonal matrix, then implicit QR with the zero shift of Demmel and Kahan ("Accurate
// singular values of bidiagonal matrices", 1990; LAPACK's gebd2 and bdsqr, whose signs the vectors have). A part of
// linalg_all.h.

// ---------------------------------------------------------------- reduction

typedef struct {
  R *a;
  ptrdiff_t ld, row, rows, col, cols;  // the part that is left
  const R *f, *x;                      // the update that is due: a -= f x^T
  const R *v;                          // down: sums += v^T a; across: p = a v
  R *p;
} bidiagonal_pass;

#define COLUMNS 64  // of a strip

// p += v^T a after the update, a strip of columns at a time.
static void bidiagonal_down(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const bidiagonal_pass *t = ctx;
  for (ptrdiff_t s = (ptrdiff_t)begin; s < (ptrdiff_t)end; s++) {
    const ptrdiff_t from = s * COLUMNS, n = min(COLUMNS, t->cols - from);
    R *p = t->p + t->col + from;
    const R *x = t->x + t->col + from;
    memset(p, 0, (size_t)n * sizeof(R));
    for (ptrdiff_t r = t->row; r < t->row + t->rows; r++) {
      R *row = t->a + r * t->ld + t->col + from;
      const R f = t->f[r], v = t->v[r];
      const V vf = SET(f), vv = SET(v);
      ptrdiff_t j = 0;
      for (; j + LANES <= n; j += LANES) {
        const V y = v_fnma(vf, v_load(x + j), v_load(row + j));
        v_store(row + j, y);
        v_store(p + j, v_fma(vv, y, v_load(p + j)));
      }
      for (; j < n; j++) {
        row[j] -= f * x[j];
        p[j] += v * row[j];
      }
    }
  }
}

static void bidiagonal_across(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const bidiagonal_pass *t = ctx;
  for (ptrdiff_t r = t->row + (ptrdiff_t)begin; r < t->row + (ptrdiff_t)end; r++) {
    R *row = t->a + r * t->ld + t->col;
    const R *x = t->x + t->col, *z = t->v + t->col;
    const V f = SET(t->f[r]);
    V s0 = SET(0), s1 = s0;
    ptrdiff_t j = 0;
    for (; j + 2 * LANES <= t->cols; j += 2 * LANES) {
      const V y0 = v_fnma(f, v_load(x + j), v_load(row + j));
      const V y1 = v_fnma(f, v_load(x + j + LANES), v_load(row + j + LANES));
      v_store(row + j, y0), v_store(row + j + LANES, y1);
      s0 = v_fma(y0, v_load(z + j), s0), s1 = v_fma(y1, v_load(z + j + LANES), s1);
    }
    const V s = s0 + s1;
    R sum = 0;
    for (int l = 0; l < LANES; l++) sum += s[l];
    for (; j < t->cols; j++) {
      row[j] -= t->f[r] * x[j];
      sum += row[j] * z[j];
    }
    t->p[r] = sum;
  }
}

// The reflectors of a reduction: those from the left are the rows of `left` (n by m), those from the right the rows of
// `right` (n by n), both with their ones and zeros.
typedef struct {
  R *d, *e, *left_tau, *right_tau, *left, *right;
  R *x, *y, *zeros;  // workspace: m, n, max(m, n)
} bidiagonal;

static void take_bidiagonal(tc_arena *arena, ptrdiff_t m, ptrdiff_t n, bidiagonal *b) {
  b->d = TAKE(*arena, n), b->e = TAKE(*arena, n), b->left_tau = TAKE(*arena, n), b->right_tau = TAKE(*arena, n);
  b->left = TAKE(*arena, m * n), b->right = TAKE(*arena, n * n);
  b->x = TAKE(*arena, m), b->y = TAKE(*arena, n), b->zeros = TAKE(*arena, max(m, n));
}

// a (m by n, m >= n) = Q B P^T with B upper bidiagonal. Two passes over what is left of `a` per column; each applies the
// update that the one before found.
static void bidiagonalise(R *a, ptrdiff_t m, ptrdiff_t n, const bidiagonal *b) {
  memset(b->zeros, 0, (size_t)max(m, n) * sizeof(R));
  memset(b->x, 0, (size_t)m * sizeof(R));
  memset(b->left, 0, (size_t)(m * n) * sizeof(R));
  memset(b->right, 0, (size_t)(n * n) * sizeof(R));
  const R *u = b->zeros;  // due: a -= x u^T
  for (ptrdiff_t i = 0; i < n; i++) {
    R *v = b->left + i * m;
    for (ptrdiff_t r = i; r < m; r++) v[r] = a[r * n + i] - b->x[r] * u[i];
    b->left_tau[i] = reflector(m - i - 1, v + i, v + i + 1);
    b->d[i] = v[i], v[i] = 1;
    b->e[i] = 0, b->right_tau[i] = 0;
    if (i == n - 1) break;
    const ptrdiff_t cols = n - i - 1;
    bidiagonal_pass down = {a, n, i, m - i, i + 1, cols, b->x, u, v, b->y};
    tc_parallel_for((cols + COLUMNS - 1) / COLUMNS, 1 + 16384 / (COLUMNS * (m - i)), bidiagonal_down, &down);
    scale(cols, b->left_tau[i], b->y + i + 1);
    // Row i is finished by a -= v y^T; its reflector is that from the right.
    R *w = b->right + i * n;
    for (ptrdiff_t j = i + 1; j < n; j++) w[j] = a[i * n + j] - b->y[j];
    b->right_tau[i] = reflector(cols - 1, w + i + 1, w + i + 2);
    b->e[i] = w[i + 1], w[i + 1] = 1;
    u = w;
    if (i == m - 1) break;
    bidiagonal_pass across = {a, n, i + 1, m - i - 1, i + 1, cols, v, b->y, w, b->x};
    tc_parallel_for(m - i - 1, 1 + 16384 / cols, bidiagonal_across, &across);
    scale(m - i - 1, b->right_tau[i], b->x + i + 1);
  }
}

// z (m by cols) = Q z, or (n by cols) = P z.
static void apply_left(const bidiagonal *b, ptrdiff_t m, ptrdiff_t n, mat z, ptrdiff_t cols, R *work, R *room) {
  for (ptrdiff_t j = (n - 1) / BLOCK * BLOCK; j >= 0; j -= BLOCK) {
    apply_block(m - j, min(BLOCK, n - j), cols, (mat){b->left + j * m + j, 1, m}, b->left_tau + j, false, part(z, j, 0), work,
                room);
  }
}

static void apply_right(const bidiagonal *b, ptrdiff_t n, mat z, ptrdiff_t cols, R *work, R *room) {
  for (ptrdiff_t j = (n - 2) / BLOCK * BLOCK; n > 1 && j >= 0; j -= BLOCK) {
    apply_block(n - j - 1, min(BLOCK, n - 1 - j), cols, (mat){b->right + j * n + j + 1, 1, n}, b->right_tau + j, false,
                part(z, j + 1, 0), work, room);
  }
}

// ---------------------------------------------------------------- 2 by 2

// Singular values of (f g; 0 h), the smaller one exactly (LAPACK's las2).
static R smaller_singular_value(R f, R g, R h) {
  f = ABS(f), g = ABS(g), h = ABS(h);
  const R low = f < h ? f : h, high = f < h ? h : f;
  if (low == 0) return 0;
  if (g < high) {
    const R as = 1 + low / high, at = (high - low) / high, au = (g / high) * (g / high);
    return low * (2 / (SQRT(as * as + au) + SQRT(at * at + au)));
  }
  const R au = high / g;
  if (au == 0) return (low * high) / g;
  const R as = 1 + low / high, at = (high - low) / high;
  const R c = 1 / (SQRT(1 + (as * au) * (as * au)) + SQRT(1 + (at * au) * (at * au)));
  return 2 * (low * c * au);
}

// (cl sl; -sl cl) (f g; 0 h) (cr -sr; sr cr) = diag(high, low), |high| >= |low| (LAPACK's lasv2).
static void singular_pair(R f, R g, R h, R *low, R *high, R *sr, R *cr, R *sl, R *cl) {
  R ft = f, fa = ABS(f), ht = h, ha = ABS(h);
  int place = 1;
  const bool swapped = ha > fa;
  if (swapped) {
    place = 3;
    R t = ft;
    ft = ht, ht = t, t = fa, fa = ha, ha = t;
  }
  const R gt = g, ga = ABS(g);
  R clt, crt, slt, srt;
  if (ga == 0) {
    *low = ha, *high = fa, clt = 1, crt = 1, slt = 0, srt = 0;
  } else {
    bool usual = true;
    if (ga > fa) {
      place = 2;
      if (fa / ga < EPS) {
        usual = false;
        *high = ga;
        *low = ha > 1 ? fa / (ga / ha) : (fa / ga) * ha;
        clt = 1, slt = ht / gt, srt = 1, crt = ft / gt;
      }
    }
    if (usual) {
      const R d = fa - ha;
      R l = d == fa ? 1 : d / fa;
      const R m = gt / ft;
      R t = 2 - l;
      const R mm = m * m, tt = t * t, s = SQRT(tt + mm), r = l == 0 ? ABS(m) : SQRT(l * l + mm), a = (s + r) / 2;
      *low = ha / a, *high = fa * a;
      if (mm == 0) {
        t = l == 0 ? SIGN(2, ft) * SIGN(1, gt) : gt / SIGN(d, ft) + m / t;
      } else {
        t = (m / (s + t) + m / (r + l)) * (1 + a);
      }
      l = SQRT(t * t + 4);
      crt = 2 / l, srt = t / l;
      clt = (crt + srt * m) / a;
      slt = (ht / ft) * srt / a;
    }
  }
  if (swapped) {
    *cl = srt, *sl = crt, *cr = slt, *sr = clt;
  } else {
    *cl = clt, *sl = slt, *cr = crt, *sr = srt;
  }
  R sign = place == 1   ? SIGN(1, *cr) * SIGN(1, *cl) * SIGN(1, f)
           : place == 2 ? SIGN(1, *sr) * SIGN(1, *cl) * SIGN(1, g)
                        : SIGN(1, *sr) * SIGN(1, *sl) * SIGN(1, h);
  *high = SIGN(*high, sign);
  *low = SIGN(*low, sign * SIGN(1, f) * SIGN(1, h));
}

// ---------------------------------------------------------------- implicit QR

// One sweep over d[lo .. hi], from the top to the bottom.
static void sweep_down(R *d, R *e, ptrdiff_t lo, ptrdiff_t hi, R shift, rotations *u, rotations *v) {
  R c, s, r;
  if (shift == 0) {
    R old_c = 1, old_s = 0;
    c = 1;
    for (ptrdiff_t i = lo; i < hi; i++) {
      make_rotation(d[i] * c, e[i], &c, &s, &r);
      rotate(v, i, c, s);
      if (i > lo) e[i - 1] = old_s * r;
      make_rotation(old_c * r, d[i + 1] * s, &old_c, &old_s, &d[i]);
      rotate(u, i, old_c, old_s);
    }
    const R h = d[hi] * c;
    d[hi] = h * old_c, e[hi - 1] = h * old_s;
    return;
  }
  R f = (ABS(d[lo]) - shift) * (SIGN(1, d[lo]) + shift / d[lo]), g = e[lo];
  for (ptrdiff_t i = lo; i < hi; i++) {
    make_rotation(f, g, &c, &s, &r);
    rotate(v, i, c, s);
    if (i > lo) e[i - 1] = r;
    f = c * d[i] + s * e[i];
    e[i] = c * e[i] - s * d[i];
    g = s * d[i + 1];
    d[i + 1] = c * d[i + 1];
    make_rotation(f, g, &c, &s, &r);
    rotate(u, i, c, s);
    d[i] = r;
    f = c * e[i] + s * d[i + 1];
    d[i + 1] = c * d[i + 1] - s * e[i];
    if (i < hi - 1) {
      g = s * e[i + 1];
      e[i + 1] = c * e[i + 1];
    }
  }
  e[hi - 1] = f;
}

// From the bottom to the top.
static void sweep_up(R *d, R *e, ptrdiff_t lo, ptrdiff_t hi, R shift, rotations *u, rotations *v) {
  R c, s, r;
  if (shift == 0) {
    R old_c = 1, old_s = 0;
    c = 1;
    for (ptrdiff_t i = hi; i > lo; i--) {
      make_rotation(d[i] * c, e[i - 1], &c, &s, &r);
      rotate(u, i - 1, c, -s);
      if (i < hi) e[i] = old_s * r;
      make_rotation(old_c * r, d[i - 1] * s, &old_c, &old_s, &d[i]);
      rotate(v, i - 1, old_c, -old_s);
    }
    const R h = d[lo] * c;
    d[lo] = h * old_c, e[lo] = h * old_s;
    return;
  }
  R f = (ABS(d[hi]) - shift) * (SIGN(1, d[hi]) + shift / d[hi]), g = e[hi - 1];
  for (ptrdiff_t i = hi; i > lo; i--) {
    make_rotation(f, g, &c, &s, &r);
    rotate(u, i - 1, c, -s);
    if (i < hi) e[i] = r;
    f = c * d[i] + s * e[i - 1];
    e[i - 1] = c * e[i - 1] - s * d[i];
    g = s * d[i - 1];
    d[i - 1] = c * d[i - 1];
    make_rotation(f, g, &c, &s, &r);
    rotate(v, i - 1, c, -s);
    d[i] = r;
    f = c * e[i - 1] + s * d[i - 1];
    d[i - 1] = c * d[i - 1] - s * e[i - 1];
    if (i > lo + 1) {
      g = s * e[i - 2];
      e[i - 2] = c * e[i - 2];
    }
  }
  e[lo] = f;
}

// Sets a negligible e to 0 and tells so; else `smallest` bounds the block's singular values from below.
static bool deflates(R *d, R *e, ptrdiff_t lo, ptrdiff_t hi, bool down, R tol, R *smallest) {
  if (down ? ABS(e[hi - 1]) <= tol * ABS(d[hi]) : ABS(e[lo]) <= tol * ABS(d[lo])) {
    e[down ? hi - 1 : lo] = 0;
    return true;
  }
  R mu = ABS(d[down ? lo : hi]);
  *smallest = mu;
  for (ptrdiff_t s = 0; s < hi - lo; s++) {
    const ptrdiff_t i = down ? lo + s : hi - 1 - s;
    if (ABS(e[i]) <= tol * mu) {
      e[i] = 0;
      return true;
    }
    mu = ABS(d[down ? i + 1 : i]) * (mu / (mu + ABS(e[i])));
    if (mu < *smallest) *smallest = mu;
  }
  return false;
}

// d becomes the singular values, not yet in order; the rotations go to u's and v's rows.
static int32_t bidiagonal_values(ptrdiff_t n, R *d, R *e, rotations *u, rotations *v) {
  const R power = (R)pow((double)EPS, -0.125), tol = (power < 10 ? 10 : power > 100 ? 100 : power) * EPS;
  R least = n > 0 ? ABS(d[0]) : 0, mu = least;
  for (ptrdiff_t i = 1; i < n && least != 0; i++) {
    mu = ABS(d[i]) * (mu / (mu + ABS(e[i - 1])));
    if (mu < least) least = mu;
  }
  const R floor = 6 * ((R)n * ((R)n * TINY)), relative = tol * (least / SQRT((R)n));
  const R threshold = relative > floor ? relative : floor;
  int64_t left = 6 * (int64_t)n * n;
  ptrdiff_t hi = n - 1, old_lo = -2, old_hi = -2;
  bool down = true;
  while (hi > 0) {
    if (left < 0) {
      int32_t missing = 0;
      for (ptrdiff_t i = 0; i < n - 1; i++) missing += e[i] != 0;
      return missing > 0 ? missing : 1;
    }
    R top = ABS(d[hi]);
    ptrdiff_t lo = hi - 1;
    for (; lo >= 0; lo--) {
      if (ABS(e[lo]) <= threshold) {
        e[lo] = 0;
        break;
      }
      if (ABS(d[lo]) > top) top = ABS(d[lo]);
      if (ABS(e[lo]) > top) top = ABS(e[lo]);
    }
    lo++;
    if (lo == hi) {
      hi--;
      continue;
    }
    if (lo == hi - 1) {
      R low, high, sr, cr, sl, cl;
      singular_pair(d[lo], e[lo], d[hi], &low, &high, &sr, &cr, &sl, &cl);
      d[lo] = high, e[lo] = 0, d[hi] = low;
      rotate(v, lo, cr, sr);
      rotate(u, lo, cl, sl);
      hi -= 2;
      continue;
    }
    if (lo > old_hi || hi < old_lo || old_hi < 0) down = ABS(d[lo]) >= ABS(d[hi]);
    R smallest;
    if (deflates(d, e, lo, hi, down, tol, &smallest)) continue;
    old_lo = lo, old_hi = hi;
    R shift = 0;
    const R limit = (R)0.01 * tol;
    if ((R)n * tol * (smallest / top) > (EPS > limit ? EPS : limit)) {
      shift = down ? smaller_singular_value(d[hi - 1], e[hi - 1], d[hi])
                   : smaller_singular_value(d[lo], e[lo], d[lo + 1]);
      const R first = ABS(d[down ? lo : hi]);
      if (first > 0 && (shift / first) * (shift / first) < EPS) shift = 0;
    }
    left -= hi - lo;
    if (down) {
      sweep_down(d, e, lo, hi, shift, u, v);
      if (ABS(e[hi - 1]) <= threshold) e[hi - 1] = 0;
    } else {
      sweep_up(d, e, lo, hi, shift, u, v);
      if (ABS(e[lo]) <= threshold) e[lo] = 0;
    }
  }
  return 0;
}

// ---------------------------------------------------------------- the whole

typedef struct {
  bool wide, first;     // a's transpose is worked on; a QR factorisation goes first
  ptrdiff_t m, n;       // of the tall matrix
  ptrdiff_t rows;       // of the matrix that is reduced: n after a QR factorisation, else m
  R *tall, *tau, *square;
  bidiagonal b;
  rotations u, v;
  R *ut, *vt;           // n by n: left and right vectors of the bidiagonal matrix, in rows
  R *turns;             // lower bidiagonal: the rotations that make it upper
  R *whole;             // a whole basis
  R *work, *room;
} svd_space;

static svd_space take_svd(tc_arena *arena, ptrdiff_t rows, ptrdiff_t cols, int64_t job) {
  svd_space s = {.wide = rows < cols, .m = max(rows, cols), .n = min(rows, cols)};
  const bool vectors = job != TC_LINALG_VALUES;
  s.first = s.m >= s.n * 11 / 6 && s.m > s.n;  // LAPACK's choice
  s.rows = s.first ? s.n : s.m;
  s.tall = s.wide ? TAKE(*arena, s.m * s.n) : NULL;
  s.tau = s.first ? TAKE(*arena, s.n) : NULL;
  s.square = s.first ? TAKE(*arena, s.n * s.n) : NULL;
  take_bidiagonal(arena, s.rows, s.n, &s.b);
  s.u = take_rotations(arena, vectors ? s.n : 0);
  s.v = take_rotations(arena, vectors ? s.n : 0);
  s.ut = vectors ? TAKE(*arena, s.n * s.n) : NULL;
  s.vt = vectors ? TAKE(*arena, s.n * s.n) : NULL;
  s.turns = TAKE(*arena, 2 * s.n);
  s.whole = vectors ? TAKE(*arena, s.m * (job == TC_LINALG_FULL ? s.m : s.n)) : NULL;
  const ptrdiff_t side = max(s.m, BLOCK);
  s.work = TAKE(*arena, qr_room(s.m, vectors ? side : s.n));
  s.room = TAKE(*arena, product_room(side, side, side));
  return s;
}

// Values in decreasing order, and not negative. LAPACK turns the right vectors round, but the left one of a single value.
static void order_values(ptrdiff_t n, R *d, R *ut, R *vt) {
  for (ptrdiff_t i = 0; i < n; i++) {
    if (SIGN(1, d[i]) < 0) {
      d[i] = -d[i];
      if (vt) scale(n, -1, n == 1 ? ut : vt + i * n);
    }
  }
  for (ptrdiff_t i = n - 1; i > 0; i--) {
    ptrdiff_t least = 0;
    for (ptrdiff_t j = 1; j <= i; j++) {
      if (d[j] <= d[least]) least = j;
    }
    if (least == i) continue;
    const R t = d[i];
    d[i] = d[least], d[least] = t;
    if (ut) swap(n, ut + i * n, ut + least * n), swap(n, vt + i * n, vt + least * n);
  }
}

// The rotations from the left that make a lower bidiagonal matrix an upper one.
static void turn_upper(ptrdiff_t n, R *d, R *e, R *turns) {
  for (ptrdiff_t i = 0; i < n - 1; i++) {
    R c, s, r;
    make_rotation(d[i], e[i], &c, &s, &r);
    d[i] = r, e[i] = s * d[i + 1], d[i + 1] = c * d[i + 1];
    turns[2 * i] = c, turns[2 * i + 1] = -s;
  }
}

static void turn_back(ptrdiff_t n, const R *turns, R *ut) {
  for (ptrdiff_t r = 0; r < n; r++) {
    R *row = ut + r * n;
    for (ptrdiff_t j = n - 2; j >= 0; j--) {
      const R c = turns[2 * j], s = turns[2 * j + 1], t = row[j + 1];
      row[j + 1] = c * t - s * row[j];
      row[j] = s * t + c * row[j];
    }
  }
}

ROUTINE(svd) {
  const bool vectors = args->job != TC_LINALG_VALUES, full = args->job == TC_LINALG_FULL;
  svd_space s = take_svd(&arena, args->m, args->n, args->job);
  MEASURED(arena)
  const ptrdiff_t m = s.m, n = s.n;
  R *given = AT(a, m * n), *d = AT(values, n);
  const R top = largest(m * n, given);
  if (top != top || top > (R)1.7e308 || (sizeof(R) == 4 && top > (R)3.4028235e38)) return -4;
  const R factor = safe_factor(top);
  if (factor != 1) scale(m * n, factor, given);
  R *a = given;
  if (s.wide) {
    copy_matrix(m, n, (mat){given, 1, m}, rows_of(s.tall, n));
    a = s.tall;
  }
  // A QR factorisation first: of a wide matrix, it is an LQ factorisation, and L is worked on, not its transpose.
  const bool flip = s.wide && s.first;
  R *reduced = a;
  if (s.first) {
    qr(a, m, n, n, s.tau, s.work, s.room);
    memset(s.square, 0, (size_t)(n * n) * sizeof(R));
    for (ptrdiff_t r = 0; r < n; r++) {
      for (ptrdiff_t c = r; c < n; c++) s.square[flip ? c * n + r : r * n + c] = a[r * n + c];
    }
    reduced = s.square;
  }
  bidiagonalise(reduced, s.rows, n, &s.b);
  // Q B P^T; without the QR factorisation a wide matrix has P B^T Q^T, with B^T lower bidiagonal.
  const bool lower = s.wide && !s.first;
  if (lower) turn_upper(n, s.b.d, s.b.e, s.turns);
  if (vectors) {
    set_identity(n, n, s.ut), set_identity(n, n, s.vt);
    s.u.rows = s.ut, s.v.rows = s.vt;
    s.u.cols = s.u.ld = s.v.cols = s.v.ld = n;
  }
  const int32_t info = bidiagonal_values(n, s.b.d, s.b.e, &s.u, &s.v);
  flush_rotations(&s.u), flush_rotations(&s.v);
  order_values(n, s.b.d, s.ut, s.vt);
  if (factor != 1) scale(n, 1 / factor, s.b.d);
  memcpy(d, s.b.d, (size_t)n * sizeof(R));
  if (!vectors) return info;
  if (lower) turn_back(n, s.turns, s.ut);

  // Vectors of the reduced matrix: Q on one side, P on the other. `tall` ends as the m-sided one.
  R *out_u = AT(b, args->m * (full ? args->m : n)), *out_v = AT(c, args->n * (full ? args->n : n));
  R *near = lower ? s.vt : s.ut, *far = lower ? s.ut : s.vt;  // rows: vectors that Q, and that P, is applied to
  apply_right(&s.b, n, (mat){far, 1, n}, n, s.work, s.room);
  const ptrdiff_t cols = full ? m : n;
  R *whole = s.whole;  // m by cols, columns are vectors
  memset(whole, 0, (size_t)(m * cols) * sizeof(R));
  for (ptrdiff_t j = n; j < cols; j++) whole[j * cols + j] = 1;
  // The vectors that belong to the long side.
  R *longer = near, *shorter = far;
  if (flip) {  // L = Q B P^T: the long side belongs to P
    apply_left(&s.b, n, n, (mat){near, 1, n}, n, s.work, s.room);
    longer = far, shorter = near;
  }
  copy_matrix(n, n, (mat){longer, 1, n}, rows_of(whole, cols));
  if (!flip) apply_left(&s.b, s.rows, n, rows_of(whole, cols), s.first ? n : cols, s.work, s.room);
  if (s.first) apply_q(a, m, n, n, s.tau, false, false, rows_of(whole, cols), cols, s.work, s.room);
  if (!s.wide) {
    memcpy(out_u, whole, (size_t)(m * cols) * sizeof(R));
    memcpy(out_v, shorter, (size_t)(n * n) * sizeof(R));
  } else {
    copy_matrix(cols, m, (mat){whole, 1, cols}, rows_of(out_v, m));
    copy_matrix(n, n, (mat){shorter, 1, n}, rows_of(out_u, n));
  }
  return info;
}
