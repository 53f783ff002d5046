// Convolution as a sum over taps: the forward pass and the gradient of the input (conv_shape.h says why they are one),
// for one element type. conv_f32.c and conv_f64.c define R, V, T, SET, COLS, LANES as for gemm_impl.h.
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
// Most channels of dst that the narrow way takes, and vectors of positions that it takes at a time.
#define NARROW_ROWS 8
#define NARROW_VECTORS 4
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
  ptrdiff_t image0;
  ptrdiff_t chunk, chunks; // tiles (narrow: rows of positions) of one unit of work, units of one group of an image
} sum_job;

static bool is_narrow(const tc_conv_shape *s, const tc_conv_class *c) {
  return s->dst_channels <= NARROW_ROWS && c->grid[2] >= LANES;
}

// Whether the class's positions lie in dst as they are counted.
static bool is_dense(const tc_conv_class *c) {
  return c->step[2] == 1 && c->step[1] == c->grid[2] && c->step[0] == c->grid[1] * c->grid[2];
}

static ptrdiff_t packed_size(const tc_conv_shape *s, const tc_conv_class *c) {
  return s->groups * c->k * (is_narrow(s, c) ? s->dst_channels : round_up(s->dst_channels, ROWS));
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
    const ptrdiff_t g = at / panels, panel = at % panels, lanes = min(ROWS, s->dst_channels - panel * ROWS);
    const R *from = t->weight + g * s->weight_group + panel * ROWS * s->weight_row;
    for (ptrdiff_t k0 = 0; k0 < c->k; k0 += TC_GEMM_DEPTH) {
      const ptrdiff_t depth = min(TC_GEMM_DEPTH, c->k - k0);
      R *to = all + panels * ROWS * (g * c->k + k0) + panel * ROWS * depth;
      if (!s->backward) {  // taps in their order
        NAME(tc_gemm_pack_rows)(to, 0, from + k0, s->weight_row, 1, lanes, depth);
        continue;
      }
      for (ptrdiff_t k = 0; k < depth; k++) {
        const R *column = from + c->weight[k0 + k];
        for (ptrdiff_t l = 0; l < ROWS; l++) *to++ = l < lanes ? column[l * s->weight_row] : 0;
      }
    }
  }
}

