// The gradients of a convolution's weight and bias, for one element type; included after conv_sum.h.
//
// weight[row, (channel, tap)] = sum over images and positions of y[row, position] * x[channel, place(position, tap)]
// is a matrix product whose depth runs over positions. A thread takes a range of (channel, tap) panels and packs them,
// and the rows of y, straight from the tensors. With few rows (narrow) nothing is packed: positions are neighbours on
// both sides, so each element is a dot product of runs.
//
// Where there are too few panels for the threads, images are dealt to "slots" as well; each slot sums into a buffer of
// its own, and the buffers are added in their order. So the result depends on the arguments and the number of threads.

// Taps of a unit of narrow work.
#define NARROW_TAPS 4
// Bytes of slots' buffers.
#define SLOT_BYTES (32 << 20)

typedef struct {
  tc_conv_shape s;
  tc_conv_class c;
  const R *y;
  R *weight;                     // of slot 0, and of the others behind `slot_size` elements each
  R *bias;
  R *slots_at;                   // of slot 1
  ptrdiff_t slot_size, slots, ranges, units;
  R *panels;                     // workspace of each thread
  ptrdiff_t panel_size;
  // The present images.
  const R *source;
  ptrdiff_t image0, images;
} weight_job;

static R *slot_buffer(const weight_job *t, ptrdiff_t slot) {
  return slot == 0 ? t->weight : t->slots_at + (slot - 1) * t->slot_size;
}

// A panel of `count` taps for positions [0, depth) of `place`: COLS taps next to each other for each position.
static void pack_taps(R *to, const R *from, const int32_t *place, ptrdiff_t depth, const int32_t *offset,
                      ptrdiff_t count) {
  ptrdiff_t p = 0;
  while (p < depth) {
    if (p + LANES <= depth && place[p + LANES - 1] - place[p] == LANES - 1) {
      const R *at = from + place[p];
      for (ptrdiff_t j = 0; j < COLS; j += LANES) {
        V v[LANES];
        for (ptrdiff_t l = 0; l < LANES; l++) v[l] = j + l < count ? v_load(at + offset[j + l]) : SET(0);
        v_transpose(v);
        for (ptrdiff_t l = 0; l < LANES; l++) v_store(to + (p + l) * COLS + j, v[l]);
      }
      p += LANES;
    } else {
      for (ptrdiff_t j = 0; j < COLS; j++) to[p * COLS + j] = j < count ? from[place[p] + offset[j]] : 0;
      p++;
    }
  }
}

// Part of the depth: positions [p0, p0 + length) of each of `images` images from `image` on (of the present ones).
typedef struct {
  ptrdiff_t image, images, p0, length;
} piece;

static void multiply_piece(const weight_job *t, piece d, ptrdiff_t unit0, ptrdiff_t unit1, R *target, bool first,
                           R *panels) {
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = &t->c;
  const ptrdiff_t k_panels = (c->k + COLS - 1) / COLS, depth = d.images * d.length;
  R *rows_panel = panels, *taps_panel = panels + ROW_BLOCK * TC_GEMM_DEPTH;
  for (ptrdiff_t unit = unit0; unit < unit1;) {
    const ptrdiff_t group = unit / k_panels, group_end = min((group + 1) * k_panels, unit1);
    for (ptrdiff_t r0 = 0; r0 < s->dst_channels; r0 += ROW_BLOCK) {
      const ptrdiff_t rows = min(ROW_BLOCK, s->dst_channels - r0);
      for (ptrdiff_t i = 0; i < d.images; i++) {
        const ptrdiff_t channel = ((t->image0 + d.image + i) * s->groups + group) * s->dst_channels + r0;
        NAME(tc_gemm_pack_rows)(rows_panel + i * d.length * ROWS, depth * ROWS, t->y + channel * c->positions + d.p0,
                                c->positions, 1, rows, d.length);
      }
      const NAME(tc_panels) a = {rows_panel, depth * ROWS, ROWS, NULL}, b = {taps_panel, 0, COLS, NULL};
      for (ptrdiff_t u = unit; u < group_end; u++) {
        const ptrdiff_t k0 = u % k_panels * COLS, cols = min(COLS, c->k - k0);
        for (ptrdiff_t i = 0; i < d.images; i++) {
          pack_taps(taps_panel + i * d.length * COLS,
                    t->source + ((d.image + i) * s->groups + group) * s->src_channels * s->channel, c->place + d.p0,
                    d.length, c->offset + k0, cols);
        }
        const NAME(tc_gemm_out) out = {.c = target + (group * s->dst_channels + r0) * c->k + k0, .rs = c->k, .cs = 1,
                                       .alpha = 1, .beta = first ? 0 : 1};
        NAME(tc_gemm_block)(&a, &b, rows, cols, depth, &out);
      }
    }
    unit = group_end;
  }
}

