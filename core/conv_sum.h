// Convolution as a sum over taps: the forward pass and the gradient of the input (conv_shape.h says why they are one),
// for one element type. conv_f32.c and conv_f64.c define R, V, T, SET, COLS, LANES as for gemm_impl.h, and
// VI: the vector's masks.
//
// Positions are the columns of a matrix product whose rows are dst's channels. A thread packs COLS positions at a time,
// straight from the source, and multiplies all rows with them. With few channels packing would not pay: then a few rows
// times a few vectors of neighbouring positions are summed in registers, reading the source where it is ("narrow").

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(a) PASTE(a, T)
#define ROWS TC_GEMM_ROWS

// Multiply-adds worth sending to another thread.
#define GRAIN 65536
// Rows whose packed weights stay in the second-level cache while positions pass by.
#define ROW_BLOCK 128
// The narrow way is for this many channels of dst, or for so few taps (channels included) that packing would not pay;
// and the vectors of positions that it takes at a time.
#define NARROW_ROWS 8
#define NARROW_TAPS 16
#define NARROW_VECTORS 4
// Weights beyond this are packed a block at a time.
#define HEAVY_BYTES (1 << 20)
// Bytes of prepared source at a time.
#define PREPARED_BYTES (8 << 20)

static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t round_up(ptrdiff_t n, ptrdiff_t to) { return (n + to - 1) / to * to; }

// ---------------------------------------------------------------- the source with its zeros

typedef struct {
  const tc_conv_shape *s;
  const R *src;
  R *prepared;  // images image0, image0 + 1, ...
  ptrdiff_t image0;
} preparation;

static void prepare_row(const tc_conv_shape *s, const R *from, R *to) {
  const ptrdiff_t stride = s->residues, size = s->src_size[2];
  for (ptrdiff_t r = 0; r < stride; r++, to += s->extent[2]) {
    // Column i of the residue is column i * stride + r - before of src.
    const ptrdiff_t shift = r - s->before[2];
    const ptrdiff_t first = min(shift < 0 ? (-shift + stride - 1) / stride : 0, s->extent[2]);
    ptrdiff_t last = shift < size ? (size - shift + stride - 1) / stride : 0;
    last = last < first ? first : min(last, s->extent[2]);
    for (ptrdiff_t i = 0; i < first; i++) to[i] = 0;
    if (stride == 1) {
      memcpy(to + first, from + first + shift, (size_t)(last - first) * sizeof(R));
    } else {
      for (ptrdiff_t i = first; i < last; i++) to[i] = from[i * stride + shift];
    }
    for (ptrdiff_t i = last; i < s->extent[2]; i++) to[i] = 0;
  }
}

// [begin, end): channels, image after image.
static void prepare(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const preparation *t = ctx;
  const tc_conv_shape *s = t->s;
  const ptrdiff_t src_plane = s->src_size[1] * s->src_size[2], channels = s->groups * s->src_channels;
  for (ptrdiff_t c = (ptrdiff_t)begin; c < (ptrdiff_t)end; c++) {
    const R *from = t->src + (t->image0 * channels + c) * s->src_size[0] * src_plane;
    R *to = t->prepared + c * s->channel;
    for (ptrdiff_t i = 0; i < s->extent[0]; i++) {
      const ptrdiff_t z = i - s->before[0];
      for (ptrdiff_t j = 0; j < s->extent[1]; j++, to += s->row) {
        const ptrdiff_t y = j - s->before[1];
        if (z < 0 || z >= s->src_size[0] || y < 0 || y >= s->src_size[1]) {
          memset(to, 0, (size_t)s->row * sizeof(R));
        } else {
          prepare_row(s, from + z * src_plane + y * s->src_size[2], to);
        }
      }
    }
  }
}

// Images prepared at a time.
static ptrdiff_t images_at_a_time(const tc_conv_shape *s) {
  if (!s->copy) return s->batch;
  const ptrdiff_t bytes = s->groups * s->src_channels * s->channel * (ptrdiff_t)sizeof(R);
  const ptrdiff_t images = PREPARED_BYTES / (bytes + 1);
  return min(images < 1 ? 1 : images, s->batch);
}

