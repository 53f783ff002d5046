// The gradients of a convolution's weight and bias, for one element type; included after conv_sum.h.
//
// weight[row, (channel, tap)] = sum over images and positions of y[row, position] * x[channel, place(position, tap)]
// is a matrix product whose depth runs over positions. A thread takes a range of (channel, tap) panels and packs them,
// and the rows of y, straight from the tensors. With few rows (narrow) nothing is packed: positions are neighbours on
// both sides, so each element is a dot product of runs.
//
// Where there are too few panels for the threads, images are dealt to "slots" as well; each slot sums into a buffer of
// its own, and the buffers are added in their order. So the result depends on the arguments and the number of threads.

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
  const int32_t *vectors;        // narrow: see fill_vectors
  R *laid_out;                   // narrow: y of the present images, see lay_out_y
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
    const run_kind kind = p + LANES <= depth ? runs_of(place + p) : LOOSE;
    if (kind != LOOSE) {
      const two_runs t = kind == TWO_RUNS ? find_two_runs(place + p) : (two_runs){place[p], place[p], {0}};
      const R *first = from + t.first, *second = from + t.second;
      for (ptrdiff_t j = 0; j < COLS; j += LANES) {
        V v[LANES];
        for (ptrdiff_t l = 0; l < LANES; l++) v[l] = j + l < count ? v_load(first + offset[j + l]) : SET(0);
        if (kind == TWO_RUNS) {
          for (ptrdiff_t l = 0; l < LANES && j + l < count; l++) {
            v[l] = v_select(t.mask, v[l], v_load(second + offset[j + l]));
          }
        }
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

// For dot products y is laid out anew: for each vector of positions the vectors of all rows of its group, so that a
// thread walks through it with one pointer. A line of positions that does not end with a vector is finished by one that
// reaches back, its lanes already counted zeroed.
static ptrdiff_t vectors_per_line(const tc_conv_class *c) { return (c->grid[2] + LANES - 1) / LANES; }

static ptrdiff_t vectors_per_row(const tc_conv_class *c) { return c->grid[0] * c->grid[1] * vectors_per_line(c); }

// Where each vector of positions starts in the source, in bytes.
static void fill_vectors(const tc_conv_class *c, int32_t *vectors) {
  for (ptrdiff_t line = 0; line < c->grid[0] * c->grid[1]; line++) {
    for (ptrdiff_t v = 0; v < vectors_per_line(c); v++) {
      const ptrdiff_t start = min(v * LANES, c->grid[2] - LANES);
      *vectors++ = c->place[line * c->grid[2] + start] * (int32_t)sizeof(R);
    }
  }
}

// [begin, end): rows (channels of y), image after image.
static void lay_out_y(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const weight_job *t = ctx;
  const tc_conv_class *c = &t->c;
  const ptrdiff_t rows = t->s.dst_channels, width = c->grid[2], whole = width / LANES * LANES;
  VI left;  // lanes that the line's last vector has to itself
  for (int e = 0; e < LANES; e++) left[e] = -(e >= LANES - (width - whole));
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const R *from = t->y + (t->image0 * t->s.groups * rows + at) * c->positions;
    R *to = t->laid_out + (at / rows * vectors_per_row(c) * rows + at % rows) * LANES;
    for (ptrdiff_t line = 0; line < c->grid[0] * c->grid[1]; line++, from += width) {
      for (ptrdiff_t p = 0; p < whole; p += LANES, to += rows * LANES) v_store(to, v_load(from + p));
      if (whole < width) {
        v_store(to, (V)((VI)v_load(from + width - LANES) & left));
        to += rows * LANES;
      }
    }
  }
}

// sums[r][j]: row r of y times tap j, over all positions of an image. x[j] is how far tap j is from the first, in bytes;
// where the taps are neighbours (`close`) it is not read.
TC_INLINE void dot_taps(const weight_job *t, const R *from, const R *y, const ptrdiff_t *x, V *sums, const int rows,
                        const int taps, const bool close) {
  V acc[5][4];
  for (int j = 0; j < taps; j++) {
    for (int r = 0; r < rows; r++) acc[j][r] = SET(0);
  }
  const ptrdiff_t step = t->s.dst_channels * LANES * (ptrdiff_t)sizeof(R);
  const int32_t *vector = t->vectors, *end = vector + vectors_per_row(&t->c);
  const R *base[5];
  for (int j = 0; j < (close ? 1 : taps); j++) {
    base[j] = from;
    if (!close) TC_ADVANCE(base[j], x[j]);
  }
#pragma clang loop unroll(disable)
  for (; vector < end; vector++) {
    const R *at[5];
    for (int j = 0; j < (close ? 1 : taps); j++) at[j] = base[j], TC_ADVANCE(at[j], *vector);
    V g[4];
    for (int r = 0; r < rows; r++) g[r] = v_load(y + r * LANES);
    TC_ADVANCE(y, step);
#define ADD(j, value)                                                     \
  {                                                                       \
    const V v = value;                                                    \
    for (int r = 0; r < rows; r++) acc[j][r] = v_fma(g[r], v, acc[j][r]); \
  }
#if LANES == 4
    if (close && taps == 5) {  // the taps between are parts of the first's vector and the last's
      const V low = v_load(at[0]), high = v_load(at[0] + LANES);
      ADD(0, low)
      ADD(1, __builtin_shufflevector(low, high, 1, 2, 3, 4))
      ADD(2, __builtin_shufflevector(low, high, 2, 3, 4, 5))
      ADD(3, __builtin_shufflevector(low, high, 3, 4, 5, 6))
      ADD(4, high)
      continue;
    }
#endif
    for (int j = 0; j < taps; j++) ADD(j, v_load(close ? at[0] + j : at[j]))
#undef ADD
  }
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < taps; j++) sums[r * taps + j] = acc[j][r];
  }
}

