// Arm DDI 0487, shared pseudocode aarch64/functions/pac.
#include "cpu/pauth.h"

#include <bit>

#include "base/bits.h"
#include "cpu/qarma.h"

namespace sluice::cpu::pauth {
namespace {

u64 folded_product(u64 a, u64 b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return u64(product) ^ u64(product >> 64);
}

// Odd numbers with about as many ones as zeros. A factor that happens to be 0 leaves the other product.
u64 own_pac(u64 data, u64 modifier, Key key) {
  u64 inner = folded_product(data ^ key.lo ^ 0x9e3779b97f4a7c15, modifier ^ key.hi ^ 0xd1b54a32d192ed03);
  return folded_product(inner ^ data ^ 0xaef17502108ef2d9,
                        (modifier + std::rotl(key.lo, 23)) ^ key.hi ^ 0xdb4f0b9175ae2165);
}

}  // namespace

u64 compute_pac(u64 data, u64 modifier, Key key, Algorithm algorithm) {
  return algorithm == Algorithm::Own ? own_pac(data, modifier, key)
                                     : qarma::encrypt(data, modifier, key.hi, key.lo);
}

namespace {

// A return address is signed and authenticated again with the same inputs: what was computed lately is at
// hand.
u64 remembered_pac(PeState& s, u64 data, u64 modifier, Key key, Algorithm algorithm) {
  if (algorithm == Algorithm::Own) return own_pac(data, modifier, key);
  u64 hash = (data ^ modifier * 0x9e3779b97f4a7c15 ^ key.lo) * 0xff51afd7ed558ccd;
  PacMemo& m = s.pac_memo[hash >> (64 - kPacMemoBits)];
  if (!m.valid || m.data != data || m.modifier != modifier || m.key_lo != key.lo || m.key_hi != key.hi)
    m = {data, modifier, key.lo, key.hi, compute_pac(data, modifier, key), true};
  return m.pac;
}

}  // namespace

PauthKeys keys_of(const PeState& s) {
  return {key_of(s, KeyName::IA), key_of(s, KeyName::IB), key_of(s, KeyName::DA), key_of(s, KeyName::DB),
          key_of(s, KeyName::GA)};
}

Key key_of(const PeState& s, KeyName name) {
  return {s.sysregs.at(Slot::APIAKeyLo_EL1, 2 * unsigned(name)),
          s.sysregs.at(Slot::APIAKeyLo_EL1, 2 * unsigned(name) + 1)};
}

u64 add_pac(PeState& s, u64 pointer, u64 modifier, Key key, PointerFormat format, Algorithm algorithm) {
  bool tbi = format.tbi(bit(pointer, 55));
  unsigned top = tbi ? 55 : 63;
  // With tagged pointers in either range, bit 55 selects the range.
  bool upper = bit(pointer, format.any_tbi() ? 55 : 63);
  unsigned bottom = format.bottom_pac_bit(upper);
  u64 field = ones(top + 1 - bottom) << bottom;
  u64 extended = upper ? pointer | field : pointer & ~field;
  u64 pac = remembered_pac(s, extended, modifier, key, algorithm);
  u64 extension = pointer & field;
  if (extension != 0 && extension != field) pac ^= u64{1} << (top - 1);
  u64 inserted = field & ~(u64{1} << 55);
  return (pointer & ~field) | (pac & inserted) | u64(upper) << 55;
}

u64 strip(u64 pointer, PointerFormat format) {
  bool upper = bit(pointer, 55);
  unsigned top = format.tbi(upper) ? 55 : 63, bottom = format.bottom_pac_bit(upper);
  u64 field = ones(top + 1 - bottom) << bottom;
  return upper ? pointer | field : pointer & ~field;
}

u64 authenticate(PeState& s, u64 pointer, u64 modifier, Key key, PointerFormat format, bool key_b,
                 Algorithm algorithm) {
  bool upper = bit(pointer, 55);
  unsigned top = format.tbi(upper) ? 55 : 63, bottom = format.bottom_pac_bit(upper);
  u64 original = strip(pointer, format);
  u64 pac = remembered_pac(s, original, modifier, key, algorithm);
  u64 compared = (ones(top + 1 - bottom) << bottom) & ~(u64{1} << 55);
  if (((pac ^ pointer) & compared) == 0) return original;
  return deposit(original, top == 55 ? 53 : 61, 2, key_b ? 2 : 1);  // key number : NOT key number
}

u64 helper_add_pac(tcg::ExecState& state, u64 pointer, u64 modifier, u64 operand) noexcept {
  auto& s = static_cast<PeState&>(state);
  Operand o = Operand::unpack(operand);
  return add_pac(s, pointer, modifier, key_of(s, o.key), o.format, o.algorithm);
}

u64 helper_authenticate(tcg::ExecState& state, u64 pointer, u64 modifier, u64 operand) noexcept {
  auto& s = static_cast<PeState&>(state);
  Operand o = Operand::unpack(operand);
  return authenticate(s, pointer, modifier, key_of(s, o.key), o.format, u8(o.key) & 1, o.algorithm);
}

u64 helper_strip(tcg::ExecState&, u64 pointer, u64 operand, u64) noexcept {
  return strip(pointer, Operand::unpack(operand).format);
}

u64 helper_generic_pac(tcg::ExecState& state, u64 value, u64 modifier, u64 operand) noexcept {
  auto& s = static_cast<PeState&>(state);
  Operand o = Operand::unpack(operand);
  return remembered_pac(s, value, modifier, key_of(s, o.key), o.algorithm) & ~ones(32);
}

}  // namespace sluice::cpu::pauth