static R *take_prepared(const tc_conv_shape *s, tc_arena *arena) {
  if (!s->copy) return NULL;
  return tc_take(arena, (int64_t)images_at_a_time(s) * s->groups * s->src_channels * s->channel * (int64_t)sizeof(R));
}

// The source of `count` images from image0 on: prepared, or src itself.
static const R *prepare_images(const tc_conv_shape *s, const R *src, R *prepared, ptrdiff_t image0, ptrdiff_t count) {
  const ptrdiff_t channels = s->groups * s->src_channels;
  if (!s->copy) return src + image0 * channels * s->channel;
  preparation t = {s, src, prepared, image0};
  tc_parallel_for(count * channels, 1 + GRAIN / 4 / (s->channel + 1), prepare, &t);
  return prepared;
}

// ---------------------------------------------------------------- the sums

typedef struct {
  tc_conv_shape s;
  const R *weight, *bias;
  R *dst;
  int act;
  tc_conv_class *classes;
  R **packed;              // weights of each class
  R *panels;               // workspace of each thread
  ptrdiff_t panel_size;
  // What the present jobs work on.
  const tc_conv_class *c;
  const R *w;              // packed weights
  const R *source;         // of image0
  ptrdiff_t image0, images;
  ptrdiff_t chunk, chunks; // tiles (narrow: rows of positions) of one unit of work, units of one group of an image;
                           // heavy: rows of dst, units of a group
} sum_job;

static bool is_narrow(const tc_conv_shape *s, const tc_conv_class *c) {
  return (s->dst_channels <= NARROW_ROWS || c->k <= NARROW_TAPS) && c->grid[2] >= LANES && c->k > 0;
}

// Whether the class's positions lie in dst as they are counted.
static bool is_dense(const tc_conv_class *c) {
  return c->step[2] == 1 && c->step[1] == c->grid[2] && c->step[0] == c->grid[1] * c->grid[2];
}

// Whether the weights are more than a second-level cache holds.
static bool is_heavy(const tc_conv_shape *s, const tc_conv_class *c) {
  return !is_narrow(s, c) && s->groups * s->dst_channels * c->k * (ptrdiff_t)sizeof(R) > HEAVY_BYTES;
}

static ptrdiff_t packed_size(const tc_conv_shape *s, const tc_conv_class *c) {
  if (is_heavy(s, c)) return 0;
  // A narrow sum loads whole vectors of weights, beyond the last one's end too.
  if (is_narrow(s, c)) return s->groups * c->k * s->dst_channels + LANES;
  return s->groups * c->k * round_up(s->dst_channels, ROWS);
}

// Weights of rows [r0, r0 + rows) of a group, taps [k0, k0 + depth), as panels.
static void pack_rows(const sum_job *t, ptrdiff_t group, ptrdiff_t r0, ptrdiff_t rows, ptrdiff_t k0, ptrdiff_t depth,
                      R *to) {
  const tc_conv_shape *s = &t->s;
  const R *from = t->weight + group * s->weight_group + r0 * s->weight_row;
  if (!s->backward) {  // all taps in their order
    NAME(tc_gemm_pack_rows)(to, ROWS * depth, from + k0, s->weight_row, 1, rows, depth);
    return;
  }
  for (; rows > 0; rows -= ROWS, from += ROWS * s->weight_row) {
    for (ptrdiff_t k = 0; k < depth; k++) {
      const R *column = from + t->c->weight[k0 + k];
      for (ptrdiff_t l = 0; l < ROWS; l++) *to++ = l < rows ? column[l * s->weight_row] : 0;
    }
  }
}

