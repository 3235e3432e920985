// Arm DDI 0487, shared pseudocode aarch64/functions/pac; the cipher is QARMA-64 (R. Avanzi, "The QARMA Block
// Cipher Family").
#include "cpu/pauth.h"

#include <array>

#include "base/bits.h"

namespace sluice::cpu::pauth {
namespace {

// A 64-bit state is 16 cells of 4 bits; cell 0 is the most significant one.
using Permutation = std::array<u8, 16>;
constexpr unsigned cell_lsb(unsigned cell) { return 60 - 4 * cell; }
constexpr u64 cell(u64 state, unsigned n) { return state >> cell_lsb(n) & 15; }

constexpr Permutation invert(const Permutation& p) {
  Permutation r{};
  for (unsigned i = 0; i < 16; i++) r[p[i]] = u8(i);
  return r;
}
constexpr u64 permute(u64 in, const Permutation& from) {
  u64 out = 0;
  for (unsigned i = 0; i < 16; i++) out |= cell(in, from[i]) << cell_lsb(i);
  return out;
}

constexpr Permutation kShuffle{0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2};
constexpr Permutation kInverseShuffle = invert(kShuffle);
constexpr Permutation kTweakShuffle{6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11};
constexpr Permutation kInverseTweakShuffle = invert(kTweakShuffle);
constexpr Permutation kSub{11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10};
constexpr Permutation kInverseSub = invert(kSub);
constexpr u8 kTweakedCells[] = {0, 1, 3, 4, 8, 11, 13};
constexpr u64 kAlpha = 0xc0ac29b7c97c50dd;
constexpr u64 kRoundConstant[] = {0, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
                                  0x452821e638d01377};

// Every cell of `state` rotated left by n.
constexpr u64 rotate_cells(u64 state, unsigned n) {
  u64 keep = replicate(ones(4 - n), 4) << n;
  return (state << n & keep) | (state >> (4 - n) & ~keep);
}
// PACMult(): each column times the circulant matrix (0, rho, rho^2, rho). Row r of all columns is 16 bits of
// the state.
constexpr u64 multiply(u64 in) {
  u64 once = rotate_cells(in, 1), twice = rotate_cells(in, 2);
  return rotate_right(once, 48, 64) ^ rotate_right(twice, 32, 64) ^ rotate_right(once, 16, 64);
}

// One step of the tweak's LFSR in one cell, and its inverse.
constexpr u64 step_cell(u64 c) { return c >> 1 | ((c ^ c >> 1) & 1) << 3; }
constexpr u64 unstep_cell(u64 c) { return (c << 1 & 14) | ((c >> 3 ^ c) & 1); }

constexpr u64 tweak_shuffle(u64 in) {
  u64 out = permute(in, kTweakShuffle);
  for (u8 n : kTweakedCells) out = deposit(out, cell_lsb(n), 4, step_cell(cell(out, n)));
  return out;
}
constexpr u64 inverse_tweak_shuffle(u64 in) {
  for (u8 n : kTweakedCells) in = deposit(in, cell_lsb(n), 4, unstep_cell(cell(in, n)));
  return permute(in, kInverseTweakShuffle);
}
static_assert(inverse_tweak_shuffle(tweak_shuffle(0x0123456789abcdef)) == 0x0123456789abcdef);

// Everything but the S-boxes is linear over bits: a map is the sum of what it makes of each byte.
class Linear {
 public:
  template <class F>
  constexpr explicit Linear(F f) {
    for (unsigned b = 0; b < 8; b++)
      for (unsigned n = 0; n < 8; n++) {
        u64 image = f(u64{1} << (b * 8 + n));
        for (unsigned v = 1u << n; v < 2u << n; v++) table_[b][v] = table_[b][v - (1u << n)] ^ image;
      }
  }
  constexpr u64 operator()(u64 v) const {
    u64 r = 0;
    for (unsigned b = 0; b < 8; b++) r ^= table_[b][v >> (b * 8) & 0xff];
    return r;
  }

