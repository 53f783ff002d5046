// The float32 tile kernel for engines that check the bounds of every memory access in code (TC_OPTION_CHECKED_MEMORY).
//
// It is the kernel of gemm_tile.h with four steps in one basic block: the branches that separate them there cost as
// much as a bounds check. Only written as instructions does the block keep its order of loads and products (see there);
// from C the four steps' products would be chained and their operands would not fit the registers. The order within a
// step is the best of some sixty that were measured: 83 % of what a loop of nothing but fused multiply-adds reaches on
// Deno 2.9 (V8 15, Cascade Lake), where the C kernel reaches 65 %.
#if defined(__wasm_relaxed_simd__)

#define LOCALS "v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128"
// Parameters 0: k, 1: rows, 2: row_step, 3: cols, 4: col_step (steps in bytes), 5: raw. Locals 6..13: sums, 14, 15: columns, 16: rows.
#define FMA(cols, sum)        \
  "local.get " #cols "\n"     \
  "local.get 16\n"            \
  "local.get " #sum "\n"      \
  "f32x4.relaxed_madd\n"      \
  "local.set " #sum "\n"
#define LOAD(pointer, offset, to)            \
  "local.get " #pointer "\n"                 \
  "v128.load " #offset ":p2align=2\n"        \
  "local.set " #to "\n"
#define ROTATE                                                                       \
  "local.get 16\n"                                                                   \
  "local.get 16\n"                                                                   \
  "i8x16.shuffle 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3\n"             \
  "local.set 16\n"
#define ADVANCE(pointer, step) \
  "local.get " #pointer "\n"   \
  "local.get " #step "\n"      \
  "i32.add\n"                  \
  "local.set " #pointer "\n"
#define STEP                                        \
  LOAD(3, 16, 15) LOAD(1, 0, 16) FMA(15, 10)        \
  LOAD(3, 0, 14) FMA(14, 6)                         \
  ROTATE FMA(14, 7) FMA(15, 11)                     \
  ROTATE FMA(14, 8) FMA(15, 12)                     \
  ROTATE FMA(14, 9) FMA(15, 13)                     \
  ADVANCE(3, 4) ADVANCE(1, 2)
#define COUNT_DOWN(n) "local.get 0\ni32.const " #n "\ni32.sub\nlocal.tee 0\n"
#define STORE(sum, offset) "local.get 5\nlocal.get " #sum "\nv128.store " #offset ":p2align=4\n"

__asm__(
    ".text\n"
    ".section .text.tc_gemm_tile_f32_checked,\"\",@\n"
    ".hidden tc_gemm_tile_f32_checked\n"
    ".globl tc_gemm_tile_f32_checked\n"
    ".type tc_gemm_tile_f32_checked,@function\n"
    "tc_gemm_tile_f32_checked:\n"
    ".functype tc_gemm_tile_f32_checked (i32, i32, i32, i32, i32, i32) -> ()\n"
    ".local " LOCALS "\n"
    // Steps beyond a multiple of four first.
    "block\n"
    "local.get 0\n"
    "i32.const 3\n"
    "i32.and\n"
    "i32.eqz\n"
    "br_if 0\n"
    "loop\n"
    STEP
    COUNT_DOWN(1)
    "i32.const 3\n"
    "i32.and\n"
    "br_if 0\n"
    "end_loop\n"
    "end_block\n"
    "block\n"
    "local.get 0\n"
    "i32.eqz\n"
    "br_if 0\n"
    "loop\n"
    STEP STEP STEP STEP
    COUNT_DOWN(4)
    "br_if 0\n"
    "end_loop\n"
    "end_block\n"
    STORE(6, 0) STORE(7, 16) STORE(8, 32) STORE(9, 48)
    STORE(10, 64) STORE(11, 80) STORE(12, 96) STORE(13, 112)
    "end_function\n");

#endif