// [begin, end): panels of rows, group after group. Narrow: groups.
static void pack_weights(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  R *all = (R *)t->w;
  if (is_narrow(s, c)) {
    for (ptrdiff_t g = (ptrdiff_t)begin; g < (ptrdiff_t)end; g++) {
      const R *from = t->weight + g * s->weight_group;
      R *to = all + g * s->dst_channels * c->k;
      for (ptrdiff_t k = 0; k < c->k; k++) {
        for (ptrdiff_t r = 0; r < s->dst_channels; r++) *to++ = from[r * s->weight_row + c->weight[k]];
      }
    }
    return;
  }
  const ptrdiff_t panels = (s->dst_channels + ROWS - 1) / ROWS;
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / panels, r0 = at % panels * ROWS;
    for (ptrdiff_t k0 = 0; k0 < c->k; k0 += TC_GEMM_DEPTH) {
      const ptrdiff_t depth = min(TC_GEMM_DEPTH, c->k - k0);
      pack_rows(t, group, r0, min(ROWS, s->dst_channels - r0), k0, depth,
                all + panels * ROWS * (group * c->k + k0) + r0 * depth);
    }
  }
}

// How LANES positions lie in the source: as neighbours, as the end of one row and the start of the next, or loosely.
typedef enum { NEIGHBOURS, TWO_RUNS, LOOSE } run_kind;

static run_kind runs_of(const int32_t *place) {
  if (place[LANES - 1] - place[0] == LANES - 1) return NEIGHBOURS;
  int breaks = 0;
  for (int l = 1; l < LANES; l++) breaks += place[l] - place[l - 1] != 1;
  return breaks == 1 ? TWO_RUNS : LOOSE;
}

// Two runs are two vectors, one from the first place on and one up to the last: both lie within the source, for rows
// follow one another there.
typedef struct {
  ptrdiff_t first, second;
  VI mask;  // lanes of the first run
} two_runs;

static two_runs find_two_runs(const int32_t *place) {
  two_runs t = {place[0], place[LANES - 1] - (LANES - 1), {0}};
  for (int l = 0; l < LANES; l++) t.mask[l] = -(place[l] - place[0] == l);
  return t;
}

// A panel of `count` positions, `depth` offsets deep.
static void pack_positions(R *to, const R *from, const int32_t *place, ptrdiff_t count, const int32_t *offset,
                           ptrdiff_t depth) {
  if (count == COLS && runs_of(place) == NEIGHBOURS && runs_of(place + LANES) == NEIGHBOURS) {
    const R *low = from + place[0], *high = from + place[LANES];
    for (ptrdiff_t k = 0; k < depth; k++, to += COLS) {
      v_store(to, v_load(low + offset[k]));
      v_store(to + LANES, v_load(high + offset[k]));
    }
    return;
  }
  for (ptrdiff_t v = 0; v < COLS; v += LANES, to += LANES, place += LANES, count -= LANES) {
    const run_kind kind = count >= LANES ? runs_of(place) : LOOSE;
    if (kind == NEIGHBOURS) {
      const R *vector = from + place[0];
      for (ptrdiff_t k = 0; k < depth; k++) v_store(to + k * COLS, v_load(vector + offset[k]));
    } else if (kind == TWO_RUNS) {
      const two_runs t = find_two_runs(place);
      const R *first = from + t.first, *second = from + t.second;
      for (ptrdiff_t k = 0; k < depth; k++) {
        v_store(to + k * COLS, v_select(t.mask, v_load(first + offset[k]), v_load(second + offset[k])));
      }
    } else {
      for (ptrdiff_t k = 0; k < depth; k++) {
        const R *at = from + offset[k];
        for (ptrdiff_t l = 0; l < LANES; l++) to[k * COLS + l] = l < count ? at[place[l]] : 0;
      }
    }
  }
}

// Sums of `rows` rows at positions [p, p + count) go where the class has its positions in dst.
static void scatter(const sum_job *t, NAME(tc_gemm_out) out, ptrdiff_t p, ptrdiff_t count, ptrdiff_t rows,
                    const R *sums) {
  const tc_conv_class *c = t->c;
  R *plane = out.c;
  out.cs = c->step[2];
  while (count > 0) {
    const ptrdiff_t l = p % c->grid[2], row = p / c->grid[2];
    const ptrdiff_t run = min(count, c->grid[2] - l);
    out.c = plane + c->first + row / c->grid[1] * c->step[0] + row % c->grid[1] * c->step[1] + l * c->step[2];
    for (ptrdiff_t r = 0; r < rows; r++) NAME(tc_gemm_store)(&out, r, 0, sums + r * COLS, run);
    p += run, sums += run, count -= run;
  }
}

