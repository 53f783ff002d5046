// The activations that matrix products and convolutions apply last (tc_activation).
#pragma once

#include "words.cuh"

namespace tc {

// Integers have no activations.
template <class Acc> TC_FN Acc activate(Acc v, [[maybe_unused]] int act) {
  if constexpr (std::is_floating_point_v<Acc>) {
    if (act == TC_ACT_RELU) return v_max(v, Acc(0));
    if (act == TC_ACT_SIGMOID) return v_sigmoid(v);
    if (act == TC_ACT_TANH) return v_tanh(v);
  }
  return v;
}

}  // namespace tc
