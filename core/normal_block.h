// Sixteen uniforms to sixteen normals, as PyTorch's AVX2 build does it (native/cpu/avx_mathfun.h: log256_ps and
// sincos256_ps, Cephes polynomials): every operation is a float32 one, and multiply-adds round once. A template over
// how such a multiply-add is had; define
//   TC_NB_TYPE            eight lanes
//   TC_NB_NAME(x)         adds a suffix
// and the functions TC_NB_NAME(of)(eight), TC_NB_NAME(to)(lanes), and with a, b lanes and s, t numbers
//   mul(a, b), add(a, b), mul_by(a, s), fma(a, b, c), fma_by(a, s, c) = a * s + c, fma_plus(a, b, t) = a * b + t.

#define NB TC_NB_NAME

TC_INLINE TC_NB_TYPE NB(polynomial)(TC_NB_TYPE x, const float *coefficients, int n) {
  TC_NB_TYPE y = NB(fma_plus)(NB(of)(splat(coefficients[0])), x, coefficients[1]);
#pragma clang loop unroll(full)
  for (int i = 2; i < n; i++) y = NB(fma_plus)(y, x, coefficients[i]);
  return y;
}

// For x in [2^-24, 1].
TC_INLINE eight NB(log)(eight x) {
  static const float coefficients[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                       -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                       2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  eight exponent, mantissa;
  for (int h = 0; h < 2; h++) {
    const vi32 bits = (vi32)x.v[h];
    const vf32 m = (vf32)((bits & 0x007fffff) | 0x3f000000);  // in [0.5, 1)
    const vi32 small = m < v_set_f32(0.707106781186547524f);
    exponent.v[h] = v_float((bits >> 23) - 126 + small);
    mantissa.v[h] = (m - v_set_f32(1)) + (vf32)((vi32)m & small);
  }
  const TC_NB_TYPE e = NB(of)(exponent), t = NB(of)(mantissa), z = NB(mul)(t, t);
  TC_NB_TYPE y = NB(mul)(NB(polynomial)(t, coefficients, 9), t);
  y = NB(fma)(y, z, NB(mul_by)(e, -2.12194440e-4f));
  y = NB(fma_by)(z, -0.5f, y);
  return NB(to)(NB(fma_by)(e, 0.693359375f, NB(add)(t, y)));
}

// For angle >= 0.
TC_INLINE void NB(sincos)(eight angle, eight *sine, eight *cosine) {
  static const float sine_coefficients[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
  static const float cosine_coefficients[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
  vi32 j[2];
  eight octant;
  for (int h = 0; h < 2; h++) {
    j[h] = (v_int(angle.v[h] * v_set_f32(1.27323954473516f)) + 1) & ~1;
    octant.v[h] = v_float(j[h]);
  }
  const TC_NB_TYPE y = NB(of)(octant);
  TC_NB_TYPE x = NB(fma_by)(y, -0.78515625f, NB(of)(angle));
  x = NB(fma_by)(y, -2.4187564849853515625e-4f, x);
  x = NB(fma_by)(y, -3.77489497744594108e-8f, x);
  const TC_NB_TYPE z = NB(mul)(x, x);
  TC_NB_TYPE c = NB(mul)(NB(polynomial)(z, cosine_coefficients, 3), z);
  c = NB(fma)(c, z, NB(mul_by)(z, -0.5f));
  c = NB(add)(c, NB(of)(splat(1)));
  TC_NB_TYPE s = NB(mul)(NB(polynomial)(z, sine_coefficients, 3), z);
  s = NB(fma)(s, x, x);
  const eight cn = NB(to)(c), sn = NB(to)(s);
  for (int h = 0; h < 2; h++) {
    const vi32 straight = (j[h] & 2) == v_set_i32(0);
    sine->v[h] = (vf32)((vi32)v_select(straight, sn.v[h], cn.v[h]) ^ ((j[h] & 4) << 29));
    cosine->v[h] = (vf32)((vi32)v_select(straight, cn.v[h], sn.v[h]) ^ ((~(j[h] - 2) & 4) << 29));
  }
}

// d[i] and d[i + 8] make a pair.
static void NB(fill_16)(float *d, float mean, float std) {
  eight angle, radius, sine, cosine;
  for (int h = 0; h < 2; h++) {
    radius.v[h] = v_set_f32(1) - v_load(d + 4 * h);
    angle.v[h] = v_set_f32((float)TWO_PI) * v_load(d + 8 + 4 * h);
  }
  NB(sincos)(angle, &sine, &cosine);
  radius = NB(log)(radius);
  for (int h = 0; h < 2; h++) {
    const vf32 r = v_sqrt(v_set_f32(-2) * radius.v[h]);
    cosine.v[h] = r * cosine.v[h];
    sine.v[h] = r * sine.v[h];
  }
  const TC_NB_TYPE deviation = NB(of)(splat(std));
  cosine = NB(to)(NB(fma_plus)(NB(of)(cosine), deviation, mean));
  sine = NB(to)(NB(fma_plus)(NB(of)(sine), deviation, mean));
  for (int h = 0; h < 2; h++) {
    v_store(d + 4 * h, cosine.v[h]);
    v_store(d + 8 + 4 * h, sine.v[h]);
  }
}

#undef NB
#undef TC_NB_TYPE
#undef TC_NB_NAME
