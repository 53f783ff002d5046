// Batch normalisation for one element type; included after norm_sums.h.

// Where there are few channels for the threads, images are dealt to "slots"; a channel's sums are those of its slots,
// added in their order.
typedef struct {
  double sum, product;
} products;

typedef union {
  moments m;   // forward
  products p;  // backward: of dy, and of dy * (x - mean)
} channel_sums;

typedef struct {
  const tc_batch_norm_args *a;
  bool backward;
  ptrdiff_t slots;
  channel_sums *sums;  // of each channel's slots
} batch_job;

static ptrdiff_t batch_slots(const tc_batch_norm_args *a) {
  const ptrdiff_t wanted = 4 * tc_num_threads();
  if (a->spatial == 1 || (ptrdiff_t)a->channels >= wanted || a->channels == 0) return 1;
  const ptrdiff_t slots = (wanted + (ptrdiff_t)a->channels - 1) / (ptrdiff_t)a->channels;
  const ptrdiff_t most = 1 + (ptrdiff_t)(a->batch * a->spatial / TC_NORM_GRAIN);
  return min(slots, min(most, (ptrdiff_t)a->batch));
}

typedef struct {
  double mean, invstd;
} statistics;

// A batch's statistics, rounded where PyTorch rounds them: the mean before it centres the squares, their sum before it
// becomes a variance.
static statistics batch_statistics(const tc_batch_norm_args *a, const moments *t, double *squares) {
  const double mean = (double)(R)t->mean;
  *squares = (double)(R)(t->m2 + (t->mean - mean) * (t->mean - mean) * t->count);
  return (statistics){mean, 1 / sqrt(*squares / t->count + a->eps)};
}

// Saves what the forward pass of a training step learned about channel c.
static void save_statistics(const tc_batch_norm_args *a, ptrdiff_t c, const moments *t) {
  double squares;
  const statistics s = batch_statistics(a, t, &squares);
  put_one(a->save_mean, R_DTYPE, c, s.mean);
  put_one(a->save_invstd, R_DTYPE, c, s.invstd);
  // In R, as PyTorch: running statistics are compared bit by bit.
  const R momentum = (R)a->momentum, keep = (R)(1 - a->momentum);
  if (a->running_mean) {
    const R old = (R)get_one(a->running_mean, a->param_dtype, c, 0);
    put_one(a->running_mean, a->param_dtype, c, (double)(momentum * (R)s.mean + keep * old));
  }
  if (a->running_var) {
    const R old = (R)get_one(a->running_var, a->param_dtype, c, 0);
    put_one(a->running_var, a->param_dtype, c, (double)(momentum * (R)(squares / (t->count - 1)) + keep * old));
  }
}

// The statistics that the backward pass and the evaluating forward pass read.
static statistics read_statistics(const tc_batch_norm_args *a, ptrdiff_t c) {
  if (a->training) return (statistics){get_one(a->save_mean, R_DTYPE, c, 0), get_one(a->save_invstd, R_DTYPE, c, 0)};
  const double var = get_one(a->running_var, a->param_dtype, c, 0);
  return (statistics){get_one(a->running_mean, a->param_dtype, c, 0), 1 / sqrt(var + a->eps)};
}

// What is done to each element: scale_run's and gradient_run's numbers.
typedef struct {
  R centre, scale, slope, shift;
} factors;

static factors forward_factors(const tc_batch_norm_args *a, ptrdiff_t c, statistics s) {
  return (factors){.centre = (R)s.mean, .scale = (R)(s.invstd * get_one(a->weight, a->param_dtype, c, 1)),
                   .shift = (R)get_one(a->bias, a->param_dtype, c, 0)};
}

static factors backward_factors(const tc_batch_norm_args *a, ptrdiff_t c, statistics s, products p) {
  const double scale = s.invstd * get_one(a->weight, a->param_dtype, c, 1);
  const double count = (double)(a->batch * a->spatial);
  factors f = {.centre = (R)s.mean, .scale = (R)scale};
  if (a->training) {
    f.slope = (R)(scale * p.product * s.invstd * s.invstd / count);
    f.shift = (R)(scale * p.sum / count);
  }
  return f;
}

static void save_gradients(const tc_batch_norm_args *a, ptrdiff_t c, statistics s, products p) {
  put_one(a->dweight, a->param_dtype, c, p.product * s.invstd);
  put_one(a->dbias, a->param_dtype, c, p.sum);
}

