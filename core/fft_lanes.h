// Numbers between memory and vectors, of which every lane is a number of another transform.
// No include guard: a template, after vcomplex.h.

// Where LANES signals lie: the parts of number j of lane l at re[l] + j * step and im[l] + j * step.
typedef struct {
  const E *re[LANES], *im[LANES];
  int64_t step;
  enum { ANYHOW, ROWS, COLUMNS, PLANES } how;
} lanes;

// What the addresses allow: whole numbers one after the other in each lane (ROWS), or of all lanes side by side,
// either as numbers (COLUMNS) or part by part (PLANES).
static void see(lanes *l) {
  int pairs = 1, columns = 1, planes = 1;
  for (int64_t i = 0; i < LANES; i++) {
    pairs &= l->im[i] == l->re[i] + 1;
    columns &= l->re[i] == l->re[0] + 2 * i;
    planes &= l->re[i] == l->re[0] + i && l->im[i] == l->im[0] + i;
  }
  l->how = pairs && columns ? COLUMNS : pairs && l->step == 2 ? ROWS : planes ? PLANES : ANYHOW;
}

TC_INLINE C gather(const lanes *l, int64_t j) {
  C x;
  for (int64_t i = 0; i < LANES; i++) x.re[i] = l->re[i][j * l->step], x.im[i] = l->im[i][j * l->step];
  return x;
}

// LANES / 2 numbers of each lane at once: as many vectors as there are lanes.
TC_INLINE void load_rows(const lanes *l, int64_t j, T *v) {
  for (int64_t i = 0; i < LANES; i++) v[i] = v_load(l->re[i] + 2 * j);
  v_transpose(v);
}

// Numbers begin..end of all lanes; with `swap` the parts change places.
static void load_lanes(const lanes *l, int64_t begin, int64_t end, C *a, int swap) {
  int64_t j = begin;
  switch (l->how) {
    case COLUMNS:
      for (; j < end; j++) a[j] = c_load(l->re[0] + j * l->step);
      break;
    case PLANES:
      for (; j < end; j++) a[j] = (C){v_load(l->re[0] + j * l->step), v_load(l->im[0] + j * l->step)};
      break;
    case ROWS:
      for (; j + LANES / 2 <= end; j += LANES / 2) {
        T v[LANES];
        load_rows(l, j, v);
        for (int64_t i = 0; i < LANES / 2; i++) a[j + i] = (C){v[2 * i], v[2 * i + 1]};
      }
      for (; j < end; j++) a[j] = gather(l, j);
      break;
    default:
      for (; j < end; j++) a[j] = gather(l, j);
  }
  if (swap) {
    for (j = begin; j < end; j++) a[j] = c_swap(a[j]);
  }
}

static void store_lanes(const lanes *l, int64_t n, const C *a, T re_scale, T im_scale, int swap) {
#define SCALED(j) C x = swap ? c_swap(a[j]) : a[j]; x.re *= re_scale, x.im *= im_scale;
  int64_t j = 0;
  switch (l->how) {
    case COLUMNS:
      for (; j < n; j++) { SCALED(j) c_store((E *)l->re[0] + j * l->step, x); }
      break;
    case PLANES:
      for (; j < n; j++) {
        SCALED(j)
        v_store((E *)l->re[0] + j * l->step, x.re);
        v_store((E *)l->im[0] + j * l->step, x.im);
      }
      break;
    case ROWS:
      for (; j + LANES / 2 <= n; j += LANES / 2) {
        T v[LANES];
        for (int64_t i = 0; i < LANES / 2; i++) { SCALED(j + i) v[2 * i] = x.re, v[2 * i + 1] = x.im; }
        v_transpose(v);
        for (int64_t i = 0; i < LANES; i++) v_store((E *)l->re[i] + 2 * j, v[i]);
      }
      __attribute__((fallthrough));  // the rest
    default:
      for (; j < n; j++) {
        SCALED(j)
        for (int64_t i = 0; i < LANES; i++) {
          ((E *)l->re[i])[j * l->step] = x.re[i];
          ((E *)l->im[i])[j * l->step] = x.im[i];
        }
      }
  }
#undef SCALED
}
