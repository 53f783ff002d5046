// Group normalisation for one element type; included after norm_sums.h.

// Forward of groups [begin, end), image after image.
static void group_forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_group_norm_args *a = ctx;
  const ptrdiff_t spatial = (ptrdiff_t)a->spatial, members = (ptrdiff_t)(a->channels / a->groups);
  const ptrdiff_t all = members * spatial;
  R x_buffer[CHUNK], out[CHUNK];
  for (ptrdiff_t group = (ptrdiff_t)begin; group < (ptrdiff_t)end; group++) {
    moments m = {0, 0, 0};
    for (ptrdiff_t i = 0, n; i < all; i += n) {
      n = min(CHUNK, all - i);
      add_moments(&m, fetch(a->x, a->dtype, group * all + i, n, x_buffer), n);
    }
    const double rstd = 1 / sqrt(m.m2 / m.count + a->eps);
    put_one(a->mean, R_DTYPE, group, m.mean);
    put_one(a->rstd, R_DTYPE, group, rstd);
    for (ptrdiff_t member = 0; member < members; member++) {
      const ptrdiff_t c = group % (ptrdiff_t)a->groups * members + member;
      const R scale = (R)(rstd * get_one(a->weight, a->param_dtype, c, 1));
      const R shift = (R)get_one(a->bias, a->param_dtype, c, 0);
      for (ptrdiff_t i = 0, n; i < spatial; i += n) {
        n = min(CHUNK, spatial - i);
        const ptrdiff_t at = group * all + member * spatial + i;
        R *y = place(a->y, a->dtype, at, out);
        scale_run(fetch(a->x, a->dtype, at, n, x_buffer), y, (R)m.mean, scale, shift, n);
        put(a->y, a->dtype, at, n, y);
      }
    }
  }
}

void NAME(tc_group_norm)(const tc_group_norm_args *a) {
  const int64_t members = a->channels / a->groups;
  tc_parallel_for(a->batch * a->groups, 1 + TC_NORM_GRAIN / (members * a->spatial + 1), group_forward, (void *)a);
}

// dx of groups [begin, end); the sums of each (image, channel), of dy and of dy * normalised x, go to the workspace as
// doubles, for dweight and dbias.
static void group_backward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_group_norm_args *a = ctx;
  const ptrdiff_t spatial = (ptrdiff_t)a->spatial, members = (ptrdiff_t)(a->channels / a->groups);
  R x_buffer[CHUNK], y_buffer[CHUNK], out[CHUNK];
  for (ptrdiff_t group = (ptrdiff_t)begin; group < (ptrdiff_t)end; group++) {
    const double mean = get_one(a->mean, R_DTYPE, group, 0), rstd = get_one(a->rstd, R_DTYPE, group, 0);
    const ptrdiff_t first = group % (ptrdiff_t)a->groups * members;
    double *sums = TC_PTR(double, a->scratch) + 2 * group * members;
    double sum = 0, product = 0;
    for (ptrdiff_t member = 0; member < members; member++, sums += 2) {
      sums[0] = sums[1] = 0;
      for (ptrdiff_t i = 0, n; i < spatial; i += n) {
        n = min(CHUNK, spatial - i);
        const ptrdiff_t at = (group * members + member) * spatial + i;
        add_products(fetch(a->x, a->dtype, at, n, x_buffer), fetch(a->dy, a->dtype, at, n, y_buffer), (R)mean, n,
                     &sums[0], &sums[1]);
      }
      sums[1] *= rstd;
      const double w = get_one(a->weight, a->param_dtype, first + member, 1);
      sum += w * sums[0], product += w * sums[1];
    }
    if (!a->dx) continue;
    // dx = rstd * (w * dy - average(w * dy) - normalised x * average(w * dy * normalised x))
    const double count = (double)(members * spatial);
    const R slope = (R)(rstd * rstd * product / count), shift = (R)(rstd * sum / count);
    for (ptrdiff_t member = 0; member < members; member++) {
      const R scale = (R)(rstd * get_one(a->weight, a->param_dtype, first + member, 1));
      for (ptrdiff_t i = 0, n; i < spatial; i += n) {
        n = min(CHUNK, spatial - i);
        const ptrdiff_t at = (group * members + member) * spatial + i;
        R *dx = place(a->dx, a->dtype, at, out);
        gradient_run(fetch(a->x, a->dtype, at, n, x_buffer), fetch(a->dy, a->dtype, at, n, y_buffer), dx, (R)mean, scale,
                     slope, shift, n);
        put(a->dx, a->dtype, at, n, dx);
      }
    }
  }
}

// Channels [begin, end) of dweight and dbias.
static void group_add_images(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_group_norm_args *a = ctx;
  const double *sums = TC_PTR(const double, a->scratch);
  for (ptrdiff_t c = (ptrdiff_t)begin; c < (ptrdiff_t)end; c++) {
    double dweight = 0, dbias = 0;
    for (ptrdiff_t image = 0; image < (ptrdiff_t)a->batch; image++) {
      const double *s = sums + 2 * (image * (ptrdiff_t)a->channels + c);
      dbias += s[0], dweight += s[1];
    }
    put_one(a->dweight, a->param_dtype, c, dweight);
    put_one(a->dbias, a->param_dtype, c, dbias);
  }
}

void NAME(tc_group_norm_backward)(const tc_group_norm_args *a) {
  const int64_t members = a->channels / a->groups;
  tc_parallel_for(a->batch * a->groups, 1 + TC_NORM_GRAIN / (members * a->spatial + 1), group_backward, (void *)a);
  if (a->dweight || a->dbias) {
    tc_parallel_for(a->channels, 1 + TC_NORM_GRAIN / (a->batch + 1), group_add_images, (void *)a);
  }
}
