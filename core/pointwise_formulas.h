// Formulas of pointwise.def that need more than an expression. Included once for each float type, with
// T (the vector type) and K(c) (a constant) defined; CUDA includes it the same way with scalars.
// No include guard: this is a template.

// torch/aten Lerp.h: the form that is exact at the nearer end.
TC_WORD T f_lerp(T start, T end, T weight) {
  T span = end - start;
  return v_select(weight < K(0.5), start + weight * span, end - span * (K(1) - weight));
}

TC_WORD T f_nan_to_num(T x, T nan, T posinf, T neginf) {
  T finite = v_select(x == K(INFINITY), posinf, v_select(x == K(-INFINITY), neginf, x));
  return v_select(v_isnan(x), nan, finite);
}

// log(1 + e^x) without overflow.
TC_WORD T f_log1pexp(T x) { return v_max(x, K(0)) + v_log1p(v_exp(-v_abs(x))); }

TC_WORD T f_logaddexp(T x, T y) {
  T sum = v_maximum(x, y) + v_log1p(v_exp(-v_abs(x - y)));
  return v_select((x == y) & (v_abs(x) == K(INFINITY)), x, sum);
}

TC_WORD T f_logaddexp2(T x, T y) {
  T sum = v_maximum(x, y) + v_log1p(v_exp2(-v_abs(x - y))) * K(1.4426950408889634);
  return v_select((x == y) & (v_abs(x) == K(INFINITY)), x, sum);
}

TC_WORD T f_xlogy(T x, T y) { return v_select((x == K(0)) & v_not(v_isnan(y)), K(0), x * v_log(y)); }
TC_WORD T f_xlog1py(T x, T y) { return v_select((x == K(0)) & v_not(v_isnan(y)), K(0), x * v_log1p(y)); }

TC_WORD T f_entr(T x) {
  T inside = v_select(x == K(0), K(0), -x * v_log(x));
  return v_select(x < K(0), K(-INFINITY), inside);
}

TC_WORD T f_logit(T x, T eps) {
  T inside = v_min(v_max(x, eps), K(1) - eps);
  T z = v_select(eps < K(0), x, inside);
  return v_log(z / (K(1) - z));
}

TC_WORD T f_logit_backward(T grad, T x, T eps) {
  T slope = grad / (x * (K(1) - x));
  T free = v_select((x < K(0)) | (x > K(1)), K(NAN), slope);
  T clamped = v_select((x < eps) | (x > K(1) - eps), K(0), slope);
  return v_select(eps < K(0), free, clamped);
}

TC_WORD T f_sinc(T x) {
  T angle = x * K(3.14159265358979323846);
  return v_select(x == K(0), K(1), v_sin(angle) / angle);
}

TC_WORD T f_elu(T x, T alpha, T scale, T input_scale) {
  T negative = v_expm1(x * input_scale) * (alpha * scale);
  return v_select(x <= K(0), negative, x * scale);
}

TC_WORD T f_elu_backward(T grad, T x, T alpha, T scale, T input_scale) {
  T negative = grad * input_scale * (alpha * scale) * v_exp(x * input_scale);
  return v_select(x <= K(0), negative, grad * scale);
}

TC_WORD T f_elu_backward_result(T grad, T result, T alpha, T scale, T input_scale) {
  T negative = grad * input_scale * (result + alpha * scale);
  return v_select(result <= K(0), negative, grad * scale);
}

TC_WORD T f_gelu(T x) { return x * v_gauss_cdf(x, v_gauss(x)); }

// cdf(x) + x * pdf(x)
TC_WORD T f_gelu_backward(T grad, T x) {
  T e = v_gauss(x);
  return grad * v_fma(x * K(0.39894228040143267794), e, v_gauss_cdf(x, e));
}

// 0.5 x (1 + tanh(z)) = x sigmoid(2 z), z = sqrt(2 / pi) (x + 0.044715 x^3)
TC_WORD T f_gelu_tanh(T x) {
  return x * v_sigmoid(K(1.5957691216057308) * v_fma(x * x * x, K(0.044715), x));
}

TC_WORD T f_gelu_tanh_backward(T grad, T x) {
  T square = x * x;
  T s = v_sigmoid(K(1.5957691216057308) * v_fma(x * square, K(0.044715), x));
  T slope = K(1.5957691216057308) * v_fma(square, K(3 * 0.044715), K(1));
  return grad * v_fma(x * s * (K(1) - s), slope, s);
}

TC_WORD T f_silu_backward(T grad, T x) {
  T s = v_sigmoid(x);
  return grad * s * (K(1) + x * (K(1) - s));
}

// tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2); 1 to the last digit from x = 20 on.
TC_WORD T f_mish(T x) {
  T e = v_exp(v_min(x, K(20))), n = e * (e + K(2));
  return x * (n / (n + K(2)));
}

TC_WORD T f_mish_backward(T grad, T x) {
  T e = v_exp(v_min(x, K(20))), n = e * (e + K(2)), below = n + K(2);
  const T slope = v_select(x > K(20), K(0), K(4) * e * (K(1) + e) / (below * below));
  return grad * (n / below + x * slope);
}

TC_WORD T f_softplus(T x, T beta, T threshold) {
  T scaled = x * beta;
  return v_select(scaled > threshold, x, v_log1p(v_exp(scaled)) / beta);
}

TC_WORD T f_softplus_backward(T grad, T x, T beta, T threshold) {
  T scaled = x * beta;
  return v_select(scaled > threshold, grad, grad * v_sigmoid(scaled));
}

TC_WORD T f_hardswish_backward(T grad, T x) {
  T middle = grad * (x / K(3) + K(0.5));
  return v_select(x < K(-3), K(0), v_select(x <= K(3), middle, grad));
}

TC_WORD T f_softshrink(T x, T lambda) {
  return v_select(x > lambda, x - lambda, v_select(x < -lambda, x + lambda, K(0)));
}

TC_WORD T f_l1_backward(T grad, T difference) {
  return v_select(difference > K(0), grad, v_select(difference < K(0), -grad, K(0) * grad));
}

TC_WORD T f_smooth_l1(T z, T beta) {
  return v_select(z < beta, K(0.5) * z * z / beta, z - K(0.5) * beta);
}

TC_WORD T f_smooth_l1_backward(T grad, T difference, T beta) {
  T inside = difference / beta * grad;
  return v_select(difference <= -beta, -grad, v_select(difference >= beta, grad, inside));
}

TC_WORD T f_huber(T z, T delta) {
  return v_select(z <= delta, K(0.5) * z * z, delta * (z - K(0.5) * delta));
}

TC_WORD T f_huber_backward(T grad, T difference, T delta) {
  return v_select(difference <= -delta, -grad * delta,
                  v_select(difference >= delta, grad * delta, difference * grad));
}

// Logarithms are held at -100, as in PyTorch, so that 0 * log(0) is 0.
TC_WORD T f_bce(T x, T target) {
  T log_x = v_maximum(v_log(x), K(-100)), log_rest = v_maximum(v_log1p(-x), K(-100));
  return (target - K(1)) * log_rest - target * log_x;
}

TC_WORD T f_bce_with_logits(T x, T target) { return f_log1pexp(x) - x * target; }

TC_WORD T f_bce_with_logits_weighted(T x, T target, T pos_weight) {
  T log_weight = K(1) + (pos_weight - K(1)) * target;
  return (K(1) - target) * x + log_weight * f_log1pexp(-x);
}

TC_WORD T f_bce_with_logits_weighted_slope(T x, T target, T pos_weight) {
  T t = pos_weight * target;
  return (t + K(1) - target) * v_sigmoid(x) - t;
}