// Chunks of channel c in the images of a slot: elements [at, at + n).
#define EACH_CHUNK(t, c, slot)                                                                             \
  for (ptrdiff_t image = (slot) * (ptrdiff_t)(t)->a->batch / (t)->slots,                                   \
                 image_end = ((slot) + 1) * (ptrdiff_t)(t)->a->batch / (t)->slots;                         \
       image < image_end; image++)                                                                         \
    for (ptrdiff_t i = 0, at = (image * (ptrdiff_t)(t)->a->channels + (c)) * (ptrdiff_t)(t)->a->spatial,   \
                   n = min(CHUNK, (ptrdiff_t)(t)->a->spatial);                                             \
         i < (ptrdiff_t)(t)->a->spatial;                                                                   \
         i += n, at += n, n = min(CHUNK, (ptrdiff_t)(t)->a->spatial - i))

static void sum_channel(const batch_job *t, ptrdiff_t c, ptrdiff_t slot) {
  const tc_batch_norm_args *a = t->a;
  R x_buffer[CHUNK], y_buffer[CHUNK];
  channel_sums s = {.m = {0, 0, 0}};
  if (t->backward) {
    s.p = (products){0, 0};
    const R centre = (R)read_statistics(a, c).mean;
    EACH_CHUNK(t, c, slot) {
      add_products(fetch(a->x, a->dtype, at, n, x_buffer), fetch(a->dy, a->dtype, at, n, y_buffer), centre, n, &s.p.sum,
                   &s.p.product);
    }
  } else if (a->training) {
    EACH_CHUNK(t, c, slot) add_moments(&s.m, fetch(a->x, a->dtype, at, n, x_buffer), n);
  }
  t->sums[c * t->slots + slot] = s;
}

static void apply_channel(const batch_job *t, ptrdiff_t c, ptrdiff_t slot) {
  const tc_batch_norm_args *a = t->a;
  R x_buffer[CHUNK], y_buffer[CHUNK], out[CHUNK];
  channel_sums all = t->sums[c * t->slots];
  for (ptrdiff_t i = 1; i < t->slots; i++) {
    const channel_sums *more = &t->sums[c * t->slots + i];
    if (t->backward) {
      all.p.sum += more->p.sum, all.p.product += more->p.product;
    } else {
      merge_moments(&all.m, more->m);
    }
  }
  if (t->backward) {
    const statistics s = read_statistics(a, c);
    if (slot == 0) save_gradients(a, c, s, all.p);
    if (!a->dx) return;
    const factors f = backward_factors(a, c, s, all.p);
    EACH_CHUNK(t, c, slot) {
      R *dx = place(a->dx, a->dtype, at, out);
      gradient_run(fetch(a->x, a->dtype, at, n, x_buffer), fetch(a->dy, a->dtype, at, n, y_buffer), dx, f.centre, f.scale,
                   f.slope, f.shift, n);
      put(a->dx, a->dtype, at, n, dx);
    }
    return;
  }
  double squares;
  const statistics s = a->training ? batch_statistics(a, &all.m, &squares) : read_statistics(a, c);
  const factors f = forward_factors(a, c, s);
  if (a->training && slot == 0) save_statistics(a, c, &all.m);
  EACH_CHUNK(t, c, slot) {
    R *y = place(a->y, a->dtype, at, out);
    scale_run(fetch(a->x, a->dtype, at, n, x_buffer), y, f.centre, f.scale, f.shift, n);
    put(a->y, a->dtype, at, n, y);
  }
}
#undef EACH_CHUNK

// [begin, end): slots, channel after channel.
static void sum_channels(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const batch_job *t = ctx;
  for (ptrdiff_t i = (ptrdiff_t)begin; i < (ptrdiff_t)end; i++) sum_channel(t, i / t->slots, i % t->slots);
}

static void apply_channels(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const batch_job *t = ctx;
  for (ptrdiff_t i = (ptrdiff_t)begin; i < (ptrdiff_t)end; i++) {
    if (t->slots == 1) sum_channel(t, i, 0);  // a channel at a time, while it is in the caches
    apply_channel(t, i / t->slots, i % t->slots);
  }
}

// ---------------------------------------------------------------- channels next to each other (spatial is 1)

