// cpu/features.h: the architecture features that a CPU model may have, by their FEAT_ names.
#pragma once
#include <initializer_list>

#include "base/types.h"

namespace sluice::cpu {

enum class Feature : u8 {
  Base,  // Armv8.0-A with FP and Advanced SIMD
  AES,
  PMULL,
  SHA1,
  SHA256,
  CRC32,  // optional in Armv8.0
  LSE,
  RDM,
  PAN,
  LOR,
  HPDS,
  VHE,
  HAFDBS,
  VMID16,
  PAN2,
  UAO,
  DPB,
  DPB2,
  FP16,
  DotProd,
  FHM,
  SHA3,
  SHA512,
  SM3,
  SM4,
  LRCPC,
  LRCPC2,
  JSCVT,
  FCMA,
  PAuth,
  PACIMP,  // with PAuth: codes by an algorithm of our own, else QARMA5
  FlagM,
  FlagM2,
  FRINTTS,
  BTI,
  SB,
  SPECRES,
  SSBS,
  CSV2,
  CSV3,
  TTL,
  TLBIRANGE,
  TLBIOS,
  E0PD,
  TTST,
  BBM,
  CNTSC,
  ECV,
  DIT,
  LSE2,
  XNX,
  TTCNP,
  EVT,
  BF16,
  I8MM,
  RNG,
  SSBS2,  // SSBS with MSR and MRS access
  EL3,    // and the Secure state: the machine's choice, whatever the model
  kCount
};
static_assert(unsigned(Feature::kCount) <= 64);

class FeatureSet {
 public:
  constexpr FeatureSet(std::initializer_list<Feature> features = {}) {
    for (Feature f : features) bits_ |= u64{1} << unsigned(f);
  }
  constexpr bool has(Feature f) const { return f == Feature::Base || (bits_ >> unsigned(f) & 1); }
  constexpr FeatureSet with(FeatureSet more) const {
    FeatureSet s = *this;
    s.bits_ |= more.bits_;
    return s;
  }
  constexpr FeatureSet without(Feature f) const {
    FeatureSet s = *this;
    s.bits_ &= ~(u64{1} << unsigned(f));
    return s;
  }

 private:
  u64 bits_ = 0;
};

}  // namespace sluice::cpu
