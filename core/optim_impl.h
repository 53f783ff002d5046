// One vector of a parameter through one optimizer step, and the loop over a parameter. A template: the
// including file defines E, T, L, F(x) and SPLAT(x) as each_float.h does, for float32 and float64.
//
// v_fma stands where PyTorch's AVX2 kernels fuse: add with alpha, addcmul. Every other operation is
// rounded on its own, in PyTorch's order.

// A parameter, its gradient, and its state s1, s2, s3.
typedef struct { T p, g, s1, s2, s3; } F(lanes);

// The numbers of a step (see `numbers` in optim.c), rounded to the dtype.
typedef struct {
  T weight_decay, step, momentum, one_minus_dampening;
  T beta1, one_minus_beta1, beta2, one_minus_beta2;
  T correction, eps, k1, k2;
} F(splats);

static F(splats) F(splat_numbers)(const numbers *n) {
  return (F(splats)){SPLAT(n->weight_decay), SPLAT(n->step), SPLAT(n->momentum), SPLAT(n->one_minus_dampening),
                     SPLAT(n->beta1), SPLAT(n->one_minus_beta1), SPLAT(n->beta2), SPLAT(n->one_minus_beta2),
                     SPLAT(n->correction), SPLAT(n->eps), SPLAT(n->k1), SPLAT(n->k2)};
}

// moving = moving * decay + x * (1 - decay), and the same of x * x.
TC_INLINE T F(average)(T moving, T decay, T x, T rest) { return v_fma(x, rest, moving * decay); }
TC_INLINE T F(average_square)(T moving, T decay, T x, T rest) { return v_fma(rest * x, x, moving * decay); }

TC_INLINE void F(sgd)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  T d = x->g;
  if (n->has_momentum) {
    x->s1 = n->first ? d : v_fma(d, k->one_minus_dampening, x->s1 * k->momentum);
    d = n->nesterov ? v_fma(x->s1, k->momentum, d) : x->s1;
  }
  x->p = v_fma(d, -k->step, x->p);
}

TC_INLINE void F(adam)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  x->s1 = F(average)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  x->s2 = F(average_square)(x->s2, k->beta2, x->g, k->one_minus_beta2);
  if (n->amsgrad) x->s3 = v_maximum(x->s3, x->s2);
  const T denominator = v_sqrt(n->amsgrad ? x->s3 : x->s2) / k->correction + k->eps;
  x->p += -k->step * x->s1 / denominator;
}

TC_INLINE void F(adamw)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  x->p *= k->k1;
  F(adam)(x, k, n);
}

TC_INLINE void F(rmsprop)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  x->s1 = F(average_square)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  T average = x->s1;
  if (n->centered) {
    x->s3 = F(average)(x->s3, k->beta1, x->g, k->one_minus_beta1);
    average = v_fnma(x->s3, x->s3, average);
  }
  average = v_sqrt(average) + k->eps;
  if (n->has_momentum) {
    x->s2 = x->s2 * k->momentum + x->g / average;
    x->p = v_fma(x->s2, -k->step, x->p);
  } else {
    x->p += -k->step * x->g / average;
  }
}

TC_INLINE void F(adagrad)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  (void)n;
  x->s1 = v_fma(x->g, x->g, x->s1);
  x->p += -k->step * x->g / (v_sqrt(x->s1) + k->eps);
}

TC_INLINE void F(adadelta)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  (void)n;
  x->s1 = F(average_square)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  const T delta = v_sqrt(x->s2 + k->eps) / v_sqrt(x->s1 + k->eps) * x->g;
  x->s2 = F(average_square)(x->s2, k->beta1, delta, k->one_minus_beta1);
  x->p = v_fma(delta, -k->step, x->p);
}

TC_INLINE void F(adamax)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  (void)n;
  x->s1 = F(average)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  x->s2 = v_maximum(x->s2 * k->beta2, v_abs(x->g) + k->eps);
  x->p += -k->step * x->s1 / x->s2;
}

TC_INLINE void F(nadam)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  (void)n;
  x->s1 = F(average)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  x->s2 = F(average_square)(x->s2, k->beta2, x->g, k->one_minus_beta2);
  const T denominator = v_sqrt(x->s2 / k->correction) + k->eps;
  x->p += k->k1 * x->g / denominator;
  x->p += k->k2 * x->s1 / denominator;
}

