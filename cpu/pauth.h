// cpu/pauth.h: pointer authentication (FEAT_PAuth): QARMA5 and the operations of the shared pseudocode
// "AddPAC", "Auth", "Strip" (Arm DDI 0487, aarch64/functions/pac). Neither FEAT_EPAC, FEAT_PAuth2 nor
// FEAT_FPAC.
#pragma once
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

// ComputePAC(): QARMA-64 with S-box sigma 2 and five rounds; key0 = key.hi, key1 = key.lo.
u64 compute_pac(u64 data, u64 modifier, Key key);

// What the translation regime says about the pointers of one kind (instruction or data).
struct PointerFormat {
  bool tbi[2];           // effective TBI for bit 55 = 0 and 1
  u8 bottom_pac_bit[2];  // 64 - TxSZ, within what the implementation allows
};
PointerFormat pointer_format(const PeState& state, bool data);

u64 add_pac(PeState& state, u64 pointer, u64 modifier, Key key, PointerFormat format);
u64 authenticate(PeState& state, u64 pointer, u64 modifier, Key key, PointerFormat format, bool key_b);
u64 strip(u64 pointer, PointerFormat format);

// Helpers: (pointer, modifier, KeyName) -> pointer. Whether the key is enabled is the caller's business.
u64 helper_add_pac(tcg::ExecState&, u64 pointer, u64 modifier, u64 key) noexcept;
u64 helper_authenticate(tcg::ExecState&, u64 pointer, u64 modifier, u64 key) noexcept;
u64 helper_strip(tcg::ExecState&, u64 pointer, u64 data, u64) noexcept;
u64 helper_generic_pac(tcg::ExecState&, u64 value, u64 modifier, u64) noexcept;

inline constexpr tcg::Helper kAddPac = tcg::make_helper("add_pac", helper_add_pac, false, false);
inline constexpr tcg::Helper kAuthenticate =
    tcg::make_helper("authenticate", helper_authenticate, false, false);
inline constexpr tcg::Helper kStrip = tcg::make_helper("strip", helper_strip, false, false);
inline constexpr tcg::Helper kGenericPac = tcg::make_helper("generic_pac", helper_generic_pac, false, false);

}  // namespace sluice::cpu::pauth