// A panel of `count` positions, `depth` offsets deep.
static void pack_positions(R *to, const R *from, const int32_t *place, ptrdiff_t count, const int32_t *offset,
                           ptrdiff_t depth) {
  bool neighbours = count == COLS;
  for (ptrdiff_t v = 0; neighbours && v < COLS; v += LANES) neighbours = place[v + LANES - 1] - place[v] == LANES - 1;
  if (neighbours) {
    const R *low = from + place[0], *high = from + place[LANES];
    for (ptrdiff_t k = 0; k < depth; k++, to += COLS) {
      v_store(to, v_load(low + offset[k]));
      v_store(to + LANES, v_load(high + offset[k]));
    }
    return;
  }
  for (ptrdiff_t v = 0; v < COLS; v += LANES, to += LANES, place += LANES, count -= LANES) {
    if (count >= LANES && place[LANES - 1] - place[0] == LANES - 1) {
      const R *vector = from + place[0];
      for (ptrdiff_t k = 0; k < depth; k++) v_store(to + k * COLS, v_load(vector + offset[k]));
    } else if (count >= LANES) {
      for (ptrdiff_t k = 0; k < depth; k++) {
        const R *at = from + offset[k];
        for (ptrdiff_t l = 0; l < LANES; l++) to[k * COLS + l] = at[place[l]];
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

// [begin, end): chunks of tiles, group after group, image after image.
static void sum_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  R *panel = t->panels + thread * t->panel_size, *sums = panel + COLS * TC_GEMM_DEPTH;
  const ptrdiff_t padded_rows = round_up(s->dst_channels, ROWS);
  const bool dense = is_dense(c);
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / t->chunks % s->groups, image = at / t->chunks / s->groups;
    const ptrdiff_t p0 = at % t->chunks * t->chunk * COLS, p1 = min(p0 + t->chunk * COLS, c->positions);
    const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel;
    ptrdiff_t k0 = 0;
    do {  // once even without taps: dst is written all the same
      const ptrdiff_t depth = min(TC_GEMM_DEPTH, c->k - k0);
      const R *w = t->w + padded_rows * (group * c->k + k0);
      for (ptrdiff_t r0 = 0; r0 < s->dst_channels; r0 += ROW_BLOCK) {
        const ptrdiff_t rows = min(ROW_BLOCK, s->dst_channels - r0);
        const NAME(tc_gemm_out) out = out_rows(t, t->image0 + image, group * s->dst_channels + r0, k0 == 0,
                                               k0 + depth == c->k);
        const NAME(tc_panels) a = {w + r0 * depth, ROWS * depth, ROWS, NULL}, b = {panel, 0, COLS, NULL};
        for (ptrdiff_t p = p0; p < p1; p += COLS) {
          const ptrdiff_t count = min(COLS, p1 - p);
          pack_positions(panel, from, c->place + p, count, c->offset + k0, depth);
          NAME(tc_gemm_out) tile = out;
          if (dense) {
            tile.c += p;
            NAME(tc_gemm_block)(&a, &b, rows, count, depth, &tile);
          } else {
            tile = (NAME(tc_gemm_out)){.c = sums, .rs = COLS, .cs = 1, .alpha = 1};
            NAME(tc_gemm_block)(&a, &b, rows, count, depth, &tile);
            scatter(t, out, p, count, rows, sums);
          }
        }
      }
      k0 += depth;
    } while (k0 < c->k);
  }
}

// ---------------------------------------------------------------- few channels

// Sums of `rows` rows at `vectors` vectors of neighbouring positions; w holds each tap's weights of all rows together.
TC_INLINE void narrow_sums(const R *from, const int32_t *offset, ptrdiff_t k, const R *w, ptrdiff_t w_step, R *sums,
                           const int rows, const int vectors) {
  V acc[4][NARROW_VECTORS];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) acc[r][v] = SET(0);
  }
#pragma clang loop unroll(disable)
  for (const int32_t *end = offset + k; offset < end; offset++, w += w_step) {
    const R *at = from + *offset;
    V weights[4];
    for (int r = 0; r < rows; r++) weights[r] = SET(w[r]);
    for (int v = 0; v < vectors; v++) {
      const V x = v_load(at + v * LANES);
      for (int r = 0; r < rows; r++) acc[r][v] = v_fma(weights[r], x, acc[r][v]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) v_store(sums + (r * NARROW_VECTORS + v) * LANES, acc[r][v]);
  }
}

#define NARROW(rows, vectors)                                                                                  \
  __attribute__((noinline)) static void narrow_##rows##_##vectors(const R *from, const int32_t *offset,        \
                                                                  ptrdiff_t k, const R *w, ptrdiff_t w_step,   \
                                                                  R *sums) {                                   \
    narrow_sums(from, offset, k, w, w_step, sums, rows, vectors);                                              \
  }
NARROW(2, 4)
NARROW(2, 3)
NARROW(1, 4)
NARROW(1, 3)
NARROW(4, 2)
NARROW(4, 1)
NARROW(2, 2)
NARROW(2, 1)
NARROW(1, 2)
NARROW(1, 1)

// Calls the widest of them that `rows_left` allows and returns its rows: eight sums at a time where possible.
static ptrdiff_t narrow_step(ptrdiff_t rows_left, ptrdiff_t vectors, const R *from, const int32_t *offset, ptrdiff_t k,
                             const R *w, ptrdiff_t w_step, R *sums) {
#define CALL(rows, count)                                                       \
  if (rows_left >= rows && vectors == count) {                                  \
    narrow_##rows##_##count(from, offset, k, w, w_step, sums);                  \
    return rows;                                                                \
  }
  CALL(2, 4) CALL(2, 3) CALL(4, 2) CALL(4, 1) CALL(1, 4) CALL(1, 3) CALL(2, 2) CALL(2, 1) CALL(1, 2)
#undef CALL
  narrow_1_1(from, offset, k, w, w_step, sums);
  return 1;
}

