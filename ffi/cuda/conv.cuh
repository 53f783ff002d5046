// The three products of conv.cu: where a row, a column and a step of each sum lie in memory.
#pragma once

#include "activation.cuh"
#include "sums.cuh"

namespace tc {

// n as a number and three coordinates behind it, by multiplications where it is small enough.
struct Split {
  Divider by_volume, by_area, by_width;
  int64_t volume, area, width;
  bool narrow;
  Split(const int64_t *size, int64_t most) {
    width = size[2] < 1 ? 1 : size[2];
    area = width * (size[1] < 1 ? 1 : size[1]);
    volume = area * (size[0] < 1 ? 1 : size[0]);
    narrow = most < int64_t(1) << 31 && volume < int64_t(1) << 31;
    by_volume.set(uint32_t(narrow ? volume : 1));
    by_area.set(uint32_t(narrow ? area : 1));
    by_width.set(uint32_t(narrow ? width : 1));
  }
  TC_FN int64_t apart(int64_t n, int64_t (&at)[3]) const {
    const int64_t first = narrow ? int64_t(by_volume.divide(uint32_t(n))) : n / volume;
    const int64_t rest = n - first * volume;
    at[0] = narrow ? int64_t(by_area.divide(uint32_t(rest))) : rest / area;
    const int64_t flat = rest - at[0] * area;
    at[1] = narrow ? int64_t(by_width.divide(uint32_t(flat))) : flat / width;
    at[2] = flat - at[1] * width;
    return first;
  }
};

// A column or a step: a number (an image or a channel) and three coordinates.
struct Spot {
  int64_t flat, number, at[3];
  bool inside;
};

TC_FN Spot spot_of(const Split &split, int64_t i, int64_t end) {
  Spot s;
  s.flat = i;
  s.inside = i < end;
  s.number = split.apart(s.inside ? i : 0, s.at);
  return s;
}

template <class T> struct ConvBase {
  const T *x, *weight, *y, *bias;
  T *to;
  int64_t in_channels, out_channels, taps;  // channels of one group
  int64_t groups, in_volume, out_volume;
  int64_t in[3], out[3], stride[3], padding[3], dilation[3];
  int act;
  explicit ConvBase(const tc_conv_args *a)
      : x(TC_PTR(const T, a->x)), weight(TC_PTR(const T, a->weight)), y(TC_PTR(const T, a->y)),
        bias(TC_PTR(const T, a->bias)), to(nullptr), in_channels(a->in_channels / a->groups),
        out_channels(a->out_channels / a->groups), taps(volume(a->kernel)), groups(a->groups),
        in_volume(volume(a->in_size)), out_volume(volume(a->out_size)), act(int(a->act)) {
    for (int d = 0; d < 3; d++) {
      in[d] = a->in_size[d];
      out[d] = a->out_size[d];
      stride[d] = a->stride[d];
      padding[d] = a->padding[d];
      dilation[d] = a->dilation[d];
    }
  }
  // x at the place that tap `tap` of the window of output `place` covers; 0 outside.
  template <class Acc>
  TC_FN Acc window(int64_t group, int64_t image, int64_t channel, const int64_t *place, const int64_t *tap) const {
    int64_t at[3];
    for (int d = 0; d < 3; d++) {
      at[d] = place[d] * stride[d] - padding[d] + tap[d] * dilation[d];
      if (uint64_t(at[d]) >= uint64_t(in[d])) return Acc(0);
    }
    const int64_t plane = (image * groups + group) * in_channels + channel;
    return convert<Acc>(x[plane * in_volume + (at[0] * in[1] + at[1]) * in[2] + at[2]]);
  }
  // A finished sum, to a tensor of `channels` channels a group and `size` places.
  template <class Acc>
  TC_FN void put(int64_t group, int64_t channels, int64_t channel, int64_t col, int64_t size, Acc sum) const {
    if (bias) sum += convert<Acc>(bias[group * channels + channel]);
    const int64_t image = col / size;
    to[((image * groups + group) * channels + channel) * size + (col - image * size)] = convert<T>(activate(sum, act));
  }
};

template <class T> struct Forward : ConvBase<T> {
  using Column = Spot;
  using Step = Spot;
  static constexpr bool kAlongK = false;
  Split places, windows;
  explicit Forward(const tc_conv_args *a)
      : ConvBase<T>(a), places(a->out_size, a->batch * this->out_volume),
        windows(a->kernel, this->in_channels * this->taps) {
    this->to = TC_PTR(T, a->y);
  }
  TC_FN Spot column(int64_t n, int64_t end) const { return spot_of(places, n, end); }
  TC_FN Spot step(int64_t k, int64_t end) const { return spot_of(windows, k, end); }
  TC_FN T a(int64_t group, int64_t row, const Spot &k) const {
    return this->weight[(group * this->out_channels + row) * this->in_channels * this->taps + k.flat];
  }
  template <class Acc> TC_FN Acc b(int64_t group, const Spot &k, const Spot &column) const {
    if (!k.inside || !column.inside) return Acc(0);
    return this->template window<Acc>(group, column.number, k.number, column.at, k.at);
  }
  template <class Acc> TC_FN void store(int64_t group, int64_t row, int64_t col, Acc sum) const {
    this->put(group, this->out_channels, row, col, this->out_volume, sum);
  }
};

template <class T> struct InputGradient : ConvBase<T> {
  using Column = Spot;
  using Step = Spot;
  static constexpr bool kAlongK = false;
  Split places, windows;
  explicit InputGradient(const tc_conv_args *a)
      : ConvBase<T>(a), places(a->in_size, a->batch * this->in_volume),
        windows(a->kernel, this->out_channels * this->taps) {
    this->to = TC_PTR(T, a->x);
  }
  TC_FN Spot column(int64_t n, int64_t end) const { return spot_of(places, n, end); }
  TC_FN Spot step(int64_t k, int64_t end) const { return spot_of(windows, k, end); }
  TC_FN T a(int64_t group, int64_t row, const Spot &k) const {
    const int64_t from = (group * this->out_channels + k.number) * this->in_channels + row;
    return this->weight[from * this->taps + k.flat - k.number * this->taps];
  }
  // y where its window's tap lies on this input; 0 where there is none.
  template <class Acc> TC_FN Acc b(int64_t group, const Spot &k, const Spot &column) const {
    if (!k.inside || !column.inside) return Acc(0);
    int64_t at[3];
    for (int d = 0; d < 3; d++) {
      const int64_t from = column.at[d] + this->padding[d] - k.at[d] * this->dilation[d];
      at[d] = this->stride[d] == 1 ? from : int64_t(int(from) / int(this->stride[d]));
      if (from < 0 || at[d] * this->stride[d] != from || at[d] >= this->out[d]) return Acc(0);
    }
    const int64_t plane = (column.number * this->groups + group) * this->out_channels + k.number;
    return convert<Acc>(this->y[plane * this->out_volume + (at[0] * this->out[1] + at[1]) * this->out[2] + at[2]]);
  }
  template <class Acc> TC_FN void store(int64_t group, int64_t row, int64_t col, Acc sum) const {
    this->put(group, this->in_channels, row, col, this->in_volume, sum);
  }
};

template <class T> struct WeightGradient : ConvBase<T> {
  using Column = Spot;
  using Step = Spot;
  static constexpr bool kAlongK = true;
  Split places, windows;
  explicit WeightGradient(const tc_conv_args *a)
      : ConvBase<T>(a), places(a->out_size, a->batch * this->out_volume),
        windows(a->kernel, this->in_channels * this->taps) {
    this->to = TC_PTR(T, a->weight);
  }
  TC_FN Spot column(int64_t n, int64_t end) const { return spot_of(windows, n, end); }
  TC_FN Spot step(int64_t k, int64_t end) const { return spot_of(places, k, end); }
  TC_FN T a(int64_t group, int64_t row, const Spot &k) const {
    const int64_t plane = (k.number * this->groups + group) * this->out_channels + row;
    return this->y[plane * this->out_volume + k.flat - k.number * this->out_volume];
  }
  template <class Acc> TC_FN Acc b(int64_t group, const Spot &k, const Spot &column) const {
    if (!k.inside || !column.inside) return Acc(0);
    return this->template window<Acc>(group, k.number, column.number, k.at, column.at);
  }
  template <class Acc> TC_FN void store(int64_t group, int64_t row, int64_t col, Acc sum) const {
    const int64_t columns = this->in_channels * this->taps;
    this->to[(group * this->out_channels + row) * columns + col] = convert<T>(sum);
  }
};

}  // namespace tc
