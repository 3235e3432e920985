// cpu/pauth.h: pointer authentication (FEAT_PAuth): the algorithms and the operations of the shared
// pseudocode "AddPAC", "Auth", "Strip" (Arm DDI 0487, aarch64/functions/pac). Neither FEAT_EPAC, FEAT_PAuth2
// nor FEAT_FPAC.
#pragma once
#include "base/bits.h"
#include "cpu/features.h"
#include "cpu/mode.h"
#include "cpu/state.h"
#include "tcg/helper.h"

namespace sluice::cpu::pauth {

struct Key {
  u64 lo = 0, hi = 0;
};
// In the order of the encodings.
enum class KeyName : u8 { IA, IB, DA, DB, GA };

struct PauthKeys {
  Key ia, ib, da, db, ga;
};
PauthKeys keys_of(const PeState& state);
Key key_of(const PeState& state, KeyName name);

// ComputePAC(). QARMA5: QARMA-64 with S-box sigma 2 and five rounds; key0 = key.hi, key1 = key.lo. Own
// (FEAT_PACIMP, an IMPLEMENTATION DEFINED algorithm): folded products. It spreads its input over all bits and
// keeps no secret from whoever studies it.
enum class Algorithm : u8 { Qarma5, Own };
u64 compute_pac(u64 data, u64 modifier, Key key, Algorithm algorithm = Algorithm::Qarma5);

// CalculateBottomPACBit(): without FEAT_TTST, TxSZ is 16 to 39; values outside are treated as the nearest
// one.
constexpr u8 bottom_pac_bit(u64 txsz) { return u8(64 - (txsz < 16 ? 16 : txsz > 39 ? 39 : txsz)); }

// What the translation regime says about the pointers of one kind (instruction or data), for VA<55> = 0
// and 1.
class PointerFormat {
 public:
  // Effective TBI; bottom_pac_bit(), above.
  constexpr PointerFormat(const bool (&tbi)[2], const u8 (&bottom_pac_bit)[2])
      : word_(u32(tbi[0]) << 8 | u32(tbi[1]) << 9 | u32(bottom_pac_bit[0]) << 16 |
              u32(bottom_pac_bit[1]) << 24) {}
  // One word, so that helpers take it apart in registers. Bits 7:0 are free, and 10 to 15.
  explicit constexpr PointerFormat(u32 word) : word_(word & ~kFree) {}
  constexpr u32 word() const { return word_; }

  constexpr bool tbi(bool upper) const { return word_ >> (8 + unsigned(upper)) & 1; }
  constexpr bool any_tbi() const { return word_ & 3 << 8; }
  constexpr unsigned bottom_pac_bit(bool upper) const { return word_ >> (16 + 8 * unsigned(upper)) & 0xff; }

 private:
  static constexpr u32 kFree = 0xfcff;
  u32 word_;
};
constexpr PointerFormat pointer_format(Mode mode, bool data) {
  u64 tbi = data ? mode.get<Mode::TcrTbiData>() : mode.get<Mode::Tbi>();
  bool lower = tbi & 1, upper = mode.get<Mode::OneRange>() ? lower : (tbi & 2) != 0;
  return {{lower, upper}, {u8(mode.get<Mode::BottomPacBit0>()), u8(mode.get<Mode::BottomPacBit1>())}};
}

// Key, format and algorithm in one word: what the helpers take.
struct Operand {
  KeyName key;
  PointerFormat format;
  Algorithm algorithm;
  constexpr u64 pack() const { return u64(key) | u64(algorithm) << 10 | format.word(); }
  static constexpr Operand unpack(u64 word) {
    return {KeyName(word & 0xff), PointerFormat{u32(word)}, Algorithm(word >> 10 & 1)};
  }
};
constexpr Operand operand_of(Mode mode, FeatureSet features, KeyName key) {
  return {key, pointer_format(mode, key == KeyName::DA || key == KeyName::DB),
          features.has(Feature::PACIMP) ? Algorithm::Own : Algorithm::Qarma5};
}

u64 add_pac(PeState& state, u64 pointer, u64 modifier, Key key, PointerFormat format,
            Algorithm algorithm = Algorithm::Qarma5);
u64 authenticate(PeState& state, u64 pointer, u64 modifier, Key key, PointerFormat format, bool key_b,
                 Algorithm algorithm = Algorithm::Qarma5);
u64 strip(u64 pointer, PointerFormat format);

// Helpers: (pointer, modifier, Operand) -> pointer. Whether the key is enabled is the caller's business.
u64 helper_add_pac(tcg::ExecState&, u64 pointer, u64 modifier, u64 operand) noexcept;
u64 helper_authenticate(tcg::ExecState&, u64 pointer, u64 modifier, u64 operand) noexcept;
u64 helper_strip(tcg::ExecState&, u64 pointer, u64 operand, u64) noexcept;
u64 helper_generic_pac(tcg::ExecState&, u64 value, u64 modifier, u64 operand) noexcept;

inline constexpr tcg::Helper kAddPac = tcg::make_helper("add_pac", helper_add_pac, false, false);
inline constexpr tcg::Helper kAuthenticate =
    tcg::make_helper("authenticate", helper_authenticate, false, false);
inline constexpr tcg::Helper kStrip = tcg::make_helper("strip", helper_strip, false, false);
inline constexpr tcg::Helper kGenericPac = tcg::make_helper("generic_pac", helper_generic_pac, false, false);

}  // namespace sluice::cpu::pauth
