#include "conv_shape.h"

static ptrdiff_t max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

// Class `residue` of dimension d.
static tc_conv_axis make_axis(const tc_conv_shape *s, int d, ptrdiff_t residue) {
  if (!s->backward) {
    return (tc_conv_axis){s->dst_size[d], 0, 1, d == 2 ? 1 : s->stride[d], s->kernel[d]};
  }
  // Positions i with (i + padding) % stride == residue.
  const ptrdiff_t stride = s->stride[d];
  const ptrdiff_t first = ((residue - s->padding[d]) % stride + stride) % stride;
  tc_conv_axis axis = {first < s->dst_size[d] ? (s->dst_size[d] - first + stride - 1) / stride : 0, first, stride, 1, 0};
  for (ptrdiff_t t = 0; t < s->kernel[d]; t++) {
    axis.taps += (first + s->padding[d] - t * s->dilation[d]) % stride == 0;
  }
  return axis;
}

// Whether the class sees tap t, and where the class's first position finds it in prepared source.
static bool find_tap(const tc_conv_shape *s, int d, const tc_conv_axis *axis, ptrdiff_t t, ptrdiff_t *offset) {
  if (!s->backward) {
    const ptrdiff_t at = t * s->dilation[d];
    *offset = d == 2 ? at % s->residues * s->extent[2] + at / s->residues : at;
    return true;
  }
  const ptrdiff_t at = axis->first + s->padding[d] - t * s->dilation[d];
  *offset = at / s->stride[d] + s->before[d];
  return at % s->stride[d] == 0;
}

tc_conv_shape tc_conv_make_shape(const tc_conv_args *a, bool backward) {
  tc_conv_shape s = {.backward = backward, .batch = (ptrdiff_t)a->batch, .groups = (ptrdiff_t)a->groups, .residues = 1,
                     .taps = 1};
  const ptrdiff_t in = (ptrdiff_t)(a->in_channels / a->groups), out = (ptrdiff_t)(a->out_channels / a->groups);
  s.src_channels = backward ? out : in;
  s.dst_channels = backward ? in : out;
  bool pointwise = true;
  for (int d = 0; d < 3; d++) {
    s.src_size[d] = (ptrdiff_t)(backward ? a->out_size[d] : a->in_size[d]);
    s.dst_size[d] = (ptrdiff_t)(backward ? a->in_size[d] : a->out_size[d]);
    s.kernel[d] = (ptrdiff_t)a->kernel[d], s.stride[d] = (ptrdiff_t)a->stride[d];
    s.padding[d] = (ptrdiff_t)a->padding[d], s.dilation[d] = (ptrdiff_t)a->dilation[d];
    s.taps *= s.kernel[d];
    pointwise = pointwise && s.kernel[d] == 1 && s.stride[d] == 1 && s.padding[d] == 0 && s.src_size[d] == s.dst_size[d];
  }
  if (pointwise) {  // a matrix product: all positions are one row
    const ptrdiff_t all = s.src_size[0] * s.src_size[1] * s.src_size[2];
    s.src_size[0] = s.src_size[1] = s.dst_size[0] = s.dst_size[1] = 1;
    s.src_size[2] = s.dst_size[2] = all;
  }
  for (int d = 0; d < 3; d++) {
    s.classes[d] = backward ? s.stride[d] : 1;
    if (!backward) {
      s.before[d] = s.padding[d];
      const ptrdiff_t reach = (s.kernel[d] - 1) * s.dilation[d];
      if (d == 2 && s.stride[2] > 1) {
        s.residues = s.stride[2];
        s.extent[2] = s.dst_size[2] + reach / s.residues;
        s.copy = true;
      } else {
        s.extent[d] = (s.dst_size[d] - 1) * s.stride[d] + reach + 1;
      }
    } else {
      ptrdiff_t low = 0, high = 0;
      for (ptrdiff_t residue = 0; residue < s.classes[d]; residue++) {
        const tc_conv_axis axis = make_axis(&s, d, residue);
        if (axis.count == 0) continue;
        for (ptrdiff_t t = 0; t < s.kernel[d]; t++) {
          ptrdiff_t at;
          if (!find_tap(&s, d, &axis, t, &at)) continue;
          low = max(low, -at);
          high = max(high, at + axis.count);
        }
      }
      s.before[d] = low;
      s.extent[d] = low + high;
    }
    s.copy = s.copy || s.before[d] > 0 || s.extent[d] > s.src_size[d];
  }
  if (!s.copy) {
    for (int d = 0; d < 3; d++) s.extent[d] = s.src_size[d];
  }
  s.row = s.residues * s.extent[2];
  s.plane = s.extent[1] * s.row;
  s.channel = s.extent[0] * s.plane;
  s.weight_row = backward ? s.taps : s.src_channels * s.taps;
  s.weight_channel = backward ? s.dst_channels * s.taps : s.taps;
  s.weight_group = s.src_channels * s.dst_channels * s.taps;
  return s;
}

