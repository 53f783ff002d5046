#!/usr/bin/env bash
# Everything about CUDA that needs a GPU, in one go: correctness, faults, then times against PyTorch on the same card.
#
#   scripts/check_cuda_gpu.sh [FOLDER for the results]
#
# Wants: an NVIDIA driver; nvcc 13 or a library that TSTORCH_CUDA_LIB names; Deno in node_modules. With Node, koffi,
# compute-sanitizer, python3 with torch for CUDA, or recorded operators in ../shared, it does more. A part that
# cannot be done says so; a part that fails makes the script fail at the end.
set -u
cd "$(dirname "$0")/.."
out=${1:-build/cuda/check}
mkdir -p "$out"
deno=node_modules/.bin/deno
failed=0

part() { printf '\n== %s\n' "$1"; }
check() {  # name, command...
  local name=$1
  shift
  if "$@" >"$out/$name.txt" 2>&1 && ! grep -q '"error":"' "$out/$name.txt"; then
    echo "ok      $name"
  else
    echo "FAILED  $name (see $out/$name.txt)"
    failed=1
  fi
}

part "machine"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || { echo "no NVIDIA driver"; exit 1; }
if [ -z "${TSTORCH_CUDA_LIB:-}" ]; then
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  check build "$deno" run -A scripts/build_cuda.ts cuda "--dev=$arch"
  export TSTORCH_CUDA_LIB="$PWD/build/cuda/libtstorch_cuda.so"
fi

part "correctness"
operators=../shared/conformance/ops
[ -d "$operators" ] || operators=
check device "$deno" run -A test/ffi/run_device.ts
check operators "$deno" run -A test/ffi/run_conformance.ts $operators
if [ -f build/cuda/libtstorch_core.so ] || "$deno" run -A scripts/build_cuda.ts core >"$out/core.txt" 2>&1; then
  check kernels "$deno" run -A test/ffi/run_suite.ts "$TSTORCH_CUDA_LIB" "$PWD/build/cuda/libtstorch_core.so"
else
  echo "skipped kernels: the core could not be built as a library (clang-19)"
fi
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck; do
    check "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 "$deno" run -A test/ffi/run_device.ts
  done
else
  echo "skipped compute-sanitizer: not installed"
fi

part "times: milliseconds, the median of many (tstorch / PyTorch)"
"$deno" run -A bench/cuda_check.ts | tee "$out/tstorch.json" >/dev/null || failed=1
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  python3 bench/cuda_check.py >"$out/pytorch.json" || failed=1
  "$deno" run -A bench/cuda_check.ts --table "$out/tstorch.json" "$out/pytorch.json" | tee "$out/table.md"
else
  echo "PyTorch for CUDA is not installed: times of tstorch alone"
  "$deno" run -A bench/cuda_check.ts --table "$out/tstorch.json" | tee "$out/table.md"
fi
exit $failed