// Images of the present ones that belong to a slot.
static void slot_images(const weight_job *t, ptrdiff_t slot, ptrdiff_t *begin, ptrdiff_t *end) {
  *begin = slot * t->images / t->slots;
  *end = (slot + 1) * t->images / t->slots;
}

// [begin, end): ranges of units, slot after slot.
static void weight_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  const weight_job *t = ctx;
  R *panels = t->panels + thread * t->panel_size;
  const ptrdiff_t positions = t->c.positions;
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t slot = at / t->ranges, range = at % t->ranges;
    const ptrdiff_t unit0 = range * t->units / t->ranges, unit1 = (range + 1) * t->units / t->ranges;
    R *target = slot_buffer(t, slot);
    ptrdiff_t image, image_end;
    slot_images(t, slot, &image, &image_end);
    bool first = t->image0 == 0;
    if (positions >= TC_GEMM_DEPTH) {
      const ptrdiff_t pieces = (positions + TC_GEMM_DEPTH - 1) / TC_GEMM_DEPTH;
      const ptrdiff_t length = min(round_up((positions + pieces - 1) / pieces, LANES), TC_GEMM_DEPTH);
      for (; image < image_end; image++) {
        for (ptrdiff_t p0 = 0; p0 < positions; p0 += length, first = false) {
          multiply_piece(t, (piece){image, 1, p0, min(length, positions - p0)}, unit0, unit1, target, first, panels);
        }
      }
    } else {
      const ptrdiff_t together = TC_GEMM_DEPTH / positions;
      for (; image < image_end; image += together, first = false) {
        multiply_piece(t, (piece){image, min(together, image_end - image), 0, positions}, unit0, unit1, target, first,
                       panels);
      }
    }
  }
}

// sums[r][j]: row r of y times tap j, over all positions of an image. Rows of positions that do not end with a vector
// are finished by one that reaches back, its lanes already counted zeroed on y's side.
TC_INLINE void dot_taps(const weight_job *t, const R *from, const R *y, const int32_t *offset, V *sums,
                        const int rows) {
  const tc_conv_class *c = &t->c;
  const ptrdiff_t width = c->grid[2], lines = c->grid[0] * c->grid[1], whole = width / LANES * LANES;
  V acc[2][NARROW_TAPS];
  for (int r = 0; r < 2; r++) {
    for (int j = 0; j < NARROW_TAPS; j++) acc[r][j] = SET(0);
  }
  for (ptrdiff_t line = 0; line < lines; line++, y += width) {
    const R *x = from + c->place[line * width];
    const R *x0 = x + offset[0], *x1 = x + offset[1], *x2 = x + offset[2], *x3 = x + offset[3];
    V g[2];
#define TAPS(l)                                                                  \
  {                                                                              \
    const V a = v_load(x0 + l), b = v_load(x1 + l);                              \
    for (int r = 0; r < rows; r++) acc[r][0] = v_fma(g[r], a, acc[r][0]);        \
    for (int r = 0; r < rows; r++) acc[r][1] = v_fma(g[r], b, acc[r][1]);        \
    const V d = v_load(x2 + l), e = v_load(x3 + l);                              \
    for (int r = 0; r < rows; r++) acc[r][2] = v_fma(g[r], d, acc[r][2]);        \
    for (int r = 0; r < rows; r++) acc[r][3] = v_fma(g[r], e, acc[r][3]);        \
  }
#pragma clang loop unroll(disable)
    for (ptrdiff_t l = 0; l < whole; l += LANES) {
      for (int r = 0; r < rows; r++) g[r] = v_load(y + r * c->positions + l);
      TAPS(l)
    }
    if (whole < width) {
      const ptrdiff_t l = width - LANES;
      for (int r = 0; r < rows; r++) {
        g[r] = v_load(y + r * c->positions + l);
        for (ptrdiff_t e = 0; e < whole - l; e++) g[r][e] = 0;
      }
      TAPS(l)
    }
#undef TAPS
  }
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < NARROW_TAPS; j++) sums[r * NARROW_TAPS + j] = acc[r][j];
  }
}