// Channels worked on together, row after row.
#define COLUMNS 256
// Rows summed before the sums are added up as doubles.
#define COLUMN_ROWS 64

typedef struct {
  double sum[COLUMNS], product[COLUMNS];
} column_sums;

// sum += g and product += g * (x - centre), for n channels; g is y, or x - centre itself.
TC_INLINE void add_row(const R *x, const R *y, const R *centre, ptrdiff_t n, R *sum, R *product) {
  ptrdiff_t j = 0;
  for (; j + LANES <= n; j += LANES) {
    const V d = v_load(x + j) - v_load(centre + j), g = y ? v_load(y + j) : d;
    v_store(sum + j, v_load(sum + j) + g);
    v_store(product + j, v_fma(g, d, v_load(product + j)));
  }
  for (; j < n; j++) {
    const R d = x[j] - centre[j], g = y ? y[j] : d;
    sum[j] += g;
    product[j] += g * d;
  }
}

// Sums over all rows, for n channels from c on: of x - centre and its square, or of dy and dy * (x - centre).
static void sum_columns(const tc_batch_norm_args *a, ptrdiff_t c, ptrdiff_t n, const R *centre, bool products,
                        column_sums *total) {
  R x_buffer[COLUMNS], y_buffer[COLUMNS], sum[COLUMNS], product[COLUMNS];
  memset(total, 0, sizeof *total);
  // Few rows: exactly.
  for (ptrdiff_t r = 0; !products && a->batch <= SHORT_RUN && r < (ptrdiff_t)a->batch; r++) {
    const R *x = fetch(a->x, a->dtype, r * (ptrdiff_t)a->channels + c, n, x_buffer);
    for (ptrdiff_t j = 0; j < n; j++) {
      const double d = (double)x[j] - (double)centre[j];
      total->sum[j] += d, total->product[j] += d * d;
    }
  }
  if (!products && a->batch <= SHORT_RUN) return;
  for (ptrdiff_t row = 0; row < (ptrdiff_t)a->batch; row += COLUMN_ROWS) {
    memset(sum, 0, sizeof sum), memset(product, 0, sizeof product);
    for (ptrdiff_t r = row; r < min(row + COLUMN_ROWS, (ptrdiff_t)a->batch); r++) {
      const ptrdiff_t at = r * (ptrdiff_t)a->channels + c;
      const R *x = fetch(a->x, a->dtype, at, n, x_buffer);
      if (products) {
        add_row(x, fetch(a->dy, a->dtype, at, n, y_buffer), centre, n, sum, product);
      } else {
        add_row(x, NULL, centre, n, sum, product);
      }
    }
    for (ptrdiff_t j = 0; j < n; j++) total->sum[j] += (double)sum[j], total->product[j] += (double)product[j];
  }
}

// The means of n channels from c on, added up in R.
static void row_means(const tc_batch_norm_args *a, ptrdiff_t c, ptrdiff_t n, R *mean) {
  R buffer[COLUMNS];
  memset(mean, 0, (size_t)n * sizeof(R));
  for (ptrdiff_t r = 0; r < (ptrdiff_t)a->batch; r++) {
    const R *x = fetch(a->x, a->dtype, r * (ptrdiff_t)a->channels + c, n, buffer);
    for (ptrdiff_t j = 0; j < n; j++) mean[j] += x[j];
  }
  for (ptrdiff_t j = 0; j < n; j++) mean[j] /= (R)a->batch;
}

typedef struct {
  R centre[COLUMNS], scale[COLUMNS], slope[COLUMNS], shift[COLUMNS];
} column_factors;

// scale_run and gradient_run with factors that differ from channel to channel; y is NULL going forward.
TC_INLINE void apply_row(const R *x, const R *y, const column_factors *f, R *to, ptrdiff_t n) {
  ptrdiff_t j = 0;
  for (; j + LANES <= n; j += LANES) {
    const V d = v_load(x + j) - v_load(f->centre + j), scale = v_load(f->scale + j), shift = v_load(f->shift + j);
    v_store(to + j, y ? v_fma(v_load(y + j), scale, v_fma(d, -v_load(f->slope + j), -shift)) : v_fma(d, scale, shift));
  }
  for (; j < n; j++) {
    const R d = x[j] - f->centre[j];
    to[j] = y ? y[j] * f->scale[j] - d * f->slope[j] - f->shift[j] : d * f->scale[j] + f->shift[j];
  }
}