TC_INLINE void F(radam)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  x->s1 = F(average)(x->s1, k->beta1, x->g, k->one_minus_beta1);
  x->s2 = F(average_square)(x->s2, k->beta2, x->g, k->one_minus_beta2);
  T change = x->s1 / k->correction * k->step;
  if (n->rectified) change = change * (SPLAT(1) / (v_sqrt(x->s2) + k->eps) * k->k1) * k->k2;
  x->p -= change;
}

TC_INLINE void F(asgd)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  x->p *= k->k1;
  x->p = v_fma(x->g, -k->step, x->p);
  x->s1 = n->averaging ? x->s1 + (x->p - x->s1) * k->k2 : x->p;
}

// k1, k2: eta minus and plus; beta1, beta2: the bounds of a step.
TC_INLINE void F(rprop)(F(lanes) *x, const F(splats) *k, const numbers *n) {
  (void)n;
  const T zero = SPLAT(0), product = x->g * x->s1;
  const T factor = v_select(product > zero, k->k2, v_select(product < zero, k->k1, SPLAT(1)));
  x->s2 = v_min(v_max(x->s2 * factor, k->beta1), k->beta2);
  x->g = v_select(factor == k->k1, zero, x->g);
  x->p = v_select(x->g > zero, x->p - x->s2, v_select(x->g < zero, x->p + x->s2, x->p));
  x->s1 = x->g;
}

// Elements begin .. end - 1 of one parameter. Slots of state that the optimizer does not have are 0.
#define LOOP(name)                                                                               \
  __attribute__((noinline)) static void F(loop_##name)(const numbers *n, const tc_optim_tensor *t, \
                                                       int64_t begin, int64_t end) {             \
    const F(splats) k = F(splat_numbers)(n);                                                     \
    E *p = TC_PTR(E, t->param), *s1 = TC_PTR(E, t->s1), *s2 = TC_PTR(E, t->s2), *s3 = TC_PTR(E, t->s3); \
    const E *g = TC_PTR(const E, t->grad);                                                       \
    for (int64_t i = begin; i < end; i += L) {                                                   \
      F(lanes) x = {0};                                                                          \
      const int64_t m = end - i;                                                                 \
      if (m >= L) {                                                                              \
        x.p = v_load(p + i), x.g = v_load(g + i);                                                \
        if (s1) x.s1 = v_load(s1 + i);                                                           \
        if (s2) x.s2 = v_load(s2 + i);                                                           \
        if (s3) x.s3 = v_load(s3 + i);                                                           \
      } else {                                                                                   \
        x.p = F(fetch_part)(p + i, m, 1), x.g = F(fetch_part)(g + i, m, 1);                      \
        if (s1) x.s1 = F(fetch_part)(s1 + i, m, 1);                                              \
        if (s2) x.s2 = F(fetch_part)(s2 + i, m, 1);                                              \
        if (s3) x.s3 = F(fetch_part)(s3 + i, m, 1);                                              \
      }                                                                                          \
      if (n->maximize) x.g = -x.g;                                                               \
      if (n->decays) x.g = v_fma(x.p, k.weight_decay, x.g);                                      \
      F(name)(&x, &k, n);                                                                        \
      if (m >= L) {                                                                              \
        v_store(p + i, x.p);                                                                     \
        if (s1) v_store(s1 + i, x.s1);                                                           \
        if (s2) v_store(s2 + i, x.s2);                                                           \
        if (s3) v_store(s3 + i, x.s3);                                                           \
      } else {                                                                                   \
        F(put_part)(p + i, m, x.p);                                                              \
        if (s1) F(put_part)(s1 + i, m, x.s1);                                                    \
        if (s2) F(put_part)(s2 + i, m, x.s2);                                                    \
        if (s3) F(put_part)(s3 + i, m, x.s3);                                                    \
      }                                                                                          \
    }                                                                                            \
  }
LOOP(sgd)
LOOP(adam)
LOOP(adamw)
LOOP(rmsprop)
LOOP(adagrad)
LOOP(adadelta)
LOOP(adamax)
LOOP(nadam)
LOOP(radam)
LOOP(asgd)
LOOP(rprop)
#undef LOOP

static const loop_fn F(loops)[] = {F(loop_sgd), F(loop_adam), F(loop_adamw), F(loop_rmsprop),
                                   F(loop_adagrad), F(loop_adadelta), F(loop_adamax), F(loop_nadam),
                                   F(loop_radam), F(loop_asgd), F(loop_rprop)};