__attribute__((noinline)) static void dot_taps_1(const weight_job *t, const R *from, const R *y, const int32_t *offset,
                                                 V *sums) {
  dot_taps(t, from, y, offset, sums, 1);
}

__attribute__((noinline)) static void dot_taps_2(const weight_job *t, const R *from, const R *y, const int32_t *offset,
                                                 V *sums) {
  dot_taps(t, from, y, offset, sums, 2);
}

// [begin, end): groups of taps (channels included), slot after slot.
static void weight_narrow(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const weight_job *t = ctx;
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = &t->c;
  const ptrdiff_t quads = (c->k + NARROW_TAPS - 1) / NARROW_TAPS;
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t slot = at / t->units, group = at % t->units / quads, k0 = at % quads * NARROW_TAPS;
    const ptrdiff_t count = min(NARROW_TAPS, c->k - k0);
    int32_t offset[NARROW_TAPS];
    for (ptrdiff_t j = 0; j < NARROW_TAPS; j++) offset[j] = c->offset[k0 + min(j, count - 1)];
    R *target = slot_buffer(t, slot) + group * s->dst_channels * c->k + k0;
    ptrdiff_t image, image_end;
    slot_images(t, slot, &image, &image_end);
    for (bool first = t->image0 == 0; image < image_end; image++, first = false) {
      const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel;
      const R *y = t->y + ((t->image0 + image) * s->groups + group) * s->dst_channels * c->positions;
      for (ptrdiff_t r = 0; r < s->dst_channels; r += 2) {
        V sums[2 * NARROW_TAPS];
        if (r + 1 < s->dst_channels) {
          dot_taps_2(t, from, y + r * c->positions, offset, sums);
        } else {
          dot_taps_1(t, from, y + r * c->positions, offset, sums);
        }
        for (ptrdiff_t i = 0; i < min(2, s->dst_channels - r); i++) {
          R total[NARROW_TAPS];
          for (int j = 0; j < NARROW_TAPS; j += LANES) v_store(total + j, v_sums(sums + i * NARROW_TAPS + j));
          R *to = target + (r + i) * c->k;
          for (ptrdiff_t j = 0; j < count; j++) to[j] = first ? total[j] : to[j] + total[j];
        }
      }
    }
  }
}

// [begin, end): elements of the weight.
static void add_slots(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const weight_job *t = ctx;
  for (ptrdiff_t slot = 1; slot < t->slots; slot++) {
    const R *from = slot_buffer(t, slot);
    for (ptrdiff_t i = (ptrdiff_t)begin; i < (ptrdiff_t)end; i++) t->weight[i] += from[i];
  }
}

