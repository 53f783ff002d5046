#!/usr/bin/env bash
# Builds the core natively and runs every core/test/test_*.c under the sanitizers.
#
#   scripts/test_native.sh                  all tests: address + undefined behaviour, then threads
#   scripts/test_native.sh asan matmul      one sanitizer, the tests whose name contains a word
#
# CC: a clang (the vector code uses its extensions); default clang-19 or clang.
set -euo pipefail
cd "$(dirname "$0")/.."

modes=(asan tsan)
filter=""
for arg in "$@"; do
  case "$arg" in
    asan | tsan) modes=("$arg") ;;
    *) filter="$arg" ;;
  esac
done

cc="${CC:-$(command -v clang-19 || command -v clang || true)}"
if [[ -z "$cc" ]]; then
  echo "test_native.sh: no clang was found (Debian: apt install clang-19)" >&2
  exit 2
fi
common=(-std=gnu11 -O1 -g -march=native -ffp-contract=off -fno-math-errno -fno-omit-frame-pointer -Wall -Wextra -pthread)
declare -A sanitize=(
  [asan]="-fsanitize=address,undefined -fno-sanitize-recover=all"
  [tsan]="-fsanitize=thread"
)
export TSTORCH_NUM_THREADS=4
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}" # a test's memory lives as long as the test
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="halt_on_error=1:${TSAN_OPTIONS:-}"

# compile MODE SOURCE: prints the object's path. Objects are named after their input's hash, so nothing is stale and
# several runs may share the folder.
compile() {
  local mode="$1" source="$2" stem key object
  stem="$(basename "$source" .c)"
  key="$(cat <(echo "$cc ${common[*]} ${sanitize[$mode]}") "$source" core/*.h core/*.def core/include/*.h core/test/*.h |
    sha256sum | cut -c1-24)"
  object="build/native/$mode/$stem-$key.o"
  if [[ ! -f "$object" ]]; then
    # shellcheck disable=SC2086
    nice "$cc" "${common[@]}" ${sanitize[$mode]} -c "$source" -o "$object.$$.tmp"
    mv "$object.$$.tmp" "$object"
  fi
  echo "$object"
}

failed=()
passed=0
for mode in "${modes[@]}"; do
  mkdir -p "build/native/$mode"
  objects=()
  pids=()
  list="$(mktemp -d)"
  for source in core/*.c; do
    while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
    compile "$mode" "$source" >"$list/$(basename "$source")" &
    pids+=("$!:$source")
  done
  for entry in "${pids[@]}"; do
    source="${entry#*:}"
    if wait "${entry%%:*}"; then
      objects+=("$(<"$list/$(basename "$source")")")
    else
      failed+=("$mode: $source does not compile")
    fi
  done
  rm -rf "$list"
  # An archive, so that a test links only what it calls, and a broken file fails only the tests that need it.
  archive="build/native/$mode/core.$$.a"
  ar rcs "$archive" "${objects[@]}"
  for test in core/test/test_*.c; do
    name="$(basename "$test" .c)"
    [[ "$name" == *"$filter"* ]] || continue
    program="build/native/$mode/$name.$$"
    if ! object="$(compile "$mode" "$test")"; then
      failed+=("$mode: $name does not compile")
      continue
    fi
    # shellcheck disable=SC2086
    if ! "$cc" ${sanitize[$mode]} -pthread "$object" "$archive" -lm -o "$program"; then
      failed+=("$mode: $name does not link")
      continue
    fi
    start=$SECONDS
    if output="$(nice timeout 600 "$program" 2>&1)"; then
      printf '%s %-28s %s, %d s\n' "$mode" "$name" "$output" $((SECONDS - start))
      passed=$((passed + 1))
    else
      printf '%s %-28s FAILED\n%s\n' "$mode" "$name" "$output"
      failed+=("$mode: $name")
    fi
    rm -f "$program"
  done
  rm -f "$archive"
done

echo
if ((${#failed[@]} > 0)); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
if ((passed == 0)); then
  echo "no test was run"
  exit 1
fi
echo "$passed programs passed"