// [begin, end): chunks of rows of positions, group after group, image after image.
static void sum_narrow(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const sum_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  const ptrdiff_t width = c->grid[2], all_rows = c->grid[0] * c->grid[1];
  R sums[4 * NARROW_VECTORS * LANES];
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t group = at / t->chunks % s->groups, image = at / t->chunks / s->groups;
    const ptrdiff_t row0 = at % t->chunks * t->chunk, row1 = min(row0 + t->chunk, all_rows);
    const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel;
    const R *w = t->w + group * s->dst_channels * c->k;
    NAME(tc_gemm_out) out = out_rows(t, t->image0 + image, group * s->dst_channels, true, true);
    R *plane = out.c;
    out.cs = c->step[2];
    for (ptrdiff_t row = row0; row < row1; row++) {
      out.c = plane + c->first + row / c->grid[1] * c->step[0] + row % c->grid[1] * c->step[1];
      for (ptrdiff_t l = 0; l < width;) {
        // The last vector reaches back over positions already summed where the row does not end with a vector.
        const ptrdiff_t vectors = min((width - l) / LANES, NARROW_VECTORS);
        const ptrdiff_t start = vectors == 0 ? width - LANES : l, count = vectors == 0 ? LANES : vectors * LANES;
        for (ptrdiff_t r = 0; r < s->dst_channels;) {
          const ptrdiff_t rows = narrow_step(s->dst_channels - r, vectors ? vectors : 1,
                                             from + c->place[row * width + start], c->offset, c->k, w + r,
                                             s->dst_channels, sums);
          for (ptrdiff_t i = 0; i < rows; i++) {
            NAME(tc_gemm_store)(&out, r + i, start, sums + i * NARROW_VECTORS * LANES, count);
          }
          r += rows;
        }
        l = start + count;
      }
    }
  }
}

// ---------------------------------------------------------------- all of it

static void run_class(sum_job *t, ptrdiff_t images) {
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = t->c;
  const bool narrow = is_narrow(s, c);
  const ptrdiff_t units = narrow ? c->grid[0] * c->grid[1] : (c->positions + COLS - 1) / COLS;
  const ptrdiff_t work = (narrow ? c->grid[2] : COLS) * s->dst_channels * (c->k + 1);
  t->chunk = min(1 + GRAIN / work, units);
  t->chunks = (units + t->chunk - 1) / t->chunk;
  tc_parallel_for(images * s->groups * t->chunks, 1, narrow ? sum_narrow : sum_tiles, t);
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
  t.panel_size = COLS * TC_GEMM_DEPTH + ROW_BLOCK * COLS;
  t.panels = tc_take(&arena, tc_num_threads() * (int64_t)t.panel_size * (int64_t)sizeof(R));
  for (ptrdiff_t i = 0; i < count; i++) {
    tc_conv_class c = tc_conv_make_class(s, i);
    R *packed = tc_take(&arena, packed_size(s, &c) * (int64_t)sizeof(R));
    if (!scratch) continue;
    tables += tc_conv_fill_tables(s, i, &c, tables);
    t.classes[i] = c, t.packed[i] = packed;
    t.c = &c, t.w = packed;
    const ptrdiff_t units = is_narrow(s, &c) ? s->groups : s->groups * ((s->dst_channels + ROWS - 1) / ROWS);
    tc_parallel_for(units, 1 + GRAIN / 8 / (ROWS * (c.k + 1)), pack_weights, &t);
  }
  if (!scratch) return arena.used;
  const ptrdiff_t step = images_at_a_time(s);
  for (t.image0 = 0; t.image0 < s->batch; t.image0 += step) {
    const ptrdiff_t images = min(step, s->batch - t.image0);
    t.source = prepare_images(s, src, prepared, t.image0, images);
    for (ptrdiff_t i = 0; i < count; i++) {
      t.c = &t.classes[i], t.w = t.packed[i];
      if (t.c->positions > 0) run_class(&t, images);
    }
  }
  return arena.used;
}
