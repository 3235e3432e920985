// cpu/mode.h: everything outside the instruction word that changes what an instruction translates to. One
// u64: it is part of the key of every translated block (tcg::ExecState::mode).
#pragma once
#include "base/bits.h"

namespace sluice::cpu {

struct Mode {
  u64 word = 0;

  // Named bit fields of `word`. A field that is added here takes part in every block key by itself.
  template <unsigned Lsb, unsigned Width>
  struct Field {
    static constexpr u64 get(u64 w) { return extract(w, Lsb, Width); }
    static constexpr u64 set(u64 w, u64 v) { return deposit(w, Lsb, Width, v); }
  };
  using El = Field<0, 2>;  // PSTATE.EL
  using Secure = Field<2, 1>;
  using FpTrapEl = Field<3, 2>;  // 0: FP/SIMD enabled, else the EL that traps its use (CPACR_EL1, CPTR_ELx)
  using FpcrMode =
      Field<5, 6>;  // FPCR.{AHP, DN, FZ, RMode, FZ16}: RMode at 0, FZ at 2, DN at 3, FZ16 at 4, AHP at 5
  using Step = Field<11, 1>;       // software step active: one instruction per block, then the step exception
  using BigEndian = Field<12, 1>;  // data accesses at this EL
  using AlignCheck = Field<13, 1>;    // SCTLR.A
  using SpAlignCheck = Field<14, 1>;  // SCTLR.SA / SA0
  using Guarded = Field<15, 1>;       // the page has GP set (FEAT_BTI)
  using BtypeChecked = Field<16, 1>;  // SCTLR.BT: PACIxSP compatibility with BTYPE 3
  using Tbi = Field<17, 2>;  // top byte of a branch target ignored: bit 0 for VA<55>=0, bit 1 for VA<55>=1
  using OneRange = Field<19, 1>;      // the regime has one VA range (EL2 without E2H, EL3)
  using PacEnabled = Field<20, 4>;    // SCTLR.{EnIA, EnIB, EnDA, EnDB}
  using IllegalState = Field<24, 1>;  // PSTATE.IL
  using Breakpoints = Field<25, 1>;   // hardware breakpoints may match: checked per instruction
  using Icount = Field<26, 1>;
  using Uao = Field<27, 1>;                // PSTATE.UAO: LDTR/STTR behave as LDR/STR
  using UnprivilegedAsEl0 = Field<28, 1>;  // LDTR/STTR use EL0's rights (EL1, or EL2 with E2H and TGE)
  using TcrTbiData = Field<29, 2>;
  using El3Traps = Field<31, 1>;       // EL3 traps accesses to some system registers: looked up when they run
  using SpSel = Field<32, 1>;          // PSTATE.SP above EL0: MRS SP_EL0 is then one load, or UNDEFINED
  using PacTrapEl3 = Field<33, 1>;     // SCR_EL3.API is 0 below EL3: pointer authentication traps
  using BottomPacBit0 = Field<34, 6>;  // with FEAT_PAuth: the lowest bit of a PAC, for VA<55>=0 and 1
  using BottomPacBit1 = Field<40, 6>;
  using ZeroBlocks = Field<46, 1>;  // DC ZVA may be used: not at EL0 without SCTLR_EL1.DZE

  constexpr unsigned el() const { return unsigned(El::get(word)); }
  constexpr bool fp_enabled() const { return FpTrapEl::get(word) == 0; }
  template <class F>
  constexpr u64 get() const {
    return F::get(word);
  }
  template <class F>
  constexpr void set(u64 v) {
    word = F::set(word, v);
  }
  constexpr bool operator==(const Mode&) const = default;
};

}  // namespace sluice::cpu