// Rows and taps that fit the registers together. Taps are neighbours, except for DOT(r, t, 0).
#define DOT_SHAPES(X) \
  X(2, 5, 1) X(1, 5, 1) X(2, 4, 1) X(1, 4, 1) X(3, 3, 1) X(2, 3, 1) X(1, 3, 1) \
  X(4, 2, 1) X(2, 2, 1) X(1, 2, 1) X(2, 4, 0) X(1, 4, 0)
#define DOT(rows, taps, close)                                                                                    \
  __attribute__((noinline)) static void dot_##rows##_##taps##_##close(const weight_job *t, const R *from,         \
                                                                      const R *y, const ptrdiff_t *x, V *sums) {  \
    dot_taps(t, from, y, x, sums, rows, taps, close);                                                             \
  }
DOT_SHAPES(DOT)
#undef DOT

// Calls the widest that the rows left allow and returns its rows.
static ptrdiff_t dot_step(ptrdiff_t rows_left, ptrdiff_t count, bool are_close, const weight_job *t, const R *from,
                          const R *y, const ptrdiff_t *x, V *sums) {
#define TRY(rows, taps, close)                                       \
  if (rows_left >= rows && count == taps && are_close == close) {    \
    dot_##rows##_##taps##_##close(t, from, y, x, sums);              \
    return rows;                                                     \
  }
  DOT_SHAPES(TRY)
#undef TRY
  return 0;
}

// Taps of a unit of work: a run of neighbours where the kernel's width allows it, else four of any.
typedef struct {
  ptrdiff_t k0, count;   // taps of the unit
  ptrdiff_t shape;       // taps that the kernel sums: more than count if taps are left over
  bool close;
} tap_run;

// A line of the kernel is cut into equal runs. Long ones share loads; V8 before Turboshaft keeps all vectors of an
// iteration in registers at once, so where loads are cheap anyway (see TC_OPTION_CHECKED_MEMORY) they are short.
// 0: lines do not matter.
static ptrdiff_t runs_per_line(const tc_conv_shape *s, const tc_conv_class *c) {
  const ptrdiff_t longest = tc_options[TC_OPTION_CHECKED_MEMORY] ? 5 : 3;
  const bool neighbours = s->residues == 1 && s->dilation[2] == 1 && c->taps[2] > longest / 2;
  return neighbours ? (c->taps[2] + longest - 1) / longest : 0;
}

static ptrdiff_t tap_runs(const tc_conv_shape *s, const tc_conv_class *c) {
  const ptrdiff_t runs = runs_per_line(s, c);
  return runs > 0 ? c->k / c->taps[2] * runs : (c->k + 3) / 4;
}

static tap_run find_run(const tc_conv_shape *s, const tc_conv_class *c, ptrdiff_t index) {
  const ptrdiff_t runs = runs_per_line(s, c), width = c->taps[2];
  if (runs == 0) return (tap_run){index * 4, min(4, c->k - index * 4), 4, false};
  const ptrdiff_t begin = index % runs * width / runs, end = (index % runs + 1) * width / runs;
  return (tap_run){index / runs * width + begin, end - begin, end - begin, true};
}