// [begin, end): channels of y.
static void sum_bias(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const weight_job *t = ctx;
  const ptrdiff_t channels = t->s.groups * t->s.dst_channels, positions = t->c.positions;
  for (ptrdiff_t channel = (ptrdiff_t)begin; channel < (ptrdiff_t)end; channel++) {
    double total = 0;
    for (ptrdiff_t image = 0; image < t->s.batch; image++) {
      const R *y = t->y + (image * channels + channel) * positions;
      V sum[4] = {SET(0), SET(0), SET(0), SET(0)};
      ptrdiff_t p = 0;
      for (; p + 4 * LANES <= positions; p += 4 * LANES) {
        for (int v = 0; v < 4; v++) sum[v] += v_load(y + p + v * LANES);
      }
      const V all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
      for (int l = 0; l < LANES; l++) total += all[l];
      for (; p < positions; p++) total += y[p];
    }
    t->bias[channel] = (R)total;
  }
}

int64_t NAME(tc_conv_weight)(const tc_conv_args *a, const R *x, const R *y, R *weight, R *bias, void *scratch) {
  weight_job t = {.s = tc_conv_make_shape(a, false), .y = y, .weight = weight, .bias = bias};
  const tc_conv_shape *s = &t.s;
  t.c = tc_conv_make_class(s, 0);
  tc_conv_class *c = &t.c;
  const bool empty = s->batch == 0 || c->positions == 0;
  const bool narrow = is_narrow(s, c);
  const ptrdiff_t threads = tc_num_threads(), step = images_at_a_time(s);
  t.slot_size = s->groups * s->weight_group;
  t.units = s->groups * ((c->k + (narrow ? NARROW_TAPS : COLS) - 1) / (narrow ? NARROW_TAPS : COLS));
  t.slots = 1;
  if (!empty && t.slot_size > 0 && t.units < 2 * threads) {
    t.slots = min(min((2 * threads + t.units - 1) / t.units, step),
                  1 + SLOT_BYTES / (t.slot_size * (ptrdiff_t)sizeof(R)));
  }
  // Each range packs y for itself, so ranges are few unless they are long.
  t.ranges = narrow ? t.units : min(t.units, t.units >= 32 * threads ? 2 * threads : threads);
  tc_arena arena = {scratch, 0};
  if (!empty && t.slot_size > 0) {
    int32_t *tables = tc_take(&arena, tc_conv_table_size(s) * (int64_t)sizeof *tables);
    R *prepared = take_prepared(s, &arena);
    t.slots_at = tc_take(&arena, (int64_t)(t.slots - 1) * t.slot_size * (int64_t)sizeof(R));
    t.panel_size = narrow ? 0 : (ROW_BLOCK + COLS) * TC_GEMM_DEPTH;
    t.panels = tc_take(&arena, threads * (int64_t)t.panel_size * (int64_t)sizeof(R));
    if (scratch && weight) {
      tc_conv_fill_tables(s, 0, c, tables);
      for (t.image0 = 0; t.image0 < s->batch; t.image0 += t.images) {
        t.images = min(step, s->batch - t.image0);
        t.source = prepare_images(s, x, prepared, t.image0, t.images);
        if (narrow) {
          const ptrdiff_t work = s->dst_channels * NARROW_TAPS * c->positions * (t.images / t.slots + 1);
          tc_parallel_for(t.slots * t.units, 1 + GRAIN / work, weight_narrow, &t);
        } else {
          tc_parallel_for(t.slots * t.ranges, 1, weight_tiles, &t);
        }
      }
      if (t.slots > 1) tc_parallel_for(t.slot_size, GRAIN / 4, add_slots, &t);
    }
  } else if (scratch && weight) {
    memset(weight, 0, (size_t)t.slot_size * sizeof(R));
  }
  if (scratch && bias) {
    tc_parallel_for(s->groups * s->dst_channels, 1 + GRAIN / (s->batch * c->positions + 1), sum_bias, &t);
  }
  return arena.used;
}