// The finish of dst's rows from `channel` on, in `image`; first and last say which block of the depth this is.
static NAME(tc_gemm_out) out_rows(const sum_job *t, ptrdiff_t image, ptrdiff_t channel, bool first, bool last) {
  const tc_conv_shape *s = &t->s;
  const ptrdiff_t plane = s->dst_size[0] * s->dst_size[1] * s->dst_size[2];
  return (NAME(tc_gemm_out)){
      .c = t->dst + (image * s->groups * s->dst_channels + channel) * plane,
      .rs = plane, .cs = 1, .alpha = 1, .beta = first ? 0 : 1,
      .bias = last && t->bias ? t->bias + channel : NULL, .bias_rs = 1, .bias_cs = 0,
      .act = last ? t->act : TC_ACT_NONE,
  };
}

// Rows [r0, r0 + rows) of a group times positions [p0, p1) of an image, taps [k0, k0 + depth); w are the packed weights.
static void sum_block(const sum_job *t, ptrdiff_t image, ptrdiff_t group, ptrdiff_t r0, ptrdiff_t rows, ptrdiff_t p0,
                      ptrdiff_t p1, ptrdiff_t k0, ptrdiff_t depth, const R *w, R *panel) {
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  R *sums = panel + COLS * TC_GEMM_DEPTH;
  const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel;
  const NAME(tc_gemm_out) out = out_rows(t, t->image0 + image, group * s->dst_channels + r0, k0 == 0,
                                         k0 + depth == c->k);
  const NAME(tc_panels) a = {w, ROWS * depth, ROWS, NULL}, b = {panel, 0, COLS, NULL};
  for (ptrdiff_t p = p0; p < p1; p += COLS) {
    const ptrdiff_t count = min(COLS, p1 - p);
    pack_positions(panel, from, c->place + p, count, c->offset + k0, depth);
    if (is_dense(c)) {
      NAME(tc_gemm_out) tile = out;
      tile.c += p;
      NAME(tc_gemm_block)(&a, &b, rows, count, depth, &tile);
    } else {
      const NAME(tc_gemm_out) tile = {.c = sums, .rs = COLS, .cs = 1, .alpha = 1};
      NAME(tc_gemm_block)(&a, &b, rows, count, depth, &tile);
      scatter(t, out, p, count, rows, sums);
    }
  }
}

// [begin, end): chunks of tiles, group after group, image after image.
static void sum_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  R *panel = t->panels + thread * t->panel_size;
  const ptrdiff_t padded_rows = round_up(s->dst_channels, ROWS);
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / t->chunks % s->groups, image = at / t->chunks / s->groups;
    const ptrdiff_t p0 = at % t->chunks * t->chunk * COLS, p1 = min(p0 + t->chunk * COLS, c->positions);
    ptrdiff_t k0 = 0;
    do {  // once even without taps: dst is written all the same
      const ptrdiff_t depth = min(TC_GEMM_DEPTH, c->k - k0);
      const R *w = t->w + padded_rows * (group * c->k + k0);
      for (ptrdiff_t r0 = 0; r0 < s->dst_channels; r0 += ROW_BLOCK) {
        sum_block(t, image, group, r0, min(ROW_BLOCK, s->dst_channels - r0), p0, p1, k0, depth, w + r0 * depth, panel);
      }
      k0 += depth;
    } while (k0 < c->k);
  }
}

