// tcg/x86_64/registers.h: which host registers do what, and the frame of translated code.
#pragma once
#include <asmjit/x86.h>

#include "tcg/ir/frame.h"

namespace sluice::tcg::x86_64 {

namespace x86 = asmjit::x86;
using x86::Gp;
using x86::Mem;
using x86::Xmm;

// RBP holds the address of ExecState plus a bias, so that the hottest 256 bytes have 8-bit displacements. RSP
// points at the frame. R15 is ExecState::bank, loaded again after whatever may change it. Everything else is
// allocated.
inline const Gp kState = x86::rbp;
inline const Gp kBank = x86::r15;
inline constexpr i32 kStateBias = 192;
inline Mem state_field(size_t offset, u32 size = 8) {
  return x86::ptr(kState, i32(offset) - kStateBias, size);
}

// The frame of translated code: the EvalFrame of ops without an emitter, then spill slots of 16 bytes. There
// is room for every value that a block can have, so spilling never fails; what is not touched costs nothing.
inline constexpr u32 kFrameEval = 0;
inline constexpr u32 kFrameSpills = 128;
static_assert(sizeof(ir::EvalFrame) <= kFrameSpills);

inline constexpr unsigned kGpCount = 16, kXmmCount = 16;
inline constexpr u32 kCalleeSavedGps = 1u << 3 | 0xf000;  // RBX, R12 to R15 (RBP and R15 are not allocated)
// XMM15 is scratch inside one op.
inline constexpr u32 kAllocatableXmms = 0x7fff;
inline const Xmm kScratchXmm = x86::xmm15;

}  // namespace sluice::tcg::x86_64
