#include "cpu/qarma.h"

#include <tmmintrin.h>

#include <array>

#include "base/bits.h"

namespace sluice::cpu::qarma {
namespace {

// A 64-bit state is 16 cells of 4 bits; cell 0 is the most significant one.
using Cells = std::array<u8, 16>;
constexpr unsigned cell_lsb(unsigned cell) { return 60 - 4 * cell; }
constexpr u64 cell(u64 state, unsigned n) { return state >> cell_lsb(n) & 15; }

constexpr Cells invert(const Cells& p) {
  Cells r{};
  for (unsigned i = 0; i < 16; i++) r[p[i]] = u8(i);
  return r;
}

constexpr Cells kShuffle{0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2};
constexpr Cells kInverseShuffle = invert(kShuffle);
constexpr Cells kTweakShuffle{6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11};
constexpr Cells kInverseTweakShuffle = invert(kTweakShuffle);
constexpr Cells kSub{11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10};
constexpr Cells kInverseSub = invert(kSub);
constexpr u8 kTweakedCells[] = {0, 1, 3, 4, 8, 11, 13};
constexpr u64 kAlpha = 0xc0ac29b7c97c50dd;
constexpr unsigned kRounds = 5;
constexpr u64 kRoundConstant[kRounds] = {0, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
                                         0x452821e638d01377};

constexpr u64 permute(u64 in, const Cells& from) {
  u64 out = 0;
  for (unsigned i = 0; i < 16; i++) out |= cell(in, from[i]) << cell_lsb(i);
  return out;
}
constexpr u64 substitute(u64 in, const Cells& box) {
  u64 out = 0;
  for (unsigned i = 0; i < 16; i++) out |= u64{box[cell(in, i)]} << cell_lsb(i);
  return out;
}
// A cell rotated left by n.
constexpr u8 rotate_cell(u8 c, unsigned n) { return u8((c << n | c >> (4 - n)) & 15); }
// Each column times the circulant matrix (0, rho, rho^2, rho). A row of all columns is 16 bits of the state.
constexpr u64 multiply(u64 in) {
  u64 once = 0, twice = 0;
  for (unsigned i = 0; i < 16; i++) {
    once |= u64{rotate_cell(u8(cell(in, i)), 1)} << cell_lsb(i);
    twice |= u64{rotate_cell(u8(cell(in, i)), 2)} << cell_lsb(i);
  }
  return rotate_right(once, 48, 64) ^ rotate_right(twice, 32, 64) ^ rotate_right(once, 16, 64);
}

// One step of the tweak's LFSR in one cell, and its inverse.
constexpr u8 step_cell(u8 c) { return u8(c >> 1 | ((c ^ c >> 1) & 1) << 3); }
constexpr u8 unstep_cell(u8 c) { return u8((c << 1 & 14) | ((c >> 3 ^ c) & 1)); }

constexpr u64 next_tweak(u64 in) {
  u64 out = permute(in, kTweakShuffle);
  for (u8 n : kTweakedCells) out = deposit(out, cell_lsb(n), 4, step_cell(u8(cell(out, n))));
  return out;
}
constexpr u64 previous_tweak(u64 in) {
  for (u8 n : kTweakedCells) in = deposit(in, cell_lsb(n), 4, unstep_cell(u8(cell(in, n))));
  return permute(in, kInverseTweakShuffle);
}
static_assert(previous_tweak(next_tweak(0x0123456789abcdef)) == 0x0123456789abcdef);

// key0 of the backward half.
constexpr u64 orthomorphism(u64 key0) { return (key0 << 63 | key0 >> 1) ^ key0 >> 63; }

}  // namespace

u64 encrypt_by_steps(u64 data, u64 tweak, u64 key0, u64 key1) {
  u64 last_key = orthomorphism(key0);
  u64 v = data ^ key0;
  for (unsigned i = 0; i < kRounds; i++) {
    v ^= key1 ^ tweak ^ kRoundConstant[i];
    if (i > 0) v = multiply(permute(v, kShuffle));
    v = substitute(v, kSub);
    tweak = next_tweak(tweak);
  }
  v = multiply(permute(v ^ last_key ^ tweak, kShuffle));
  v = substitute(v, kSub);
  v = multiply(permute(v, kShuffle)) ^ key1;  // the reflector
  v = substitute(permute(v, kInverseShuffle), kInverseSub);
  v = permute(multiply(v), kInverseShuffle) ^ key0 ^ tweak;
  for (unsigned i = 0; i < kRounds; i++) {
    v = substitute(v, kInverseSub);
    if (i < kRounds - 1) v = permute(multiply(v), kInverseShuffle);
    tweak = previous_tweak(tweak);
    v ^= key1 ^ tweak ^ kRoundConstant[kRounds - 1 - i] ^ kAlpha;
  }
  return v ^ last_key;
}

// --- The same with one byte for each cell, so that PSHUFB is a permutation as well as an S-box
// ---------------------------------------------------------------------------------------------

namespace {

// A layer S, then M: what each cell becomes for both powers of rho, and where they go. An addition before M
// is one of M(addend) behind it, which waits for nothing: a round is as long as two shuffles and two
// additions.
struct Layer {
  Cells once, twice;       // rho and rho^2 of the substituted cell
  Cells row1, row2, row3;  // the rows of the matrix, with the cell permutation
  constexpr Layer(const Cells& box, bool inverse) : once{}, twice{}, row1{}, row2{}, row3{} {
    for (unsigned i = 0; i < 16; i++) once[i] = rotate_cell(box[i], 1), twice[i] = rotate_cell(box[i], 2);
    for (unsigned i = 0; i < 16; i++) {
      // Forward the cells are shuffled before the rows rotate, backward behind that.
      unsigned to = inverse ? kInverseShuffle[i] : i;
      auto source = [&](unsigned row) {
        return inverse ? u8((to + 4 * row) % 16) : kShuffle[(to + 4 * row) % 16];
      };
      row1[i] = source(1), row2[i] = source(2), row3[i] = source(3);
    }
  }
};
constexpr Cells kIdentity{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr Layer kForward(kSub, false), kBackward(kInverseSub, true);
constexpr Layer kForwardLinear(kIdentity, false);
constexpr Cells kStep = [] {
  Cells r{};
  for (u8 i = 0; i < 16; i++) r[i] = step_cell(i);
  return r;
}();
constexpr Cells kTweaked = [] {
  Cells r{};
  for (u8 n : kTweakedCells) r[n] = 0xff;
  return r;
}();

using V = __m128i;

[[gnu::target("ssse3")]] inline V load(const Cells& cells) {
  return _mm_loadu_si128(reinterpret_cast<const V*>(cells.data()));
}
[[gnu::target("ssse3")]] inline V unpack(u64 state) {
  V bytes = _mm_cvtsi64_si128(i64(__builtin_bswap64(state))), low = _mm_set1_epi8(15);
  return _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
}
[[gnu::target("ssse3")]] inline u64 pack(V cells) {
  V pairs = _mm_maddubs_epi16(cells, _mm_set1_epi16(0x0110));
  return __builtin_bswap64(u64(_mm_cvtsi128_si64(_mm_packus_epi16(pairs, pairs))));
}
[[gnu::target("ssse3")]] inline V apply(const Layer& layer, V v) {
  V once = _mm_shuffle_epi8(load(layer.once), v), twice = _mm_shuffle_epi8(load(layer.twice), v);
  V outer = _mm_xor_si128(_mm_shuffle_epi8(once, load(layer.row1)), _mm_shuffle_epi8(once, load(layer.row3)));
  return _mm_xor_si128(outer, _mm_shuffle_epi8(twice, load(layer.row2)));
}
[[gnu::target("ssse3")]] inline V next_tweak(V tweak) {
  V shuffled = _mm_shuffle_epi8(tweak, load(kTweakShuffle)), mask = load(kTweaked);
  V stepped = _mm_shuffle_epi8(load(kStep), shuffled);
  return _mm_or_si128(_mm_and_si128(mask, stepped), _mm_andnot_si128(mask, shuffled));
}

[[gnu::target("ssse3")]] u64 encrypt_with_ssse3(u64 data, u64 tweak, u64 key0, u64 key1) {
  V round_key[kRounds], last_tweak = unpack(tweak);
  for (unsigned i = 0; i < kRounds; i++) {
    round_key[i] = _mm_xor_si128(last_tweak, unpack(key1 ^ kRoundConstant[i]));
    last_tweak = next_tweak(last_tweak);
  }
  V last_key = unpack(orthomorphism(key0)), alpha = unpack(kAlpha);
  V v = _mm_xor_si128(unpack(data ^ key0), round_key[0]);
  for (unsigned i = 1; i < kRounds; i++)
    v = _mm_xor_si128(apply(kForward, v), apply(kForwardLinear, round_key[i]));
  v = _mm_xor_si128(apply(kForward, v), apply(kForwardLinear, _mm_xor_si128(last_key, last_tweak)));
  v = _mm_xor_si128(apply(kForward, v), unpack(key1));
  v = _mm_shuffle_epi8(v, load(kInverseShuffle));
  v = _mm_xor_si128(apply(kBackward, v), _mm_xor_si128(unpack(key0), last_tweak));
  for (unsigned i = kRounds - 1; i > 0; i--)
    v = _mm_xor_si128(apply(kBackward, v), _mm_xor_si128(round_key[i], alpha));
  v = _mm_shuffle_epi8(load(kInverseSub), v);
  return pack(_mm_xor_si128(v, _mm_xor_si128(_mm_xor_si128(round_key[0], alpha), last_key)));
}

}  // namespace

u64 encrypt(u64 data, u64 tweak, u64 key0, u64 key1) {
  return __builtin_cpu_supports("ssse3") ? encrypt_with_ssse3(data, tweak, key0, key1)
                                         : encrypt_by_steps(data, tweak, key0, key1);
}

}  // namespace sluice::cpu::qarma