// The same where the weights are too many for the caches: a thread packs a block of them and takes all positions past it.
// [begin, end): blocks of rows, group after group.
static void sum_heavy(void *ctx, int64_t begin, int64_t end, int thread) {
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  R *panel = t->panels + thread * t->panel_size, *w = panel + COLS * TC_GEMM_DEPTH + ROW_BLOCK * COLS;
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / t->chunks, r0 = at % t->chunks * t->chunk;
    const ptrdiff_t rows = min(t->chunk, s->dst_channels - r0);
    for (ptrdiff_t k0 = 0; k0 < c->k; k0 += TC_GEMM_DEPTH) {
      const ptrdiff_t depth = min(TC_GEMM_DEPTH, c->k - k0);
      pack_rows(t, group, r0, rows, k0, depth, w);
      for (ptrdiff_t image = 0; image < t->images; image++) {
        sum_block(t, image, group, r0, rows, 0, c->positions, k0, depth, w, panel);
      }
    }
  }
}

// ---------------------------------------------------------------- few channels

// Rows of dst's channels times vectors of neighbouring positions. `c` are the first row's elements.
typedef struct {
  const int32_t *offset, *end;   // of the taps, in bytes; at least one
  ptrdiff_t w_step;              // bytes from one tap's weights to the next tap's
  ptrdiff_t last;                // bytes from the first vector of positions to the last (it may overlap the one before)
  ptrdiff_t rs;                  // elements between rows of dst
  const R *bias;                 // of the first row, or NULL
  bool relu;
} narrow_sum;

// See gemm_tile.h for the branch in every step and for pointers that advance by bytes.
TC_INLINE void narrow_sums(const narrow_sum *t, const R *from, const R *w, R *c, const int rows, const int vectors) {
  V acc[NARROW_ROWS][NARROW_VECTORS];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) acc[r][v] = SET(0);
  }
  const int32_t *offset = t->offset, *end = t->end;
  const R *from_last = from;
  TC_ADVANCE(from_last, t->last);
  const ptrdiff_t w_step = t->w_step;
#define STEP                                                                        \
  {                                                                                 \
    const R *at = from, *at_last = from_last;                                       \
    TC_ADVANCE(at, *offset);                                                        \
    TC_ADVANCE(at_last, *offset);                                                   \
    /* One load and its lanes: loads may be dear (TC_OPTION_CHECKED_MEMORY). */     \
    V weights[NARROW_ROWS];                                                         \
    for (int r = 0; r < rows; r += LANES) {                                         \
      const V some = rows == 1 ? SET(w[0]) : v_load(w + r);                         \
      for (int l = 0; l < LANES && r + l < rows; l++) weights[r + l] = SET(some[l]); \
    }                                                                               \
    for (int v = 0; v < vectors; v++) {                                             \
      const V x = v_load(v > 0 && v == vectors - 1 ? at_last : at + v * LANES);     \
      for (int r = 0; r < rows; r++) acc[r][v] = v_fma(weights[r], x, acc[r][v]);   \
    }                                                                               \
    offset++;                                                                       \
    TC_ADVANCE(w, w_step);                                                          \
  }                                                                                 \
  if (offset == end) break;
  for (;;) {
    STEP STEP STEP STEP
  }
#undef STEP
  const ptrdiff_t last = t->last / (ptrdiff_t)sizeof(R);
  for (int r = 0; r < rows; r++, c += t->rs) {
    for (int v = 0; v < vectors; v++) {
      V sum = acc[r][v];
      if (t->bias) sum += SET(t->bias[r]);
      if (t->relu) sum = v_select(sum < SET(0), SET(0), sum);
      v_store(c + (v > 0 && v == vectors - 1 ? last : v * LANES), sum);
    }
  }
}

// Every shape that fits the registers with enough sums to keep the multiply-add units busy, and what is left over.
#define NARROW_SHAPES(X) \
  X(2, 4) X(3, 3) X(4, 2) X(8, 1) X(4, 1) X(1, 4) X(2, 3) X(1, 3) X(2, 2) X(1, 2) X(2, 1) X(1, 1)
#define NARROW(rows, vectors)                                                                                 \
  __attribute__((noinline)) static void narrow_##rows##_##vectors(const narrow_sum *t, const R *from, const R *w, \
                                                                  R *c) {                                     \
    narrow_sums(t, from, w, c, rows, vectors);                                                                \
  }
NARROW_SHAPES(NARROW)
#undef NARROW