ptrdiff_t tc_conv_class_count(const tc_conv_shape *s) { return s->classes[0] * s->classes[1] * s->classes[2]; }

static void split_index(const tc_conv_shape *s, ptrdiff_t index, tc_conv_axis axes[3]) {
  for (int d = 2; d >= 0; d--) {
    axes[d] = make_axis(s, d, index % s->classes[d]);
    index /= s->classes[d];
  }
}

tc_conv_class tc_conv_make_class(const tc_conv_shape *s, ptrdiff_t index) {
  tc_conv_axis axes[3];
  split_index(s, index, axes);
  tc_conv_class c = {.positions = 1, .k = s->src_channels};
  ptrdiff_t stride = 1;
  for (int d = 2; d >= 0; d--) {
    c.grid[d] = axes[d].count;
    c.positions *= axes[d].count;
    c.k *= axes[d].taps;
    c.first += axes[d].first * stride;
    c.step[d] = axes[d].step * stride;
    c.taps[d] = axes[d].taps;
    c.source_step[d] = axes[d].source_step;
    stride *= s->dst_size[d];
  }
  return c;
}

ptrdiff_t tc_conv_table_size(const tc_conv_shape *s) {
  ptrdiff_t size = 0;
  for (ptrdiff_t i = 0; i < tc_conv_class_count(s); i++) {
    const tc_conv_class c = tc_conv_make_class(s, i);
    size += c.positions + 2 * c.k + c.taps[1];
  }
  return size;
}

ptrdiff_t tc_conv_fill_tables(const tc_conv_shape *s, ptrdiff_t index, tc_tap_order order, tc_conv_class *c,
                              int32_t *tables) {
  tc_conv_axis axes[3];
  split_index(s, index, axes);
  c->place = tables;
  c->offset = tables + c->positions;
  c->weight = c->offset + c->k;
  c->line = c->weight + c->k;
  int32_t *place = c->place;
  for (ptrdiff_t i = 0; i < c->grid[0]; i++) {
    for (ptrdiff_t j = 0; j < c->grid[1]; j++) {
      const ptrdiff_t row = i * axes[0].source_step * s->plane + j * axes[1].source_step * s->row;
      for (ptrdiff_t l = 0; l < c->grid[2]; l++) *place++ = (int32_t)(row + l);
    }
  }
  // Taps of the first channel in their order, each followed by its other channels or leaving room for them.
  const bool inside = order == TC_CHANNELS_INSIDE;
  const ptrdiff_t width = axes[2].taps, all = width * axes[1].taps * axes[0].taps;
  const ptrdiff_t next_channel = inside ? width : all;
  ptrdiff_t k = 0, lines = 0;
  for (ptrdiff_t t0 = 0; t0 < s->kernel[0]; t0++) {
    ptrdiff_t at[3];
    if (!find_tap(s, 0, &axes[0], t0, &at[0])) continue;
    lines = 0;
    for (ptrdiff_t t1 = 0; t1 < s->kernel[1]; t1++) {
      if (!find_tap(s, 1, &axes[1], t1, &at[1])) continue;
      c->line[lines++] = (int32_t)at[1];
      for (ptrdiff_t t2 = 0; t2 < s->kernel[2]; t2++) {
        if (!find_tap(s, 2, &axes[2], t2, &at[2])) continue;
        const ptrdiff_t offset = at[0] * s->plane + at[1] * s->row + at[2];
        const ptrdiff_t weight = (t0 * s->kernel[1] + t1) * s->kernel[2] + t2;
        for (ptrdiff_t channel = 0; channel < s->src_channels; channel++) {
          c->offset[k + channel * next_channel] = (int32_t)(channel * s->channel + offset);
          c->weight[k + channel * next_channel] = (int32_t)(channel * s->weight_channel + weight);
        }
        k++;
      }
      if (inside) k += width * (s->src_channels - 1);
    }
  }
  return c->positions + 2 * c->k + c->taps[1];
}