 private:
  std::array<std::array<u64, 256>, 8> table_{};
};
constexpr Linear kDiffuse{[](u64 v) { return multiply(permute(v, kShuffle)); }};
constexpr Linear kInverseDiffuse{[](u64 v) { return permute(multiply(v), kInverseShuffle); }};
constexpr Linear kNextTweak{[](u64 v) { return tweak_shuffle(v); }};
constexpr Linear kPreviousTweak{[](u64 v) { return inverse_tweak_shuffle(v); }};

// An S-box on two cells at once.
constexpr std::array<u8, 256> pairs(const Permutation& box) {
  std::array<u8, 256> r{};
  for (unsigned i = 0; i < 256; i++) r[i] = u8(box[i >> 4] << 4 | box[i & 15]);
  return r;
}
constexpr std::array<u8, 256> kSubPairs = pairs(kSub), kInverseSubPairs = pairs(kInverseSub);
constexpr u64 substitute(u64 in, const std::array<u8, 256>& box) {
  u64 out = 0;
  for (unsigned i = 0; i < 64; i += 8) out |= u64(box[in >> i & 0xff]) << i;
  return out;
}

constexpr u64 qarma5(u64 data, u64 modifier, u64 key0, u64 key1) {
  u64 modk0 = key0 << 63 | key0 >> 1;
  modk0 ^= key0 >> 63;
  u64 tweak = modifier;
  u64 v = data ^ key0;
  for (unsigned i = 0; i < 5; i++) {
    v ^= key1 ^ tweak ^ kRoundConstant[i];
    if (i > 0) v = kDiffuse(v);
    v = substitute(v, kSubPairs);
    tweak = kNextTweak(tweak);
  }
  v ^= modk0 ^ tweak;
  v = substitute(kDiffuse(v), kSubPairs);
  v = kDiffuse(v) ^ key1;  // the reflector
  v = permute(v, kInverseShuffle);
  v = kInverseDiffuse(substitute(v, kInverseSubPairs));
  v ^= key0 ^ tweak;
  for (unsigned i = 0; i < 5; i++) {
    v = substitute(v, kInverseSubPairs);
    if (i < 4) v = kInverseDiffuse(v);
    tweak = kPreviousTweak(tweak);
    v ^= key1 ^ tweak ^ kRoundConstant[4 - i] ^ kAlpha;
  }
  return v ^ modk0;
}

// TCR_EL1, and of TCR_EL3.
constexpr unsigned kTbi0 = 37, kTbi1 = 38, kTbid0 = 51, kTbid1 = 52, kEl3Tbi = 20, kEl3Tbid = 29;

}  // namespace

u64 compute_pac(u64 data, u64 modifier, Key key) { return qarma5(data, modifier, key.hi, key.lo); }

namespace {

// A return address is signed and authenticated again with the same inputs: what was computed lately is at
// hand.
u64 remembered_pac(PeState& s, u64 data, u64 modifier, Key key) {
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

// EffectiveTBI() and CalculateBottomPACBit() for the regime of the current EL. Without FEAT_TTST, TxSZ is 16
// to 39; values outside are treated as the nearest one.
PointerFormat pointer_format(const PeState& s, bool data) {
  constexpr auto bottom = [](u64 tsz) { return u8(64 - (tsz < 16 ? 16 : tsz > 39 ? 39 : tsz)); };
  if (s.el == 3) {
    u64 tcr = s.sysregs[Slot::TCR_EL3];
    bool tbi = bit(tcr, kEl3Tbi) && (data || !bit(tcr, kEl3Tbid));
    u8 lowest = bottom(extract(tcr, 0, 6));
    return {{tbi, tbi}, {lowest, lowest}};
  }
  u64 tcr = s.sysregs[Slot::TCR_EL1];
  constexpr unsigned tbi[] = {kTbi0, kTbi1}, tbid[] = {kTbid0, kTbid1}, size_lsb[] = {0, 16};
  PointerFormat f{};
  for (unsigned upper = 0; upper < 2; upper++) {
    f.tbi[upper] = bit(tcr, tbi[upper]) && (data || !bit(tcr, tbid[upper]));
    f.bottom_pac_bit[upper] = bottom(extract(tcr, size_lsb[upper], 6));
  }
  return f;
}

u64 add_pac(PeState& s, u64 pointer, u64 modifier, Key key, PointerFormat format) {
  bool tbi = format.tbi[bit(pointer, 55)];
  unsigned top = tbi ? 55 : 63;
  // With tagged pointers in either range, bit 55 selects the range.
  bool upper = bit(pointer, format.tbi[0] || format.tbi[1] ? 55 : 63);
  unsigned bottom = format.bottom_pac_bit[upper];
  u64 field = ones(top + 1 - bottom) << bottom;
  u64 extended = upper ? pointer | field : pointer & ~field;
  u64 pac = remembered_pac(s, extended, modifier, key);
  u64 extension = pointer & field;
  if (extension != 0 && extension != field) pac ^= u64{1} << (top - 1);
  u64 inserted = field & ~(u64{1} << 55);
  return (pointer & ~field) | (pac & inserted) | u64(upper) << 55;
}

u64 strip(u64 pointer, PointerFormat format) {
  bool upper = bit(pointer, 55);
  unsigned top = format.tbi[upper] ? 55 : 63, bottom = format.bottom_pac_bit[upper];
  u64 field = ones(top + 1 - bottom) << bottom;
  return upper ? pointer | field : pointer & ~field;
}

u64 authenticate(PeState& s, u64 pointer, u64 modifier, Key key, PointerFormat format, bool key_b) {
  bool upper = bit(pointer, 55);
  unsigned top = format.tbi[upper] ? 55 : 63, bottom = format.bottom_pac_bit[upper];
  u64 original = strip(pointer, format);
  u64 pac = remembered_pac(s, original, modifier, key);
  u64 compared = (ones(top + 1 - bottom) << bottom) & ~(u64{1} << 55);
  if (((pac ^ pointer) & compared) == 0) return original;
  return deposit(original, top == 55 ? 53 : 61, 2, key_b ? 2 : 1);  // key number : NOT key number
}

u64 helper_add_pac(tcg::ExecState& state, u64 pointer, u64 modifier, u64 key) noexcept {
  auto& s = static_cast<PeState&>(state);
  KeyName name = KeyName(key);
  bool data = name == KeyName::DA || name == KeyName::DB;
  return add_pac(s, pointer, modifier, key_of(s, name), pointer_format(s, data));
}

u64 helper_authenticate(tcg::ExecState& state, u64 pointer, u64 modifier, u64 key) noexcept {
  auto& s = static_cast<PeState&>(state);
  KeyName name = KeyName(key);
  bool data = name == KeyName::DA || name == KeyName::DB;
  return authenticate(s, pointer, modifier, key_of(s, name), pointer_format(s, data), bit(key, 0));
}

u64 helper_strip(tcg::ExecState& state, u64 pointer, u64 data, u64) noexcept {
  return strip(pointer, pointer_format(static_cast<PeState&>(state), data != 0));
}

u64 helper_generic_pac(tcg::ExecState& state, u64 value, u64 modifier, u64) noexcept {
  auto& s = static_cast<PeState&>(state);
  return remembered_pac(s, value, modifier, key_of(s, KeyName::GA)) & ~ones(32);
}

}  // namespace sluice::cpu::pauth
