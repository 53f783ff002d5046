// Pairs of sums over the elements of a channel, (batch, channels, spatial), that are taken apart among blocks and joined
// in a fixed order: statistics of normalisations, gradients of weights and biases.
#pragma once

#include "words.cuh"

namespace tc {

struct Pair { double a, b; };
struct PlusPairs {
  TC_FN Pair operator()(Pair x, Pair y) const { return {x.a + y.a, x.b + y.b}; }
};

struct Channels { int64_t batch, channels, spatial; };

// Into how many parts a channel's elements are dealt: enough to fill the device.
inline int64_t parts_of(const Channels &s, const Device *device) {
  const int64_t n = s.batch * s.spatial, tiles = s.spatial >= 32 ? s.channels : (s.channels + 31) / 32;
  const int64_t wanted = 4 * int64_t(device->multiprocessors) / (tiles < 1 ? 1 : tiles), most = n / 2048;
  const int64_t parts = wanted < most ? wanted : most;
  return parts < 1 ? 1 : parts > 256 ? 256 : parts;
}

// out[part * channels + c] = sum over the part's elements of term(element, c, image). Lanes are neighbouring channels
// where those lie close together, rows go along a channel. A float pair is emptied into doubles now and then.
template <class Term>
__global__ void __launch_bounds__(256) channel_sums_kernel(TC_ARG(Channels) s, TC_ARG(Term) term, Pair *out) {
  using C = typename Term::Compute;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Pair)];
  const int64_t n = s.batch * s.spatial, parts = gridDim.y, part = blockIdx.y;
  const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < s.channels; first += int64_t(gridDim.x) * blockDim.x) {
    const int64_t c = first + threadIdx.x;
    Pair sum = {0, 0};
    if (c < s.channels) {
      C a = 0, b = 0;
      int kept = 0;
      for (int64_t j = begin + threadIdx.y; j < end; j += blockDim.y) {
        const int64_t image = j / s.spatial;
        term((image * s.channels + c) * s.spatial + j % s.spatial, c, image, &a, &b);
        if (++kept == 32) {
          sum = {sum.a + double(a), sum.b + double(b)};
          a = b = 0;
          kept = 0;
        }
      }
      sum = {sum.a + double(a), sum.b + double(b)};
    }
    sum = reduce_rows(reinterpret_cast<Pair *>(memory), sum, PlusPairs());
    if (c < s.channels && threadIdx.y == 0) out[part * s.channels + c] = sum;
  }
}

TC_FN Pair join_parts(const Pair *sums, int64_t parts, int64_t channels, int64_t c) {
  Pair sum = sums[c];
  for (int64_t p = 1; p < parts; p++) sum = PlusPairs()(sum, sums[p * channels + c]);
  return sum;
}

template <class Term> void launch_channel_sums(const Frame &f, const Channels &s, const Term &term, Pair *out) {
  const unsigned lanes = s.spatial >= 32 ? 1 : 32, rows = s.spatial >= 32 ? power_of_two_from(s.batch * s.spatial, 256) : 8;
  const dim3 grid(f.blocks(s.channels, lanes), unsigned(parts_of(s, f.device)));
  TC_LAUNCH(channel_sums_kernel<Term>, grid, dim3(lanes, rows), 0, f.stream, s, term, out);
}

}  // namespace tc