// One run of taps of a group, summed over one image into `target`.
static void dot_run(const weight_job *t, ptrdiff_t image, ptrdiff_t group, tap_run run, R *target, bool first) {
  const tc_conv_shape *s = &t->s;
  const tc_conv_class *c = &t->c;
  ptrdiff_t x[5];
  for (ptrdiff_t j = 0; j < run.shape; j++) {
    x[j] = (c->offset[run.k0 + min(j, run.count - 1)] - c->offset[run.k0]) * (ptrdiff_t)sizeof(R);
  }
  const R *from = t->source + (image * s->groups + group) * s->src_channels * s->channel + c->offset[run.k0];
  const R *y = t->laid_out + (image * s->groups + group) * s->dst_channels * vectors_per_row(c) * LANES;
  for (ptrdiff_t r = 0; r < s->dst_channels;) {
    V sums[16];
    const ptrdiff_t rows = dot_step(s->dst_channels - r, run.shape, run.close, t, from, y + r * LANES, x, sums);
    for (ptrdiff_t i = 0; i < rows; i++, r++) {
      R *to = target + (group * s->dst_channels + r) * c->k + run.k0;
      for (ptrdiff_t j = 0; j < run.count; j++) {
        const R total = v_sum(sums[i * run.shape + j]);
        to[j] = first ? total : to[j] + total;
      }
    }
  }
}

// [begin, end): ranges of runs of taps, slot after slot.
static void weight_narrow(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const weight_job *t = ctx;
  const ptrdiff_t runs = tap_runs(&t->s, &t->c);
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t slot = at / t->ranges, range = at % t->ranges;
    const ptrdiff_t unit0 = range * t->units / t->ranges, unit1 = (range + 1) * t->units / t->ranges;
    R *target = slot_buffer(t, slot);
    ptrdiff_t image, image_end;
    slot_images(t, slot, &image, &image_end);
    for (bool first = t->image0 == 0; image < image_end; image++, first = false) {
      for (ptrdiff_t unit = unit0; unit < unit1; unit++) {
        dot_run(t, image, unit / runs, find_run(&t->s, &t->c, unit % runs), target, first);
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
  const bool narrow = s->dst_channels <= NARROW_ROWS && c->grid[2] >= LANES;
  const ptrdiff_t threads = tc_num_threads();
  const ptrdiff_t laid_out = narrow ? s->groups * s->dst_channels * vectors_per_row(c) * LANES : 0;  // of an image
  const ptrdiff_t most = PREPARED_BYTES / (laid_out * (ptrdiff_t)sizeof(R) + 1);
  const ptrdiff_t step = narrow ? min(images_at_a_time(s), most < 1 ? 1 : most) : images_at_a_time(s);
  t.slot_size = s->groups * s->weight_group;
  t.units = s->groups * (narrow ? tap_runs(s, c) : (c->k + COLS - 1) / COLS);
  t.slots = 1;
  if (!empty && t.slot_size > 0 && t.units < 2 * threads) {
    t.slots = min(min((2 * threads + t.units - 1) / t.units, step),
                  1 + SLOT_BYTES / (t.slot_size * (ptrdiff_t)sizeof(R)));
  }
  // Each range goes through y (and packs it) for itself, so ranges are few unless they are long.
  t.ranges = min(t.units, narrow ? 4 * threads : t.units >= 32 * threads ? 2 * threads : threads);
  tc_arena arena = {scratch, 0};
  if (!empty && t.slot_size > 0) {
    int32_t *tables = tc_take(&arena, tc_conv_table_size(s) * (int64_t)sizeof *tables);
    R *prepared = take_prepared(s, &arena);
    int32_t *vectors = tc_take(&arena, (narrow ? vectors_per_row(c) : 0) * (int64_t)sizeof *vectors);
    t.laid_out = tc_take(&arena, (int64_t)step * laid_out * (int64_t)sizeof(R));
    t.slots_at = tc_take(&arena, (int64_t)(t.slots - 1) * t.slot_size * (int64_t)sizeof(R));
    t.panel_size = narrow ? 0 : (ROW_BLOCK + COLS) * TC_GEMM_DEPTH;
    t.panels = tc_take(&arena, threads * (int64_t)t.panel_size * (int64_t)sizeof(R));
    if (scratch && weight) {
      tc_conv_fill_tables(s, 0, TC_CHANNELS_OUTERMOST, c, tables);
      if (narrow) fill_vectors(c, vectors);
      t.vectors = vectors;
      for (t.image0 = 0; t.image0 < s->batch; t.image0 += t.images) {
        t.images = min(step, s->batch - t.image0);
        t.source = prepare_images(s, x, prepared, t.image0, t.images);
        if (narrow) {
          tc_parallel_for(t.images * s->groups * s->dst_channels, 1 + GRAIN / 4 / c->positions, lay_out_y, &t);
          tc_parallel_for(t.slots * t.ranges, 1, weight_narrow, &t);
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
