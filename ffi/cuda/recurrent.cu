// tc_lstm_cell and its backward: a thread takes one element of the state.
#include "words.cuh"

namespace tc {
namespace {

template <class R> __global__ void forward_kernel(TC_ARG(tc_lstm_cell_args) a) {
  const int64_t n = a.hidden;
  for (int64_t e = thread_index(); e < a.rows * n; e += thread_count()) {
    R *const x = TC_PTR(R, a.gates) + e / n * 4 * n + e % n;
    const R i = v_sigmoid(x[0]), f = v_sigmoid(x[n]), g = v_tanh(x[2 * n]), o = v_sigmoid(x[3 * n]);
    const R c = f * TC_PTR(const R, a.c_prev)[e] + i * g;
    x[0] = i;
    x[n] = f;
    x[2 * n] = g;
    x[3 * n] = o;
    TC_PTR(R, a.c)[e] = c;
    TC_PTR(R, a.h)[e] = o * v_tanh(c);
  }
}

template <class R> __global__ void backward_kernel(TC_ARG(tc_lstm_cell_args) a) {
  const int64_t n = a.hidden;
  for (int64_t e = thread_index(); e < a.rows * n; e += thread_count()) {
    const int64_t at = e / n * 4 * n + e % n;
    const R *const x = TC_PTR(const R, a.gates) + at;
    const R i = x[0], f = x[n], g = x[2 * n], o = x[3 * n], t = v_tanh(TC_PTR(const R, a.c)[e]);
    const R dh = TC_PTR(const R, a.dh)[e];
    R dc = TC_PTR(R, a.dc)[e];
    if (a.dc_more) dc += TC_PTR(const R, a.dc_more)[e];
    dc += dh * o * (R(1) - t * t);
    R *const dx = TC_PTR(R, a.dgates) + at;
    dx[0] = dc * g * i * (R(1) - i);
    dx[n] = dc * TC_PTR(const R, a.c_prev)[e] * f * (R(1) - f);
    dx[2 * n] = dc * i * (R(1) - g * g);
    dx[3 * n] = dh * t * o * (R(1) - o);
    TC_PTR(R, a.dc)[e] = dc * f;
  }
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_lstm_cell) int32_t tc_lstm_cell(const tc_lstm_cell_args *a) {
  const Frame f(TC_KERNEL_lstm_cell);
  const int64_t size = a->rows * a->hidden;
  if (f.status != TC_OK || size == 0) return f.status;
  if (a->dtype == TC_F32) TC_LAUNCH(forward_kernel<float>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else if (a->dtype == TC_F64) TC_LAUNCH(forward_kernel<double>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}

TC_EXPORT(tc_lstm_cell_backward) int32_t tc_lstm_cell_backward(const tc_lstm_cell_args *a) {
  const Frame f(TC_KERNEL_lstm_cell_backward);
  const int64_t size = a->rows * a->hidden;
  if (f.status != TC_OK || size == 0) return f.status;
  if (a->dtype == TC_F32) TC_LAUNCH(backward_kernel<float>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else if (a->dtype == TC_F64) TC_LAUNCH(backward_kernel<double>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}