// Sums as many of the rows as suit the number of vectors and returns how many.
static ptrdiff_t narrow_step(ptrdiff_t rows_left, ptrdiff_t vectors, const narrow_sum *t, const R *from, const R *w,
                             R *c) {
#define TRY(rows, count)                      \
  if (rows_left >= rows && vectors == count) { \
    narrow_##rows##_##count(t, from, w, c);   \
    return rows;                              \
  }
  NARROW_SHAPES(TRY)
#undef TRY
  return 0;
}

// Vectors to take at a time of `left`: rather 3 and 3 than 4 and 2, for eight or nine sums in all.
static ptrdiff_t narrow_vectors(ptrdiff_t left) {
  return left <= NARROW_VECTORS ? left : left == 5 || left == 6 ? 3 : NARROW_VECTORS;
}

// The taps of a height outside the source see zeros only; those inside are neighbours in the table (conv_shape.h).
static void taps_inside(const sum_job *t, ptrdiff_t row, ptrdiff_t *begin, ptrdiff_t *end) {
  const tc_conv_class *c = t->c;
  *begin = 0, *end = c->taps[1];
  if (c->taps[0] != 1) return;
  const ptrdiff_t shift = row % c->grid[1] * c->source_step[1] - t->s.before[1], size = t->s.src_size[1];
  while (*begin < *end && (c->line[*begin] + shift < 0 || c->line[*begin] + shift >= size)) ++*begin;
  while (*begin < *end && (c->line[*end - 1] + shift < 0 || c->line[*end - 1] + shift >= size)) --*end;
  if (*begin == *end) *begin = 0, *end = 1;  // the sum is that of zeros
}

// [begin, end): chunks of rows of positions, group after group, image after image.
static void sum_narrow(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  const ptrdiff_t width = c->grid[2], all_rows = c->grid[0] * c->grid[1], channels = s->dst_channels;
  const ptrdiff_t line_taps = c->k / c->taps[1];
  const bool simple = c->step[2] == 1 && t->act <= TC_ACT_RELU;
  R sums[NARROW_ROWS * NARROW_VECTORS * LANES];
  narrow_sum n = {.w_step = channels * (ptrdiff_t)sizeof(R), .rs = NARROW_VECTORS * LANES};
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / t->chunks % s->groups, image = at / t->chunks / s->groups;
    const ptrdiff_t row0 = at % t->chunks * t->chunk, row1 = min(row0 + t->chunk, all_rows);
    const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel;
    NAME(tc_gemm_out) out = out_rows(t, t->image0 + image, group * channels, true, true);
    R *plane = out.c;
    out.cs = c->step[2];
    for (ptrdiff_t row = row0; row < row1; row++) {
      ptrdiff_t tap0, tap1;
      taps_inside(t, row, &tap0, &tap1);
      n.offset = c->offset + tap0 * line_taps, n.end = c->offset + tap1 * line_taps;
      const R *w = t->w + (group * c->k + tap0 * line_taps) * channels;
      out.c = plane + c->first + row / c->grid[1] * c->step[0] + row % c->grid[1] * c->step[1];
      for (ptrdiff_t l = 0; l < width;) {
        const ptrdiff_t vectors = narrow_vectors((width - l + LANES - 1) / LANES);
        // The row's last vector reaches back where the row does not end with a vector: over the one before it, or,
        // alone, over positions already summed.
        const ptrdiff_t count = min(vectors * LANES, width - l), start = count < LANES ? width - LANES : l;
        const ptrdiff_t span = count < LANES ? LANES : count;
        const R *x = from + c->place[row * width + start];
        n.last = (span - LANES) * (ptrdiff_t)sizeof(R);
        for (ptrdiff_t r = 0; r < channels;) {
          if (simple) {
            n.rs = out.rs, n.bias = out.bias ? out.bias + r : NULL, n.relu = out.act == TC_ACT_RELU;
            r += narrow_step(channels - r, vectors, &n, x, w + r, out.c + r * out.rs + start);
            continue;
          }
          const ptrdiff_t rows = narrow_step(channels - r, vectors, &n, x, w + r, sums);
          for (ptrdiff_t i = 0; i < rows; i++) NAME(tc_gemm_store)(&out, r + i, start, sums + i * n.rs, span);
          r += rows;
        }
        l += count;
      }
    }
  }
}

