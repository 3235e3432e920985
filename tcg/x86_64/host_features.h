// tcg/x86_64/host_features.h: which instruction set extensions of the host the back end uses. A test may take
// some away, so that every way to emit an op runs on one machine.
#pragma once
#include <asmjit/x86.h>

namespace sluice::tcg::x86_64 {

struct HostFeatures {
  // AVX2, FMA, F16C, LZCNT, BMI1, BMI2, AES, PCLMULQDQ: without them vector and FP ops call their meanings.
  bool avx2 = false;
  bool avx512 = false;  // F, VL, BW, DQ, CD; what follows is false without avx2
  bool bitalg = false;  // population counts of bytes (and avx512)
  bool vnni = false;    // dot products of bytes (AVX512_VNNI, and avx512)
  bool gfni = false;
  bool sha = false;

  static HostFeatures of_this_host() {
    const auto& f = asmjit::CpuInfo::host().features().x86();
    HostFeatures h;
    h.avx2 = f.hasAVX2() && f.hasFMA() && f.hasF16C() && f.hasLZCNT() && f.hasBMI() && f.hasBMI2() &&
             f.hasPCLMULQDQ() && f.hasAESNI();
    if (!h.avx2) return h;
    h.avx512 =
        f.hasAVX512_F() && f.hasAVX512_VL() && f.hasAVX512_BW() && f.hasAVX512_DQ() && f.hasAVX512_CDI();
    h.bitalg = h.avx512 && f.hasAVX512_BITALG();
    h.vnni = h.avx512 && f.hasAVX512_VNNI();
    h.gfni = f.hasGFNI();
    h.sha = f.hasSHA();
    return h;
  }
};

}  // namespace sluice::tcg::x86_64
