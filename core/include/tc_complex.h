// Complex numbers where parts cannot be treated one by one, and Fourier transforms.
#ifndef TC_COMPLEX_H
#define TC_COMPLEX_H

// The right operand of a complex matrix product as a real matrix: with w = alpha * b[j][l],
//   out[2j][2l] = re w, out[2j][2l + 1] = im w, out[2j + 1][2l] = -im w, out[2j + 1][2l + 1] = re w.
// A row-major complex (m, k) matrix is in memory a real (m, 2k) one; times `out` (2k, 2n) that is the product's memory.
typedef struct {
  int64_t dtype;  // complex
  int64_t batch, k, n;
  uint64_t in, out;  // out: row-major
  int64_t in_bs, in_rs, in_cs;
  double alpha_re, alpha_im;
} tc_complex_expand_args;

TC_EXPORT(tc_complex_expand) int32_t tc_complex_expand(const tc_complex_expand_args *a);

// Products of n complex numbers, one for each of outer x inner lines of a row-major (outer, n, inner) tensor; with
// `cumulative` every product on the way, (outer, n, inner) of them.
typedef struct {
  int64_t dtype;
  int64_t cumulative;
  uint64_t in, out;
  int64_t outer, n, inner;
} tc_complex_prod_args;

TC_EXPORT(tc_complex_prod) int32_t tc_complex_prod(const tc_complex_prod_args *a);

typedef enum {
  TC_FFT_C2C = 0,  // complex to complex
  TC_FFT_R2C = 1,  // real to the first n / 2 + 1 of its coefficients
  TC_FFT_C2R = 2,  // the first n / 2 + 1 coefficients to the real signal whose others are their conjugates
} tc_fft_kind;

// What transforms of length n need to know, computed once in double: factors, roots of unity, for lengths with a large
// prime factor the chirp of Bluestein's algorithm. Addresses in it are relative: the caller keeps it wherever it likes.
// With out 0 nothing is written, and tc_error_info[0] is the number of bytes that a plan takes.
typedef struct {
  uint64_t scratch;
  int64_t dtype;  // of the parts: TC_F32 or TC_F64
  int64_t n;
  int64_t real;   // 1: for r2c and c2r
  uint64_t out;
} tc_fft_plan_args;

TC_EXPORT(tc_fft_plan) int32_t tc_fft_plan(const tc_fft_plan_args *a);
TC_EXPORT(tc_fft_plan_scratch) int64_t tc_fft_plan_scratch(const tc_fft_plan_args *a);

// Transforms of length n along one dimension, one for each place of a batch space of any strides (innermost dimension
// first). n is the length of the real or complex signal; strides count elements of the operand's own dtype.
typedef struct {
  uint64_t scratch;
  int64_t dtype;    // of the parts: TC_F32 or TC_F64
  int64_t kind;     // tc_fft_kind
  int64_t inverse;  // 1: exp(+2 pi i j k / n)
  int64_t n;
  uint64_t plan;    // of tc_fft_plan
  double scale;
  uint64_t in, out;
  int64_t in_stride, out_stride;  // along the transformed dimension
  int64_t ndim;
  int64_t shape[TC_MAX_DIMS];
  int64_t stride[TC_MAX_DIMS][2];  // [dimension][out, in]
} tc_fft_args;

TC_EXPORT(tc_fft) int32_t tc_fft(const tc_fft_args *a);
TC_EXPORT(tc_fft_scratch) int64_t tc_fft_scratch(const tc_fft_args *a);

#endif