// Channels [begin, end).
static void batch_columns(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const batch_job *t = ctx;
  const tc_batch_norm_args *a = t->a;
  const ptrdiff_t rows = (ptrdiff_t)a->batch;
  for (ptrdiff_t c = (ptrdiff_t)begin, n; c < (ptrdiff_t)end; c += n) {
    n = min(COLUMNS, (ptrdiff_t)end - c);
    R x_buffer[COLUMNS], y_buffer[COLUMNS], out[COLUMNS];
    column_factors all;
    column_sums sums = {{0}, {0}};
    statistics s[COLUMNS];
    if (a->training && !t->backward) {
      // The first row centres a first look at the mean, which centres the squares.
      // Few rows have PyTorch's mean to the last bit: summed one after the other.
      const bool few = rows <= SHORT_RUN;
      if (few) {
        row_means(a, c, n, all.centre);
        sum_columns(a, c, n, all.centre, false, &sums);
      } else {
        memcpy(all.centre, fetch(a->x, a->dtype, c, n, x_buffer), (size_t)n * sizeof(R));
        for (int look = 0; look < 2; look++) {
          sum_columns(a, c, n, all.centre, false, &sums);
          for (ptrdiff_t j = 0; j < n && look == 0; j++) {
            all.centre[j] = (R)((double)all.centre[j] + sums.sum[j] / (double)rows);
          }
        }
      }
      for (ptrdiff_t j = 0; j < n; j++) {
        const double off = few ? 0 : sums.sum[j] / (double)rows;
        const moments m = {(double)rows, (double)all.centre[j] + off, sums.product[j] - sums.sum[j] * off};
        double squares;
        s[j] = batch_statistics(a, &m, &squares);
        save_statistics(a, c + j, &m);
      }
    } else {
      for (ptrdiff_t j = 0; j < n; j++) s[j] = read_statistics(a, c + j);
    }
    for (ptrdiff_t j = 0; j < n; j++) all.centre[j] = (R)s[j].mean;
    if (t->backward) sum_columns(a, c, n, all.centre, true, &sums);
    for (ptrdiff_t j = 0; j < n; j++) {
      const products p = {sums.sum[j], sums.product[j]};
      const factors f = t->backward ? backward_factors(a, c + j, s[j], p) : forward_factors(a, c + j, s[j]);
      all.scale[j] = f.scale, all.slope[j] = f.slope, all.shift[j] = f.shift;
      if (t->backward) save_gradients(a, c + j, s[j], p);
    }
    const uint64_t to = t->backward ? a->dx : a->y;
    for (ptrdiff_t row = 0; to && row < rows; row++) {
      const ptrdiff_t at = row * (ptrdiff_t)a->channels + c;
      const R *x = fetch(a->x, a->dtype, at, n, x_buffer);
      R *v = place(to, a->dtype, at, out);
      if (t->backward) {
        apply_row(x, fetch(a->dy, a->dtype, at, n, y_buffer), &all, v, n);
      } else {
        apply_row(x, NULL, &all, v, n);
      }
      put(to, a->dtype, at, n, v);
    }
  }
}

int64_t NAME(tc_batch_norm_scratch)(const tc_batch_norm_args *a) {
  return a->channels * batch_slots(a) * (int64_t)sizeof(channel_sums);
}

void NAME(tc_batch_norm)(const tc_batch_norm_args *a, bool backward) {
  batch_job t = {a, backward, batch_slots(a), TC_PTR(channel_sums, a->scratch)};
  const int64_t elements = a->batch * a->spatial;
  if (a->spatial == 1) {
    // A thread's channels should fill cache lines, and each row's be a stretch worth reading.
    const int64_t share = a->channels / tc_num_threads();
    const int64_t least = 1 + TC_NORM_GRAIN / (elements + 1), lines = (share < COLUMNS ? share : COLUMNS) & ~(int64_t)15;
    tc_parallel_for(a->channels, least > lines ? least : lines, batch_columns, &t);
    return;
  }
  const int64_t units = a->channels * t.slots, grain = 1 + TC_NORM_GRAIN / (elements / t.slots + 1);
  if (t.slots > 1) tc_parallel_for(units, grain, sum_channels, &t);
  tc_parallel_for(units, grain, apply_channels, &t);
}
