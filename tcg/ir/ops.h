// tcg/ir/ops.h: every IR operation, once. Enum, info, printer, verifier, interpreter, constant folder and the
// dispatch of the back end come from these rows.
//
// Columns: name, result type, operand types, properties, meaning.
//   Types: T/t the instruction's own integer type (i32 or i64), W/w i32, X/x i64, F/f flags, V/v v128, N
//   nothing. Meaning of an integer op: a C++ expression over a, b, c, d (u64, zero-extended to the operand's
//   width), imm, aux and `bits` (32 or 64); the result is truncated to the result type. Flags operands and
//   results are Flags::word. Rows whose meaning is `system` touch guest state, memory or control; interp and
//   back ends implement them by hand.
#pragma once
#include <string_view>

#include "base/bits.h"
#include "tcg/ir/fp_ops.h"
#include "tcg/ir/type.h"
#include "tcg/ir/vector_ops.h"

namespace sluice::tcg::ir {

enum Property : u8 {
  Pure = 1,  // no effect but its result: may be folded, merged and removed
  Commutative = 2,
  ReadsState = 4,  // reads guest state that other ops may write
  WritesState = 8,
  Memory = 16,     // accesses guest memory; may leave the block with a fault
  SideExit = 32,   // may leave the block
  EndsBlock = 64,  // must be the last op of a block or stand before a Label, and only there
  TouchesFpsr =
      128,  // may set FPSR bits (and reads FPCR): two equal ones may be merged, an unused one must stay
};

// clang-format off
//     name             result operands properties              meaning
#define TCG_IR_INTEGER_OPS(OP)                                                                              \
  OP(Const,             'T', "",     Pure,                   imm)                                           \
  OP(Add,               'T', "tt",   Pure | Commutative,     a + b)                                         \
  OP(Sub,               'T', "tt",   Pure,                   a - b)                                         \
  OP(Adc,               'T', "ttf",  Pure,                   a + b + Flags{u32(c)}.c())                     \
  OP(Sbc,               'T', "ttf",  Pure,                   a + ~b + Flags{u32(c)}.c())                    \
  OP(Mul,               'T', "tt",   Pure | Commutative,     a * b)                                         \
  OP(MulHighSigned,     'X', "xx",   Pure | Commutative,     u64((i128(i64(a)) * i64(b)) >> 64))            \
  OP(MulHighUnsigned,   'X', "xx",   Pure | Commutative,     u64((u128(a) * b) >> 64))                      \
  OP(DivSigned,         'T', "tt",   Pure,                   divide_signed(a, b, bits))                     \
  OP(DivUnsigned,       'T', "tt",   Pure,                   b ? a / b : 0)                                 \
  OP(And,               'T', "tt",   Pure | Commutative,     a & b)                                         \
  OP(Or,                'T', "tt",   Pure | Commutative,     a | b)                                         \
  OP(Xor,               'T', "tt",   Pure | Commutative,     a ^ b)                                         \
  OP(AndNot,            'T', "tt",   Pure,                   a & ~b)                                        \
  OP(Not,               'T', "t",    Pure,                   ~a)                                            \
  OP(Neg,               'T', "t",    Pure,                   -a)                                            \
  OP(Shl,               'T', "tt",   Pure,                   a << (b & (bits - 1)))                         \
  OP(Shr,               'T', "tt",   Pure,                   a >> (b & (bits - 1)))                         \
  OP(Sar,               'T', "tt",   Pure,                   u64(i64(sign_extend(a, bits)) >> (b & (bits - 1)))) \
  OP(Ror,               'T', "tt",   Pure,                   rotate_right(a, unsigned(b), bits))            \
  OP(ExtractPair,       'T', "tt",   Pure,                   extract_pair(a, b, unsigned(imm), bits))       \
  OP(ExtractUnsigned,   'T', "t",    Pure,                   extract(a, unsigned(imm & 63), unsigned(imm >> 8)))              \
  OP(ExtractSigned,     'T', "t",    Pure,                   sign_extend(extract(a, unsigned(imm & 63), unsigned(imm >> 8)), unsigned(imm >> 8))) \
  OP(Deposit,           'T', "tt",   Pure,                   deposit(a, unsigned(imm & 63), unsigned(imm >> 8), b))           \
  OP(CountLeadingZeros, 'T', "t",    Pure,                   a ? u64(std::countl_zero(a)) - (64 - bits) : bits) \
  OP(CountTrailingZeros,'T', "t",    Pure,                   a ? u64(std::countr_zero(a)) : bits)           \
  OP(ReverseBits,       'T', "t",    Pure,                   reverse_bits(a, bits))                         \
  OP(ReverseBytes,      'T', "t",    Pure,                   reverse_bytes(a, bits, unsigned(imm)))         \
  OP(SignExtend8,       'T', "t",    Pure,                   sign_extend(a, 8))                             \
  OP(SignExtend16,      'T', "t",    Pure,                   sign_extend(a, 16))                            \
  OP(SignExtend32,      'X', "w",    Pure,                   sign_extend(a, 32))                            \
  OP(ZeroExtend32,      'X', "w",    Pure,                   a)                                             \
  OP(Truncate,          'W', "x",    Pure,                   a)                                             \
  OP(Select,            'T', "ttf",  Pure,                   condition_holds(Flags{u32(c)}, aux) ? a : b)   \
  OP(SelectNonZero,     'T', "ttx",  Pure,                   c ? a : b)                                     \
  OP(EqualZero,         'W', "t",    Pure,                   a == 0)                                        \
  OP(LessUnsigned,      'W', "tt",   Pure,                   a < b)                                         \
  OP(Condition,         'W', "f",    Pure,                   condition_holds(Flags{u32(a)}, aux))           \
  OP(Crc32,             'W', "wx",   Pure,                   crc32_step(u32(a), b, aux, false))             \
  OP(Crc32C,            'W', "wx",   Pure,                   crc32_step(u32(a), b, aux, true))              \
  OP(FlagsAdd,          'F', "tt",   Pure | Commutative,     add_with_carry(a, b, false, bits).flags.word)  \
  OP(FlagsAdc,          'F', "ttf",  Pure,                   add_with_carry(a, b, Flags{u32(c)}.c(), bits).flags.word)  \
  OP(FlagsSub,          'F', "tt",   Pure,                   add_with_carry(a, ~b, true, bits).flags.word)  \
  OP(FlagsSbc,          'F', "ttf",  Pure,                   add_with_carry(a, ~b, Flags{u32(c)}.c(), bits).flags.word) \
  OP(FlagsLogic,        'F', "t",    Pure,                   Flags::of(a >> (bits - 1) & 1, a == 0, false, false).word) \
  OP(FlagsSelect,       'F', "fff",  Pure,                   condition_holds(Flags{u32(c)}, aux) ? a : b)   \
  OP(FlagsFromNzcv,     'F', "w",    Pure,                   Flags::from_nzcv(u32(a) & 15).word)            \
  OP(NzcvFromFlags,     'W', "f",    Pure,                   Flags{u32(a)}.nzcv())

// imm of GetState/SetState: byte offset from the state pointer. Type: any; the slot has exactly that width
// (flags: 4 bytes). imm of memory ops: a packed MemOp (tcg/ir/mem_op.h). imm of exits: the guest pc.
// Atomics are sequentially consistent. AtomicRmw: aux = AtomicKind; CompareSwap: address, expected, desired; both
// give what was there. StoreExclusive: 0 when the monitor (tcg/exec_state.h) let it store, else 1; closes the monitor.
// ZeroBlock: the aligned block of 1 << aux bytes (16 to 256) that the address is in.
// Call: imm = const Helper*, aux = number of arguments.
#define TCG_IR_SYSTEM_OPS(OP)                                                                               \
  OP(GetState,          '*', "",     ReadsState,             system)                                        \
  OP(SetState,          'N', "*",    WritesState,            system)                                        \
  OP(Load,              'T', "x",    Memory,                 system)                                        \
  OP(LoadVec,           'V', "x",    Memory,                 system)                                        \
  OP(Store,             'N', "xt",   Memory,                 system)                                        \
  OP(StoreVec,          'N', "xv",   Memory,                 system)                                        \
  OP(AtomicRmw,         'T', "xt",   Memory,                 system)                                        \
  OP(CompareSwap,       'T', "xtt",  Memory,                 system)                                        \
  OP(StoreExclusive,    'W', "xt",   Memory,                 system)                                        \
  OP(ZeroBlock,         'N', "x",    Memory,                 system)                                        \
  OP(Fence,             'N', "",     Memory,                 system)                                        \
  OP(Call,              'X', "...",  SideExit | ReadsState | WritesState, system)                           \
  OP(LeaveIfNonZero,    'N', "t",    SideExit,               system)                                        \
  OP(ExitIf,            'N', "f",    SideExit,               system)                                        \
  OP(ExitIfZero,        'N', "t",    SideExit,               system)                                        \
  OP(ExitIfNonZero,     'N', "t",    SideExit,               system)                                        \
  OP(ExitIfBitSet,      'N', "t",    SideExit,               system)                                        \
  OP(ExitIfBitClear,    'N', "t",    SideExit,               system)                                        \
  /* A place in a region that exits to its pc (imm) jump to; looks at `attention` where a loop comes back. */ \
  /* aux: a LabelKind; an ExitIndirect comes here as well when the address is this pc */                    \
  OP(Label,             'N', "",     SideExit | WritesState, system)                                        \
  OP(ExitTo,            'N', "",     EndsBlock,              system)                                        \
  OP(ExitIndirect,      'N', "x",    EndsBlock,              system)                                        \
  OP(ExitToRunLoop,     'N', "",     EndsBlock,              system)
// clang-format on

#define TCG_IR_OPS(OP) TCG_IR_INTEGER_OPS(OP) TCG_IR_VECTOR_OPS(OP) TCG_IR_FP_OPS(OP) TCG_IR_SYSTEM_OPS(OP)

enum class Op : u16 {
#define OP(name, ...) name,
  TCG_IR_OPS(OP)
#undef OP
      kCount
};
inline constexpr unsigned kOpCount = unsigned(Op::kCount);

struct OpInfo {
  std::string_view name;
  char result;
  std::string_view operands;
  u8 properties;
};
inline constexpr OpInfo kOpInfo[] = {
#define OP(name, result, operands, properties, ...) {#name, result, operands, u8(properties)},
    TCG_IR_OPS(OP)
#undef OP
};
constexpr const OpInfo& info(Op op) { return kOpInfo[unsigned(op)]; }

// Exits to a known pc, which is their imm.
constexpr bool is_direct_exit(Op op) {
  switch (op) {
    case Op::ExitTo:
    case Op::ExitIf:
    case Op::ExitIfZero:
    case Op::ExitIfNonZero:
    case Op::ExitIfBitSet:
    case Op::ExitIfBitClear: return true;
    default: return false;
  }
}

}  // namespace sluice::tcg::ir
