// tcg/ir/block.h: a block of IR in SSA form: straight-line code with side exits and one terminal op at the
// end; or a region: several of those, each but the first behind a Label. An exit to the pc of a Label stays
// inside. Values do not cross a Label: from one to the next everything goes through guest state, which the
// back end keeps in host registers.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "tcg/ir/ops.h"

namespace sluice::tcg::ir {

using ValueId = u16;
inline constexpr ValueId kNoValue = 0xffff;

// A reference to the result of an earlier instruction of the same block.
struct Value {
  ValueId id = kNoValue;
  Type type = Type::Void;
  explicit operator bool() const { return id != kNoValue; }
};

struct Inst {
  Op op{};
  Type type = Type::Void;  // of the result; for ops without one, of the operation (Store: the stored value)
  u8 esize = 0;
  u8 aux = 0;
  i16 guest_offset = 0;  // bytes from Block::pc to the guest instruction that this op belongs to
  ValueId args[4] = {kNoValue, kNoValue, kNoValue, kNoValue};
  u64 imm = 0;
};
static_assert(sizeof(Inst) == 24);

// Branch kinds of ExitIndirect (aux).
enum class IndirectKind : u8 { Jump, Call, Return };

// What else comes to a Label besides direct exits (aux; bits): returns, other indirect branches.
struct LabelKind {
  static constexpr u8 kReturnSite = 1, kIndirectTarget = 2;
  // The kind of Label that an indirect branch of this kind may come to.
  static constexpr u8 of(IndirectKind k) { return k == IndirectKind::Return ? kReturnSite : kIndirectTarget; }
};

struct Block {
  static constexpr size_t kMaxInsts = 8000;
  u64 pc = 0;  // guest address of the first instruction
  u64 mode = 0;
  u32 guest_bytes = 0;  // length of guest code covered
  u32 guest_insns = 0;
  // FPCR lets the host's FPU give Arm's results for single and double precision up to NaNs (no
  // flush-to-zero): the back end may emit FP ops inline. Set by the front end.
  bool fp_inline = false;
  bool half_inline =
      false;  // the same for conversions of half precision (which is not the alternative format)
  std::vector<Inst> insts;

  // A region has Labels. Its guest code need not be in one piece: `guest_bytes` go from pc to behind the last
  // instruction, and it may begin `guest_bytes_before` before pc.
  bool is_region = false;
  u32 guest_bytes_before = 0;
  // A hint for who makes a region: where in its page execution has begun before.
  std::vector<u64> entries;

  u64 pc_of(const Inst& i) const { return pc + u64(i64(i.guest_offset)); }
  void clear() {
    insts.clear();
    guest_bytes = guest_insns = guest_bytes_before = 0;
    fp_inline = half_inline = is_region = false;
    entries.clear();
  }
};

// A human reads it; the ir tests compare it.
std::string print(const Block& block);
// "" when the block is well formed, else what is wrong: operand types and counts, SSA order, terminal op.
std::string verify(const Block& block);

}  // namespace sluice::tcg::ir