// ---------------------------------------------------------------- all of it

static void run_class(sum_job *t) {
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  if (is_heavy(s, c)) {
    const ptrdiff_t share = round_up((s->groups * s->dst_channels + tc_num_threads() - 1) / tc_num_threads(), ROWS);
    t->chunk = min(share, ROW_BLOCK);
    t->chunks = (s->dst_channels + t->chunk - 1) / t->chunk;
    tc_parallel_for(s->groups * t->chunks, 1, sum_heavy, t);
    return;
  }
  const bool narrow = is_narrow(s, c);
  const ptrdiff_t units = narrow ? c->grid[0] * c->grid[1] : (c->positions + COLS - 1) / COLS;
  const ptrdiff_t work = (narrow ? c->grid[2] : COLS) * s->dst_channels * (c->k + 1);
  t->chunk = min(1 + GRAIN / work, units);
  t->chunks = (units + t->chunk - 1) / t->chunk;
  tc_parallel_for(t->images * s->groups * t->chunks, 1, narrow ? sum_narrow : sum_tiles, t);
}

int64_t NAME(tc_conv_sum)(const tc_conv_args *a, bool backward, const R *src, const R *weight, const R *bias, R *dst,
                          void *scratch) {
  sum_job t = {.s = tc_conv_make_shape(a, backward), .weight = weight, .bias = bias, .dst = dst, .act = (int)a->act};
  tc_conv_shape *s = &t.s;
  if (s->batch == 0 || s->dst_channels == 0 || s->dst_size[0] * s->dst_size[1] * s->dst_size[2] == 0) return 0;
  const ptrdiff_t count = tc_conv_class_count(s);
  tc_arena arena = {scratch, 0};
  t.classes = tc_take(&arena, count * (int64_t)sizeof *t.classes);
  t.packed = tc_take(&arena, count * (int64_t)sizeof *t.packed);
  int32_t *tables = tc_take(&arena, tc_conv_table_size(s) * (int64_t)sizeof *tables);
  R *prepared = take_prepared(s, &arena);
  t.panel_size = COLS * TC_GEMM_DEPTH + ROW_BLOCK * COLS + ROW_BLOCK * TC_GEMM_DEPTH;
  t.panels = tc_take(&arena, tc_num_threads() * (int64_t)t.panel_size * (int64_t)sizeof(R));
  for (ptrdiff_t i = 0; i < count; i++) {
    tc_conv_class c = tc_conv_make_class(s, i);
    R *packed = tc_take(&arena, packed_size(s, &c) * (int64_t)sizeof(R));
    if (!scratch) continue;
    const bool narrow = is_narrow(s, &c);
    tables += tc_conv_fill_tables(s, i, narrow ? TC_CHANNELS_INSIDE : TC_CHANNELS_OUTERMOST, &c, tables);
    for (ptrdiff_t k = 0; narrow && k < c.k; k++) c.offset[k] *= (int32_t)sizeof(R);
    t.classes[i] = c, t.packed[i] = packed;
    if (is_heavy(s, &c)) continue;
    t.c = &c, t.w = packed;
    const ptrdiff_t units = narrow ? s->groups : s->groups * ((s->dst_channels + ROWS - 1) / ROWS);
    tc_parallel_for(units, 1 + GRAIN / 8 / (ROWS * (c.k + 1)), pack_weights, &t);
  }
  if (!scratch) return arena.used;
  const ptrdiff_t step = images_at_a_time(s);
  for (t.image0 = 0; t.image0 < s->batch; t.image0 += step) {
    t.images = min(step, s->batch - t.image0);
    t.source = prepare_images(s, src, prepared, t.image0, t.images);
    for (ptrdiff_t i = 0; i < count; i++) {
      t.c = &t.classes[i], t.w = t.packed[i];
      if (t.c->positions > 0) run_class(&t);
    }
  }
  return arena.used;
}
